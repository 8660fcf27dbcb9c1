# SPDX-License-Identifier: Apache-2.0
"""Bewick (moon) and strongSwan (sun), ESP by the kernel on both sides; what needs no kernel with ESP is in testing/interop."""
import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan
from lab.net import OUTER, inner
from lab.run import ping, run, wait_until
from peers import pings, sun_traffic


class KernelStrongswan(Strongswan):
    PLUGINS = Strongswan.PLUGINS.replace("kernel-libipsec ", "")


KINDS = (Bewick, KernelStrongswan)
SIDES = pytest.mark.parametrize("side", ["moon", "sun"])


def pair(lab, make, **over):
    """Both started; make(side) gives the children."""
    return lab.pair(*(conf.gateway(side, {"net": conf.connection(side, make(side), **over)}) for side in ("moon", "sun")), kinds=KINDS)


def net_net(**over):
    return lambda side: {"net-net": conf.net_child(side, **over)}


def host_host(**over):
    return lambda side: {"host-host": {"esp_proposals": "aes128gcm16", **over}}


def begin(moon, sun, side, child="net-net"):
    (moon if side == "moon" else sun).initiate(child)
    for gateway in (moon, sun):
        gateway.wait_children(1)


def end(moon, sun, side):
    (moon if side == "moon" else sun).terminate(ike="net")
    for gateway in (moon, sun):
        gateway.wait_no_sas()
        assert "proto esp" not in run("ip", "xfrm", "state", ns=gateway.ns).stdout


@pytest.mark.parametrize("esp,side", [("aes256gcm16", "moon"), ("aes128-sha256", "sun"), ("chacha20poly1305", "moon"),
                                      ("aes128gcm16-esn", "sun")])
def test_tunnel(lab, side, esp):
    moon, sun = pair(lab, net_net(esp_proposals=esp))
    begin(moon, sun, side)
    assert pings(moon, sun) == 2
    end(moon, sun, side)


@pytest.mark.parametrize("version,side", [(4, "moon"), (6, "sun")])
def test_transport(lab, side, version):
    moon, sun = pair(lab, host_host(mode="transport"), version=version)
    begin(moon, sun, side, "host-host")
    assert [gateway.child("host-host")["mode"] for gateway in (moon, sun)] == ["TRANSPORT"] * 2
    assert ping(moon.ns, OUTER[version]["sun"], OUTER[version]["moon"]) == 3
    wait_until(lambda: int(moon.child("host-host")["packets-in"]) >= 3, what="packets went through the SA")
    end(moon, sun, side)


@SIDES
def test_encapsulated(lab, side):
    """ESP in UDP by both kernels."""
    moon, sun = pair(lab, net_net(), encap="yes")
    begin(moon, sun, side)
    assert pings(moon, sun) == 2
    assert "encap type espinudp" in run("ip", "xfrm", "state", ns=moon.ns).stdout
    end(moon, sun, side)


@SIDES
@pytest.mark.parametrize("what", ["child", "ike"])
def test_rekey(lab, side, what):
    moon, sun = pair(lab, net_net(esp_proposals="aes128gcm16-x25519"))
    begin(moon, sun, "moon")
    old = {c["spi-in"] for c in moon.children()} | {s["initiator-spi"] for s in moon.established()}
    with sun_traffic(moon, sun) as traffic:
        traffic.more(2)
        (moon if side == "moon" else sun).swanctl("--rekey", *(["--child", "net-net"] if what == "child" else ["--ike", "net"]))
        wait_until(lambda: not old & ({c["spi-in"] for c in moon.children()} if what == "child" else
                                      {s["initiator-spi"] for s in moon.established()}), 10, "new keys")
        moon.wait_children(1)
        traffic.more(3)
    assert traffic.lost == 0
    assert pings(moon, sun) == 2
    end(moon, sun, side)


@SIDES
def test_trap(lab, side):
    """The first packet brings the tunnel up, and arrives."""
    moon, sun = pair(lab, lambda mine: {"net-net": conf.net_child(mine, start_action="trap" if mine == side else "none")})
    here, there = (moon, sun) if side == "moon" else (sun, moon)
    wait_until(lambda: "dir out" in run("ip", "xfrm", "policy", ns=here.ns).stdout, what="the trap")
    answered = ping(here.ns, inner(there.side), inner(here.side), 1, limit=10)
    assert answered == 1 or here is sun
    for gateway in (moon, sun):
        gateway.wait_children(1)
    assert pings(moon, sun) == 2
