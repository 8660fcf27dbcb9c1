# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab.fixtures import lab, pytest_runtest_makereport, shared_lab  # noqa: E402,F401
from lab import states  # noqa: E402


def pytest_collection_modifyitems(config, items):
    states.apply(os.path.dirname(os.path.abspath(__file__)), config, items)
    items.sort(key=lambda item: "test_storm" not in item.nodeid)  # the longest begins first
