# SPDX-License-Identifier: Apache-2.0
"""Tunnels on demand: the first packet brings them up, and arrives."""
import pytest

from lab import conf
from lab.net import OUTER, inner
from lab.run import ping, run, wait_until


def trapped(side, version=4, over=None, **child):
    child = conf.net_child(side, version, **{"start_action": "trap", **child})
    return conf.gateway(side, {"net": conf.connection(side, {"net-net": child}, **(over or {}))})


def no_routes(gateway):
    """What leads packets into traps is gone: backends do it behind the answer."""
    wait_until(lambda: "table 220" not in run("ip", "route", "show", "table", "all", ns=gateway.ns).stdout, what="no route any more")


def policies(gateway, *kinds):
    with gateway.vici() as client:
        return {name: policy for event in client.stream("list-policies", "list-policy",
                                                        {kind: "yes" for kind in kinds or ("trap", "pass", "drop")})
                for name, policy in event.items()}


@pytest.mark.parametrize("version", [4, 6])
def test_first_packet_arrives(lab, version):
    """Nothing is up; a ping brings the tunnel up, and not one of its packets is lost."""
    moon, sun = lab.pair(trapped("moon", version), conf.gateway("sun", {"net": conf.connection(
        "sun", {"net-net": conf.net_child("sun", version)})}))
    assert list(policies(moon)) == ["net/net-net"]
    assert not moon.sas()
    assert moon.ping(version) == 3
    sun.wait_children(1, "net-net")
    trap, child = policies(moon, "trap")["net/net-net"], moon.child("net-net")
    assert trap["mode"] == "TUNNEL" and trap["reqid"] == child["reqid"]
    assert (trap["local-ts"], trap["remote-ts"]) == ([conf.inner_net("moon", version)], [conf.inner_net("sun", version)])
    moon.wait_log("creating acquire job for policy")
    moon.tcp(version)
    assert len(moon.sas()) == 1


def test_again_after_the_tunnel_has_gone(lab):
    """The trap outlives what it brought up: the next packet brings it up again, with the same reqid."""
    moon, sun = lab.pair(trapped("moon"))
    assert moon.ping() == 3
    reqid = moon.child("net-net")["reqid"]
    for _ in range(2):
        moon.terminate(ike="net")
        sun.wait_no_sas()
        # the backend removes what carried behind the answer: a packet may still find that
        wait_until(lambda: moon.ping(count=1, limit=1) == 1, what="the tunnel is up again")
        assert moon.child("net-net")["reqid"] == reqid
    moon.swanctl("--rekey", "--child", "net-net")
    moon.wait_log("CHILD_SA closed")
    assert moon.ping() == 3
    moon.wait_children(1)
    assert moon.child("net-net")["reqid"] == reqid


def test_uninstall_and_install(lab):
    moon, sun = lab.pair(trapped("moon"))
    assert moon.swanctl("--uninstall", "--child", "net-net").stdout == "uninstall completed successfully\n"
    assert not policies(moon)
    gone = moon.swanctl("--uninstall", "--child", "net-net", check=False)
    assert "uninstall failed: policy 'net-net' not found" in gone.stderr and gone.returncode
    no_routes(moon)
    assert moon.ping(count=1, limit=1) == 0 and not moon.sas()
    for _ in range(2):
        assert moon.swanctl("--install", "--child", "net-net", "--ike", "net").stdout == "install completed successfully\n"
    assert moon.swanctl("--list-pols").stdout.startswith("net/net-net")
    assert moon.ping() == 3
    sun.wait_children(1)
    missing = moon.swanctl("--install", "--child", "nix", check=False)
    assert "install failed: configuration name not found" in missing.stderr and missing.returncode


def test_follows_the_configuration(lab):
    """Changed, the trap has the new selectors; unloaded, it is gone. Loaded again as it was, nothing happens."""
    moon, _ = lab.pair(trapped("moon"))
    moon.load()
    assert len(policies(moon)) == 1
    moon.wait_log("installed trap policy")
    wait_until(lambda: moon.log().count("installed trap policy") == 1, what="one trap policy")
    moon.configure(trapped("moon", remote_ts="10.83.2.0/24"))
    moon.load()
    assert [p["remote-ts"] for p in policies(moon).values()] == [["10.83.2.0/24"]]
    moon.configure(conf.gateway("moon"))
    moon.load()
    assert not policies(moon)
    no_routes(moon)


def test_refused_set_up_is_tried_again(lab):
    """The peer refuses; the trap stays, and when the peer agrees a packet brings the tunnel up."""
    moon, sun = lab.pair(trapped("moon"), conf.gateway("sun", secret="another secret"))
    assert moon.ping(count=2, limit=1) == 0
    moon.wait_log("establishing CHILD_SA 'net-net' failed")
    assert list(policies(moon)) == ["net/net-net"]
    sun.configure(conf.gateway("sun"))
    sun.load()
    wait_until(lambda: moon.ping(count=1, limit=1) == 1, 20, what="the tunnel comes up")
    assert len(moon.established()) == 1


