# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenarios"))

from lab.fixtures import lab, pytest_runtest_makereport, shared_lab  # noqa: E402,F401
from lab import states  # noqa: E402

collect_ignore = ["uml"]  # in a guest only: scripts/check peers


def pytest_collection_modifyitems(config, items):
    states.apply(os.path.dirname(os.path.abspath(__file__)), config, items)
