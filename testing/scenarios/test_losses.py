# SPDX-License-Identifier: Apache-2.0
"""What the network does: lost, repeated and cut-off packets; peers that vanish and come back."""
import pytest

from lab import conf
from lab.net import OUTER
from lab.run import wait_until

QUICK = {"retransmit_timeout": 0.2, "retransmit_base": 1.5, "retransmit_tries": 6}
SHORT = {"retransmit_timeout": 0.4, "retransmit_base": 1.0, "retransmit_tries": 3}


@pytest.mark.parametrize("exchange,response", [("IKE_SA_INIT", False), ("IKE_SA_INIT", True),
                                               ("IKE_AUTH", False), ("IKE_AUTH", True)])
def test_lost_message(lab, exchange, response):
    """Each of the four messages lost twice: a retransmission brings the tunnel up, once."""
    moon, sun = lab.pair(settings=QUICK)
    fault = lab.net.drop(exchange, response, first=2)
    moon.initiate("net-net")
    assert fault.hits() == 2
    moon.wait_log(r"retransmit 2 of request")
    sun.wait_children(1)
    assert len(moon.sas()) == 1 and len(moon.children()) == 1
    wait_until(lambda: len(sun.sas()) == 1, what="the responder keeps one IKE_SA")
    assert len(sun.children()) == 1
    assert moon.ping() == 3 and sun.ping() == 3


@pytest.mark.parametrize("exchange,response", [("CREATE_CHILD_SA", False), ("CREATE_CHILD_SA", True),
                                               ("INFORMATIONAL", False), ("INFORMATIONAL", True)])
def test_lost_message_later(lab, exchange, response):
    """The same for a second child, and for its deletion."""
    configs = [conf.gateway(side, {"net": conf.connection(side, {
        "net-%d" % n: conf.net_child(side, 4, n) for n in range(2)})}) for side in ("moon", "sun")]
    moon, sun = lab.pair(*configs, settings=QUICK)
    moon.initiate("net-0")
    fault = lab.net.drop(exchange, response, first=2)
    moon.initiate("net-1")
    sun.wait_children(2)
    assert moon.ping(4, 1) == 3
    moon.terminate(child="net-1")
    sun.wait_children(1)
    assert fault.hits() == 2
    assert moon.ping(4, 0) == 3
    assert len(moon.children()) == 1


