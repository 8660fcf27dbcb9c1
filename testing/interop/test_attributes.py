# SPDX-License-Identifier: Apache-2.0
"""Attribute certificates (RFC 5755) with Debian's strongSwan, which sends its own but asks for no groups (it has no acert plugin)."""
import os
import re

from lab.gateway import Bewick, Strongswan
from lab.run import program
from test_certificates import QUICK, ROLES, connection, own, peers, pki_with, up

KEY, AA = "ec256", "aa.test"


def pair(lab, role, groups):
    """Both have an attribute certificate of their own; ours wants the peer to be in `groups`, or in none."""
    pki = pki_with(KEY)
    pki.cert(AA)
    kinds = (Bewick, Strongswan) if role == "initiator" else (Strongswan, Bewick)
    for side, other, kind in zip(("moon", "sun"), ("sun", "moon"), kinds):
        more = {"groups": groups} if kind is Bewick and groups else {}
        gateway = lab.gateway(side, {"connections": {"net": connection(side, own(side, KEY), peers(other, KEY, **more))}}, QUICK, kind=kind)
        name = "%s.%s" % (side, KEY)
        pki.give(gateway, name, ("root", "ca"))
        pki.acert("ac-" + side, name, AA, "sales", "support")
        pki.put(gateway, "x509ac", "ac-" + side + ".pem")
        pki.put(gateway, "x509aa", AA + ".pem")
        gateway.start()
    return lab.gateways


@ROLES
def test_ours(lab, role):
    """What we send does it no harm."""
    gateways = pair(lab, role, None)
    up(*gateways)


@ROLES
def test_theirs(lab, role):
    moon, sun = pair(lab, role, "management, support")
    up(moon, sun)
    (moon if role == "initiator" else sun).wait_log(r"is in group 'support' by attribute certificate of 'O=Bewick, CN=(moon|sun)\.ec256'")


@ROLES
def test_not_theirs(lab, role):
    moon, sun = pair(lab, role, "management")
    assert moon.initiate("net-net", check=False).returncode != 0
    (moon if role == "initiator" else sun).wait_log(r"says that it is in: 'sales', 'support'")
    for side in (moon, sun):
        side.wait_no_sas()


def test_listing(lab):
    """Either swanctl says the same of what either daemon has."""
    for gateway in pair(lab, "initiator", None):
        ours, theirs = (re.sub(r"expires in \d+ hours", "", gateway.swanctl("--list-certs", "--type", "x509ac", program=program).stdout)
                        for program in (program("swanctl"), "/usr/sbin/swanctl"))
        assert ours == theirs and "groups:    sales\n             support\n" in ours
