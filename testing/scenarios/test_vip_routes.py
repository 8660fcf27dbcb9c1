# SPDX-License-Identifier: Apache-2.0
"""Virtual addresses on interfaces, and routes that have them for their source. The same with the kernel's ESP: testing/kernel/test_vips.py."""
from lab import conf, roadwarrior
from lab.net import OUTER, inner
from lab.roadwarrior import VIPS, addresses, routes
from lab.run import ping, run, wait_until


def up(lab, settings=None, **over):
    moon = lab.gateway("moon", roadwarrior.client(**over), settings)
    sun = lab.gateway("sun", roadwarrior.gateway(mobike=over.get("mobike", "no")))
    for gateway in (moon, sun):
        gateway.launch()
    for gateway in (moon, sun):
        gateway.wait_ready()
        gateway.load()
    return moon, sun


def both_ways(moon, sun):
    for version in (4, 6):
        assert ping(moon.ns, inner("sun", version)) == 3
        assert ping(sun.ns, VIPS[version], inner("sun", version)) == 3


def nothing_left(gateway):
    return not addresses(gateway.ns) and not routes(gateway.ns) and not routes(gateway.ns, 6)


def test_life(lab):
    """On the TUN device, the source of what goes through the tunnel and of nothing else, over all changes of keys, and away in the end."""
    moon, sun = up(lab)
    before = addresses(moon.ns)
    assert not before
    moon.initiate("rw")
    sun.wait_children(1)
    assert {a: device for a, (device, _) in addresses(moon.ns).items()} == {a: "ipsec0" for a in VIPS.values()}
    assert not addresses(sun.ns)
    assert "10.82.2.0/24 dev ipsec0 proto 219 scope link src " + VIPS[4] in routes(moon.ns)
    assert "fd82:2::/64 dev ipsec0 proto 219 src " + VIPS[6] in routes(moon.ns, 6)
    both_ways(moon, sun)
    for version in (4, 6):
        assert "src " + OUTER[version]["moon"] in run("ip", "route", "get", OUTER[version]["sun"], ns=moon.ns).stdout
    talks = roadwarrior.talks(moon, sun)
    for order in (["--rekey", "--child", "rw"], ["--rekey", "--ike", "net"], ["--rekey", "--ike", "net", "--reauth"]):
        was = moon.sa()["uniqueid"], moon.child("rw")["spi-in"]
        moon.swanctl(*order)
        wait_until(lambda w=was: (moon.sa()["uniqueid"], moon.child("rw")["spi-in"]) != w, 20, moon.tail)
        for talk in talks:
            talk.goes_on()
    assert set(addresses(moon.ns)) == set(VIPS.values())
    for talk in talks:
        talk.__exit__()
    moon.terminate(ike="net")
    wait_until(lambda: nothing_left(moon) and nothing_left(sun), 10, lambda: "nothing is left:\n" + moon.tail())
    moon.initiate("rw")
    both_ways(moon, sun)
    moon.stop()
    assert nothing_left(moon)


def test_killed(lab):
    """On an interface that outlives the daemon: what a killed one left is gone with the next, what the operator has there is not."""
    moon, sun = up(lab, {"install_virtual_ip_on": "lan"})
    run("ip", "addr", "add", "10.87.0.1/32", "dev", "lan", ns=moon.ns)
    moon.initiate("rw")
    both_ways(moon, sun)
    now = addresses(moon.ns)
    assert {a: device for a, (device, _) in now.items()} == {a: "lan" for a in (*VIPS.values(), "10.87.0.1")}
    assert {"deprecated", "nodad"} <= now[VIPS[6]][1]
    # somebody removes them: they are put back, and what uses them goes on
    for version in (4, 6):
        run("ip", "addr", "del", "%s/%d" % (VIPS[version], 32 if version == 4 else 128), "dev", "lan", ns=moon.ns)
    wait_until(lambda: set(VIPS.values()) <= set(addresses(moon.ns)), 10, moon.tail)
    wait_until(lambda: VIPS[4] in routes(moon.ns) and VIPS[6] in routes(moon.ns, 6), 10, lambda: routes(moon.ns) + routes(moon.ns, 6))
    both_ways(moon, sun)
    moon.kill()
    assert set(VIPS.values()) <= set(addresses(moon.ns))
    moon.start()
    assert set(addresses(moon.ns)) == {"10.87.0.1"} and not routes(moon.ns)
    moon.wait_log("removed 2 virtual addresses that an earlier life of the daemon left")
    moon.initiate("rw")
    both_ways(moon, sun)
    moon.stop()
    assert set(addresses(moon.ns)) == {"10.87.0.1"}


def test_interface_comes_late(lab):
    """The child says what is missing and fails; the IKE_SA is there, and with the interface the next child can be."""
    moon, sun = up(lab, {"install_virtual_ip_on": "late0"})
    failed = moon.initiate("rw", check=False)
    assert failed.returncode
    moon.wait_log(r"there is no interface named late0 \(install_virtual_ip_on\)")
    assert len(moon.established()) == 1 and not addresses(moon.ns)
    run("sh", "-c", "ip link add late0 type bridge && ip link set late0 up", ns=moon.ns)
    wait_until(lambda: set(addresses(moon.ns)) == set(VIPS.values()), 10, moon.tail)
    moon.initiate("rw")
    both_ways(moon, sun)


def test_everything(lab):
    """A tunnel for everything, with the neighbours in clear: the virtual address is no neighbour, and no way to move to (MOBIKE)."""
    everything = "0.0.0.0/0, ::/0"
    settings = {"install_virtual_ip_on": "lan", "plugins": {"bypass-lan": {"load": "yes"}}}
    moon = lab.gateway("moon", roadwarrior.client({"remote_ts": everything}, mobike="yes", local_addrs="%any"), settings)
    sun = lab.gateway("sun", roadwarrior.gateway({"local_ts": everything}, mobike="yes"))
    for gateway in (moon, sun):
        gateway.start()

    def passing():
        return {line.split()[2].rstrip(",") for line in moon.swanctl("--list-pols", "--pass").stdout.splitlines()
                if line.startswith("Bypass LAN ")}
    nets = {conf.inner_net("moon", version, net) for version in (4, 6) for net in range(3)} | {
        "fe80::/64", "10.81.1.0/24", "fd81:1::/64"}
    wait_until(lambda: passing() == nets, 10, lambda: "the neighbours: %s" % passing())
    moon.initiate("rw")
    both_ways(moon, sun)
    assert ping(moon.ns, "10.81.1.1") == 3 and ping(moon.ns, "fd81:1::1") == 3
    # another address comes: the daemon has looked at all there is, and moon tells of this one and not of those
    run("ip", "addr", "add", "10.88.0.1/24", "dev", "lan", ns=moon.ns)
    wait_until(lambda: passing() == nets | {"10.88.0.0/24"}, 10, lambda: "the neighbours: %s" % passing())
    run("ip", "addr", "del", OUTER[4]["moon"] + "/24", "dev", "eth0", ns=moon.ns)
    moon.wait_log("is no address of ours any more|IKE_SA moves", 15)
    assert not moon.logged(r"moves from .* to 10\.86\.0\.1")
