# SPDX-License-Identifier: Apache-2.0
"""An initiator of a hundred lines, for what Bewick never sends: IKE_SA_INIT and one IKE_AUTH request without a child, with a signature.
It knows one suite (SUITE), and takes what it needs beside hashes from openssl."""
import hashlib
import hmac
import os
import socket
import struct
import subprocess

from .net import OUTER, other
from .run import socket_in

SUITE = "aes128-sha256-modp2048"
SA, KE, IDI, IDR, CERT, AUTH, NONCE, NOTIFY, SK = 33, 34, 35, 36, 37, 39, 40, 41, 46
SIGNATURE_HASH_ALGORITHMS, AUTHENTICATION_FAILED = 16431, 24
ID_FQDN, METHOD_SIGNATURE = 2, 14
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
LIMIT = 20  # s


# RFC 3526, 3
P = int("""FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1 29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD EF9519B3 CD3A431B
302B0A6D F25F1437 4FE1356D 6D51C245 E485B576 625E7EC6 F44C42E9 A637ED6B 0BFF5CB6 F406B7ED EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651
ECE45B3D C2007CB8 A163BF05 98DA4836 1C55D39A 69163FA8 FD24CF5F 83655D23 DCA3AD96 1C62F356 208552BB 9ED52907 7096966D 670C354E 4ABC9804
F1746C08 CA18217C 32905E46 2E36CE3B E39E772C 180E8603 9B2783A2 EC07A28F B5C55DF0 6F4C52C9 DE2BCBF6 95581718 3995497C EA956AE5 15D22618
98FA0510 15728E5A 8AACAA68 FFFFFFFF FFFFFFFF""".replace("\n", " ").replace(" ", ""), 16)


def prf(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def prf_plus(key, seed, n):
    out = last = b""
    while len(out) < n:
        last = prf(key, last + seed + bytes([len(out) // 32 + 1]))
        out += last
    return out[:n]


def openssl(*args, data):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout


def cbc(key, iv, data, direction):
    return openssl("enc", "-aes-128-cbc", "-nopad", direction, "-K", key.hex(), "-iv", iv.hex(), data=data)


def payloads(first, data):
    """(type, body) of a chain."""
    while first:
        following, length = data[0], struct.unpack_from("!H", data, 2)[0]
        yield first, data[4:length]
        first, data = following, data[length:]


def chain(*items):
    """The type of the first, and the bytes."""
    types = [kind for kind, _ in items[1:]] + [0]
    return items[0][0], b"".join(struct.pack("!BxH", following, 4 + len(body)) + body
                                 for following, (_, body) in zip(types, items))


def notify(kind, data=b""):
    return NOTIFY, struct.pack("!BBH", 0, 0, kind) + data


class Initiator:
    def __init__(self, net, side="moon"):
        self.sock = socket_in(net.ns(side), socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((OUTER[4][side], 500))
        self.sock.connect((OUTER[4][other(side)], 500))
        self.sock.settimeout(1)
        self.spis = os.urandom(8) + bytes(8)

    def close(self):
        self.sock.close()

    def _header(self, first, exchange, message_id, n):
        return self.spis + struct.pack("!BBBBII", first, 0x20, exchange, 0x08, message_id, 28 + n)

    def _ask(self, request):
        """Says it again until there is an answer."""
        for _ in range(LIMIT):
            self.sock.send(request)
            try:
                answer = self.sock.recv(65536)
            except socket.timeout:
                continue
            if answer[18:24] == bytes([request[18], 0x20]) + request[20:24]:
                return answer
        raise AssertionError("no answer")

    def init(self):
        secret, self.ni = int.from_bytes(os.urandom(40), "big"), os.urandom(32)
        transforms = [(1, 12, b"\x80\x0e\x00\x80"), (2, 5, b""), (3, 12, b""), (4, 14, b"")]
        body = b"".join(struct.pack("!BxHBxH", 0 if i == 3 else 3, 8 + len(more), kind, number) + more
                        for i, (kind, number, more) in enumerate(transforms))
        first, data = chain((SA, struct.pack("!BxHBBBB", 0, 8 + len(body), 1, 1, 0, len(transforms)) + body),
                            (KE, struct.pack("!Hxx", 14) + pow(2, secret, P).to_bytes(256, "big")), (NONCE, self.ni),
                            notify(SIGNATURE_HASH_ALGORITHMS, struct.pack("!H", 2)))
        self.request = self._header(first, 34, 0, len(data)) + data
        answer = self._ask(self.request)
        found = dict(payloads(answer[16], answer[28:]))
        assert SA in found, "IKE_SA_INIT was refused"
        self.spis, self.nr = answer[:16], found[NONCE]
        shared = pow(int.from_bytes(found[KE][4:], "big"), secret, P).to_bytes(256, "big")
        keys = prf_plus(prf(self.ni + self.nr, shared), self.ni + self.nr + self.spis, 192)
        self.ai, self.ar, self.ei, self.er, self.pi = keys[32:64], keys[64:96], keys[96:112], keys[112:128], keys[128:160]

    def auth(self, name, key, *certs):
        """As FQDN `name`, with a P-256 key (file) and CERT payloads (encoding, data). The types of the payloads of the answer, with the
        notifies' numbers in brackets."""
        identity = bytes([ID_FQDN, 0, 0, 0]) + name.encode()
        octets = self.request + self.nr + prf(self.pi, identity)
        proof = bytes([len(ECDSA_SHA256)]) + ECDSA_SHA256 + openssl("dgst", "-sha256", "-sign", key, data=octets)
        first, data = chain((IDI, identity), *((CERT, bytes([encoding]) + body) for encoding, body in certs),
                            (AUTH, bytes([METHOD_SIGNATURE, 0, 0, 0]) + proof))
        return self._open(self._ask(self._seal(first, data, 35, 1)))

    def _seal(self, first, data, exchange, message_id):
        pad, iv = -(len(data) + 1) % 16, os.urandom(16)
        sealed = iv + cbc(self.ei, iv, data + bytes(pad) + bytes([pad]), "-e")
        length = 4 + len(sealed) + 16
        message = self._header(SK, exchange, message_id, length) + struct.pack("!BxH", first, length) + sealed
        return message + prf(self.ai, message)[:16]

    def _open(self, message):
        assert hmac.compare_digest(prf(self.ar, message[:-16])[:16], message[-16:])
        plain = cbc(self.er, message[32:48], message[48:-16], "-d")
        return [kind if kind != NOTIFY else (NOTIFY, struct.unpack_from("!H", body, 2)[0])
                for kind, body in payloads(message[28], plain[:-1 - plain[-1]])]
