# SPDX-License-Identifier: Apache-2.0
"""Virtual addresses with strongSwan, as client and as gateway."""
import pytest

from lab import conf
from lab.net import inner, inner_net
from lab.run import ping, run, wait_until
from peers import KINDS, nothing_left, roles

POOLS = {"rwpool": {"addrs": "10.3.0.0/24", "dns": "10.82.2.53"}, "v6pool": {"addrs": "fd83:3::1-fd83:3::ff"}}


def nets(side):
    return "%s,%s" % (inner_net(side), inner_net(side, 6))


def pair(lab, initiator, vips="0.0.0.0", pools=None, settings=None, client=None, gateway=None):
    """(the client, the gateway): moon is ours."""
    ours = initiator == "bewick"
    side_client, side_gateway = ("moon", "sun") if ours else ("sun", "moon")
    configs = {
        side_client: conf.gateway(side_client, {"net": conf.connection(side_client, {
            "rw": {"remote_ts": nets(side_gateway), "esp_proposals": "aes128gcm16"}}, vips=vips, **(client or {}))}),
        side_gateway: dict(conf.gateway(side_gateway, {"net": conf.connection(side_gateway, {
            "rw": {"local_ts": nets(side_gateway), "esp_proposals": "aes128gcm16"}}, pools="rwpool,v6pool", **(gateway or {}))}),
            pools=POOLS if pools is None else pools)}
    moon, sun = lab.pair(configs["moon"], configs["sun"], settings, KINDS)
    return roles(moon, sun, initiator)


def traffic(client, gateway, addr):
    wait_until(lambda: " %s/" % addr in run("ip", "addr", "show", ns=client.ns).stdout, 10, "the virtual address")
    to = inner(gateway.side, 6 if ":" in addr else 4)
    wait_until(lambda: ping(client.ns, to, addr, count=1), 10, lambda: "traffic:\n%s\n%s" % (client.tail(), gateway.tail()))
    assert ping(client.ns, to, addr) == 3


def leases(gateway, name="rwpool"):
    with gateway.vici() as vici:
        pool = vici.request("get-pools", {})[name]
    return int(pool["online"]), int(pool["offline"])


@pytest.mark.parametrize("vips,expected", [("0.0.0.0", ["10.3.0.1"]), ("0.0.0.0,::", ["10.3.0.1", "fd83:3::1"])], ids=["v4", "both"])
@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_address(lab, initiator, vips, expected):
    """Given, used, kept over rekeyings by both, given back."""
    client, gateway = pair(lab, initiator, vips)
    client.initiate("rw")
    assert client.sa()["local-vips"] == expected and gateway.sa()["remote-vips"] == expected
    for addr in expected:
        traffic(client, gateway, addr)
    for who in (client, gateway):
        once = who.sa()["uniqueid"]
        who.swanctl("--rekey", "--ike", "net")
        wait_until(lambda who=who, once=once: [sa["uniqueid"] for sa in who.established()] not in ([], [once]), 10, "a rekeyed IKE_SA")
        who.swanctl("--rekey", "--child", "rw")
    assert gateway.sa()["remote-vips"] == expected and leases(gateway) == (1, 0)
    traffic(client, gateway, expected[0])
    client.terminate(ike="net")
    nothing_left(client, gateway)
    wait_until(lambda: leases(gateway) == (0, 1), 10, "the address is given back")


@pytest.mark.parametrize("make", [False, True], ids=["break", "make"])
@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_reauthentication(lab, initiator, make):
    """The same address again."""
    client, gateway = pair(lab, initiator, settings={"make_before_break": "yes" if make else "no"})
    client.initiate("rw")
    once = client.sa()["uniqueid"]
    client.swanctl("--rekey", "--ike", "net", "--reauth")
    wait_until(lambda: [sa["uniqueid"] for _, sa in client.sas()] not in ([], [once]) and len(client.children("rw")) == 1 and
               len(client.sas()) == 1, 15, lambda: "a reauthenticated IKE_SA:\n%s" % client.tail())
    assert client.sa()["local-vips"] == ["10.3.0.1"]
    wait_until(lambda: len(gateway.sas()) == 1 and leases(gateway) == (1, 0), 10, "one IKE_SA with one address")
    traffic(client, gateway, "10.3.0.1")


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_no_address(lab, initiator):
    """The pool is of the other family: INTERNAL_ADDRESS_FAILURE, and the IKE_SA stays."""
    client, gateway = pair(lab, initiator, "::", {"rwpool": {"addrs": "10.3.0.0/24"}})
    client.initiate("rw", check=False)
    client.wait_log(r"parsed IKE_AUTH response .*N\(INT_ADDR_FAIL\)")
    assert len(gateway.established()) == 1 and not gateway.children()


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_not_asked_for(lab, initiator):
    """A gateway with pools wants to be asked: FAILED_CP_REQUIRED, and the IKE_SA stays."""
    client, gateway = pair(lab, initiator, None)
    client.initiate("rw", check=False)
    client.wait_log(r"received FAILED_CP_REQUIRED notify")
    assert len(gateway.established()) == 1 and not gateway.children()
