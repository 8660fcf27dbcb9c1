# SPDX-License-Identifier: Apache-2.0
"""What there is to choose in an authentication: our certificate by what the peer takes (RFC 9593), and the connection for the peer."""
import pytest

from lab import conf
from lab.pki import Pki
from test_certs import MOON, SETTINGS, SUN, connection, plain, up

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
    assert moon.logged(r"using certificate 'O=Bewick, CN=%s'" % name)
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
