# SPDX-License-Identifier: Apache-2.0
"""Policies and routes in the kernel: whose packets go where, and what is left when they should not."""
import socket

import pytest

from lab import conf
from lab.net import OUTER, inner, other
from lab.run import ping, run, socket_in, wait_until


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


def pair(lab, moon, sun=None, settings=None):
    """Both gateways with the children {name: keys}, sun's as seen from there."""
    sides = []
    for side, children in (("moon", moon), ("sun", sun or moon)):
        sides.append(conf.gateway(side, {"net": conf.connection(side, {
            name: conf.net_child(side, **keys(side) if callable(keys) else keys) for name, keys in children.items()})}))
    return lab.pair(*sides, settings=settings)


def watch(lab, *what):
    """Counts packets that the router forwards; for hits()."""
    run("iptables-legacy", "-I", "FORWARD", *what, ns=lab.net.ns("gw"))


def hits(lab, number=1):
    text = run("iptables-legacy", "-nvxL", "FORWARD", str(number), ns=lab.net.ns("gw")).stdout
    return int(text.split()[0])


def packets(gateway, name):
    """Out of the kernel, as list-sas may say what was a moment ago."""
    spi = gateway.child(name)["spi-out"]
    text = run("ip", "-s", "xfrm", "state", "get", "src", OUTER[4][gateway.side], "dst", OUTER[4][other(gateway.side)], "proto",
               "esp", "spi", "0x" + spi, ns=gateway.ns).stdout
    return int(text.split("lifetime current:")[1].split("(bytes), ")[1].split("(packets)")[0])


def test_trap(lab):
    """The first packet brings the tunnel up and arrives; tunnels come and go, and never a packet leaves in clear."""
    moon, sun = pair(lab, {"net-net": {"start_action": "trap"}}, {"net-net": {}})
    watch(lab, "-s", "10.82.0.0/16")
    assert [part for part in policies(moon) if "dir out" in part]
    assert moon.ping(count=1, limit=10) == 1
    sun.wait_children(1, "net-net")
    for _ in range(3):
        moon.terminate(ike="net")
        wait_until(lambda: not states(moon) and not states(sun), 5, "the SAs are gone")
        assert moon.ping(count=2, limit=10) == 2
    moon.swanctl("--rekey", "--child", "net-net")
    assert moon.ping(count=5) == 5
    sun.kill()
    moon.swanctl("--terminate", "--ike", "net", "--force")
    assert moon.ping(count=2, limit=1) == 0
    assert [part for part in policies(moon) if "dir out" in part]
    assert hits(lab) == 0
    sun.start()
    # the kernel asks again when it believes no more that we are at it
    wait_until(lambda: moon.ping(count=1, limit=1), 60, "the trap works after the failure")
    assert hits(lab) == 0


