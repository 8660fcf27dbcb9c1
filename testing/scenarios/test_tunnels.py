# SPDX-License-Identifier: Apache-2.0
"""Tunnels that come up and carry packets."""
import pytest

from lab import conf
from lab.net import OUTER, other
from lab.run import ping, wait_until


def moved(gateway, child):
    found = gateway.child(child)
    return int(found["bytes-in"]), int(found["bytes-out"])


def test_net_net(lab):
    """Two private nets, pre-shared keys: ping and TCP both ways, counters, delete."""
    moon, sun = lab.pair()
    assert moon.ping(count=1, limit=1) == 0, "packets pass without a tunnel"
    moon.initiate("net-net")
    sun.wait_children(1, "net-net")
    assert moon.ping() == 3
    assert sun.ping() == 3
    moon.tcp()
    sun.tcp()
    for gateway in (moon, sun):
        bytes_in, bytes_out = moved(gateway, "net-net")
        assert bytes_in > 1 << 20 and bytes_out > 1 << 20
    moon.terminate(ike="net")
    assert not moon.sas()
    sun.wait_no_sas()
    wait_until(lambda: moon.ping(count=1, limit=1) == 0, what="both backends are done")


def test_list_sas_shows_what_is(lab):
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    for gateway in (moon, sun):
        (name, sa), = gateway.sas()
        assert name == "net" and sa["version"] == "2" and sa["state"] == "ESTABLISHED"
        assert sa["local-host"] == OUTER[4][gateway.side] and sa["remote-host"] == OUTER[4][other(gateway.side)]
        assert sa["local-id"] == gateway.side + ".test" and sa["remote-id"] == other(gateway.side) + ".test"
        assert sa.get("initiator") == ("yes" if gateway is moon else None)
        assert (sa["encr-alg"], sa["encr-keysize"], sa["integ-alg"]) == ("AES_CBC", "128", "HMAC_SHA2_256_128")
        assert (sa["prf-alg"], sa["dh-group"]) == ("PRF_HMAC_SHA2_256", "CURVE_25519")
        child = gateway.child("net-net")
        assert (child["protocol"], child["mode"], child["encap"]) == ("ESP", "TUNNEL", "yes")
        assert (child["encr-alg"], child["encr-keysize"]) == ("AES_GCM_16", "128")
    assert moon.sas()[0][1]["initiator-spi"] == sun.sas()[0][1]["initiator-spi"]
    assert moon.sas()[0][1]["responder-spi"] == sun.sas()[0][1]["responder-spi"]
    assert moon.child("net-net")["spi-in"] == sun.child("net-net")["spi-out"]
    assert moon.child("net-net")["spi-out"] == sun.child("net-net")["spi-in"]
    assert "net-net" in moon.swanctl("--list-sas").stdout


