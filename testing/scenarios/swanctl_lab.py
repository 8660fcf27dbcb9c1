# SPDX-License-Identifier: Apache-2.0
"""What tests of swanctl share: a daemon that answers as told, and a place to run in."""
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from lab.run import program

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "vectors", "vici")
LAB = os.path.join(VECTORS, "lab-config")
SWANCTL = program("swanctl")


# ---- the recorded daemon --------------------------------------------------------------------

def recv_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            return None
        data += more
    return data


def recv_segment(sock):
    head = recv_exactly(sock, 4)
    if head is None:
        return None
    body = recv_exactly(sock, int.from_bytes(head, "big"))
    return None if body is None else head + body


class Daemon(threading.Thread):
    """Answers each packet it knows as recorded; keeps what it got."""

    def __init__(self, path, packets):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.settimeout(30)
        self.got = []
        self.unknown = []
        self.steps = []  # [request, [answers]]
        for p in packets:
            if p.get("eof"):
                break
            data = bytes.fromhex(p["hex"])
            if p["dir"] == "c2s":
                self.steps.append([data, []])
            else:
                self.steps[-1][1].append(data)

    def answer(self, request):
        for step in self.steps:
            if step[0] == request:
                self.steps.remove(step)
                return b"".join(step[1])
        self.unknown.append(request)
        return None

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.join(30)

    def run(self):
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return  # stopped: nobody connected
        with sock:
            sock.settimeout(30)
            while True:
                request = recv_segment(sock)
                if request is None:
                    return
                self.got.append(request)
                reply = self.answer(request)
                if reply is None:
                    return
                sock.sendall(reply)


# ---- where swanctl runs ---------------------------------------------------------------------

def put(target, *files):
    os.makedirs(target, exist_ok=True)
    for source, name in files:
        shutil.copy(os.path.join(LAB, source), os.path.join(target, name))
        os.chmod(os.path.join(target, name), 0o600)


def garbage(path):
    with open(path, "wb") as f:
        f.write(b"garbage\n")


def folders(base, names):
    for name in names.split():
        os.makedirs(os.path.join(base, name), exist_ok=True)


def lab_moon(base):
    folders(base, "conf.d x509ocsp x509aa x509ac pubkey private rsa pkcs8 pkcs12")
    put(base, ("moon/swanctl.conf", "swanctl.conf"))
    put(base + "/x509", ("pki/moon.pem", "moon.pem"))
    put(base + "/x509ca", ("pki/ca.pem", "ca.pem"))
    put(base + "/x509crl", ("pki/ca.crl", "ca.crl"))
    put(base + "/ecdsa", ("pki/moon.key", "moon.key"))


def lab_sun(base):
    folders(base, "x509ocsp x509aa x509ac x509crl pubkey ecdsa pkcs8 pkcs12")
    put(base, ("sun/swanctl.conf", "swanctl.conf"))
    put(base + "/x509", ("pki/sun.pem", "sun.pem"), ("pki/carol.pem", "carol.pem"))
    put(base + "/x509ca", ("pki/ca.pem", "ca.pem"))
    put(base + "/private", ("pki/carol.key", "carol.key"))
    put(base + "/rsa", ("pki/sun.key", "sun.key"))


def lab_bad(base):
    put(base, ("bad/bad-values.conf", "1.conf"), ("bad/syntax-error.conf", "2.conf"),
        ("bad/references.conf", "refs.conf"), ("bad/refs-inc.conf", "refs-inc.conf"))
    folders(base, "x509 rsa")
    garbage(base + "/x509/x.pem")
    put(base + "/x509ca", ("pki/moon.pem", "moon.pem"), ("pki/moon.pem", "moon-notca.pem"))
    put(base + "/private", ("pki/carol.key", "carol.key"), ("encrypted/enc.key", "enc.key"))
    garbage(base + "/private/k.pem")


def lab_enc(base):
    folders(base, "x509 x509ca rsa")
    put(base, ("encrypted/swanctl.conf", "swanctl.conf"))
    put(base + "/pubkey", ("encrypted/carol.pub", "carol.pub"))
    put(base + "/private", ("encrypted/enc.key", "enc.key"))
    put(base + "/pkcs12", ("encrypted/sun.p12", "sun.p12"))


@pytest.fixture
def lab(tmp_path):
    base = str(tmp_path)
    lab_moon(base + "/moon")
    lab_sun(base + "/sun")
    lab_bad(base + "/bad")
    lab_enc(base + "/enc")
    return base


def read_until(process, expected):
    """What the process prints, until it is as long as expected."""
    text = b""
    while len(text) < len(expected):
        more = os.read(process.stdout.fileno(), 65536)
        if not more:
            break
        text += more
    return text


def swanctl(lab, side, args, follow=None, uri=None):
    """Returns exit status, stdout, stderr. follow: interrupted after so much output."""
    env = dict(os.environ, SWANCTL_DIR=lab + "/" + side, STRONGSWAN_CONF=lab + "/none", LC_ALL="C", TZ="UTC")
    command = [SWANCTL] + [a.replace("@LAB@", lab) for a in args]
    command += ["--uri", uri or "unix://" + lab + "/socket"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL) as process:
        head = b""
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        if follow is not None:
            head = read_until(process, follow.encode())
            process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        watchdog.cancel()
        text = [(head + out).decode(), err.decode()]
    for i in range(2):
        text[i] = text[i].replace(lab + "/" + side + "/", "@SWANCTL_DIR@/").replace(lab, "@LAB@")
    return process.returncode, text[0], text[1]
