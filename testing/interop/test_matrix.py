# SPDX-License-Identifier: Apache-2.0
"""Every key exchange with every ESP suite, Bewick as initiator and as responder: up, packets both ways, a further
child with a key exchange of its own, deletes from either side. One pair of daemons serves all."""
import pytest

from lab import conf
from peers import KINDS, both, nothing_left, roles

KES = {"x25519": "CURVE_25519", "ecp256": "ECP_256", "ecp384": "ECP_384", "modp2048": "MODP_2048",
       "modp3072": "MODP_3072"}
ESPS = {"aes128gcm16": ("AES_GCM_16", None), "aes256-sha256": ("AES_CBC", "HMAC_SHA2_256_128"),
        "aes256-sha512": ("AES_CBC", "HMAC_SHA2_512_256"), "chacha20poly1305": ("CHACHA20_POLY1305", None)}
IKES = {"aes128gcm16": "aes128gcm16-prfsha256", "aes256-sha256": "aes256-sha256", "aes256-sha512": "aes256-sha512",
        "chacha20poly1305": "chacha20poly1305-prfsha384"}
COMBINATIONS = [(ke, esp) for ke in KES for esp in ESPS]


def name_of(ke, esp):
    return "%s-%s" % (ke, esp)


def connections(side):
    made = {}
    for ke, esp in COMBINATIONS:
        name, suite = name_of(ke, esp), "%s-%s" % (esp, ke)
        # the identities tell a responder which of the connections is meant
        made[name] = conf.connection(
            side, {"first": conf.net_child(side, net=0, esp_proposals=suite),
                   "second": conf.net_child(side, net=1, esp_proposals=suite)},
            proposals="%s-%s" % (IKES[esp], ke),
            local={"id": "%s.%s.test" % (side, name)},
            remote={"id": "%s.%s.test" % ("sun" if side == "moon" else "moon", name)})
    return made


@pytest.fixture(scope="module")
def pair(shared_lab):
    moon_conf, sun_conf = both(connections)
    for one in (moon_conf, sun_conf):
        one["secrets"]["ike-lab"] = {"secret": conf.PSK}
    return shared_lab.pair(moon_conf, sun_conf, kinds=KINDS)


def check_suite(gateway, child, esp, ke=None):
    found = gateway.child(child)
    assert (found["encr-alg"], found.get("integ-alg")) == ESPS[esp]
    assert found.get("dh-group") == ke


@pytest.mark.parametrize("initiator", ["bewick", "strongswan"])
@pytest.mark.parametrize("ke,esp", COMBINATIONS)
def test_combination(pair, ke, esp, initiator):
    moon, sun = pair
    begins, answers = roles(moon, sun, initiator)
    for gateway in (moon, sun):
        for left, _ in gateway.sas():  # of a test that failed
            gateway.swanctl("--terminate", "--ike", left, "--force", check=False)
    begins.initiate("first", name_of(ke, esp))
    answers.wait_children(1, "first")
    for gateway in (moon, sun):
        assert gateway.established()[0]["dh-group"] == KES[ke]
        check_suite(gateway, "first", esp)
        assert gateway.ping() == 3
    begins.initiate("second", name_of(ke, esp))
    answers.wait_children(1, "second")
    for gateway in (moon, sun):
        check_suite(gateway, "second", esp, KES[ke])
        assert gateway.ping(net=1) == 3
        # the first one has not suffered
        assert gateway.ping() == 3
    for gateway in (moon, sun):
        for child, packets in (("first", 12), ("second", 6)):
            found = gateway.child(child)
            assert int(found["packets-in"]) >= packets and int(found["packets-out"]) >= packets
    # a child from the side that answered, one from the side that began, the IKE_SA in turn
    answers.terminate(child="second")
    begins.wait_children(0, "second")
    assert begins.ping() == 3
    begins.terminate(child="first")
    answers.wait_children(0, "first")
    assert len(moon.established()) == 1 and len(sun.established()) == 1
    (answers if COMBINATIONS.index((ke, esp)) % 2 else begins).terminate(ike=name_of(ke, esp))
    nothing_left(moon, sun)
