# SPDX-License-Identifier: Apache-2.0
"""SAs in the kernel: algorithms, counters, limits, sequence numbers, what is left behind."""
import re
import socket
import struct
import time

from lab import conf
from lab.net import OUTER, other
from lab.run import namespace, run, wait_until

# each with another cipher or another truncation
PROPOSALS = ["aes128gcm16", "aes256gcm16-esn", "aes128gcm8", "aes256ccm16", "chacha20poly1305", "aes128-sha256",
             "aes256-sha512-esn", "aes192-sha384", "aes128-sha1", "aes128ctr-sha256", "aes128-aescmac"]


def states(gateway):
    return run("ip", "-s", "xfrm", "state", ns=gateway.ns).stdout


def drops(gateway):
    """What the kernel counted as not carried."""
    lines = run("cat", "/proc/net/xfrm_stat", ns=gateway.ns).stdout.splitlines()
    return "%s: %s" % (gateway.side, [line for line in lines if line.split()[1] != "0"])


def no_states(*gateways):
    wait_until(lambda: not any("spi" in states(gateway) for gateway in gateways), what="no SA is left in a kernel")


def config(side, version=4, connection=None, **child):
    child = conf.net_child(side, **child)
    return conf.gateway(side, {"net": conf.connection(side, {"net-net": child}, version, **(connection or {}))})


def up(lab, settings=None, version=4, connection=None, **child):
    moon, sun = lab.pair(*(config(side, version, connection, **child) for side in ("moon", "sun")), settings=settings)
    moon.initiate("net-net")
    sun.wait_children(1)
    return moon, sun


def test_net_net(lab):
    """A tunnel by the kernel; its counters are those of the kernel."""
    moon, sun = up(lab)
    assert moon.ping() == 3
    wait_until(lambda: moon.child("net-net")["packets-in"] == "3", what="the counters are read")
    assert moon.child("net-net")["bytes-out"] == "252"
    assert int(moon.child("net-net")["use-out"]) < 30
    moon.terminate(ike="net")
    no_states(moon, sun)


def test_algorithms(lab):
    """Every kind of algorithm, in UDP, with ESP in user space on the other side: both must mean the same by it."""
    children = {name: conf.net_child("moon", esp_proposals=name) for name in PROPOSALS}
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", children)})).start()
    sun = lab.gateway("sun", config("sun", esp_proposals=PROPOSALS), {"kernel": "userland"}).start()
    for name in PROPOSALS:
        moon.initiate(name)
        sun.wait_children(1)
        assert moon.ping(count=1, limit=5) == 1 and sun.ping(count=1, limit=5) == 1, name
        moon.terminate(child=name)
        sun.wait_children(0)
    assert "encap type espinudp" not in states(moon)


def test_encapsulated(lab):
    """ESP in UDP between two kernels, outside IPv6: the sockets of IKE hand it over."""
    moon, sun = up(lab, version=6, connection={"encap": "yes"})
    assert "encap type espinudp sport 4500 dport 4500" in states(moon)
    assert moon.ping() == 3
    # what is not ESP is still ours
    moon.terminate(ike="net")
    no_states(moon, sun)


# ---- sequence numbers -----------------------------------------------------------------------------

NETLINK_XFRM, XFRM_MSG_NEWAE, XFRMA_REPLAY_ESN_VAL = 6, 0x1e, 23
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE = 1, 4, 0x100


def set_numbers(gateway, src, dst, spi, oseq, seq, window):
    """Sets what the kernel believes to be the last sequence numbers of an SA."""
    words = (window + 31) // 32
    where = socket.inet_aton(dst).ljust(16, b"\0")
    event = where + struct.pack("!I", spi) + struct.pack("=HBx", socket.AF_INET, 50) + \
        socket.inet_aton(src).ljust(16, b"\0") + struct.pack("=II", 0, 0)
    replay = struct.pack("=6I", words, oseq & 0xffffffff, seq & 0xffffffff, oseq >> 32, seq >> 32, window) + bytes(4 * words)
    body = event + struct.pack("=HH", 4 + len(replay), XFRMA_REPLAY_ESN_VAL) + replay
    with namespace(gateway.ns):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as s:
            s.bind((0, 0))
            s.send(struct.pack("=IHHII", 16 + len(body), XFRM_MSG_NEWAE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE, 1, 0) + body)
            error = struct.unpack("=i", s.recv(4096)[16:20])[0]
    assert error == 0, "the kernel refuses the numbers: %d" % error


