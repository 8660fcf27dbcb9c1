# SPDX-License-Identifier: Apache-2.0
"""Bewick on moon, strongSwan on sun."""
from lab import conf
from lab.gateway import Bewick, Strongswan

KINDS = (Bewick, Strongswan)


def both(make):
    """make(side) on both sides: two swanctl.conf."""
    return [conf.gateway(side, make(side)) for side in ("moon", "sun")]


def roles(moon, sun, initiator):
    """(who begins, who answers)"""
    return (moon, sun) if initiator == "bewick" else (sun, moon)


def nothing_left(*gateways):
    for gateway in gateways:
        gateway.wait_no_sas()
