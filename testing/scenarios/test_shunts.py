# SPDX-License-Identifier: Apache-2.0
"""Packets that pass in clear or are dropped, whatever tunnels there are."""
import contextlib
import socket

import pytest

from lab import conf
from lab.net import OUTER, inner, other
from lab.run import PATIENCE, ping, run, socket_in, wait_until

TUNNEL = {"local_ts": "10.82.0.0/15", "remote_ts": "10.82.0.0/15", "esp_proposals": "aes128gcm16"}


def shunted(side, mode, **over):
    """A tunnel for nets 0 and 1 of both sides, and a shunt between the nets 1."""
    nets = {side: "10.8{}.%d.0/24" % (1 if side == "moon" else 2), other(side): "10.8{}.%d.0/24" % (2 if side == "moon" else 1)}
    tunnel = dict(TUNNEL, local_ts=[nets[side].format(n) for n in (2, 3)], remote_ts=[nets[other(side)].format(n) for n in (2, 3)])
    shunt = conf.merged({"local_ts": nets[side].format(3), "remote_ts": nets[other(side)].format(3), "mode": mode,
                         "start_action": "trap"}, over)
    return conf.gateway(side, {"net": conf.connection(side, {"net-net": tunnel}),
                               "shunts": {"remote_addrs": "127.0.0.1", "children": {"shunt": shunt}}})


def open_the_way(net):
    """The router knows the private nets, and counts what comes in clear."""
    for number, side in ((1, "moon"), (2, "sun")):
        for inside in (82, 83):
            run("ip", "route", "add", "10.%d.%d.0/24" % (inside, number), "via", "10.81.%d.2" % number, ns=net.ns("gw"))
            run("ip", "route", "add", "10.%d.%d.0/24" % (inside, 3 - number), "via", "10.81.%d.1" % number, ns=net.ns(side))
    return net.count("ip protocol icmp")


def clear_of_rules(gateway):
    rules = run("ip", "rule", ns=gateway.ns).stdout.splitlines()
    return all(line.split(":")[0] in ("0", "220", "32766", "32767") for line in rules)


def ping_nets(gateway, inside, **more):
    number = 1 if gateway.side == "moon" else 2
    try:
        return ping(gateway.ns, "10.%d.%d.1" % (inside, 3 - number), "10.%d.%d.1" % (inside, number), **more)
    except OSError:  # a black hole
        return 0


def test_pass(lab):
    moon, sun = lab.pair(shunted("moon", "pass"), shunted("sun", "pass"))
    wait_until(lambda: not clear_of_rules(moon) and not clear_of_rules(sun), what="the rules")
    counter = open_the_way(lab.net)
    moon.initiate("net-net")
    sun.wait_children(1)
    assert ping_nets(moon, 82) == 3
    assert counter.hits() == 0
    before = moon.child("net-net")["bytes-out"]
    assert ping_nets(moon, 83) == 3 and ping_nets(sun, 83) == 3
    assert counter.hits() == 12 and moon.child("net-net")["bytes-out"] == before
    listed = moon.swanctl("--list-pols", "--pass").stdout
    assert listed == "shunts/shunt, PASS\n  local:  10.83.1.0/24\n  remote: 10.83.2.0/24\n"
    moon.swanctl("--uninstall", "--child", "shunt")
    sun.swanctl("--uninstall", "--child", "shunt")
    assert clear_of_rules(moon) and clear_of_rules(sun)
    assert ping_nets(moon, 83) == 3 and counter.hits() == 12


@pytest.mark.parametrize("first", ["shunt", "tunnel"])
def test_drop(lab, first):
    """With and without a tunnel, in whatever order they come; the rest passes."""
    moon, sun = lab.pair(shunted("moon", "drop", start_action="none"), conf.gateway("sun", {"net": conf.connection("sun", {
        "net-net": dict(TUNNEL, local_ts=["10.82.2.0/24", "10.83.2.0/24"], remote_ts=["10.82.1.0/24", "10.83.1.0/24"])})}))
    counter = open_the_way(lab.net)
    if first == "shunt":
        assert ping_nets(moon, 83) == 3 and counter.hits() == 6
        moon.swanctl("--install", "--child", "shunt")
        assert ping_nets(moon, 83, count=1, limit=0.5) == 0
        hits = counter.hits()
        assert ping_nets(moon, 83, count=1, limit=0.5) == 0 and counter.hits() == hits
        assert ping_nets(moon, 82) == 3
    moon.initiate("net-net")
    sun.wait_children(1)
    if first == "tunnel":
        assert ping_nets(moon, 83) == 3 and counter.hits() == 0
        moon.swanctl("--install", "--child", "shunt")
    assert ping_nets(moon, 83, count=1, limit=0.5) == 0
    # what comes out of the tunnel is dropped, too, and counted
    assert ping_nets(sun, 83, count=1, limit=0.5) == 0
    moon.stop()
    assert clear_of_rules(moon)


