# SPDX-License-Identifier: Apache-2.0
"""Raw public keys (RFC 7670): loaded ones, and those that DNSSEC proves."""
import pytest

from lab import conf
from lab.dnssec import Dnssec, other_key
from lab.pki import Pki
from lab.run import wait_until

MOON, SUN = "moon.lab.test", "sun.lab.test"


def keys(kind="ec256"):
    pki = Pki()
    for name in (MOON, SUN):
        pki.pubkey(name, "--key=" + kind)
    return pki


def gateway(lab, side, pki, peer=True, settings=None, **over):
    """peer: it has the peer's key, too"""
    mine, theirs = side + ".lab.test", ("sun" if side == "moon" else "moon") + ".lab.test"
    config = conf.connection(side, {"net-net": conf.net_child(side)}, **conf.merged({
        "local": {"auth": "pubkey", "pubkeys": mine + ".pub", "id": mine},
        "remote": {"auth": "pubkey", "id": theirs, **({"pubkeys": theirs + ".pub"} if peer else {})}}, over))
    made = lab.gateway(side, {"connections": {"net": config}}, settings)
    pki.put(made, "private", mine + ".key")
    pki.put(made, "pubkey", mine + ".pub", *([theirs + ".pub"] if peer else []))
    return made


def up(moon, sun):
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3


@pytest.mark.parametrize("kind", ["rsa", "ec256", "ec384", "ed25519", "ed448"])
def test_loaded_keys(lab, kind):
    pki = keys(kind)
    moon, sun = gateway(lab, "moon", pki).start(), gateway(lab, "sun", pki).start()
    up(moon, sun)


def test_another_key(lab):
    """Not the one that is configured, though it is loaded."""
    pki = keys()
    pki.pubkey("mars")
    moon, sun = gateway(lab, "moon", pki), gateway(lab, "sun", pki, remote={"pubkeys": "mars.pub"})
    pki.put(sun, "pubkey", "mars.pub")
    moon.start()
    sun.start()
    assert moon.initiate("net-net", check=False).returncode != 0
    sun.wait_log(r"(?i)authentication of 'moon\.lab\.test'.* failed")
    moon.wait_log(r"AUTHENTICATION_FAILED")


# ---- out of the DNS --------------------------------------------------------------------------------


def zone(pki):
    return "".join(pki.mkpki(verb="ipseckey", args=(name, name + ".")) for name in (MOON, SUN))


def dns_pair(lab, pki, **how):
    """sun has moon's key from the DNS, moon has sun's by hand."""
    dns = Dnssec(lab.net, lab.dir + "/dns", zone(pki), **how)
    moon = gateway(lab, "moon", pki).start()
    sun = gateway(lab, "sun", pki, peer=False, settings=dns.settings()).start()
    return dns, moon, sun


@pytest.mark.parametrize("kind", ["rsa", "ec256", "ed25519"])
def test_dns(lab, kind):
    pki = keys(kind)
    dns, moon, sun = dns_pair(lab, pki)
    try:
        up(moon, sun)
        sun.wait_log(r"(?i)IPSECKEY|raw key|raw public key")
    finally:
        dns.close()


@pytest.mark.parametrize("how, why", [
    ({"alter": other_key}, r"the IPSECKEY records of moon\.lab\.test\. are not proven by the zone lab\.test\."),
    ({"expires": -3600}, r"not proven by the zone lab\.test\.: DNSSEC signature has expired"),
    ({"signed": False}, r"the records of moon\.lab\.test\. are not signed"),
    ({"delegated": False}, r"no signed delegation leads from the zone test\. to lab\.test\."),
], ids=["forged", "expired", "unsigned", "island"])
def test_dns_not_proven(lab, how, why):
    pki = keys()
    dns, moon, sun = dns_pair(lab, pki, **how)
    try:
        assert moon.initiate("net-net", check=False).returncode != 0
        sun.wait_log(why)
        moon.wait_log(r"AUTHENTICATION_FAILED")
        assert not sun.established()
    finally:
        dns.close()


def test_dns_server_is_silent(lab):
    """Authentication ends at its deadline; a peer whose key is here does not wait for it."""
    pki = keys()
    dns, moon, sun = dns_pair(lab, pki)
    dns.close()
    lab.net.nft("table inet silent {\n chain in {\n type filter hook input priority 0;\n udp dport 53 drop\n }\n }\n")
    moon.swanctl("--initiate", "--child", "net-net", "--timeout", "-1")
    wait_until(lambda: sun.sas(), 10, "moon's IKE_SA")
    config = sun.config["connections"]
    config["psk"] = conf.connection("sun", {"net-psk": conf.net_child("sun", 4, 1)}, local={"id": "a.test"}, remote={"id": "b.test"})
    sun.configure({"connections": config, "secrets": {"ike-lab": {"secret": conf.PSK}}})
    sun.load()
    config = moon.config["connections"]
    config["psk"] = conf.connection("moon", {"net-psk": conf.net_child("moon", 4, 1)}, local={"id": "b.test"}, remote={"id": "a.test"})
    moon.configure({"connections": config, "secrets": {"ike-lab": {"secret": conf.PSK}}})
    moon.load()
    moon.initiate("net-psk")
    assert moon.ping(net=1) == 3
    sun.wait_log(r"no answer from the name server 10\.81\.1\.1 about moon\.lab\.test\.|AUTHENTICATION_FAILED", 60)
