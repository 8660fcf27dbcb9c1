# SPDX-License-Identifier: Apache-2.0
"""Hosts behind the gateways, ESP by the kernel."""
import pytest

from lab import forward


@pytest.mark.parametrize("inner,outer", [(4, 6), (6, 4)])
def test_net_net(lab, inner, outer):
    forward.net_net(lab, inner, outer)


def test_trap_and_rekey(lab):
    forward.rekeyed(*forward.trap(lab))


def test_clear(lab):
    forward.clear(lab)
