# SPDX-License-Identifier: Apache-2.0
"""Bewick and Debian's strongSwan, ESP in user space on both sides, each as initiator and as responder.

Two daemons serve all combinations of a role: a connection for each, told apart by identities.
"""
import itertools
import os

import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan
from lab.net import OUTER, other
from lab.run import ping, wait_until

GROUPS = {"x25519": "CURVE_25519", "ecp256": "ECP_256", "ecp384": "ECP_384", "modp2048": "MODP_2048",
          "modp3072": "MODP_3072"}
# name: keyword of the ciphers, of the PRF where the cipher brings no integrity, what list-sas shows
CIPHERS = {
    "gcm": ("aes128gcm16", "prfsha256", ("AES_GCM_16", "128", None)),
    "cbc256": ("aes128-sha256", None, ("AES_CBC", "128", "HMAC_SHA2_256_128")),
    "cbc512": ("aes256-sha512", None, ("AES_CBC", "256", "HMAC_SHA2_512_256")),
    "chacha": ("chacha20poly1305", "prfsha256", ("CHACHA20_POLY1305", None, None)),
}
COMBINATIONS = ["%s-%s" % pair for pair in itertools.product(GROUPS, CIPHERS)]
QUICK = {"retransmit_timeout": 1, "retransmit_base": 1.2}


def connection(side, name):
    group, cipher = name.split("-")
    words, prf, _ = CIPHERS[cipher]
    # the group in esp_proposals is used from the second child on: the first has none of its own
    children = {"%s-%d" % (name, n): conf.net_child(side, 4, n, esp_proposals="%s-%s" % (words, group))
                for n in range(3)}
    return conf.connection(side, children, proposals="-".join(filter(None, (words, prf, group))),
                           local={"id": "%s.%s.test" % (name, side)}, remote={"id": "%s.%s.test" % (name, other(side))})


def config(side):
    return {"connections": {name: connection(side, name) for name in COMBINATIONS},
            "secrets": {"ike-%s" % name: {"id-1": name + ".moon.test", "id-2": name + ".sun.test",
                                          "secret": "of " + name} for name in COMBINATIONS}}


def kinds(role):
    """moon is the initiator."""
    return (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)


@pytest.fixture(scope="module")
def pairs(shared_lab):
    """By role of bewickd; made when first asked for. Both pairs cannot be up in the same namespaces."""
    running = {}

    def pair(role):
        if role not in running:
            for gateways in running.values():
                for gateway in gateways:
                    gateway.stop()
            running.clear()
            made = []
            for side, kind in zip(("moon", "sun"), kinds(role)):
                made.append(shared_lab.gateway(side, config(side), QUICK, kind, "%s-%s" % (side, role)).start())
            running[role] = made
        for gateway in running[role]:
            if gateway.sas():  # of a test that failed
                for name, _ in gateway.sas():
                    gateway.swanctl("--terminate", "--ike", name, "--force", check=False)
        return running[role]

    return pair


def algorithms(keys):
    return keys["encr-alg"], keys.get("encr-keysize"), keys.get("integ-alg")


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_combination(pairs, role, name):
    moon, sun = pairs(role)
    group, cipher = name.split("-")
    moon.initiate(name + "-0", name)
    sun.wait_children(1, name + "-0")
    for gateway in (moon, sun):
        sa, = gateway.established(name)
        assert algorithms(sa) == CIPHERS[cipher][2] and sa["dh-group"] == GROUPS[group]
        assert algorithms(gateway.child(name + "-0")) == CIPHERS[cipher][2]
    assert moon.ping() == 3 and sun.ping() == 3
    # more children, asked for by either side
    moon.initiate(name + "-1", name)
    sun.wait_children(1, name + "-1")
    sun.initiate(name + "-2", name)
    moon.wait_children(1, name + "-2")
    for net in range(3):
        assert moon.ping(4, net) == 3 and sun.ping(4, net) == 3
    for gateway in (moon, sun):
        assert len(gateway.sas(name)) == 1
        for net in (1, 2):
            child = gateway.child("%s-%d" % (name, net))
            assert child["dh-group"] == GROUPS[group] and algorithms(child) == CIPHERS[cipher][2]
    # deletes from either side
    sun.terminate(child=name + "-1")
    moon.terminate(child=name + "-2")
    for gateway in (moon, sun):
        gateway.wait_children(0, name + "-1")
        gateway.wait_children(0, name + "-2")
    assert moon.ping(4, 1, count=1, limit=1) == 0
    assert moon.ping() == 3
    deleter = (moon, sun)[COMBINATIONS.index(name) % 2]
    deleter.terminate(ike=name)
    moon.wait_no_sas()
    sun.wait_no_sas()


