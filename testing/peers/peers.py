# SPDX-License-Identifier: Apache-2.0
"""Libreswan and OpenIKED as gateways of the lab; Bewick is moon, the peer is sun. Both need a kernel with ESP."""
import os
import re
import shutil
import subprocess
import threading

from lab import conf
from lab.gateway import Gateway
from lab.net import OUTER, inner, inner_net
from lab.run import in_ns, ping, run, wait_until

SECRET = conf.PSK
LONG_ID = "s" * 60 + (".%s" % ("u" * 60)) * 11 + ".test"  # makes messages that need fragments


class Peer(Gateway):
    """A daemon without a VICI socket. `config` is the text of its own configuration."""
    config_name = None

    def configure(self, config):
        with open(self.path(self.config_name), "w", encoding="utf-8") as f:
            f.write(config)
        os.chmod(self.path(self.config_name), 0o600)

    def settings_write(self):
        pass

    def env(self):
        return {}

    def launch(self, prefix=()):
        # policies match behind the routing: there must be a route
        run("ip", "route", "add", "10.82.0.0/15", "via", "10.81.2.1", ns=self.ns, check=False)
        return super().launch(prefix)

    def running(self):
        assert self.process.poll() is None, "%s ended with %d:\n%s" % (self.kind, self.process.returncode, self.tail())

    def esp_sas(self):
        """SPIs of the kernel's SAs, as (to us, from us)."""
        text = run("ip", "-o", "xfrm", "state", ns=self.ns).stdout
        ours = "dst " + OUTER[4][self.side]
        spis = [(re.search(r"spi 0x0*([0-9a-f]+)", line).group(1), ours in line)
                for line in text.splitlines() if "proto esp" in line]
        return {spi for spi, into in spis if into}, {spi for spi, into in spis if not into}

    def stop(self):
        self.process.terminate()
        self.wait(10)
        self.process = None


class Libreswan(Peer):
    kind, config_name = "libreswan", "ipsec.conf"
    programs = os.path.join(os.environ.get("BEWICK_LIBRESWAN", "/nowhere"), "usr/libexec/ipsec")
    p12 = None  # key, certificate and CAs; its password is "test"

    def command(self):
        if not os.path.exists("/usr/libexec/ipsec/pluto"):  # pluto looks for its programs there and nowhere else
            shutil.copytree(self.programs, "/usr/libexec/ipsec", dirs_exist_ok=True)
        for folder in ("nss", "run"):
            os.makedirs(self.path(folder), exist_ok=True)
        run("certutil", "-N", "-d", "sql:" + self.path("nss"), "--empty-password")
        if self.p12:
            self.import_p12()
        with open(self.path("ipsec.secrets"), "w", encoding="utf-8") as f:
            f.write(': PSK "%s"\n' % SECRET)
        return ["/usr/libexec/ipsec/pluto", "--nofork", "--config", self.path("ipsec.conf"), "--nssdir", self.path("nss"),
                "--rundir", self.path("run"), "--secretsfile", self.path("ipsec.secrets"), "--ipsecdir", self.dir,
                "--logfile", self.path("log"), "--no-dnssec"]

    def import_p12(self):
        """The certificate has the name that was given to it, its CAs are trusted."""
        nss = "sql:" + self.path("nss")
        run("pk12util", "-i", self.p12, "-d", nss, "-W", "test", "-K", "")
        for name in re.findall(r"^(.*\S) +,, *$", run("certutil", "-L", "-d", nss).stdout, re.M):
            run("certutil", "-M", "-d", nss, "-n", name, "-t", "CT,,")

    def control(self, program, *args, check=True, limit=30):
        return run("/usr/libexec/ipsec/" + program, "--ctlsocket", self.path("run/pluto.ctl"), *args, ns=self.ns,
                   check=check, limit=limit)

    def whack(self, *args, **more):
        return self.control("whack", *args, **more)

    def answers(self):
        self.running()
        return re.search(r"^000 interface .*500", self.whack("--status", check=False).stdout, re.M)

    def names(self):
        with open(self.path("ipsec.conf"), encoding="utf-8") as f:
            return re.findall(r"^conn +(\S+)", f.read(), re.M)

    def load(self):
        for name in self.names():
            self.control("addconn", "--config", self.path("ipsec.conf"), name)

    def states(self, kind):
        """Numbers of the SAs that are established: kind IKE or CHILD."""
        text = self.whack("--showstates").stdout
        return re.findall(r"^000 #(\d+): .*ESTABLISHED_%s_SA" % kind, text, re.M)

    def wait_states(self, ike, child, limit=15):
        wait_until(lambda: (len(self.states("IKE")), len(self.states("CHILD"))) == (ike, child), limit,
                   lambda: "%d IKE and %d CHILD SAs:\n%s\n%s" % (ike, child, self.whack("--showstates").stdout, self.tail()))

    @staticmethod
    def config(names=("net",), **over):
        """Text of ipsec.conf: a conn for each name, net number its place."""
        lines = ["config setup"]
        for number, name in enumerate(names):
            keys = {"ikev2": "insist", "authby": "secret", "auto": "add", "leftupdown": "%disabled",
                    "left": OUTER[4]["sun"], "leftid": "@sun.test", "leftsubnet": inner_net("sun", 4, number),
                    "right": OUTER[4]["moon"], "rightid": "@moon.test", "rightsubnet": inner_net("moon", 4, number),
                    "ike": "aes128-sha2_256-dh31", "esp": "aes_gcm128", **over}
            lines += ["conn " + name] + ["\t%s=%s" % (key.replace("_", "-"), value) for key, value in keys.items() if value]
        return "\n".join(lines) + "\n"


