# SPDX-License-Identifier: Apache-2.0
"""MOBIKE (RFC 4555): the addresses of gateways change, what runs through their tunnel goes on."""
import contextlib
import hashlib
import os
import socket
import threading

import pytest

from lab import conf
from lab.net import OUTER, inner
from lab.run import PATIENCE, run, socket_in, wait_until

QUICK = {"retransmit_timeout": 0.5, "retransmit_base": 1.2}
MOVED = {4: "10.81.1.77", 6: "fd81:1::77"}


class Stream:
    """A TCP connection through the tunnel that sends all the time, from moon to sun; what arrives is what was sent."""

    def __init__(self, moon, sun):
        listener = socket_in(sun.ns, socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((inner("sun"), 0))
        listener.listen(1)
        self.sender = socket_in(moon.ns, socket.AF_INET, socket.SOCK_STREAM)
        self.sender.bind((inner("moon"), 0))
        self.sender.settimeout(30 * PATIENCE)
        self.sender.connect(listener.getsockname())
        self.receiver, _ = listener.accept()
        listener.close()
        self.receiver.settimeout(30 * PATIENCE)
        self.stop, self.received = threading.Event(), 0
        self.sums = [hashlib.sha256(), hashlib.sha256()]
        self.threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]

    def _send(self):
        with contextlib.suppress(OSError):
            while not self.stop.is_set():
                data = os.urandom(4096)
                self.sender.sendall(data)
                self.sums[0].update(data)
                self.stop.wait(0.001)
        with contextlib.suppress(OSError):
            self.sender.shutdown(socket.SHUT_WR)

    def _receive(self):
        with contextlib.suppress(OSError):
            while data := self.receiver.recv(1 << 16):
                self.sums[1].update(data)
                self.received += len(data)

    def goes_on(self, limit=15):
        """Bytes arrive that were not there before."""
        before = self.received
        wait_until(lambda: self.received > before + 100000, limit, "the TCP connection goes on")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        self.sender.close()
        self.receiver.close()
        assert self.sums[0].digest() == self.sums[1].digest(), "not all arrived"


def up(lab, settings=None, moon=None, sun=None, version=4):
    """moon is the mobile one, with whatever addresses it has."""
    gateways = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side)}, version,
                                                                     **{"mobike": "yes", "local_addrs": "%any", **over})})
                          for side, over in (("moon", moon or {}), ("sun", {"remote_addrs": "%any", **(sun or {})}))),
                        conf.merged(QUICK, settings))
    gateways[0].initiate("net-net")
    gateways[1].wait_children(1)
    return gateways


def ip(lab, name, *commands):
    run("ip", "-n", lab.net.ns(name), "-b", "-", stdin="\n".join(commands) + "\n")


def renumber(lab, old, new):
    """moon's uplink gets another address; its routes stay."""
    run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries", ns=lab.net.ns("moon"))
    ip(lab, "moon", "addr add %s/24 dev eth0" % new, "addr del %s/24 dev eth0" % old)


def place(gateway):
    sa = gateway.sa("net")
    return sa["local-host"], sa["remote-host"]


def settled(gateway):
    """Where it is when nothing is asked any more: CHILD_SAs follow a peer that has answered from there."""
    sa = gateway.sa("net")
    return None if "tasks-active" in sa or "tasks-queued" in sa else (sa["local-host"], sa["remote-host"])


def wait_at(moon, sun, local, remote=OUTER[4]["sun"], seen=None, limit=10):
    """moon is at `local`, which sun sees as `seen`."""
    wait_until(lambda: settled(moon) == (local, remote) and settled(sun) == (remote, seen or local), limit,
               lambda: "the IKE_SA is at %s...%s:\n%s\n%s" % (local, remote, moon.tail(), sun.tail()))


def same(gateway, child):
    """The CHILD_SA that was there, and nothing but it."""
    found = gateway.children("net-net")
    assert len(found) == 1 and found[0]["spi-in"] == child["spi-in"] and found[0]["state"] == "INSTALLED"


def pings(moon, sun):
    """The backends follow a little behind the IKE_SA."""
    wait_until(lambda: moon.ping(count=1, limit=1) == 1 and sun.ping(count=1, limit=1) == 1, what=lambda: "traffic goes on:\n" + sun.tail())
    assert moon.ping() == 3 and sun.ping() == 3


