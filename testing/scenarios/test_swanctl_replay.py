# SPDX-License-Identifier: Apache-2.0
"""Plays recorded daemons to our swanctl.

For each recording a server on a unix socket gives the recorded answers; what swanctl prints,
its exit status and what it sends must be as recorded. Intended differences stand
below, each with its reason. Run it with

    BEWICK_BUILD=/path/to/build python3 -m pytest testing/scenarios/test_swanctl_replay.py
"""
import glob
import json
import os
import re

import pytest

from swanctl_lab import VECTORS, Daemon, lab, swanctl  # noqa: F401 (lab is a fixture)

NAMES = sorted(os.path.basename(f)[:-5] for f in glob.glob(os.path.join(VECTORS, "*.json")))

# ---- intended differences: name -> (reason, what is expected instead) -----------------------

NO_BLISS = "no directory for a kind of key that nobody uses any more"
HINT = "what is missing for an encrypted key is said, and which passphrase has no file"
HINTS = ("is encrypted, and there is no passphrase for it", "ignoring secret 'rsa1': there is no file")
SORTED = "directories are read in alphabetical order, so that each load is like the other"
DIFFERENT = {
    "version": ("our own name", {"stdout": "Bewick swanctl 0.1.0\n"}),
    "load-conns-syntax": (
        "a file with a syntax error is refused: nothing is unloaded",
        {"exit": 22, "stdout": "", "c2s": [], "stderr": None}),
    "load-conns-nofile": (
        "a file that is missing is refused: nothing is unloaded",
        {"exit": 22, "stdout": "", "c2s": [], "stderr": None}),
    "load-pools-inuse": (
        "a device is an empty configuration file",
        {"stderr": "unloading pool 'rwpool' failed: rwpool has online leases, unable to unload\n"}),
    "uninstall-again": (
        "--raw works for uninstall as for every other verb",
        {"exit": 0, "stderr": "",
         "stdout": "uninstall reply {success=no errmsg=policy 'net' not found}\n"}),
    "uninstall-pretty": (
        "the label of uninstall is in one line like that of every other verb",
        {"stdout": "uninstall reply {\n  success = no\n  errmsg = policy 'net' not found\n}\n"}),
    "load-all-raw": (
        "a key that was loaded again is not unloaded afterwards, also with --raw",
        {"drop": "unload-key", "drop_reply": "unload-key reply {success=yes}\n"}),
    "load-all-bad": (SORTED + "; " + NO_BLISS + "; " + HINT, {"order": False, "bliss": True, "hints": HINTS}),
    "load-creds-bad": (SORTED + "; " + NO_BLISS + "; " + HINT, {"order": False, "bliss": True, "hints": HINTS}),
    "load-all-initiator": (SORTED, {"order": False}),
    "load-all-initiator-2": (SORTED, {"order": False}),
    "load-creds-encrypted": (NO_BLISS, {"bliss": True}),
}


def without_age(text):
    """Certificates expire in fewer days than when it was recorded."""
    return re.sub(r"\((expires in|valid in|expired) \d+ \w+", r"(\1 N", text)


def lines_sorted(text):
    return sorted(text.splitlines())


def load(name):
    with open(os.path.join(VECTORS, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def is_command(packet, name):
    return packet[4:6 + len(name)] == bytes([0, len(name)]) + name.encode()


@pytest.mark.parametrize("name", NAMES)
def test_replay(name, lab):
    record = load(name)
    change = DIFFERENT.get(name, ("", {}))[1]
    side = record["side"].split()[0]
    daemon = Daemon(lab + "/socket", record["packets"])
    daemon.start()
    c2s = [bytes.fromhex(p["hex"]) for p in record["packets"] if p["dir"] == "c2s" and "hex" in p]
    stdout, stderr = change.get("stdout", record["stdout"]), change.get("stderr", record["stderr"])
    if "drop" in change:
        dropped = [p for p in c2s if is_command(p, change["drop"])]
        assert dropped
        c2s = [p for p in c2s if p not in dropped]
        stdout = stdout.replace(change["drop_reply"], "", len(dropped))
    if change.get("bliss"):
        assert "/bliss'" in stderr
        stderr = "".join(l for l in stderr.splitlines(True) if "/bliss'" not in l)
    c2s = change.get("c2s", c2s)
    follow = stdout if record["command"][1] in ("--log", "--monitor-sa") else None
    status, out, err = swanctl(lab, side, record["command"][1:], follow)
    daemon.stop()
    for hint in change.get("hints", ()):
        assert hint in err
        err = "".join(l for l in err.splitlines(True) if hint not in l)
    if record["command"][1] == "--list-certs":
        out, stdout = without_age(out), without_age(stdout)
    order = change.get("order", True)
    assert not daemon.unknown
    assert (daemon.got if order else sorted(daemon.got)) == (c2s if order else sorted(c2s))
    if order:
        assert out == stdout
        assert stderr is None or err == stderr
    else:
        assert lines_sorted(out) == lines_sorted(stdout)
        assert lines_sorted(err) == lines_sorted(stderr)
    assert status == change.get("exit", record["exit"])
    if stderr is None:
        assert err  # refused, and said why
