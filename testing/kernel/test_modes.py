# SPDX-License-Identifier: Apache-2.0
"""Transport and BEET mode, marks and what else a child is told apart by, with packets that the kernel encrypts."""
import re

import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan
from lab.net import OUTER, inner, inner_net, other
from lab.run import ping, run, wait_until

HOSTS = {"moon": "10.77.0.1", "sun": "10.77.0.2"}


class KernelStrongswan(Strongswan):
    """With ESP of the kernel."""
    PLUGINS = Strongswan.PLUGINS.replace("kernel-libipsec ", "")

    def settings_tree(self):
        tree = super().settings_tree()
        del tree["plugins"]["kernel-libipsec"], tree["plugins"]["kernel-netlink"]
        return tree


def states(gateway):
    return run("ip", "xfrm", "state", ns=gateway.ns).stdout


def policies(gateway):
    text = "\n" + run("ip", "xfrm", "policy", ns=gateway.ns).stdout
    return [part for part in text.split("\nsrc ")[1:] if "\tsocket " not in part]


def pair(lab, moon, sun, kinds=(None, None)):
    return lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"c": child})})
                      for side, child in (("moon", moon), ("sun", sun))), kinds=kinds)


def host_host(lab, mode, kinds=(None, None)):
    child = {"esp_proposals": "aes128gcm16", "mode": mode}
    moon, sun = pair(lab, child, child, kinds)
    moon.initiate("c")
    sun.wait_children(1)
    return moon, sun


@pytest.mark.parametrize("kinds", [(Bewick, Bewick), (Bewick, KernelStrongswan), (KernelStrongswan, Bewick)],
                         ids=["bewick", "initiator", "responder"])
def test_transport(lab, kinds):
    """Between the two hosts: no inner header, and no second one when it was rekeyed."""
    moon, sun = host_host(lab, "transport", kinds)
    assert ping(moon.ns, OUTER[4]["sun"]) == 3
    for gateway in (moon, sun):
        assert gateway.child("c")["mode"] == "TRANSPORT"
        assert "mode transport" in states(gateway) and "mode tunnel" not in states(gateway)
        assert gateway.child("c")["local-ts"] == [OUTER[4][gateway.side] + "/32"]
    wait_until(lambda: int(sun.child("c")["packets-in"]) >= 3, 5, "packets are counted")
    for gateway in (moon, sun):
        gateway.swanctl("--rekey", "--child", "c")
        gateway.wait_log("rekeyed as|CHILD_SA closed|closing CHILD_SA")
        moon.wait_children(1)
        sun.wait_children(1)
        assert moon.child("c")["mode"] == "TRANSPORT" and ping(sun.ns, OUTER[4]["moon"]) == 3


def test_beet(lab):
    """Two addresses inside of which no packet tells."""
    child = {"esp_proposals": "aes128gcm16", "mode": "beet"}
    moon, sun = pair(lab, *({**child, "local_ts": HOSTS[side], "remote_ts": HOSTS[other(side)]} for side in ("moon", "sun")))
    for gateway in (moon, sun):
        run("ip", "address", "add", HOSTS[gateway.side] + "/32", "dev", "lo", ns=gateway.ns)
    moon.initiate("c")
    sun.wait_children(1)
    assert "mode beet" in states(moon) and moon.child("c")["mode"] == "BEET"
    assert ping(moon.ns, HOSTS["sun"], HOSTS["moon"]) == 3


def test_marks(lab):
    """Packets with the child's own mark alone take it; what comes out of it gets that mark again, as the inbound policy wants."""
    child = {"mark_in": "%unique", "mark_out": "%unique", "set_mark_in": "%same"}
    moon, sun = pair(lab, conf.net_child("moon", **child), conf.net_child("sun"))
    moon.initiate("c")
    sun.wait_children(1)
    mark = int(moon.child("c")["mark-in"], 16)
    assert moon.child("c")["mark-out"] == moon.child("c")["mark-in"]
    assert moon.ping(count=1, limit=1) == 0

    def marked():
        return run("ping", "-q", "-c", "3", "-i", "0.1", "-W", "2", "-m", str(mark), "-I", inner("moon"), inner("sun"), ns=moon.ns)
    assert "3 received" in marked().stdout
    moon.swanctl("--rekey", "--child", "c")
    moon.wait_log("rekeyed as")
    moon.wait_children(1)
    assert int(moon.child("c")["mark-in"], 16) == mark and "3 received" in marked().stdout


def test_what_the_kernel_is_told(lab):
    """hw_offload = yes, and packet, are refused by the device, which the log names, and the IKE_SA stays; auto does without. The rest is done."""
    child = {"esp_proposals": "aes128-sha256", "sha256_96": "yes", "tfc_padding": 600, "hw_offload": "yes"}
    moon, sun = pair(lab, conf.net_child("moon", **child), conf.net_child("sun", **dict(child, hw_offload="auto")))
    assert moon.initiate("c", check=False).returncode != 0
    refused = "hw_offload: the device eth0 cannot do ESP|hw_offload: cannot add the .* on the device eth0: "
    moon.wait_log(refused)
    assert len(moon.established()) == 1 and not moon.children()

    def load(how):
        child["hw_offload"] = how
        moon.configure(conf.gateway("moon", {"net": conf.connection("moon", {"c": conf.net_child("moon", **child)})}))
        moon.load()
    load("packet")
    assert moon.initiate("c", check=False).returncode != 0
    wait_until(lambda: len(re.findall(refused, moon.log())) == 2, what="packet is refused, too")
    assert not moon.children() and states(moon) == ""
    load("auto")
    moon.initiate("c")
    sun.wait_children(1)
    assert moon.ping() == 3
    text = states(moon)
    assert text.count("auth-trunc hmac(sha256)") == 2 and text.count(" 96\n") == 2 and text.count("tfcpad") == 1
    assert moon.child("c")["integ-alg"] == "HMAC_SHA2_256_128"


def test_without_policies(lab):
    """They, and the routes, are somebody else's."""
    moon, sun = pair(lab, conf.net_child("moon", policies="no"), conf.net_child("sun"))
    moon.initiate("c")
    sun.wait_children(1)
    assert states(moon).count("\n\tproto esp ") == 2 and not policies(moon)
    reqid = moon.child("c")["reqid"]
    for direction, a, b in (("out", "moon", "sun"), ("in", "sun", "moon")):
        run("ip", "xfrm", "policy", "add", "src", inner_net(a), "dst", inner_net(b), "dir", direction, "tmpl", "src",
            OUTER[4][a], "dst", OUTER[4][b], "proto", "esp", "reqid", reqid, "mode", "tunnel", ns=moon.ns)
    run("ip", "route", "replace", inner_net("sun"), "via", OUTER[4]["moon"][:-1] + "1", "src", inner("moon"), ns=moon.ns)
    assert moon.ping() == 3


def test_transport_on_demand(lab):
    """The first packet between the hosts brings it up, and arrives."""
    child = {"esp_proposals": "aes128gcm16", "mode": "transport"}
    moon, sun = pair(lab, {**child, "start_action": "trap"}, child)
    assert ping(moon.ns, OUTER[4]["sun"]) == 3
    moon.wait_children(1)
    assert moon.child("c")["mode"] == sun.child("c")["mode"] == "TRANSPORT"
