# SPDX-License-Identifier: Apache-2.0
"""The control socket: Debian's swanctl, several clients at once, and clients that behave badly."""
import re
import select
import signal
import socket
import struct
import subprocess
import threading

import pytest

from lab import conf, vici
from lab.run import PATIENCE, in_ns, program, run, wait_until

DEBIAN = "/usr/sbin/swanctl"


@pytest.fixture
def moon(lab):
    """One daemon, with nothing to carry packets."""
    return lab.gateway("moon", conf.gateway("moon"), {"kernel": "null"}).start()


def alive(gateway):
    with gateway.vici() as client:
        assert client.call("version")["version"]
        assert client.call("get-conns")["conns"] == ["net"]


# ---- Debian's swanctl ------------------------------------------------------------------------

def test_debian_swanctl_whole_life(lab):
    """Loading, a tunnel, listing, ending: all with the unchanged client."""
    moon, sun = (lab.gateway(side, conf.gateway(side)).start(load=False) for side in ("moon", "sun"))
    for gateway in (moon, sun):
        done = gateway.swanctl("--load-all", "--noprompt", program=DEBIAN)
        assert "loaded ike secret 'ike-lab'" in done.stdout
        assert "successfully loaded 1 connections, 0 unloaded" in done.stdout
    done = moon.swanctl("--initiate", "--child", "net-net", program=DEBIAN)
    assert "[IKE] IKE_SA net[1] established between" in done.stdout
    assert "initiate completed successfully" in done.stdout
    assert moon.ping() == 3
    sas = moon.swanctl("--list-sas", program=DEBIAN).stdout
    assert re.search(r"^net: #1, ESTABLISHED, IKEv2, [0-9a-f]{16}_i\* [0-9a-f]{16}_r$", sas, re.M), sas
    assert re.search(r"^  net-net: #1, reqid 1, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-128$", sas, re.M), sas
    assert re.search(r"^    in  [0-9a-f]{8}, +252 bytes, +3 packets, +\d+s ago$", sas, re.M), sas
    done = moon.swanctl("--terminate", "--child", "net-net", program=DEBIAN)
    assert "terminate completed successfully" in done.stdout
    sun.wait_children(0)
    assert len(moon.established()) == 1
    moon.swanctl("--terminate", "--ike", "net", program=DEBIAN)
    sun.wait_no_sas()


@pytest.mark.parametrize("args,pattern", [
    (["--version", "--daemon"], r"bewick"),
    (["--stats"], r"IKE_SAs: 0 total, 0 half-open"),
    (["--reload-settings"], r""),
    (["--load-conns"], r"loaded connection 'net'"),
    (["--load-creds", "--noprompt"], r"loaded ike secret 'ike-lab'"),
    (["--load-creds", "--clear", "--noprompt"], r"loaded ike secret 'ike-lab'"),
    (["--load-pools"], r"no pools found, 0 unloaded"),
    (["--load-authorities"], r"no authorities found, 0 unloaded"),
    (["--list-conns"], r"net: IKEv2, no reauthentication, rekeying every 14400s"),
    (["--list-sas"], r""),
    (["--list-sas", "--noblock", "--ike", "net", "--raw"], r"list-sas reply"),
    (["--list-pols"], r""),
    (["--list-certs"], r""),
    (["--list-authorities"], r""),
    (["--list-pools"], r""),
    (["--counters"], r"(?s)^global:\n  ike-rekey-init +: 0\n.*  info-out-resp +: 0$"),
    (["--list-algs"], r"(?s)encryption:\n.*AES_CBC\[.*integrity:\n.*HMAC_SHA2_256_128\[.*aead:\n.*AES_GCM_16\["),
])
def test_debian_swanctl_verb(moon, args, pattern):
    done = moon.swanctl(*args, program=DEBIAN)
    assert re.search(pattern, done.stdout), done.stdout
    alive(moon)


