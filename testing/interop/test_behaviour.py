# SPDX-License-Identifier: Apache-2.0
"""Bewick and strongSwan when things are not as they should be."""
import pytest

from lab import conf
from lab.run import wait_until
from peers import KINDS, both, nothing_left, roles

BOTH_ROLES = pytest.mark.parametrize("initiator", ["bewick", "strongswan"])


def pair_of(lab, make=None, **over):
    make = make or (lambda side: {"net": conf.connection(side, {"net-net": conf.net_child(side)}, **over)})
    return lab.pair(*both(make), kinds=KINDS)


@BOTH_ROLES
def test_ipv6_outside_and_inside(lab, initiator):
    moon, sun = pair_of(lab, lambda side: {"net": conf.connection(
        side, {"net-net": conf.net_child(side, 6)}, version=6)})
    begins, answers = roles(moon, sun, initiator)
    begins.initiate("net-net")
    answers.wait_children(1)
    assert moon.ping(version=6) == 3 and sun.ping(version=6) == 3
    answers.terminate(ike="net")
    nothing_left(moon, sun)


@BOTH_ROLES
def test_wrong_secret(lab, initiator):
    moon_conf, sun_conf = both(lambda side: {"net": conf.connection(side, {"net-net": conf.net_child(side)})})
    sun_conf["secrets"]["ike-lab"]["secret"] = "another secret"
    moon, sun = lab.pair(moon_conf, sun_conf, kinds=KINDS)
    begins, _ = roles(moon, sun, initiator)
    assert begins.initiate("net-net", check=False).returncode != 0
    if initiator == "bewick":
        moon.wait_log("did not accept us as 'moon.test'")
    else:
        moon.wait_log("authentication of 'sun.test' with pre-shared key failed: the MACs differ")
    nothing_left(moon, sun)


@BOTH_ROLES
def test_wrong_selectors_cost_only_the_child(lab, initiator):
    """The IKE_SA stays on both sides, and a good child follows on it."""
    def make(side):
        wrong = conf.net_child(side, net=2)
        if side == "sun":
            wrong["remote_ts"] = "10.99.0.0/16"
        return {"net": conf.connection(side, {"wrong": wrong, "good": conf.net_child(side)})}
    moon, sun = pair_of(lab, make)
    begins, answers = roles(moon, sun, initiator)
    assert begins.initiate("wrong", check=False).returncode != 0
    answers.wait_log("TS_UNACCEPT|unacceptable")
    assert len(moon.established()) == 1 and len(sun.established()) == 1
    begins.initiate("good")
    answers.wait_children(1, "good")
    assert moon.ping() == 3 and sun.ping() == 3
    assert len(moon.established()) == 1 and len(sun.established()) == 1


@BOTH_ROLES
def test_default_proposals(lab, initiator):
    """What both sides offer when nothing is configured; the first guess of the key exchange may be wrong."""
    moon, sun = pair_of(lab, lambda side: {"net": conf.connection(
        side, {"net-net": conf.net_child(side, esp_proposals="default")}, proposals="default")})
    begins, answers = roles(moon, sun, initiator)
    begins.initiate("net-net")
    answers.wait_children(1)
    assert moon.ping() == 3 and sun.ping() == 3


def test_liveness_checks_are_answered(lab):
    def make(side):
        return {"net": conf.connection(side, {"net-net": conf.net_child(side)},
                                       **({"dpd_delay": "1s"} if side == "sun" else {}))}
    moon, sun = pair_of(lab, make)
    moon.initiate("net-net")
    wait_until(lambda: len(sun.log().split("sending DPD request")) > 3, 15, "strongSwan probes")
    assert len(sun.established()) == 1 and len(moon.established()) == 1
    assert moon.ping() == 3


def test_restart_of_the_peer(lab):
    """strongSwan loses its state; its INITIAL_CONTACT ends what we remember."""
    moon, sun = pair_of(lab)
    sun.initiate("net-net")
    moon.wait_children(1)
    first = moon.established()[0]["uniqueid"]
    sun.kill()
    sun.start()
    sun.initiate("net-net")
    wait_until(lambda: [sa["uniqueid"] for sa in moon.established()] not in ([], [first]) and
               len(moon.sas()) == 1, what="the old IKE_SA is replaced")
    assert moon.ping() == 3 and sun.ping() == 3
