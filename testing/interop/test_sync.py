# SPDX-License-Identifier: Apache-2.0
"""Message ids agreed on anew (RFC 6311), and lives that end without a word (RFC 6290), with strongSwan.

What strongSwan 5.9 does, without its ha plugin: as the one that begins it announces IKEV2_MESSAGE_ID_SYNC_SUPPORTED, as the one that
answers it does not, so only IKE_SAs that it began can be synchronized. It answers and goes on with the new ids ("responder requested
MID sync"): with AES-CBC for IKE as often as it is asked; with AES-GCM it cannot encrypt a second answer with message id 0 ("no IV or
padding"), so that it answers once, and only if no ordinary request had that id before. It never announces
IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED. It names QUICK_CRASH_DETECTION in its log, but neither gives nor takes tokens: it drops our unprotected answer and finds
out by its own retransmissions that Bewick has lost its state.
"""
import pytest

from lab import conf
from lab.run import wait_until
from peers import KINDS, both

SHORT = {"retransmit_timeout": 0.3, "retransmit_base": 1.0, "retransmit_tries": 3}


def pair_of(lab, settings=None, sun=None, **over):
    def make(side):
        more = dict(over, **(sun or {} if side == "sun" else {}))
        return {"net": conf.connection(side, {"net-net": conf.net_child(side, **more.pop("child", {}))}, **more)}
    return lab.pair(*both(make), kinds=KINDS, settings=settings)


@pytest.mark.parametrize("proposal,times", [("aes128gcm16-prfsha256-x25519", 1), ("aes128-sha256-x25519", 3)])
def test_strongswan_answers(lab, proposal, times):
    """Then exchanges of both sides, which have other ids than before."""
    moon, sun = pair_of(lab, proposals=proposal)
    sun.initiate("net-net")
    moon.wait_children(1)
    for n in range(1, times + 1):
        moon.swanctl("--sync-ids", "--ike", "net")
        moon.wait_log(r"message IDs are synchronized: we send %d next and expect 2" % n)
        sun.wait_log(r"responder requested MID sync: initiating 2\[2\], responding %d\[%d\]" % (n, n - 1))
    assert moon.ping() == 3 and sun.ping() == 3
    sun.swanctl("--rekey", "--child", "net-net")
    moon.wait_log(r"parsed CREATE_CHILD_SA request 2 ")
    moon.swanctl("--terminate", "--ike", "net")
    moon.wait_log(r"generating INFORMATIONAL request %d \[ D \]" % times)
    sun.wait_no_sas()
    assert not moon.logged("retransmit") and not sun.logged("retransmit")


def test_strongswan_answers_once_with_gcm(lab):
    """The second answer never comes: for us the peer is silent."""
    moon, sun = pair_of(lab, SHORT, proposals="aes128gcm16-prfsha256-x25519")
    sun.initiate("net-net")
    moon.wait_children(1)
    for _ in range(2):
        moon.swanctl("--sync-ids", "--ike", "net")
        moon.wait_log(r"message IDs are synchronized")
    sun.wait_log("no IV or padding")
    moon.wait_log(r"giving up after 3 retransmits")


def test_strongswan_does_not_offer_it(lab):
    """As the one that answers: there is nothing to agree on, and the order says so."""
    moon, sun = pair_of(lab)
    moon.initiate("net-net")
    sun.wait_children(1)
    failed = moon.swanctl("--sync-ids", "--ike", "net", check=False)
    assert failed.returncode != 0 and "no matching IKE_SAs" in failed.stdout + failed.stderr
    assert moon.ping() == 3


def test_we_crash(lab):
    """strongSwan's exchanges find nobody: INVALID_IKE_SPI and our token do not impress it, its retransmissions do."""
    moon, sun = pair_of(lab, SHORT, sun={"dpd_delay": "1s", "child": {"dpd_action": "start"}})
    sun.initiate("net-net")
    moon.wait_children(1)
    moon.kill()
    moon.start()
    sun.wait_log(r"giving up after 3 retransmits")
    sun.wait_log(r"INFORMATIONAL response with message ID \d+ processing failed")  # ours, which is not encrypted
    moon.wait_children(1, limit=15)
    wait_until(lambda: len(sun.children()) == 1, what="one tunnel on sun")
    assert moon.ping() == 3 and sun.ping() == 3


def test_strongswan_crashes(lab):
    """Our probes find nobody; what strongSwan says without protection ends nothing."""
    moon, sun = pair_of(lab, SHORT, dpd_delay="1s", child={"dpd_action": "start"})
    moon.initiate("net-net")
    sun.wait_children(1)
    sun.kill()
    sun.start()
    moon.wait_log(r"giving up after 3 retransmits")
    assert not moon.logged("the peer has lost its state")
    sun.wait_children(1, limit=15)
    wait_until(lambda: len(moon.children()) == 1, what="one tunnel on moon")
    assert moon.ping() == 3 and sun.ping() == 3
