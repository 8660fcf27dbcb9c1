# SPDX-License-Identifier: Apache-2.0
"""Hosts behind the gateways."""
import pytest

from lab import forward


@pytest.mark.parametrize("inner,outer", [(4, 4), (6, 6), (4, 6), (6, 4)])
def test_net_net(lab, inner, outer):
    forward.net_net(lab, inner, outer)


def test_trap_and_rekey(lab):
    forward.rekeyed(*forward.trap(lab))


def test_roadwarrior(lab):
    forward.roadwarrior(lab)
