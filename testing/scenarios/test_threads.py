# SPDX-License-Identifier: Apache-2.0
"""kernel-userland with several threads: flows of one tunnel by several queues of the device."""
import glob
import os
import re
import select
import socket
import struct

from lab.net import inner
from lab.run import socket_in

UDP_SEGMENT = 103
FLOWS, ROUNDS, BURST = 24, 20, 2  # a burst of all fits into a receiver's buffer


def outbound(gateway):
    """How often each thread that sends has slept until there was something."""
    counts = {}
    for path in glob.glob("/proc/%d/task/*/status" % gateway.process.pid):
        with open(path, encoding="ascii") as f:
            status = f.read()
        name = re.search(r"Name:\s+(bewick-esp-o\S+)", status)
        if name:
            counts[name[1]] = int(re.search(r"voluntary_ctxt_switches:\s+(\d+)", status)[1])
    return counts


def test_flows_keep_their_order(lab):
    """Many flows one way, which the device spreads: nothing is lost, each is in order, all threads take part."""
    moon, sun = lab.pair(settings={"kernel": "userland", "plugins": {"kernel-userland": {"threads": 3}}})
    moon.wait_log(r"ESP in user space on .* 3 pair\(s\) of threads")
    moon.initiate("net-net")
    sun.wait_children(1)
    before = outbound(moon)
    assert sorted(before) == ["bewick-esp-o0", "bewick-esp-o1", "bewick-esp-o2"]
    with socket_in(sun.ns, socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((inner("sun"), 0))
        senders = []
        for _ in range(FLOWS):
            senders.append(socket_in(moon.ns, socket.AF_INET, socket.SOCK_DGRAM))
            senders[-1].bind((inner("moon"), 0))
            senders[-1].connect(receiver.getsockname())
        flow_of = {sender.getsockname()[1]: i for i, sender in enumerate(senders)}
        following = [0] * FLOWS
        for number in range(ROUNDS):
            for i in range(BURST):
                for sender in senders:
                    sender.send(struct.pack("!I", number * BURST + i) + bytes(800))
            for _ in range(FLOWS * BURST):
                assert select.select([receiver], [], [], 60)[0], "packets are lost: %s" % following
                data, peer = receiver.recvfrom(2000)
                flow = flow_of[peer[1]]
                assert struct.unpack("!I", data[:4])[0] == following[flow]
                following[flow] += 1
        for sender in senders:
            sender.close()
    after = outbound(moon)
    assert all(after[name] > before[name] for name in before), (before, after)
    moon.tcp()
    sun.tcp()


def test_datagrams_in_runs(lab):
    """Datagrams of one flow, one behind the other: the device may take them as one, and gives them as they were."""
    moon, sun = lab.pair(settings={"kernel": "userland"})
    moon.initiate("net-net")
    sun.wait_children(1)
    with socket_in(sun.ns, socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
            socket_in(moon.ns, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.bind((inner("sun"), 0))
        sender.bind((inner("moon"), 0))
        sender.connect(receiver.getsockname())
        for size in (1, 100, 700, 1300):
            # a piece (UDP_SEGMENT) with a short end, and datagrams one by one
            data = os.urandom(20 * size + size // 2)
            sent = [data[at:at + size] for at in range(0, len(data), size)]
            sender.sendmsg([data], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))])
            for one in sent:
                sender.send(one)
            for i, want in enumerate(sent + sent):
                assert select.select([receiver], [], [], 60)[0], "datagram %d of %d bytes is lost" % (i, size)
                assert receiver.recv(4000) == want
