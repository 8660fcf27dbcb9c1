# SPDX-License-Identifier: Apache-2.0
"""A NAT between the gateways, with packets that the kernel encrypts."""
from lab import conf
from lab.nat import OldNat
from lab.net import OUTER
from lab.run import ping, tcp_transfer, wait_until


def remote_port(gateway):
    sa = gateway.sa()
    return int(sa["remote-port"])


def test_tunnel(lab):
    """Keepalives while nothing is sent; ESP from another port of the NAT is followed, and nothing else has to be said."""
    nat = OldNat(lab.net)
    moon, sun = lab.pair(conf.gateway("moon"), conf.gateway("sun", remote_addrs="%any"), {"keep_alive": 2})
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.child("net-net")["encap"] == sun.child("net-net")["encap"] == "yes"
    assert moon.ping() == 3 and sun.ping() == 3
    wait_until(lambda: nat.keepalives() >= 2, 15, "keepalives")
    nat.rebind(20000)
    wait_until(lambda: moon.ping(count=1, limit=0.5) == 1, 10, "packets get through again")
    assert remote_port(sun) in range(20000, 20100)
    assert moon.ping() == 3 and sun.ping() == 3
    sun.tcp()


def test_transport(lab):
    """Transport mode: each side has the addresses that it sees, and TCP with its checksums gets through."""
    OldNat(lab.net)
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(
        side, {"c": {"esp_proposals": "aes128gcm16", "mode": "transport"}}, remote_addrs=remote)})
        for side, remote in (("moon", OUTER[4]["sun"]), ("sun", "%any"))))
    moon.initiate("c")
    sun.wait_children(1)
    for gateway, local, remote in ((moon, OUTER[4]["moon"], OUTER[4]["sun"]), (sun, OUTER[4]["sun"], "10.81.2.1")):
        child = gateway.child("c")
        assert (child["mode"], child["encap"]) == ("TRANSPORT", "yes")
        assert child["local-ts"] == [local + "/32"] and child["remote-ts"] == [remote + "/32"]
    assert ping(moon.ns, OUTER[4]["sun"]) == 3
    tcp_transfer(moon.ns, OUTER[4]["moon"], sun.ns, OUTER[4]["sun"])
    wait_until(lambda: int(sun.child("c")["bytes-in"]) > 1 << 20, 10, "the kernel counts them")
