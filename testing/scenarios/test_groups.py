# SPDX-License-Identifier: Apache-2.0
"""Groups that a peer has to be in, by attribute certificates (RFC 5755), which strongSwan's pki makes."""
import os

import pytest

from lab.pki import Pki
from test_certs import MOON, SETTINGS, SUN, connection, plain, refused, up

AA = "aa.test"


def made():
    pki = plain()
    pki.cert(AA)
    return pki


def pair(lab, pki):
    """sun wants members of sales or support, and knows the authority."""
    over = {"moon": {"local": {"id": MOON}}, "sun": {"local": {"id": SUN}, "remote": {"groups": "sales, support"}}}
    for side in ("moon", "sun"):
        gate = lab.gateway(side, {"connections": {"net": connection(side, **over[side])}}, SETTINGS)
        pki.give(gate, side + ".test")
        if side == "sun":
            pki.put(gate, "x509aa", AA + ".pem")
    return lab.gateways


@pytest.mark.parametrize("how", ["sent", "loaded"])
def test_member(lab, how):
    pki = made()
    pki.acert("member", MOON, AA, "marketing", "support")
    moon, sun = pair(lab, pki)
    owner = moon if how == "sent" else sun
    pki.put(owner, "x509ac", "member.pem")
    for side in (moon, sun):
        side.start()
    up(moon, sun)
    sun.wait_log(r"'moon\.test' is in group 'support' by attribute certificate of 'O=Bewick, CN=moon\.test'")
    listed = owner.swanctl("--list-certs", "--type", "x509ac").stdout
    assert "List of X.509 Attribute Certificates" in listed and 'issuer:   "O=Bewick, CN=aa.test"' in listed
    assert "groups:    marketing\n             support\n" in listed


def test_no_member(lab):
    """What sun says about each; moon learns that authentication failed."""
    pki = made()
    other = Pki.shared("--key=ec384")
    other.cert(AA)
    moon, sun = pair(lab, pki)
    for side in (moon, sun):
        side.start()
    refused(moon, sun, sun, r"one of the groups 'sales', 'support'; it sent no attribute certificate")
    cases = [
        (moon, pki.acert("other", MOON, AA, "marketing"), r"says that it is in: 'marketing'"),
        # we would not send it
        (sun, pki.acert("old", MOON, AA, "sales", begin="01.01.24 00:00:00", end="02.01.24 00:00:00"), r"it has expired at 2024-"),
        (moon, other.acert("foreign", pki.path(MOON), AA, "sales"), r"or it has another key"),
        (moon, pki.acert("of-ca", MOON, "ca", "sales"), r"that certificate is a CA's, which must not issue any"),
    ]
    for side, path, why in cases:
        pki.put(side, "x509ac", path)
        for each in (moon, sun):
            each.swanctl("--load-creds", "--clear", "--noprompt")
        refused(moon, sun, sun, why)
        os.unlink(side.path("x509ac/" + os.path.basename(path)))
