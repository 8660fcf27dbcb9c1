# SPDX-License-Identifier: Apache-2.0
"""What comes in clear although it should have come through a tunnel: kernel-userland has the host's kernel drop it."""
import contextlib
import socket

import pytest

from lab import conf
from lab.net import OUTER, inner, inner_net
from lab.run import run, socket_in, wait_until

STRANGER = {4: "10.82.2.77", 6: "fd82:2::77"}
HOST = {4: "10.82.1.9", 6: "fd82:1::9"}
PORT = 5001


@pytest.fixture
def around(lab):
    """A host behind moon, and the router as one who sends from sun's private net."""
    net = lab.net
    gw, host, moon = net.ns("gw"), net.ns("host"), net.ns("moon")
    run("ip", "netns", "add", host)
    net.others.append("host")
    run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", host, ns=moon)
    run("ip", "link", "set", "v0", "master", "lan", "up", ns=moon)
    run("ip", "link", "set", "v1", "up", ns=host)
    run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; "
                    "for i in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$i; done", ns=moon)
    for version, bits in ((4, "/32"), (6, "/128")):
        run("ip", "addr", "add", STRANGER[version] + bits, "dev", "lo", ns=gw)
        run("ip", "route", "add", inner_net("moon", version), "via", OUTER[version]["moon"], ns=gw)
        run("ip", "addr", "add", HOST[version] + {4: "/24", 6: "/64"}[version], "dev", "v1",
            *([] if version == 4 else ["nodad"]), ns=host)
        run("ip", "-%d" % version, "route", "add", "default", "via", inner("moon", version), ns=host)
    return net


def blocked(net):
    """How many packets policies of moon's kernel dropped."""
    lines = run("cat", "/proc/net/xfrm_stat", ns=net.ns("moon")).stdout.split("\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("XfrmInPolBlock"))


def arrives(net, sender, source, receiver, to):
    """Whether a datagram does, or moon's kernel drops it."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with contextlib.ExitStack() as stack:
        end = stack.enter_context(socket_in(net.ns(receiver), family, socket.SOCK_DGRAM))
        out = stack.enter_context(socket_in(net.ns(sender), family, socket.SOCK_DGRAM))
        end.bind((to, PORT))
        end.setblocking(False)
        out.bind((source, 0))
        before = blocked(net)
        out.sendto(b"hello", (to, PORT))

        def seen():
            with contextlib.suppress(BlockingIOError):
                return end.recv(100).decode()
            return "dropped" if blocked(net) > before else None
        return wait_until(seen, what="the packet, or that it was dropped") == "hello"


def in_clear(net, version):
    """From outside to moon itself, and to a host behind it: both or none."""
    got = {arrives(net, "gw", STRANGER[version], *end) for end in (("moon", inner("moon", version)), ("host", HOST[version]))}
    assert len(got) == 1
    return got.pop()


def through_tunnel(net, version):
    return [arrives(net, "sun", inner("sun", version), *end) for end in (("moon", inner("moon", version)), ("host", HOST[version]))]


def policies(net):
    """But for those of sockets."""
    lines = run("ip", "xfrm", "policy", ns=net.ns("moon")).stdout.splitlines()
    return [line.split()[1] for line in lines if line.startswith("\tdir ")]


def config(side, version, **over):
    return conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side, version, **over)})})


@pytest.mark.parametrize("version", [4, 6])
def test_dropped(lab, around, version):
    """As long as there is a tunnel or a trap, whatever becomes of the daemon."""
    moon, sun = lab.pair(config("moon", version), config("sun", version))
    assert in_clear(around, version)
    moon.initiate("net-net")
    sun.wait_children(1)
    assert not in_clear(around, version)
    assert through_tunnel(around, version) == [True, True]
    # what replaces a CHILD_SA has the same policies, and large packets come in pieces
    moon.swanctl("--rekey", "--child", "net-net")
    moon.wait_log("CHILD_SA closed")
    assert moon.ping(version, size=9000) == 3
    assert not in_clear(around, version)
    moon.terminate(ike="net")
    wait_until(lambda: policies(around) == [], what="no policy any more")
    assert in_clear(around, version)
    moon.swanctl("--install", "--child", "net-net")
    assert not in_clear(around, version)
    moon.kill()
    assert set(policies(around)) == {"in", "fwd"}
    moon.start()
    assert policies(around) == [] and in_clear(around, version)
    moon.swanctl("--install", "--child", "net-net")
    assert not in_clear(around, version)
    moon.stop()
    assert policies(around) == [] and in_clear(around, version)
    assert run("nft", "list", "ruleset", ns=moon.ns).stdout == ""


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_local(lab, around, version):
    """A tunnel for everything: neighbours reach the gateway, itself too, and what a shunt lets pass, whoever says so first."""
    wide, narrow = {4: ("0.0.0.0/0", "10.82.2.64/26"), 6: ("::/0", "fd82:2::40/122")}[version]
    moon_config = config("moon", version, remote_ts=wide)
    moon_config["connections"]["shunts"] = {"remote_addrs": "127.0.0.1", "children": {
        "pass": {"local_ts": inner_net("moon", version), "remote_ts": narrow, "mode": "pass"}}}
    moon, sun = lab.pair(moon_config, config("sun", version, local_ts=wide))
    moon.initiate("net-net")
    sun.wait_children(1)
    assert arrives(around, "host", HOST[version], "moon", inner("moon", version))
    assert arrives(around, "moon", inner("moon", version), "moon", inner("moon", version))
    assert arrives(around, "host", HOST[version], "sun", inner("sun", version))
    assert not in_clear(around, version)
    moon.swanctl("--install", "--child", "pass")
    assert in_clear(around, version)
    assert through_tunnel(around, version) == [True, True]
    moon.swanctl("--uninstall", "--child", "pass")
    assert not in_clear(around, version)
    moon.stop()
    assert policies(around) == []


@pytest.mark.parametrize("version", [4, 6])
def test_overlap(lab, around, version):
    """Both ends within the same selectors: what is on its way into the tunnel is no packet that should have come out of it."""
    net = {4: "10.82.0.0/15", 6: "fd82::/16"}[version]
    moon, sun = lab.pair(*(config(side, version, local_ts=net, remote_ts=net) for side in ("moon", "sun")))
    # our own route would lead to the tunnel
    run("ip", "-%d" % version, "rule", "add", "to", inner_net("moon", version), "table", "main", "priority", "100", ns=moon.ns)
    moon.initiate("net-net")
    sun.wait_children(1)
    assert arrives(around, "host", HOST[version], "sun", inner("sun", version))
    assert through_tunnel(around, version) == [True, True]
    assert not in_clear(around, version)


@pytest.mark.parametrize("settings", [{"plugins": {"kernel-userland": {"drop_clear": "no"}}}, {"install_routes": "no"}],
                         ids=["asked", "routes"])
def test_switched_off(lab, around, settings):
    moon, sun = lab.pair(settings=settings)
    moon.initiate("net-net")
    sun.wait_children(1)
    assert policies(around) == [] and in_clear(around, 4)
