# SPDX-License-Identifier: Apache-2.0
"""Other programs change what is ours in the kernel, and events get lost: the tunnels heal."""
import os
import re
import signal
import socket
import struct

from lab.net import OUTER, inner
from lab.run import namespace, ping, run, wait_until
from test_policies import hits, pair, policies, states, watch

NETLINK_XFRM, XFRM_MSG_MIGRATE, XFRMA_MIGRATE = 6, 0x21, 17
NLM_F_REQUEST, NLM_F_ACK = 1, 4


def spis(gateway):
    return {part.split()[0] for part in states(gateway).split("spi ")[1:]}


def up(lab, **child):
    moon, sun = pair(lab, {"net-net": child})
    moon.initiate("net-net")
    sun.wait_children(1, "net-net")
    assert moon.ping() == 3
    return moon, sun


def healed(gateway, before):
    """One CHILD_SA is left, with other SAs."""
    wait_until(lambda: len(gateway.children()) == 1 and len(spis(gateway)) == 2 and not spis(gateway) & before, 10,
               lambda: "new SAs on %s:\n%s" % (gateway.side, gateway.tail()))


def test_flushed_states(lab):
    """`ip xfrm state flush`, by either side: the CHILD_SA is rekeyed, nothing else happens to the IKE_SA."""
    moon, sun = up(lab)
    unique = moon.established()[0]["uniqueid"]
    for gateway in (moon, sun):
        before = spis(moon) | spis(sun)
        run("ip", "xfrm", "state", "flush", ns=gateway.ns)
        gateway.wait_log("another program flushed the SAs of the kernel")
        healed(moon, before)
        healed(sun, before)
        assert moon.ping() == 3 and sun.ping() == 3
    assert [sa["uniqueid"] for sa in moon.established()] == [unique]


