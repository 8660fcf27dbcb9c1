# SPDX-License-Identifier: Apache-2.0
"""Rekeying of IKE_SAs by time: traffic, children and the peer's list go on as if nothing happened."""
import pytest

from lab import conf
from lab.run import wait_until
from lab.traffic import Pinging

QUICK = {"retransmit_timeout": 0.5, "retransmit_base": 1.2}


def two_children(side, **over):
    return conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side), "second": conf.net_child(side, net=1)}, **over)})


def pair(lab, moon=None, sun=None, settings=None):
    """Rekeying times of the two; none by default."""
    off = {"rekey_time": 0}
    made = lab.pair(two_children("moon", **(moon or off)), two_children("sun", **(sun or off)), settings or QUICK)
    made[0].initiate("net-net")
    made[1].wait_children(1)
    return made


def spis(gateway):
    """SPIs of the one IKE_SA; None while there is another beside it."""
    found = gateway.sas("net")
    if len(found) != 1 or found[0][1]["state"] != "ESTABLISHED":
        return None
    return found[0][1]["initiator-spi"], found[0][1]["responder-spi"]


def agree(moon, sun, *old):
    """Both list one and the same IKE_SA, which is none of the old ones."""
    now = spis(moon)
    return now is not None and now not in old and now == spis(sun) and now


def wait_agree(moon, sun, *old, limit=15):
    return wait_until(lambda: agree(moon, sun, *old), limit, lambda: "a rekeyed IKE_SA on both:\n%s\n%s" % (moon.tail(), sun.tail()))


def wait_rekeyed(gateway, times, limit=30):
    wait_until(lambda: gateway.log().count("rekeyed between") >= times, limit, lambda: "%d rekeyings on %s:\n%s" %
               (times, gateway.side, gateway.tail()))


def down_events(gateway):
    return [line for line in gateway.log().splitlines() if "closing CHILD_SA" in line or "reached its hard lifetime" in line]


TIME = {"rekey_time": "3s", "rand_time": 0, "over_time": "10s"}


@pytest.mark.parametrize("who", ["initiator", "responder", "both"])
def test_traffic_does_not_notice(lab, who):
    moon, sun = pair(lab, TIME if who != "responder" else None, TIME if who != "initiator" else None)
    first, child = spis(moon), moon.child("net-net")
    with Pinging(moon, sun) as pinging:
        wait_rekeyed(moon, 3)
        wait_rekeyed(sun, 3)
    second = wait_agree(moon, sun, first)
    assert pinging.sent and pinging.lost == 0
    # the child has only changed hands: the same SPIs, and counters that went on
    now = moon.child("net-net")
    assert now["uniqueid"] == child["uniqueid"] and now["spi-in"] == child["spi-in"]
    assert int(now["packets-in"]) >= pinging.sent // 2
    for gateway in (moon, sun):
        assert not down_events(gateway)
    wait_agree(moon, sun, first, second)
    moon.terminate(ike="net")
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_children_come_and_go_meanwhile(lab):
    """On an IKE_SA that is rekeyed every second, by whichever number it has."""
    moon, sun = pair(lab, {"rekey_time": "1s", "rand_time": 0, "over_time": "10s"})
    for _ in range(12):
        moon.initiate("second")
        sun.wait_children(1, "second")
        assert moon.ping(net=1, count=1) == 1
        moon.terminate(child="second")
        sun.wait_children(0, "second")
    wait_rekeyed(moon, 2)
    assert len(moon.children("net-net")) == 1 and moon.ping(count=1) == 1


@pytest.mark.parametrize("response", [False, True])
@pytest.mark.parametrize("exchange", ["CREATE_CHILD_SA", "INFORMATIONAL"])
def test_lost_messages(lab, exchange, response):
    moon, sun = pair(lab, TIME)
    first = spis(moon)
    rule = lab.net.drop(exchange, response, first=2)
    wait_rekeyed(moon, 1)
    wait_rekeyed(sun, 1)
    wait_agree(moon, sun, first)
    wait_until(lambda: rule.hits() >= 2, what="two lost messages")
    assert moon.ping() == 3


def test_both_at_once_with_losses(lab):
    """Both rekey at the same time, and the net loses what it can of it: one IKE_SA is left, with the child."""
    moon, sun = pair(lab, TIME, TIME)
    first = spis(moon)
    lab.net.drop("CREATE_CHILD_SA", True, sender="moon", first=1)
    lab.net.drop("CREATE_CHILD_SA", False, sender="sun", first=1)
    wait_rekeyed(moon, 1)
    wait_rekeyed(sun, 1)
    wait_agree(moon, sun, first)
    assert moon.ping() == 3


def test_no_answer_for_a_while(lab):
    """Traffic goes on while the request is repeated; the hard lifetime is far enough away."""
    moon, sun = pair(lab, TIME)
    first = spis(moon)
    lab.net.drop("CREATE_CHILD_SA", False, sender="moon")
    moon.wait_log(r"retransmit 2 of request")
    assert spis(sun) == first and moon.ping() == 3
    lab.net.heal()
    wait_agree(moon, sun, first)
    assert moon.ping() == 3


def test_terminated_while_rekeying(lab):
    """The order meets an IKE_SA whose rekeying hangs: both sides are rid of all."""
    moon, sun = pair(lab, TIME)
    lab.net.drop("CREATE_CHILD_SA", True, first=2)
    moon.wait_log(r"retransmit 1 of request")
    moon.terminate(ike="net")
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_end_right_after(lab):
    """The daemon ends while the old IKE_SA still lingers at the peer."""
    moon, sun = pair(lab, TIME)
    lab.net.drop("INFORMATIONAL", False, sender="moon", first=1)
    wait_rekeyed(sun, 1)
    sun.stop()
    moon.wait_no_sas()
