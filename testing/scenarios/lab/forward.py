# SPDX-License-Identifier: Apache-2.0
"""What gateways are for: hosts behind them, whose packets they forward. Run with ESP in user space and with the kernel's."""
import threading

from . import conf
from .net import OUTER, host_addr, inner_net, other
from .roadwarrior import VIPS, client, gateway as concentrator
from .run import ping, run, tcp_transfer, wait_until


def _ping(hosts, side, version=4, **more):
    """From the host behind that side to the other one."""
    return ping(hosts[side], host_addr(other(side), version), host_addr(side, version), **more)


def _pair(lab, inner=4, outer=4, moon=None, sun=None, **over):
    """(moon, sun, {side: namespace of its host})"""
    made = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side, inner, **(child or {}))}, outer,
                                                                 **over)}) for side, child in (("moon", moon), ("sun", sun))))
    return (*made, {side: lab.net.host(side) for side in ("moon", "sun")})


def net_net(lab, inner, outer):
    """Ping and TCP with packets of full size, both ways; nothing before and nothing after."""
    moon, sun, hosts = _pair(lab, inner, outer)
    assert _ping(hosts, "moon", inner, count=1, limit=1) == 0
    moon.initiate("net-net")
    sun.wait_children(1)
    assert _ping(hosts, "moon", inner) == 3 and _ping(hosts, "sun", inner) == 3
    for side in ("moon", "sun"):
        tcp_transfer(hosts[side], host_addr(side, inner), hosts[other(side)], host_addr(other(side), inner), limit=60)
    # with IPv6 hosts cut packets themselves, when they have learned how small
    wait_until(lambda: _ping(hosts, "moon", inner, size=4000, count=1, limit=1), 10, "a large packet comes through")
    assert _ping(hosts, "moon", inner, size=4000) == 3
    for gateway in (moon, sun):
        wait_until(lambda g=gateway: int(g.child("net-net")["bytes-in"]) > 1 << 20, 20, "its counters have it")
    moon.terminate(ike="net")
    sun.wait_no_sas()
    wait_until(lambda: not _ping(hosts, "moon", inner, count=1, limit=1), 10, "nothing passes")


def trap(lab):
    """A host's first packet brings the tunnel up, and arrives."""
    moon, sun, hosts = _pair(lab, moon={"start_action": "trap"})
    assert _ping(hosts, "moon", count=1, limit=20) == 1
    sun.wait_children(1)
    assert moon.sas() and _ping(hosts, "sun") == 3
    return moon, sun, hosts


def rekeyed(moon, sun, hosts):
    """A transfer between hosts goes on while their CHILD_SA is rekeyed from both sides."""
    failed = []

    def transfer():
        try:
            tcp_transfer(hosts["moon"], host_addr("moon"), hosts["sun"], host_addr("sun"), 8 << 20, 120)
        except Exception as problem:  # pylint: disable=broad-except
            failed.append(problem)

    thread = threading.Thread(target=transfer)
    thread.start()
    for gateway in (moon, sun, moon):
        old = gateway.child("net-net")["uniqueid"]
        gateway.swanctl("--rekey", "--child", "net-net")
        wait_until(lambda g=gateway, o=old: g.child("net-net")["uniqueid"] != o, 20, "it is rekeyed")
    thread.join()
    assert not failed, failed[0]


def roadwarrior(lab):
    """A client with virtual addresses and the host behind the gateway."""
    moon, sun = lab.pair(client(), concentrator())
    hosts = {"sun": lab.net.host("sun")}
    # the host's gateway knows no way there but the tunnel
    moon.initiate("rw")
    sun.wait_children(1)
    for version in (4, 6):
        wait_until(lambda v=version: ping(moon.ns, host_addr("sun", v), VIPS[v], count=1, limit=1), 20, "the address is in use")
        assert ping(hosts["sun"], VIPS[version], host_addr("sun", version)) == 3
        tcp_transfer(moon.ns, VIPS[version], hosts["sun"], host_addr("sun", version), limit=60)


def clear(lab):
    """What pretends to come from behind the peer, in clear, is not forwarded."""
    moon, sun, hosts = _pair(lab)
    router = lab.net.ns("gw")
    liar = "10.82.2.99"
    run("ip", "addr", "add", liar + "/32", "dev", "lo", ns=router)
    run("ip", "route", "add", inner_net("moon"), "via", OUTER[4]["moon"], ns=router)
    run("ip", "route", "add", liar + "/32", "via", "10.81.1.1", ns=moon.ns)
    assert ping(router, host_addr("moon"), liar) == 3
    moon.initiate("net-net")
    sun.wait_children(1)
    assert ping(router, host_addr("moon"), liar, limit=1) == 0
    assert _ping(hosts, "moon") == 3
