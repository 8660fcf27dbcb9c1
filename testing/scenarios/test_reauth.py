# SPDX-License-Identifier: Apache-2.0
"""Reauthentication: a new IKE_SA with all children, after the old one or beside it."""
import pytest

from lab import conf
from lab.run import wait_until
from lab.traffic import Pinging

MAKE = {"make_before_break": "yes"}


def two_children(side, **over):
    return conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side), "second": conf.net_child(side, net=1)}, **over)})


def up(lab, settings=None, sun=None, **over):
    moon, sun = lab.pair(two_children("moon", **over), two_children("sun", **(sun or {})), settings)
    moon.initiate("net-net")
    moon.initiate("second")
    sun.wait_children(2)
    return moon, sun


def newest(gateway):
    found = gateway.established("net")
    return max(found, key=lambda sa: int(sa["uniqueid"])) if found else None


def ike_id(gateway):
    return int((newest(gateway) or {"uniqueid": 0})["uniqueid"])


def wait_anew(gateway, old, limit=15):
    """A newer IKE_SA with both children; there may be two for a moment."""
    def anew():
        sa = newest(gateway)
        if not sa or int(sa["uniqueid"]) <= old:
            return False
        up = {child["name"] for child in sa["child-sas"].values() if child["state"] == "INSTALLED"}
        return int(sa["uniqueid"]) if len(up) == 2 else False
    return wait_until(anew, limit, lambda: "a reauthenticated IKE_SA on %s:\n%s" % (gateway.side, gateway.tail()))


def both_nets(gateway):
    return gateway.ping(count=2) == 2 and gateway.ping(net=1, count=2) == 2


def test_break_before_make(lab):
    """reauth_time passes: the old IKE_SA is closed, another one comes with both children, again and again."""
    moon, sun = up(lab, reauth_time="3s")
    first = ike_id(moon)
    second = wait_anew(moon, first)
    wait_until(lambda: both_nets(moon), 10, "traffic after the first reauthentication")
    wait_anew(moon, second)
    wait_until(lambda: len(sun.sas()) == 1, what="one IKE_SA on the responder")
    moon.terminate(ike="net")
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_make_before_break_loses_nothing(lab):
    moon, sun = up(lab, MAKE, reauth_time="3s")
    with Pinging(moon, sun) as pinging:
        number = ike_id(moon)
        for _ in range(3):
            number = wait_anew(moon, number)
    assert pinging.sent > 100
    assert pinging.lost == 0, "%d of %d were lost:\n%s" % (pinging.lost, pinging.sent, moon.tail(100))
    assert both_nets(moon)
    moon.terminate(ike="net")
    sun.wait_no_sas()


@pytest.mark.parametrize("unique", ["no", "replace", "never"])
def test_make_before_break_and_uniqueness(lab, unique):
    moon, sun = up(lab, MAKE, reauth_time="2s", unique=unique, sun={"unique": unique})
    wait_anew(moon, ike_id(moon))
    assert both_nets(moon) and both_nets(sun)


def test_failed_reauthentication_keeps_the_tunnel(lab):
    """The peer is deaf for IKE: the old tunnel carries on and the next try succeeds."""
    settings = dict(MAKE, retransmit_timeout=0.4, retransmit_tries=3)
    moon, sun = up(lab, settings, reauth_time="2s", over_time="1m")
    old = ike_id(moon)
    sun.configure(dict(two_children("sun"), secrets={}))
    sun.swanctl("--load-creds", "--clear")
    moon.wait_log(r"reauthentication of IKE_SA net\[%d\] failed \(.*\): it stays, next try in" % old)
    assert both_nets(moon) and ike_id(moon) == old
    sun.configure(two_children("sun"))
    sun.load()
    wait_anew(moon, old, 20)
    assert both_nets(moon)


def test_lifetime_of_the_responder(lab):
    """The responder has reauth_time: the initiator is told and obeys (RFC 4478)."""
    moon, sun = up(lab, sun={"reauth_time": "4s"})
    moon.wait_log(r"received AUTH_LIFETIME of \ds, scheduling reauthentication in \ds")
    wait_anew(moon, ike_id(moon))
    assert not sun.logged("did not reauthenticate in time")


def test_order_of_the_operator(lab):
    """swanctl --rekey --reauth, on both sides."""
    moon, sun = up(lab)
    first = ike_id(moon)
    moon.swanctl("--rekey", "--reauth", "--ike", "net")
    second = wait_anew(moon, first)
    sun.swanctl("--rekey", "--reauth", "--ike", "net")
    sun.wait_log("sending AUTH_LIFETIME of 0s")
    wait_anew(moon, second)
