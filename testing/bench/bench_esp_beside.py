#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ESP in user space, Bewick beside strongSwan (kernel-libipsec), in the same network, one after the other, repeatedly.

    testing/bench/bench_esp_beside.py [ROUNDS]        (root; BEWICK_BUILD=the build, default build/)

One TCP flow through a tunnel between two namespaces, AES-128-GCM: throughput, CPU time of both daemons per packet,
and the ratios. Packets are those of the ESP SAs, about 1,400 bytes in the direction of the data.
"""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenarios"))

from lab.fixtures import Lab  # noqa: E402
from lab.gateway import Bewick, Strongswan  # noqa: E402
from lab.net import inner  # noqa: E402
from lab.run import socket_in  # noqa: E402

SECONDS = 3


def cpu(gateway):
    """Seconds of CPU of the daemon with all its threads."""
    with open("/proc/%d/stat" % gateway.process.pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flow(moon, sun):
    """Bytes that arrived in SECONDS."""
    import socket
    listener = socket_in(sun.ns, socket.AF_INET, socket.SOCK_STREAM)
    sender = socket_in(moon.ns, socket.AF_INET, socket.SOCK_STREAM)
    with listener, sender:
        listener.bind((inner("sun"), 0))
        listener.listen(1)
        sender.bind((inner("moon"), 0))
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        pid = os.fork()
        if pid == 0:  # the sender has a process of its own
            data = bytes(1 << 18)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                sender.sendall(data)
            os._exit(0)
        sender.close()
        total, buffer = 0, bytearray(1 << 20)
        start = time.monotonic()
        while True:
            n = receiver.recv_into(buffer)
            if not n:
                break
            total += n
        took = time.monotonic() - start
        os.waitpid(pid, 0)
        receiver.close()
    return total, took


def measure(kind):
    lab = Lab()
    try:
        moon, sun = lab.pair(kinds=(kind, kind))
        moon.initiate("net-net")
        sun.wait_children(1)
        before = cpu(moon) + cpu(sun)
        total, took = flow(moon, sun)
        spent = cpu(moon) + cpu(sun) - before
        packets = sum(int(moon.child("net-net")[key]) for key in ("packets-in", "packets-out"))
        return total * 8 / took / 1e6, spent / packets * 1e6
    finally:
        for problem in lab.close():
            print(problem, file=sys.stderr)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    results = {Bewick: [], Strongswan: []}
    for _ in range(rounds):
        for kind, found in results.items():
            found.append(measure(kind))
            print("%-10s %7.0f Mbit/s  %5.2f us of CPU per packet, both ends" % (kind.kind, *found[-1]), flush=True)
    ours, theirs = ([statistics.median(column) for column in zip(*results[kind])] for kind in (Bewick, Strongswan))
    print("throughput: %.2f x strongSwan's user-space ESP; CPU per packet: %.2f x" %
          (ours[0] / theirs[0], ours[1] / theirs[1]))


if __name__ == "__main__":
    main()
