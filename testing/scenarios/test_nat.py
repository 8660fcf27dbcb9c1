# SPDX-License-Identifier: Apache-2.0
"""A NAT between the gateways: mappings that are kept, that change, that two clients share."""
import contextlib
import os
import shutil

import pytest

from lab import conf
from lab.nat import Nat
from lab.net import OUTER
from lab.run import run, wait_until

VERSIONS = pytest.mark.parametrize("version", [4, 6])


def behind(lab, version=4, settings=None, moon_more=None, timeout=None, **kinds):
    """moon is behind a NAT; sun takes it from anywhere."""
    nat = Nat(lab.net, timeout=timeout)
    moon, sun = lab.pair(conf.gateway("moon", version=version, **(moon_more or {})),
                         conf.gateway("sun", version=version, remote_addrs="%any"), settings, **kinds)
    return nat, moon, sun


def up(moon, sun):
    moon.initiate("net-net")
    sun.wait_children(1)


def remote(gateway):
    sa = gateway.sa()
    return sa["remote-host"], int(sa["remote-port"])


def rekey_ike(gateway, other):
    def spis(which):
        found = which.sas()
        return found[0][1]["initiator-spi"] if len(found) == 1 else None

    before = spis(gateway)
    gateway.swanctl("--rekey", "--ike", "net")
    wait_until(lambda: spis(gateway) not in (None, before) and spis(gateway) == spis(other), what="rekeyed")


def rekey_child(gateway, other):
    before = gateway.child("net-net")["uniqueid"]
    gateway.swanctl("--rekey", "--child", "net-net")
    wait_until(lambda: len(gateway.children()) == len(other.children()) == 1 and
               gateway.child("net-net")["uniqueid"] != before, what="rekeyed")


@contextlib.contextmanager
def hosts(lab, side, names):
    """What a process in the side's namespace finds in /etc/hosts; no name server answers."""
    folder = os.path.join("/etc/netns", lab.net.ns(side))
    os.makedirs(folder)
    try:
        with open(os.path.join(folder, "hosts"), "w", encoding="utf-8") as f:
            f.writelines("%s %s\n" % item for item in names)
        with open(os.path.join(folder, "resolv.conf"), "w", encoding="utf-8") as f:
            f.write("nameserver 127.0.0.1\n")
        yield
    finally:
        shutil.rmtree(folder)


@VERSIONS
def test_tunnel(lab, version):
    """It is found by both, traffic goes both ways, and rekeying and deletes do as well."""
    nat, moon, sun = behind(lab, version)
    up(moon, sun)
    at_moon, at_sun = moon.sa(), sun.sa()
    assert at_moon["nat-local"] == "yes" and at_sun["nat-remote"] == "yes" and "nat-local" not in at_sun
    host, port = remote(sun)
    assert host == nat.outside[version] and 10000 <= port < 10100
    assert remote(moon) == (OUTER[version]["sun"], 4500)
    assert moon.ping() == 3 and sun.ping() == 3
    sun.tcp()
    for gateway, other in ((moon, sun), (sun, moon)):
        rekey_ike(gateway, other)
        rekey_child(gateway, other)
        assert moon.ping() == 3 and sun.ping() == 3
    sun.terminate(ike="net")
    moon.wait_no_sas()


def test_keepalives_keep_the_mapping(lab):
    """The NAT forgets after 3 s without a packet; with keepalives sun can still reach moon."""
    nat, moon, sun = behind(lab, settings={"keep_alive": 1}, timeout=3)
    up(moon, sun)
    wait_until(lambda: nat.keepalives() >= 5, 15, "keepalives")
    assert sun.ping() == 3
    assert remote(sun)[1] in range(10000, 10100) and not sun.logged("gave it another address")
    # told to stop, they stop, and the mapping goes
    moon.settings["keep_alive"] = 0
    moon.settings_write()
    moon.swanctl("--reload-settings")
    wait_until(lambda: not nat.mappings(), 15, "the mapping is forgotten")
    assert sun.ping(count=1, limit=1) == 0
    # and it goes on when moon sends: from another port, which the NAT forgets as soon
    wait_until(lambda: moon.ping(count=1, limit=1) == 1 and sun.ping(limit=1) == 3, what="sun has found moon again")


