# SPDX-License-Identifier: Apache-2.0
"""swanctl.conf and bewick.conf from dictionaries."""
from .net import OUTER, inner_net, other

PSK = "a secret of the laboratory"


def text(tree, depth=0):
    """A dictionary is a section, a list is written with commas, None is left out."""
    pad, lines = "\t" * depth, []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += ["%s%s {" % (pad, key), text(value, depth + 1), "%s}" % pad]
        elif isinstance(value, (list, tuple)):
            lines.append("%s%s = %s" % (pad, key, ", ".join(str(item) for item in value)))
        elif isinstance(value, bool):
            lines.append("%s%s = %s" % (pad, key, "yes" if value else "no"))
        elif value is not None:
            value = str(value)
            if not value or any(c in value for c in '#}{"'):
                value = '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append("%s%s = %s" % (pad, key, value))
    return "\n".join(lines)


def merged(base, over):
    out = dict(base)
    for key, value in (over or {}).items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def net_child(side, version=4, net=0, **over):
    return merged({"local_ts": inner_net(side, version, net), "remote_ts": inner_net(other(side), version, net),
                   "esp_proposals": "aes128gcm16"}, over)


def connection(side, children, version=4, **over):
    """A connection from `side` to the other one with pre-shared keys."""
    return merged({
        "version": 2,
        "local_addrs": OUTER[version][side],
        "remote_addrs": OUTER[version][other(side)],
        "proposals": "aes128-sha256-x25519",
        "mobike": "no",
        "local": {"auth": "psk", "id": side + ".test"},
        "remote": {"auth": "psk", "id": other(side) + ".test"},
        "children": children,
    }, over)


def gateway(side, connections=None, secret=PSK, version=4, **over):
    """The whole swanctl.conf of a gateway; without `connections` it has net with the child net-net."""
    if connections is None:
        connections = {"net": connection(side, {"net-net": net_child(side)}, version, **over)}
    return {"connections": connections,
            "secrets": {"ike-lab": {"id-1": "moon.test", "id-2": "sun.test", "secret": secret}}}