@pytest.mark.parametrize("args", [["--redirect", "--ike", "net", "--gateway", "10.0.0.1"]])
def test_debian_swanctl_verb_that_is_not_there(moon, args):
    """What this version cannot do is refused in words, with the exit status of an unknown command."""
    done = moon.swanctl(*args, program=DEBIAN, check=False)
    assert done.returncode != 0 and "failed" in done.stderr
    alive(moon)


@pytest.mark.parametrize("program", [DEBIAN, program("swanctl")])
def test_bad_connections_are_refused(moon, program):
    config = conf.gateway("moon")
    bad = {"badkey": {"colour": "red"}, "badval": {"version": "7"}, "badprop": {"proposals": "aes128-nonsense"},
           "badchild": {"children": {"c": {"mode": "sideways"}}}, "badts": {"children": {"c": {"local_ts": "x/y"}}}}
    config["connections"].update({name: conf.merged(conf.connection("moon", {}), over) for name, over in bad.items()})
    moon.configure(config)
    done = moon.swanctl("--load-conns", program=program, check=False)
    assert done.returncode != 0
    for name, word in (("badkey", "colour"), ("badval", "version"), ("badprop", "proposals"), ("badchild", "mode"),
                       ("badts", "local_ts")):
        assert re.search("loading connection '%s' failed: .*%s" % (name, word), done.stderr), done.stderr
    alive(moon)


def test_unloading(moon):
    """A connection that left the file is unloaded."""
    moon.configure({"connections": {"other": conf.connection("moon", {})}})
    done = moon.swanctl("--load-all", "--noprompt", program=DEBIAN)
    assert "successfully loaded 1 connections, 1 unloaded" in done.stdout
    with moon.vici() as client:
        assert client.call("get-conns")["conns"] == ["other"]
        assert client.call("get-shared")["keys"] == []


def test_python_vici(moon):
    """The vici module of Python, where there is one."""
    module = pytest.importorskip("vici", reason="python3-vici is not in Debian 12")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(moon.path("vici"))
        session = module.Session(sock)
        assert session.version()["version"]
        assert [list(conn) for conn in session.list_conns()] == [["net"]]
        assert list(session.list_sas()) == []


# ---- events ----------------------------------------------------------------------------------

def test_events_of_a_tunnel(lab):
    moon, sun = lab.pair()
    with moon.vici() as here, sun.vici() as there:
        for client in (here, there):
            client.register("ike-updown")
            client.register("child-updown")
        moon.initiate("net-net")
        for client in (here, there):
            events = [client.event("ike-updown", "child-updown") for _ in range(2)]
            assert sorted(name for name, _ in events) == ["child-updown", "ike-updown"]
            for _, body in events:
                assert body["up"] == "yes" and body["net"]["state"] == "ESTABLISHED"
            child = dict(events)["child-updown"]["net"]["child-sas"]
            assert [c["name"] for c in child.values()] == ["net-net"]
        moon.terminate(ike="net")
        for client in (here, there):
            seen = [client.event("ike-updown", "child-updown") for _ in range(2)]
            assert all("up" not in body for _, body in seen)


def test_log_event(moon):
    with moon.vici() as listener:
        listener.register("log")
        moon.swanctl("--load-conns")
        _, body = listener.event("log")
        assert body["group"] and body["msg"]


def test_monitor_and_log_follow(lab):
    """swanctl --log and --monitor-sa, ours and Debian's, while a tunnel comes up."""
    moon, sun = lab.pair()
    programs = [subprocess.Popen([program, verb, "--uri", "unix://" + moon.path("vici")], stdin=subprocess.DEVNULL,
                                 stdout=open(moon.path("%s%d" % (verb, n)), "wb"), stderr=subprocess.DEVNULL)
                for n, program in enumerate((DEBIAN, moon.swanctl_program())) for verb in ("--log", "--monitor-sa")]
    try:
        wait_until(lambda: _registered(moon) >= 4, what="four clients have registered")
        moon.initiate("net-net")
        moon.stop()
        for program in programs[2:]:
            program.wait(10 * PATIENCE)
        for program in programs[:2]:  # Debian's waits for a signal
            program.send_signal(signal.SIGINT)
            program.wait(10 * PATIENCE)
        for n in range(2):
            assert "established between" in moon._read("--log%d" % n)
            assert "net-net" in moon._read("--monitor-sa%d" % n)
    finally:
        for program in programs:
            if program.poll() is None:
                program.kill()
                program.wait()
    sun.wait_no_sas()


