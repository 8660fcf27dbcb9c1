# SPDX-License-Identifier: Apache-2.0
"""Rekeying of CHILD_SAs by time, bytes and packets, with traffic all the while: no packet is lost."""
import pytest

from lab import conf
from lab.run import wait_until
from lab.traffic import Pinging

QUICK = {"retransmit_timeout": 0.3, "retransmit_base": 1.2, "retransmit_tries": 8}
PFS = {"esp_proposals": "aes128gcm16-x25519"}


def up(lab, moon=None, sun=None, settings=None, initiate=True):
    """moon sets the tunnel up, by order or by itself; keys of the child on either side."""
    def config(side, keys):
        return conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side, **(keys or {}))})})
    moon, sun = lab.pair(config("moon", moon), config("sun", sun), settings)
    if initiate:
        moon.initiate("net-net")
    sun.wait_children(1)
    return moon, sun


def rekeyings(gateway):
    return gateway.log().count("} rekeyed as net-net{")


def wait_rekeyings(gateway, n, limit=30):
    wait_until(lambda: rekeyings(gateway) >= n, limit, lambda: "%d rekeyings on %s:\n%s" % (n, gateway.side, gateway.tail()))


def settled(moon, sun):
    """One CHILD_SA, the same on both sides; the old ones are gone when their late packets are."""
    def agree():
        here, there = moon.children(state=None), sun.children(state=None)
        return (len(here) == len(there) == 1 and here[0]["state"] == there[0]["state"] == "INSTALLED" and
                here[0]["spi-in"] == there[0]["spi-out"] and here[0]["spi-out"] == there[0]["spi-in"])
    wait_until(agree, 20, lambda: "the same CHILD_SA on both sides:\n%s\n%s" % (moon.tail(), sun.tail()))


def nothing_lost(moon, sun, pinging):
    assert pinging.sent >= 100
    assert pinging.lost == 0, "%d of %d were lost:\n%s\n%s" % (pinging.lost, pinging.sent, moon.tail(80), sun.tail(80))
    for gateway in (moon, sun):
        assert len(gateway.established()) == 1
        assert not gateway.logged("no move from")


TIMES = {"rekey_time": "3s", "rand_time": "1s", "life_time": "30s"}
NEVER = {"rekey_time": "0"}


@pytest.mark.parametrize("who", ["initiator", "responder", "both"])
def test_by_time(lab, who):
    moon, sun = up(lab, {**PFS, **(TIMES if who != "responder" else NEVER)},
                   {**PFS, **(TIMES if who != "initiator" else NEVER)}, {"delete_rekeyed_delay": 3})
    with Pinging(moon, sun) as pinging:
        wait_rekeyings(moon, 4)
        wait_rekeyings(sun, 4)
    nothing_lost(moon, sun, pinging)
    for gateway in (moon, sun):
        assert not gateway.logged("CHILD_SA net-net.* failed")


def test_at_once(lab):
    """Both sides rekey at the same moment, again and again: one of the two successors stays."""
    times = {**PFS, "rekey_time": "2s", "rand_time": "0", "life_time": "30s"}
    moon, sun = up(lab, times, times, {"delete_rekeyed_delay": 3})
    with Pinging(moon, sun) as pinging:
        wait_rekeyings(moon, 6)
        wait_rekeyings(sun, 6)
    nothing_lost(moon, sun, pinging)


@pytest.mark.parametrize("limit", [{"rekey_bytes": "20000", "rand_bytes": "0", "life_bytes": "2000000"},
                                   {"rekey_packets": "150", "rand_packets": "0", "life_packets": "20000"}],
                         ids=["bytes", "packets"])
def test_by_volume(lab, limit):
    moon, sun = up(lab, {**PFS, **limit}, PFS, {"delete_rekeyed_delay": 3})
    with Pinging(moon, sun) as pinging:
        wait_rekeyings(moon, 3)
    nothing_lost(moon, sun, pinging)
    settled(moon, sun)


@pytest.mark.parametrize("exchange,response", [("CREATE_CHILD_SA", False), ("CREATE_CHILD_SA", True),
                                               ("INFORMATIONAL", False), ("INFORMATIONAL", True)])
def test_lost_messages(lab, exchange, response):
    """The request, the answer, the Delete or its answer is lost twice."""
    moon, sun = up(lab, {**PFS, "rekey_time": "3s", "rand_time": "0", "life_time": "60s"}, {**PFS, **NEVER},
                   {**QUICK, "delete_rekeyed_delay": 3})
    fault = lab.net.drop(exchange, response, first=2)
    with Pinging(moon, sun) as pinging:
        wait_rekeyings(moon, 2)
        wait_rekeyings(sun, 2)
    assert fault.hits() == 2
    nothing_lost(moon, sun, pinging)