def test_tcp_goes_on(lab):
    """The address of the client changes, twice, during a transfer; nobody loses a CHILD_SA, and clients are told."""
    moon, sun = up(lab)
    before = [gateway.child("net-net") for gateway in (moon, sun)]
    with moon.vici() as events:
        events.register("ike-update")
        with Stream(moon, sun) as stream:
            renumber(lab, OUTER[4]["moon"], MOVED[4])
            wait_at(moon, sun, MOVED[4])
            stream.goes_on()
            renumber(lab, MOVED[4], OUTER[4]["moon"])
            wait_at(moon, sun, OUTER[4]["moon"])
            stream.goes_on()
        _, update = events.event("ike-update")
        assert update["local-host"] == MOVED[4] and update["remote-host"] == OUTER[4]["sun"]
        assert update["local-port"] == update["remote-port"] == "4500"
        assert update["net"]["local-host"] == OUTER[4]["moon"]
    for gateway, child in zip((moon, sun), before):
        same(gateway, child)
    pings(moon, sun)


@pytest.mark.parametrize("route", [False, True])
def test_no_address_for_a_while(lab, route):
    """The address is gone, and there is none but, if a route is left, one that nobody can answer to; nothing is given up till
    another comes."""
    moon, sun = up(lab, {"retransmit_tries": 2}, {"dpd_delay": "1s"})
    child = moon.child("net-net")
    ip(lab, "moon", *(["route del fd81::/16"] if not route else []), "addr flush dev eth0 scope global")
    moon.wait_log("IKE_SA moves from 10.81.1.2.*fd8" if route else "waiting for one")
    if route:
        # what would be the end
        moon.wait_log("retransmit 2 of request")
        sun.wait_log("retransmit 2 of request")
    moon.wait_children(1)
    ip(lab, "moon", "addr add %s/24 dev eth0" % MOVED[4], "route replace 10.81.0.0/16 via 10.81.1.1")
    wait_at(moon, sun, MOVED[4])
    same(moon, child)
    pings(moon, sun)


def second_uplink(lab):
    """eth1 of moon, 10.81.3.2; what has this source leaves by it, and everything when eth0 is down."""
    run("ip", "link", "add", "eth1", "netns", lab.net.ns("moon"), "type", "veth", "peer", "name", "to-moon2", "netns",
        lab.net.ns("gw"))
    ip(lab, "gw", "addr add 10.81.3.1/24 dev to-moon2", "link set to-moon2 up")
    ip(lab, "moon", "addr add 10.81.3.2/24 dev eth1", "link set eth1 up", "route add 10.81.0.0/16 via 10.81.3.1 metric 100",
       "route add 10.81.0.0/16 via 10.81.3.1 table 7", "rule add from 10.81.3.2 lookup 7 priority 50")


@pytest.mark.parametrize("how", ["down", "unplugged"])
def test_second_uplink(lab, how):
    """One of two uplinks is switched off, or loses its carrier: the other takes over."""
    second_uplink(lab)
    moon, sun = up(lab)
    child = moon.child("net-net")
    wait_at(moon, sun, OUTER[4]["moon"])
    with Stream(moon, sun) as stream:
        if how == "down":
            ip(lab, "moon", "link set eth0 down")
        else:
            run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/ignore_routes_with_linkdown", ns=lab.net.ns("moon"))
            ip(lab, "gw", "link set to-moon down")
        wait_at(moon, sun, "10.81.3.2")
        stream.goes_on()
    same(moon, child)
    same(sun, sun.child("net-net"))


def test_dead_path(lab):
    """Nothing is heard on the first uplink any more, and no link tells why: the second one is tried, and works."""
    second_uplink(lab)
    moon, sun = up(lab, moon={"dpd_delay": "1s"})
    child = moon.child("net-net")
    lab.net.nft("table ip dead {\n chain forward {\n type filter hook forward priority 0;\n"
                "ip saddr 10.81.1.2 drop\n ip daddr 10.81.1.2 drop\n }\n }\n")
    wait_at(moon, sun, "10.81.3.2", limit=20)
    moon.wait_log("path 10.81.3.2...10.81.2.2 works")
    same(moon, child)
    pings(moon, sun)