def test_responder_side_initiates_too(lab):
    """The one that answered before asks now."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    moon.terminate(ike="net")
    sun.wait_no_sas()
    sun.initiate("net-net")
    moon.wait_children(1)
    assert moon.ping() == 3


@pytest.mark.parametrize("version", [4, 6])
def test_host_host(lab, version):
    """No selectors: the addresses of the two gateways themselves, in a tunnel."""
    moon, sun = lab.pair(*(conf.gateway(side, {"host": conf.connection(
        side, {"host-host": {"esp_proposals": "aes128gcm16"}}, version)}) for side in ("moon", "sun")))
    moon.initiate("host-host")
    sun.wait_children(1)
    assert ping(moon.ns, OUTER[version]["sun"], OUTER[version]["moon"]) == 3
    wait_until(lambda: moved(sun, "host-host")[0] >= 3 * 84, what="the ping went through the tunnel")
    moon.terminate(ike="host")
    sun.wait_no_sas()
    # the backends remove policies and routes behind the answers
    wait_until(lambda: ping(moon.ns, OUTER[version]["sun"], count=1) == 1, what="both backends are done")
    assert ping(moon.ns, OUTER[version]["sun"]) == 3, "without the tunnel the hosts reach each other as before"


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
def test_families(lab, outer, inner):
    """IPv4 and IPv6 inside and outside, all four mixes."""
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(
        side, {"net-net": conf.net_child(side, inner)}, outer)}) for side in ("moon", "sun")))
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping(inner) == 3
    assert sun.ping(inner) == 3
    moon.tcp(inner)


def test_both_families_in_one_child(lab):
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"net-net": {
        "local_ts": [conf.inner_net(side, 4), conf.inner_net(side, 6)],
        "remote_ts": [conf.inner_net(other(side), 4), conf.inner_net(other(side), 6)],
        "esp_proposals": "aes128gcm16"}})}) for side in ("moon", "sun")))
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping(4) == 3
    assert moon.ping(6) == 3


def three(side):
    return conf.gateway(side, {"net": conf.connection(side, {
        "net-%d" % n: conf.net_child(side, 4, n) for n in range(3)})})


def test_several_children(lab):
    """Three children of one IKE_SA, each with its own selectors; one goes, the others stay."""
    moon, sun = lab.pair(three("moon"), three("sun"))
    for n in range(3):
        moon.initiate("net-%d" % n)
    sun.wait_children(3)
    assert len(moon.sas()) == 1 and len(sun.sas()) == 1
    for n in range(3):
        assert moon.ping(4, n) == 3
        assert sun.ping(4, n) == 3
    counters = [moved(moon, "net-%d" % n) for n in range(3)]
    assert len(set(counters)) == 1 and counters[0][0] > 0, "each child carried its own packets: %s" % counters
    sun.terminate(child="net-1")
    moon.wait_children(2)
    wait_until(lambda: moon.ping(4, 1, count=1, limit=1) == 0, what="both backends are done")
    assert moon.ping(4, 0) == 3
    assert moon.ping(4, 2) == 3
    assert len(moon.established()) == 1


def test_child_is_not_made_twice(lab):
    moon, sun = lab.pair()
    moon.initiate("net-net")
    again = moon.initiate("net-net", check=False)
    assert again.returncode != 0 and "establishing CHILD_SA 'net-net' failed" in again.stderr
    assert moon.ping() == 3
    sun.wait_children(1)
    assert len(moon.children()) == 1


def test_narrowing(lab):
    """The responder allows less than was asked: the child carries what both want."""
    moon_net, sun_net = "10.80.0.0/13", conf.inner_net("sun")
    moon = conf.gateway("moon", {"net": conf.connection("moon", {"net-net": {
        "local_ts": moon_net, "remote_ts": sun_net, "esp_proposals": "aes128gcm16"}})})
    moon, sun = lab.pair(moon)
    moon.initiate("net-net")
    sun.wait_children(1)
    for gateway, key in ((moon, "local-ts"), (sun, "remote-ts")):
        assert gateway.child("net-net")[key] == [conf.inner_net("moon")]
    assert moon.ping() == 3


def test_start_action(lab):
    """start_action = start brings the child up when it is loaded."""
    config = conf.gateway("moon", {"net": conf.connection("moon", {
        "net-net": conf.net_child("moon", start_action="start")})})
    sun = lab.gateway("sun", conf.gateway("sun")).start()
    moon = lab.gateway("moon", config).start()
    moon.wait_children(1)
    sun.wait_children(1)
    assert moon.ping() == 3


def test_large_packets(lab):
    """Packets of the size of the tunnel's MTU and far beyond come through whole."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    for size in (1000, 1360, 1472, 4000, 9000):
        assert moon.ping(size=size) == 3, "%d bytes" % size
    moon.tcp(size=8 << 20)


@pytest.mark.parametrize("proposal", ["aes128gcm16-esn", "aes256-sha512-esn", "chacha20poly1305-esn"])
def test_extended_sequence_numbers(lab, proposal):
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side, esp_proposals=proposal)})}) for side in ("moon", "sun")))
    moon.initiate("net-net")
    sun.wait_children(1)
    for gateway in (moon, sun):
        assert gateway.child("net-net")["esn"] == "1"
    assert moon.ping() == 3
    moon.tcp()
