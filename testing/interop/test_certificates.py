# SPDX-License-Identifier: Apache-2.0
"""Authentication by certificates and raw keys with Debian's strongSwan, in both roles."""
import hashlib
import ssl

import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan
from lab.pki import Pki
from lab.web import Web

QUICK = {"retransmit_timeout": 1, "retransmit_base": 1.2}
ROLES = pytest.mark.parametrize("role", ["initiator", "responder"])
KEYS = {"rsa2048": "RSA_EMSA_PKCS1_SHA2_256", "rsa3072": "RSA_EMSA_PKCS1_SHA2_256", "ec256": "ECDSA_WITH_SHA256_DER",
        "ec384": "ECDSA_WITH_SHA384_DER", "ec521": "ECDSA_WITH_SHA512_DER", "ed25519": "ED25519", "ed448": "ED448"}


def pki_with(*keys):
    """One authority for all; certificates moon.KEY and sun.KEY."""
    pki = Pki.shared()
    for key in keys:
        for side in ("moon", "sun"):
            pki.cert("%s.%s" % (side, key), "--key=" + key, san=("DNS:%s.%s.test" % (side, key),))
    return pki


def connection(side, local, remote, **over):
    made = conf.connection(side, {"net-net": conf.net_child(side)}, **over)
    made["local"], made["remote"] = local, remote
    return made


def pair(lab, role, pki, sides, settings=None, cas=("root",), secret=False, theirs=None):
    """sides: names of certificates, connection, of moon and of sun; theirs: settings of strongSwan alone. Intermediate CAs come from the peer, but for one's own."""
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    made = []
    for side, kind, (names, net) in zip(("moon", "sun"), kinds, sides):
        more = theirs if kind is Strongswan else None
        tree = {"connections": {"net": net}}
        if secret:
            tree["secrets"] = {"ike-lab": {"secret": conf.PSK}}
        gateway = lab.gateway(side, tree, conf.merged(conf.merged(QUICK, settings), more), kind=kind)
        for name in names:
            pki.give(gateway, name, cas)
        if names:
            pki.put(gateway, "x509", "ca.pem")
        made.append(gateway)
    for gateway in made:
        gateway.start()
    return made


def own(side, key, **more):
    return dict({"auth": "pubkey", "certs": "%s.%s.pem" % (side, key), "id": "%s.%s.test" % (side, key)}, **more)


def peers(side, key, **more):
    return dict({"auth": "pubkey", "id": "%s.%s.test" % (side, key)}, **more)


def bewick_of(gateways, role):
    return gateways[0] if role == "initiator" else gateways[1]


def up(moon, sun):
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3 and sun.ping() == 3


@ROLES
@pytest.mark.parametrize("key", KEYS)
def test_keys(lab, role, key):
    pki = pki_with(key)
    gateways = pair(lab, role, pki, [
        (["moon." + key], connection("moon", own("moon", key), peers("sun", key))),
        (["sun." + key], connection("sun", own("sun", key), peers("moon", key)))])
    up(*gateways)
    other = "sun" if role == "initiator" else "moon"
    bewick_of(gateways, role).wait_log(r"authentication of '%s\.%s\.test' with %s successful" % (other, key, KEYS[key]))


@ROLES
def test_pss(lab, role):
    key = "rsa2048"
    gateways = pair(lab, role, pki_with(key), [
        (["moon." + key], connection("moon", own("moon", key), peers("sun", key, auth="ike:rsa/pss-sha256"))),
        (["sun." + key], connection("sun", own("sun", key), peers("moon", key, auth="ike:rsa/pss-sha256")))],
        {"rsa_pss": True})
    up(*gateways)
    bewick_of(gateways, role).wait_log(r"with RSA_EMSA_PSS_SHA2_256\S* successful")


@ROLES
def test_without_rfc7427(lab, role):
    """A peer that knows the older methods only."""
    for key in ("ec256", "ec384", "rsa2048"):  # RSA with SHA-1, as those peers do
        pki = pki_with(key)
        gateways = pair(lab, role, pki, [
            (["moon." + key], connection("moon", own("moon", key), peers("sun", key))),
            (["sun." + key], connection("sun", own("sun", key), peers("moon", key)))],
            theirs={"signature_authentication": False})
        up(*gateways)
        for gateway in gateways:
            gateway.stop()


def test_we_without_rfc7427(lab):
    """The setting makes us such a peer."""
    gateways = pair(lab, "initiator", pki_with("rsa2048"), [
        (["moon.rsa2048"], connection("moon", own("moon", "rsa2048"), peers("sun", "rsa2048"))),
        (["sun.rsa2048"], connection("sun", own("sun", "rsa2048"), peers("moon", "rsa2048")))],
        {"signature_authentication": False}, theirs={"signature_authentication": True})
    up(*gateways)
    assert not bewick_of(gateways, "initiator").logged("N(HASH_ALG)")


@ROLES
def test_no_identities(lab, role):
    """The subject of the certificate is the identity, any peer of the CA is good."""
    key = "ec256"
    gateways = pair(lab, role, pki_with(key), [
        (["moon." + key], connection("moon", {"auth": "pubkey", "certs": "moon.ec256.pem"}, {"auth": "pubkey"})),
        (["sun." + key], connection("sun", {"auth": "pubkey", "certs": "sun.ec256.pem"}, {"auth": "pubkey"}))])
    up(*gateways)
    assert bewick_of(gateways, role).established()[0]["local-id"].startswith("O=Bewick, CN=")


