# SPDX-License-Identifier: Apache-2.0
"""Bewick (moon) and OpenIKED (sun)."""
import pytest

from lab import conf
from lab.run import wait_until
from peers import Iked, pings, start, sun_traffic

SIDES = pytest.mark.parametrize("side", ["moon", "sun"])
SUN = "sun." + "u" * 60 + "." + "n" * 60 + ".test"  # makes IKE_AUTH larger than a fragment
QUICK = {"retransmit_timeout": 0.3, "retransmit_base": 1.0, "retransmit_tries": 4}


def moon_conf(nets=1, **over):
    return conf.gateway("moon", {"net": conf.connection("moon", {
        "net-%d" % n: conf.net_child("moon", 4, n, esp_proposals=Iked.CHILD) for n in range(nets)}, **over)})


def up(lab, side, settings=None, nets=1, over=None, config=None, **more):
    moon, sun = start(lab, Iked, config or moon_conf(nets, **(over or {})), Iked.config(active=side == "sun", **more), settings)
    if side == "moon":
        moon.initiate("net-0")
    moon.wait_children(1, limit=20)
    wait_until(lambda: len(sun.esp_sas()[0]) == 1, 10, "the child is installed on sun")
    return moon, sun


def gone(sun):
    wait_until(lambda: sun.esp_sas() == (set(), set()), 10, lambda: "no SAs on sun:\n" + sun.tail())


@SIDES
def test_up_traffic_and_delete(lab, side):
    moon, sun = up(lab, side)
    assert pings(moon, sun) == 2
    moon.terminate(ike="net")
    moon.wait_no_sas()
    if side == "moon":  # the active side comes back
        gone(sun)


def test_delete_from_sun(lab):
    moon, sun = up(lab, "moon")
    sun.ikectl("reset", "sa")
    moon.wait_no_sas()


def test_wrong_selectors_cost_only_the_child(lab):
    moon, sun = up(lab, "moon", nets=2)
    ike = moon.established()[0]["uniqueid"]
    assert moon.initiate("net-1", check=False).returncode != 0
    assert [sa["uniqueid"] for sa in moon.established()] == [ike]
    # it answers with selectors that were not asked for: we do not take them, and it drops what it made
    wait_until(lambda: len(sun.esp_sas()[0]) == 1, 10, "one child on sun")
    assert pings(moon, sun) == 2


@pytest.mark.parametrize("what", ["child", "ike"])
def test_rekey_from_moon(lab, what):
    moon, sun = up(lab, "moon")
    old = moon.child("net-0")["spi-in"] if what == "child" else moon.established()[0]["initiator-spi"]
    with sun_traffic(moon, sun) as traffic:
        moon.swanctl("--rekey", *(["--child", "net-0"] if what == "child" else ["--ike", "net"]))
        wait_until(lambda: [c["spi-in"] if what == "child" else s["initiator-spi"] for s in moon.established()
                            for c in s["child-sas"].values() if c["state"] == "INSTALLED"] not in ([], [old]), 10, "a new " + what)
        moon.wait_children(1)
        wait_until(lambda: len(sun.esp_sas()[0]) == 1, 10, "one child is left on sun")
        traffic.more(3)
    # the peer sends on the new SA once it has answered: that may overtake the end of our exchange
    assert traffic.lost <= 1
    moon.terminate(ike="net")
    moon.wait_no_sas()
    gone(sun)


@pytest.mark.parametrize("what", ["child", "ike"])
def test_rekey_from_sun(lab, what):
    """By its lifetime, again and again."""
    moon, sun = up(lab, "moon", **({"lifetime": "4"} if what == "child" else {"ikelifetime": "4"}))
    seen = set()

    def rekeyed():
        seen.update(c["spi-in"] if what == "child" else s["initiator-spi"] for s in moon.established()
                    for c in s["child-sas"].values() if c["state"] == "INSTALLED")
        return len(seen) >= 3
    wait_until(rekeyed, 30, lambda: "two rekeyings:\n" + moon.tail())
    assert pings(moon, sun) == 2


def test_dpd(lab):
    moon, sun = up(lab, "moon", QUICK, over={"dpd_delay": "1s"})
    moon.wait_log("sending DPD request|parsed INFORMATIONAL request")
    assert len(moon.established()) == 1
    sun.kill()
    moon.wait_no_sas(20)


@SIDES
def test_fragments(lab, side):
    config = moon_conf(fragmentation="force", remote={"id": SUN})
    config["secrets"]["ike-lab"].pop("id-2")
    moon, sun = up(lab, side, {"fragment_size": 200}, config=config, srcid=SUN)
    moon.wait_log("fragment")
    assert pings(moon, sun) == 2
