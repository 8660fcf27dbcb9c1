# SPDX-License-Identifier: Apache-2.0
"""IKE and ESP over TCP (RFC 9329)."""
import concurrent.futures
import socket

import pytest

from lab import conf
from lab.net import OUTER
from lab.run import PATIENCE, namespace, run, socket_in, wait_until

PORT = 4500
LISTEN = {"tcp_port": PORT}
QUICK = {"retransmit_timeout": "0.3", "retransmit_base": "1.5"}


def sa_of(gateway):
    return gateway.sa()


def connections(lab, side, state="established"):
    """TCP connections of a gateway to or from the port."""
    lines = run("ss", "-Htn", "state", state, "( sport = :%d or dport = :%d )" % (PORT, PORT), ns=lab.net.ns(side)).stdout
    return lines.splitlines()


def pair(lab, tcp="yes", version=4, settings=None, **over):
    moon, sun = lab.pair(conf.gateway("moon", None, version=version, tcp=tcp, **over), conf.gateway("sun", None, version=version),
                         settings=conf.merged(dict(LISTEN, **QUICK), settings or {}))
    return moon, sun


def no_udp(lab):
    """Nothing of UDP passes the router."""
    lab.net.nft("table inet faults {\n chain forward {\n type filter hook forward priority 0;\n meta l4proto 17 drop\n }\n }\n")


def cut(lab):
    """Who sends on the connection gets a reset."""
    text = "table inet cut {\n chain forward {\n type filter hook forward priority 0;\n"
    text += ' tcp sport %d counter reject with tcp reset comment "cut"\n tcp dport %d counter reject with tcp reset comment "cut"\n }\n }\n'
    lab.net.nft(text % (PORT, PORT))


