# SPDX-License-Identifier: Apache-2.0
"""Certificates with real servers for their revocation: a roadwarrior (moon) and a gateway (sun), each with one."""
import contextlib
import threading
import time

import pytest

from lab import conf
from lab.pki import Pki
from lab.run import PATIENCE, run, wait_until
from lab.web import ADDRESS, Ocsp, Web

MOON, SUN = "moon.test", "sun.test"
FETCH_S = 2  # how long a server may take
CRL = "http://%s:8080/" % ADDRESS
SETTINGS = {"plugins": {"revocation": {"timeout": "%ds" % FETCH_S}}}


def connection(side, **over):
    return conf.connection(side, {"net-net": conf.net_child(side)}, **conf.merged({
        "local": {"auth": "pubkey", "certs": side + ".test.pem"},
        "remote": {"auth": "pubkey", "id": "%any" if side == "sun" else SUN}}, over))


def gateway(lab, side, pki, name=None, cas=("ca", "root"), **over):
    """Not started yet; `name`: of its certificate."""
    name = name or side + ".test"
    over = conf.merged({"local": {"certs": name + ".pem", "id": name}}, over)
    made = lab.gateway(side, {"connections": {"net": connection(side, **over)}}, SETTINGS)
    pki.give(made, name, cas)
    return made


def pair(lab, moon_pki, sun_pki=None, moon=None, sun=None, moon_name=None, sun_name=None, cas=("ca", "root")):
    """Both, started and loaded. moon, sun: what their connections say besides."""
    sun_pki = sun_pki or moon_pki
    made = [gateway(lab, "moon", moon_pki, moon_name, cas, **(moon or {})), gateway(lab, "sun", sun_pki, sun_name, cas, **(sun or {}))]
    for side in made:
        side.launch()
    for side in made:
        side.wait_ready()
        side.load()
    return made


def plain():
    """An authority whose certificates say nothing of revocation."""
    pki = Pki.shared()
    for name in (MOON, SUN):
        pki.cert(name)
    return pki


def with_crls(key="ec256"):
    """One of its own, whose certificates name CRLs of root and CA."""
    pki = Pki("--crl=" + CRL, "--key=" + key)
    for name in (MOON, SUN):
        pki.cert(name, "--crl=" + CRL, "--key=" + key)
    return pki


@contextlib.contextmanager
def web_of(lab, pki, mode="good"):
    web = Web(lab.net)
    web.mode = mode
    try:
        for name in ("ca.crl", "root.crl"):
            web.pages[name] = pki.read(name)
        yield web
    finally:
        web.close()


def up(moon, sun, n=1):
    moon.initiate("net-net")
    sun.wait_children(n)
    assert moon.ping() == 3


def refused(moon, sun, by, why):
    """`by` says why; the other one learns AUTHENTICATION_FAILED and nothing more."""
    other = moon if by is sun else sun
    why = r"authentication of .* failed: .*(?i:%s)" % why
    assert moon.initiate("net-net", check=False).returncode != 0
    by.wait_log(why)
    other.wait_log(r"AUTHENTICATION_FAILED|AUTH_FAILED")
    assert not other.logged(why), "the peer was told: " + other.tail()
    for side in (moon, sun):
        side.wait_no_sas()


# ---- tunnels ---------------------------------------------------------------------------------------


def test_tunnel(lab):
    """No word on revocation: chain and signature on both sides, twice."""
    moon, sun = pair(lab, plain(), moon={"remote": {"id": SUN}}, sun={"remote": {"id": "*.test"}})
    up(moon, sun)
    moon.terminate(ike="net")
    sun.wait_no_sas()
    up(moon, sun)


def test_strict_with_crls(lab):
    pki = with_crls()
    with web_of(lab, pki) as web:
        strict = {"remote": {"revocation": "strict"}}
        moon, sun = pair(lab, pki, moon=strict, sun=strict)
        up(moon, sun)
        assert sorted(set(web.asked)) == ["ca.crl", "root.crl"]
        asked = len(web.asked)
        moon.terminate(ike="net")
        sun.wait_no_sas()
        up(moon, sun)
        assert len(web.asked) == asked, "CRLs are kept"


