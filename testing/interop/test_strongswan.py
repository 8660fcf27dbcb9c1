# SPDX-License-Identifier: Apache-2.0
"""Bewick and Debian's strongSwan beyond the matrix: moon begins, and each of the two is moon once."""
import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan
from lab.net import OUTER
from lab.run import ping, wait_until

QUICK = {"retransmit_timeout": 1, "retransmit_base": 1.2}
ROLES = pytest.mark.parametrize("role", ["initiator", "responder"])


def kinds(role):
    """Role of bewickd."""
    return (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)


def pair(lab, role, moon=None, sun=None, settings=None, **over):
    return lab.pair(moon, sun, settings or QUICK, kinds(role), **over)


@ROLES
def test_children_asked_for_by_the_responder(lab, role):
    """The side that answered asks for the next child, in the same IKE_SA, with a key exchange of its own."""
    moon, sun = pair(lab, role, *(conf.gateway(side, {"net": conf.connection(side, {
        "net-%d" % n: conf.net_child(side, 4, n, esp_proposals="aes128gcm16-ecp256")
        for n in range(2)})}) for side in ("moon", "sun")))
    moon.initiate("net-0")
    sun.initiate("net-1")
    moon.wait_children(1, "net-1")
    for gateway in (moon, sun):
        assert len(gateway.sas()) == 1 and gateway.child("net-1")["dh-group"] == "ECP_256"
        for net in range(2):
            assert gateway.ping(4, net) == 3


@ROLES
def test_tcp_and_large_packets(lab, role):
    moon, sun = pair(lab, role)
    moon.initiate("net-net")
    sun.wait_children(1)
    moon.tcp(size=4 << 20)
    sun.tcp(size=4 << 20)
    for size in (1000, 1372):
        assert moon.ping(size=size) == 3 and sun.ping(size=size) == 3


@ROLES
@pytest.mark.parametrize("outer,inner", [(4, 6), (6, 4), (6, 6)])
def test_families(lab, role, outer, inner):
    moon, sun = pair(lab, role, *(conf.gateway(side, {"net": conf.connection(
        side, {"net-net": conf.net_child(side, inner)}, outer)}) for side in ("moon", "sun")))
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping(inner) == 3 and sun.ping(inner) == 3


@ROLES
def test_host_host(lab, role):
    moon, sun = pair(lab, role, *(conf.gateway(side, {"host": conf.connection(
        side, {"host-host": {"esp_proposals": "aes128gcm16"}})}) for side in ("moon", "sun")))
    moon.initiate("host-host")
    sun.wait_children(1)
    assert ping(moon.ns, OUTER[4]["sun"]) == 3
    assert int(moon.child("host-host")["packets-in"]) >= 3


@ROLES
def test_esn_is_an_offer(lab, role):
    """strongSwan's user-space ESP has no extended sequence numbers: both sides do without."""
    made = []
    for side, kind in zip(("moon", "sun"), kinds(role)):
        words = "aes128gcm16-esn-noesn" if kind is Bewick else "aes128gcm16-noesn"
        made.append(conf.gateway(side, {"net": conf.connection(side, {
            "net-net": conf.net_child(side, esp_proposals=words)})}))
    moon, sun = pair(lab, role, *made)
    moon.initiate("net-net")
    assert not moon.child("net-net").get("esn") and not sun.child("net-net").get("esn")
    assert moon.ping() == 3


@ROLES
def test_invalid_ke(lab, role):
    moon, sun = pair(lab, role, conf.gateway("moon", proposals="aes128-sha256-x25519-ecp384"),
                          conf.gateway("sun", proposals="aes128-sha256-ecp384"))
    moon.initiate("net-net")
    assert moon.established()[0]["dh-group"] == "ECP_384"
    assert moon.ping() == 3


@ROLES
def test_invalid_ke_of_a_child(lab, role):
    """The group of a later child is wrong at first, too."""
    made = []
    for side, groups in (("moon", "x25519-ecp384"), ("sun", "ecp384")):
        made.append(conf.gateway(side, {"net": conf.connection(side, {
            "net-%d" % n: conf.net_child(side, 4, n, esp_proposals="aes128gcm16-" + groups)
            for n in range(2)})}))
    moon, sun = pair(lab, role, *made)
    moon.initiate("net-0")
    moon.initiate("net-1")
    assert moon.child("net-1")["dh-group"] == "ECP_384"
    assert moon.ping(4, 1) == 3


@ROLES
def test_cookies(lab, role):
    """The responder wants a cookie while another IKE_SA is half-open."""
    moon, sun = pair(lab, role, settings={"cookie_threshold": 1, "cookie_threshold_ip": 1,
                                               "block_threshold": 0, **QUICK})
    lab.net.drop("IKE_AUTH", False, sender="moon")
    moon.swanctl("--initiate", "--child", "net-net", "--timeout", "1", check=False)
    moon.swanctl("--terminate", "--ike", "net", "--force", check=False)
    moon.wait_no_sas()
    lab.net.heal()
    moon.initiate("net-net")
    moon.wait_log(r"N\(COOKIE\)")
    assert moon.ping() == 3


@ROLES
def test_dpd(lab, role):
    """Each answers the other's probes; and when the peer vanishes, the SA ends."""
    settings = {"retransmit_timeout": 0.4, "retransmit_base": 1.0, "retransmit_tries": 3}
    moon, sun = pair(lab, role, settings=settings, dpd_delay="1s")
    moon.initiate("net-net")
    # who probes first keeps the other one quiet: its probe is a sign of life
    wait_until(lambda: any(g.logged(r"sending DPD request") for g in (moon, sun)), 10, "a probe")
    for gateway in (moon, sun):
        assert len(gateway.established()) == 1
    sun.kill()
    moon.wait_no_sas(15)


@ROLES
def test_clean_shutdown(lab, role):
    moon, sun = pair(lab, role)
    moon.initiate("net-net")
    sun.wait_children(1)
    sun.stop()
    moon.wait_no_sas(3)


@ROLES
def test_lost_packets(lab, role):
    moon, sun = pair(lab, role)
    faults = [lab.net.drop(exchange, response, first=1)
              for exchange in ("IKE_SA_INIT", "IKE_AUTH") for response in (False, True)]
    moon.initiate("net-net")
    assert [fault.hits() for fault in faults] == [1, 1, 1, 1]
    sun.wait_children(1)
    assert moon.ping() == 3 and len(moon.sas()) == 1
