# SPDX-License-Identifier: Apache-2.0
"""Virtual addresses: sun is a gateway with pools, clients get addresses of them."""
import os

import pytest

from lab import conf
from lab.net import OUTER, inner, inner_net
from lab.run import TOP, ping, run, tcp_transfer, wait_until

POOLS = {"rwpool": {"addrs": "10.3.0.0/24", "dns": "10.82.2.53"}, "v6pool": {"addrs": "fd83:3::1-fd83:3::ff"}}
RECORD = 'env >%s/new && mv %s/new %s/$PLUTO_VERB.env'


def client_conf(child=None, **over):
    child = conf.merged({"remote_ts": "%s,%s" % (inner_net("sun"), inner_net("sun", 6)), "esp_proposals": "aes128gcm16"}, child)
    return conf.gateway("moon", {"net": conf.connection("moon", {"rw": child}, **{"vips": "0.0.0.0", **over})})


def gateway_conf(defined=None, child=None, **over):
    child = conf.merged({"local_ts": "%s,%s" % (inner_net("sun"), inner_net("sun", 6)), "esp_proposals": "aes128gcm16"}, child)
    net = conf.connection("sun", {"rw": child}, **{"pools": "rwpool,v6pool", "remote_addrs": "%any", "remote": {"id": "%any"}, **over})
    return dict(conf.gateway("sun", {"net": net}), secrets={"ike-lab": {"secret": conf.PSK}},
                pools=POOLS if defined is None else defined)


def pair(lab, client=None, gateway=None, settings=None):
    return lab.pair(client or client_conf(), gateway or gateway_conf(), settings)


def pools(gateway, *args):
    return gateway.swanctl("--list-pools", *args).stdout


def line(name, base, usage):
    return "%-20s %-30s %16s\n" % (name, base, usage)


def lease(addr, status, who):
    return "  %-30s %-8s '%s'\n" % (addr, status, who)


def leases(gateway, name="rwpool"):
    """(online, offline) of a pool."""
    with gateway.vici() as client:
        pool = client.request("get-pools", {})[name]
    return int(pool["online"]), int(pool["offline"])


def has_address(gateway, addr):
    return " %s/" % addr in run("ip", "addr", "show", ns=gateway.ns).stdout


def through(gateway, addr, to=None):
    """The address is on its interface a moment after it is told, and the tunnel's routes likewise."""
    wait_until(lambda: has_address(gateway, addr), 10, lambda: "%s on an interface:\n%s" % (addr, gateway.tail()))
    to = to or inner("sun", 6 if ":" in addr else 4)
    return ping(gateway.ns, to, addr)


def test_roadwarrior(lab):
    """From load-pools to the end: lists as users know them, traffic, DNS, scripts."""
    resolv = lab.dir + "/resolv.conf"
    with open(resolv, "w", encoding="utf-8"):
        pass
    record = RECORD % (lab.dir, lab.dir, lab.dir)
    moon = lab.gateway("moon", client_conf({"updown": record}), {"plugins": {"resolve": {"file": resolv}}})
    sun = lab.gateway("sun", gateway_conf(child={"updown": 'echo "$PLUTO_PEER_SOURCEIP $PLUTO_PEER_SOURCEIP4_1" >%s/sun.new && '
                                                 'mv %s/sun.new %s/sun.$PLUTO_VERB' % (lab.dir, lab.dir, lab.dir)}))
    moon.start()
    sun.start(load=False)
    loaded = sun.load().stdout
    assert "loaded pool 'rwpool'\nloaded pool 'v6pool'\nsuccessfully loaded 2 pools, 0 unloaded\n" in loaded
    assert pools(sun) == line("rwpool", "10.3.0.0", "0 / 0 / 254") + line("v6pool", "fd83:3::1", "0 / 0 / 255")
    moon.initiate("rw")
    moon.wait_log(r"IKE\] installing new virtual IP 10\.3\.0\.1")
    sun.wait_log(r"IKE\] assigning virtual IP 10\.3\.0\.1 to peer 'moon\.test'")
    assert moon.sa()["local-vips"] == ["10.3.0.1"] and sun.sa()["remote-vips"] == ["10.3.0.1"]
    assert "  local  'moon.test' @ 10.81.1.2[4500] [10.3.0.1]\n" in moon.swanctl("--list-sas").stdout
    assert moon.child("rw")["local-ts"] == ["10.3.0.1/32"]
    assert pools(sun, "--leases") == line("rwpool", "10.3.0.0", "1 / 0 / 254") + lease("10.3.0.1", "online", "moon.test") + \
        line("v6pool", "fd83:3::1", "0 / 0 / 255")
    assert through(moon, "10.3.0.1") == 3
    assert ping(sun.ns, "10.3.0.1", inner("sun")) == 3
    wait_until(lambda: "nameserver 10.82.2.53" in open(resolv, encoding="utf-8").read(), 10, "the DNS server")
    wait_until(lambda: os.path.exists(lab.dir + "/up-client.env"), 10, "the script")
    with open(lab.dir + "/up-client.env", encoding="utf-8") as f:
        env = f.read()
    wait_until(lambda: os.path.exists(lab.dir + "/sun.up-client"), 10, "the gateway's script")
    with open(lab.dir + "/sun.up-client", encoding="utf-8") as f:
        assert f.read() == "10.3.0.1 10.3.0.1\n"
    assert "PLUTO_MY_SOURCEIP=10.3.0.1\n" in env and "PLUTO_MY_SOURCEIP4_1=10.3.0.1\n" in env
    moon.terminate(ike="net")
    sun.wait_no_sas()
    assert pools(sun, "--leases").startswith(line("rwpool", "10.3.0.0", "0 / 1 / 254") + lease("10.3.0.1", "offline", "moon.test"))
    wait_until(lambda: not has_address(moon, "10.3.0.1"), 10, "no virtual address any more")


