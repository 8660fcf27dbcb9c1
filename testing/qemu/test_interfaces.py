# SPDX-License-Identifier: Apache-2.0
"""XFRM interfaces that the daemon makes, with nftables on them and ESP below."""
import json

from lab import conf
from lab.net import inner, inner_net
from lab.run import ping, run


def interfaces(ns):
    return {link["ifname"]: link for link in json.loads(run("ip", "-j", "-d", "link", "show", "type", "xfrm", ns=ns).stdout)}


def counted(ns):
    rules = json.loads(run("nft", "-j", "list", "table", "inet", "seen", ns=ns).stdout)["nftables"]
    return sum(part["counter"]["packets"] for rule in rules if "rule" in rule for part in rule["rule"]["expr"] if "counter" in part)


def test_interfaces(lab):
    """One interface here and one in another namespace, a child for each: made, used, filtered, made anew after a crash, removed."""
    blue = lab.net.ns("gw")  # any namespace that is not the gateway's
    made = {"ipsec1": {"if_id": 41, "addresses": "10.85.0.1/24, fd85::1/64", "mtu": 1400},
            "ipsec2": {"if_id": 42, "dev": "eth0", "addresses": "10.83.1.9", "namespace": blue}}
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {
        "net%d" % n: conf.net_child("moon", net=n, if_id_in=41 + n, if_id_out=41 + n) for n in range(2)})}),
        {"plugins": {"kernel-netlink": {"interfaces": made}}})
    sun = lab.gateway("sun", conf.gateway("sun", {"net": conf.connection("sun", {
        "net%d" % n: conf.net_child("sun", net=n) for n in range(2)})}))
    sun.launch()
    moon.start()
    moon.kill()
    assert "ipsec1" in interfaces(moon.ns) and "ipsec2" in interfaces(blue)
    moon.start()
    sun.wait_ready()
    sun.load()
    here, there = interfaces(moon.ns), interfaces(blue)
    assert list(here) == ["ipsec1"] and list(there) == ["ipsec2"]
    assert here["ipsec1"]["mtu"] == 1400 and here["ipsec1"]["linkinfo"]["info_data"]["if_id"] == "0x29"
    addresses = run("ip", "-br", "addr", "show", "dev", "ipsec1", ns=moon.ns).stdout
    assert "10.85.0.1/24" in addresses and "fd85::1/64" in addresses

    for n in range(2):
        moon.initiate("net%d" % n)
    sun.wait_children(2)
    assert not run("ip", "route", "show", "table", "220", ns=moon.ns, check=False).stdout
    run("ip", "route", "add", inner_net("sun"), "dev", "ipsec1", "src", inner("moon"), ns=moon.ns)
    run("ip", "route", "add", inner_net("sun", net=1), "dev", "ipsec2", ns=blue)
    run("nft", "-f", "-", ns=moon.ns, stdin="table inet seen {\n chain in {\n type filter hook input priority 0;\n"
        "iifname \"ipsec1\" ip saddr 10.82.2.1 counter\n udp dport 4500 drop\n}\n }\n")
    assert ping(moon.ns, inner("sun")) == 3
    assert counted(moon.ns) == 3
    assert ping(blue, inner("sun", net=1), "10.83.1.9") == 3
    # what is not routed into the interface is not the tunnel's
    assert ping(moon.ns, inner("sun", net=1), inner("moon", net=1), count=1, limit=1) == 0
    moon.stop()
    assert not interfaces(moon.ns) and not interfaces(blue)


def test_vrf_and_trap(lab):
    """An interface that is put into a VRF; the first packet that is routed into it meets a trap and brings the tunnel up."""
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {
        "net-net": conf.net_child("moon", if_id_in=41, if_id_out=41, start_action="trap")})}),
        {"plugins": {"kernel-netlink": {"interfaces": {"ipsec1": {"if_id": 41, "addresses": "10.82.1.9", "vrf": "red"},
                                                       "ipsec2": {"if_id": 42, "vrf": "none-such"}}}}})
    sun = lab.gateway("sun", conf.gateway("sun", {"net": conf.connection("sun", {"net-net": conf.net_child("sun")})})).start()
    run("ip", "link", "add", "red", "type", "vrf", "table", "10", ns=moon.ns)
    run("ip", "link", "set", "red", "up", ns=moon.ns)
    # a VRF that is not there: no start, and nothing is left
    moon.launch()
    assert moon.wait() != 0
    moon.process = None
    assert "none-such" in moon.tail()
    assert not interfaces(moon.ns)
    del moon.settings["plugins"]["kernel-netlink"]["interfaces"]["ipsec2"]
    moon.start()
    assert interfaces(moon.ns)["ipsec1"]["master"] == "red"
    run("ip", "route", "add", inner_net("sun"), "dev", "ipsec1", "src", "10.82.1.9", "vrf", "red", ns=moon.ns)
    assert not moon.sas()
    # the kernel lets no packet wait that is routed into an interface: the first one is lost, the next arrive
    ping(moon.ns, inner("sun"), "10.82.1.9", count=1, device="red", limit=0.5)
    sun.wait_children(1, "net-net")
    assert ping(moon.ns, inner("sun"), "10.82.1.9", device="red") == 3
    # outside the VRF there is no way
    assert moon.ping(count=1, limit=1) == 0
    moon.stop()
    assert not interfaces(moon.ns)
