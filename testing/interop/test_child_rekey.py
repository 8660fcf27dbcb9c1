# SPDX-License-Identifier: Apache-2.0
"""Rekeying of CHILD_SAs with strongSwan, from either side."""
import pytest

from lab import conf
from lab.run import wait_until
from lab.traffic import Pinging
from peers import KINDS, nothing_left, roles

PLAIN, PFS = "aes128gcm16", "aes128gcm16-x25519"
NEVER = {"rekey_time": "0"}


def up(lab, initiator, bewick, strongswan, settings=None):
    """Keys of the child on either side."""
    def config(side):
        keys = bewick if side == "moon" else strongswan
        return conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side, **keys)})})
    moon, sun = lab.pair(config("moon"), config("sun"), settings, KINDS)
    first, second = roles(moon, sun, initiator)
    first.initiate("net-net")
    second.wait_children(1)
    return moon, sun


def wait_new(moon, sun, old, limit=20):
    """Another CHILD_SA, alone and the same on both sides."""
    def new():
        here, there = moon.children(), sun.children()
        return (len(here) == len(there) == 1 and here[0]["spi-in"] == there[0]["spi-out"] and
                here[0]["spi-in"] != old and here[0]["spi-in"])
    return wait_until(new, limit, "a rekeyed CHILD_SA:\n%s\n%s" % (moon.tail(60), sun.tail(60)))


@pytest.mark.parametrize("esp", [PLAIN, PFS], ids=["plain", "pfs"])
@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_we_rekey(lab, initiator, esp):
    moon, sun = up(lab, initiator, {"esp_proposals": esp, "rekey_time": "3s", "rand_time": "0", "life_time": "60s"},
                   {"esp_proposals": esp, **NEVER})
    spi = moon.child("net-net")["spi-in"]
    with Pinging(moon, sun) as pinging:
        for _ in range(3):
            spi = wait_new(moon, sun, spi)
    assert pinging.lost == 0, "%d of %d" % (pinging.lost, pinging.sent)
    if esp == PFS:
        assert moon.child("net-net")["dh-group"] == sun.child("net-net")["dh-group"] == "CURVE_25519"
    sun.terminate(child="net-net")
    moon.wait_children(0)
    moon.terminate(ike="net")
    nothing_left(moon, sun)


@pytest.mark.parametrize("esp", [PLAIN, PFS], ids=["plain", "pfs"])
@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_they_rekey(lab, initiator, esp):
    moon, sun = up(lab, initiator, {"esp_proposals": esp, **NEVER}, {"esp_proposals": esp, **NEVER})
    spi = moon.child("net-net")["spi-in"]
    with Pinging(moon, sun) as pinging:
        for _ in range(3):
            sun.swanctl("--rekey", "--child", "net-net")
            spi = wait_new(moon, sun, spi)
    assert pinging.lost == 0, "%d of %d" % (pinging.lost, pinging.sent)
    moon.wait_log(r"CHILD_SA net-net\{\d+\} rekeyed as net-net\{\d+\}")
    moon.terminate(ike="net")
    nothing_left(moon, sun)


def test_both_at_once(lab):
    """The same times on both sides: collisions come about, one CHILD_SA stays each time."""
    times = {"esp_proposals": PFS, "rekey_time": "2s", "rand_time": "0", "life_time": "60s"}
    moon, sun = up(lab, "bewick", times, times)
    wait_until(lambda: moon.log().count("} rekeyed as net-net{") >= 6, 40, "six rekeyings:\n%s" % moon.tail(60))
    moon.swanctl("--terminate", "--child", "net-net")
    assert len(moon.established()) == len(sun.established()) == 1


def test_collision(lab):
    """Requests of both sides cross: our first one is lost, theirs comes while it is repeated."""
    moon, sun = up(lab, "bewick", {"esp_proposals": PFS, "rekey_time": "6s", "rand_time": "0", "life_time": "60s"},
                   {"esp_proposals": PFS, **NEVER}, {"retransmit_timeout": 1.0, "delete_rekeyed_delay": 1})
    spi = moon.child("net-net")["spi-in"]
    fault = lab.net.drop("CREATE_CHILD_SA", False, sender="moon", first=1)
    moon.wait_log(r"rekeying CHILD_SA net-net\{1\}")
    sun.swanctl("--rekey", "--child", "net-net")
    wait_new(moon, sun, spi)
    assert fault.hits() == 1
    moon.wait_log("both sides rekey CHILD_SA net-net|rekeyings crossed")
    wait_until(lambda: len(moon.children(state=None)) == len(sun.children(state=None)) == 1, 20,
               "nothing is left of the old ones:\n%s" % moon.tail(60))
    assert moon.ping() == 3 and sun.ping() == 3


@pytest.mark.parametrize("side", ["moon", "sun"])
def test_wrong_key_exchange(lab, side):
    """The peer wants another group for rekeying: the old CHILD_SA stays and carries on."""
    moon, sun = up(lab, "bewick", {"esp_proposals": "aes128gcm16-x25519", "life_time": "600s",
                                   **({"rekey_time": "2s", "rand_time": "0"} if side == "moon" else NEVER)},
                   {"esp_proposals": "aes128gcm16-ecp256", **NEVER})
    spi = moon.child("net-net")["spi-in"]
    if side == "sun":
        sun.swanctl("--rekey", "--child", "net-net")
        moon.wait_log("configured proposals: ESP:AES_GCM_16_128/CURVE_25519")
        sun.wait_log("NO_PROP")
    else:
        moon.wait_log("received NO_PROPOSAL_CHOSEN notify")
        moon.wait_log("is rekeyed again in")
    assert moon.child("net-net")["spi-in"] == spi
    assert moon.ping() == 3 and sun.ping() == 3


def test_other_key_exchange(lab):
    """INVALID_KE_PAYLOAD: asked again with the peer's group."""
    moon, sun = up(lab, "bewick", {"esp_proposals": "aes128gcm16-x25519-ecp256", "rekey_time": "3s", "rand_time": "0",
                                   "life_time": "600s"}, {"esp_proposals": "aes128gcm16-ecp256", **NEVER})
    wait_new(moon, sun, moon.child("net-net")["spi-in"])
    moon.wait_log("peer didn't accept key exchange method CURVE_25519, it requested ECP_256")
    assert moon.child("net-net")["dh-group"] == "ECP_256"
    assert moon.ping() == 3
