# SPDX-License-Identifier: Apache-2.0
"""Beside strongSwan: the same rekeying, told by both daemons in the same words."""
import pytest

from peers import KINDS

from lab.run import wait_until

EVENTS = ("ike-rekey", "child-rekey", "ike-updown", "child-updown")
# what depends on the role, and what one of the two did in passing
OWN = {"initiator", "tasks-active", "tasks-passive", "tasks-queued", "established", "rekey-time", "nat-local", "nat-remote",
       "nat-fake", "nat-any", "use-in", "use-out"}


def shape(body):
    """Names of keys and sections, in order; sections of SAs by place."""
    return [(key, shape(value)) if isinstance(value, dict) else key for key, value in body.items() if key not in OWN]


@pytest.mark.parametrize("begins", ["bewick", "strongswan"])
@pytest.mark.parametrize("what", ["child", "ike"])
def test_events_have_the_same_keys(lab, what, begins):
    moon, sun = lab.pair(kinds=KINDS)
    moon.initiate("net-net")
    sun.wait_children(1)
    with moon.vici() as ours, sun.vici() as theirs:
        for client in (ours, theirs):
            for event in EVENTS:
                client.register(event)
        with (moon if begins == "bewick" else sun).vici() as client:
            reply = client.call("rekey", {"child": "net-net"} if what == "child" else {"ike": "net"})
            assert list(reply.items()) == [("success", "yes"), ("matches", "1")]
        told = [client.event(*EVENTS) for client in (ours, theirs)]
    assert [name for name, _ in told] == [what + "-rekey"] * 2
    assert shape(told[0][1]) == shape(told[1][1])
    wait_until(lambda: len(moon.sas()) == len(sun.sas()) == 1, what="one IKE_SA on each side")
    assert moon.ping() == 3
