# SPDX-License-Identifier: Apache-2.0
"""MOBIKE with the kernel's SAs: they are moved in place, traffic and counters go on."""
from lab import conf
from lab.net import OUTER, inner
from lab.run import ping, run, wait_until

QUICK = {"retransmit_timeout": 1, "retransmit_base": 1.2}
MOVED = "10.81.1.77"


def up(lab):
    gateways = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side)}, **{
        "mobike": "yes", "local_addrs": "%any", **over})}) for side, over in (("moon", {}), ("sun", {"remote_addrs": "%any"}))),
        QUICK)
    gateways[0].initiate("net-net")
    gateways[1].wait_children(1)
    return gateways


def ip(gateway, *commands):
    run("ip", "-n", gateway.ns, "-b", "-", stdin="\n".join(commands) + "\n")


def states(gateway):
    return run("ip", "xfrm", "state", ns=gateway.ns).stdout


def wait_at(moon, sun, local, seen=None):
    def place(gateway):
        sa = gateway.sa("net")
        return sa["local-host"], sa["remote-host"]
    wait_until(lambda: place(moon) == (local, OUTER[4]["sun"]) and place(sun) == (OUTER[4]["sun"], seen or local), 20,
               lambda: "the IKE_SA is at %s:\n%s\n%s" % (local, moon.tail(), sun.tail()))
    for gateway, at in ((moon, local), (sun, seen or local)):
        wait_until(lambda g=gateway, a=at: "dst " + a in states(g) and "src " + a in states(g), 10, lambda: "SAs follow:\n" + gateway.tail())


def same(gateway, child):
    now = gateway.children("net-net")
    assert len(now) == 1 and now[0]["spi-in"] == child["spi-in"] and now[0]["state"] == "INSTALLED"
    # they are read now and then
    wait_until(lambda: int(gateway.child("net-net")["packets-in"]) > int(child["packets-in"]), 5, "counters go on, and do not begin anew")


def test_address_changes(lab):
    """There and back; nothing of the other address is left in the kernel."""
    moon, sun = up(lab)
    assert moon.ping() == 3
    run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries", ns=moon.ns)
    old = OUTER[4]["moon"]
    for new in (MOVED, OUTER[4]["moon"]):
        children = moon.child("net-net"), sun.child("net-net")
        ip(moon, "addr add %s/24 dev eth0" % new, "addr del %s/24 dev eth0" % old)
        wait_at(moon, sun, new)
        assert moon.ping() == 3 and sun.ping() == 3
        moon.tcp(size=1 << 16)
        for gateway, child in zip((moon, sun), children):
            same(gateway, child)
            wait_until(lambda g=gateway, o=old: o not in states(g) + run("ip", "xfrm", "policy", ns=g.ns).stdout, 5, old + " is left")
        old = new
    moon.terminate(ike="net")
    sun.wait_no_sas()


def test_behind_a_nat_and_back(lab):
    """The SAs get UDP encapsulation, and lose it."""
    gw = lab.net.ns("gw")
    run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "10.81.9.0/24", "-o", "to-sun", "-j", "MASQUERADE", ns=gw)
    run("ip", "-n", gw, "addr", "add", "10.81.9.1/24", "dev", "to-moon")
    moon, sun = up(lab)
    assert moon.ping() == 3 and "espinudp" not in states(moon) + states(sun)
    children = moon.child("net-net"), sun.child("net-net")
    ip(moon, "addr add 10.81.9.2/24 dev eth0", "addr del %s/24 dev eth0" % OUTER[4]["moon"], "route replace 10.81.0.0/16 via 10.81.9.1")
    wait_at(moon, sun, "10.81.9.2", "10.81.2.1")
    wait_until(lambda: "espinudp" in states(moon) and "espinudp" in states(sun), 10, lambda: "UDP encapsulation:\n" + states(moon) + sun.tail())
    assert ping(moon.ns, inner("sun"), inner("moon")) == 3 and sun.ping() == 3
    ip(moon, "addr add %s/24 dev eth0" % OUTER[4]["moon"], "addr del 10.81.9.2/24 dev eth0", "route replace 10.81.0.0/16 via 10.81.1.1")
    wait_at(moon, sun, OUTER[4]["moon"])
    wait_until(lambda: "espinudp" not in states(moon) + states(sun), 10, lambda: "no UDP encapsulation:\n" + moon.tail())
    assert moon.ping() == 3 and sun.ping() == 3
    for gateway, child in zip((moon, sun), children):
        same(gateway, child)