def test_dead_peer(lab):
    """DPD finds the peer dead: the tunnel goes, and the trap, which only dpd_action installs, brings up the next one."""
    fast = {"retransmit_timeout": 0.4, "retransmit_tries": 3, "retransmit_base": 1}
    moon, sun = lab.pair(trapped("moon", start_action="none", dpd_action="trap", over={"dpd_delay": "1s"}), settings=fast)
    assert not policies(moon)
    moon.initiate("net-net")
    assert not policies(moon)
    sun.kill()
    moon.wait_no_sas(20)
    wait_until(lambda: list(policies(moon)) == ["net/net-net"], what="the trap")
    assert moon.ping(count=2, limit=1) == 0
    sun.start()
    wait_until(lambda: moon.ping(count=1, limit=1) == 1, 20, what="the tunnel comes up again")


def test_close_action(lab):
    moon, sun = lab.pair(trapped("moon", start_action="none", close_action="trap"))
    moon.initiate("net-net")
    sun.terminate(ike="net")
    wait_until(lambda: list(policies(moon)) == ["net/net-net"], what="the trap")
    assert moon.ping() == 3


def test_trap_and_start(lab):
    """Up at once, and again by the next packet when it has gone."""
    moon, sun = lab.pair(trapped("moon", start_action="trap|start"))
    sun.wait_children(1)
    assert list(policies(moon)) == ["net/net-net"]
    sun.terminate(ike="net")
    moon.wait_no_sas()
    wait_until(lambda: moon.ping() == 3, what="the old tunnel takes no packets any more, and there is another one")


def test_narrowed(lab):
    """The peer allows one host of the net: packets for it have their tunnel, others do not disturb it."""
    moon, sun = lab.pair(trapped("moon", remote_ts=["10.82.2.0/24"]), conf.gateway("sun", {"net": conf.connection(
        "sun", {"net-net": conf.net_child("sun", local_ts=inner("sun") + "/32")})}))
    assert moon.ping() == 3
    assert moon.child("net-net")["remote-ts"] == [inner("sun") + "/32"]
    assert ping(moon.ns, "10.82.2.77", inner("moon"), count=1, limit=1) == 0
    assert moon.ping() == 3


def test_host_host(lab):
    """The peer's own address is behind the trap: IKE passes all the same."""
    moon, sun = lab.pair(*(conf.gateway(side, {"host": conf.connection(side, {"host-host": {
        "esp_proposals": "aes128gcm16", **({"start_action": "trap"} if side == "moon" else {})}})})
        for side in ("moon", "sun")))
    assert policies(moon)["host/host-host"]["remote-ts"] == [OUTER[4]["sun"] + "/32"]
    assert ping(moon.ns, OUTER[4]["sun"], OUTER[4]["moon"]) == 3
    sun.wait_children(1)


def test_no_trap_for_anybody(lab):
    """%any cannot be called: the operator is told, the rest of the configuration is in force."""
    moon, sun = lab.gateway("moon", trapped("moon", over={"remote_addrs": "%any"})), lab.gateway("sun", conf.gateway("sun"))
    sun.start()
    moon.launch()
    moon.wait_ready()
    loaded = moon.load(check=False)
    assert "loaded connection 'net'" in loaded.stdout and loaded.returncode == 5  # EIO
    assert "connection 'net' is loaded, but installing policy 'net-net' failed: remote_addrs names no single peer" in loaded.stderr
    moon.wait_log("installing policy 'net-net' of 'net' failed: remote_addrs names no single peer")
    failed = moon.swanctl("--install", "--child", "net-net", check=False)
    assert failed.returncode and "install failed: installing policy 'net-net' failed: remote_addrs names" in failed.stderr
    sun.initiate("net-net")
    assert moon.ping() == 3


def test_both_trapped(lab):
    """Both sides wait for a packet; both get one."""
    moon, sun = lab.pair(trapped("moon"), trapped("sun"))
    assert moon.ping() == 3
    assert sun.ping() == 3
    assert len(moon.children("net-net")) == len(sun.children("net-net")) == 1


def test_follows_our_address(lab):
    """Without an address the trap waits for one; when that changes, the trap does, too."""
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {"net-net": {
        "remote_ts": conf.inner_net("sun"), "esp_proposals": "aes128gcm16", "start_action": "trap"}}, local_addrs=None)}))
    sun = lab.gateway("sun", conf.gateway("sun", {"net": conf.connection("sun", {"net-net": {
        "local_ts": conf.inner_net("sun"), "esp_proposals": "aes128gcm16"}}, remote_addrs="%any")}))

    def move(address):
        run("ip", "-4", "addr", "flush", "dev", "eth0", ns=moon.ns)
        if address:
            run("ip", "addr", "add", address + "/24", "dev", "eth0", ns=moon.ns)
            run("ip", "route", "add", "10.81.0.0/16", "via", "10.81.1.1", ns=moon.ns)

    move(None)
    sun.start()
    moon.start()
    moon.wait_log("installing policy 'net-net' of 'net' failed for now: local_ts is dynamic and our address is not known")
    assert not policies(moon)
    for address in ("10.81.1.2", "10.81.1.3"):
        move(address)
        wait_until(lambda a=address: [p["local-ts"] for p in policies(moon).values()] == [[a + "/32"]], what="the trap follows")
        assert ping(moon.ns, inner("sun"), address) == 3
        moon.terminate(ike="net")
        sun.wait_no_sas()