def test_no_keepalives_without_nat(lab):
    """ESP in user space only says that there is a NAT: nobody sends keepalives for that."""
    moon, sun = lab.pair(settings={"keep_alive": 1, "filelog": {"log": {"net": 2}}}, dpd_delay="3s")
    up(moon, sun)
    for gateway in (moon, sun):
        assert gateway.sas()[0][1]["nat-fake"] == "yes"
        # probes go out after longer than a keepalive would
        gateway.wait_log("sending DPD request")
        assert not gateway.logged("sending keep alive")


def reaches(gateway, net=0):
    """Its packets, lost until the peer has followed, come back again."""
    wait_until(lambda: gateway.ping(net=net, count=1, limit=1) == 1, what="%s reaches the other side again" % gateway.side)


@VERSIONS
@pytest.mark.parametrize("by", ["esp", "ike"])
def test_rebinding(lab, version, by):
    """The NAT gives moon other ports: sun follows moon's next packet, and all goes on."""
    nat, moon, sun = behind(lab, version)
    up(moon, sun)
    assert moon.ping() == 3
    nat.rebind(20000)
    assert sun.ping(count=1, limit=1) == 0, "the old mapping is gone"
    if by == "esp":
        reaches(moon)
    else:
        rekey_ike(moon, sun)
    wait_until(lambda: remote(sun)[1] in range(20000, 20100), what="sun follows")
    reaches(sun)
    assert moon.ping() == 3 and sun.ping() == 3
    sun.tcp()
    # the new address holds for what comes later
    nat.rebind(30000)
    reaches(moon)
    wait_until(lambda: remote(sun)[1] in range(30000, 30100), what="sun follows again")
    rekey_child(sun, moon)
    assert sun.ping() == 3


def test_tcp_outlives_rebinding(lab):
    """A connection through the tunnel lives on while the NAT changes its ports."""
    nat, moon, sun = behind(lab)
    up(moon, sun)
    for ports in (20000, 30000):
        nat.rebind(ports)
        moon.tcp(size=4 << 20)
        assert remote(sun)[1] in range(ports, ports + 100)
    assert moon.ping() == 3


def test_multi_homed(lab):
    """sun answers from the address that was asked, not from the one that its routes prefer."""
    lab.net._batch("sun", "addr add 10.81.2.99/24 dev eth0")
    moon, sun = lab.pair(conf.gateway("moon", remote_addrs="10.81.2.99"), conf.gateway("sun", local_addrs="%any"))
    up(moon, sun)
    assert sun.sas()[0][1]["local-host"] == "10.81.2.99"
    assert remote(moon)[0] == "10.81.2.99"
    assert moon.ping() == 3 and sun.ping() == 3


def test_names(lab):
    """Names on both sides of the configuration; the first address of the peer does not answer, the second does."""
    moon = lab.gateway("moon", conf.gateway("moon", local_addrs="me.bewick.test", remote_addrs="peer.bewick.test",
                                            keyingtries=0),
                       {"retransmit_timeout": 0.3, "retransmit_tries": 1, "retransmit_base": 1})
    sun = lab.gateway("sun", conf.gateway("sun")).start()
    with hosts(lab, "moon", [("10.81.1.2", "me.bewick.test"), ("10.81.2.77", "peer.bewick.test"),
                             ("10.81.2.2", "peer.bewick.test")]):
        moon.start()
        up(moon, sun)
        moon.wait_log(r"initiating IKE_SA net\[1\] to 10.81.2.77")
        assert moon.ping() == 3


def test_name_without_address(lab):
    """What does not resolve is said, by name."""
    moon = lab.gateway("moon", conf.gateway("moon", remote_addrs="nobody.bewick.test"))
    with hosts(lab, "moon", []):
        moon.start()
        done = moon.initiate("net-net", check=False)
    assert done.returncode != 0
    assert "the name 'nobody.bewick.test' in remote_addrs of 'net' has no address" in done.stdout + done.stderr


def test_link_local(lab):
    """Peers on one cable, known by link-local addresses with the interface."""
    net = lab.net
    net._batch("gw", "link add wire type bridge", "link set wire up", "link set to-moon master wire",
               "link set to-sun master wire")
    for side, address in (("moon", "fe80::81:1"), ("sun", "fe80::81:2")):
        net._batch(side, "addr add %s/64 dev eth0 nodad" % address)
    wait_until(lambda: run("ping", "-c", "1", "-W", "1", "fe80::81:2%eth0", ns=net.ns("moon"), check=False).returncode == 0,
               what="the cable")
    moon, sun = lab.pair(*(conf.gateway(side, local_addrs=mine + "%eth0", remote_addrs=theirs + "%eth0")
                           for side, mine, theirs in (("moon", "fe80::81:1", "fe80::81:2"),
                                                      ("sun", "fe80::81:2", "fe80::81:1"))))
    up(moon, sun)
    assert remote(moon)[0].startswith("fe80::81:2")
    assert moon.ping() == 3 and sun.ping() == 3
    rekey_ike(sun, moon)
    assert moon.ping() == 3


