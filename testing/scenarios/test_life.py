# SPDX-License-Identifier: Apache-2.0
"""The daemon's life while tunnels are up: end, reload, privileges."""
import os
import re
import shutil
import signal

import pytest

from lab import conf
from lab.net import inner_net
from lab.run import BUILD, run, wait_until


def test_clean_shutdown_sends_deletes(lab):
    """SIGTERM: the peer learns of it at once; routes, device, socket and pid file are gone."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    assert "ipsec0" in run("ip", "-o", "link", ns=moon.ns).stdout
    moon.stop()
    sun.wait_no_sas(3)
    sun.wait_log(r"received DELETE for IKE_SA")
    assert "ipsec0" not in run("ip", "-o", "link", ns=moon.ns).stdout
    assert not run("ip", "route", "show", "table", "220", ns=moon.ns, check=False).stdout
    assert "220" not in run("ip", "rule", ns=moon.ns).stdout
    assert not os.path.exists(moon.path("vici")) and not os.path.exists(moon.path("pid"))


def test_shutdown_with_a_dead_peer(lab):
    """The peer does not answer the Delete: the end comes all the same, within seconds."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.kill()
    moon.stop()


def test_shutdown_while_connecting(lab):
    moon = lab.gateway("moon", conf.gateway("moon")).start()
    moon.swanctl("--initiate", "--child", "net-net", "--timeout", "-1", check=False)
    moon.stop()


def test_after_a_crash_nothing_is_in_the_way(lab):
    """Killed with a tunnel up, started again: what it left behind does not matter."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    moon.kill()
    moon.start()
    moon.initiate("net-net")
    assert moon.ping() == 3
    wait_until(lambda: len(sun.sas()) == 1, what="one IKE_SA on the peer")


def test_what_a_killed_one_left_is_removed(lab):
    """kernel-userland: rules and routes with our protocol number go, others' stay; the device went by itself and has its name again."""
    everything = {"net": conf.connection("moon", {"all": {"local_ts": "10.82.1.0/24", "remote_ts": "0.0.0.0/0", "start_action": "trap"}})}
    moon, _ = lab.pair(conf.gateway("moon", everything))

    def found(*words):
        """What there is of ours (protocol 219), and of others."""
        lines = run("ip", *words, ns=moon.ns).stdout.splitlines()
        return sum("proto 219" in line for line in lines), [line for line in lines if "proto 219" not in line]
    rule, routes = ("-d", "rule", "list", "priority", "220"), ("-d", "route", "show", "table", "220")
    run("ip", "rule", "add", "to", "10.99.0.0/16", "table", "220", "priority", "220", ns=moon.ns)
    run("ip", "route", "add", "10.99.0.0/16", "dev", "lan", "table", "220", ns=moon.ns)
    before = found(*rule), found(*routes)
    assert before[0][0] == 1 and len(before[0][1]) == 1 and before[1][0] > 1 and len(before[1][1]) == 1
    moon.kill()
    # the rule and routes around the tunnel; those to the device went with it
    left = found(*rule), found(*routes)
    assert left[0] == before[0] and 0 < left[1][0] < before[1][0] and left[1][1] == before[1][1]
    assert "ipsec" not in run("ip", "link", ns=moon.ns).stdout
    moon.start(load=False)
    assert found(*rule) == before[0] and found(*routes) == (0, before[1][1])
    moon.load()
    assert (found(*rule), found(*routes)) == before
    assert "ipsec0:" in run("ip", "link", ns=moon.ns).stdout
    moon.stop()
    assert found(*rule) == (0, before[0][1]) and found(*routes) == (0, before[1][1])


def test_reload_keeps_tunnels(lab):
    """SIGHUP: new settings count, the tunnel does not notice; log files are opened again."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    os.rename(moon.path("log"), moon.path("log.1"))
    moon.settings["filelog"] = {"log": {"path": moon.path("log"), "default": 2}}
    moon.settings_write()
    moon.signal(signal.SIGHUP)
    moon.wait_log(r"settings read from")
    assert moon.ping() == 3
    moon.terminate(ike="net")
    moon.wait_log(r"IKE_SA deleted")  # in the new file
    sun.wait_no_sas()


def test_reload_of_connections_keeps_tunnels(lab):
    """Another selector is loaded: what is up stays as it was negotiated; what comes after is new."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    for gateway in (moon, sun):
        gateway.configure(conf.gateway(gateway.side, {"net": conf.connection(
            gateway.side, {"net-net": conf.net_child(gateway.side, 4, 1)})}))
        gateway.load()
    assert moon.ping() == 3
    moon.terminate(ike="net")
    sun.wait_no_sas()
    moon.initiate("net-net")
    assert moon.child("net-net")["local-ts"] == [inner_net("moon", 4, 1)]
    assert moon.ping(4, 1) == 3


