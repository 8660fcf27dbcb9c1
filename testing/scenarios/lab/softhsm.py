# SPDX-License-Identifier: Apache-2.0
"""Tokens in software: what SoftHSM has in a folder of a gateway."""
import os
import subprocess
import sys

from .run import run

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234"

# Makes an object of a certificate, which softhsm2-util cannot: module, label of the token, handle, file in DER.
_PUT = r"""
import ctypes, sys
module, label, handle, path = sys.argv[1:]
p11, ulong = ctypes.CDLL(module), ctypes.c_ulong
class Attribute(ctypes.Structure):
    _fields_ = [("type", ulong), ("value", ctypes.c_void_p), ("len", ulong)]
def call(name, *args):
    rv = getattr(p11, name)(*args)
    assert rv == 0, "%s: 0x%x" % (name, rv)
call("C_Initialize", None)
slots, n = (ulong * 16)(), ulong(16)
call("C_GetSlotList", ctypes.c_ubyte(1), slots, ctypes.byref(n))
for slot in slots[:n.value]:
    info = ctypes.create_string_buffer(1024)
    call("C_GetTokenInfo", ulong(slot), info)
    if info.raw[:32].decode().rstrip() == label:
        break
session = ulong()
call("C_OpenSession", ulong(slot), ulong(6), None, None, ctypes.byref(session))
call("C_Login", session, ulong(1), b"@PIN@", ulong(4))
der = open(path, "rb").read()
keep = []
def attribute(kind, data):
    keep.append(ctypes.create_string_buffer(data, len(data)))
    return Attribute(kind, ctypes.cast(keep[-1], ctypes.c_void_p), len(data))
number = lambda v: bytes(ulong(v))
list_ = [attribute(0, number(1)), attribute(0x80, number(0)), attribute(1, b"\1"), attribute(2, b"\0"), attribute(0x101, b"subject"),
         attribute(0x102, bytes.fromhex(handle)), attribute(0x11, der)]
call("C_CreateObject", session, (Attribute * len(list_))(*list_), ulong(len(list_)), ctypes.byref(ulong()))
call("C_Finalize", None)
""".replace("@PIN@", PIN)


class SoftHsm:
    """The gateway's daemon gets the configuration by its environment: to be made before it is started."""

    def __init__(self, gateway, *labels):
        self.dir = gateway.path("tokens")
        os.makedirs(self.dir)
        conf = gateway.path("softhsm.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("directories.tokendir = %s\nobjectstore.backend = file\n" % self.dir)
        self.env = {"SOFTHSM2_CONF": conf}
        self.key_file = gateway.path("key.p8")
        for label in labels:
            run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "9876", "--pin", PIN, env=self.env)
        before = gateway.env
        gateway.env = lambda: dict(before(), **self.env)

    def slots(self):
        """label -> number of the slot"""
        found, slot = {}, None
        for line in run("softhsm2-util", "--show-slots", env=self.env).stdout.splitlines():
            word, _, value = line.strip().partition(":")
            if line.startswith("Slot "):
                slot = word.split()[1]
            elif word == "Label" and value.strip():
                found[value.strip()] = slot
        return found

    def put_key(self, label, handle, path):
        run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", path, "-out", self.key_file)
        run("softhsm2-util", "--import", self.key_file, "--token", label, "--label", handle, "--id", handle, "--pin", PIN, env=self.env)
        os.unlink(self.key_file)

    def put_cert(self, label, handle, path):
        der = self.key_file + ".der"
        run("openssl", "x509", "-in", path, "-outform", "DER", "-out", der)
        subprocess.run([sys.executable, "-c", _PUT, MODULE, label, handle, der], check=True, env=dict(os.environ, **self.env))

    def take_away(self):
        os.rename(self.dir, self.dir + ".away")
        os.mkdir(self.dir)

    def put_back(self):
        os.rmdir(self.dir)
        os.rename(self.dir + ".away", self.dir)
