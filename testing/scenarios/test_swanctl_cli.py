# SPDX-License-Identifier: Apache-2.0
"""What recordings do not show: wrong usage, broken daemons, daemons that lack commands.

    BEWICK_BUILD=/path/to/build python3 -m pytest testing/scenarios/test_swanctl_cli.py
"""
import os
import shutil
import subprocess

import pytest

from swanctl_lab import SWANCTL, Daemon, lab, swanctl  # noqa: F401 (lab is a fixture)

REQUEST, RESPONSE, UNKNOWN, REGISTER, CONFIRM, EVENT_UNKNOWN, EVENT = 0, 1, 2, 3, 5, 6, 7


def text(value):
    return value if isinstance(value, bytes) else value.encode()


def encode(tree):
    out = b""
    for key, value in tree.items():
        name = bytes([len(key)]) + key.encode()
        if isinstance(value, dict):
            out += b"\1" + name + encode(value) + b"\2"
        elif isinstance(value, list):
            items = b"".join(b"\5" + len(i).to_bytes(2, "big") + text(i) for i in value)
            out += b"\4" + name + items + b"\6"
        else:
            out += b"\3" + name + len(value).to_bytes(2, "big") + text(value)
    return out


def packet(kind, name=None, tree=None):
    body = bytes([kind])
    if name is not None:
        body += bytes([len(name)]) + name.encode()
    body += encode(tree or {})
    return len(body).to_bytes(4, "big") + body


class Table(Daemon):
    """Answers by the name of the command; what is not in the table is unknown to it."""

    def __init__(self, path, table):
        super().__init__(path, [])
        self.table = table

    def names(self):
        return [g[6:6 + g[5]].decode() for g in self.got]

    def answer(self, request):
        answer = self.table.get(request[6:6 + request[5]].decode())
        if answer is None:
            return packet(EVENT_UNKNOWN if request[4] == REGISTER else UNKNOWN)
        return answer if isinstance(answer, bytes) else packet(RESPONSE, tree=answer)


def run(lab, table, *args, **kwargs):  # noqa: F811
    daemon = Table(lab + "/socket", table)
    daemon.start()
    status, out, err = swanctl(lab, kwargs.pop("side", "own"), args, **kwargs)
    daemon.stop()
    return daemon, status, out, err


def config(lab, content):  # noqa: F811
    os.makedirs(lab + "/own", exist_ok=True)
    for folder in "x509 x509ca x509ocsp x509aa x509ac x509crl pubkey private rsa ecdsa pkcs8 pkcs12".split():
        os.makedirs(lab + "/own/" + folder, exist_ok=True)
    with open(lab + "/own/swanctl.conf", "w", encoding="utf-8") as f:
        f.write(content)


OK = {"success": "yes"}
SECRET_AND_CONN = """
connections { c { remote_addrs = 192.0.2.1
  children { n { } } } }
secrets { ike-1 { secret = "abc"
  id = x } }
"""
# What the daemon has that only knows secrets and connections.
SMALL = {"get-shared": {"keys": []}, "load-shared": OK, "get-conns": {"conns": []}, "load-conn": OK}


def test_load_all_without_the_rest(lab):  # noqa: F811
    """A daemon that lacks get-keys, get-authorities and get-pools: fine if nothing asks for them."""
    config(lab, SECRET_AND_CONN)
    daemon, status, out, err = run(lab, SMALL, "--load-all", "--noprompt")
    assert (status, err) == (0, "")
    assert out == ("loaded ike secret 'ike-1'\nloaded connection 'c'\n"
                   "successfully loaded 1 connections, 0 unloaded\n")
    assert daemon.names()[-2:] == ["get-conns", "load-conn"]