def test_tcp(lab):
    """A stream over several CHILD_SAs."""
    limit = {"rekey_bytes": "3000000", "rand_bytes": "0", "life_bytes": "90000000"}
    moon, sun = up(lab, {**PFS, **limit}, {**PFS, **limit}, {"delete_rekeyed_delay": 3})
    moon.tcp(size=16 << 20)
    sun.tcp(size=16 << 20)
    wait_rekeyings(moon, 3)
    settled(moon, sun)
    for gateway in (moon, sun):
        assert not gateway.logged("reached its limit")


def test_old_one_lingers(lab):
    """What list-sas shows: the old one is DELETED and takes late packets for delete_rekeyed_delay."""
    moon, sun = up(lab, {**PFS, "rekey_time": "2s", "rand_time": "0", "life_time": "60s"}, {**PFS, **NEVER},
                   {"delete_rekeyed_delay": 2})
    old = moon.child("net-net")
    for gateway in (moon, sun):
        found = wait_until(lambda g=gateway: g.children(state="DELETED"), 15, "an old one on %s" % gateway.side)
        assert found[0]["name"] == "net-net"
    new = moon.child("net-net")
    assert new["uniqueid"] != old["uniqueid"] and new["reqid"] == old["reqid"] and new["dh-group"] == "CURVE_25519"
    moon.wait_log(r"CHILD_SA net-net\{%s\} rekeyed as net-net\{\d+\} with SPIs [0-9a-f]{8}_i [0-9a-f]{8}_o and TS 10\." %
                  old["uniqueid"])


def test_refused_for_good(lab):
    """No key exchange in common, which IKE_AUTH does not show: the tunnel goes on until its hard limit, and the log helps."""
    moon, sun = up(lab, {"esp_proposals": "aes128gcm16-x25519", "rekey_time": "2s", "rand_time": "0", "life_time": "20s"},
                   {"esp_proposals": "aes128gcm16-ecp256", **NEVER})
    moon.wait_log("received NO_PROPOSAL_CHOSEN notify")
    moon.wait_log(r"rekeying CHILD_SA net-net\{\d+\} with .* failed: .*; the one there is goes on")
    moon.wait_log(r"is rekeyed again in \d+s; without a successor it is kept and closed in \d+s, at its hard limit")
    sun.wait_log(r"configured proposals: ESP:AES_GCM_16_128/ECP_256")
    assert moon.ping() == 3 and sun.ping() == 3
    moon.wait_children(1)
    # it is put right at the peer: the next attempt succeeds
    sun.configure(conf.gateway("sun", {"net": conf.connection("sun", {"net-net": conf.net_child("sun", **PFS, **NEVER)})}))
    sun.load()
    moon.terminate(ike="net")
    moon.initiate("net-net")
    wait_rekeyings(moon, 1)
    assert moon.ping() == 3


def test_hard_limit(lab):
    """life_time and no rekeying: closed, and brought up again by its start_action, again and again."""
    moon, sun = up(lab, {**PFS, "rekey_time": "0", "life_time": "3s", "start_action": "start"}, {**PFS, **NEVER},
                   initiate=False)
    moon.wait_log(r"CHILD_SA net-net\{\d+\} reached its limit and is closed")
    wait_until(lambda: moon.log().count("} established with SPIs") >= 3, 20, lambda: "the next ones:\n%s" % moon.tail())
    wait_until(lambda: moon.ping(count=1), 10, "traffic")
    assert len(moon.established()) == 1 and not rekeyings(moon)


def test_hard_limit_without_success(lab):
    """No successor comes about: closed in the end, after a few attempts, and the log has said so before."""
    moon, sun = up(lab, {"esp_proposals": "aes128gcm16-x25519", "rekey_time": "2s", "rand_time": "0", "life_time": "8s"},
                   {"esp_proposals": "aes128gcm16-ecp256", **NEVER})
    moon.wait_log(r"CHILD_SA net-net\{\d+\} reached its limit and is closed", 15)
    sun.wait_log("CHILD_SA closed")
    assert 2 <= moon.log().count("received NO_PROPOSAL_CHOSEN") <= 5
    moon.wait_log(r"it is not rekeyed any more and closed in \d+s, at its hard limit")
    assert len(moon.established()) == 1
