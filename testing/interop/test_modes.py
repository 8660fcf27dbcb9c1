# SPDX-License-Identifier: Apache-2.0
"""Modes of CHILD_SAs as both sides name them on the wire. The packets themselves are testing/kernel's: no ESP is carried here."""
import pytest

from lab import conf
from lab.gateway import Bewick, Strongswan

NO_ESP = {"kernel": "null"}


def host_host(lab, role, mode, peer_mode):
    """Bewick with `mode` in this role; who begins, who answers."""
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    made = []
    for side, kind in zip(("moon", "sun"), kinds):
        child = {"esp_proposals": "aes128gcm16", "mode": mode if kind is Bewick else peer_mode}
        made.append(lab.gateway(side, conf.gateway(side, {"net": conf.connection(side, {"host": child})}),
                                NO_ESP if kind is Bewick else None, kind).start())
    return made


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("mode,peer_mode", [
    ("transport", "tunnel"), ("tunnel", "transport"),
    # each vendor's own notify: nothing that both know
    ("beet", "beet")])
def test_tunnel_mode_when_sides_differ(lab, role, mode, peer_mode):
    moon, sun = host_host(lab, role, mode, peer_mode)
    moon.initiate("host")
    sun.wait_children(1)
    assert [gateway.child("host")["mode"] for gateway in (moon, sun)] == ["TUNNEL", "TUNNEL"]


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_transport_mode_is_agreed(lab, role):
    """strongSwan's user-space ESP cannot install it, and says so; the IKE_SA stays on both sides."""
    moon, sun = host_host(lab, role, "transport", "transport")
    assert moon.initiate("host", check=False).returncode != 0
    peer = sun if role == "initiator" else moon
    peer.wait_log("IPsec SA: unsupported mode")
    peer.wait_log(r"parsed IKE_AUTH .* N\(USE_TRANSP\)")
    moon.wait_children(0)
    sun.wait_children(0)
    assert len(moon.established()) == 1 and len(sun.established()) == 1
