# SPDX-License-Identifier: Apache-2.0
"""Bewick (moon) with Libreswan and OpenIKED (sun), each with a certificate of one authority."""
import os

import pytest

from lab import conf
from lab.pki import Pki
from lab.run import wait_until
from peers import Iked, Libreswan, pings

SIDES = pytest.mark.parametrize("begins", ["moon", "sun"])
KEYS = pytest.mark.parametrize("key", ["rsa", "ec256", "ec384"])
MOON, SUN = "moon.test", "sun.test"


def authority(key):
    pki = Pki.shared("--key=" + key)
    for name in (MOON, SUN):
        pki.cert(name, "--key=" + key)
    return pki


def moon_of(lab, pki, esp="aes128gcm16", **over):
    moon = lab.gateway("moon", {"connections": {"net": conf.connection("moon", {
        "net-0": conf.net_child("moon", esp_proposals=esp)}, **conf.merged({
            "local": {"auth": "pubkey", "certs": MOON + ".pem"}, "remote": {"auth": "pubkey"}}, over))}})
    pki.give(moon, MOON)
    return moon


def libreswan(lab, pki, key, **over):
    keys = {"authby": "rsasig" if key == "rsa" else "ecdsa", "leftcert": SUN, "leftsendcert": "always", "rightca": "%same", **over}
    sun = lab.gateway("sun", Libreswan.config(["net0"], **keys), None, Libreswan)
    pki.mkpki(verb="pkcs12", args=(SUN, "test"))
    sun.p12 = pki.path(SUN + ".p12")
    return sun


def iked(lab, pki, active, **over):
    sun = lab.gateway("sun", Iked.config(active, psk=None, **over), None, Iked)
    for folder, names in (("ca", ("root.pem", "ca.pem")), ("certs", (SUN + ".pem",)), ("private", (SUN + ".key",))):
        os.makedirs(sun.path(folder), exist_ok=True)
        for name in names:
            to = "private/local.key" if folder == "private" else "%s/%s.crt" % (folder, name[:-4])
            with open(sun.path(to), "wb") as f:
                f.write(pki.read(name))
            os.chmod(sun.path(to), 0o600 if folder == "private" else 0o644)
    return sun


def ready(*gateways):
    # one after the other: a peer that begins by itself finds moon with its connections
    for gateway in gateways:
        gateway.launch()
        gateway.wait_ready()
        gateway.load()


@SIDES
@KEYS
def test_libreswan(lab, key, begins):
    pki = authority(key)
    moon, sun = moon_of(lab, pki, remote={"id": SUN}), libreswan(lab, pki, key)
    ready(moon, sun)
    if begins == "moon":
        moon.initiate("net-0")
    else:
        sun.whack("--initiate", "--name", "net0")
    moon.wait_children(1)
    sun.wait_states(1, 1)
    assert pings(moon, sun) == 2
    sun.whack("--terminate", "--name", "net0")
    moon.wait_no_sas()


@SIDES
@KEYS
def test_openiked(lab, key, begins):
    pki = authority(key)
    moon, sun = moon_of(lab, pki, Iked.CHILD, remote={"id": SUN}), iked(lab, pki, begins == "sun")
    ready(moon, sun)
    if begins == "moon":
        moon.initiate("net-0")
    moon.wait_children(1, limit=20)
    wait_until(lambda: len(sun.esp_sas()[0]) == 1, 10, "the child is installed on sun")
    assert pings(moon, sun) == 2


@pytest.mark.parametrize("kind", ["libreswan", "openiked"])
def test_another_authority(lab, kind):
    """sun's certificate is of one that moon does not know: it is refused, and sun is told no more than that."""
    pki, other = authority("ec256"), Pki("--key=ec384")
    other.cert(SUN, "--key=ec256")
    moon = moon_of(lab, pki, "aes128gcm16" if kind == "libreswan" else Iked.CHILD, remote={"id": SUN})
    sun = libreswan(lab, other, "ec256", rightca=None) if kind == "libreswan" else iked(lab, other, False)
    ready(moon, sun)
    assert moon.initiate("net-0", check=False).returncode != 0
    moon.wait_log(r"(?i)AUTHENTICATION_FAILED|issuer|trust")
    moon.wait_no_sas()
    assert not sun.esp_sas()[0]
