# SPDX-License-Identifier: Apache-2.0
"""Running commands, waiting for conditions, sockets in other namespaces."""
import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("BEWICK_BUILD") or os.path.join(TOP, "build"))
# Sanitizers and loaded machines: every limit is multiplied, none is a pause.
PATIENCE = float(os.environ.get("LAB_PATIENCE", "3" if "san" in os.path.basename(BUILD) else "1"))
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(AssertionError):
    def __init__(self, args, done):
        super().__init__("%s\nexit status %d\n%s%s" % (" ".join(args), done.returncode, done.stdout, done.stderr))
        self.returncode, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


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
    """The first true value of condition(); fails after `limit` seconds."""
    end = time.monotonic() + limit * PATIENCE
    delay = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (limit * PATIENCE, what or condition))
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


def ping(ns, to, source=None, count=3, size=56, limit=3):
    """How many of `count` echo requests were answered."""
    args = ["ping", "-q", "-n", "-c", str(count), "-i", "0.05", "-s", str(size),
            "-w", str(int(limit * PATIENCE + 0.99))]
    done = run(*args, *(["-I", source] if source else []), to, ns=ns, check=False, limit=limit + 10)
    for line in done.stdout.splitlines():
        if "received" in line:
            return int(line.split("transmitted,")[1].split()[0])
    raise CommandFailed(args, done)


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