def test_strict_with_ocsp(lab):
    """By openssl's responders, one for each CA."""
    pki = Pki("--ocsp=http://%s:8081" % ADDRESS)
    for name in (MOON, SUN):
        pki.cert(name, "--ocsp=http://%s:8082" % ADDRESS)
    servers = [Ocsp(lab.net, pki, "root", 8081), Ocsp(lab.net, pki, "ca", 8082)]
    try:
        strict = {"remote": {"revocation": "strict"}}
        moon, sun = pair(lab, pki, moon=strict, sun=strict)
        up(moon, sun)
    finally:
        for server in servers:
            server.close()


# ---- revoked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["strict", "ifuri", "relaxed"])
def test_revoked_by_crl(lab, policy):
    pki = with_crls()
    pki.revoke(MOON)
    with web_of(lab, pki):
        moon, sun = pair(lab, pki, sun={"remote": {"revocation": policy}})
        refused(moon, sun, sun, r"moon\.test.*revoked")


def test_revoked_by_ocsp(lab):
    pki = Pki()
    pki.cert(SUN)
    pki.cert(MOON, "--ocsp=http://%s:8082" % ADDRESS)
    pki.revoke(MOON)
    server = Ocsp(lab.net, pki, "ca", 8082)
    try:
        moon, sun = pair(lab, pki)
        refused(moon, sun, sun, r"moon\.test.*revoked")
    finally:
        server.close()


def test_revoked_gateway(lab):
    """The roadwarrior sees it; the gateway learns that authentication failed."""
    pki = with_crls()
    pki.revoke(SUN)
    with web_of(lab, pki):
        moon, sun = pair(lab, pki, moon={"remote": {"revocation": "strict"}})
        refused(moon, sun, moon, r"sun\.test.*revoked")


# ---- servers that are slow or broken ---------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hang", "slow", "error", "garbage", "huge"])
def test_bad_server(lab, mode):
    """strict: refused, and the log names the server; relaxed: the tunnel comes up."""
    pki = with_crls()
    with web_of(lab, pki, mode):
        moon, sun = pair(lab, pki, sun={"remote": {"revocation": "strict"}})
        refused(moon, sun, sun, r"10\.81\.1\.1:8080")
        sun.configure({"connections": {"net": connection("sun")}})
        sun.load()
        up(moon, sun)


def test_no_server(lab):
    """Nobody listens there."""
    pki = with_crls()
    moon, sun = pair(lab, pki, sun={"remote": {"revocation": "ifuri"}})
    refused(moon, sun, sun, r"10\.81\.1\.1:8080")


def test_strict_without_a_crl(lab):
    """Nothing says whether it is revoked: that is not enough."""
    moon, sun = pair(lab, plain(), sun={"remote": {"revocation": "strict"}})
    refused(moon, sun, sun, r"revoked is not known.*no CRL of its issuer is loaded")


def test_redirect_to_a_file(lab):
    """A web server that sends us to a file of ours is not followed, though there is a good CRL in it; to another page it is."""
    pki = with_crls()
    with web_of(lab, pki) as web:
        web.pages["ca.crl"] = web.redirect("file://" + pki.path("ca.crl"))
        moon, sun = pair(lab, pki, sun={"remote": {"revocation": "strict"}})
        refused(moon, sun, sun, r"10\.81\.1\.1:8080/ca\.crl")
        assert "ca.crl" in web.asked
    moon.stop()
    sun.stop()


def test_redirect_to_a_page(lab):
    pki = with_crls()
    with web_of(lab, pki) as web:
        web.pages["ca.crl"] = web.redirect("/elsewhere")
        web.pages["elsewhere"] = pki.read("ca.crl")
        moon, sun = pair(lab, pki, sun={"remote": {"revocation": "strict"}})
        up(moon, sun)