def test_narrower_wins(lab):
    """Children that overlap: each packet goes through the narrowest, by address, by protocol and port."""
    def host(side):
        return {"local_ts": inner(side) + "/32", "remote_ts": inner(other(side)) + "/32"}

    def udp(side):
        return {"local_ts": inner(side) + "/32[udp]", "remote_ts": inner(other(side)) + "/32[udp/5000-5003]" if side == "moon" else
                inner(other(side)) + "/32[udp]", **({"local_ts": inner(side) + "/32[udp/5000-5003]"} if side == "sun" else {})}

    moon, sun = pair(lab, {"wide": {"local_ts": "10.80.0.0/12", "remote_ts": "10.80.0.0/12"}, "host": host, "udp": udp})
    for name in ("udp", "host", "wide"):
        moon.initiate(name)
    sun.wait_children(3)
    assert ping(moon.ns, inner("sun"), inner("moon")) == 3
    assert ping(moon.ns, inner("sun", net=1), inner("moon"), count=2) == 2
    with socket_in(moon.ns, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((inner("moon"), 0))
        for port in (4999, 5000, 5001, 5003, 5004):
            sender.sendto(b"x", (inner("sun"), port))
    assert (packets(moon, "udp"), packets(moon, "host"), packets(moon, "wide")) == (3, 5, 2)
    assert packets(sun, "wide") == 2


def test_shunts(lab):
    """What passes and what is dropped beside a tunnel for a wider range."""
    moon, sun = pair(lab, {"wide": {"local_ts": "10.80.0.0/12", "remote_ts": "10.80.0.0/12"},
                           "drop": {"start_action": "trap", "mode": "drop", "remote_ts": "10.83.0.0/16", "esp_proposals": None}},
                     {"wide": {"local_ts": "10.80.0.0/12", "remote_ts": "10.80.0.0/12"}})
    moon.configure(conf.gateway("moon", conf.merged({"net": conf.connection("moon", {
        "wide": conf.net_child("moon", local_ts="10.80.0.0/12", remote_ts="10.80.0.0/12"),
        "drop": {"start_action": "trap", "mode": "drop", "local_ts": "10.80.0.0/12", "remote_ts": "10.83.0.0/16"},
        "pass": {"start_action": "trap", "mode": "pass", "local_ts": "10.81.1.2", "remote_ts": "10.81.1.0/24"}})}, {})))
    moon.load()
    moon.initiate("wide")
    assert moon.ping() == 3
    assert moon.ping(net=1, count=1, limit=1) == 0
    assert ping(moon.ns, "10.81.1.1", count=2) == 2
    assert packets(moon, "wide") == 3
    assert "throw 10.81.1.0/24" in routes(moon)
    moon.swanctl("--uninstall", "--child", "drop")
    assert moon.ping(net=1) == 3


def test_host_host(lab):
    """Transport mode between the two hosts; IKE passes, though the selectors have its packets."""
    over = {"local_ts": None, "remote_ts": None, "mode": "transport"}
    moon, sun = pair(lab, {"host": over})
    moon.initiate("host")
    sun.wait_children(1)
    assert moon.child("host")["mode"] == "TRANSPORT"
    assert ping(moon.ns, OUTER[4]["sun"]) == 3
    assert packets(moon, "host") == 3
    assert not routes(moon)
    moon.terminate(ike="net")
    sun.wait_no_sas()
    wait_until(lambda: not policies(moon) and not policies(sun), what="nothing is left")
    assert ping(moon.ns, OUTER[4]["sun"]) == 3


def test_routes_follow(lab):
    """An address that comes, a device that goes down and up, a next hop that changes: the routes are as they should be."""
    moon, sun = pair(lab, {"net-net": {}})
    run("ip", "addr", "del", "10.82.1.1/24", "dev", "lan", ns=moon.ns)
    moon.initiate("net-net")
    sun.wait_children(1)
    wait_until(lambda: "10.82.2.0/24" in routes(moon), what="the route")
    assert "src" not in routes(moon)
    run("ip", "addr", "add", "10.82.1.1/24", "dev", "lan", ns=moon.ns)
    wait_until(lambda: "10.82.2.0/24 via 10.81.1.1 dev eth0 proto 219 src 10.82.1.1" in routes(moon), what="its source")
    run("sh", "-c", "ip link set eth0 down; ip link set eth0 up; ip route add 10.81.0.0/16 via 10.81.1.1", ns=moon.ns)
    wait_until(lambda: "via 10.81.1.1" in routes(moon), what="the route again")
    assert ping(moon.ns, inner("sun")) == 3
    run("ip", "route", "replace", "10.81.0.0/16", "via", "10.81.1.7", "dev", "eth0", ns=moon.ns)
    wait_until(lambda: "via 10.81.1.7" in routes(moon), what="the other next hop")


def test_bypass(lab):
    """All between the hosts has to be protected, but TCP to a port that always passes; IKE does, too."""
    sun = lab.gateway("sun", conf.gateway("sun", {"net": conf.connection("sun", {"host": {"start_action": "trap"}})}),
                      {"plugins": {"kernel-netlink": {"bypass_tcp": "22, 2222", "port_bypass": "yes"}}})
    sun.start()

    def connect(port, limit):
        with socket_in(sun.ns, socket.AF_INET, socket.SOCK_STREAM) as server, \
                socket_in(lab.net.ns("moon"), socket.AF_INET, socket.SOCK_STREAM) as client:
            server.bind((OUTER[4]["sun"], port))
            server.listen(1)
            client.settimeout(limit)
            client.connect((OUTER[4]["sun"], port))

    assert [part for part in policies(sun) if OUTER[4]["moon"] in part and "dir out" in part]
    connect(2222, 30)
    with pytest.raises(TimeoutError):
        connect(2223, 2)
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {"host": {}})})).start()
    moon.initiate("host")


