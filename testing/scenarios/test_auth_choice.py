# SPDX-License-Identifier: Apache-2.0
"""What there is to choose in an authentication: our certificate by what the peer takes (RFC 9593), and the connection for the peer."""
import pytest

from lab import conf
from lab.pki import Pki
from test_certs import MOON, SETTINGS, SUN, connection, plain, refused, up

RSA = "moon-rsa"


def two_keys(lab, takes, certs=(MOON, RSA)):
    """moon has an ECDSA and an RSA certificate of one name; sun's `auth` says what it takes."""
    pki = plain()
    pki.cert(RSA, "--key=rsa", "--subject=/O=Bewick/CN=moon-rsa", san=("DNS:" + MOON,))
    own = {"moon": {"local": {"certs": ", ".join(name + ".pem" for name in certs), "id": MOON}}, "sun": {"local": {"id": SUN}, "remote": {"auth": takes}}}
    made = []
    for side in ("moon", "sun"):
        gate = lab.gateway(side, {"connections": {"net": connection(side, **own[side])}}, SETTINGS)
        for name in (MOON, RSA) if side == "moon" else (SUN,):
            pki.give(gate, name)
        made.append(gate.start())
    return made


@pytest.mark.parametrize("takes,name,scheme", [
    ("pubkey-ike:rsa", RSA, "RSA_EMSA_PKCS1_SHA2_256"), ("pubkey-ike:rsa/pss-sha512", RSA, "RSA_EMSA_PSS_SHA2_512"),
    ("pubkey-ike:ecdsa", MOON, "ECDSA_WITH_SHA256_DER")])
def test_certificate_that_the_peer_takes(lab, takes, name, scheme):
    moon, sun = two_keys(lab, takes)
    up(moon, sun)
    sun.wait_log(r"authentication of 'moon\.test' with %s successful" % scheme)
    moon.wait_log(r"using certificate 'O=Bewick, CN=%s'" % name)
    assert not moon.logged("may refuse it")


def test_nothing_in_common(lab):
    """Both lists are in moon's log, and it tries nevertheless: sun is who refuses."""
    moon, sun = two_keys(lab, "pubkey-ike:ecdsa", [RSA])
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"the peer takes ECDSA_WITH_SHA256_DER, .*we can do RSA_EMSA_PKCS1_SHA2_256.* by O=Bewick, CN=moon-rsa: "
                  r"it gets RSA_EMSA_PKCS1_SHA2_256 and may refuse it")
    sun.wait_log(r"authentication of 'moon\.test' .*failed: it signed with .* does not allow")
    for side in (moon, sun):
        side.wait_no_sas()


# ---- the connection for the peer ------------------------------------------------------------------

OF_ONE = "other-ca"


def two_connections(lab, first, second):
    """sun has two connections for anybody, whose remote sections ask for more; both have a child of the same selectors."""
    pki = Pki()
    for name in (MOON, SUN):
        pki.cert(name)
    pki.ca(OF_ONE)
    moon = lab.gateway("moon", {"connections": {"net": connection("moon", local={"id": MOON})}}, SETTINGS)
    sun = lab.gateway("sun", {"connections": {
        name: connection("sun", local={"id": SUN}, remote=remote) for name, remote in (("sales", first), ("works", second))}}, SETTINGS)
    pki.give(moon, MOON)
    pki.give(sun, SUN, ("ca", "root", OF_ONE))
    return moon.start(), sun.start()


@pytest.mark.parametrize("first", [{"cacerts": OF_ONE + ".pem"}, {"ca_id": "O=Bewick, CN=" + OF_ONE}, {"cert_policy": "1.2.3.4"},
                                   {"auth": "rsa-2048"}, {"revocation": "strict"}], ids=lambda first: next(iter(first)))
def test_connection_that_takes_it(lab, first):
    """What one connection asks for, and the peer has not, leaves it to the next."""
    moon, sun = two_connections(lab, first, {"cacerts": "ca.pem"})
    up(moon, sun)
    assert [name for name, _ in sun.sas()] == ["works"]
    sun.wait_log(r"'moon\.test' is not for connection 'sales', selected connection 'works' \(connection 'sales': .*certificate")


def test_connection_is_no_way_around(lab):
    """Who is named is not let in as anybody."""
    moon, sun = two_connections(lab, {"id": MOON, "cacerts": OF_ONE + ".pem"}, {"cacerts": "ca.pem"})
    refused(moon, sun, sun, r"none of the connection's cacerts")
