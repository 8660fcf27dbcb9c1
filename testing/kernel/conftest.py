# SPDX-License-Identifier: Apache-2.0
"""Tests of kernel-netlink. They run in a guest whose kernel has ESP (guest.py), with LAB_KERNEL=netlink."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scenarios"))

from lab import states  # noqa: E402
from lab.fixtures import lab, pytest_runtest_makereport, shared_lab  # noqa: E402,F401


def pytest_collection_modifyitems(config, items):
    states.apply(HERE, config, items)
