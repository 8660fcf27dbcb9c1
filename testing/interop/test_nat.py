# SPDX-License-Identifier: Apache-2.0
"""A NAT between Bewick and Debian's strongSwan: moon is behind it, and each of the two is moon once."""
import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan
from lab.nat import Nat
from lab.run import wait_until

ROLES = pytest.mark.parametrize("role", ["initiator", "responder"])


def behind(lab, role, version=4, settings=None):
    nat = Nat(lab.net)
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    moon, sun = lab.pair(conf.gateway("moon", version=version), conf.gateway("sun", version=version, remote_addrs="%any"),
                         dict(settings or {}, retransmit_timeout=1, retransmit_base=1.2), kinds)
    moon.initiate("net-net")
    sun.wait_children(1)
    return nat, moon, sun


def remote_port(gateway):
    found = gateway.sas()
    return int(found[0][1]["remote-port"]) if len(found) == 1 else 0


@ROLES
@pytest.mark.parametrize("version", [4, 6])
def test_tunnel(lab, role, version):
    """It is found by both, traffic goes both ways, keepalives come from moon, and rekeying by either side works."""
    nat, moon, sun = behind(lab, role, version, {"keep_alive": 1})
    assert moon.sas()[0][1]["nat-local"] == "yes" and sun.sas()[0][1]["nat-remote"] == "yes"
    assert moon.ping() == 3 and sun.ping() == 3
    sun.tcp()
    wait_until(lambda: nat.keepalives() >= 2, what="keepalives")
    for gateway, other in ((moon, sun), (sun, moon)):
        before = gateway.child("net-net")["uniqueid"]
        gateway.swanctl("--rekey", "--child", "net-net")
        wait_until(lambda g=gateway, o=other, b=before: len(g.children()) == len(o.children()) == 1 and
                   g.child("net-net")["uniqueid"] != b, what="rekeyed")
        assert moon.ping() == 3 and sun.ping() == 3


@ROLES
def test_rebinding(lab, role):
    """The NAT gives moon other ports: sun follows when moon speaks IKE, and all goes on."""
    nat, moon, sun = behind(lab, role)
    assert moon.ping() == 3
    nat.rebind(20000)
    moon.swanctl("--rekey", "--ike", "net")
    wait_until(lambda: remote_port(sun) in range(20000, 20100), what="sun follows")
    # strongSwan's ESP in user space cannot be moved: it rekeys, and does so again when both do at once
    wait_until(lambda: moon.ping(count=1, limit=0.3) == 1, 25, "packets get through again")
    wait_until(lambda: len(moon.sas()) == len(moon.children()) == 1, what="rekeyed")
    assert moon.ping() == 3 and sun.ping() == 3
    sun.tcp()


def test_rebinding_esp(lab):
    """Bewick follows a strongSwan behind a NAT by its ESP alone."""
    nat, moon, sun = behind(lab, "responder")
    assert moon.ping() == 3
    nat.rebind(20000)
    assert moon.ping(count=10, limit=1) >= 5
    assert remote_port(sun) in range(20000, 20100)
    assert sun.ping() == 3
