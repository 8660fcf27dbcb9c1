#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ESP in user space, Bewick beside strongSwan (kernel-libipsec) and, if it is installed, wireguard-go, in the same network, one after
the other, repeatedly.

    testing/bench/bench_esp_beside.py [ROUNDS]        (root; BEWICK_BUILD=the build, default build/)

One TCP flow and four, through a tunnel between two namespaces, AES-128-GCM (WireGuard: ChaCha20-Poly1305): throughput, CPU time of both
daemons per packet of 1,400 bytes, the ratios, and the rate of bare AES-GCM on one core.
"""
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenarios"))

from lab.fixtures import Lab  # noqa: E402
from lab.gateway import Bewick, Strongswan  # noqa: E402
from lab.net import OUTER, SIDES, inner, inner_net, other  # noqa: E402
from lab.run import BUILD, in_ns, run, socket_in, wait_until  # noqa: E402

SECONDS = 3
PACKET = 1400


def cpu(gateway):
    """Seconds of CPU of the daemon with all its threads."""
    with open("/proc/%d/stat" % gateway.process.pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(sender):
    data = bytes(1 << 18)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        sender.sendall(data)


def receive(receivers):
    """Bytes that came until all senders have ended."""
    total, buffer = 0, bytearray(1 << 20)
    import selectors
    with selectors.DefaultSelector() as chosen:
        for receiver in receivers:
            chosen.register(receiver, selectors.EVENT_READ)
        while chosen.get_map():
            for key, _ in chosen.select():
                n = key.fileobj.recv_into(buffer)
                total += n
                if not n:
                    chosen.unregister(key.fileobj)
                    key.fileobj.close()
    return total


def flow(ns_moon, ns_sun, flows):
    """Bytes that arrived in the time, seconds. Senders and receiver have processes of their own."""
    pairs = []
    with socket_in(ns_sun, socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((inner("sun"), 0))
        listener.listen(flows)
        for _ in range(flows):
            sender = socket_in(ns_moon, socket.AF_INET, socket.SOCK_STREAM)
            sender.bind((inner("moon"), 0))
            sender.connect(listener.getsockname())
            pairs.append((sender, listener.accept()[0]))
    start = time.monotonic()
    pids = []
    for sender, _ in pairs:
        pid = os.fork()
        if pid == 0:
            for mine, theirs in pairs:
                theirs.close()
                if mine is not sender:
                    mine.close()
            send(sender)
            os._exit(0)
        pids.append(pid)
    for sender, _ in pairs:
        sender.close()
    total = receive([theirs for _, theirs in pairs])
    took = time.monotonic() - start
    for pid in pids:
        os.waitpid(pid, 0)
    return total, took


class Wireguard:
    """wireguard-go on one side."""
    kind = "wireguard"

    def __init__(self, net, side, folder):
        self.net, self.side, self.dir, self.ns = net, side, folder, net.ns(side)
        self.key = run("wg", "genkey").stdout.strip()
        self.public = run("wg", "pubkey", stdin=self.key).stdout.strip()
        self.device = "wg-%d" % SIDES.index(side)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(in_ns(self.ns, ["wireguard-go", "-f", self.device]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: run("wg", "show", self.device, ns=self.ns, check=False).returncode == 0, 10, "wireguard-go")

    def join(self, peer):
        text = ("[Interface]\nPrivateKey = %s\nListenPort = 51820\n[Peer]\nPublicKey = %s\nAllowedIPs = 0.0.0.0/0\nEndpoint = %s:51820\n" %
                (self.key, peer.public, OUTER[4][other(self.side)]))
        run("wg", "setconf", self.device, "/dev/stdin", ns=self.ns, stdin=text)
        run("ip", "link", "set", "mtu", str(PACKET), "up", "dev", self.device, ns=self.ns)
        run("ip", "route", "add", inner_net(other(self.side)), "dev", self.device, "src", inner(self.side), ns=self.ns)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def pair(lab, kind):
    if kind is Wireguard:
        made = [Wireguard(lab.net, side, lab.dir) for side in SIDES]
        for side in made:
            side.start()
        for side, peer in zip(made, reversed(made)):
            side.join(peer)
        return made
    made = lab.pair(kinds=(kind, kind))
    made[0].initiate("net-net")
    made[1].wait_children(1)
    return made


def measure(kind, flows):
    """Mbit/s, and microseconds of CPU for as much data as a packet has."""
    lab = Lab()
    made = []
    try:
        made = pair(lab, kind)
        before = sum(cpu(gateway) for gateway in made)
        total, took = flow(made[0].ns, made[1].ns, flows)
        spent = sum(cpu(gateway) for gateway in made) - before
        return total * 8 / took / 1e6, spent / (total / (PACKET - 52)) * 1e6
    finally:
        for gateway in made if kind is Wireguard else ():
            gateway.stop()
        for problem in lab.close():
            print(problem, file=sys.stderr)


def bare():
    """Mbit/s of sealing packets of that size alone, by the same library."""
    text = run(os.path.join(BUILD, "bench_esp"), "crypto", limit=60).stdout if os.path.exists(os.path.join(BUILD, "bench_esp")) else ""
    found = re.search(r"\b%d bytes: bare .*?([0-9.]+) Gbit/s" % PACKET, text)
    return float(found.group(1)) * 1000 if found else None


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    kinds = [Bewick, Strongswan] + ([Wireguard] if shutil.which("wireguard-go") and shutil.which("wg") else [])
    floor = bare()
    for flows in (1, 4):
        results = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, found in results.items():
                found.append(measure(kind, flows))
                print("%d flows  %-10s %7.0f Mbit/s  %5.2f us of CPU per packet, both ends" % (flows, kind.kind, *found[-1]), flush=True)
        medians = {kind: [statistics.median(column) for column in zip(*found)] for kind, found in results.items()}
        for kind in kinds[1:]:
            print("%d flows: throughput %.2f x that of %s; CPU per packet: %.2f x" %
                  (flows, medians[Bewick][0] / medians[kind][0], kind.kind, medians[Bewick][1] / medians[kind][1]))
        if floor:
            print("%d flows: throughput %.2f x bare AES-GCM on one core (%.0f Mbit/s)" % (flows, medians[Bewick][0] / floor, floor))


if __name__ == "__main__":
    main()
