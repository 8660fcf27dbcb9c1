# SPDX-License-Identifier: Apache-2.0
"""What a peer sends instead of its certificate, or along with it: hash and URL (RFC 7296, 3.6), OCSP responses (RFC 4806); and CRLs
that come when the tunnel is up."""
import hashlib
import re
import ssl
import time

import pytest

from lab import conf
from lab.initiator import AUTH, AUTHENTICATION_FAILED, IDR, NOTIFY, SUITE, Initiator
from lab.net import other
from lab.pki import Pki
from lab.run import PATIENCE, wait_until
from lab.web import ADDRESS, Ocsp
from test_certs import CRL, FETCH_S, MOON, SETTINGS, SUN, connection, plain, refused, up, web_of

BASE = "http://%s:8080/certs/" % ADDRESS
BY_URL = conf.merged(SETTINGS, {"hash_and_url": True})
WHO = pytest.mark.parametrize("who", ["moon", "sun"])


def authority(base=BASE, ca="ca"):
    return {"lab-" + ca: {"cacert": ca + ".pem", "cert_uri_base": base}}


def gateway(lab, side, pki, settings, authorities=None, cas=("ca", "root"), **over):
    """Started and loaded; connection net with the certificate SIDE.test."""
    over = conf.merged({"local": {"id": side + ".test"}}, over)
    made = lab.gateway(side, {"connections": {"net": connection(side, **over)}, "authorities": authorities or {}}, settings)
    pki.give(made, side + ".test", cas)
    return made.start()


def publish(web, pki, *names):
    """Each certificate where it can be fetched: by its hash, below BASE. Returns the paths."""
    paths = []
    for name in names:
        der = ssl.PEM_cert_to_DER_cert(pki.read(name + ".pem").decode())
        paths.append("certs/" + hashlib.sha1(der).hexdigest())
        web.pages[paths[-1]] = der
    return paths


# ---- hash and URL ----------------------------------------------------------------------------------


def test_both_by_url(lab):
    pki = plain()
    with web_of(lab, pki) as web:
        paths = publish(web, pki, MOON, SUN)
        moon, sun = (gateway(lab, side, pki, BY_URL, authority()) for side in ("moon", "sun"))
        up(moon, sun)
        assert sorted(web.asked) == sorted(paths)
        moon.terminate(ike="net")
        sun.wait_no_sas()
        up(moon, sun)
        assert len(web.asked) == 2, "what was fetched is known by its hash"


@WHO
def test_one_by_url(lab, who):
    """`who` says where its certificate is; the other one's authorities name no place, so that it looks where it is told."""
    pki = plain()
    with web_of(lab, pki) as web:
        paths = publish(web, pki, who + ".test")
        moon, sun = (gateway(lab, side, pki, BY_URL, authority() if side == who else None) for side in ("moon", "sun"))
        up(moon, sun)
        assert web.asked == paths


@WHO
def test_not_enabled(lab, who):
    """`who` neither wants URLs nor sends any: certificates go as they are."""
    pki = plain()
    with web_of(lab, pki) as web:
        publish(web, pki, MOON, SUN)
        moon, sun = (gateway(lab, side, pki, SETTINGS if side == who else BY_URL, authority()) for side in ("moon", "sun"))
        up(moon, sun)
        assert not web.asked


@WHO
def test_intermediate_by_url(lab, who):
    """The other one has the root only: the CA between is fetched, too."""
    pki = plain()
    named = {**authority(), **authority(ca="root")}
    with web_of(lab, pki) as web:
        paths = publish(web, pki, who + ".test", "ca")
        moon, sun = (gateway(lab, side, pki, BY_URL, named if side == who else None, ("ca", "root") if side == who else ("root",))
                     for side in ("moon", "sun"))
        up(moon, sun)
        assert sorted(web.asked) == sorted(paths)


@WHO
@pytest.mark.parametrize("mode,why", [
    ("garbage", "has not the hash that the peer said"), ("good", "404"), ("error", "500"), ("huge", "more than 65536 bytes"),
    ("hang", "time"), ("slow", "time")])
def test_not_fetched(lab, who, mode, why):
    """The certificate of `who` cannot be had: who fetched says where and why, in time, and the other one learns nothing of it."""
    pki = plain()
    with web_of(lab, pki, mode) as web:
        paths = publish(web, pki, who + ".test")
        if mode == "good":
            web.pages.clear()
        moon, sun = (gateway(lab, side, pki, BY_URL, authority() if side == who else None) for side in ("moon", "sun"))
        begin = time.monotonic()
        refused(moon, sun, sun if who == "moon" else moon, r"its certificate is not to be had; '%s': .*%s" % (re.escape(web.url(paths[0])), why))
        assert time.monotonic() - begin < FETCH_S + 15 * PATIENCE
        assert web.asked == paths


