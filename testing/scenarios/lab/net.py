# SPDX-License-Identifier: Apache-2.0
"""The network of a test: two gateways, a router between them, a private net behind each.

    moon 10.81.1.2 fd81:1::2 --- gw --- sun 10.81.2.2 fd81:2::2
    lan  10.82.1.1/24 fd82:1::1/64          10.82.2.1/24 fd82:2::1/64
         10.83.1.1/24, 10.84.1.1/24         10.83.2.1/24, 10.84.2.1/24   (for more children)

The private nets are addresses on a bridge without ports. Nothing is routed between them:
what arrives came through a tunnel.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys

from .run import run, wait_until

SIDES = ("moon", "sun")
OUTER = {4: {"moon": "10.81.1.2", "sun": "10.81.2.2"}, 6: {"moon": "fd81:1::2", "sun": "fd81:2::2"}}


def other(side):
    return "sun" if side == "moon" else "moon"


def inner(side, version=4, net=0):
    """An address of the side's private net number `net`."""
    number = SIDES.index(side) + 1
    return "fd8%d:%d::1" % (2 + net, number) if version == 6 else "10.8%d.%d.1" % (2 + net, number)


def inner_net(side, version=4, net=0):
    number = SIDES.index(side) + 1
    return "fd8%d:%d::/64" % (2 + net, number) if version == 6 else "10.8%d.%d.0/24" % (2 + net, number)


def host_addr(side, version=4, net=0):
    """Of the host behind the side's gateway (Net.host)."""
    return inner(side, version, net) + "77"


class Rule:
    """A fault on the router: how many packets met it so far."""

    def __init__(self, net, comment):
        self.net, self.comment = net, comment

    def hits(self):
        text = run("nft", "-j", "list", "ruleset", ns=self.net.ns("gw")).stdout
        rules = [item["rule"] for item in json.loads(text)["nftables"] if "rule" in item]
        rules = [rule for rule in rules if rule.get("comment") == self.comment]
        assert rules, "no rule " + self.comment
        return sum(part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part)