def arrives(gateway, sender, source, to, port=5001, before=None):
    """Whether a datagram to a port of the gateway does: it is waited for, or only until one comes to `before`, which is sent behind it."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    ports = [port] if before is None else [port, before]
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(socket_in(gateway.ns, family, socket.SOCK_DGRAM)) for _ in ports]
        out = stack.enter_context(socket_in(sender.ns, family, socket.SOCK_DGRAM))
        out.bind((source, 0))
        for end, number in zip(ends, ports):
            end.bind((to, number))
            out.sendto(b"hello", (to, number))
        ends[-1].settimeout(10 * PATIENCE)
        assert ends[-1].recv(100) == b"hello"
        if before is None:
            return True
        ends[0].setblocking(False)
        try:
            return ends[0].recv(100) == b"hello"
        except BlockingIOError:
            return False


def policies(gateway):
    """But for those of sockets."""
    return [line.split()[3] for line in run("ip", "xfrm", "policy", ns=gateway.ns).stdout.splitlines() if line.startswith("\tdir in ")]


@pytest.mark.parametrize("version", [4, 6])
def test_drop_to_the_host(lab, version):
    """In clear to an address of the host itself: dropped by the kernel; tunnels, IKE and what is excepted pass."""
    nets = {4: ["0.0.0.0/0", "10.80.0.0/12"], 6: ["::/0", "fd80::/12"]}[version]

    def config(side):
        host = {"local_ts": inner(side, version), "remote_ts": inner(other(side), version), "esp_proposals": "aes128gcm16"}
        drop = {"local_ts": nets[0], "remote_ts": nets[1], "mode": "drop"}
        udp = {"local_ts": nets[0] + "[udp/5000]", "remote_ts": nets[1] + "[udp]", "mode": "pass"}
        return conf.gateway(side, {"net": conf.connection(side, {"host": host}, version=version), "shunts": {
            "remote_addrs": "127.0.0.1", "children": {"drop": drop, "again": drop, "udp": udp}}})
    moon, sun = lab.pair(config("moon"), config("sun"))
    other_net = conf.inner_net("moon", version, 1)
    run("ip", "route", "add", other_net, "via", OUTER[version]["moon"], ns=lab.net.ns("gw"))
    run("ip", "route", "add", other_net, "via", {4: "10.81.2.1", 6: "fd81:2::1"}[version], ns=sun.ns)
    clear = (sun, OUTER[version]["sun"], inner("moon", version, 1))
    assert arrives(moon, *clear)
    moon.swanctl("--install", "--child", "udp")
    assert arrives(moon, *clear) and policies(moon) == []
    moon.swanctl("--install", "--child", "drop")
    assert not arrives(moon, *clear, before=5000)
    # neighbours are found
    run("ip", "neigh", "flush", "dev", "to-moon", ns=lab.net.ns("gw"))
    assert not arrives(moon, *clear, before=5000)
    assert version == 6 or ping(moon.ns, inner("moon", version)) == 3
    # what is narrower than the shunt comes through its tunnel, and IKE and ESP come from where all is dropped
    moon.initiate("host")
    sun.wait_children(1)
    tunnel = (sun, inner("sun", version), inner("moon", version))
    assert arrives(moon, *tunnel) and moon.ping(version) == 3
    moon.swanctl("--install", "--child", "again")
    moon.swanctl("--uninstall", "--child", "drop")
    assert not arrives(moon, *clear, before=5000) and arrives(moon, *tunnel)
    moon.kill()
    assert "block" in policies(moon)
    moon.start()
    assert policies(moon) == [] and arrives(moon, *clear)
    moon.swanctl("--install", "--child", "drop")
    moon.swanctl("--install", "--child", "udp")
    assert not arrives(moon, *clear, before=5000)
    moon.stop()
    assert policies(moon) == []


def test_one_service(lab):
    """A protocol and a port: the rest of the pair has its tunnel, and what is narrower than the shunt, too."""
    def config(side):
        return conf.gateway(side, {
            "net": conf.connection(side, {"net-net": conf.net_child(side), "host": {
                "local_ts": inner(side), "remote_ts": inner(other(side)), "esp_proposals": "aes128gcm16"}}),
            "shunts": {"remote_addrs": "127.0.0.1", "children": {
                "all": {"local_ts": "0.0.0.0/0", "remote_ts": "10.80.0.0/12", "mode": "drop", "start_action": "trap"},
                "dns": {"local_ts": "10.82.0.0/16", "remote_ts": "10.83.0.0/16[udp/53]", "mode": "pass",
                        "start_action": "trap"}}}})
    moon, sun = lab.pair(config("moon"), config("sun"))
    # IKE passes, though all of the peer's network is dropped
    moon.initiate("net-net")
    moon.initiate("host")
    sun.wait_children(2)
    assert moon.ping() == 3

    run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward", ns=moon.ns)
    run("ip", "route", "add", "10.83.2.0/24", "via", "10.81.1.1", "dev", "eth0", "onlink", ns=moon.ns)

    def forwarded(*words):
        return run("ip", "route", "get", "10.83.2.1", "from", "10.82.1.77", "iif", "lan", *words, ns=moon.ns,
                   check=False).stdout
    assert "eth0" in forwarded("ipproto", "udp", "sport", "1000", "dport", "53")
    assert "eth0" not in forwarded("ipproto", "udp", "sport", "1000", "dport", "54")
    assert "eth0" not in forwarded("ipproto", "tcp", "sport", "1000", "dport", "53")
    for child in ("all", "dns"):
        moon.swanctl("--uninstall", "--child", child)
    assert clear_of_rules(moon)
    assert "eth0" in forwarded("ipproto", "tcp", "sport", "1000", "dport", "53")


def test_killed_and_again(lab):
    """Rules that a dead daemon left go."""
    moon, _ = lab.pair(shunted("moon", "drop"))
    wait_until(lambda: not clear_of_rules(moon), what="the rules")
    moon.kill()
    assert not clear_of_rules(moon)
    moon.start(load=False)
    wait_until(lambda: clear_of_rules(moon), what="the rules are gone")


def test_not_initiated(lab):
    moon, _ = lab.pair(shunted("moon", "pass", start_action="start"))
    assert moon.swanctl("--list-pols", "--pass").stdout.startswith("shunts/shunt, PASS")
    failed = moon.initiate("shunt", check=False)
    assert failed.returncode and "establishing CHILD_SA 'shunt' failed" in failed.stderr

def test_bypass_lan(lab):
    """A tunnel for everything, and the neighbours are reached in clear; addresses that come and go are followed."""
    everything = {"net": conf.connection("moon", {"all": {"local_ts": "10.82.1.0/24", "remote_ts": "0.0.0.0/0",
                                                          "esp_proposals": "aes128gcm16"}})}
    moon, sun = lab.pair(conf.gateway("moon", everything), conf.gateway("sun", {"net": conf.connection("sun", {
        "all": {"local_ts": "0.0.0.0/0", "remote_ts": "10.82.1.0/24", "esp_proposals": "aes128gcm16"}})}),
        settings={"plugins": {"bypass-lan": {"load": "yes", "interfaces_ignore": "eth0"}}})

    def passing():
        return {line.split()[2].rstrip(",") for line in moon.swanctl("--list-pols", "--pass").stdout.splitlines()
                if line.startswith("Bypass LAN ")}
    nets = {conf.inner_net("moon", version, net) for version in (4, 6) for net in range(3)}
    wait_until(lambda: passing() == nets | {"fe80::/64"}, what="the networks of lan: %s" % passing())
    moon.initiate("all")
    sun.wait_children(1)
    assert moon.ping() == 3
    # a host of the lan, in a namespace of its own
    run("sh", "-c", "ip link add v0 type veth peer name v1 netns %s && ip link set v0 master lan up" % lab.net.ns("gw"),
        ns=moon.ns)
    run("sh", "-c", "ip link set v1 up && ip addr add 10.82.1.9/24 dev v1", ns=lab.net.ns("gw"))
    before = moon.child("all")["bytes-out"]
    assert ping(moon.ns, "10.82.1.9", inner("moon")) == 3 and ping(moon.ns, "10.82.1.9") == 3
    assert moon.child("all")["bytes-out"] == before
    run("ip", "addr", "add", "10.99.0.1/20", "dev", "lan", ns=moon.ns)
    wait_until(lambda: "10.99.0.0/20" in passing(), what="the new network")
    run("ip", "addr", "del", "10.99.0.1/20", "dev", "lan", ns=moon.ns)
    wait_until(lambda: passing() == nets | {"fe80::/64"}, what="it is gone")
    assert moon.ping() == 3


def test_no_bypass_unasked(lab):
    moon, _ = lab.pair()
    assert moon.swanctl("--list-pols").stdout == ""
    assert "bypass-lan" not in moon.swanctl("--stats").stdout