class Iked(Peer):
    """OpenIKED: ESP over PF_KEY, so no AES-GCM and no HMAC-SHA2-256 in it."""
    kind, config_name = "openiked", "iked.conf"
    CHILD = "aes256-sha512"

    def command(self):
        for folder in ("ca", "certs", "crls", "private", "pubkeys/ipv4", "pubkeys/ipv6", "pubkeys/fqdn", "pubkeys/ufqdn"):
            os.makedirs(self.path(folder), exist_ok=True)
        os.makedirs("/var/empty", exist_ok=True)
        key = self.path("private/local.key")
        if not os.path.exists(key):
            run("openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        run("openssl", "pkey", "-in", key, "-pubout", "-out", self.path("local.pub"))
        os.chmod(key, 0o600)
        # its own folder is /etc/iked in its own mount namespace
        return ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/iked && exec iked -dvv -s "$1/sock" -f "$1/iked.conf"', "-", self.dir]

    def launch(self, prefix=()):
        os.makedirs("/etc/iked", exist_ok=True)
        run("ip", "route", "add", "10.82.0.0/15", "via", "10.81.2.1", ns=self.ns, check=False)
        with open(self.path("log"), "ab") as out:
            self.process = subprocess.Popen(in_ns(self.ns, self.command()), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            cwd=self.dir)
        return self

    def answers(self):
        self.running()
        return os.path.exists(self.path("sock")) and run("ss", "-Hlun", "sport = :500", ns=self.ns).stdout

    def load(self):
        pass

    def ikectl(self, *args):
        return run("ikectl", "-s", self.path("sock"), *args, ns=self.ns).stdout

    @staticmethod
    def config(active=False, nets=1, srcid="sun.test", psk=SECRET, **over):
        """Text of iked.conf; every net is a selector pair of the one policy. psk None: certificates."""
        flows = " ".join("from %s to %s" % (inner_net("sun", 4, n), inner_net("moon", 4, n)) for n in range(nets))
        keys = {"child": "aes-256 auth hmac-sha2-512", "ikelifetime": None, "lifetime": None, **over}
        return ('set fragmentation\nikev2 "net" %s esp %s local %s peer %s ikesa enc aes-128 prf hmac-sha2-256 auth hmac-sha2-256 group curve25519 '
                'childsa enc %s noesn srcid %s dstid moon.test %s %s %s\n' %
                ("active" if active else "passive", flows, OUTER[4]["sun"], OUTER[4]["moon"], keys["child"], srcid,
                 "ikelifetime %s" % keys["ikelifetime"] if keys["ikelifetime"] else "",
                 "lifetime %s" % keys["lifetime"] if keys["lifetime"] else "", 'psk "%s"' % psk if psk else ""))


def start(lab, kind, moon=None, sun=None, settings=None, **over):
    """Bewick as moon and the peer as sun, both ready."""
    made = [lab.gateway("moon", moon if moon is not None else conf.gateway("moon", **over), settings),
            lab.gateway("sun", sun if sun is not None else kind.config(), None, kind)]
    # one after the other: a peer that begins by itself finds moon with its connections
    for gateway in made:
        gateway.launch()
        gateway.wait_ready()
        gateway.load()
    return made


def slow_cable(lab, ms):
    """Every packet takes that long in each direction."""
    for device in ("to-moon", "to-sun"):
        run("tc", "qdisc", "add", "dev", device, "root", "netem", "delay", "%dms" % ms, ns=lab.net.ns("gw"))


class sun_traffic:
    """Echo requests from moon to sun all the while; `lost` is what did not come back."""

    def __init__(self, moon, sun):
        self.moon, self.sun = moon, sun
        self.sent = self.lost = 0
        self.stop = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self):
        while not self.stop.is_set():
            back = ping(self.moon.ns, inner("sun"), inner("moon"), 1)
            self.sent, self.lost = self.sent + 1, self.lost + 1 - back

    def more(self, n):
        """Waits until n more were sent and answered, or not."""
        until = self.sent + n
        wait_until(lambda: self.sent >= until, 20, "traffic")

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(30)


def pings(gateway, peer, net=0, count=2):
    """From both sides; how many came back on the worse one."""
    there = ping(gateway.ns, inner(peer.side, 4, net), inner(gateway.side, 4, net), count)
    back = ping(peer.ns, inner(gateway.side, 4, net), inner(peer.side, 4, net), count)
    return min(there, back)
