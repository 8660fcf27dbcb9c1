# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, by scripts/mkpki. An authority is made once for a run, unless a test revokes something of it."""
import atexit
import os
import shutil
import tempfile

from .run import TOP, run

MKPKI = os.path.join(TOP, "scripts", "mkpki")
_made = {}


def _folder():
    folder = tempfile.mkdtemp(prefix="bewick-pki-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Pki:
    def __init__(self, *options):
        """Its own root and issuing CA ("ca"); options of mkpki are for the CA below the root."""
        self.dir = _folder()
        self.made = {}
        self.mkpki(*options, verb="init")

    @classmethod
    def shared(cls, *options):
        """The same one for all tests of the run that ask for the same: nothing may be revoked in it."""
        if options not in _made:
            _made[options] = cls(*options)
        return _made[options]

    def mkpki(self, *options, verb, args=()):
        return run(MKPKI, *options, self.dir, verb, *args).stdout

    def path(self, name):
        return os.path.join(self.dir, name)

    def cert(self, name, *options, san=()):
        """A key and a certificate; made once. Returns the name of its files, which is `name`."""
        wanted = (options, tuple(san))
        if name not in self.made:
            self.mkpki(*options, verb="cert", args=(name, *san))
            self.made[name] = wanted
        assert self.made[name] == wanted, "%s was made with other options" % name
        return name

    def ca(self, name, *options):
        self.mkpki(*options, verb="ca", args=(name,))

    def revoke(self, name):
        self.mkpki(verb="revoke", args=(name,))

    def pubkey(self, name, *options):
        """A key without a certificate: NAME.pub beside NAME.key."""
        self.mkpki(*options, verb="pubkey", args=(name,))
        return name

    def acert(self, name, holder, aa, *groups, begin=None, end=None):
        """NAME.pem: an attribute certificate of the authority `aa` for `holder`, by strongSwan's pki; returns its path. Names or paths; times as
        01.12.26 00:00:00."""
        times = ["--not-before", begin, "--not-after", end] if begin else ["--lifetime", "24"]
        named = [word for group in groups for word in ("--group", group)]
        done = run("pki", "--acert", "--in", self.path(holder) + ".pem", "--issuercert", self.path(aa + ".pem"), "--issuerkey",
                   self.path(aa + ".key"), "--outform", "pem", *named, *times)
        with open(self.path(name + ".pem"), "w", encoding="ascii") as f:
            f.write(done.stdout)
        return self.path(name + ".pem")

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    # ---- into swanctl's folders ----------------------------------------------------------------

    def give(self, gateway, name, cas=("ca", "root")):
        """Key and certificate of `name`, and CAs as trust anchors."""
        self.put(gateway, "private", name + ".key")
        if os.path.exists(self.path(name + ".pem")):
            self.put(gateway, "x509", name + ".pem")
        for ca in cas:
            self.put(gateway, "x509ca", ca + ".pem")

    def put(self, gateway, folder, *names):
        for name in names:
            shutil.copy(self.path(name), os.path.join(gateway.dir, folder, os.path.basename(name)))