@WHO
@pytest.mark.parametrize("base", ["http://certs.test/", "http://%s:8080/other/" % ADDRESS, BASE + "public/"])
def test_outside_of_the_base(lab, who, base):
    """An authority of the other side names a place, and that of `who` is another one, in the end: nobody is asked."""
    pki = plain()
    sent = base + "../" if base.startswith(BASE) else BASE
    made = {}
    with web_of(lab, pki) as web:
        publish(web, pki, who + ".test")
        # the certificate of the other side is loaded and not sent, as that would be by URL, too
        made[who] = gateway(lab, who, pki, BY_URL, authority(sent))
        pki.put(made[who], "x509", other(who) + ".test.pem")
        made[who].load()
        made[other(who)] = gateway(lab, other(who), pki, BY_URL, authority(base), send_cert="never")
        refused(made["moon"], made["sun"], made[other(who)],
                r"its certificate is not to be had; it would be at '%s.*below no cert_uri_base" % re.escape(sent))
        assert not web.asked


def test_others_while_it_hangs(lab):
    """The set-up that waits for a certificate waits alone, and goes on when it comes."""
    pki, by_url = plain(), conf.merged(BY_URL, {"plugins": {"revocation": {"timeout": "60s"}}})
    with web_of(lab, pki, "hang") as web:
        publish(web, pki, MOON)
        made = []
        for side in ("moon", "sun"):
            nets = {"net": connection(side, local={"id": side + ".test"}),
                    "more": conf.connection(side, {"more-net": conf.net_child(side, net=1)}, local={"id": "more." + side},
                                            remote={"id": "more." + other(side)})}
            gate = lab.gateway(side, {"connections": nets, "authorities": authority() if side == "moon" else {},
                                      "secrets": {"ike-lab": {"secret": conf.PSK}}}, by_url)
            pki.give(gate, side + ".test")
            made.append(gate.start())
        moon, sun = made
        moon.swanctl("--initiate", "--child", "net-net", "--timeout", "-1")
        wait_until(lambda: web.asked, 10, "the certificate is asked for")
        moon.initiate("more-net")
        assert moon.ping(net=1) == 3 and not sun.children("net-net"), "it waits still"
        web.mode = "good"
        web.release.set()
        for gate in made:
            gate.wait_children(1, "net-net")
        assert moon.ping() == 3


def element(tag, *bodies):
    body = b"".join(bodies)
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("mode", ["good", "other"])
def test_bundle(lab, mode):
    """A peer that is not Bewick has its certificate and the CA above in one file; sun has the root only."""
    pki = plain()
    bundle = element(0x30, *(element(0xa0, ssl.PEM_cert_to_DER_cert(pki.read(name + ".pem").decode())) for name in (MOON, "ca")))
    with web_of(lab, pki) as web:
        web.pages["bundle"] = bundle
        sun = gateway(lab, "sun", pki, BY_URL, cas=("root",), proposals=SUITE, remote={"id": MOON})
        peer = Initiator(lab.net)
        try:
            peer.init()
            said = hashlib.sha1(bundle if mode == "good" else bundle + b"x").digest()
            answer = peer.auth(MOON, pki.path(MOON + ".key"), (13, said + web.url("bundle").encode()))
        finally:
            peer.close()
        assert web.asked == ["bundle"]
        if mode == "good":
            assert AUTH in answer and IDR in answer
            sun.wait_log(r"authentication of 'moon\.test' with ECDSA_WITH_SHA256_DER successful")
        else:
            assert answer == [(NOTIFY, AUTHENTICATION_FAILED)]
            sun.wait_log(r"no certificate that can be used.*; '.*/bundle': what is there has not the hash that the peer said")


# ---- OCSP responses of the peer ---------------------------------------------------------------------


def stapled(lab, moon, sun, moon_answers=False, sun_answers=False, revoked=()):
    """Each side under strict revocation of the other, if that one answers; responders are on the hosts of those who answer."""
    pki = Pki()
    answers, ports = {"moon": moon_answers, "sun": sun_answers}, {"moon": 8082, "sun": 8083}
    for side, port in ports.items():
        pki.cert(side + ".test", "--ocsp=http://127.0.0.1:%d" % port)
    for name in revoked:
        pki.revoke(name)
    servers = [Ocsp(lab.net, pki, "ca", ports[side], at=side) for side, answer in answers.items() if answer]
    made = []
    for side, ocsp in (("moon", moon), ("sun", sun)):
        remote = {"revocation": "strict"} if answers[other(side)] else {"revocation": "relaxed"}
        # CRLs and OCSP for the CA itself are another matter: it is the end of the chain
        made.append(gateway(lab, side, pki, SETTINGS, cas=("ca",), ocsp=ocsp, remote=remote))
    return made, servers


@WHO
@pytest.mark.parametrize("ocsp", ["both", "request"])
def test_stapled(lab, who, ocsp):
    """`who` reaches its responder, the other one does not, and knows by what `who` sends along."""
    words = {who: "both" if ocsp == "both" else "reply", other(who): ocsp}
    (moon, sun), servers = stapled(lab, words["moon"], words["sun"], **{who + "_answers": True})
    try:
        up(moon, sun)
        moon.terminate(ike="net")
        sun.wait_no_sas()
        up(moon, sun)
    finally:
        for server in servers:
            server.close()


