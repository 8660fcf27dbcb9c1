# SPDX-License-Identifier: Apache-2.0
"""A gateway loses its state: the other one hears of it by its token (RFC 6290), and by nothing less; message ids agreed on anew."""
import os

from lab import conf
from lab.run import wait_until

SHORT = {"retransmit_timeout": 0.4, "retransmit_base": 1.0, "retransmit_tries": 3}
TOKEN_GIVEN = r"generating IKE_AUTH response .*N\(CRASH_DET\)"
LOST = "the peer has lost its state, as its token shows"


def up(lab, settings=None, **over):
    """moon begins, and brings the tunnel up again when the peer is gone."""
    moon_conf = conf.gateway("moon", {"net": conf.connection("moon", {
        "net-net": conf.net_child("moon", dpd_action="start")}, **over)})
    moon, sun = lab.pair(moon_conf, settings=settings)
    moon.initiate("net-net")
    sun.wait_children(1)
    assert moon.ping() == 3
    return moon, sun


def crash(gateway):
    gateway.kill()
    gateway.start()
    assert not gateway.sas()


def wait_up_again(moon, sun, limit=10):
    sun.wait_children(1, limit=limit)
    wait_until(lambda: len(moon.established()) == 1 and len(moon.children()) == 1, limit, "one tunnel on moon")
    assert moon.ping() == 3 and sun.ping() == 3


def test_traffic_meets_a_new_life(lab):
    """One packet of the tunnel, and the tunnel is up again: INVALID_SPI makes moon ask, the token answers."""
    moon, sun = up(lab)
    sun.wait_log(TOKEN_GIVEN)
    crash(sun)
    moon.ping(count=1, limit=1)
    moon.wait_log(LOST, 3)
    wait_up_again(moon, sun)
    moon.wait_log(r"unprotected INVALID_SPI from \S+: asking the peer")
    assert not moon.logged("retransmit"), "nothing had to wait for a retransmission"


def test_exchange_meets_a_new_life(lab):
    """The same by an exchange: its answer is the token."""
    moon, sun = up(lab)
    crash(sun)
    moon.swanctl("--sync-ids", "--ike", "net")
    moon.wait_log(LOST, 3)
    wait_up_again(moon, sun)
    assert not moon.logged("retransmit")


def test_responder_hears_of_the_initiator(lab):
    """Roles the other way round: the one that began has crashed."""
    moon, sun = up(lab)
    crash(moon)
    sun.ping(count=1, limit=1)
    sun.wait_log(LOST, 3)
    sun.wait_no_sas()
    moon.initiate("net-net")
    wait_up_again(moon, sun)


def test_silent_about_a_successor(lab):
    """sun uses the new IKE_SA before its answer to moon's rekeying arrives: moon has no such IKE_SA yet, and gives no token away."""
    moon, sun = up(lab, {"retransmit_timeout": 0.5, "retransmit_base": 1.2})
    lab.net.drop("CREATE_CHILD_SA", True, sender="sun")
    moon.swanctl("--rekey", "--ike", "net")
    sun.wait_log(r"IKE_SA net\[2\] rekeyed")
    sun.swanctl("--rekey", "--child", "net-net")
    sun.wait_log(r"retransmit 1 of request with message ID 0")
    assert not sun.logged("unprotected INVALID_IKE_SPI") and not sun.logged(LOST)
    lab.net.heal()
    moon.wait_log(r"IKE_SA net\[2\] rekeyed", 20)
    sun.wait_log(r"CHILD_SA net-net\{1\} rekeyed as", 20)
    assert moon.ping() == 3 and sun.ping() == 3
    assert not sun.logged("unprotected INVALID_IKE_SPI") and not sun.logged(LOST)


def test_without_tokens(lab):
    """INVALID_IKE_SPI alone ends nothing: it is the retransmissions that find out."""
    moon, sun = up(lab, dict(SHORT, qcd={"enabled": "no"}))
    crash(sun)
    moon.ping(count=1, limit=1)
    moon.wait_log(r"giving up after 3 retransmits")
    assert not moon.logged(LOST)
    wait_up_again(moon, sun)


def test_lost_secret(lab):
    """A new secret makes other tokens, which are not believed."""
    moon, sun = up(lab, SHORT)
    sun.kill()
    os.unlink(sun.path("qcd.secret"))
    sun.start()
    moon.ping(count=1, limit=1)
    moon.wait_log(r"ignored a token from \S+ that is not the peer's")
    moon.wait_log(r"giving up after 3 retransmits")
    wait_up_again(moon, sun)
    assert not moon.logged(LOST)


def test_secret_of_a_generation_ago(lab):
    """The secret was followed by another one while the tunnel was up."""
    moon, sun = up(lab)
    sun.kill()
    sun.settings["qcd"] = {"secret_file": sun.path("qcd.secret"), "rotate": "1h"}
    os.utime(sun.path("qcd.secret"), (0, 0))
    sun.start()
    sun.wait_log("a new secret for quick crash detection is in .*, 2 are kept")
    moon.ping(count=1, limit=1)
    moon.wait_log(LOST, 3)
    wait_up_again(moon, sun)


def test_secret_that_others_can_read(lab):
    """Said clearly; all else works."""
    sun = lab.gateway("sun", conf.gateway("sun"))
    with open(sun.path("qcd.secret"), "wb") as f:
        f.write(b"x" * 32)
    os.chmod(sun.path("qcd.secret"), 0o644)
    sun.start()
    sun.wait_log(r"no tokens for quick crash detection are given: \S+ has mode 0644")
    moon = lab.gateway("moon", conf.gateway("moon")).start()
    moon.initiate("net-net")
    assert moon.ping() == 3
    assert not sun.logged(TOKEN_GIVEN)


def test_ids_agreed_anew(lab):
    """The operator's order, on both sides, with jumping sequence numbers: nothing is lost."""
    moon, sun = up(lab, dpd_delay="1s")
    for gateway in (moon, sun, moon):
        gateway.swanctl("--sync-ids", "--ike", "net", "--replay-delta", "100000")
        gateway.wait_log(r"message IDs are synchronized")
        assert moon.ping() == 3 and sun.ping() == 3
    sun.wait_log("outbound sequence numbers of 1 CHILD_SAs jump ahead by 100000, as the peer asks")
    moon.wait_log("outbound sequence numbers of 1 CHILD_SAs jump ahead by 100000, as the peer asks")
    moon.swanctl("--terminate", "--ike", "net")
    sun.wait_no_sas()
    failed = moon.swanctl("--sync-ids", "--ike", "net", check=False)
    assert failed.returncode != 0 and "no matching IKE_SAs" in failed.stdout + failed.stderr
