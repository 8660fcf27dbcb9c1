# SPDX-License-Identifier: Apache-2.0
"""Certificates, keys, revocation lists and authorities: out of swanctl's directories into the daemon, and listed."""
import glob
import os
import re
import shutil
import signal
import subprocess

import pytest

from lab import conf, softhsm
from lab.run import program

DEBIAN = "/usr/sbin/swanctl"
OURS = program("swanctl")
MKPKI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "mkpki")


REASONS = ("keyCompromise", "CACompromise", "affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
           "removeFromCRL")


def mkpki(folder, *args):
    options = [a for a in args if a.startswith("--")]
    subprocess.run([MKPKI, *options, folder, *[a for a in args if not a.startswith("--")]], check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Certificates of all kinds of keys."""
    folder = str(tmp_path_factory.mktemp("pki"))
    mkpki(folder, "init")
    mkpki(folder, "--crl=http://192.0.2.9/ca.crl", "--ocsp=http://192.0.2.9:8080", "cert", "moon", "DNS:moon.test",
          "email:moon@bewick.test", "IP:192.0.2.1")
    mkpki(folder, "--key=rsa", "--ext=certificatePolicies=1.2.3.4", "cert", "sun")
    mkpki(folder, "--key=ed25519", "--usage=digitalSignature", "--eku=", "cert", "carol")
    mkpki(folder, "--expired", "cert", "old")
    mkpki(folder, "--pathlen=0", "ca", "branch")
    mkpki(folder, "cert", "packed")
    mkpki(folder, "pkcs12", "packed", "p12pw")
    mkpki(folder, "--key=ed448", "pubkey", "raw")
    mkpki(folder, "cert", "gone")
    mkpki(folder, "revoke", "gone")
    with open(folder + "/ca.db", "a", encoding="ascii") as db:  # certificates that are revoked for other reasons
        for i, reason in enumerate(REASONS):
            db.write("R\t361118000000Z\t261121000000Z,%s\t03%02d\tunknown\t/CN=revoked%d\n" % (reason, i, i))
    mkpki(folder, "crl", "ca")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", "sun.key", "-out", "sun.p8", "-passout", "pass:geheim"], cwd=folder,
                   check=True, capture_output=True)
    subprocess.run(["openssl", "ec", "-in", "moon.key", "-out", "moon.sec1"], cwd=folder, check=True, capture_output=True)
    return folder


def put(gateway, pki, **files):
    """Into the folders of swanctl."""
    for folder, names in files.items():
        for name in names.split():
            shutil.copy(os.path.join(pki, name), gateway.path(folder))


ALL = {"x509": "moon.pem sun.pem carol.pem old.pem gone.pem", "x509ca": "root.pem ca.pem branch.pem",
       "x509ocsp": "ocsp-ca.pem", "x509crl": "ca.crl root.crl", "pubkey": "raw.pub", "private": "carol.key",
       "ecdsa": "moon.sec1", "pkcs8": "sun.p8", "pkcs12": "packed.p12"}
SECRETS = {"pkcs8-sun": {"file": "sun.p8", "secret": "geheim"}, "pkcs12-packed": {"file": "packed.p12", "secret": "p12pw"}}
AUTHORITY = {"issuing": {"cacert": "ca.pem", "crl_uris": ["http://192.0.2.9/ca.crl", "file:///var/ca.crl"],
                         "ocsp_uris": ["http://192.0.2.9:8080"], "cert_uri_base": "http://192.0.2.9/certs/"}}


def with_certificates(pki):
    local = {"auth": "pubkey", "certs": "moon.pem", "id": None}
    remote = {"auth": "rsa-2048-ecdsa-256-sha256", "id": "C=CH, CN=*", "cacerts": "ca.pem", "revocation": "ifuri",
              "ca_id": "/O=Bewick/CN=Bewick root", "cert_policy": ["1.2.3.4"], "cacert-file": {"file": pki + "/root.pem"}}
    return conf.connection("moon", {"net-net": conf.net_child("moon")}, local=local, remote=remote)


@pytest.fixture
def moon(lab, pki):
    """One daemon with all of it loaded."""
    gateway = lab.gateway("moon", {"connections": {"net": with_certificates(pki)}, "secrets": SECRETS,
                                   "authorities": AUTHORITY}, {"kernel": "null"})
    put(gateway, pki, **ALL)
    return gateway.start(load=False)


def keys_of(gateway):
    with gateway.vici() as client:
        return sorted(client.call("get-keys")["keys"])


def listed(gateway, **filters):
    """(type, flag, has_privkey) of each."""
    with gateway.vici() as client:
        return [(c["type"], c.get("flag"), c.get("has_privkey")) for c in client.stream("list-certs", "list-cert", filters)]


@pytest.mark.parametrize("program", [OURS, DEBIAN])
def test_all_directories(moon, program):
    done = moon.swanctl("--load-all", "--noprompt", program=program)
    loaded = re.findall(r"^loaded certificate from '.*/(.+)/(.+)'$", done.stdout, re.M)
    wanted = [(folder, name) for folder, names in ALL.items() for name in names.split()
              if folder not in ("private", "ecdsa", "pkcs8")]
    assert sorted(set(loaded)) == sorted(wanted)
    assert done.stdout.count("packed.p12'") >= 3  # the certificate, its CA and the key
    assert re.search(r"^loaded RSA key from '.*/pkcs8/sun.p8'$", done.stdout, re.M)
    assert re.search(r"^loaded ecdsa key from '.*/ecdsa/moon.sec1'$", done.stdout, re.M)
    assert "loaded authority 'issuing'" in done.stdout
    assert "successfully loaded 1 connections, 0 unloaded" in done.stdout
    assert len(keys_of(moon)) == 4
    kinds = listed(moon)
    assert kinds.count(("X509", "NONE", "yes")) == 4  # moon, sun, carol, packed
    assert kinds.count(("X509", "NONE", None)) == 2   # old, gone
    assert kinds.count(("X509", "CA", None)) == 3
    assert kinds.count(("X509", "OCSP", None)) == 1
    assert kinds.count(("X509_CRL", None, None)) == 2
    assert kinds.count(("PUBKEY", None, None)) == 1
    assert len(kinds) == 13
    assert [k[0] for k in kinds] == ["PUBKEY"] + ["X509"] * 10 + ["X509_CRL"] * 2  # in this order
    # once more changes nothing
    moon.swanctl("--load-all", "--noprompt", program=program)
    assert listed(moon) == kinds and len(keys_of(moon)) == 4
    shown = moon.swanctl("--list-conns", program=program).stdout
    assert re.search(r"local public key authentication:\n    id: (.*)\n    certs: \1\n", shown)
    assert re.search(r"ca_id: O=Bewick, CN=Bewick root\n    cert policy: 1.2.3.4\n    cacerts: O=Bewick, CN=Bewick ca", shown), shown


@pytest.mark.parametrize("options", [[], ["--short"], ["--pem", "--type", "x509"], ["--raw"], ["--pretty"], ["--type", "x509ca"],
                                     ["--type", "x509_crl"], ["--type", "pubkey"], ["--flag", "none"],
                                     ["--subject", "O=Bewick, CN=moon"], ["--utc"]])
def test_listing_as_debian_does(moon, options):
    """Each client prints the same."""
    moon.swanctl("--load-all", "--noprompt")
    ours, theirs = (moon.swanctl("--list-certs", *options, program=program).stdout for program in (OURS, DEBIAN))
    assert ours == theirs
    assert ours


def test_what_vanishes_is_unloaded(moon):
    moon.swanctl("--load-creds", "--noprompt")
    keys = keys_of(moon)
    assert len(keys) == 4
    os.unlink(moon.path("private/carol.key"))
    moon.swanctl("--load-creds", "--noprompt")
    assert len(keys_of(moon)) == 3 and set(keys_of(moon)) < set(keys)
    moon.wait_log("unloaded private key " + (set(keys) - set(keys_of(moon))).pop())
    # certificates stay until --clear
    os.unlink(moon.path("x509/carol.pem"))
    moon.swanctl("--load-creds", "--noprompt")
    assert listed(moon, subject="O=Bewick, CN=carol") == [("X509", "NONE", None)]
    moon.swanctl("--load-creds", "--noprompt", "--clear")
    assert listed(moon, subject="O=Bewick, CN=carol") == []
    for folder in ("ecdsa", "pkcs8", "pkcs12"):
        for name in glob.glob(moon.path(folder) + "/*"):
            os.unlink(name)
    moon.swanctl("--load-creds", "--noprompt")
    assert keys_of(moon) == []


def test_keys_in_a_process_of_their_own(lab, pki):
    gateway = lab.gateway("moon", {"secrets": SECRETS}, {"kernel": "null", "private_key_process": "yes"})
    put(gateway, pki, **ALL)
    gateway.start(load=False)
    gateway.swanctl("--load-creds", "--noprompt")
    keys = keys_of(gateway)
    assert len(keys) == 4
    gateway.wait_log("loaded ED25519 private key [0-9a-f]{40} into the process that signs")
    assert sum(key is not None for _, _, key in listed(gateway)) == 4
    os.unlink(gateway.path("private/carol.key"))
    shutil.copy(pki + "/moon.pem", gateway.path("private/moon.pem"))
    done = gateway.swanctl("--load-creds", "--noprompt")
    assert re.search(r"loading '.*/private/moon.pem' failed: parsing ANY private key failed: .+", done.stderr)
    assert len(keys_of(gateway)) == 3


def test_the_process_of_keys_crashes(lab, pki):
    """It is said; the keys are loaded again, and tunnels come up again, without a restart."""
    made = {}
    for side, name in (("moon", "moon"), ("sun", "sun")):
        other = {"moon": "sun", "sun": "moon"}[side]
        connection = conf.connection(side, {"net-net": conf.net_child(side)}, local={"auth": "pubkey", "certs": name + ".pem", "id": None},
                                     remote={"auth": "pubkey", "id": "O=Bewick, CN=" + other})
        made[side] = lab.gateway(side, {"connections": {"net": connection}}, {"private_key_process": "yes"} if side == "moon" else None)
        put(made[side], pki, x509=name + ".pem", x509ca="root.pem ca.pem", private=name + ".key")
        made[side].start()
    moon = made["moon"]
    moon.initiate("net-net")
    moon.terminate(ike="net")
    os.kill(int(moon.wait_log(r"private keys are kept by a process of their own, (\d+)").group(1)), signal.SIGKILL)
    moon.wait_log(r"the process that signs has ended \(signal 9\): the private keys in it are lost. Another one runs, \d+: load them again")
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"signing with our ECDSA key failed: the process that signs was begun anew, and does not have this key")
    moon.swanctl("--load-creds", "--noprompt")
    moon.initiate("net-net")

@pytest.mark.skipif(not os.path.exists(softhsm.MODULE), reason="softhsm2 is not installed")
@pytest.mark.parametrize("program", [OURS, DEBIAN])
def test_key_on_a_token(lab, pki, program):
    """Loaded, shown with its certificate, and unloaded when it has left the file. A wrong PIN says so."""
    secret = {"token-hsm": {"handle": "0a0b", "module": "soft", "pin": "1234"}}
    gateway = lab.gateway("moon", {"secrets": secret}, {"kernel": "null",
                                                        "plugins": {"pkcs11": {"modules": {"soft": {"path": softhsm.MODULE}}}}})
    softhsm.SoftHsm(gateway, "lab").put_key("lab", "0a0b", pki + "/sun.key")
    put(gateway, pki, x509="sun.pem")
    gateway.start(load=False)
    done = gateway.swanctl("--load-creds", "--noprompt", program=program)
    keys = keys_of(gateway)
    assert re.search(r"loaded key .*hsm from token \[keyid: %s\]" % keys[0], done.stdout), done.stdout + done.stderr
    assert listed(gateway) == [("X509", "NONE", "yes")]
    gateway.configure({"secrets": {"token-hsm": {"handle": "0c", "module": "soft", "pin": "1234"}}})
    done = gateway.swanctl("--load-creds", "--noprompt", program=program)
    assert "loading private key from token failed: " in done.stderr
    assert keys_of(gateway) == []
    gateway.configure({"secrets": {"token-hsm": {"handle": "0a0b", "module": "none", "pin": "1234"}}})
    done = gateway.swanctl("--load-creds", "--noprompt", program=program)
    assert "PKCS#11 module 'none' is not configured" in done.stderr


def test_newer_crl(moon, pki, tmp_path):
    """The newer of two revocation lists is kept, whichever comes last."""
    shutil.copy(pki + "/ca.crl", tmp_path / "first.crl")
    own = str(tmp_path / "pki")
    shutil.copytree(pki, own)
    mkpki(own, "revoke", "sun")
    crls = [tmp_path / "first.crl", own + "/ca.crl"]
    data = [open(name, "rb").read() for name in crls]
    assert data[0] != data[1]
    with moon.vici() as client:
        for order in (data, reversed(data)):
            for crl in order:
                client.call("load-cert", {"type": "X509_CRL", "data": crl})
            got = [c["data"] for c in client.stream("list-certs", "list-cert", {"type": "X509_CRL"})]
            assert [c.encode(errors="surrogateescape") for c in got] == [data[1]]
    assert "%d revoked certificates:" % (2 + len(REASONS)) in moon.swanctl("--list-certs").stdout
    moon.wait_log(r"is not newer than the one that is loaded")


def test_files_that_are_wrong(moon, pki):
    """Each says what is wrong; the others are loaded."""
    put(moon, pki, x509ca="moon.pem", x509ac="moon.pem")
    with open(moon.path("x509/garbage.pem"), "w", encoding="utf-8") as f:
        f.write("garbage\n")
    shutil.copy(pki + "/moon.pem", moon.path("private/moon.pem"))
    shutil.copy(pki + "/sun.p8", moon.path("private/sun.p8"))
    done = moon.swanctl("--load-creds", "--noprompt")
    errors = done.stderr
    assert re.search(r"loading '.*/x509ca/moon.pem' failed: ca certificate lacks CA basic constraint, rejected", errors)
    assert re.search(r"loading '.*/x509/garbage.pem' failed: parsing X509 certificate failed: .+", errors)
    assert re.search(r"loading '.*/x509ac/moon.pem' failed: parsing X509_AC certificate failed: .+", errors)
    assert re.search(r"loading '.*/private/moon.pem' failed: parsing ANY private key failed: .+", errors)
    assert re.search(r"loading '.*/private/sun.p8' failed: parsing ANY private key failed: .+", errors)
    assert len(keys_of(moon)) == 4


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def mistakes(gateway, pki):
    """File of swanctl's folders -> what is said of it."""
    def path(name):
        return gateway.path(name)

    def write(name, data):
        with open(path(name), "wb") as f:
            f.write(data)

    def read(name):
        with open(os.path.join(pki, name), "rb") as f:
            return f.read()

    openssl("pkey", "-in", pki + "/moon.key", "-aes128", "-passout", "pass:right", "-out", path("private/wrong.key"))
    openssl("pkey", "-in", pki + "/moon.key", "-aes128", "-passout", "pass:right", "-out", path("private/none.key"))
    openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", path("private/curve.key"))
    openssl("x509", "-in", pki + "/moon.pem", "-outform", "DER", "-out", path("x509/der.pem"))
    write("x509/crlf.pem", read("moon.pem").replace(b"\n", b"\r\n"))
    write("private/crlf.key", read("carol.key").replace(b"\n", b"\r\n"))
    write("x509/key.pem", read("moon.key"))
    write("x509/cut.pem", read("moon.pem")[:300])
    write("x509/chain.pem", read("moon.pem") + read("ca.pem"))
    write("x509crl/cert.crl", read("moon.pem"))
    write("pubkey/cert.pub", read("moon.pem"))
    write("private/cert.key", read("moon.pem"))
    write("private/open.key", read("sun.key"))
    write("x509/old.pem", read("old.pem"))
    write("rsa/ecdsa.key", read("moon.key"))
    write("pkcs12/packed.p12", read("packed.p12"))
    write("pkcs12/wrong.p12", read("packed.p12"))
    write("pkcs12/cert.p12", read("moon.pem"))
    for name in ("x509/empty.pem", "private/empty.key", "pkcs12/empty.p12"):
        write(name, b"")
    for name in ("private/crlf.key", "private/curve.key", "private/none.key", "private/wrong.key", "rsa/ecdsa.key"):
        os.chmod(path(name), 0o600)
    os.chmod(path("private/open.key"), 0o644)
    os.mkdir(path("x509/folder.pem"))
    os.symlink("/nowhere", path("x509/link.pem"))
    return [
        ("private/wrong.key", r"'%s' is encrypted: the passphrase of swanctl.conf, or that was typed, does not fit$"),
        ("private/none.key", r"'%s' is encrypted, and there is no passphrase for it: secrets \{ private-NAME \{ file = none.key; secret = ... \} \}$"),
        ("private/curve.key", r"'%s' failed: parsing ANY private key failed: curve 1.3.132.0.10 \(secp256k1\) is not supported$"),
        ("x509/key.pem", r"'%s' failed: .*neither DER nor PEM of a CERTIFICATE, but PEM of an? (EC )?PRIVATE KEY$"),
        ("x509/cut.pem", r"'%s' failed: .*the PEM of the CERTIFICATE is malformed$"),
        ("x509/chain.pem", r"'%s' failed: .*it has more than one CERTIFICATE: each needs a file of its own$"),
        ("x509crl/cert.crl", r"'%s' failed: .*but PEM of a CERTIFICATE$"),
        ("pubkey/cert.pub", r"'%s' failed: .*there is no public key among its PEM blocks, but a CERTIFICATE$"),
        ("private/cert.key", r"'%s' failed: .*there is no private key among its PEM blocks, but a CERTIFICATE$"),
        ("private/open.key", r"'%s' is a private key that everybody can read \(mode 0644\): chmod 600$"),
        ("x509/old.pem", r"loading '%s': it is loaded, but has expired at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"),
        ("rsa/ecdsa.key", r"'%s' failed: .*it is a key of type ECDSA, not RSA$"),
        ("pkcs12/packed.p12", r"'%s' is encrypted, and there is no passphrase for it: secrets \{ pkcs12-NAME \{ file = packed.p12; secret = ... \} \}$"),
        ("pkcs12/wrong.p12", r"'%s' is encrypted: the passphrase of swanctl.conf, or that was typed, does not fit$"),
        ("pkcs12/cert.p12", r"'%s' failed: not a PKCS#12 container$"),
        ("x509/empty.pem", r"'%s' failed: the file is empty$"),
        ("private/empty.key", r"'%s' failed: the file is empty$"),
        ("pkcs12/empty.p12", r"'%s' failed: the file is empty$"),
        ("x509/folder.pem", r"ignoring '%s': it is a directory$"),
        ("x509/link.pem", r"loading '%s' failed: No such file or directory$"),
    ]


def test_mistakes_of_users(lab, pki):
    """Each is answered with what is wrong, once, and nothing else is complained about."""
    secrets = {"private-a": {"file": "wrong.key", "secret": "wrong"}, "pkcs12-b": {"file": "wrong.p12", "secret": "wrong"},
               "private-c": {"file": "nothere.key", "secret": "x"}, "rsa-d": {"secret": "x"}}
    gateway = lab.gateway("moon", {"secrets": secrets}, {"kernel": "null"})
    said = mistakes(gateway, pki) + [("private/nothere.key", "ignoring secret 'private-c': there is no file '%s'$")]
    gateway.start(load=False)
    done = gateway.swanctl("--load-creds", "--noprompt")
    lines = done.stderr.splitlines()
    for name, wanted in said:
        found = [line for line in lines if re.search(wanted % re.escape(gateway.path(name)), line)]
        assert len(found) == 1, "%s: %s\n%s" % (name, wanted, done.stderr)
    assert "ignoring secret 'rsa-d': it has no 'file'" in lines
    for name in ("x509/der.pem", "x509/crlf.pem", "private/crlf.key"):  # no mistakes
        assert "from '%s'" % gateway.path(name) in done.stdout and gateway.path(name) not in done.stderr
    # an encrypted file has the daemon's word, too
    more = [line for line in lines if "failed: parsing ANY private key failed: " in line and "encrypted" in line]
    assert len(lines) == len(said) + 1 + len(more) + 2 and len(more) == 2, done.stderr  # and 'no passphrase fits' for both of PKCS#12
    gateway.wait_log(r"loaded certificate 'O=Bewick, CN=old'.*, which has expired at ")


def test_our_own_certificate_is_wrong(lab, pki):
    """Of the key, the identity and the time: said when it is loaded, and when it is used, not only by the peer."""
    connection = {"mars": {"certs": "moon.pem", "id": "mars.test"}, "nokey": {"certs": "gone.pem", "id": None}, "old": {"certs": "old.pem", "id": None}}
    connections = {name: conf.connection("moon", {name: conf.net_child("moon")}, local={"auth": "pubkey", **local}, remote={"auth": "pubkey", "id": "%any"})
                   for name, local in connection.items()}
    moon = lab.gateway("moon", {"connections": connections})
    sun = lab.gateway("sun", {"connections": {"net": conf.connection("sun", {"net": conf.net_child("sun")}, local={
        "auth": "pubkey", "certs": "sun.pem", "id": None}, remote={"auth": "pubkey", "id": "%any"})}})
    put(moon, pki, x509="moon.pem gone.pem old.pem", x509ca="root.pem ca.pem", private="moon.key old.key")
    put(sun, pki, x509="sun.pem", x509ca="root.pem ca.pem", private="sun.key")
    for gateway in (moon, sun):
        gateway.start()
    moon.wait_log(r"connection 'mars': our identity 'mars.test' is neither the subject nor a subjectAltName of our certificate 'O=Bewick, CN=moon'")
    moon.wait_log(r"connection 'nokey': the private key of our certificate 'O=Bewick, CN=gone' .* is not loaded yet")
    for name, why in (("mars", r"using certificate 'O=Bewick, CN=moon'.*, which does not have our identity"),
                      ("nokey", r"failed: the private key of our certificate 'O=Bewick, CN=gone' .* is not loaded"),
                      ("old", r"using certificate 'O=Bewick, CN=old'.*, which has expired")):
        assert moon.initiate(name, check=False).returncode != 0
        moon.wait_log(why)
    sun.wait_log(r"certificate 'O=Bewick, CN=old' .* has expired at")
    assert not moon.logged("connection 'old': ")


@pytest.mark.parametrize("program", [OURS, DEBIAN])
def test_authorities(moon, program):
    done = moon.swanctl("--load-authorities", program=program)
    assert "successfully loaded 1 authorities, 0 unloaded" in done.stdout
    shown = moon.swanctl("--list-authorities", program=program).stdout
    assert shown == ("issuing:\n  cacert: O=Bewick, CN=Bewick ca\n  crl_uris:  http://192.0.2.9/ca.crl\n"
                     "             file:///var/ca.crl\n  ocsp_uris: http://192.0.2.9:8080\n"
                     "  cert_uri_base: http://192.0.2.9/certs/\n")
    assert listed(moon) == [("X509", "CA", None)]
    bad = {"noca": {"cacert": moon.path("x509/moon.pem")}, "none": {"ocsp_uris": "http://192.0.2.9"},
           "ldap": {"cacert": "ca.pem", "crl_uris": "ldap://192.0.2.9/ca"}, "colour": {"cacert": "ca.pem", "colour": "red"}}
    moon.configure({"authorities": bad})
    done = moon.swanctl("--load-authorities", program=program, check=False)
    assert done.returncode == 22
    for text in (r"'noca' failed: CA certificate missing: noca \(.*lacks CA basic constraint\)",
                 r"'none' failed: CA certificate missing: none$",
                 r"'ldap' failed: invalid value for: crl_uris, authority discarded \(a URI begins with http://, https:// or file://\)",
                 r"'colour' failed: unknown option: colour, authority discarded",
                 r"loaded 0 of 4 authorities, 4 failed to load, 1 unloaded"):
        assert re.search(text, done.stderr, re.M), done.stderr
    assert listed(moon) == []


def test_connections_with_bad_certificates(moon, pki):
    good = {"local": {"certs": "moon.pem"}, "remote": {}}
    bad = {"nofile": {"local": {"certs": "nothing.pem"}}, "nocert": {"local": {"certs": pki + "/moon.key"}},
           "noca": {"remote": {"cacerts": "moon.pem"}}, "gone": {"remote": {"cacert": {"file": "/nowhere.pem"}}},
           "token": {"local": {"cert": {"handle": "01"}}}, "word": {"remote": {"auth": "rsa-2048-sha3"}},
           "eap": {"remote": {"auth": "eap-tls"}}, "psk": {"remote": {"auth": "psk", "revocation": "strict"}}}
    shutil.copy(pki + "/moon.pem", moon.path("x509ca"))
    moon.configure({"connections": {**{name: conf.merged(good, over) for name, over in bad.items()}, "good": good}})
    done = moon.swanctl("--load-conns", check=False)
    for name, text in (("nofile", None), ("nocert", r"invalid value for: certs, config discarded \(.+\)"),
                       ("noca", r"invalid value for: cacerts, config discarded \(.*is not a CA's.*\)"),
                       ("gone", r"unable to load certificate: cacert \(/nowhere.pem: No such file or directory\)"),
                       ("token", r"unable to load certificate: cert \(no PKCS#11 module is configured: setting plugins.pkcs11.modules.NAME.path\)"),
                       ("word", r"invalid value for: auth, config discarded \('sha3' is neither .*\)"),
                       ("eap", r"unsupported: auth = eap-tls \(EAP is not supported yet\)"),
                       ("psk", r"unsupported: revocation = ... \(a pre-shared key does not prove that\)")):
        if text:
            assert re.search("loading connection '%s' failed: %s$" % (name, text), done.stderr, re.M), done.stderr
    assert "loading certs certificate '%s' failed: No such file" % moon.path("x509/nothing.pem") in done.stderr
    assert "loaded connection 'good'" in done.stdout
    assert "loaded 1 of 9 connections, 8 failed to load" in done.stderr


def test_flushing_keeps_what_was_loaded(moon):
    moon.swanctl("--load-all", "--noprompt")
    before = listed(moon)
    moon.swanctl("--flush-certs")
    assert listed(moon) == before
    assert moon.swanctl("--flush-certs", "--type", "nothing", check=False).returncode == 1
