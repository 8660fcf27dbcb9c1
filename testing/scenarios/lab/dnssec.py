# SPDX-License-Identifier: Apache-2.0
"""Signed zones on nsd, on the router: the zone lab.test below the zone test, whose key is the trust anchor."""
import os
import re
import subprocess
import time

from .run import in_ns, run, wait_until

CONF = """server:
  ip-address: 10.81.1.1
  username: ""
  zonesdir: "%(dir)s"
  database: ""
  pidfile: "%(dir)s/nsd.pid"
  xfrdfile: "%(dir)s/xfrd.state"
  zonelistfile: "%(dir)s/zone.list"
  xfrdir: "%(dir)s"
remote-control:
  control-enable: no
"""
HEAD = "$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 10.81.1.1\n"


def _stamp(seconds):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + seconds))


class Dnssec:
    """Files: anchor.key, resolv.conf. `records` are lines for the zone lab.test."""

    def __init__(self, net, folder, records, signed=True, delegated=True, expires=86400, alter=None):
        """expires: of the zone's signatures, from now; alter: a function of the signed zone's text"""
        os.makedirs(folder)
        self.dir, self.net = folder, net
        self.keys = {}
        below = self._zone("lab.test", records, signed, expires, alter)
        self._zone("test", "lab IN NS ns\n" + (self._ds("lab.test") if delegated else ""), True, 86400, None)
        with open(self.path("nsd.conf"), "w", encoding="ascii") as f:
            f.write(CONF % {"dir": folder} + "".join('zone:\n  name: "%s"\n  zonefile: "%s"\n' % item for item in (
                ("lab.test", below), ("test", "test.signed"))))
        with open(self.path("resolv.conf"), "w", encoding="ascii") as f:
            f.write("nameserver 10.81.1.1\n")
        os.rename(self.path(self.keys["test"] + ".key"), self.path("anchor.key"))
        ns = net.ns("gw")
        self.process = subprocess.Popen(in_ns(ns, ["nsd", "-d", "-c", self.path("nsd.conf")]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: run("ss", "-Hlun", "sport = :53", ns=ns).stdout, 10, "the name server")

    def path(self, name):
        return os.path.join(self.dir, name)

    def _tool(self, *args):
        return run("env", "-C", self.dir, *args).stdout.strip()

    def _ds(self, zone):
        if zone not in self.keys:
            return ""
        return self._tool("ldns-key2ds", "-n", "-2", self.keys[zone] + ".key") + "\n"

    def _zone(self, zone, records, signed, expires, alter):
        with open(self.path(zone), "w", encoding="ascii") as f:
            f.write("$ORIGIN %s.\n" % zone + HEAD + records)
        self.keys[zone] = self._tool("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone)
        if not signed:
            return zone
        self._tool("ldns-signzone", "-n", "-i", _stamp(min(expires, 0) - 3600), "-e", _stamp(expires), "-f", zone + ".signed", zone,
                   self.keys[zone])
        if alter:
            with open(self.path(zone + ".signed"), encoding="ascii") as f:
                text = alter(f.read())
            with open(self.path(zone + ".signed"), "w", encoding="ascii") as f:
                f.write(text)
        return zone + ".signed"

    def settings(self):
        return {"plugins": {"ipseckey": {"enable": True},
                            "unbound": {"trust_anchors": self.path("anchor.key"), "resolv_conf": self.path("resolv.conf")}}}

    def close(self):
        self.process.kill()
        self.process.wait()


def other_key(text):
    """Exchanges the key in the IPSECKEY record; its signature stays."""
    changed = re.sub(r"(IPSECKEY\s+\d+ \d+ \d+ \. )(\S+)", lambda m: m.group(1) + m.group(2)[:8] + "AAAA" + m.group(2)[12:], text)
    assert changed != text
    return changed