@pytest.mark.parametrize("extra,message", [
    ("pools { p { addrs = 10.0.0.0/24 } }",
     "loading pools failed: the daemon does not know the command 'get-pools'\n"),
    ("authorities { a { file = /x } }",
     "loading authorities failed: the daemon does not know the command 'get-authorities'\n"),
])
def test_load_all_lacking(lab, extra, message):  # noqa: F811
    """If the file asks for them: said, failed, and the rest is loaded all the same."""
    config(lab, SECRET_AND_CONN + extra)
    daemon, status, out, err = run(lab, SMALL, "--load-all", "--noprompt")
    assert (status, err) == (22, message)
    assert "loaded connection 'c'\n" in out and "loaded ike secret 'ike-1'\n" in out
    assert "load-pool" not in daemon.names() and "load-authority" not in daemon.names()


def test_load_all_lacking_keys(lab):  # noqa: F811
    config(lab, SECRET_AND_CONN)
    with open(lab + "/own/private/k.pem", "w", encoding="utf-8") as f:
        f.write("x")
    _, status, out, err = run(lab, SMALL, "--load-all", "--noprompt")
    assert status == 22
    assert err == ("loading '@SWANCTL_DIR@/private/k.pem' failed: "
                   "the daemon does not know the command 'load-key'\n")
    assert "loaded connection 'c'\n" in out


def test_load_all_stops(lab):  # noqa: F811
    """Stops after the first of authorities, pools, connections that fails."""
    config(lab, SECRET_AND_CONN + "pools { p { addrs = x } }")
    table = dict(SMALL, **{"get-authorities": {"authorities": []}, "get-pools": {},
                           "load-pool": {"success": "no", "errmsg": "invalid addrs value: x"}})
    daemon, status, _, err = run(lab, table, "--load-all", "--noprompt")
    assert status == 22
    assert err == ("loading pool 'p' failed: invalid addrs value: x\n"
                   "loaded 0 of 1 pools, 1 failed to load, 0 unloaded\n")
    assert "load-conn" not in daemon.names()


def test_bad_secrets(lab):  # noqa: F811
    config(lab, 'secrets { ike-a { secret = 0xzz }\n ike-b { secret = "0s!" }\n'
                ' ike-c { secret = 0x41 } }')
    table = dict(SMALL, **{"get-shared": {"keys": ["ike-a", "ike-z"]}, "unload-shared": OK})
    daemon, status, out, err = run(lab, table, "--load-creds", "--noprompt")
    assert status == 22
    assert out == "loaded ike secret 'ike-c'\n"
    assert err == ("loading ike secret 'ike-a' failed: not valid hex after 0x\n"
                   "loading ike secret 'ike-b' failed: not valid base64 after 0s\n")
    # what could not be replaced stays, what is gone from the file goes
    assert [g for g in daemon.got if b"unload" in g] == [packet(0, "unload-shared", {"id": "ike-z"})]


@pytest.mark.parametrize("content", [
    "connections = x", "connections { a { ", "connections { a.b { } }",
])
def test_broken_file(lab, content):  # noqa: F811
    config(lab, content)
    daemon, status, out, err = run(lab, dict(SMALL, **{"unload-conn": OK}), "--load-conns")
    assert status == 22 and out == "" and err
    assert not any(n.startswith("unload") for n in daemon.names())


def test_value_where_a_section_belongs(lab):  # noqa: F811
    config(lab, "connections { a = b }")
    _, status, _, err = run(lab, SMALL, "--load-conns")
    assert status == 22
    assert err.startswith("loading connection 'a' failed: expected a section, found a value\n")


def test_too_long_for_a_message(lab):  # noqa: F811
    config(lab, "connections { a { remote_addrs = x\n updown = %s }\n b { } }" % ("y" * 70000))
    _, status, out, err = run(lab, SMALL, "--load-conns")
    assert status == 22
    assert out == "loaded connection 'b'\n"
    assert err.startswith("loading connection 'a' failed: longer than a message can be\n")


# ---- daemons that break -----------------------------------------------------------------------

def test_unknown_command(lab):  # noqa: F811
    _, status, out, err = run(lab, {}, "--stats")
    assert (status, out, err) == (2, "", "stats request failed: No such file or directory\n")


def test_unknown_event(lab):  # noqa: F811
    _, status, _, err = run(lab, {}, "--list-sas")
    assert (status, err) == (2, "registering for list-sa failed: No such file or directory\n")


