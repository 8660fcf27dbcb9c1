# SPDX-License-Identifier: Apache-2.0
"""The router as a NAT: what a side sends to the other one comes from the router's address, from ports of a range."""
from .net import other
from .run import run


class Nat:
    """timeout: seconds without a packet after which a mapping is forgotten; both: ports of IKE and of NAT-T, and ESP's."""

    def __init__(self, net, side="moon", ports=10000, timeout=None):
        self.net, self.side, self.to = net, side, "to-" + other(side)
        if timeout:
            for name in ("udp_timeout", "udp_timeout_stream"):
                run("sh", "-c", "echo %d >/proc/sys/net/netfilter/nf_conntrack_%s" % (timeout, name), ns=net.ns("gw"))
        self.block()
        number = 2 if side == "moon" else 1
        self.outside = {4: "10.81.%d.1" % number, 6: "fd81:%d::1" % number}
        self.rebind(ports)

    def block(self):
        """Nothing comes in but answers: who is behind it cannot be called."""
        self.net.nft('table inet natbox {\n chain forward {\n type filter hook forward priority 10;\n }\n}\n'
                     'add rule inet natbox forward iifname "%s" ct state new counter drop\n'
                     'add rule inet natbox forward iifname "to-%s" udp length 9 counter comment "keepalives"\n' %
                     (self.to, self.side))

    def masquerade(self, ports):
        text = ""
        for family in ("ip", "ip6"):
            text += ("table %s nat {\n chain post {\n type nat hook postrouting priority 100;\n }\n}\n"
                     "flush chain %s nat post\n"
                     'add rule %s nat post oifname "%s" meta l4proto udp masquerade to :%s\n' %
                     (family, family, family, self.to, ports))
        self.net.nft(text)

    def rebind(self, ports):
        """All mappings are forgotten, and new ones get ports of another range."""
        self.masquerade("%d-%d" % (ports, ports + 99))
        self.forget()

    def forget(self):
        run("conntrack", "-F", ns=self.net.ns("gw"))

    def mappings(self):
        """Lines of conntrack about NAT-T."""
        return [line for family in ("ipv4", "ipv6") for line in
                run("conntrack", "-L", "-f", family, "-p", "udp", "--orig-port-dst", "4500",
                    ns=self.net.ns("gw")).stdout.splitlines()]

    def keepalives(self):
        text = run("nft", "list", "chain", "inet", "natbox", "forward", ns=self.net.ns("gw")).stdout
        line, = [line for line in text.splitlines() if "keepalives" in line]
        return int(line.split("packets")[1].split()[0])


class OldNat(Nat):
    """The same, of IPv4, where the kernel has no nftables."""

    def _tables(self, *args):
        return run("iptables-legacy", "-w", *args, ns=self.net.ns("gw")).stdout

    def block(self):
        self._tables("-A", "FORWARD", "-i", self.to, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")
        self._tables("-A", "FORWARD", "-i", "to-" + self.side, "-p", "udp", "-m", "length", "--length", "29")

    def masquerade(self, ports):
        self._tables("-t", "nat", "-F", "POSTROUTING")
        self._tables("-t", "nat", "-A", "POSTROUTING", "-o", self.to, "-p", "udp", "-j", "MASQUERADE", "--to-ports", ports)

    def keepalives(self):
        line, = [line for line in self._tables("-vnxL", "FORWARD").splitlines() if "length 29" in line]
        return int(line.split()[0])
