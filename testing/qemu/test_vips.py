# SPDX-License-Identifier: Apache-2.0
"""Virtual addresses on XFRM interfaces: one that the daemon made, one that is somebody else's and comes late."""
from lab import conf, roadwarrior
from lab.net import inner, inner_net
from lab.roadwarrior import VIPS, addresses
from lab.run import ping, run, wait_until


def route_into(gateway, device):
    """Without a source: the system is to find the virtual address by itself."""
    for version in (4, 6):
        run("ip", "-%d" % version, "route", "add", inner_net("sun", version), "dev", device, ns=gateway.ns)


def works(moon, sun, device):
    route_into(moon, device)
    now = addresses(moon.ns)
    found = {a: now[a][0] for a in now}
    assert sorted(found.values()) == [device, device] and not any("deprecated" in flags for _, flags in now.values())
    for version in (4, 6):
        (vip,) = [a for a in found if (":" in a) == (version == 6)]
        assert ping(moon.ns, inner("sun", version)) == 3
        assert ping(sun.ns, vip, inner("sun", version), count=1) == 1


def test_interfaces(lab):
    config = roadwarrior.client(if_id_in=41, if_id_out=41)
    config["connections"]["late"] = conf.merged(config["connections"]["net"], {"if_id_in": 42, "if_id_out": 42, "children": {"rw": None}})
    config["connections"]["late"]["children"] = {"late": config["connections"]["net"]["children"]["rw"]}
    moon = lab.gateway("moon", config, {"plugins": {"kernel-netlink": {"interfaces": {"ipsec1": {"if_id": 41}}}}})
    sun = lab.gateway("sun", roadwarrior.gateway())
    sun.launch()
    moon.start()
    sun.wait_ready()
    sun.load()
    moon.initiate("rw")
    sun.wait_children(1)
    wait_until(lambda: set(VIPS.values()) == set(addresses(moon.ns)), 10, moon.tail)
    works(moon, sun, "ipsec1")
    moon.terminate(ike="net")
    wait_until(lambda: not addresses(moon.ns), 10, moon.tail)
    run("sh", "-c", "ip route flush dev ipsec1; ip -6 route flush dev ipsec1", ns=moon.ns)
    moon.initiate("late")
    moon.wait_log("is on no interface: there is no XFRM interface with id 42")
    assert not addresses(moon.ns)
    run("sh", "-c", "ip link add late0 type xfrm if_id 42 && ip link set late0 up", ns=moon.ns)
    wait_until(lambda: len(addresses(moon.ns)) == 2, 10, moon.tail)
    works(moon, sun, "late0")
    moon.stop()
    assert not addresses(moon.ns)
