# SPDX-License-Identifier: Apache-2.0
"""The list of scenarios and their state, in the file `states` beside the tests.

Each line: STATE FILE::TEST [REASON]. good: must pass. wip: runs, and may fail. skip: is not run;
wip and skip need a reason. A test that is not listed, or a line without a test, is an error: no
scenario vanishes in silence.
"""
import os

import pytest

STATES = ("good", "wip", "skip")


def states_read(path):
    found = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 2 or words[0] not in STATES or (words[0] != "good" and len(words) < 3):
                raise pytest.UsageError("%s:%d: STATE FILE::TEST [REASON] was expected" % (path, number))
            if words[1] in found:
                raise pytest.UsageError("%s:%d: %s is there twice" % (path, number, words[1]))
            found[words[1]] = (words[0], words[2].strip() if len(words) > 2 else "")
    return found


def name_of(item):
    """test_x.py::test_y or test_x.py::TestZ::test_y, without parameters"""
    parts = item.nodeid.split("::")
    return "::".join([os.path.basename(parts[0])] + parts[1:]).split("[")[0]


def apply(folder, config, items):
    """For pytest_collection_modifyitems of the folder's conftest."""
    states = states_read(os.path.join(folder, "states"))
    ours = [item for item in items if os.path.dirname(str(item.path)) == folder]
    unlisted = sorted({name_of(item) for item in ours} - set(states))
    if unlisted:
        raise pytest.UsageError("%s/states does not list %s" % (folder, ", ".join(unlisted)))
    for item in ours:
        state, reason = states[name_of(item)]
        if state == "wip":
            item.add_marker(pytest.mark.xfail(reason=reason, strict=False))
        elif state == "skip":
            item.add_marker(pytest.mark.skip(reason=reason))
    whole = [arg for arg in config.args if os.path.abspath(arg.split("::")[0]) == folder and "::" not in arg]
    gone = sorted(set(states) - {name_of(item) for item in ours})
    if whole and gone:
        raise pytest.UsageError("%s/states lists tests that are not there: %s" % (folder, ", ".join(gone)))