def test_esn_wraps(lab):
    """Extended sequence numbers go over 2^32, both sides count on. The window is a large one."""
    moon, sun = up(lab, esp_proposals="aes128gcm16-esn", replay_window="1024")
    spi = int(moon.child("net-net")["spi-out"], 16)
    at = (1 << 32) - 5
    for gateway, oseq, seq, window in ((moon, at, 0, 32), (sun, 0, at, 1024)):
        set_numbers(gateway, OUTER[4]["moon"], OUTER[4]["sun"], spi, oseq, seq, window)
    assert moon.ping(count=20) == 20
    assert re.search(r"seq-hi 0x1, seq 0x0*f, oseq-hi 0x0, oseq 0x0", states(sun)), states(sun)
    assert re.search(r"oseq-hi 0x1, oseq 0x0*f", states(moon)), states(moon)


def test_numbers_end(lab):
    """Without ESN the kernel would stop at 2^32 - 1: the child is rekeyed before, by the packets that are left."""
    moon, _ = up(lab, esp_proposals="aes128gcm16")
    limits = re.findall(r"limit: soft (\S+)\(packets\), hard (\S+)\(packets\)", states(moon))
    assert ("4026531840", "4294967295") in limits and ("(INF)", "(INF)") in limits, limits


# ---- limits ---------------------------------------------------------------------------------------

def test_rekey_by_bytes(lab):
    """The kernel says that a limit is near; children change under traffic and no packet is lost."""
    moon, sun = up(lab, rekey_bytes="40000", rand_bytes="0", life_bytes="400000", rekey_time="0")
    sent, answered, end = 0, 0, time.monotonic() + 120
    while len(re.findall("rekeyed as", moon.log() + sun.log())) < 4 and time.monotonic() < end:
        answered += moon.ping(count=50, size=1000)
        sent += 50
    assert answered == sent, "%d of %d packets were lost\n%s\n%s" % (sent - answered, sent, drops(moon), drops(sun))
    assert len(re.findall("rekeyed as", moon.log() + sun.log())) >= 4
    wait_until(lambda: len(moon.children()) == len(sun.children()) == 1, what="the old ones are gone")
    wait_until(lambda: states(moon).count("spi") == 2, what="their SAs, too")


def test_rekey_under_a_transfer(lab):
    """The same under a TCP stream at full speed: neither kernel counts a packet that it could not carry."""
    moon, sun = up(lab, rekey_bytes="8m", rand_bytes="0", life_bytes="800m", rekey_time="0")
    before = drops(moon), drops(sun)
    for _ in range(4):
        moon.tcp(size=24 << 20)
    assert (drops(moon), drops(sun)) == before
    wait_until(lambda: len(re.findall("rekeyed as", moon.log())) >= 3, what="three rekeyings")
    wait_until(lambda: len(moon.children()) == len(sun.children()) == 1, what="the old ones are gone")


# ---- many, and what is left -----------------------------------------------------------------------

MANY = 1000


def many(side):
    """The same children on both sides: pairs of addresses."""
    number = {"moon": 1, "sun": 2}
    children = {}
    for i in range(MANY):
        def host(s, i=i):
            return "10.%d.%d.%d/32" % (100 + number[s], i // 250, i % 250)
        children["c%d" % i] = {"local_ts": host(side), "remote_ts": host(other(side)), "esp_proposals": "aes128gcm16",
                               "start_action": "start" if side == "moon" else "none"}
    return conf.gateway(side, {"net": conf.connection(side, children)})


def test_thousand_children(lab):
    """1,000 children of one IKE_SA, with policies and routes; all go with it."""
    sun = lab.gateway("sun", many("sun")).start()
    moon = lab.gateway("moon", many("moon")).start()
    wait_until(lambda: len(moon.children()) == MANY, 120, "all children")
    for gateway in (moon, sun):
        assert states(gateway).count("\tproto esp spi") == 2 * MANY
    moon.terminate(ike="net")
    no_states(moon, sun)
    assert "10.10" not in run("ip", "xfrm", "policy", ns=moon.ns).stdout


def test_killed(lab):
    """A daemon that is killed leaves its SAs; the next one removes them, and not those of others."""
    moon, sun = up(lab)
    run("ip", "xfrm", "state", "add", "src", "10.99.0.1", "dst", "10.99.0.2", "proto", "esp", "spi", "0x99999", "mode", "tunnel",
        "aead", "rfc4106(gcm(aes))", "0x" + "42" * 20, "128", ns=moon.ns)
    moon.kill()
    assert states(moon).count("\tproto esp spi") == 3
    moon.start()
    assert states(moon).count("\tproto esp spi") == 1 and "99999" in states(moon)
    moon.initiate("net-net")
    wait_until(lambda: moon.ping(count=1) == 1, what="the tunnel is there again")
    moon.stop()
    assert states(moon).count("\tproto esp spi") == 1