def test_malformed_answer(lab):  # noqa: F811
    _, status, _, err = run(lab, {"stats": b"\0\0\0\2\1\2"}, "--stats")
    assert (status, err) == (74, "stats request failed: Bad message\n")


def test_refused_without_reason(lab):  # noqa: F811
    _, status, _, err = run(lab, {"reload-settings": {"success": "perhaps"}}, "--reload-settings")
    assert (status, err) == (1, "reload-settings failed: the daemon gave no reason\n")


def test_flush_certs_refused(lab):  # noqa: F811
    table = {"flush-certs": {"success": "no", "errmsg": "invalid certificate type 'x'"}}
    _, status, _, err = run(lab, table, "--flush-certs", "--type", "x")
    assert (status, err) == (1, "flush-certs failed: invalid certificate type 'x'\n")


class Leaving(Daemon):
    """Confirms a registration, sends one event and goes."""

    def run(self):
        sock, _ = self.listener.accept()
        sock.recv(100)
        sock.sendall(packet(CONFIRM) + packet(EVENT, "log", {
            "group": "IKE", "level": "1", "thread": "7", "msg": "one\ntwo"}))
        sock.close()


def test_log_ends_with_the_daemon(lab):  # noqa: F811
    daemon = Leaving(lab + "/socket", [])
    daemon.start()
    status, out, err = swanctl(lab, "own", ["--log"])
    daemon.stop()
    assert (status, out) == (104, "07[IKE] one\n07[IKE] two\n")
    assert err == "connection closed: Connection reset by peer\n"


# ---- command line -----------------------------------------------------------------------------

def plain(*args, **env):
    return subprocess.run([SWANCTL, *args], env=dict(os.environ, **env), capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=30, text=True)


@pytest.mark.parametrize("args,message", [
    (["--nonsense"], "unknown command '--nonsense'"),
    (["--list"], "ambiguous command '--list'"),
    (["stats"], "unknown command 'stats'"),
    (["--stats", "--nonsense"], "unrecognized option '--nonsense'"),
    (["--stats", "more"], "unexpected argument 'more'"),
    (["--initiate", "--child"], "option '--child' requires an argument"),
    (["--stats", "--debug", "x"], "debug level 'x' is not one of -1 to 4"),
    (["--stats", "--options", "/nonexistent"], "cannot read options from '/nonexistent'"),
])
def test_wrong_usage(args, message):
    r = plain(*args)
    assert r.returncode == 1 and r.stdout == ""
    assert r.stderr.startswith("swanctl: " + message) and "\nusage:\n" in r.stderr


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"], ["--list-sas", "--help"]])
def test_usage(args):
    r = plain(*args)
    assert r.returncode == 0 and "usage:\n" in r.stdout and r.stderr == ""


@pytest.mark.parametrize("uri,status", [
    ("unix:///nonexistent/socket", 2), ("ftp://x", 97), ("tcp://127.0.0.1:1", 111),
])
def test_cannot_connect(uri, status):
    r = plain("--stats", "--uri", uri)
    why = os.strerror(status)
    assert r.returncode == status and r.stdout == ""
    assert r.stderr.startswith("connecting to '%s' failed: %s\nError: connecting to '%s' URI failed: %s\n"
                               % (uri, why, uri, why))


def test_socket_of_the_settings(tmp_path):
    conf = tmp_path / "conf"
    env = {"STRONGSWAN_CONF": str(conf)}
    conf.write_text("charon { plugins { vici { socket = unix:///nonexistent/charon } } }")
    assert "'unix:///nonexistent/charon'" in plain("--stats", **env).stderr
    conf.write_text(conf.read_text() + "\nbewickd { plugins { vici { socket = unix:///nonexistent/b } } }")
    assert "'unix:///nonexistent/b'" in plain("--stats", **env).stderr
    conf.write_text(conf.read_text() + "\nswanctl { socket = unix:///nonexistent/own }")
    assert "'unix:///nonexistent/own'" in plain("--stats", **env).stderr
    assert "'unix:///nonexistent/arg'" in plain("--stats", "-u", "unix:///nonexistent/arg", **env).stderr
    conf.write_text("swanctl { ")
    assert plain("--stats", **env).returncode == 22


