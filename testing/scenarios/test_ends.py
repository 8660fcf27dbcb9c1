# SPDX-License-Identifier: Apache-2.0
"""Gateways end in the midst of things: in their time, with exit status 0, and nothing of them stays."""
import json
import os
import signal
import subprocess

import pytest

from lab import conf
from lab.net import other
from lab.pki import Pki
from lab.run import PATIENCE, in_ns, run, wait_until
from lab.web import ADDRESS, Web

TUNNELS = 50
OPEN = {"block_threshold": 0, "cookie_threshold": 0, "cookie_threshold_ip": 0}


def traces(ns):
    """What a daemon changes of a system, and who is at work there."""
    links = json.loads(run("ip", "-j", "addr", "show", ns=ns).stdout)
    found = {"address of %s: %s" % (link["ifname"], a["local"]) for link in links for a in link["addr_info"]}
    found |= {"device " + link["ifname"] for link in links}
    for version in ("-4", "-6"):
        found |= {"rule " + line for line in run("ip", version, "rule", "show", ns=ns).stdout.splitlines()}
        found |= {"route " + line for line in run("ip", version, "route", "show", "table", "220", ns=ns, check=False).stdout.splitlines()}
    found |= {"policy " + line for line in run("ip", "xfrm", "policy", ns=ns, check=False).stdout.splitlines()}
    return found | {"process " + pid for pid in run("ip", "netns", "pids", ns).stdout.split()}


def inside(side, number):
    return "10.%d.%d.0/24" % (91 if side == "moon" else 92, number)


class Clients:
    """swanctl that waits for the end of a command, or of the daemon."""

    def __init__(self, gateway):
        self.gateway, self.processes = gateway, []

    def start(self, *args):
        with open(self.gateway.path("clients"), "ab") as out:
            self.processes.append(subprocess.Popen(
                [self.gateway.swanctl_program(), *args, "--uri", "unix://" + self.gateway.path("vici")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(os.environ, **self.gateway.env())))

    def wait(self):
        for process in self.processes:
            assert process.wait(20 * PATIENCE) >= 0, process.args

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def ends(lab):
    """end(gateway...): all at once, and nothing stays."""
    before = {}
    for side in ("moon", "sun"):
        before[side] = traces(lab.net.ns(side))

    def end(*gateways):
        for gateway in gateways:
            gateway.signal(signal.SIGTERM)
        for gateway in gateways:
            gateway.stop()
        for gateway in gateways:
            assert traces(gateway.ns) - before[gateway.side] == set()
            assert not os.path.exists(gateway.path("vici")) and not os.path.exists(gateway.path("pid"))
    return end


def test_while_crls_are_waited_for(lab, ends):
    """All tunnels wait for a server that does not answer; clients wait for tunnels, for events, and for lines of the log."""
    pki = Pki("--crl=http://%s:8080/" % ADDRESS)
    for name in ("moon.test", "sun.test"):
        pki.cert(name, "--crl=http://%s:8080/" % ADDRESS)
    web = Web(lab.net)
    web.mode = "hang"
    try:
        for side in ("moon", "sun"):
            number = TUNNELS if side == "moon" else 1
            made = lab.gateway(side, {"connections": {"t%d" % n: conf.connection(side, {"c%d" % n: conf.net_child(side)}, unique="never", **{
                "local": {"auth": "pubkey", "certs": side + ".test.pem"},
                "remote": {"auth": "pubkey", "revocation": "strict" if side == "sun" else "relaxed"}}) for n in range(number)}},
                dict(OPEN, plugins={"revocation": {"timeout": "60s"}}))
            pki.give(made, side + ".test")
            made.start()
        moon, sun = lab.gateways
        with Clients(moon) as ours, Clients(sun) as theirs:
            for n in range(3):
                ours.start("--initiate", "--child", "c%d" % n, "--timeout", "60")
            with moon.vici() as client:
                for n in range(3, TUNNELS):
                    client.request("initiate", {"child": "c%d" % n, "timeout": "-1"})
            for clients in (ours, theirs):
                clients.start("--monitor-sa")
                clients.start("--log")
            wait_until(lambda: web.asked and len(sun.sas()) == TUNNELS and len(moon.sas()) == TUNNELS, 30, "all wait")
            sun.signal(signal.SIGHUP)
            ends(sun, moon)
            ours.wait()
            theirs.wait()
    finally:
        web.close()


def test_while_all_is_rekeyed(lab, ends):
    """A shunt, updown scripts, and each tunnel rekeyed every second or two, from both sides."""
    for side in ("moon", "sun"):
        connections, secrets = {}, {}
        for n in range(TUNNELS):
            child = {"local_ts": inside(side, n), "remote_ts": inside(other(side), n), "esp_proposals": "aes128gcm16-x25519",
                     "rekey_time": "2s", "life_time": "60s", "rand_time": "1s", "updown": "true"}
            over = {"local": {"auth": "psk", "id": "%s%d.test" % (side, n)}, "remote": {"auth": "psk", "id": "%s%d.test" % (other(side), n)}}
            connections["t%d" % n] = conf.connection(side, {"c%d" % n: child}, rekey_time="3s", over_time="60s", rand_time="1s", **over)
            secrets["ike-%d" % n] = {"id-1": "moon%d.test" % n, "id-2": "sun%d.test" % n, "secret": "secret number %d" % n}
        connections["shunt"] = {"children": {"pass": {"mode": "pass", "start_action": "trap", "local_ts": "10.93.0.0/24",
                                                      "remote_ts": "10.93.1.0/24"}}}
        lab.gateway(side, {"connections": connections, "secrets": secrets}, OPEN).start()
    moon, sun = lab.gateways
    with moon.vici() as client:
        for n in range(TUNNELS):
            client.request("initiate", {"child": "c%d" % n, "timeout": "-1"})
    for gateway in lab.gateways:
        wait_until(lambda: gateway.log().count("rekeyed") >= TUNNELS, 30, lambda: "all is rekeyed:\n" + gateway.tail())
    with Clients(moon) as clients:
        clients.start("--monitor-sa")
        ends(moon, sun)
        clients.wait()
