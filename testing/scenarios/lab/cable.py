#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A cable between two namespaces that loses, repeats and reorders frames: two TAP devices and this process between them.

    cable.py NS-A DEVICE-A NS-B DEVICE-B [loss=0.2] [repeat=0.1] [reorder=0.2] [delay=MS] [seed=N] [control=FILE]

Says "ready" when both devices are there; the caller sets their addresses. A frame that is reordered waits `delay` ms (default 20)
longer than the others. Only IPv4 and IPv6 are harmed, so that the neighbours stay known. FILE, when it is written, is read: one setting a line.
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def tap(ns, device):
    there = os.open("/run/netns/" + ns, os.O_RDONLY)
    if libc.setns(there, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns " + ns)
    os.close(there)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Cable:
    def __init__(self, ends, settings):
        self.ends = {ends[0]: ends[1], ends[1]: ends[0]}
        self.settings = {"loss": 0.0, "repeat": 0.0, "reorder": 0.0, "delay": 20.0, "seed": 1, "control": None}
        self.late, self.number, self.read_at = [], 0, None
        for word in settings:
            self.set(word)
        self.random = random.Random(int(self.settings["seed"]))

    def set(self, word):
        key, value = word.split("=", 1)
        self.settings[key] = value if key == "control" else float(value)

    def look(self):
        """The settings may have changed."""
        path = self.settings["control"]
        if not path or not os.path.exists(path):
            return
        at = os.stat(path).st_mtime_ns
        if at != self.read_at:
            self.read_at = at
            with open(path, encoding="ascii") as f:
                for word in f.read().split():
                    self.set(word)

    def put(self, fd, frame):
        try:
            os.write(fd, frame)
        except OSError:
            pass  # the other end is down

    def frame(self, to, frame):
        if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
            self.put(to, frame)
            return
        if self.random.random() < self.settings["loss"]:
            return
        for _ in range(2 if self.random.random() < self.settings["repeat"] else 1):
            if self.random.random() < self.settings["reorder"]:
                self.number += 1
                heapq.heappush(self.late, (time.monotonic() + self.settings["delay"] / 1000, self.number, to, frame))
            else:
                self.put(to, frame)

    def run(self):
        poll = select.poll()
        for fd in self.ends:
            poll.register(fd, select.POLLIN)
        while True:
            wait = 200.0 if not self.late else max(0.0, (self.late[0][0] - time.monotonic()) * 1000)
            for fd, _ in poll.poll(min(wait, 200.0)):
                for _ in range(64):
                    try:
                        frame = os.read(fd, 65536)
                    except BlockingIOError:
                        break
                    self.frame(self.ends[fd], frame)
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(self.late)
                self.put(to, frame)
            self.look()


def main():
    ns_a, device_a, ns_b, device_b, *settings = sys.argv[1:]
    cable = Cable((tap(ns_a, device_a), tap(ns_b, device_b)), settings)
    print("ready", flush=True)
    cable.run()


if __name__ == "__main__":
    main()
