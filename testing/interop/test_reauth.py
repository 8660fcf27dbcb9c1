# SPDX-License-Identifier: Apache-2.0
"""Reauthentication with strongSwan, in both roles and schemes."""
import pytest

from lab import conf
from lab.run import wait_until
from peers import KINDS, nothing_left, roles


def pair(lab, initiator, make, begins=None, answers=None):
    """A pair with two children each; keys of the connection for who begins and who answers."""
    side_begins = "moon" if initiator == "bewick" else "sun"

    def config(side):
        keys = begins if side == side_begins else answers
        return conf.gateway(side, {"net": conf.connection(side, {
            "net-net": conf.net_child(side), "second": conf.net_child(side, net=1)}, **(keys or {}))})
    moon, sun = lab.pair(config("moon"), config("sun"), {"make_before_break": "yes" if make else "no"}, KINDS)
    first, second = roles(moon, sun, initiator)
    first.initiate("net-net")
    first.initiate("second")
    second.wait_children(2)
    return first, second


def number(gateway):
    found = gateway.established("net")
    return int(found[0]["uniqueid"]) if len(found) == 1 else None


def wait_anew(gateway, old):
    def anew():
        return number(gateway) not in (None, old) and len(gateway.children()) == 2
    wait_until(anew, 20, lambda: "a reauthenticated IKE_SA on %s:\n%s" % (gateway.side, gateway.tail()))
    return number(gateway)


def traffic(*gateways):
    for gateway in gateways:
        wait_until(lambda gateway=gateway: gateway.ping(count=1) and gateway.ping(net=1, count=1), 10, "traffic")
        assert gateway.ping() == 3 and gateway.ping(net=1) == 3


@pytest.mark.parametrize("make", [False, True], ids=["break", "make"])
@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_reauthentication_by_time(lab, initiator, make):
    first, second = pair(lab, initiator, make, {"reauth_time": "4s", "over_time": "5s", "rand_time": "0"})
    once = wait_anew(first, number(first))
    traffic(first, second)
    wait_anew(first, once)
    traffic(first, second)
    first.terminate(ike="net")
    nothing_left(first, second)


def test_lifetime_of_the_responder(lab):
    """RFC 4478: reauth_time of the responder is told and obeyed."""
    first, second = pair(lab, "strongswan", False, {"over_time": "4s"}, {"reauth_time": "8s", "over_time": "10s", "rand_time": "0"})
    first.wait_log(r"received AUTH_LIFETIME of [78]s, scheduling reauthentication in [34]s")
    wait_anew(first, number(first))
    traffic(first, second)
    assert not second.logged("did not reauthenticate in time")


def test_lifetime_that_we_are_told(lab):
    """strongSwan as responder with a reauth_time: whoever begins, another IKE_SA comes in time, with all children."""
    first, second = pair(lab, "bewick", False, None, {"reauth_time": "4s", "over_time": "10s", "rand_time": "0"})
    wait_anew(first, number(first))
    traffic(first, second)
