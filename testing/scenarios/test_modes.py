# SPDX-License-Identifier: Apache-2.0
"""Modes, marks and interface ids as users see them. Nothing is carried: kernel-null takes all of it."""
from lab import conf
from lab.net import OUTER

NO_ESP = {"kernel": "null"}
MARKS = {"mark_in": "0x2a/0xff", "mark_out": 42, "if_id_in": 7, "if_id_out": "%unique", "set_mark_in": "%same"}


def pair(lab, moon, sun, settings=None, ike=None):
    return lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"host": child}, **(ike or {}))})
                      for side, child in (("moon", moon), ("sun", sun))), dict(NO_ESP, **(settings or {})))


def test_list_sas(lab):
    moon, sun = pair(lab, {"mode": "transport", **MARKS}, {"mode": "transport"}, ike={"if_id_in": "%unique"})
    moon.initiate("host")
    sun.wait_children(1)
    child = moon.child("host")
    assert child["mode"] == "TRANSPORT" and sun.child("host")["mode"] == "TRANSPORT"
    assert (child["mark-in"], child["mark-mask-in"], child["mark-out"]) == ("0000002a", "000000ff", "0000002a")
    assert "mark-mask-out" not in child
    assert child["if-id-in"] == "00000007" and int(child["if-id-out"], 16) > 0
    assert list(child).index("spi-out") + 1 == list(child).index("mark-in")
    sa = moon.sa()
    assert int(sa["if-id-in"], 16) > 0 and "if-id-out" not in sa
    assert child["local-ts"] == [OUTER[4]["moon"] + "/32"] and child["remote-ts"] == [OUTER[4]["sun"] + "/32"]
    text = moon.swanctl("--list-sas").stdout
    assert "INSTALLED, TRANSPORT, ESP:" in text
    assert "(0x2a/0xff|0x7)," in text and "(0x2a|0x%x)," % int(child["if-id-out"], 16) in text
    assert "mark" not in sun.swanctl("--list-sas", "--raw").stdout
    # a successor is known by the same
    moon.swanctl("--rekey", "--child", "host")
    moon.wait_log("rekeyed as")
    moon.wait_children(1)
    again = moon.child("host")
    assert again["uniqueid"] != child["uniqueid"]
    assert {key: again.get(key) for key in child if "mark" in key or "if-id" in key} == \
        {key: value for key, value in child.items() if "mark" in key or "if-id" in key}


def test_declined(lab):
    """One side alone wants transport mode: tunnel mode, and both logs say why."""
    moon, sun = pair(lab, {"mode": "transport"}, {})
    moon.initiate("host")
    sun.wait_children(1)
    assert moon.child("host")["mode"] == "TUNNEL" and sun.child("host")["mode"] == "TUNNEL"
    moon.wait_log("the peer declined transport mode for CHILD_SA host")
    sun.wait_log("the peer asks for transport mode for CHILD_SA host, which has mode = tunnel")


def test_list_conns(lab):
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {
        "host": {"mode": "beet", "priority": 5, "interface": "eth7", "local_ts": "10.0.0.1", "remote_ts": "10.0.0.2"}})}),
        NO_ESP).start()
    text = moon.swanctl("--list-conns").stdout
    assert "host: BEET" in text and "priority: 5" in text and "interface: eth7" in text


def test_inactivity(lab):
    """Without traffic the child goes, and with the setting its IKE_SA."""
    moon, sun = pair(lab, {"inactivity": "1s"}, {}, {"inactivity_close_ike": True})
    moon.initiate("host")
    moon.wait_log("had no traffic for 1s")
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_backend_that_cannot(lab):
    """kernel-userland has tunnels alone: what else is asked for is refused with the key and its name."""
    for key, value, said in (("mode", "transport", "mode = transport (kernel-userland carries tunnel mode only)"),
                             ("mark_in", "7", "mark_in = 7 (kernel-userland cannot do it)"),
                             ("if_id_out", "%unique", "if_id_out = %unique (kernel-userland cannot do it)")):
        moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {"host": {key: value}})}),
                           {"kernel": "userland"}, folder=key).start(load=False)
        result = moon.swanctl("--load-conns", check=False)
        assert result.returncode != 0 and "unsupported: " + said in result.stdout + result.stderr
        moon.stop()


def test_tfc_padding(lab):
    """Small packets look large on the wire, and arrive as they were."""
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side, tfc_padding="1000" if side == "moon" else "0")})}) for side in ("moon", "sun")))
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3
    assert (moon.child("net-net")["bytes-out"], moon.child("net-net")["bytes-in"]) == ("3000", "252")
    assert sun.child("net-net")["bytes-in"] == "252"
    moon.tcp()
