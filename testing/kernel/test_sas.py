# SPDX-License-Identifier: Apache-2.0
"""SAs in the kernel: algorithms, counters, limits, sequence numbers, what is left behind."""
import re

import pytest

from lab import conf
from lab.net import OUTER, inner, inner_net, other
from lab.run import ping, run, wait_until


def policies(gateway):
    side, far = gateway.side, other(gateway.side)
    child = gateway.children()[0]
    lines = []
    for direction, a, b in (("out", side, far), ("in", far, side), ("fwd", far, side)):
        lines.append("policy add src %s dst %s dir %s tmpl src %s dst %s proto esp reqid %s mode tunnel" % (
            inner_net(a), inner_net(b), direction, OUTER[4][a], OUTER[4][b], child["reqid"]))
    run("ip", "xfrm", "policy", "flush", ns=gateway.ns)
    for line in lines:
        run("ip", "xfrm", *line.split(), ns=gateway.ns)
    run("ip", "route", "replace", inner_net(far), "via", OUTER[4][side][:-1] + "1", "src", inner(side), ns=gateway.ns)


def states(gateway):
    return run("ip", "-s", "xfrm", "state", ns=gateway.ns).stdout


@pytest.mark.parametrize("proposal", ["aes128gcm16"])
def test_algorithms(lab, proposal):
    config = {side: conf.gateway(side, {"net": conf.connection(side, {"net-net": {"esp_proposals": proposal, "local_ts": inner_net(side), "remote_ts": inner_net(other(side))}})}) for side in ("moon", "sun")}
    moon, sun = lab.pair(config["moon"], config["sun"])
    moon.initiate("net-net")
    sun.wait_children(1)
    policies(moon); policies(sun)
    print(states(moon))
    n = moon.ping()
    print(states(sun))
    print(run("ip", "xfrm", "policy", ns=moon.ns).stdout)
    print(run("cat", "/proc/net/xfrm_stat", ns=moon.ns).stdout)
    print(run("cat", "/proc/net/xfrm_stat", ns=sun.ns).stdout)
    print(moon.log())
    assert n == 3
    wait_until(lambda: moon.child("net-net")["packets-in"] == "3")
    print(moon.child("net-net"))
    assert 0
