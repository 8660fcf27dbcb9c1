# SPDX-License-Identifier: Apache-2.0
"""Tests of kernel-netlink under a whole Debian kernel (qemu.py): XFRM interfaces, nftables beside ESP. Slow: keep them few."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scenarios"))

from lab import states  # noqa: E402
from lab.fixtures import lab, pytest_runtest_makereport, shared_lab  # noqa: E402,F401


def pytest_collection_modifyitems(config, items):
    states.apply(HERE, config, items)