class Net:
    EXCHANGES = {"IKE_SA_INIT": 34, "IKE_AUTH": 35, "CREATE_CHILD_SA": 36, "INFORMATIONAL": 37}

    def __init__(self, prefix):
        self.prefix = prefix
        self.rules = 0
        self.others = []
        self.cable = None
        self.down()
        for name in ("gw", *SIDES):
            run("ip", "netns", "add", self.ns(name))
            # no duplicate address detection: IPv6 can be used at once
            run("sh", "-c", "cd /proc/sys/net/ipv6/conf && echo 0 | tee all/accept_dad default/accept_dad "
                            "default/dad_transmits all/router_solicitations >/dev/null", ns=self.ns(name))
        self._cables()
        self._gateways()
        run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
            ns=self.ns("gw"))

    def ns(self, name):
        return "%s-%s" % (self.prefix, name)

    def _batch(self, name, *lines):
        run("ip", *(["-n", self.ns(name)] if name else []), "-b", "-", stdin="\n".join(lines) + "\n")

    def _cables(self):
        self._batch(None, *("link add eth0 netns %s type veth peer name to-%s netns %s" %
                            (self.ns(side), side, self.ns("gw")) for side in SIDES))
        self._batch("gw", "link set dev lo up", *(
            line for number, side in enumerate(SIDES, 1) for line in (
                "link set dev to-%s up" % side,
                "addr add 10.81.%d.1/24 dev to-%s" % (number, side),
                "addr add fd81:%d::1/64 dev to-%s nodad" % (number, side))))

    @staticmethod
    def _uplink(side):
        number = SIDES.index(side) + 1
        return ["link set dev eth0 up", "addr add %s/24 dev eth0" % OUTER[4][side],
                "addr add %s/64 dev eth0 nodad" % OUTER[6][side], "route add 10.81.0.0/16 via 10.81.%d.1" % number,
                "route add fd81::/16 via fd81:%d::1" % number]

    def _gateways(self):
        for side in SIDES:
            self._gateway(side)

    def _gateway(self, side):
        lines = ["link set dev lo up", "link add lan type bridge", "link set dev lan up", *self._uplink(side)]
        for net in range(3):
            lines += ["addr add %s/24 dev lan" % inner(side, 4, net), "addr add %s/64 dev lan nodad" % inner(side, 6, net)]
        self._batch(side, *lines)

    @contextlib.contextmanager
    def initial(self, side):
        """The side is in the initial namespace meanwhile (guests only); its gateway must have ended at the end."""
        name = self.ns(side)
        run("ip", "link", "set", "eth0", "netns", "1", ns=name)
        run("ip", "netns", "del", name)
        run("ip", "netns", "attach", name, "1")
        try:
            self._gateway(side)
            yield
        finally:
            # down() would end all that lives there
            run("ip", "netns", "del", name)
            for device in ("lan", "eth0"):
                run("ip", "link", "del", device, check=False)

    def more(self, name, prefix, like="moon"):
        """One more gateway on the router, at PREFIX.2, with the private nets of a side."""
        run("ip", "netns", "add", self.ns(name))
        self.others.append(name)
        self._batch(None, "link add eth0 netns %s type veth peer name to-%s netns %s" % (self.ns(name), name, self.ns("gw")))
        self._batch("gw", "link set dev to-%s up" % name, "addr add %s.1/24 dev to-%s" % (prefix, name))
        self._batch(name, "link set dev lo up", "link add lan type bridge", "link set dev lan up", "link set dev eth0 up",
                    "addr add %s.2/24 dev eth0" % prefix, "route add 10.81.0.0/16 via %s.1" % prefix,
                    *("addr add %s/24 dev lan" % inner(like, 4, net) for net in range(3)))

    def host(self, side):
        """A host in the private nets behind that side's gateway, which forwards for it; the name of its namespace. Its
        addresses are host_addr(side, version, net)."""
        name = "host-" + side
        run("ip", "netns", "add", self.ns(name))
        self.others.append(name)
        run("sh", "-c", "cd /proc/sys/net/ipv6/conf && echo 0 | tee all/accept_dad default/accept_dad "
                        "default/dad_transmits all/router_solicitations >/dev/null", ns=self.ns(name))
        self._batch(None, "link add eth0 netns %s type veth peer name to-host netns %s" % (self.ns(name), self.ns(side)))
        self._batch(side, "link set dev to-host master lan up")
        lines = ["link set dev lo up", "link set dev eth0 up"]
        for net in range(3):
            lines += ["addr add %s/24 dev eth0" % host_addr(side, 4, net), "addr add %s/64 dev eth0 nodad" % host_addr(side, 6, net)]
        self._batch(name, *lines, "route add default via %s" % inner(side), "route add ::/0 via %s" % inner(side, 6))
        run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding", ns=self.ns(side))
        return self.ns(name)

    # ---- faults ------------------------------------------------------------------------------

    def nft(self, text):
        run("nft", "-f", "-", ns=self.ns("gw"), stdin=text)

    def drop(self, exchange=None, response=None, sender=None, first=None, esp=False):
        """Drops IKE messages (all unless narrowed), or ESP in UDP; `first`: only so many of them."""
        matches = []
        if sender:
            matches.append('iifname "to-%s"' % sender)
        if esp:
            matches.append("udp dport 4500 @th,64,32 != 0")
        limit = "numgen inc mod 1000000 < %d " % first if first is not None else ""
        chosen = []
        for port, marker, base in ((500, "", 64), (4500, "@th,64,32 0 ", 96)):
            if esp:
                break
            match = "udp dport %d %s" % (port, marker)
            if exchange:
                match += "@th,%d,8 %d " % (base + 18 * 8, self.EXCHANGES[exchange])
            if response is not None:
                match += "@th,%d,8 & 0x20 == 0x%02x " % (base + 19 * 8, 0x20 if response else 0)
            # IKE_SA_INIT is on 500, all else on 4500 once NAT was seen; a limit can count on one port only
            if limit and exchange and (port == 500) != (exchange == "IKE_SA_INIT"):
                continue
            chosen.append(match)
        self.rules += 1
        comment = "fault %d" % self.rules
        # one line for each brace: nft 1.0.6 wants it so
        self.nft("table inet faults {\n chain forward {\n type filter hook forward priority 0;\n }\n }\n" + "".join(
            'add rule inet faults forward %s %s %s counter drop comment "%s"\n' %
            (" ".join(matches), match, limit, comment) for match in chosen or [""]))
        return Rule(self, comment)

    def count(self, match):
        """Only counts packets that match."""
        self.rules += 1
        comment = "count %d" % self.rules
        self.nft("table inet counts {\n chain forward {\n type filter hook forward priority 0;\n }\n }\n"
                 'add rule inet counts forward %s counter comment "%s"\n' % (match, comment))
        return Rule(self, comment)

    def narrow(self, size):
        """Drops IP datagrams above `size` bytes, and all IP fragments, as a bad path does."""
        self.rules += 1
        comment = "fault %d" % self.rules
        # before the kernel would put fragments together again
        self.nft("table inet narrow {\n chain pre {\n type filter hook prerouting priority -450;\n }\n }\n" + "".join(
            'add rule inet narrow pre %s counter drop comment "%s"\n' % (match, comment) for match in
            ("meta l4proto udp meta length > %d" % size, "ip frag-off & 0x3fff != 0", "exthdr frag exists")))
        return Rule(self, comment)

    def duplicate(self, to):
        """Every IKE and ESP datagram (IPv4) to that side arrives twice."""
        self.nft("table ip twice_%s {\n chain pre {\n type filter hook prerouting priority 0;\n"
                 "ip daddr %s udp dport { 500, 4500 } dup to %s device \"to-%s\"\n }\n }\n" %
                 (to, OUTER[4][to], OUTER[4][to], to))

    def spoil(self, side, **settings):
        """The cable of a side loses, repeats and reorders from now on (lab/cable.py); before its gateway is started."""
        number = SIDES.index(side) + 1
        self._batch("gw", "link del to-" + side)
        words = ["%s=%s" % item for item in settings.items()]
        self.cable = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "cable.py"), self.ns("gw"),
             "to-" + side, self.ns(side), "eth0", *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.cable.stdout.readline() == b"ready\n"
        self._batch("gw", "link set dev to-%s up" % side, "addr add 10.81.%d.1/24 dev to-%s" % (number, side),
                    "addr add fd81:%d::1/64 dev to-%s nodad" % (number, side))
        self._batch(side, *self._uplink(side))

    def heal(self):
        self.nft("flush ruleset\n")

    # ---- the end -----------------------------------------------------------------------------

    def down(self):
        """Ends what still lives in our namespaces, and removes them."""
        if self.cable:
            self.cable.kill()
            self.cable.wait()
            self.cable.stdout.close()
            self.cable = None
        for name in ("gw", *SIDES, *self.others):
            pids = run("ip", "netns", "pids", self.ns(name), check=False).stdout.split()
            for pid in pids:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if pids:
                wait_until(lambda n=name: not run("ip", "netns", "pids", self.ns(n), check=False).stdout.split())
            run("ip", "netns", "del", self.ns(name), check=False)
