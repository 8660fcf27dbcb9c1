# SPDX-License-Identifier: Apache-2.0
"""A gateway: a daemon in a namespace with its configuration, its control socket and its log."""
import os
import re
import signal
import subprocess
import time

from . import conf, vici
from .net import inner, other
from .run import LIBS, PATIENCE, CommandFailed, NotYet, in_ns, ping, program, run, tcp_transfer, wait_until

SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer")
FOLDERS = ("x509", "x509ca", "x509aa", "x509ac", "x509ocsp", "x509crl", "pubkey", "private", "rsa", "ecdsa", "bliss",
           "pkcs8", "pkcs12", "conf.d")


class Gateway:
    """What bewickd and strongSwan have in common. Files are in self.dir: swanctl.conf, log, out."""
    kind = section = None

    def __init__(self, net, side, folder, config=None, settings=None, at=None):
        self.net, self.side, self.dir = net, side, folder
        self.ns = net.ns(at or side) if net else None
        self.settings = settings or {}
        self.process = None
        self.expect_exit = 0
        os.makedirs(folder, exist_ok=True)
        for name in FOLDERS:
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        self.configure(config or {})

    def path(self, name):
        return os.path.join(self.dir, name)

    def configure(self, config):
        """Writes swanctl.conf: a dictionary, or text as it is."""
        self.config = config
        with open(self.path("swanctl.conf"), "w", encoding="utf-8") as f:
            f.write(config if isinstance(config, str) else conf.text(config) + "\n")

    # ---- the process -------------------------------------------------------------------------

    def command(self):
        raise NotImplementedError

    def settings_tree(self):
        raise NotImplementedError

    def env(self):
        return {"SWANCTL_DIR": self.dir, "STRONGSWAN_CONF": self.path("settings.conf")}

    def settings_write(self):
        tree = conf.merged(self.settings_tree(), self.settings)
        # a slow machine is no reason to give a peer up
        if "retransmit_timeout" in tree:
            tree["retransmit_timeout"] = float(tree["retransmit_timeout"]) * PATIENCE
        with open(self.path("settings.conf"), "w", encoding="utf-8") as f:
            f.write(conf.text({self.section: tree}) + "\n")

    def launch(self, prefix=()):
        """Starts the process, without waiting for anything."""
        self.settings_write()
        with open(self.path("out"), "ab") as out:
            self.process = subprocess.Popen(in_ns(self.ns, [*prefix, *self.command()]), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=dict(os.environ, **self.env()),
                                            cwd=self.dir)
        return self

    def answers(self):
        """Whether the control socket answers; fails at once if the daemon has ended."""
        if self.process.poll() is not None:
            raise AssertionError("%s ended with %d:\n%s" % (self.kind, self.process.returncode, self.tail()))
        try:
            with self.vici() as client:
                client.request("version")
            return True
        except OSError:
            return False

    def wait_ready(self):
        wait_until(self.answers, 15, "the control socket of %s (%s)" % (self.kind, self.side))

    def start(self, load=True, prefix=()):
        self.launch(prefix)
        self.wait_ready()
        if load:
            self.load()
        return self

    def load(self, check=True):
        return self.swanctl("--load-all", "--noprompt", check=check)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit=20):
        """Until the process has ended by itself; its exit status."""
        try:
            return self.process.wait(limit * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end:\n%s" % (self.kind, self.tail())) from None

    def stop(self):
        """A clean end: SIGTERM, exit status 0."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait()
        self.process = None
        assert status == self.expect_exit, "%s ended with %d:\n%s" % (self.kind, status, self.tail())

    def kill(self):
        """As if the power had failed."""
        self.signal(signal.SIGKILL)
        self.wait()
        self.process = None

    def finish(self):
        """The end of a test: stopped if it runs, no complaint of a sanitizer in what it said."""
        if self.process:
            self.stop()
        found = SANITIZER.search(self.out() + self.log())
        assert not found, "%s (%s): %s\n%s" % (self.kind, self.side, found.group(0), self.out())

    # ---- what it said ------------------------------------------------------------------------

    def _read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log(self):
        return self._read("log")

    def out(self):
        return self._read("out")

    def tail(self, lines=40):
        return "\n".join((self.log() + self.out()).splitlines()[-lines:])

    def logged(self, pattern):
        return re.search(pattern, self.log())

    def wait_log(self, pattern, limit=10):
        return wait_until(lambda: self.logged(pattern), limit, lambda: "%s (%s) logs '%s':\n%s" %
                          (self.kind, self.side, pattern, self.tail()))

    # ---- control -----------------------------------------------------------------------------

    def swanctl_program(self):
        raise NotImplementedError

    def swanctl(self, verb, *args, check=True, limit=30, program=None):
        env = self.env()
        return run(program or self.swanctl_program(), verb, "--uri", "unix://" + self.path("vici"), *args, env=env,
                   check=check, limit=limit)

    def initiate(self, child=None, ike=None, check=True, timeout=60):
        """swanctl --initiate; with check=False its result tells."""
        args = [*(["--child", child] if child else []), *(["--ike", ike] if ike else [])]
        return self.swanctl("--initiate", "--timeout", str(int(timeout * PATIENCE)), *args, check=check,
                            limit=timeout + 10)

    def terminate(self, check=True, **what):
        args = [word for key, value in what.items() for word in ("--" + key.replace("_", "-"), str(value))]
        return self.swanctl("--terminate", "--timeout", "15", *args, check=check)

    def vici(self):
        return vici.Client(self.path("vici"), 20 * PATIENCE)

    def sas(self, ike=None):
        """The IKE_SAs: a list of (name, keys)."""
        with self.vici() as client:
            found = [item for event in client.stream("list-sas", "list-sa") for item in event.items()]
        return [(name, sa) for name, sa in found if ike in (None, name)]

    def established(self, ike=None):
        return [sa for _, sa in self.sas(ike) if sa["state"] == "ESTABLISHED"]

    def children(self, name=None, state="INSTALLED"):
        return [child for _, sa in self.sas() for child in sa["child-sas"].values()
                if name in (None, child["name"]) and state in (None, child["state"])]

    def _only(self, find, what):
        """The one thing that find() finds: while it is being replaced there may be none, or two."""
        end = time.monotonic() + 5 * PATIENCE
        while True:
            found = find()
            if len(found) == 1:
                return found[0]
            if time.monotonic() > end:
                raise NotYet("%d %s on %s" % (len(found), what, self.side))
            time.sleep(0.02)

    def child(self, name):
        """The one CHILD_SA of that name that is in use."""
        return self._only(lambda: self.children(name), "CHILD_SAs " + name)

    def sa(self, ike=None):
        """The one IKE_SA there is."""
        return self._only(lambda: self.sas(ike), "IKE_SAs")[1]

    def wait_children(self, n, name=None, limit=10):
        return wait_until(lambda: len(self.children(name)) == n, limit, lambda: "%d CHILD_SAs on %s:\n%s" %
                          (n, self.side, self.tail()))

    def wait_no_sas(self, limit=10):
        return wait_until(lambda: not self.sas(), limit, lambda: "no SAs on %s:\n%s" % (self.side, self.tail()))

    # ---- traffic -----------------------------------------------------------------------------

    def ping(self, version=4, net=0, count=3, **more):
        """Through the tunnel between private nets number `net`; how many came back."""
        return ping(self.ns, inner(other(self.side), version, net), inner(self.side, version, net), count, **more)

    def tcp(self, version=4, net=0, size=1 << 20, limit=30):
        tcp_transfer(self.ns, inner(self.side, version, net), self.net.ns(other(self.side)),
                     inner(other(self.side), version, net), size, limit)


class Bewick(Gateway):
    kind = section = "bewickd"

    def settings_tree(self):
        return {"kernel": os.environ.get("LAB_KERNEL", "userland"), "pidfile": self.path("pid"), "qcd": {"secret_file": self.path("qcd.secret")},
                "plugins": {"vici": {"socket": "unix://" + self.path("vici")}},
                "filelog": {"log": {"path": self.path("log"), "default": 1, "ike": 2, "time_format": "%H:%M:%S",
                                    "flush_line": True}}}

    def command(self):
        return [program("bewickd"), "--settings", self.path("settings.conf"),
                "--plugin-dir", LIBS]

    def swanctl_program(self):
        return program("swanctl")


class Strongswan(Gateway):
    """Debian's charon-systemd with ESP in user space."""
    kind, section = "strongswan", "charon-systemd"
    PLUGINS = ("random nonce openssl drbg curve25519 chapoly pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac gcm aes "
               "kernel-libipsec kernel-netlink socket-default vici fips-prf counters revocation curl dnskey")

    def settings_tree(self):
        return {"load": self.PLUGINS,
                "plugins": {"vici": {"socket": "unix://" + self.path("vici")},
                            "kernel-libipsec": {"allow_peer_ts": True},
                            # its own packets stay out of tunnels between the hosts themselves
                            "socket-default": {"fwmark": "0x42"}, "kernel-netlink": {"fwmark": "!0x42"}},
                "filelog": {"log": {"path": self.path("log"), "default": 1, "ike": 2, "time_format": "%H:%M:%S",
                                    "flush_line": True}}}

    def command(self):
        return ["/usr/sbin/charon-systemd"]

    def swanctl_program(self):
        return "/usr/sbin/swanctl"


# LAB_STAND_IN=strongswan: the tests themselves are tried where there is no bewickd
if os.environ.get("LAB_STAND_IN") == "strongswan":
    Bewick = Strongswan  # noqa: F811

__all__ = ["Bewick", "Strongswan", "Gateway", "CommandFailed"]
