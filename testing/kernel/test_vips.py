# SPDX-License-Identifier: Apache-2.0
"""Virtual addresses on the link that leads to the gateway, with the kernel's SAs."""
from lab import roadwarrior
from lab.net import inner
from lab.roadwarrior import VIPS, addresses, routes
from lab.run import ping, run, wait_until

QUICK = {"retransmit_timeout": 1, "retransmit_base": 1.2}


def up(lab, child=None, **over):
    moon, sun = lab.pair(roadwarrior.client(child, **over), roadwarrior.gateway(mobike=over.get("mobike", "no")), QUICK)
    moon.initiate("rw")
    sun.wait_children(1)
    return moon, sun


def both_ways(moon, sun):
    for version in (4, 6):
        assert ping(moon.ns, inner("sun", version), count=1) == 1
        assert ping(sun.ns, VIPS[version], inner("sun", version), count=1) == 1


def devices(gateway):
    return {a: device for a, (device, _) in addresses(gateway.ns).items()}


def nothing_left(gateway):
    return not (addresses(gateway.ns) or routes(gateway.ns) or routes(gateway.ns, 6) or
                run("ip", "xfrm", "state", ns=gateway.ns).stdout)


def test_life(lab):
    """Both families, both ways; connections survive new keys and new authentication; nothing is left in the end, nor of a killed daemon."""
    moon, sun = up(lab)
    assert devices(moon) == {a: "eth0" for a in VIPS.values()}
    assert {"deprecated", "nodad"} <= addresses(moon.ns)[VIPS[6]][1]
    assert not addresses(sun.ns)
    assert "10.82.2.0/24 via 10.81.1.1 dev eth0 proto 219 src " + VIPS[4] in routes(moon.ns)
    assert "src " + VIPS[6] in routes(moon.ns, 6), routes(moon.ns, 6)
    both_ways(moon, sun)
    talks = roadwarrior.talks(moon, sun)
    for order in (["--rekey", "--child", "rw"], ["--rekey", "--ike", "net", "--reauth"]):
        was = moon.child("rw")["spi-in"]
        moon.swanctl(*order)
        wait_until(lambda w=was: moon.child("rw")["spi-in"] != w, 20, moon.tail)
        for talk in talks:
            talk.goes_on()
    assert devices(moon) == {a: "eth0" for a in VIPS.values()}
    for talk in talks:
        talk.__exit__()
    moon.terminate(ike="net")
    wait_until(lambda: nothing_left(moon) and nothing_left(sun), 10, lambda: "nothing is left:\n" + moon.tail())
    moon.initiate("rw")
    moon.kill()
    assert set(devices(moon)) == set(VIPS.values())
    moon.start()
    assert nothing_left(moon)


def test_moves(lab):
    """The link gets another address (MOBIKE): the virtual ones leave it without anybody noticing, and never are a way to the gateway."""
    moon, sun = up(lab, mobike="yes", local_addrs="%any")
    talks = roadwarrior.talks(moon, sun)
    run("ip", "-n", moon.ns, "-b", "-", stdin="addr del 10.81.1.2/24 dev eth0\naddr add 10.81.1.77/24 dev eth0\n"
        "route replace 10.81.0.0/16 via 10.81.1.1\n")
    wait_until(lambda: moon.sa()["local-host"] == "10.81.1.77" and sun.sa()["remote-host"] == "10.81.1.77", 20,
               lambda: "the IKE_SA moves:\n" + moon.tail() + sun.tail())
    wait_until(lambda: devices(moon) == {a: "lo" for a in VIPS.values()}, 10, lambda: str(devices(moon)))
    for talk in talks:
        talk.goes_on()
    wait_until(lambda: VIPS[4] in routes(moon.ns) and VIPS[6] in routes(moon.ns, 6), 10, lambda: routes(moon.ns) + routes(moon.ns, 6))
    both_ways(moon, sun)
    for talk in talks:
        talk.__exit__()
    assert not moon.logged("moves from .* to 10.86.0.1") and not sun.logged("moves from .* to .*10.86.0.1")
    moon.terminate(ike="net")
    wait_until(lambda: nothing_left(moon), 10, lambda: "nothing is left:\n" + moon.tail())
