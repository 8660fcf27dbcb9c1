# SPDX-License-Identifier: Apache-2.0
"""What the configuration wants up and what could not be set up: tried again by itself."""
from lab import conf
from lab.run import wait_until


def gateway(side, second_net, action=None, **over):
    """Children net-net and second; `second_net` is what this side thinks of as its selectors."""
    return conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side, start_action=action),
        "second": conf.net_child(side, net=second_net, start_action=action)}, **over)})


def ids(gateways):
    return [[sa["uniqueid"] for sa in each.established("net")] for each in gateways]


def test_refused_child_comes_up_when_the_peer_allows_it(lab):
    """The peer has other selectors at first: only that child is missing, and comes as soon as it may; the IKE_SA is the same."""
    moon = lab.gateway("moon", gateway("moon", 1, "start"))
    sun = lab.gateway("sun", gateway("sun", 2))
    sun.start()
    moon.start()
    moon.wait_children(1, "net-net")
    moon.wait_log(r"bringing up CHILD_SA 'second' of 'net' again in \d+\.\ds")
    assert moon.ping() == 3
    before = ids([moon, sun])
    assert len(before[0]) == len(before[1]) == 1
    wait_until(lambda: moon.log().count("bringing up CHILD_SA 'second'") >= 2, 10, "a second pause")
    sun.configure(gateway("sun", 1))
    sun.load()
    moon.wait_children(1, "second", 20)
    assert moon.ping(net=1) == 3 and moon.ping() == 3
    assert ids([moon, sun]) == before


def test_the_operator_ends_it(lab):
    moon = lab.gateway("moon", gateway("moon", 1, "start"))
    sun = lab.gateway("sun", gateway("sun", 2))
    sun.start()
    moon.start()
    moon.wait_children(1, "net-net")
    moon.wait_log(r"bringing up CHILD_SA 'second' of 'net' again in")
    moon.terminate(ike="net")
    sun.configure(gateway("sun", 1))
    sun.load()
    said = moon.log().count("bringing up CHILD_SA 'second'")
    # longer than the pauses were so far
    moon.swanctl("--initiate", "--child", "net-net")
    try:
        moon.wait_children(1, "second", 1.5)
    except AssertionError:
        pass
    assert not moon.children("second") and moon.log().count("bringing up CHILD_SA 'second'") == said


def test_silent_peer_is_given_up_after_keyingtries(lab):
    settings = {"retransmit_timeout": 0.2, "retransmit_tries": 1}
    moon = lab.gateway("moon", gateway("moon", 1, "start", keyingtries=2), settings).start()
    moon.wait_log(r"attempt 2 of keyingtries")
    moon.wait_log(r"CHILD_SA 'second' of 'net' is given up: the peer did not answer")
    moon.wait_no_sas()


def test_silent_peer_is_called_for_ever_if_so_configured(lab):
    settings = {"retransmit_timeout": 0.2, "retransmit_tries": 1}
    moon = lab.gateway("moon", gateway("moon", 1, "start", keyingtries=0), settings).start()
    moon.wait_log(r"attempt 4 of unlimited keyingtries")
    sun = lab.gateway("sun", gateway("sun", 1)).start()
    moon.wait_children(2)
    assert moon.ping() == 3 and sun.ping(net=1) == 3