def test_thresholds(lab):
    """spdh_thresh: the kernel has what the settings say; what cannot be is refused."""
    def gateway(ipv4, folder):
        return lab.gateway("moon", conf.gateway("moon"), {"plugins": {"kernel-netlink": {"spdh_thresh": {
            "ipv4": ipv4, "ipv6": {"lbits": 56, "rbits": 64}}}}}, folder=folder)

    wrong = gateway({"lbits": 33}, "wrong").launch()
    assert wrong.wait() != 0
    wrong.process = None
    assert "spdh_thresh has more bits than an address, or fewer than none" in wrong.tail()
    moon = gateway({"lbits": 16, "rbits": 24}, "right").start()
    told = run("ip", "-s", "-s", "xfrm", "policy", "count", ns=moon.ns).stdout
    for words in ("IPv4 thresholds: local 16 remote 24", "IPv6 thresholds: local 56 remote 64"):
        assert words in " ".join(told.split()), told
    sun = lab.gateway("sun", conf.gateway("sun")).start()
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3


def test_mark_of_routes(lab):
    """fwmark: packets with that mark do not look into the table of tunnels, and so have another source address."""
    moon, sun = pair(lab, {"net-net": {}}, settings={"plugins": {"kernel-netlink": {"fwmark": "!0x77/0xff"}}})
    moon.initiate("net-net")
    sun.wait_children(1)
    assert "not from all fwmark 0x77/0xff lookup 220" in run("ip", "rule", ns=moon.ns).stdout

    def source(*mark):
        return run("ip", "route", "get", inner("sun"), *mark, ns=moon.ns, check=False).stdout

    assert "src 10.82.1.1" in source() and "src 10.82.1.1" in source("mark", "0x76")
    assert "src 10.82.1.1" not in source("mark", "0x177")
    assert moon.ping() == 3


def test_clear_is_dropped(lab):
    """What has to come out of the tunnel is not taken in clear, whoever sends it; it would be without a tunnel."""
    moon, sun = pair(lab, {"net-net": {}})
    router = lab.net.ns("gw")
    run("ip", "addr", "add", "10.82.2.77/32", "dev", "lo", ns=router)
    run("ip", "route", "add", "10.82.1.0/24", "via", OUTER[4]["moon"], ns=router)
    run("ip", "route", "add", "10.82.2.77/32", "via", "10.81.1.1", ns=moon.ns)
    assert ping(router, inner("moon"), "10.82.2.77") == 3
    moon.initiate("net-net")
    sun.wait_children(1)
    before = refused(moon)
    assert ping(router, inner("moon"), "10.82.2.77", limit=1) == 0
    assert refused(moon) == before + 3
    assert moon.ping() == 3


def refused(gateway):
    """Packets without the SA that a policy wants."""
    lines = run("cat", "/proc/net/xfrm_stat", ns=gateway.ns).stdout.splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split()[0] in ("XfrmInNoPols", "XfrmInTmplMismatch"))


def test_interface(lab):
    """interface: what leaves by another device is none of the child's; what comes out of the tunnel is taken, what comes in clear is not."""
    moon, sun = pair(lab, {"net-net": lambda side: {"interface": "eth0"} if side == "moon" else {}})
    router = lab.net.ns("gw")
    moon.initiate("net-net")
    sun.wait_children(1)
    (out,) = [part for part in policies(moon) if "dir out" in part]
    assert "dev eth0" in out
    assert moon.ping() == 3 and sun.ping() == 3
    run("ip", "route", "add", "10.82.1.0/24", "via", OUTER[4]["moon"], ns=router)
    run("ip", "addr", "add", "10.82.2.77/32", "dev", "lo", ns=router)
    before = refused(moon)
    assert ping(router, inner("moon"), "10.82.2.77", limit=1) == 0
    assert refused(moon) == before + 3
    run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1", ns=moon.ns)
    run("ip", "link", "set", "other1", "up", ns=moon.ns)
    run("ip", "link", "set", "other0", "up", ns=moon.ns)
    run("ip", "route", "add", inner("sun") + "/32", "dev", "other0", "table", "220", "src", inner("moon"), ns=moon.ns)
    sent = packets(moon, "net-net")
    assert moon.ping(count=1, limit=1) == 0
    assert packets(moon, "net-net") == sent
    moon.swanctl("--terminate", "--ike", "net")
    wait_until(lambda: not policies(moon), 5, "no policies")