def test_two_clients(lab):
    """Each has its own, and both have traffic; one that comes back has it again."""
    lab.net.more("moon2", "10.81.3")
    moon, sun = pair(lab)
    config = client_conf()
    config["connections"]["net"].update(local_addrs="10.81.3.2", local={"auth": "psk", "id": "carol.test"})
    config["secrets"] = {"ike-lab": {"secret": conf.PSK}}
    carol = lab.gateway("moon", config, folder="carol", at="moon2").start()
    moon.initiate("rw")
    carol.initiate("rw")
    assert moon.sa()["local-vips"] == ["10.3.0.1"] and carol.sa()["local-vips"] == ["10.3.0.2"]
    assert through(moon, "10.3.0.1") == 3 and through(carol, "10.3.0.2") == 3
    assert leases(sun) == (2, 0)
    for gateway, addr in ((moon, "10.3.0.1"), (carol, "10.3.0.2")):
        gateway.terminate(ike="net")
    sun.wait_no_sas()
    assert leases(sun) == (0, 2)
    carol.initiate("rw")
    assert carol.sa()["local-vips"] == ["10.3.0.2"]
    assert through(carol, "10.3.0.2") == 3


def test_both_families(lab):
    moon, sun = pair(lab, client_conf(vips="0.0.0.0,::"))
    moon.initiate("rw")
    assert moon.sa()["local-vips"] == ["10.3.0.1", "fd83:3::1"] == sun.sa()["remote-vips"]
    assert through(moon, "10.3.0.1") == 3 and through(moon, "fd83:3::1") == 3


def test_rekeyed_and_reauthenticated(lab):
    """A TCP connection from the virtual address outlives all of it."""
    moon, sun = pair(lab, settings={"make_before_break": True})
    moon.initiate("rw")
    assert through(moon, "10.3.0.1") == 3
    first = moon.sa()["uniqueid"]
    moon.swanctl("--rekey", "--ike", "net")
    moon.wait_log(r"IKE_SA net\[2\] rekeyed")
    assert moon.sa()["local-vips"] == ["10.3.0.1"] and moon.sa()["uniqueid"] != first
    assert through(moon, "10.3.0.1") == 3
    moon.swanctl("--rekey", "--ike", "net", "--reauth")
    moon.wait_log(r"has taken the place of")
    wait_until(lambda: len(moon.sas()) == 1 and len(sun.sas()) == 1, 10, "one IKE_SA")
    assert moon.sa()["local-vips"] == ["10.3.0.1"]
    assert leases(sun) == (1, 0)
    assert through(moon, "10.3.0.1") == 3
    tcp_transfer(moon.ns, "10.3.0.1", sun.ns, inner("sun"), 1 << 20, 30)


def test_trap(lab):
    """The first packet comes from the outer address, as there is no other yet; what follows has the virtual one."""
    moon, sun = pair(lab, client_conf({"start_action": "trap"}))
    to = inner("sun")
    wait_until(lambda: ping(moon.ns, to, count=1, limit=0.5), 15, lambda: "traffic:\n%s" % moon.tail())
    assert moon.sa()["local-vips"] == ["10.3.0.1"]
    assert ping(moon.ns, to) == 3
    assert moon.child("rw")["local-ts"] == ["10.3.0.1/32"] and len(sun.children()) == 1
    assert int(sun.child("rw")["packets-in"]) >= 3


def test_client_crashes(lab):
    """Killed and started again it gets the address that the gateway still has for it."""
    moon, sun = pair(lab)
    moon.initiate("rw")
    moon.kill()
    moon.start()
    moon.initiate("rw")
    assert moon.sa()["local-vips"] == ["10.3.0.1"]
    wait_until(lambda: len(sun.sas()) == 1, 10, "one IKE_SA of the client on the gateway")
    assert leases(sun) == (1, 0)
    assert through(moon, "10.3.0.1") == 3