# ---- two clients ------------------------------------------------------------------------------

def second_client(lab, config):
    """Another gateway behind the NAT: moon2, with moon's private net."""
    net = lab.net
    net.more("moon2", "10.81.3")
    return lab.gateway("moon", config, folder="moon2", at="moon2")


def test_two_clients_of_one_net(lab):
    """Two clients behind one NAT have the same private net: the second is refused, with the reason, and does not disturb
    the first; when that is gone there is room."""
    nat = Nat(lab.net)
    sun = lab.gateway("sun", conf.gateway("sun", remote_addrs="%any", remote={"id": "*.test"}))
    moon = lab.gateway("moon", conf.gateway("moon"))
    other = second_client(lab, conf.gateway("moon", local_addrs="10.81.3.2", local={"id": "moon2.test"}))
    for gateway in (sun, moon, other):
        gateway.config["secrets"]["ike-lab"] = {"secret": conf.PSK}
        gateway.configure(gateway.config)
        gateway.start()
    up(moon, sun)
    assert moon.ping() == 3
    done = other.initiate("net-net", check=False)
    assert done.returncode != 0
    sun.wait_log("CHILD_SA net-net for 'moon2.test' is refused: .* are another peer's")
    assert len(sun.established()) == 2 and len(sun.children()) == 1
    assert moon.ping() == 3 and sun.ping() == 3
    moon.terminate(ike="net")
    wait_until(lambda: len(sun.sas()) == 1, what="the first is gone")
    other.initiate("net-net")
    sun.wait_children(1)
    assert other.ping() == 3 and sun.children()[0]["name"] == "net-net"
    assert nat.mappings()


def test_two_clients_of_two_nets(lab):
    """Two clients behind one NAT, each with a net of its own: both have tunnels, and keep them when the NAT gives them others' ports."""
    nat = Nat(lab.net)
    sun = lab.gateway("sun", conf.gateway("sun", {"net": conf.connection("sun", {
        "net-%d" % n: conf.net_child("sun", 4, n) for n in range(2)}, remote_addrs="%any", remote={"id": "*.test"})}))
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {"net-0": conf.net_child("moon")})}))
    other = second_client(lab, conf.gateway("moon", {"net": conf.connection(
        "moon", {"net-1": conf.net_child("moon", 4, 1)}, local_addrs="10.81.3.2", local={"id": "moon2.test"})}))
    for gateway in (sun, moon, other):
        gateway.config["secrets"]["ike-lab"] = {"secret": conf.PSK}
        gateway.configure(gateway.config)
        gateway.start()
    moon.initiate("net-0")
    other.initiate("net-1")
    sun.wait_children(2)
    for round in range(2):
        assert moon.ping() == 3 and other.ping(net=1) == 3
        nat.rebind(20000 + 1000 * round)
        # in the other order: the first gets what might have been the second's
        reaches(other, 1)
        reaches(moon)
        reaches(sun)
        reaches(sun, 1)
        assert sun.ping() == 3 and sun.ping(net=1) == 3


# ---- paths ------------------------------------------------------------------------------------

@pytest.mark.parametrize("outer,inner", [(4, 4), (6, 6), (6, 4), (4, 6)])
def test_path_mtu(lab, outer, inner):
    """A link on the way takes 1300 bytes only: what is inside is told, and TCP gets through, in each mix of families."""
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side, inner)}, outer)})
                           for side in ("moon", "sun")))
    lab.net._batch("gw", "link set dev to-sun mtu 1300")
    lab.net._batch("sun", "link set dev eth0 mtu 1300")
    up(moon, sun)
    moon.tcp(inner, size=4 << 20)
    sun.tcp(inner, size=4 << 20)
    for gateway in (moon, sun):
        # the first ones are lost while each end learns what the path takes
        wait_until(lambda g=gateway: g.ping(inner, size=1300, count=1, limit=1) == 1, what="the path is known")
        assert gateway.ping(inner, size=1300) == 3
        assert gateway.ping(inner, size=1100) == 3