def test_duplicates(lab):
    """Every datagram arrives twice at both sides."""
    moon, sun = lab.pair()
    lab.net.duplicate("sun")
    lab.net.duplicate("moon")
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3 and sun.ping() == 3
    moon.tcp()
    assert len(moon.sas()) == 1 and len(sun.sas()) == 1
    assert len(moon.children()) == 1 and len(sun.children()) == 1
    assert int(sun.child("net-net")["packets-in"]) <= int(moon.child("net-net")["packets-out"]), \
        "the replay window let a repeated packet in"
    sun.terminate(ike="net")
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_esp_loss(lab):
    """Some packets of the tunnel are lost: TCP goes on."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    fault = lab.net.drop(esp=True, sender="moon", first=3)
    moon.tcp()
    assert fault.hits() == 3
    assert moon.ping() == 3


def test_invalid_ke_retry(lab):
    """The initiator's first group is not the responder's: asked again with the right one."""
    moon, sun = lab.pair(moon=conf.gateway("moon", proposals="aes128-sha256-x25519-ecp384"),
                         sun=conf.gateway("sun", proposals="aes128-sha256-ecp384"))
    moon.initiate("net-net")
    sun.wait_children(1)
    for gateway in (moon, sun):
        assert gateway.established()[0]["dh-group"] == "ECP_384"
        assert len(gateway.sas()) == 1
    moon.wait_log(r"INVAL_KE")
    assert moon.ping() == 3


def test_cookies(lab):
    """The responder wants cookies from everybody."""
    sun = lab.gateway("sun", conf.gateway("sun"), {"cookie_threshold": 1, "cookie_threshold_ip": 1,
                                                   "block_threshold": 0}).start()
    moon = lab.gateway("moon", conf.gateway("moon"), QUICK).start()
    # one half-open IKE_SA is enough: its IKE_AUTH never arrives
    fault = lab.net.drop("IKE_AUTH", False, sender="moon")
    moon.swanctl("--initiate", "--child", "net-net", "--timeout", "1", check=False)
    assert fault.hits() > 0
    moon.swanctl("--terminate", "--ike", "net", "--force")
    moon.wait_no_sas()
    lab.net.heal()
    moon.initiate("net-net")
    moon.wait_log(r"N\(COOKIE\)")
    sun.wait_children(1)
    assert moon.ping() == 3


def test_peer_vanishes(lab):
    """Dead peer detection: the SA goes, and with it the policies."""
    moon, sun = lab.pair(settings=SHORT, dpd_delay="1s")
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3
    sun.kill()
    moon.wait_no_sas(15)
    moon.wait_log(r"giving up after 3 retransmits")
    assert moon.ping(count=1, limit=1) == 0
    sun.start()
    moon.initiate("net-net")
    assert moon.ping() == 3


def test_dpd_keeps_a_living_peer(lab):
    moon, sun = lab.pair(settings=QUICK, dpd_delay="1s")
    moon.initiate("net-net")
    moon.wait_log(r"sending DPD request")
    wait_until(lambda: len(moon.log().split("sending DPD request")) > 3, 15, "three probes")
    assert len(moon.established()) == 1 and len(sun.established()) == 1
    assert moon.ping() == 3


def test_restart_of_the_responder(lab):
    """One side is killed and comes back without a memory: a new tunnel is up at once, the old one goes."""
    moon, sun = lab.pair(settings=SHORT, dpd_delay="2s")
    moon.initiate("net-net")
    sun.wait_children(1)
    sun.kill()
    sun.start()
    sun.initiate("net-net")  # with INITIAL_CONTACT
    assert sun.ping() == 3
    wait_until(lambda: len(moon.sas()) == 1, 15, "the old IKE_SA is gone")
    assert len(moon.children()) == 1
    assert moon.ping() == 3


def test_restart_of_the_initiator(lab):
    moon, sun = lab.pair(settings=SHORT)
    moon.initiate("net-net")
    sun.wait_children(1)
    moon.kill()
    moon.start()
    moon.initiate("net-net")
    wait_until(lambda: len(sun.sas()) == 1, 15, "INITIAL_CONTACT removes the old IKE_SA")
    assert len(sun.children()) == 1
    assert moon.ping() == 3 and sun.ping() == 3


def test_both_initiate(lab):
    """Both sides begin at the same time: something is up, and traffic passes."""
    moon, sun = lab.pair(settings=QUICK)
    for gateway in (moon, sun):
        gateway.swanctl("--initiate", "--child", "net-net", "--timeout", "-1", check=False)
    for gateway in (moon, sun):
        wait_until(lambda g=gateway: g.children("net-net"), what="a child on " + gateway.side)
    wait_until(lambda: moon.ping(count=1, limit=1) and sun.ping(count=1, limit=1), 15, "ping both ways")
    moon.swanctl("--terminate", "--ike", "net")
    sun.swanctl("--terminate", "--ike", "net", check=False)
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_crossing_deletes(lab):
    """Both sides delete the IKE_SA at once: both end without waiting for each other."""
    moon, sun = lab.pair(settings=QUICK)
    moon.initiate("net-net")
    sun.wait_children(1)
    with moon.vici() as first, sun.vici() as second:
        for client in (first, second):
            client.send(bytes([0, 9]) + b"terminate" + bytes([3, 3]) + b"ike" + bytes([0, 3]) + b"net")
        for client in (first, second):
            reply = client.receive()[2]
            assert reply["success"] == "yes" or reply["errmsg"] == "no matching SAs to terminate found"
    moon.wait_no_sas()
    sun.wait_no_sas()


def test_answers_from_the_address_that_was_asked(lab):
    """A gateway with several addresses answers from the one a request came to."""
    second = "10.81.2.200"
    config = conf.gateway("sun", local_addrs=[OUTER[4]["sun"], second])
    moon, sun = lab.pair(moon=conf.gateway("moon", remote_addrs=second), sun=config)
    lab.net._batch("sun", "addr add %s/24 dev eth0" % second)
    moon.initiate("net-net")
    assert moon.sas()[0][1]["remote-host"] == second
    assert sun.sas()[0][1]["local-host"] == second
    assert moon.ping() == 3
