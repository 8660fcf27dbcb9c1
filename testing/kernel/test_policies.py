# SPDX-License-Identifier: Apache-2.0
"""Policies and routes in the kernel: whose packets go where, and what is left when they should not."""
from lab.net import inner
from lab.run import ping, run, wait_until


def policies(gateway):
    """Without those of sockets."""
    text = "\n" + run("ip", "xfrm", "policy", ns=gateway.ns).stdout
    return ["src " + part for part in text.split("\nsrc ")[1:] if "\tsocket " not in part]


def states(gateway):
    return run("ip", "xfrm", "state", ns=gateway.ns).stdout


def routes(gateway, table="220"):
    return run("ip", "route", "show", "table", table, ns=gateway.ns, check=False).stdout


def nothing_left(gateway):
    return not (policies(gateway) or states(gateway) or routes(gateway) or
                "220" in run("ip", "rule", ns=gateway.ns).stdout)


def test_net_net(lab):
    """Policies in three directions, a route with an address of the private net, and nothing of it afterwards."""
    moon, sun = lab.pair()
    assert moon.ping(count=1, limit=1) == 0
    moon.initiate("net-net")
    sun.wait_children(1, "net-net")
    assert moon.ping() == 3 and sun.ping() == 3
    assert sorted(word for part in policies(moon) for word in ("in", "out", "fwd") if "dir %s " % word in part) == [
        "fwd", "in", "out"]
    assert "10.82.2.0/24 via 10.81.1.1 dev eth0 proto 219 src 10.82.1.1" in routes(moon)
    # without a source of its own: the route chooses one that the selectors have
    assert ping(moon.ns, inner("sun")) == 3
    moon.terminate(ike="net")
    sun.wait_no_sas()
    for gateway in (moon, sun):
        wait_until(lambda g=gateway: not policies(g) and not states(g) and not routes(g), 5, "nothing is left")
    for gateway in (moon, sun):
        gateway.stop()
        assert nothing_left(gateway)


def test_killed(lab):
    """What a killed daemon left, and only that, is gone when the next one runs."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1, "net-net")
    run("ip", "xfrm", "policy", "add", "src", "10.99.0.0/16", "dst", "10.98.0.0/16", "dir", "out", "action", "block",
        ns=moon.ns)
    moon.kill()
    assert len(policies(moon)) == 4 and states(moon) and routes(moon)
    moon.start(load=False)
    assert not states(moon) and not routes(moon)
    (left,) = policies(moon)
    assert "10.99.0.0/16" in left
