# SPDX-License-Identifier: Apache-2.0
"""The router as a NAT: what a side sends to the other one comes from the router's address, from ports of a range."""
from .net import other
from .run import run


class Nat:
    """timeout: seconds without a packet after which a mapping is forgotten; both: ports of IKE and of NAT-T, and ESP's."""

    def __init__(self, net, side="moon", ports=10000, timeout=None):
        self.net, self.side = net, side
        if timeout:
            for name in ("udp_timeout", "udp_timeout_stream"):
                run("sh", "-c", "echo %d >/proc/sys/net/netfilter/nf_conntrack_%s" % (timeout, name), ns=net.ns("gw"))
        # nothing comes in but answers: who is behind it cannot be called
        net.nft('table inet natbox {\n chain forward {\n type filter hook forward priority 10;\n }\n}\n'
                'add rule inet natbox forward iifname "to-%s" ct state new counter drop\n'
                'add rule inet natbox forward iifname "to-%s" udp length 9 counter comment "keepalives"\n' %
                (other(side), side))
        self.outside = {4: "10.81.%d.1" % (2 if side == "moon" else 1), 6: "fd81:%d::1" % (2 if side == "moon" else 1)}
        self.rebind(ports)

    def rebind(self, ports):
        """All mappings are forgotten, and new ones get ports of another range."""
        text = ""
        for family, timed in (("ip", "ip"), ("ip6", "ip6")):
            text += ("table %s nat%s {\n chain post {\n type nat hook postrouting priority 100;\n }\n}\n"
                     "flush chain %s nat%s post\n"
                     'add rule %s nat%s post oifname "to-%s" meta l4proto udp masquerade to :%d-%d\n' %
                     (family, timed, family, timed, family, timed, other(self.side), ports, ports + 99))
        self.net.nft(text)
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
