# SPDX-License-Identifier: Apache-2.0
"""SAs in the kernel: algorithms, counters, limits, sequence numbers, what is left behind."""
from lab.run import run, wait_until


def states(gateway):
    return run("ip", "-s", "xfrm", "state", ns=gateway.ns).stdout


def test_net_net(lab):
    """A tunnel by the kernel; its counters are those of the kernel."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3
    wait_until(lambda: moon.child("net-net")["packets-in"] == "3", what="the counters are read")
    assert moon.child("net-net")["bytes-out"] == "252"
    assert "rfc4106(gcm(aes))" in states(sun)
    moon.terminate(ike="net")
    wait_until(lambda: "spi" not in states(moon) + states(sun), what="no SA is left in a kernel")