@pytest.mark.parametrize("role", ["initiator", "responder"])
class TestOthers:
    def pair(self, lab, role, moon=None, sun=None, settings=None, **over):
        return lab.pair(moon, sun, settings or QUICK, kinds(role), **over)

    def test_tcp_and_large_packets(self, lab, role):
        moon, sun = self.pair(lab, role)
        moon.initiate("net-net")
        sun.wait_children(1)
        moon.tcp(size=4 << 20)
        sun.tcp(size=4 << 20)
        for size in (1000, 1372):
            assert moon.ping(size=size) == 3 and sun.ping(size=size) == 3

    @pytest.mark.parametrize("outer,inner", [(4, 6), (6, 4), (6, 6)])
    def test_families(self, lab, role, outer, inner):
        moon, sun = self.pair(lab, role, *(conf.gateway(side, {"net": conf.connection(
            side, {"net-net": conf.net_child(side, inner)}, outer)}) for side in ("moon", "sun")))
        moon.initiate("net-net")
        sun.wait_children(1)
        assert moon.ping(inner) == 3 and sun.ping(inner) == 3

    def test_host_host(self, lab, role):
        moon, sun = self.pair(lab, role, *(conf.gateway(side, {"host": conf.connection(
            side, {"host-host": {"esp_proposals": "aes128gcm16"}})}) for side in ("moon", "sun")))
        moon.initiate("host-host")
        sun.wait_children(1)
        assert ping(moon.ns, OUTER[4]["sun"]) == 3
        assert int(moon.child("host-host")["packets-in"]) >= 3

    def test_esn_is_an_offer(self, lab, role):
        """strongSwan's user-space ESP has no extended sequence numbers: both sides do without."""
        made = []
        for side, kind in zip(("moon", "sun"), kinds(role)):
            words = "aes128gcm16-esn-noesn" if kind is Bewick else "aes128gcm16-noesn"
            made.append(conf.gateway(side, {"net": conf.connection(side, {
                "net-net": conf.net_child(side, esp_proposals=words)})}))
        moon, sun = self.pair(lab, role, *made)
        moon.initiate("net-net")
        assert not moon.child("net-net").get("esn") and not sun.child("net-net").get("esn")
        assert moon.ping() == 3

    def test_wrong_psk(self, lab, role):
        moon, sun = self.pair(lab, role, sun=conf.gateway("sun", secret="another"))
        assert moon.initiate("net-net", check=False).returncode != 0
        moon.wait_log(r"AUTHENTICATION_FAILED")
        moon.wait_no_sas()
        sun.wait_no_sas()

    def test_invalid_ke(self, lab, role):
        moon, sun = self.pair(lab, role, conf.gateway("moon", proposals="aes128-sha256-x25519-ecp384"),
                              conf.gateway("sun", proposals="aes128-sha256-ecp384"))
        moon.initiate("net-net")
        assert moon.established()[0]["dh-group"] == "ECP_384"
        assert moon.ping() == 3

    def test_invalid_ke_of_a_child(self, lab, role):
        """The group of a later child is wrong at first, too."""
        made = []
        for side, groups in (("moon", "x25519-ecp384"), ("sun", "ecp384")):
            made.append(conf.gateway(side, {"net": conf.connection(side, {
                "net-%d" % n: conf.net_child(side, 4, n, esp_proposals="aes128gcm16-" + groups)
                for n in range(2)})}))
        moon, sun = self.pair(lab, role, *made)
        moon.initiate("net-0")
        moon.initiate("net-1")
        assert moon.child("net-1")["dh-group"] == "ECP_384"
        assert moon.ping(4, 1) == 3

    def test_child_refused(self, lab, role):
        bad = conf.gateway("moon", {"net": conf.connection("moon", {
            "net-net": conf.net_child("moon"), "bad": conf.net_child("moon", 4, 1, remote_ts="10.99.0.0/16")})})
        moon, sun = self.pair(lab, role, bad)
        assert moon.initiate("bad", check=False).returncode != 0
        moon.wait_log(r"TS_UNACC")
        assert len(moon.established()) == 1 and len(sun.established()) == 1
        moon.initiate("net-net")
        assert moon.ping() == 3 and len(moon.sas()) == 1

    def test_cookies(self, lab, role):
        """The responder wants a cookie while another IKE_SA is half-open."""
        moon, sun = self.pair(lab, role, settings={"cookie_threshold": 1, "cookie_threshold_ip": 1,
                                                   "block_threshold": 0, **QUICK})
        lab.net.drop("IKE_AUTH", False, sender="moon")
        moon.swanctl("--initiate", "--child", "net-net", "--timeout", "1", check=False)
        lab.net.heal()
        moon.swanctl("--terminate", "--ike", "net", "--force", check=False)
        moon.wait_no_sas()
        moon.initiate("net-net")
        moon.wait_log(r"N\(COOKIE\)")
        assert moon.ping() == 3

    def test_dpd(self, lab, role):
        """Each answers the other's probes; and when the peer vanishes, the SA ends."""
        settings = {"retransmit_timeout": 0.2, "retransmit_base": 1.0, "retransmit_tries": 3}
        moon, sun = self.pair(lab, role, settings=settings, dpd_delay="1s")
        moon.initiate("net-net")
        for gateway in (moon, sun):
            gateway.wait_log(r"sending DPD request")
            assert len(gateway.established()) == 1
        sun.kill()
        moon.wait_no_sas(15)

    def test_restart(self, lab, role):
        """One side loses its memory: INITIAL_CONTACT of the new IKE_SA removes the old one."""
        moon, sun = self.pair(lab, role)
        moon.initiate("net-net")
        moon.kill()
        moon.start()
        moon.initiate("net-net")
        wait_until(lambda: len(sun.sas()) == 1, what="one IKE_SA on the responder")
        assert moon.ping() == 3 and sun.ping() == 3

    def test_clean_shutdown(self, lab, role):
        moon, sun = self.pair(lab, role)
        moon.initiate("net-net")
        sun.wait_children(1)
        sun.stop()
        moon.wait_no_sas(3)

    def test_lost_packets(self, lab, role):
        moon, sun = self.pair(lab, role)
        faults = [lab.net.drop(exchange, response, first=1)
                  for exchange in ("IKE_SA_INIT", "IKE_AUTH") for response in (False, True)]
        moon.initiate("net-net")
        assert [fault.hits() for fault in faults] == [1, 1, 1, 1]
        sun.wait_children(1)
        assert moon.ping() == 3 and len(moon.sas()) == 1

    @pytest.mark.parametrize("what", [{"child": "net-net"}, {"ike": "net"}])
    def test_rekeying_of_the_peer_does_no_harm(self, lab, role, what):
        """Bewick does not rekey yet: it refuses, and the tunnel goes on."""
        moon, sun = self.pair(lab, role)
        moon.initiate("net-net")
        sun.wait_children(1)
        peer = moon if moon.kind == "strongswan" else sun
        (key, name), = what.items()
        peer.swanctl("--rekey", "--" + key, name)
        peer.wait_log(r"NO_ADDITIONAL_SAS|NO_ADD_SAS")
        for gateway in (moon, sun):
            wait_until(lambda g=gateway: len(g.established()) == 1 and len(g.children()) == 1, 10,
                       "the tunnel as it was on " + gateway.side)
        assert moon.ping() == 3 and sun.ping() == 3


@pytest.mark.skipif(os.environ.get("LAB_STAND_IN") is not None, reason="strongSwan plays both sides")
def test_the_peer_is_another_program(pairs):
    moon, sun = pairs("initiator")
    assert "bewick" in moon.swanctl("--version", "--daemon").stdout
    assert "charon" in sun.swanctl("--version", "--daemon").stdout