def test_psk_peers_while_a_server_hangs(lab):
    """What waits for a CRL waits alone: peers with secrets come up meanwhile, and at their rate."""
    pki, n = with_crls(), 200
    names = ["psk-%d" % i for i in range(n)]
    children = {"moon": {}, "sun": {}}
    for side, tree in children.items():
        for i, name in enumerate(names):
            nets = ["10.%d.%d.0/24" % (90 + number, i) for number in (("moon", "sun").index(side), 1 - ("moon", "sun").index(side))]
            tree[name] = conf.connection(side, {name: {"local_ts": nets[0], "remote_ts": nets[1], "esp_proposals": "aes128gcm16"}},
                                         childless="allow", unique="never",
                                         local={"id": "%s.%s" % (name, side)},
                                         remote={"id": "%s.%s" % (name, "sun" if side == "moon" else "moon")})
    with web_of(lab, pki, "hang") as web:
        for side in ("moon", "sun"):
            over = {"remote": {"revocation": "strict"}} if side == "sun" else {}
            made = lab.gateway(side, {"connections": {"net": connection(side, **over), **children[side]},
                                      "secrets": {"ike-lab": {"secret": conf.PSK}}},
                               {"plugins": {"revocation": {"timeout": "60s"}}, "block_threshold": 0, "cookie_threshold": 0,
                                "cookie_threshold_ip": 0})
            pki.give(made, side + ".test")
            made.start()
        moon, sun = lab.gateways
        moon.swanctl("--initiate", "--child", "net-net", "--timeout", "-1")
        wait_until(lambda: web.asked, 10, "the CRL is asked for")

        def initiate(mine):
            with moon.vici() as client:
                for name in mine:
                    client.request("initiate", {"child": name, "timeout": "-1"})
        begin = time.monotonic()
        threads = [threading.Thread(target=initiate, args=(names[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: len([c for c in sun.children() if c["name"].startswith("psk-")]) == n, 20, "all peers with secrets")
        took = time.monotonic() - begin
        print("%d set-ups with secrets in %.2f s while a CRL server hangs" % (n, took))
        assert not sun.children("net-net"), "it waits still"
        web.mode = "good"
        web.release.set()
        sun.wait_children(1, "net-net")


# ---- what an operator reads ------------------------------------------------------------------------


def test_untrusted(lab):
    """An authority of somebody else's."""
    other = Pki.shared("--key=ec384")
    other.cert(MOON)
    moon, sun = pair(lab, other, plain())
    # moon would not believe sun either: it gets its CA
    for ca in ("ca.pem", "root.pem"):
        with open(moon.path("x509ca/plain-" + ca), "wb") as f:
            f.write(plain().read(ca))
    moon.swanctl("--load-creds", "--noprompt")
    refused(moon, sun, sun, r"moon\.test.*(issuer|untrusted|trust)")


def test_expired(lab):
    pki = plain()
    pki.cert("old.test", "--expired")
    moon, sun = pair(lab, pki, moon_name="old.test")
    refused(moon, sun, sun, r"old\.test.*(expired|not valid)")


def test_not_yet_valid(lab):
    pki = plain()
    pki.cert("young.test", "--from=20990101000000Z", "--to=20991231000000Z")
    moon, sun = pair(lab, pki, moon_name="young.test")
    refused(moon, sun, sun, r"young\.test.*not (yet )?valid")


def test_wrong_usage(lab):
    pki = plain()
    pki.cert("agreement.test", "--usage=keyAgreement")
    moon, sun = pair(lab, pki, moon_name="agreement.test")
    refused(moon, sun, sun, r"agreement\.test.*usage")


def test_wrong_identity(lab):
    """A good certificate, of somebody else."""
    moon, sun = pair(lab, plain(), moon={"local": {"id": "mars.test"}})
    refused(moon, sun, sun, r"mars\.test")


def test_gateway_of_another_name(lab):
    moon, sun = pair(lab, plain(), moon={"remote": {"id": "gate.test"}}, sun={"local": {"id": "gate.test"}})
    refused(moon, sun, moon, r"gate\.test")


def test_weak_key(lab):
    pki = plain()
    pki.cert("short.test", "--key=rsa1024")
    moon, sun = pair(lab, pki, moon_name="short.test", sun={"remote": {"auth": "rsa-2048-ecdsa-256"}})
    refused(moon, sun, sun, r"short\.test.*1024")


def test_weak_hash(lab):
    """Its CA signed by SHA-1."""
    pki = plain()
    pki.cert("sha1.test", "--hash=sha1")
    moon, sun = pair(lab, pki, moon_name="sha1.test")
    refused(moon, sun, sun, r"sha1\.test.*SHA-?1")


def test_other_hash_than_wanted(lab):
    moon, sun = pair(lab, plain(), sun={"remote": {"auth": "pubkey-sha384"}})
    refused(moon, sun, sun, r"SHA-?(2_)?256")


def test_name_constraints(lab):
    """The CA may not speak for that name."""
    pki = plain()
    pki.ca("narrow", "--constraints=permitted;DNS:example.org")
    pki.cert("wide.test", "--issuer=narrow")
    moon, sun = pair(lab, pki, moon_name="wide.test", cas=("ca", "root"))
    pki.put(moon, "x509ca", "narrow.pem")
    moon.swanctl("--load-creds", "--noprompt")
    refused(moon, sun, sun, r"wide\.test.*constrain|constrain.*wide\.test|permitted")


def test_other_ca_than_wanted(lab):
    pki = plain()
    pki.ca("second")
    moon, sun = gateway(lab, "moon", pki), gateway(lab, "sun", pki, remote={"cacerts": "second.pem"})
    pki.put(sun, "x509ca", "second.pem")
    moon.start()
    sun.start()
    refused(moon, sun, sun, r"moon\.test.*(CA|second)")


@pytest.mark.parametrize("what", ["missing", "garbage", "key"])
def test_unreadable_file(lab, what):
    """swanctl says which file; a connection without its certificate is not loaded."""
    pki = plain()
    moon = gateway(lab, "moon", pki)
    if what == "missing":
        run("rm", moon.path("x509/moon.test.pem"))
    else:
        with open(moon.path("private/moon.test.key" if what == "key" else "x509/moon.test.pem"), "w", encoding="ascii") as f:
            f.write("-----BEGIN %s-----\nAAAA\n-----END %s-----\n" % (("PRIVATE KEY",) * 2 if what == "key" else ("CERTIFICATE",) * 2))
    moon.start(load=False)
    done = moon.load(check=False)
    # the key may be of other connections: theirs are loaded
    assert done.returncode != 0 or what == "key"
    assert ("moon.test.key" if what == "key" else "moon.test.pem") in done.stderr + done.stdout


def test_no_private_key(lab):
    """The side that cannot sign says so."""
    pki = plain()
    moon, sun = gateway(lab, "moon", pki), gateway(lab, "sun", pki)
    run("rm", moon.path("private/moon.test.key"))
    moon.start()
    sun.start()
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"(?i)private key")
    moon.wait_no_sas()


def test_secret_one_way(lab):
    """sun proves itself by a certificate, moon by a secret."""
    pki = plain()
    secrets = {"ike-lab": {"secret": conf.PSK}}
    moon = lab.gateway("moon", {"connections": {"net": conf.connection("moon", {"net-net": conf.net_child("moon")}, remote={
        "auth": "pubkey"})}, "secrets": secrets})
    pki.put(moon, "x509ca", "root.pem")
    sun = lab.gateway("sun", {"connections": {"net": connection("sun", remote={"auth": "psk", "id": MOON})}, "secrets": secrets})
    pki.give(sun, SUN)
    moon.start()
    sun.start()
    up(moon, sun)


def test_limits_of_patience():
    """Fetches end before the peers of these tests lose theirs."""
    assert FETCH_S * PATIENCE < 20
