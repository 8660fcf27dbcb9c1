# SPDX-License-Identifier: Apache-2.0
"""Negotiations that fail: both sides say why, nothing is left behind, what worked goes on."""
import socket
import threading

import pytest

from lab import conf
from lab.net import OUTER
from lab.run import socket_in, wait_until


# An error that came unprotected is believed when no better answer came: the wait is made short.
SHORT = {"retransmit_timeout": 0.3, "retransmit_base": 1.0, "retransmit_tries": 3}


def nothing_left(*gateways):
    for gateway in gateways:
        gateway.wait_no_sas()
        with gateway.vici() as client:
            stats = client.call("stats")
        assert stats["ikesas"] == {"total": "0", "half-open": "0"}
        wait_until(lambda: gateway.ping(count=1, limit=1) == 0, what="its backend is done")


def test_wrong_psk(lab):
    moon, sun = lab.pair(sun=conf.gateway("sun", secret="another secret"))
    done = moon.initiate("net-net", check=False)
    assert done.returncode != 0
    assert "establishing CHILD_SA 'net-net' failed" in done.stderr
    assert "AUTH" in done.stdout, "the initiator is told why:\n" + done.stdout
    moon.wait_log(r"AUTHENTICATION_FAILED")
    sun.wait_log(r"(?i)(MAC|authentication).*(mismatch|failed)")
    nothing_left(moon, sun)
    # the same again with the right secret
    sun.configure(conf.gateway("sun"))
    sun.swanctl("--load-creds", "--clear", "--noprompt")
    moon.initiate("net-net")
    assert moon.ping() == 3


def test_wrong_identity(lab):
    moon, sun = lab.pair(moon=conf.gateway("moon", local={"id": "somebody.test"}))
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"AUTHENTICATION_FAILED")
    sun.wait_log(r"somebody\.test")
    nothing_left(moon, sun)


def test_no_secret_for_the_peer(lab):
    config = conf.gateway("moon")
    config["secrets"] = {"ike-other": {"id-1": "elsewhere.test", "secret": "x"}}
    moon, sun = lab.pair(moon=config)
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"(?i)no shared key")
    moon.wait_no_sas()
    assert not sun.established()


@pytest.mark.parametrize("proposals", ["aes256-sha512-ecp384", "aes128-sha256-x448"])
def test_no_common_ike_proposal(lab, proposals):
    moon, sun = lab.pair(moon=conf.gateway("moon", proposals=proposals), settings=SHORT)
    done = moon.initiate("net-net", check=False)
    assert done.returncode != 0 and "establishing CHILD_SA 'net-net' failed" in done.stderr
    moon.wait_log(r"NO_PROP")
    sun.wait_log(r"(?i)no (matching )?proposal|NO_PROP")
    nothing_left(moon, sun)


def test_no_connection_for_the_address(lab):
    """Nobody is configured for that address: NO_PROPOSAL_CHOSEN, nothing kept."""
    moon, sun = lab.pair(sun=conf.gateway("sun", remote_addrs="10.81.1.77"), settings=SHORT)
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"NO_PROP")
    sun.wait_log(r"(?i)no .*config|no connection")
    nothing_left(moon, sun)


def two_children(side, bad):
    return conf.gateway(side, {"net": conf.connection(side, {
        "net-net": conf.net_child(side), "bad": conf.net_child(side, 4, 1, **bad)})})


BAD = {
    "selectors": ({"remote_ts": "10.99.0.0/16"}, r"TS_UNACC|traffic selectors"),
    "proposal": ({"esp_proposals": "aes256-sha512"}, r"NO_PROP|no matching proposal|no proposal"),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_child_fails_ike_stays(lab, what):
    """A child that cannot be, in IKE_AUTH: the IKE_SA is up on both sides, and a good child is added."""
    bad, said = BAD[what]
    moon, sun = lab.pair(moon=two_children("moon", bad), sun=two_children("sun", {}))
    done = moon.initiate("bad", check=False)
    assert done.returncode != 0 and "establishing CHILD_SA 'bad' failed" in done.stderr
    for gateway in (moon, sun):
        gateway.wait_log("(?i)" + said)
        assert len(gateway.established("net")) == 1
        assert gateway.children(state=None) == []
    before = moon.established()[0]["initiator-spi"]
    moon.initiate("net-net")
    sun.wait_children(1, "net-net")
    assert moon.established()[0]["initiator-spi"] == before and len(moon.sas()) == 1
    assert moon.ping() == 3


@pytest.mark.parametrize("what", sorted(BAD))
def test_child_fails_sibling_stays(lab, what):
    """The same in CREATE_CHILD_SA: the child that works goes on working."""
    moon, sun = lab.pair(moon=two_children("moon", BAD[what][0]), sun=two_children("sun", {}))
    moon.initiate("net-net")
    assert moon.initiate("bad", check=False).returncode != 0
    assert moon.ping() == 3 and sun.ping() == 3
    assert len(moon.children()) == 1 and len(sun.children()) == 1
    # the other side may try as well
    assert sun.initiate("bad", check=False).returncode != 0
    assert moon.ping() == 3
    assert len(moon.established()) == 1 and len(sun.established()) == 1


def test_no_answer(lab):
    """A peer that is not there: an end after the retransmissions, with a reason."""
    moon = lab.gateway("moon", conf.gateway("moon"), SHORT).start()
    done = moon.initiate("net-net", check=False)
    assert done.returncode != 0 and "establishing CHILD_SA 'net-net' failed" in done.stderr
    moon.wait_log(r"giving up after 3 retransmits")
    moon.wait_no_sas()


def test_initiate_has_a_time_limit(lab):
    moon = lab.gateway("moon", conf.gateway("moon")).start()
    done = moon.swanctl("--initiate", "--child", "net-net", "--timeout", "1", check=False)
    assert done.returncode == 1 and "CHILD_SA 'net-net' not established after 1000ms" in done.stderr
    assert [sa["state"] for _, sa in moon.sas()] == ["CONNECTING"], "it is still trying"
    moon.terminate(ike="net")
    moon.wait_no_sas()


def test_forged_answers_are_not_believed(lab):
    """An unprotected NO_PROPOSAL_CHOSEN before the real answer: the tunnel comes up all the same."""
    moon = lab.gateway("moon", conf.gateway("moon"), {"retransmit_timeout": 0.3}).start()
    sun = lab.gateway("sun", conf.gateway("sun"))
    forger = socket_in(sun.ns, socket.AF_INET, socket.SOCK_DGRAM)
    forger.bind((OUTER[4]["sun"], 500))
    forger.settimeout(20)
    result = {}
    starter = threading.Thread(target=lambda: result.update(done=moon.initiate("net-net", check=False)))
    starter.start()
    request, peer = forger.recvfrom(65535)
    notify = bytes([0, 0, 0, 8, 0, 0, 0, 14])
    forger.sendto(request[:8] + b"forgedSP" + bytes([41, 0x20, 34, 0x20]) + request[20:24] +
                  (28 + len(notify)).to_bytes(4, "big") + notify, peer)
    forger.close()
    sun.start()
    starter.join()
    assert result["done"].returncode == 0, result["done"].stdout + result["done"].stderr
    assert moon.ping() == 3