def transfer_begins(gateway):
    """Much over TCP through the tunnel, under way; its result() fails when it does not all arrive."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(gateway.tcp, size=192 << 20, limit=60)
    pool.shutdown(wait=False)
    wait_until(lambda: int(gateway.child("net-net")["bytes-out"]) > 2 << 20, 10, "traffic")
    return future


@pytest.mark.parametrize("version", [4, 6])
def test_tunnel(lab, version):
    """tcp = yes: everything goes over one TCP connection, nothing over UDP."""
    no_udp(lab)
    moon, sun = pair(lab, version=version, settings={"retransmit_timeout": 4})
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3
    assert sun.ping() == 3
    moon.tcp(size=4 << 20)
    sun.tcp(size=4 << 20)
    for gateway in (moon, sun):
        assert sa_of(gateway)["encap-tcp"] == "yes"
        assert len(connections(lab, gateway.side)) == 1
    assert sa_of(moon)["remote-port"] == str(PORT) and sa_of(moon)["remote-host"] == OUTER[version]["sun"]
    assert sa_of(moon)["local-port"] == sa_of(sun)["remote-port"]
    sun.wait_log(r"listening on TCP port 4500")
    moon.wait_log(r"/tcp\]")
    assert not moon.logged("retransmit")
    moon.terminate(ike="net")
    sun.wait_no_sas(15)
    wait_until(lambda: not connections(lab, "moon") and not connections(lab, "sun"), 5, "the connection is closed")


def test_life_in_a_stream(lab):
    """Rekeying of both, DPD and another child, by both sides, in the same connection."""
    no_udp(lab)
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side), "other": conf.net_child(side, net=1)}, dpd_delay="1s",
        **({"tcp": "yes"} if side == "moon" else {}))}) for side in ("moon", "sun")), settings=LISTEN)
    moon.initiate("net-net")
    sun.wait_children(1)
    for gateway in (moon, sun):
        before = sa_of(gateway)["initiator-spi"]
        gateway.swanctl("--rekey", "--ike", "net")
        wait_until(lambda g=gateway, b=before: [sa for sa in g.established() if sa["initiator-spi"] != b] and len(g.sas()) == 1,
                   10, "a new IKE_SA")
        wait_until(lambda: len(sun.sas()) == 1 and len(moon.sas()) == 1, 10, "the old one is gone")
        spi = gateway.child("net-net")["spi-in"]
        gateway.swanctl("--rekey", "--child", "net-net")
        wait_until(lambda g=gateway, s=spi: [c["spi-in"] for c in g.children("net-net")] not in ([], [s]), 10, "new keys")
        assert gateway.ping() == 3
    sun.initiate("other")
    assert moon.ping(net=1) == 3
    assert len(connections(lab, "moon")) == 1 and len(connections(lab, "sun")) == 1


def test_fallback(lab):
    """tcp = fallback where UDP does not pass: a new IKE_SA_INIT over TCP, in the same attempt."""
    no_udp(lab)
    moon, sun = pair(lab, "fallback")
    moon.initiate("net-net")
    moon.wait_log(r"does not answer over UDP: trying TCP port 4500")
    assert moon.ping() == 3
    assert sa_of(sun)["encap-tcp"] == "yes"
    moon.terminate(ike="net")
    sun.wait_no_sas(15)
    # UDP is what is preferred
    lab.net.heal()
    moon.initiate("net-net")
    assert "encap-tcp" not in sa_of(moon) and sa_of(moon)["remote-port"] == "4500"
    assert moon.ping() == 3 and not connections(lab, "moon")


def test_no_listener(lab):
    """The other side does not listen: the attempt fails in time, and says why."""
    moon, _ = lab.pair(conf.gateway("moon", None, tcp="yes"), conf.gateway("sun"), settings=dict(QUICK, retransmit_tries=3))
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"TCP connection with 10.81.2.2\[4500/tcp\] cannot be made: Connection refused")
    assert not moon.sas()


def test_broken_and_made_again(lab):
    """The connection is reset while traffic flows: it is made again, the SAs and the traffic go on."""
    no_udp(lab)
    moon, sun = pair(lab)
    moon.initiate("net-net")
    sun.wait_children(1)
    before = sa_of(moon)["initiator-spi"], moon.child("net-net")["spi-in"]
    old = connections(lab, "moon")
    transfer = transfer_begins(moon)
    cut(lab)
    assert not transfer.done(), "too little to transfer"
    # the other side may not learn of it: who only receives has nothing that could be refused
    moon.wait_log(r"is broken: Connection reset")
    run("nft", "delete", "table", "inet", "cut", ns=lab.net.ns("gw"))
    moon.wait_log(r"is made again", 15)
    sun.wait_log(r"IKE_SA moves from .*/tcp\] to .*/tcp\]")
    transfer.result(90 * PATIENCE)
    assert (sa_of(moon)["initiator-spi"], moon.child("net-net")["spi-in"]) == before
    assert sun.ping() == 3
    assert len(connections(lab, "moon")) == 1 and connections(lab, "moon") != old
    assert sa_of(moon)["local-port"] == sa_of(sun)["remote-port"]


def test_responder_asks_while_it_is_broken(lab):
    """A request of the side that cannot connect waits for the next connection (RFC 9329, 6.2)."""
    moon, sun = pair(lab, settings={"retransmit_tries": 11})  # longer than the pauses between attempts to connect
    moon.initiate("net-net")
    sun.wait_children(1)
    spi = sun.child("net-net")["spi-in"]
    cut(lab)
    moon.ping(count=1, limit=1)
    sun.ping(count=1, limit=1)
    sun.wait_log(r"is broken")
    sun.swanctl("--rekey", "--child", "net-net")
    run("nft", "delete", "table", "inet", "cut", ns=lab.net.ns("gw"))
    wait_until(lambda: [c["spi-in"] for c in sun.children("net-net")] not in ([], [spi]), 30, "new keys")
    assert moon.ping() == 3


def test_our_address_changes(lab):
    """The side that connects gets another address: a connection from there, the same SAs."""
    no_udp(lab)
    moon, sun = lab.pair(conf.gateway("moon", None, tcp="yes", local_addrs="%any", mobike="yes"),
                         conf.gateway("sun", None, remote_addrs="%any", mobike="yes"), settings=dict(LISTEN, **QUICK))
    moon.initiate("net-net")
    sun.wait_children(1)
    spi = sa_of(moon)["initiator-spi"]
    transfer = transfer_begins(moon)
    assert not transfer.done(), "too little to transfer"
    run("ip", "-n", lab.net.ns("moon"), "addr", "del", OUTER[4]["moon"] + "/24", "dev", "eth0")
    run("ip", "-n", lab.net.ns("moon"), "addr", "add", "10.81.1.9/24", "dev", "eth0")
    run("ip", "-n", lab.net.ns("moon"), "route", "replace", "10.81.0.0/16", "via", "10.81.1.1")
    wait_until(lambda: sa_of(sun)["remote-host"] == "10.81.1.9", 30, "the other side follows")
    assert sa_of(moon)["local-host"] == "10.81.1.9" and sa_of(moon)["initiator-spi"] == spi
    transfer.result(90 * PATIENCE)
    assert sun.ping() == 3


def dial(lab, data=b""):
    sock = socket_in(lab.net.ns("moon"), socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(20)
    sock.connect((OUTER[4]["sun"], PORT))
    sock.sendall(data)
    return sock


def is_closed(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def test_silent_scanner(lab):
    """Who says nothing, or too little, is thrown out after a while."""
    lab.gateway("sun", conf.gateway("sun"), LISTEN).start()
    socks = [dial(lab, data) for data in (b"", b"IKE", b"IKETCP", b"IKETCP\0\x20\0\0\0\0abc", b"IKETCP\0\3\xff")]
    for sock in socks:
        with sock:
            assert is_closed(sock)


NONSENSE = {"http": b"GET / HTTP/1.1\r\n\r\n", "length-0": b"IKETCP\0\0", "length-1": b"IKETCP\0\1",
            "too-long": b"IKETCP\xff\xff" + bytes(70000)}


@pytest.mark.parametrize("data", list(NONSENSE.values()), ids=list(NONSENSE))
def test_nonsense_is_closed_at_once(lab, data):
    sun = lab.gateway("sun", conf.gateway("sun"), dict(LISTEN, filelog={"log": {"net": 2}})).start()
    with dial(lab) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass
        sock.settimeout(5)
        assert is_closed(sock)
    sun.wait_log(r"TCP connection with .* is broken: (it does not begin with IKETCP|the length of a message cannot be)")


def test_many_connections(lab):
    """Thousands of connections of one address: refused beyond the limit, and a tunnel comes up all the same."""
    moon, sun = pair(lab)
    socks = []
    # from another address than the tunnel's
    run("ip", "-n", lab.net.ns("moon"), "addr", "add", "10.81.1.77/24", "dev", "eth0")
    try:
        for _ in range(2000):
            with namespace(lab.net.ns("moon")):
                sock = socket.socket()
            sock.bind(("10.81.1.77", 0))
            sock.settimeout(10)
            try:
                sock.connect((OUTER[4]["sun"], PORT))
            except ConnectionError:
                sock.close()
                continue
            socks.append(sock)
        sun.wait_log(r"refused a TCP connection from 10.81.1.77\S* too many are open")
        wait_until(lambda: len(connections(lab, "sun")) <= 32, 10, "only so many stay")
        moon.initiate("net-net")
        assert moon.ping() == 3
    finally:
        for sock in socks:
            sock.close()


def test_backend_without_tcp(lab):
    """Only a data plane that carries ESP in TCP can do this: anything else is refused, not half done."""
    moon = lab.gateway("moon", conf.gateway("moon", None, tcp="yes"), {"kernel": "null"})
    moon.start(load=False)
    done = moon.swanctl("--load-all", "--noprompt", check=False)
    assert done.returncode != 0
    assert "unsupported: tcp = yes (the IPsec backend cannot carry ESP in TCP)" in done.stdout + done.stderr
    sun = lab.gateway("sun", conf.gateway("sun"), dict(LISTEN, kernel="null"))
    sun.expect_exit = 1
    sun.launch()
    assert sun.wait() == 1
    sun.process = None
    assert "the IPsec backend cannot carry ESP in TCP" in sun.log() + sun.out()
