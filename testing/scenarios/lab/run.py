# SPDX-License-Identifier: Apache-2.0
"""Running commands, waiting for conditions, sockets in other namespaces."""
import contextlib
import ctypes
import errno
import os
import socket
import struct
import subprocess
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("BEWICK_BUILD") or os.path.join(TOP, "build"))
# Programs of the build run without libtool's scripts, which take longer than the programs, seconds on emulated machines.
LIBS = os.path.join(BUILD, ".libs")
os.environ["LD_LIBRARY_PATH"] = LIBS
# Sanitizers and emulated machines: every limit is multiplied, none is a pause.
PATIENCE = float(os.environ.get("LAB_PATIENCE", "3" if "san" in os.path.basename(BUILD) else "1"))
# What wait_until adds to that for machines that do much else: a limit costs nothing as long as all is well.
SPARE = 3
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
_libc = ctypes.CDLL(None, use_errno=True)


def program(name):
    """Where a program of the build is."""
    path = os.path.join(LIBS, name)
    return path if os.path.exists(path) else os.path.join(BUILD, name)


class CommandFailed(AssertionError):
    def __init__(self, args, done):
        super().__init__("%s\nexit status %d\n%s%s" % (" ".join(args), done.returncode, done.stdout, done.stderr))
        self.returncode, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


class NotYet(AssertionError):
    """What was looked at is in the middle of a change: wait_until looks again."""


def in_ns(ns, args):
    return ["ip", "netns", "exec", ns, *args] if ns else list(args)


def run(*args, ns=None, limit=30, check=True, stdin=None, env=None):
    """A command to its end; its result has stdout, stderr and returncode."""
    args = in_ns(ns, args)
    done = subprocess.run(args, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                          timeout=limit * PATIENCE, env=dict(os.environ, **(env or {})), check=False)
    if check and done.returncode != 0:
        raise CommandFailed(args, done)
    return done


def wait_until(condition, limit=10, what=None):
    """The first true value of condition(). Fails when it does not come in time, which is `limit` seconds on a machine
    that does nothing else, and says what it waited for: a text, or a function that makes it then, from logs for example."""
    limit *= PATIENCE * SPARE
    end = time.monotonic() + limit
    delay = 0.005
    while True:
        why = ""
        try:
            value = condition()
        except NotYet as error:
            value, why = None, " (%s)" % error
        if value:
            return value
        if time.monotonic() > end:
            said = what() if callable(what) else what or condition
            raise AssertionError("not within %g s: %s%s" % (limit, said, why))
        time.sleep(delay)
        delay = min(delay * 1.5, 0.1)


@contextlib.contextmanager
def namespace(ns):
    """The calling thread is in network namespace `ns`; sockets made there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + ns, os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + ns)
        yield
    finally:
        if _libc.setns(home, CLONE_NEWNET) != 0:
            os._exit(70)  # nothing may go on in a namespace it does not expect
        os.close(home)
        os.close(there)


def socket_in(ns, family, kind):
    with namespace(ns):
        return socket.socket(family, kind)


def _checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(ns, to, source=None, count=3, size=56, limit=3, device=None):
    """Sends exactly `count` echo requests, each when the one before was answered or has waited a while;
    how many were answered within `limit` seconds after the last."""
    six = ":" in to
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    ident, answered = os.urandom(2), set()
    with namespace(ns):
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    with sock:
        # it gets a copy of all ICMP of the namespace: what comes for others while we wait for a turn must not push out ours
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        if source:
            sock.bind((source, 0))

        def receive(enough, seconds):
            end = time.monotonic() + seconds
            while len(answered) < enough:
                sock.settimeout(max(0.001, end - time.monotonic()))
                try:
                    data, peer = sock.recvfrom(65535)
                except TimeoutError:
                    return
                data = data if six else data[(data[0] & 15) * 4:]
                if peer[0] == to and data[0] == (129 if six else 0) and data[4:6] == ident:
                    answered.add(data[6:8])

        for number in range(1, count + 1):
            body = ident + struct.pack("!H", number) + bytes(size + size % 2)
            head = bytes([128 if six else 8, 0])  # the system fills the checksum of ICMPv6
            packet = head + struct.pack("!H", 0 if six else _checksum(head + body)) + body
            try:
                sock.sendto(packet, (to, 0))
            except OSError as error:
                if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES):
                    raise
                return 0
            receive(number, 0.05)
        receive(count, limit * PATIENCE)
    return len(answered)


def tcp_transfer(from_ns, source, to_ns, to, size=1 << 20, limit=20):
    """`size` bytes over TCP from one namespace to another, compared on arrival."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    data = os.urandom(min(size, 1 << 16)) * max(1, size >> 16)
    received = bytearray()
    listener = socket_in(to_ns, family, socket.SOCK_STREAM)
    listener.settimeout(limit * PATIENCE)
    listener.bind((to, 0))
    listener.listen(1)

    def receive():
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(limit * PATIENCE)
                while True:
                    part = peer.recv(1 << 16)
                    if not part:
                        break
                    received.extend(part)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    with socket_in(from_ns, family, socket.SOCK_STREAM) as sender, listener:
        sender.settimeout(limit * PATIENCE)
        sender.bind((source, 0))
        sender.connect(listener.getsockname()[:2])
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)
        thread.join(limit * PATIENCE)
    assert bytes(received) == data, "TCP: %d of %d bytes came through" % (len(received), len(data))