def test_behind_a_nat_and_back(lab):
    """Into a private net behind a NAT, a change of its mapping there, and out of it again."""
    lab.net.nft("table ip nat {\n chain post {\n type nat hook postrouting priority 100;\n"
                "ip saddr 10.81.9.0/24 oifname \"to-sun\" masquerade random\n }\n }\n")
    ip(lab, "gw", "addr add 10.81.9.1/24 dev to-moon")
    moon, sun = up(lab)
    child = moon.child("net-net")
    with Stream(moon, sun) as stream:
        ip(lab, "moon", "addr add 10.81.9.2/24 dev eth0", "addr del %s/24 dev eth0" % OUTER[4]["moon"],
           "route replace 10.81.0.0/16 via 10.81.9.1")
        wait_at(moon, sun, "10.81.9.2", seen="10.81.2.1")
        stream.goes_on()
        assert sun.sas("net")[0][1].get("nat-remote") == "yes"
        ip(lab, "moon", "addr add %s/24 dev eth0" % OUTER[4]["moon"], "addr del 10.81.9.2/24 dev eth0",
           "route replace 10.81.0.0/16 via 10.81.1.1")
        wait_at(moon, sun, OUTER[4]["moon"])
        stream.goes_on()
    same(moon, child)
    assert sun.sas("net")[0][1]["remote-port"] == "4500"


def test_nat_forgets(lab):
    """The NAT gives us another port: our own probe shows it, and sun follows."""
    lab.net.nft("table ip nat {\n chain post {\n type nat hook postrouting priority 100;\n"
                "ip saddr 10.81.1.2 udp sport { 500, 4500 } oifname \"to-sun\" masquerade to :20000-20999\n }\n }\n")
    moon, sun = up(lab, moon={"dpd_delay": "1s"})
    child = moon.child("net-net")
    assert 20000 <= int(sun.sas("net")[0][1]["remote-port"]) < 21000
    lab.net.nft("flush table ip nat\ntable ip nat {\n chain post {\n type nat hook postrouting priority 100;\n"
                "ip saddr 10.81.1.2 udp sport { 500, 4500 } oifname \"to-sun\" masquerade to :30000-30999\n }\n }\n")
    run("conntrack", "-F", ns=lab.net.ns("gw"))
    wait_until(lambda: 30000 <= int(sun.sas("net")[0][1]["remote-port"]) < 31000, 15, lambda: "sun follows:\n" + moon.tail() + sun.tail())
    same(moon, child)
    pings(moon, sun)


def test_to_ipv6_and_back(lab):
    """sun told both its addresses: moon goes on with the family that it still has."""
    moon, sun = up(lab)
    child = moon.child("net-net")
    with Stream(moon, sun) as stream:
        ip(lab, "moon", "addr del %s/24 dev eth0" % OUTER[4]["moon"])
        wait_at(moon, sun, OUTER[6]["moon"], OUTER[6]["sun"])
        stream.goes_on()
        ip(lab, "moon", "addr add %s/24 dev eth0" % OUTER[4]["moon"], "route replace 10.81.0.0/16 via 10.81.1.1",
           "addr del %s/64 dev eth0" % OUTER[6]["moon"])
        wait_at(moon, sun, OUTER[4]["moon"])
        stream.goes_on()
    same(moon, child)


def test_responder_gets_another_address(lab):
    """sun may not move the tunnel, but says where it is; moon goes there."""
    moon, sun = up(lab)
    child = moon.child("net-net")
    run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries", ns=lab.net.ns("sun"))
    with Stream(moon, sun) as stream:
        ip(lab, "sun", "addr add 10.81.2.77/24 dev eth0", "addr del %s/24 dev eth0" % OUTER[4]["sun"])
        wait_at(moon, sun, OUTER[4]["moon"], "10.81.2.77")
        stream.goes_on()
    same(moon, child)


def test_without_mobike(lab):
    """What cannot be moved is set up anew from where we are."""
    moon, sun = up(lab, moon={"mobike": "no"})
    child = moon.child("net-net")
    renumber(lab, OUTER[4]["moon"], MOVED[4])
    wait_until(lambda: place(moon)[0] == MOVED[4] and moon.child("net-net")["spi-in"] != child["spi-in"], 15,
               lambda: "a new IKE_SA:\n" + moon.tail())
    wait_until(lambda: place(sun)[1] == MOVED[4], what=lambda: "the old one is gone:\n" + sun.tail())
    pings(moon, sun)


def test_roam_events_off(lab):
    """Nothing is done by itself."""
    moon, _ = up(lab, {"plugins": {"kernel-netlink": {"roam_events": "no"}}})
    renumber(lab, OUTER[4]["moon"], MOVED[4])
    assert moon.ping(count=1, limit=1) == 0
    assert place(moon)[0] == OUTER[4]["moon"] and not moon.logged("moves from")
