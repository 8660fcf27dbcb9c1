# SPDX-License-Identifier: Apache-2.0
"""IKE messages in fragments (RFC 7383) between Bewick and strongSwan."""
import pytest

from lab import conf
from peers import KINDS, both, roles

BOTH_ROLES = pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
PATH = 600
# behind moon only: strongSwan wants an address of its own in each of its selectors
MORE = ["172.%d.%d.0/24" % (16 + i // 16, 2 * (i % 16)) for i in range(80)]


def make(side, values, version=4):
    children = {}
    for n in range(2):
        child = conf.net_child(side, version, n)
        key = "local_ts" if side == "moon" else "remote_ts"
        children["net-%d" % n] = dict(child, **{key: [child[key], *MORE]})
    return {"net": conf.connection(side, children, version, fragmentation=values[side])}


def pair_of(lab, moon="yes", sun="yes", version=4, size=PATH):
    return lab.pair(*both(lambda side: make(side, {"moon": moon, "sun": sun}, version)), kinds=KINDS,
                    settings={"fragment_size": size})


@BOTH_ROLES
@pytest.mark.parametrize("version", [4, 6])
def test_fragments(lab, initiator, version):
    moon, sun = pair_of(lab, version=version)
    path = lab.net.narrow(PATH)
    begins, answers = roles(moon, sun, initiator)
    begins.initiate("net-0")
    answers.wait_children(1)
    assert moon.ping(version) == 3 and sun.ping(version) == 3
    answers.initiate("net-1")
    begins.wait_children(2)
    assert path.hits() == 0
    for gateway in (moon, sun):
        gateway.wait_log("splitting IKE message")
        gateway.wait_log("reassembled")
    begins.terminate(ike="net")
    answers.wait_no_sas()


@pytest.mark.parametrize("size", [1280, 2000])
def test_narrower_than_thought(lab, size):
    """A request that strongSwan has seen a part of is cut anew and smaller (RFC 7383, 2.5.2)."""
    moon_conf, sun_conf = both(lambda side: make(side, {"moon": "yes", "sun": "yes"}))
    moon = lab.gateway("moon", moon_conf, {"fragment_size": size, "retransmit_timeout": 0.3, "retransmit_base": 1}, KINDS[0]).start()
    sun = lab.gateway("sun", sun_conf, {"fragment_size": PATH}, KINDS[1]).start()
    path = lab.net.narrow(PATH)
    moon.initiate("net-0")
    sun.wait_children(1)
    assert path.hits() > 0
    moon.wait_log("no answer: IP datagrams of up to 576 bytes are tried")
    assert moon.ping() == 3
    before = path.hits()
    moon.initiate("net-1")
    sun.wait_children(2)
    assert path.hits() == before


@BOTH_ROLES
@pytest.mark.parametrize("moon_value,sun_value", [("yes", "accept"), ("accept", "yes"), ("no", "yes"), ("yes", "no")])
def test_who_cuts(lab, initiator, moon_value, sun_value):
    """`accept` takes fragments and sends none; `no` on one side is no on both."""
    moon, sun = pair_of(lab, moon_value, sun_value)
    begins, answers = roles(moon, sun, initiator)
    begins.initiate("net-0")
    answers.wait_children(1)
    assert moon.ping() == 3
    agreed = "no" not in (moon_value, sun_value)
    for gateway, value in ((moon, moon_value), (sun, sun_value)):
        gateway.wait_log("CHILD_SA net-0{.*established")
        if agreed and value == "yes":
            gateway.wait_log("splitting IKE message")
        else:
            assert not gateway.logged("splitting IKE message")


@BOTH_ROLES
def test_lost_fragment(lab, initiator):
    moon, sun = pair_of(lab)
    fault = lab.net.drop("IKE_AUTH", True, first=1)
    begins, answers = roles(moon, sun, initiator)
    begins.initiate("net-0")
    assert fault.hits() == 1
    answers.wait_children(1)
    assert moon.ping() == 3
    assert len(moon.established()) == 1 and len(sun.established()) == 1
