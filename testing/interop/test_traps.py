# SPDX-License-Identifier: Apache-2.0
"""Packets that met a trap bring tunnels up with strongSwan, which narrows as its configuration says."""
import pytest

from lab import conf
from lab.net import inner
from lab.run import ping, wait_until
from peers import KINDS, both, nothing_left


@pytest.mark.parametrize("version", [4, 6])
def test_first_packet_arrives(lab, version):
    def make(side):
        return {"net": conf.connection(side, {"net-net": conf.net_child(
            side, version, **({"start_action": "trap"} if side == "moon" else {}))})}
    moon, sun = lab.pair(*both(make), kinds=KINDS)
    assert moon.ping(version=version) == 3
    sun.wait_children(1)
    assert moon.child("net-net")["remote-ts"] == [conf.inner_net("sun", version)]
    assert sun.ping(version=version) == 3
    moon.terminate(ike="net")
    sun.wait_no_sas()
    # the backend removes what carried behind the answer: a packet may still find that
    wait_until(lambda: moon.ping(version=version, count=1, limit=1) == 1, what="the tunnel is up again")
    moon.terminate(ike="net")
    nothing_left(moon, sun)


def test_narrowed(lab):
    """strongSwan has one host and one protocol: what the packet says first is what fits."""
    def make(side):
        over = {"start_action": "trap"} if side == "moon" else {"local_ts": inner("sun") + "[icmp]", "remote_ts": inner("moon") + "[icmp]"}
        return {"net": conf.connection(side, {"net-net": conf.net_child(side, **over)})}
    moon, sun = lab.pair(*both(make), kinds=KINDS)
    assert moon.ping() == 3
    sun.wait_children(1)
    child = moon.child("net-net")
    assert inner("sun") + "/32[icmp]" in child["remote-ts"] and inner("moon") + "/32[icmp]" in child["local-ts"]
    # another pair is refused, and costs nothing else
    assert ping(moon.ns, "10.82.2.77", inner("moon"), count=1, limit=1) == 0
    assert moon.ping() == 3 and len(moon.established()) == 1
