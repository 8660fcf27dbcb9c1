# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates on tokens (PKCS#11)."""
import os
import re

import pytest

from lab import conf
from lab.pki import Pki
from lab.run import wait_until
from lab.softhsm import MODULE, PIN, SoftHsm

pytestmark = pytest.mark.skipif(not os.path.exists(MODULE), reason="softhsm2 is not installed")

MOON, SUN = "moon.test", "sun.test"


def settings(**modules):
    return {"token_timeout": "20s", "plugins": {"pkcs11": {"modules": {name: {"path": path} for name, path in modules.items()}}}}


def connection(side, **over):
    return {"net": conf.connection(side, {"net-net": conf.net_child(side)}, **conf.merged({
        "local": {"auth": "pubkey", "certs": side + ".test.pem", "id": side + ".test"},
        "remote": {"auth": "pubkey", "id": SUN if side == "moon" else MOON}}, over))}


def sun_of(lab, pki):
    made = lab.gateway("sun", {"connections": connection("sun")})
    pki.give(made, SUN)
    return made


@pytest.fixture
def pki():
    made = Pki.shared()
    made.cert(MOON)
    made.cert(SUN)
    return made


def moon_of(lab, pki, **over):
    """All it has of certificates and keys is on two tokens."""
    on_token = {"certs": None, "cert-own": {"handle": "0a0b", "slot": "SLOT-keys"}}
    made = lab.gateway("moon", settings=settings(soft=MODULE))
    hsm = SoftHsm(made, "keys", "cas")
    hsm.put_key("keys", "0a0b", pki.path(MOON + ".key"))
    hsm.put_cert("keys", "0a0b", pki.path(MOON + ".pem"))
    hsm.put_cert("cas", "0c", pki.path("ca.pem"))
    hsm.put_cert("cas", "0d", pki.path("root.pem"))
    slots = hsm.slots()
    on_token["cert-own"]["slot"] = slots["keys"]
    made.configure({"connections": connection("moon", local=on_token, **over),
                    "secrets": {"token-keys": {"handle": "0a0b", "slot": slots["keys"], "pin": PIN}},
                    "authorities": {"ca": {"handle": "0c", "slot": slots["cas"]}, "root": {"handle": "0d", "module": "soft"}}})
    return made, hsm


def test_all_of_it_on_tokens(lab, pki):
    """The tunnel comes up; without the token there is no new one, and the log names the token; when it is back there is."""
    sun, (moon, hsm) = sun_of(lab, pki).start(), moon_of(lab, pki, remote={"cacert": {"handle": "0c", "module": "soft"}})
    moon.start()
    shown = moon.swanctl("--list-authorities").stdout
    assert "Bewick ca" in shown and "Bewick root" in shown
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3
    moon.terminate(ike="net")
    hsm.take_away()
    assert moon.initiate("net-net", check=False).returncode != 0
    moon.wait_log(r"signing with our ECDSA key failed: PKCS#11 module soft, token 'keys' in slot \d+: ")
    hsm.put_back()
    # looked for once a second
    wait_until(lambda: "loaded key" in moon.swanctl("--load-creds", "--noprompt").stdout, 30, "the token to be found again")
    moon.initiate("net-net")
    sun.wait_children(1)


def test_what_is_not_there(lab, pki):
    """Each failure names the module, the token and the handle; what there was goes on."""
    moon, hsm = moon_of(lab, pki)
    moon.start()
    slots = hsm.slots()
    good = moon.config
    wrong = {"handle": ({"handle": "77", "slot": slots["keys"]}, r"token 'keys' in slot %s: there is no certificate with the handle 77" % slots["keys"]),
             "slot": ({"handle": "0a0b", "slot": "4711"}, r"PKCS#11 module soft, slot 4711: no session with the token: there is no such slot"),
             "module": ({"handle": "0a0b", "module": "hard"}, r"PKCS#11 module 'hard' is not configured"),
             "hex": ({"handle": "0a0"}, r"the handle is not hex: 0a0"),
             "noca": ({"handle": "0a0b", "slot": slots["keys"]}, r"lacks the CA basic constraint")}
    for name, (section, why) in wrong.items():
        key = "cacert-x" if name == "noca" else "cert-x"
        side = "remote" if name == "noca" else "local"
        moon.configure(conf.merged(good, {"connections": {"net": {side: {key: section}}}}))
        done = moon.swanctl("--load-conns", check=False)
        assert re.search(r"loading connection 'net' failed: unable to load certificate: %s \(.*%s" % (key, why), done.stderr), done.stderr
    moon.configure(conf.merged(good, {"authorities": {"ca": {"handle": "0f"}}}))
    done = moon.swanctl("--load-authorities", check=False)
    assert re.search(r"'ca' failed: CA certificate missing: ca \(PKCS#11 module soft, token 'cas' in slot \d+: it shows no certificate "
                     r"with the handle 0f", done.stderr), done.stderr
    assert "Bewick ca" in moon.swanctl("--list-authorities").stdout
