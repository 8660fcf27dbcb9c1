# SPDX-License-Identifier: Apache-2.0
"""IKE messages in fragments (RFC 7383), where large datagrams and IP fragments do not pass."""
import re

import pytest

from lab import conf

QUICK = {"retransmit_timeout": 0.2, "retransmit_base": 1.5, "retransmit_tries": 6}
SHORT = {"retransmit_timeout": 0.3, "retransmit_base": 1.0, "retransmit_tries": 3}
PATH = 600  # bytes of an IP datagram that pass
# with these an IKE_AUTH has about 2,000 bytes
MORE = ["172.%d.%d.0/24" % (16 + i // 16, 2 * (i % 16)) for i in range(40)]


def large_child(side, version=4, net=0):
    child = conf.net_child(side, version, net)
    return dict(child, local_ts=[child["local_ts"], *MORE], remote_ts=[child["remote_ts"], *MORE])


def both(version=4, moon=None, sun=None):
    def make(side):
        children = {"net-%d" % n: large_child(side, version, n) for n in range(2)}
        over = {"fragmentation": {"moon": moon, "sun": sun}[side]}
        return conf.gateway(side, {"net": conf.connection(side, children, version, **over)})
    return [make("moon"), make("sun")]


def largest(gateway):
    """Of the protected messages that it sent."""
    sent = [int(n) for n in re.findall(r"sending packet: from \S+ to \S+\[4500\] \((\d+) bytes\)", gateway.log())]
    return max(sent)


@pytest.mark.parametrize("version", [4, 6])
def test_narrow_path(lab, version):
    """All that is large passes in pieces, both ways: IKE_AUTH and a second child."""
    moon, sun = lab.pair(*both(version), settings=dict(QUICK, fragment_size=PATH))
    path = lab.net.narrow(PATH)
    moon.initiate("net-0")
    sun.wait_children(1)
    assert moon.ping(version) == 3 and sun.ping(version) == 3
    sun.initiate("net-1")
    moon.wait_children(2)
    assert path.hits() == 0
    for gateway in (moon, sun):
        gateway.wait_log(r"splitting IKE message \(\d+ bytes\) into \d fragments")
        gateway.wait_log("reassembled an IKE message")
        assert PATH - 100 < largest(gateway) <= PATH - (28 if version == 4 else 48) - 4
    moon.terminate(ike="net")
    sun.wait_no_sas()


@pytest.mark.parametrize("version", [4, 6])
def test_narrower_than_thought(lab, version):
    """The settings say 1280: what is lost in silence is tried in smaller pieces, and the next exchange begins with those."""
    moon, sun = lab.pair(*both(version), settings=QUICK)
    path = lab.net.narrow(PATH)
    moon.initiate("net-0")
    sun.wait_children(1)
    moon.wait_log("no answer: IP datagrams of up to 576 bytes are tried, instead of 1280")
    assert path.hits() > 0
    assert moon.ping(version) == 3
    before = path.hits()
    moon.initiate("net-1")
    sun.wait_children(2)
    assert path.hits() == before


def test_smallest_of_each_version(lab):
    """fragment_size 0 is what every network carries (576 bytes); the other side does as the first one does."""
    configs = both()
    moon = lab.gateway("moon", configs[0], dict(QUICK, fragment_size=0)).start()
    sun = lab.gateway("sun", configs[1], QUICK).start()
    path = lab.net.narrow(576)
    moon.initiate("net-0")
    sun.wait_children(1)
    assert moon.ping() == 3
    assert path.hits() == 0


@pytest.mark.parametrize("response", [False, True])
def test_lost_fragment(lab, response):
    moon, sun = lab.pair(*both(), settings=dict(QUICK, fragment_size=PATH))
    fault = lab.net.drop("IKE_AUTH", response, first=1)
    moon.initiate("net-0")
    assert fault.hits() == 1
    moon.wait_log("retransmit 1 of request")
    sun.wait_children(1)
    assert moon.ping() == 3
    assert len(moon.sas()) == 1 and len(sun.sas()) == 1


@pytest.mark.parametrize("moon_value,sun_value,reason", [
    ("no", "yes", "fragmentation = no"),
    ("accept", "yes", "fragmentation = accept"),
    ("yes", "no", "the peer does not support them"),
])
def test_without(lab, moon_value, sun_value, reason):
    """Who does not cut is told what may be wrong."""
    moon, sun = lab.pair(*both(moon=moon_value, sun=sun_value), settings=SHORT)
    path = lab.net.narrow(PATH)
    assert moon.initiate("net-0", check=False).returncode != 0
    assert path.hits() > 0
    moon.wait_log(r"the request has \d+ bytes and was not sent in IKE fragments \(%s\)" % reason)
    assert not moon.logged("splitting IKE message")
    # on a path that is not narrow it works
    lab.net.heal()
    moon.initiate("net-0")
    sun.wait_children(1)
    moon.wait_log("CHILD_SA net-0.*established")
    assert not moon.logged("splitting IKE message")