def test_terminate_one_of_two(lab):
    """By its number, only that child goes."""
    config = [conf.gateway(side, {"net": conf.connection(side, {
        "net-%d" % n: conf.net_child(side, 4, n) for n in range(2)})}) for side in ("moon", "sun")]
    moon, sun = lab.pair(*config)
    moon.initiate("net-0")
    moon.initiate("net-1")
    moon.terminate(child_id=moon.child("net-0")["uniqueid"])
    sun.wait_children(1)
    assert moon.ping(4, 1) == 3
    moon.terminate(ike_id=moon.sas()[0][1]["uniqueid"])
    sun.wait_no_sas()


# ---- privileges ------------------------------------------------------------------------------

def unprivileged(lab, side, port):
    """A copy of the program that any user can read, on ports that any user may have. A remote port other
    than 500 is the peer's NAT-T port."""
    there = os.path.join(lab.dir, "program")
    if not os.path.isdir(there):
        shutil.copytree(os.path.join(BUILD, ".libs"), there, ignore=shutil.ignore_patterns(
            "*.o", "*.a", "*.la*", "*.lai", "test_*", "fuzz_*", "bench_*"))
        run("chmod", "-R", "a+rX", lab.dir)
    gateway = lab.gateway(side, conf.gateway(side, remote_port=port + 1),
                          {"kernel": "null", "port": port, "port_nat_t": port + 1})
    gateway.command = lambda: [os.path.join(there, "bewickd"), "--settings", gateway.path("settings.conf"),
                               "--plugin-dir", there]
    plain_env = gateway.env
    gateway.env = lambda: dict(plain_env(), LD_LIBRARY_PATH=there)
    gateway.settings_write()
    run("chown", "-R", "65534:65534", gateway.dir)
    return gateway


def test_without_root(lab):
    """User nobody, high ports, no data plane: IKE works from end to end."""
    user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all"]
    moon, sun = unprivileged(lab, "moon", 5500), unprivileged(lab, "sun", 5500)
    for gateway in (moon, sun):
        gateway.start(prefix=user)
        status = open("/proc/%d/status" % gateway.process.pid, encoding="ascii").read()
        assert re.search(r"^Uid:\t65534\t65534", status, re.M) and re.search(r"^CapEff:\t0+$", status, re.M)
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.established()[0]["remote-port"] == "5501"
    moon.terminate(ike="net")
    sun.wait_no_sas()


@pytest.mark.parametrize("settings,said", [
    ({"kernel": "userland", "port": 5500, "port_nat_t": 5501}, r"(?i)tun\b.*(permi|CAP_NET_ADMIN)"),
    ({"kernel": "null"}, r"(?i)UDP port 500\b.*CAP_NET_BIND_SERVICE"),
])
def test_no_permission(lab, settings, said):
    """Without the right to make a TUN device, or to have port 500: an end that says so."""
    moon = lab.gateway("moon", conf.gateway("moon"), settings)
    moon.launch(["setpriv", "--inh-caps=-all", "--bounding-set=-net_admin,-net_bind_service"])
    assert moon.wait() != 0
    moon.process = None
    assert re.search(said, moon.out() + moon.log()), moon.tail()


def test_no_tun_device(lab):
    """/dev/net/tun is not there at all."""
    moon = lab.gateway("moon", conf.gateway("moon"))
    moon.launch(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "sh"])
    assert moon.wait() != 0
    moon.process = None
    assert "/dev/net/tun" in moon.out() + moon.log(), moon.tail()


def test_port_in_use(lab):
    first = lab.gateway("moon", conf.gateway("moon"), {"kernel": "null"}).start()
    second = lab.gateway("moon", conf.gateway("moon"), {"kernel": "null"}, folder="second").launch()
    assert second.wait() != 0
    second.process = None
    assert re.search(r"port 500\b.*in use", second.out() + second.log()), second.tail()
    with first.vici() as client:
        assert client.call("version")


def test_runs_without_swanctl_conf_folders(lab):
    """SWANCTL_DIR with nothing but the file."""
    moon = lab.gateway("moon", conf.gateway("moon"), {"kernel": "null"})
    for name in os.listdir(moon.dir):
        if os.path.isdir(moon.path(name)):
            os.rmdir(moon.path(name))
    moon.start()
    assert "net" in moon.swanctl("--list-conns").stdout
