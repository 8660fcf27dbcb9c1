# SPDX-License-Identifier: Apache-2.0
"""Rekeying of IKE_SAs with Debian's strongSwan: Bewick on moon, strongSwan on sun."""
import pytest

from lab import conf
from lab.run import wait_until
from lab.traffic import Pinging

from peers import KINDS, roles

QUICK = {"retransmit_timeout": 0.5, "retransmit_base": 1.2}
SOON = {"rekey_time": "3s", "rand_time": 0, "over_time": "20s"}
NEVER = {"rekey_time": 0}


def up(lab, moon=NEVER, sun=NEVER, initiator="bewick", settings=None):
    gateways = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {
        "net-%d" % n: conf.net_child(side, net=n, rekey_time=0) for n in range(2)}, **over)})
        for side, over in (("moon", moon), ("sun", sun))), settings or QUICK, KINDS)
    begins, answers = roles(*gateways, initiator)
    begins.initiate("net-0")
    answers.wait_children(1)
    return gateways


def spis(gateway):
    found = gateway.established("net")
    return (found[0]["initiator-spi"], found[0]["responder-spi"]) if len(found) == 1 else None


def agree(moon, sun, *old):
    """One and the same on both. What strongSwan still lists of a collision is its own: when its Delete of the old IKE_SA
    comes before its answer, we have nothing to close the redundant one by."""
    now = spis(moon)
    return now is not None and now not in old and now == spis(sun) and len(moon.sas()) == 1 and now


def wait_agree(moon, sun, *old, limit=20):
    return wait_until(lambda: agree(moon, sun, *old), limit, lambda: "one rekeyed IKE_SA on both:\n%s\n%s" % (moon.tail(), sun.tail()))


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
@pytest.mark.parametrize("who", ["bewick", "strongswan"])
def test_rekeyed_by(lab, initiator, who):
    """Twice, with traffic all the while: the second time the roles of the first rekeying count."""
    moon, sun = up(lab, SOON if who == "bewick" else NEVER, initiator=initiator)
    first = spis(moon)
    child = moon.child("net-0")
    with Pinging(moon) as pinging:
        if who == "strongswan":
            sun.swanctl("--rekey", "--ike", "net")
        second = wait_agree(moon, sun, first)
        if who == "strongswan":
            sun.swanctl("--rekey", "--ike", "net")
        wait_agree(moon, sun, first, second)
    assert pinging.sent and pinging.lost == 0
    assert moon.child("net-0")["spi-in"] == child["spi-in"]
    assert moon.ping() == 3 and sun.ping() == 3
    sun.terminate(ike="net")
    moon.wait_no_sas()


def test_simultaneous(lab):
    """Both rekey at the same moment, again and again."""
    moon, sun = up(lab, SOON, SOON)
    spi_in = moon.child("net-0")["spi-in"]
    seen = [spis(moon)]
    for _ in range(3):
        seen.append(wait_agree(moon, sun, *seen))
    assert moon.child("net-0")["spi-in"] == spi_in
    assert moon.ping() == 3 and sun.ping() == 3


def test_simultaneous_with_losses(lab):
    """The answers cross and one is lost: both still choose the same."""
    moon, sun = up(lab, SOON, SOON)
    first = spis(moon)
    lab.net.drop("CREATE_CHILD_SA", True, first=1)
    wait_agree(moon, sun, first)
    assert moon.ping() == 3 and sun.ping() == 3


@pytest.mark.parametrize("who", ["bewick", "strongswan"])
def test_children_around_it(lab, who):
    """What is asked for right before and after the rekeying comes about, from both sides."""
    moon, sun = up(lab)
    begins, answers = roles(moon, sun, who)
    first = spis(moon)
    sun.swanctl("--rekey", "--ike", "net")
    begins.initiate("net-1")
    wait_agree(moon, sun, first)
    answers.wait_children(1, "net-1")
    assert moon.ping(net=1) == 3
    answers.terminate(child="net-1")
    begins.wait_children(0, "net-1")
    assert moon.ping() == 3


def test_lost_messages(lab):
    """Each message of a rekeying that strongSwan begins is lost once."""
    moon, sun = up(lab)
    for exchange, response in (("CREATE_CHILD_SA", False), ("CREATE_CHILD_SA", True), ("INFORMATIONAL", False),
                               ("INFORMATIONAL", True)):
        first = spis(moon)
        lab.net.drop(exchange, response, first=1)
        sun.swanctl("--rekey", "--ike", "net")
        wait_agree(moon, sun, first)
        lab.net.heal()
    assert moon.ping() == 3


def test_other_group(lab):
    """strongSwan wants another group for the new IKE_SA than Bewick's first one: INVALID_KE_PAYLOAD, and once more."""
    moon, sun = up(lab, dict(SOON, proposals="aes128-sha256-x25519-ecp256"), dict(NEVER, proposals="aes128-sha256-ecp256-x25519"))
    wait_agree(moon, sun, spis(moon))
    assert moon.ping() == 3
