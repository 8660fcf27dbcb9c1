# SPDX-License-Identifier: Apache-2.0
"""A client that asks for virtual addresses of both families, and what its system has of them."""
import json
import os
import socket

from . import conf
from .net import inner, inner_net
from .run import PATIENCE, run, socket_in

VIPS = {4: "10.86.0.1", 6: "fd86::1"}
POOLS = {"v4": {"addrs": "10.86.0.0/24"}, "v6": {"addrs": "fd86::1-fd86::ff"}}


def client(child=None, **over):
    """moon's swanctl.conf."""
    child = conf.merged({"remote_ts": [inner_net("sun"), inner_net("sun", 6)], "esp_proposals": "aes128gcm16"}, child)
    return conf.gateway("moon", {"net": conf.connection("moon", {"rw": child}, **{"vips": "0.0.0.0, ::", **over})})


def gateway(child=None, **over):
    """sun's."""
    child = conf.merged({"local_ts": [inner_net("sun"), inner_net("sun", 6)], "esp_proposals": "aes128gcm16"}, child)
    return dict(conf.gateway("sun", {"net": conf.connection("sun", {"rw": child}, **{"pools": "v4, v6", **over})}), pools=POOLS)


def addresses(ns):
    """{address: (device, flags)} of all single addresses: virtual ones are."""
    links = json.loads(run("ip", "-j", "addr", "show", ns=ns).stdout)
    return {a["local"]: (link["ifname"], {flag for flag in a if a[flag] is True}) for link in links for a in link["addr_info"]
            if a["prefixlen"] == (32 if a["family"] == "inet" else 128) and link["ifname"] + a["scope"] != "lohost"}


def routes(ns, version=4):
    return run("ip", "-%d" % version, "route", "show", "table", "220", ns=ns, check=False).stdout


class Talk:
    """A TCP connection through a tunnel, over which both sides say something now and then."""

    def __init__(self, from_ns, source, to_ns, to):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        with socket_in(to_ns, family, socket.SOCK_STREAM) as listener:
            listener.bind((to, 0))
            listener.listen(1)
            near = socket_in(from_ns, family, socket.SOCK_STREAM)
            near.settimeout(30 * PATIENCE)
            if source:
                near.bind((source, 0))
            near.connect(listener.getsockname()[:2])
            listener.settimeout(30 * PATIENCE)
            far, _ = listener.accept()
        far.settimeout(30 * PATIENCE)
        self.near, self.far = near, far

    def source(self):
        return self.near.getsockname()[0]

    def goes_on(self):
        for sender, receiver in ((self.near, self.far), (self.far, self.near)):
            said, heard = os.urandom(4000), b""
            sender.sendall(said)
            while len(heard) < len(said):
                part = receiver.recv(4096)
                assert part, "the connection was closed"
                heard += part
            assert heard == said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.near.close()
        self.far.close()


def talks(moon, sun):
    """One of each family, from whatever address the system chooses: it has to be the virtual one."""
    made = [Talk(moon.ns, None, sun.ns, inner("sun", version)) for version in (4, 6)]
    assert [talk.source() for talk in made] == [VIPS[4], VIPS[6]]
    return made
