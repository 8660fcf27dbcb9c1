#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns JSON descriptions of captures (secrets logged) into lines of text for the unit tests.

from-json.py FILE.json... > inner.txt

Each line: scenario exchange flags message-id first-payload hex-of-the-decrypted-payloads. The fragments of
a message (RFC 7383) are put together.
"""
import json
import os
import sys


def inner_messages(messages):
    parts = {}
    for m in messages:
        if m.get("plaintext") is None or not m.get("icv_ok", True):
            continue
        key = (m["SPIi"], m["exchange"], m["flags"], m["message_id"])
        number, total = m.get("fragment") or (1, 1)
        have = parts.setdefault(key, {"total": total, "parts": {}, "done": False})
        if number == 1:
            have["first"] = m["first_payload"]
        have["parts"][number] = m["plaintext"]
        if len(have["parts"]) == have["total"] and not have["done"]:
            have["done"] = True
            text = "".join(have["parts"][i + 1] for i in range(total))
            yield key[1], key[2], key[3], have["first"], text or "-"


for path in sys.argv[1:]:
    with open(path) as f:
        data = json.load(f)
    captures = data.get("captures") or [
        {"file": os.path.basename(path), "messages": data.get("ike_messages", [])}]
    for capture in captures:
        name = os.path.splitext(capture["file"])[0]
        for row in inner_messages(capture["messages"]):
            print(name, *row)
