# SPDX-License-Identifier: Apache-2.0
"""MOBIKE with Debian's strongSwan: Bewick on moon, strongSwan on sun; one of them moves."""
import pytest

from lab import conf
from lab.net import OUTER
from lab.run import run, wait_until

from peers import KINDS, roles

QUICK = {"retransmit_timeout": 0.5, "retransmit_base": 1.2}
MOVED = {"moon": "10.81.1.77", "sun": "10.81.2.77"}


def up(lab, initiator="bewick", settings=None, six=False, **over):
    if not six:  # strongSwan tries all paths at once and takes what answers first
        run("ip", "-n", lab.net.ns("sun"), "-6", "addr", "flush", "dev", "eth0")
    gateways = lab.pair(*(conf.gateway(side, {"net": conf.connection(side, {"net-net": conf.net_child(side)}, mobike="yes",
                                                                     local_addrs="%any", **over)})
                          for side in ("moon", "sun")), conf.merged(QUICK, settings), KINDS)
    begins, answers = roles(*gateways, initiator)
    begins.initiate("net-net")
    answers.wait_children(1)
    return gateways


def place(gateway):
    found = gateway.sas("net")
    return (found[0][1]["local-host"], found[0][1]["remote-host"]) if len(found) == 1 else None


def wait_at(moon, sun, a, b, limit=15):
    wait_until(lambda: place(moon) == (a, b) and place(sun) == (b, a), limit,
               lambda: "the IKE_SA is at %s...%s:\n%s\n%s" % (a, b, moon.tail(), sun.tail()))


def renumber(gateway, old, new):
    run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries", ns=gateway.ns)
    run("ip", "-n", gateway.ns, "-b", "-", stdin="addr add %s/24 dev eth0\naddr del %s/24 dev eth0\n" % (new, old))


def pings(moon, sun):
    """strongSwan sets its CHILD_SA up anew where its backend cannot move one."""
    wait_until(lambda: moon.ping(count=1, limit=1) == 1 and sun.ping(count=1, limit=1) == 1, 15, lambda: "traffic goes on:\n" + sun.tail())
    assert moon.ping() == 3 and sun.ping() == 3


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_initiator_moves(lab, initiator):
    """And back again."""
    moon, sun = up(lab, initiator)
    begins, _ = roles(moon, sun, initiator)
    at = {"moon": OUTER[4]["moon"], "sun": OUTER[4]["sun"]}
    for new in (MOVED[begins.side], OUTER[4][begins.side]):
        renumber(begins, at[begins.side], new)
        at[begins.side] = new
        wait_at(moon, sun, at["moon"], at["sun"])
        pings(moon, sun)
    assert len(moon.established("net")) == 1


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_responder_moves(lab, initiator):
    """It tells its addresses; who began goes there."""
    moon, sun = up(lab, initiator)
    _, answers = roles(moon, sun, initiator)
    at = {"moon": OUTER[4]["moon"], "sun": OUTER[4]["sun"]}
    renumber(answers, at[answers.side], MOVED[answers.side])
    at[answers.side] = MOVED[answers.side]
    wait_at(moon, sun, at["moon"], at["sun"], 30)
    pings(moon, sun)


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_to_ipv6(lab, initiator):
    """Both told their addresses of both families."""
    moon, sun = up(lab, initiator, six=True)
    begins, _ = roles(moon, sun, initiator)
    run("ip", "-n", begins.ns, "addr", "del", OUTER[4][begins.side] + "/24", "dev", "eth0")
    wait_at(moon, sun, OUTER[6]["moon"], OUTER[6]["sun"])
    pings(moon, sun)


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
def test_after_rekeying(lab, initiator):
    """Who began the first IKE_SA moves also when the other side has rekeyed it."""
    moon, sun = up(lab, initiator)
    begins, answers = roles(moon, sun, initiator)
    first = moon.sas("net")[0][1]["initiator-spi"]
    answers.swanctl("--rekey", "--ike", "net")
    wait_until(lambda: len(moon.sas("net")) == len(sun.sas("net")) == 1 and moon.sas("net")[0][1]["initiator-spi"] != first, 10)
    renumber(begins, OUTER[4][begins.side], MOVED[begins.side])
    at = dict(OUTER[4], **{begins.side: MOVED[begins.side]})
    wait_at(moon, sun, at["moon"], at["sun"])
    pings(moon, sun)