def _registered(gateway):
    """Connections to the control socket, as the system counts them."""
    lines = run("ss", "-xH", "state", "connected", "src", gateway.path("vici")).stdout.splitlines()
    return len(lines)


# ---- many, slow, dead ------------------------------------------------------------------------

def test_hundred_clients(moon):
    """100 connections, each with commands, all at once."""
    clients = [moon.vici() for _ in range(100)]
    problems = []

    def work(client):
        try:
            for _ in range(5):
                assert client.call("get-conns")["conns"] == ["net"]
                assert len(client.stream("list-conns", "list-conn")) == 1
        except Exception as problem:  # pylint: disable=broad-except
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * PATIENCE)
    for client in clients:
        client.close()
    assert not problems
    alive(moon)


def test_client_that_does_not_read(lab):
    """It asked for all logs and reads nothing: tunnels come and go, other clients are served."""
    moon, sun = lab.pair()
    with moon.vici() as sleeper:
        for _ in range(200):  # each registration is one copy of each line
            sleeper.register("log")
        for _ in range(5):
            moon.initiate("net-net")
            moon.terminate(ike="net")
        alive(moon)
        sun.wait_no_sas()
    alive(moon)


def test_client_with_a_full_pipe(moon):
    """It sends requests without end and reads no reply: it is held back, others are not."""
    request = vici_request("get-algorithms")
    with moon.vici() as flood:
        flood.sock.setblocking(False)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += flood.sock.send(request * 1000)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        alive(moon)
        assert sent < 64 << 20, "the daemon swallows without bounds"
    alive(moon)


def vici_request(name, message=b""):
    body = bytes([vici.CMD_REQUEST, len(name)]) + name.encode() + message
    return struct.pack("!I", len(body)) + body


def test_clients_that_die(lab):
    """Gone in the middle of a segment, of a command, of a stream."""
    moon, sun = lab.pair()
    for part in (b"\0", b"\0\0\0", b"\0\0\0\x09", b"\0\0\0\x09\0\x07ver"):
        client = moon.vici()
        client.sock.sendall(part)
        client.close()
    for _ in range(10):
        client = moon.vici()
        client.sock.sendall(vici_request("list-conns") + vici_request("list-sas"))
        client.close()
    client = moon.vici()
    client.register("control-log")
    client.sock.sendall(vici_request("initiate", vici.encode({"child": "net-net", "timeout": "20000"})))
    client.close()
    for gateway in (sun, moon):  # the command goes on without its client
        gateway.wait_children(1)
    alive(moon)
    assert moon.ping() == 3


def test_byte_by_byte(moon):
    """A segment in the smallest pieces, and several in one."""
    with moon.vici() as client:
        for byte in vici_request("version"):
            client.sock.sendall(bytes([byte]))
        assert client.receive()[2]["version"]
        client.sock.sendall(vici_request("version") * 20)
        for _ in range(20):
            assert client.receive()[2]["version"]


# ---- malformed -------------------------------------------------------------------------------

def test_oversized_segment(moon):
    """More than 512 KiB is announced: that connection is closed at once, others live."""
    with moon.vici() as other, moon.vici() as client:
        client.sock.sendall(struct.pack("!I", 512 * 1024 + 1))
        assert client.sock.recv(1) == b""
        assert other.call("version")["version"]


def test_largest_segment(moon):
    """Exactly 512 KiB is served."""
    head = bytes([vici.CMD_REQUEST, 7]) + b"version"
    junk = {"junk-%d" % n: b"x" * 60000 for n in range(8)}
    body = head + vici.encode(junk)
    rest = 512 * 1024 - len(body) - 1 - 1 - 4 - 2
    body += vici.encode({"rest": b"y" * rest})
    assert len(body) == 512 * 1024
    with moon.vici() as client:
        client.send(body)
        assert client.receive()[2]["version"]