def test_deleted_state(lab):
    """One SA of two, and none of another program's that nobody asks us about."""
    moon, sun = up(lab)
    before = spis(moon)
    run("ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x999", "mode", "tunnel",
        "enc", "cipher_null", "", ns=moon.ns)
    run("ip", "xfrm", "state", "delete", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x999", ns=moon.ns)
    run("ip", "xfrm", "state", "delete", "src", OUTER[4]["sun"], "dst", OUTER[4]["moon"], "proto", "esp", "spi",
        "0x" + moon.child("net-net")["spi-in"], ns=moon.ns)
    healed(moon, before)
    assert len([line for line in moon.log().splitlines() if "another program removed the SA" in line]) == 1
    assert moon.ping() == 3 and sun.ping() == 3


def test_flushed_policies(lab):
    """`ip xfrm policy flush`: tunnel, trap and shunt have theirs again before the next packet can be answered."""
    moon, sun = pair(lab, {"net-net": {}, "other": {"remote_ts": "10.99.0.0/24", "start_action": "trap"},
                           "never": {"mode": "drop", "remote_ts": "10.98.0.0/24", "start_action": "trap"}}, {"net-net": {}})
    moon.initiate("net-net")
    sun.wait_children(1, "net-net")
    before = sorted(policies(moon))
    assert len(before) == 9
    for _ in range(3):
        run("ip", "xfrm", "policy", "flush", ns=moon.ns)
        wait_until(lambda: sorted(policies(moon)) == before, 5, "the policies are there again")
    assert moon.logged("policies of ours were missing in the kernel or changed: they are set again")
    assert moon.ping() == 3


def test_changed_policy(lab):
    """Deleted, one of them; and one that is not ours stays as it is."""
    moon, _ = up(lab)
    before = sorted(policies(moon))
    run("ip", "xfrm", "policy", "add", "src", "10.99.0.0/16", "dst", "10.98.0.0/16", "dir", "out", "action", "block", ns=moon.ns)
    listed = run("ip", "-s", "xfrm", "policy", ns=moon.ns).stdout  # by its selector it is found by who knows our user id only
    index = re.search(r"src 10.82.1.0/24 dst 10.82.2.0/24.*\n\tdir out .*index (\d+)", listed)
    run("ip", "xfrm", "policy", "delete", "index", index.group(1), "dir", "out", ns=moon.ns)
    wait_until(lambda: len(policies(moon)) == 4, 5, "the policy is there again")
    moon.wait_log("another program changed a policy of ours")
    assert sorted(part for part in policies(moon) if "10.99.0.0" not in part) == before
    assert moon.ping() == 3


def test_lost_events(lab):
    """The daemon does not read, and the kernel has no room for its events: a packet that met a trap then brings the tunnel up all the same,
    and arrives; an SA that is gone is made anew. (Somebody else must hear of the packet: else the kernel does not let it wait.)"""
    moon, sun = pair(lab, {"net-net": {"start_action": "trap"}, "side": {"local_ts": "10.97.1.0/24", "remote_ts": "10.97.2.0/24"}},
                     {name: {"local_ts": "10.97.2.0/24", "remote_ts": "10.97.1.0/24"} if name == "side" else {}
                      for name in ("net-net", "side")}, settings={"plugins": {"kernel-netlink": {"receive_buffer_size": 4096}}})
    moon.initiate("side")
    watch(lab, "-s", "10.82.0.0/16")
    before = spis(moon)
    with namespace(moon.ns):
        other = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
        other.bind((0, 1))  # acquires
    moon.signal(signal.SIGSTOP)
    try:
        for number in range(40):
            where = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x%x" % (0x5000 + number)]
            run("ip", "xfrm", "state", "add", *where, "mode", "tunnel", "enc", "cipher_null", "", ns=moon.ns)
        for number in range(40):
            where = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x%x" % (0x5000 + number)]
            run("ip", "xfrm", "state", "delete", *where, ns=moon.ns)
        run("ip", "xfrm", "state", "delete", "src", OUTER[4]["sun"], "dst", OUTER[4]["moon"], "proto", "esp", "spi",
            "0x" + sorted(before & {"0x" + sun.child("side")["spi-out"]})[0][2:], ns=moon.ns)
        child = os.fork()
        if child == 0:
            os._exit(0 if ping(moon.ns, inner("sun"), inner("moon"), count=1, limit=20) == 1 else 1)
        wait_until(lambda: "spi 0x00000000" in states(moon), 5, "a packet waits in the kernel")
    finally:
        moon.signal(signal.SIGCONT)
    moon.wait_log("events of the kernel were lost: all SAs and policies are looked at")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sun.wait_children(1, "net-net")
    wait_until(lambda: len(sun.children("side")) == 1 and len(spis(moon)) == 4 and len(spis(moon) & before) == 0, 10, "side is made anew")
    assert hits(lab) == 0


def migrate(gateway, src, dst, reqid, old, new):
    """Moves the SAs of the outbound policy from one pair of outer addresses to another, as other programs may."""
    def addr(text):
        return socket.inet_aton(text).ljust(16, b"\0")

    selector = addr(dst) + addr(src) + struct.pack("=HHHHHBBBxxxiI", 0, 0, 0, 0, socket.AF_INET, 24, 24, 255, 0, 0)  # 255: any protocol
    policy_id = selector + struct.pack("=IBxxx", 0, 1)
    moves = addr(old[1]) + addr(old[0]) + addr(new[1]) + addr(new[0]) + struct.pack("=BBHIHH", 50, 1, 0, reqid, socket.AF_INET,
                                                                                    socket.AF_INET)
    body = policy_id + struct.pack("=HH", 4 + len(moves), XFRMA_MIGRATE) + moves
    with namespace(gateway.ns):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as s:
            s.bind((0, 0))
            s.send(struct.pack("=IHHII", 16 + len(body), XFRM_MSG_MIGRATE, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
            error = struct.unpack("=i", s.recv(4096)[16:20])[0]
    assert error == 0, "the kernel does not migrate: %d" % error


def test_migrated(lab):
    """Another program moves our SAs to where the peer is not: the policy is set back, the CHILD_SA made anew, the moved SA removed.
    The kernel tells of it in the initial namespace only."""
    with lab.net.initial("moon"):
        moon, sun = up(lab)
        before = spis(moon)
        migrate(moon, "10.82.1.0", "10.82.2.0", int(moon.child("net-net")["reqid"]), (OUTER[4]["moon"], OUTER[4]["sun"]),
                (OUTER[4]["moon"], "192.0.2.99"))
        moon.wait_log("another program migrated SAs of policy 10.82.1.0/24 === 10.82.2.0/24")
        healed(moon, before)
        assert "192.0.2.99" not in states(moon)
        assert len(policies(moon)) == 3 and "192.0.2.99" not in "".join(policies(moon))
        assert moon.ping() == 3 and sun.ping() == 3
        moon.stop()