def test_options_file_and_abbreviations(lab, tmp_path):  # noqa: F811
    options = tmp_path / "options"
    options.write_text("# comment\n--child 'a b'\n--lo=2")
    table = {"control-log": packet(CONFIRM), "initiate": OK}
    daemon, status, out, _ = run(lab, table, "--init", "--options", str(options), "--time", "3")
    assert (status, out) == (0, "initiate completed successfully\n")
    assert daemon.got[-1] == packet(0, "initiate", {
        "child": "a b", "timeout": "3000", "loglevel": "2"})


@pytest.mark.parametrize("timeout", ["x", "", "1s", "99999999999999999999"])
def test_bad_timeout(lab, timeout):  # noqa: F811
    daemon, status, _, err = run(lab, {"control-log": packet(CONFIRM), "initiate": OK},
                                 "--initiate", "--timeout", timeout)
    assert status == 22 and "is not a number of seconds" in err
    assert "initiate" not in daemon.names()


def test_missing_directories_are_no_failure(lab):  # noqa: F811
    config(lab, SECRET_AND_CONN)
    shutil.rmtree(lab + "/own/x509")
    _, status, _, err = run(lab, SMALL, "--load-creds", "--noprompt")
    assert status == 0
    assert err == "opening directory '@SWANCTL_DIR@/x509' failed: No such file or directory\n"


def test_marks_and_vips(lab):  # noqa: F811
    sa = {"uniqueid": "1", "version": "2", "state": "ESTABLISHED", "local-host": "192.0.2.1",
          "local-port": "500", "local-id": "a", "remote-host": "192.0.2.2", "remote-port": "500",
          "remote-id": "b", "remote-vips": ["10.0.0.1", "2001:db8::1"], "encr-alg": "AES_CBC",
          "encr-keysize": "256", "integ-alg": "HMAC_SHA2_256_128", "prf-alg": "PRF_HMAC_SHA2_256",
          "dh-group": "CURVE_25519", "ake1": "ML_KEM_768", "ppk": "yes",
          "initiator-spi": "01", "responder-spi": "02", "tasks-queued": ["IKE_DPD", "CHILD_REKEY"],
          "child-sas": {"n-3": {
              "name": "n", "uniqueid": "3", "reqid": "1", "state": "INSTALLED", "mode": "TUNNEL",
              "protocol": "ESP", "spi-in": "c1", "spi-out": "c2", "cpi-in": "00ff",
              "mark-in": "0000002a", "mark-mask-in": "000000ff", "if-id-out": "00000007",
              "encr-alg": "AES_GCM_16", "encr-keysize": "128", "esn": "1", "bytes-in": "1",
              "packets-in": "2", "bytes-out": "3", "packets-out": "4", "install-time": "5",
              "local-ts": ["10.0.0.0/8"], "remote-ts": ["10.1.0.0/16", "10.2.0.0/16"]}}}
    table = {"list-sa": packet(CONFIRM),
             "list-sas": packet(EVENT, "list-sa", {"gw": sa}) + packet(RESPONSE)}
    _, status, out, err = run(lab, table, "--list-sas")
    assert (status, err) == (0, "")
    assert out == """gw: #1, ESTABLISHED, IKEv2, 01_i 02_r*
  local  'a' @ 192.0.2.1[500]
  remote 'b' @ 192.0.2.2[500] [10.0.0.1 2001:db8::1]
  AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519/KE1_ML_KEM_768/PPK
  queued:  IKE_DPD CHILD_REKEY
  n: #3, reqid 1, INSTALLED, TUNNEL, ESP:AES_GCM_16-128/ESN
    installed 5s ago
    in  c1/00ff (0x2a/0xff),      1 bytes,     2 packets
    out c2 (-|0x7),      3 bytes,     4 packets
    local  10.0.0.0/8
    remote 10.1.0.0/16 10.2.0.0/16
"""