WRONG_PACKETS = [
    b"", b"\x00", b"\x00\xff", b"\x00\x08version", b"\x00\x03a\x01b", b"\x01", b"\x02", b"\x05\x01", b"\x06",
    b"\x07\x07version", b"\x08\x07version", b"\xff" * 100, b"\x03", b"\x03\xffx",
]


def test_wrong_packets(moon):
    """No answer, and the connection can still be used (vici, 2)."""
    with moon.vici() as client:
        for body in WRONG_PACKETS:
            client.send(body)
            # answers come in order: one to the wrong packet would be taken for this one's
            assert client.call("version")["version"], body
            assert not select.select([client.sock], [], [], 0)[0], body


WRONG_MESSAGES = [
    b"\x00", b"\x07", b"\x02", b"\x01", b"\x01\x05ab", b"\x03\x01a", b"\x03\x01a\x00", b"\x03\x01a\xff\xffx",
    b"\x04\x01a\x03\x01b\x00\x00\x06", b"\x04\x01a\x04\x01b\x06\x06", b"\x05\x00\x01a", b"\x06",
    b"\x01\x01a" * 1000, b"\x01\x01a" * 100000, b"\x01\x01a\x01\x01a\x02\x01\x01a\x02\x02",
]


@pytest.mark.parametrize("command", ["load-conn", "load-shared", "initiate", "list-sas", "version"])
def test_wrong_messages(moon, command):
    """A reply, a refusal where the message matters, and a daemon as it was."""
    with moon.vici() as client:
        for message in WRONG_MESSAGES:
            client.sock.sendall(vici_request(command, message))
            kind, _, reply = client.receive()
            assert kind == vici.CMD_RESPONSE, message[:20]
            if command in ("load-shared", "initiate"):
                assert reply["success"] == "no" and reply["errmsg"], message[:20]
            assert set(client.call("get-conns")["conns"]) <= {"net", "a"}, message[:20]


def test_unknown_names(moon):
    with moon.vici() as client:
        client.send(bytes([vici.CMD_REQUEST, 7]) + b"frob-it")
        assert client.receive()[0] == vici.CMD_UNKNOWN
        client.send(bytes([vici.CMD_REQUEST, 7]) + b"VERSION")
        assert client.receive()[0] == vici.CMD_UNKNOWN
        client.send(bytes([vici.EVENT_REGISTER, 4]) + b"frob")
        assert client.receive()[0] == vici.EVENT_UNKNOWN
        client.send(bytes([vici.EVENT_REGISTER, 0]))
        assert client.receive()[0] == vici.EVENT_UNKNOWN
        client.send(bytes([vici.EVENT_UNREGISTER, 3]) + b"log")
        assert client.receive()[0] == vici.EVENT_UNKNOWN
        alive(moon)


def test_commands_are_answered_in_order(lab):
    """A slow command holds up its own connection only."""
    moon = lab.gateway("moon", conf.gateway("moon"), {"kernel": "null"}).start()
    with moon.vici() as slow, moon.vici() as quick:
        slow.sock.sendall(vici_request("initiate", vici.encode({"child": "net-net", "timeout": "1500"})) +
                          vici_request("version"))
        assert quick.call("version")["version"]
        assert not select.select([slow.sock], [], [], 0)[0], "the second answer overtook the first"
        reply = slow.receive()[2]
        assert reply["success"] == "no" and "not established after 1500ms" in reply["errmsg"]
        assert slow.receive()[2]["version"]
    moon.swanctl("--terminate", "--ike", "net", "--force")


def test_socket_is_not_for_everybody(moon):
    """Mode 0770: another user cannot connect."""
    done = run(*in_ns(moon.ns, ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", DEBIAN,
                                "--stats", "--uri", "unix://" + moon.path("vici")]), check=False)
    assert done.returncode == 13 and "Permission denied" in done.stderr