def test_stapled_by_both(lab):
    (moon, sun), servers = stapled(lab, "both", "both", True, True)
    try:
        up(moon, sun)
    finally:
        for server in servers:
            server.close()


@WHO
@pytest.mark.parametrize("why", ["not asked", "not sent", "revoked"])
def test_not_stapled(lab, who, why):
    """Without a good one strict revocation refuses."""
    words = {who: "never" if why == "not sent" else "reply", other(who): "never" if why == "not asked" else "request"}
    (moon, sun), servers = stapled(lab, words["moon"], words["sun"], **{who + "_answers": True},
                                   revoked=[who + ".test"] if why == "revoked" else ())
    try:
        refused(moon, sun, sun if who == "moon" else moon, r"%s\.test.* (not known|revoked).*" % who)
    finally:
        for server in servers:
            server.close()


def test_stapled_chain(lab):
    """sun has the root only and reaches nobody: moon sends its CA along, and a response for each of the two."""
    pki = Pki("--ocsp=http://127.0.0.1:8084")
    pki.cert(MOON, "--ocsp=http://127.0.0.1:8082")
    pki.cert(SUN)
    servers = [Ocsp(lab.net, pki, "ca", 8082, at="moon"), Ocsp(lab.net, pki, "root", 8084, at="moon")]
    try:
        moon = gateway(lab, "moon", pki, SETTINGS, ocsp="reply")
        sun = gateway(lab, "sun", pki, SETTINGS, cas=("root",), ocsp="request", remote={"revocation": "strict"})
        up(moon, sun)
    finally:
        for server in servers:
            server.close()


# ---- a CRL that comes later -------------------------------------------------------------------------

MARS = "mars.test"
STRICT = {"revocation": "strict"}


def two_peers(lab, pki, crls=()):
    """moon is two peers of sun, each with a certificate and a net of its own: net (moon.test) and more (mars.test)."""
    trees = {}
    for side in ("moon", "sun"):
        trees[side] = {
            name: conf.connection(side, {child: conf.net_child(side, net=net)}, **{
                "local": {"auth": "pubkey", "certs": (peer if side == "moon" else SUN) + ".pem", "id": peer if side == "moon" else SUN},
                "remote": {"auth": "pubkey", "id": SUN if side == "moon" else peer, **(STRICT if side == "sun" else {})}})
            for net, (name, child, peer) in enumerate((("net", "net-net", MOON), ("more", "more-net", MARS)))}
    made = []
    for side in ("moon", "sun"):
        gate = lab.gateway(side, {"connections": trees[side]}, SETTINGS)
        for name in (MOON, MARS) if side == "moon" else (SUN,):
            pki.give(gate, name)
        if side == "sun":
            pki.put(gate, "x509crl", *crls)
        made.append(gate.start())
    moon, sun = made
    for child in ("net-net", "more-net"):
        moon.initiate(child)
    sun.wait_children(2)
    assert moon.ping() == 3 and moon.ping(net=1) == 3
    return moon, sun


def mars_is_out(moon, sun, other_id):
    """Only mars, for good, and sun's log says who and why."""
    sun.wait_log(r"a CRL of 'O=Bewick, CN=Bewick ca' revokes a certificate of 'mars\.test', .*CN=mars\.test.*IKE_SA more\[\d+\] is closed")
    for side in (moon, sun):
        side.wait_children(0, "more-net")
        assert [name for name, _ in side.sas()] == ["net"]
    assert sun.sa("net")["uniqueid"] == other_id, "the other one's IKE_SA is the one it was"
    assert moon.ping() == 3 and not sun.logged(r"revokes a certificate of 'moon")
    assert moon.initiate("more-net", check=False).returncode != 0
    sun.wait_log(r"authentication of 'mars\.test' .* failed: certificate .*mars\.test.* was revoked")
    assert moon.ping() == 3


def test_crl_loaded_later(lab):
    pki = Pki()
    for name in (MOON, MARS, SUN):
        pki.cert(name)
    moon, sun = two_peers(lab, pki, ("ca.crl", "root.crl"))
    kept = sun.sa("net")["uniqueid"]
    sun.swanctl("--load-creds", "--noprompt")  # the same again
    assert len(sun.children()) == 2
    pki.revoke(MARS)
    pki.put(sun, "x509crl", "ca.crl")
    sun.swanctl("--load-creds", "--noprompt")
    mars_is_out(moon, sun, kept)


def test_crl_fetched_later(lab):
    """For another peer: who it revokes goes, too."""
    pki = Pki("--crl=" + CRL)
    for name in (MOON, MARS, SUN):
        pki.cert(name, "--crl=" + CRL)
    with web_of(lab, pki) as web:
        moon, sun = two_peers(lab, pki)
        pki.revoke(MARS)
        web.pages["ca.crl"] = pki.read("ca.crl")
        sun.swanctl("--flush-certs")
        assert len(sun.children()) == 2
        moon.terminate(ike="net")
        sun.wait_children(0, "net-net")
        moon.initiate("net-net")
        mars_is_out(moon, sun, sun.sa("net")["uniqueid"])