def test_pool_is_full(lab):
    """The child fails and says why on both sides, the IKE_SA stays; when an address is free it is given."""
    moon, sun = pair(lab, gateway=gateway_conf({"rwpool": {"addrs": "10.3.0.9/32"}}, pools="rwpool"))
    lab.net.more("moon2", "10.81.3")
    config = client_conf()
    config["connections"]["net"].update(local_addrs="10.81.3.2", local={"auth": "psk", "id": "carol.test"})
    config["secrets"] = {"ike-lab": {"secret": conf.PSK}}
    carol = lab.gateway("moon", config, folder="carol", at="moon2").start()
    moon.initiate("rw")
    failed = carol.initiate("rw", check=False)
    assert failed.returncode and "the peer has no virtual address for us (INTERNAL_ADDRESS_FAILURE)" in failed.stdout + failed.stderr
    sun.wait_log(r"pool 'rwpool' is full: 1 of its 1 addresses are in use, none is left for 'carol\.test'")
    assert carol.established("net") and not carol.children()
    moon.terminate(ike="net")
    wait_until(lambda: leases(sun) == (0, 1), 10, "a free address")
    carol.initiate("rw")
    assert carol.sa()["local-vips"] == ["10.3.0.9"]
    assert through(carol, "10.3.0.9") == 3


def test_reloading(lab):
    """Pools in use stay; with the same addresses their attributes are new and their leases as they were."""
    moon, sun = pair(lab)
    moon.initiate("rw")
    sun.configure(gateway_conf({"rwpool": {"addrs": "10.4.0.0/24"}, "v6pool": {"addrs": "fd83:4::/64"}}))
    got = sun.swanctl("--load-pools", check=False)
    assert got.stderr == "loading pool 'rwpool' failed: vici pool rwpool has online leases, unable to replace\n" \
        "loaded 1 of 2 pools, 1 failed to load, 0 unloaded\n"
    sun.configure(gateway_conf({}))
    got = sun.swanctl("--load-pools", check=False)
    assert got.stdout == "no pools found, 1 unloaded\n"
    assert got.stderr == "unloading pool 'rwpool' failed: rwpool has online leases, unable to unload\n"
    sun.configure(gateway_conf({"rwpool": {"addrs": "10.3.0.0/24"}}))
    assert sun.swanctl("--load-pools").stdout == "loaded pool 'rwpool'\nsuccessfully loaded 1 pools, 0 unloaded\n"
    assert leases(sun) == (1, 0)
    moon.terminate(ike="net")
    sun.wait_no_sas()
    sun.configure(gateway_conf({"rwpool": {"addrs": "10.4.0.0/24"}}))
    sun.swanctl("--load-pools")
    assert pools(sun, "--leases") == line("rwpool", "10.4.0.0", "0 / 0 / 254")
    moon.initiate("rw")
    assert moon.sa()["local-vips"] == ["10.4.0.1"]


@pytest.mark.parametrize("pool,problem", [
    ({"dns": "1.2.3.4"}, "missing addrs for pool 'p'"),
    ({"addrs": "10.1.2.0/24", "frob": "1"}, "invalid attribute: frob"),
    ({"addrs": "300.1.1.1/3"}, "invalid addrs value: 300.1.1.1/3"),
    ({"addrs": "10.4.0.0/30", "dns": "xyz"}, "invalid attribute value for dns"),
])
def test_bad_pools(shared_lab, pool, problem):
    sun = shared_lab.gateways[0] if shared_lab.gateways else shared_lab.gateway("sun", {}).start()
    sun.configure({"pools": {"p": pool}})
    got = sun.swanctl("--load-pools", check=False)
    assert got.returncode == 22 and got.stdout == ""
    assert got.stderr == "loading pool 'p' failed: %s\nloaded 0 of 1 pools, 1 failed to load, 0 unloaded\n" % problem


def test_not_installed(lab):
    """install_virtual_ip = no: the operator puts it where it belongs."""
    moon, _ = pair(lab, settings={"install_virtual_ip": False})
    moon.initiate("rw")
    assert moon.child("rw")["local-ts"] == ["10.3.0.1/32"]
    assert not has_address(moon, "10.3.0.1")
    assert OUTER[4]["moon"] in run("ip", "addr", "show", ns=moon.ns).stdout


def example(name, *replace):
    """A file of the examples, with pre-shared keys."""
    with open(os.path.join(TOP, "conf", "examples", name), encoding="utf-8") as f:
        text = f.read()
    for old, new in (("auth = pubkey", "auth = psk"), *replace):
        assert old in text
        text = text.replace(old, new)
    return text + "secrets { ike { secret = \"%s\" } }\n" % conf.PSK


def test_examples(lab):
    """The gateway and the client of conf/examples find each other."""
    client = example("roadwarrior-client.conf", ("remote_addrs = vpn.example.org", "remote_addrs = " + OUTER[4]["sun"]),
                     ("certs = client.pem", "id = carol@example.org"), ("start_action = start", "# started below"))
    gateway = example("roadwarrior-gateway.conf", ("certs = gateway.pem", ""), ("cacerts = ca.pem", ""))
    moon, sun = lab.pair(client, gateway)
    moon.initiate("net")
    assert moon.sa()["local-vips"] == ["10.3.0.1", "fd00:3::1"] == sun.sa()["remote-vips"]
    assert moon.child("net")["remote-ts"] == ["10.1.0.0/16", "fd00:1::/64"]
    assert leases(sun, "clients4") == (1, 0) and leases(sun, "clients6") == (1, 0)