@ROLES
@pytest.mark.parametrize("who", ["moon", "sun"])
def test_secret_one_way(lab, role, who):
    """`who` proves itself by its certificate, the other one by a secret."""
    key, other = "ec256", "sun" if who == "moon" else "moon"
    by_key = (["%s.ec256" % who], connection(who, own(who, key), {"auth": "psk", "id": other + ".test"}))
    by_secret = ([], connection(other, {"auth": "psk", "id": other + ".test"}, peers(who, key)))
    pki = pki_with(key)
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    made = []
    for side, kind in zip(("moon", "sun"), kinds):
        names, net = by_key if side == who else by_secret
        gateway = lab.gateway(side, {"connections": {"net": net}, "secrets": {"ike-lab": {"secret": conf.PSK}}}, QUICK, kind=kind)
        for name in names:
            pki.give(gateway, name, ("root", "ca"))
        pki.put(gateway, "x509ca", "root.pem", "ca.pem")
        made.append(gateway)
    for gateway in made:
        gateway.start()
    up(*made)


@ROLES
@pytest.mark.parametrize("rounds", ["moon", "sun", "both"])
def test_rounds(lab, role, rounds):
    """RFC 4739: a certificate, and a secret besides."""
    key = "ec256"
    sides = []
    for side, other in (("moon", "sun"), ("sun", "moon")):
        net = connection(side, own(side, key), peers(other, key))
        net["local"]["round"] = net["remote"]["round"] = 1
        if rounds in (side, "both"):
            net["local-two"] = {"auth": "psk", "id": side + "-two.test", "round": 2}
        if rounds in (other, "both"):
            net["remote-two"] = {"auth": "psk", "id": other + "-two.test", "round": 2}
        sides.append((["%s.%s" % (side, key)], net))
    gateways = pair(lab, role, pki_with(key), sides, secret=True)
    up(*gateways)


@ROLES
def test_wrong_certificate(lab, role):
    """Of another authority: neither side has anything left."""
    key = "ec256"
    strange = Pki()
    strange.cert("moon.ec256", "--key=ec256", san=("DNS:moon.ec256.test",))
    gateways = pair(lab, role, pki_with(key), [
        (["moon.ec256"], connection("moon", own("moon", key), peers("sun", key))),
        (["sun.ec256"], connection("sun", own("sun", key), peers("moon", key)))])
    moon, sun = gateways
    strange.give(moon, "moon.ec256", ())
    strange.put(moon, "x509", "ca.pem")
    moon.load()
    assert moon.initiate("net-net", check=False).returncode != 0
    for gateway in gateways:
        gateway.wait_no_sas()


@ROLES
def test_raw_keys(lab, role):
    """RFC 7670: keys that each side has of the other, and no certificate."""
    pki = Pki.shared()
    for side in ("moon", "sun"):
        if side + ".raw" not in pki.made:
            pki.pubkey(side + ".raw", "--key=ec256")
            pki.made[side + ".raw"] = None
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    made = []
    for side, other, kind in zip(("moon", "sun"), ("sun", "moon"), kinds):
        net = connection(side, {"auth": "pubkey", "pubkeys": side + ".raw.pub", "id": side + ".test"},
                         {"auth": "pubkey", "pubkeys": other + ".raw.pub", "id": other + ".test"})
        gateway = lab.gateway(side, {"connections": {"net": net}}, QUICK, kind=kind)
        pki.put(gateway, "private", side + ".raw.key")
        pki.put(gateway, "pubkey", side + ".raw.pub", other + ".raw.pub")
        made.append(gateway)
    for gateway in made:
        gateway.start()
    up(*made)


@ROLES
@pytest.mark.parametrize("sender", ["bewick", "strongswan", "both"])
def test_hash_and_url(lab, role, sender):
    """RFC 7296, 3.6: `sender` says where its certificate is, the other one fetches it."""
    key, pki = "ec256", pki_with("ec256")
    web = Web(lab.net)
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    made, paths = [], []
    try:
        for side, other, kind in zip(("moon", "sun"), ("sun", "moon"), kinds):
            tree = {"connections": {"net": connection(side, own(side, key), peers(other, key))}}
            if sender in ("both", kind.kind.replace("bewickd", "bewick")):
                der = ssl.PEM_cert_to_DER_cert(pki.read("%s.%s.pem" % (side, key)).decode())
                paths.append("certs/" + hashlib.sha1(der).hexdigest())
                web.pages[paths[-1]] = der
                tree["authorities"] = {"lab": {"cacert": "ca.pem", "cert_uri_base": web.url("certs/")}}
            gateway = lab.gateway(side, tree, conf.merged(QUICK, {"hash_and_url": True}), kind=kind)
            pki.give(gateway, "%s.%s" % (side, key), ("root", "ca"))
            made.append(gateway.start())
        up(*made)
        assert sorted(set(web.asked)) == sorted(paths)
    finally:
        web.close()


@ROLES
def test_ocsp_in_ike(lab, role):
    """RFC 4806: this strongSwan does not know it. That we ask for responses, and would send ours, does no harm."""
    key, sides = "ec256", []
    for side, other in (("moon", "sun"), ("sun", "moon")):
        more = {"ocsp": "both"} if (side == "moon") == (role == "initiator") else {}
        sides.append((["%s.%s" % (side, key)], connection(side, own(side, key), peers(other, key), **more)))
    gateways = pair(lab, role, pki_with(key), sides)
    up(*gateways)
    bewick_of(gateways, role).wait_log(r"generating IKE_\w+ re\w+ \d \[.* CERTREQ CERTREQ ")
