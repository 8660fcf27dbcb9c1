# SPDX-License-Identifier: Apache-2.0
"""Rekeying by order over the control socket: swanctl of both kinds, events, listings, counters."""
import re

import pytest

from lab import conf
from lab.run import program, wait_until

DEBIAN = "/usr/sbin/swanctl"
CLIENTS = [program("swanctl"), DEBIAN]
CLIENT_IDS = ["ours", "debian"]
EVENTS = ("ike-updown", "child-updown", "ike-rekey", "child-rekey")
CHILD_KEYS = ["name", "uniqueid", "reqid", "state", "mode", "protocol", "encap", "spi-in", "spi-out", "encr-alg",
              "encr-keysize", "bytes-in", "packets-in", "use-in", "bytes-out", "packets-out", "use-out", "life-time",
              "install-time", "local-ts", "remote-ts"]

clients = pytest.mark.parametrize("program", CLIENTS, ids=CLIENT_IDS)


@pytest.fixture
def pair(lab):
    """moon and sun with a tunnel that moon began."""
    moon, sun = lab.pair()
    moon.initiate("net-net")
    sun.wait_children(1)
    return moon, sun


def listen(gateway):
    client = gateway.vici()
    for event in EVENTS:
        client.register(event)
    return client


def rekey(gateway, *args, program=CLIENTS[0]):
    done = gateway.swanctl("--rekey", *args, program=program)
    assert done.stdout == "rekey completed successfully\n"


def no_updown(client):
    """What came is known as soon as an answer is there."""
    client.call("version")
    assert not [name for name, _ in client.events if name.endswith("updown")]


# ---- children --------------------------------------------------------------------------------

@clients
@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_rekey_child(pair, program, side):
    """Either side asks; both tell of it, by one event, and traffic goes on."""
    moon, sun = pair
    assert moon.ping() == 3
    before = {gateway: gateway.child("net-net") for gateway in pair}
    with listen(moon) as here, listen(sun) as there:
        rekey(moon if side == "initiator" else sun, "--child", "net-net", program=program)
        for gateway, client in ((moon, here), (sun, there)):
            name, body = client.event(*EVENTS)
            assert name == "child-rekey" and list(body) == ["net"]
            both = body["net"]["child-sas"]["net-net"]
            old, new = both["old"], both["new"]
            assert old["uniqueid"] == before[gateway]["uniqueid"] and old["spi-in"] == before[gateway]["spi-in"]
            assert new["uniqueid"] != old["uniqueid"] and new["spi-in"] != old["spi-in"]
            assert new["reqid"] == old["reqid"] and new["state"] == "INSTALLED"
            assert new["local-ts"] == old["local-ts"] and new["remote-ts"] == old["remote-ts"]
            assert [key for key in old if key != "rekey-time"] == CHILD_KEYS
            assert [key for key in new if key not in ("dh-group", "rekey-time")] == \
                [key for key in CHILD_KEYS if not key.startswith("use-")]
            assert "rekey-time" in new and "up" not in body
            wait_until(lambda gateway=gateway, new=new: [c["uniqueid"] for c in gateway.children("net-net")] ==
                       [new["uniqueid"]], what="the new CHILD_SA alone is in use")
        assert moon.ping() == 3
        for client in (here, there):
            no_updown(client)


def test_rekey_child_by_number(lab):
    """Only the one that is meant; the count says how many were."""
    config = [conf.gateway(side, {"net": conf.connection(side, {
        "net-%d" % n: conf.net_child(side, 4, n) for n in range(2)})}) for side in ("moon", "sun")]
    moon, sun = lab.pair(*config)
    for n in range(2):
        moon.initiate("net-%d" % n)
    kept, changed = (moon.child("net-%d" % n)["uniqueid"] for n in range(2))
    done = moon.swanctl("--rekey", "--child-id", changed, "--raw", program=DEBIAN)
    assert done.stdout == "rekey reply {success=yes matches=1}\n"
    wait_until(lambda: [c["uniqueid"] not in (kept, changed) for c in moon.children("net-1")] == [True],
               what="a new CHILD_SA")
    assert moon.child("net-0")["uniqueid"] == kept
    assert moon.ping(4, 0) == 3 and moon.ping(4, 1) == 3
    with moon.vici() as client:
        assert client.call("rekey", {"child": "net-0", "ike": "net"})["matches"] == "1"
    wait_until(lambda: [c["uniqueid"] != kept for c in moon.children("net-0")] == [True], what="a new CHILD_SA")


# ---- the IKE_SA ------------------------------------------------------------------------------

@clients
@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_rekey_ike(pair, program, side):
    moon, sun = pair
    before = {gateway: gateway.established()[0] for gateway in pair}
    children = {gateway: gateway.child("net-net")["uniqueid"] for gateway in pair}
    with listen(moon) as here, listen(sun) as there:
        rekey(moon if side == "initiator" else sun, "--ike", "net", program=program)
        for gateway, client in ((moon, here), (sun, there)):
            name, body = client.event(*EVENTS)
            assert name == "ike-rekey" and list(body) == ["net"] and list(body["net"]) == ["old", "new"]
            old, new = body["net"]["old"], body["net"]["new"]
            assert old["uniqueid"] == before[gateway]["uniqueid"] and "child-sas" not in old
            assert new["uniqueid"] != old["uniqueid"] and new["initiator-spi"] != old["initiator-spi"]
            assert new["state"] == "ESTABLISHED" and new["local-id"] == old["local-id"]
            assert new["established"] == "0" and int(new["rekey-time"]) > 12900
            # RFC 7296, 2.18: who asks is its original initiator
            assert new.get("initiator", "no") == ("yes" if (gateway is moon) == (side == "initiator") else "no")
            wait_until(lambda gateway=gateway, new=new: [sa["uniqueid"] for sa in gateway.established()] ==
                       [new["uniqueid"]], what="the new IKE_SA alone is in use")
            assert gateway.child("net-net")["uniqueid"] == children[gateway]
        assert moon.ping() == 3
        for client in (here, there):
            no_updown(client)
    moon.terminate(ike="net")
    sun.wait_no_sas()


@clients
def test_reauthenticate(pair, program):
    """It is another IKE_SA in the end, and the CHILD_SA is there again."""
    moon, sun = pair
    before = moon.established()[0]["uniqueid"]
    rekey(moon, "--ike", "net", "--reauth", program=program)
    wait_until(lambda: [sa["uniqueid"] != before for sa in moon.established()] == [True], 15, "a new IKE_SA")
    moon.wait_children(1)
    sun.wait_children(1)
    assert moon.ping() == 3


def test_old_and_new_in_turn(pair):
    """Everything there is to rekey, again and again, with traffic."""
    moon, sun = pair
    for _ in range(3):
        for gateway, what in ((moon, "--child=net-net"), (sun, "--ike=net"), (sun, "--child=net-net"), (moon, "--ike=net")):
            with listen(gateway) as client:
                gateway.swanctl("--rekey", *what.split("="))
                name, _ = client.event("ike-rekey", "child-rekey")
                assert name.split("-")[0] in what
            wait_until(lambda: all(sa["state"] == "ESTABLISHED" and "tasks-active" not in sa
                                   for side in pair for _, sa in side.sas()), what="all is at rest")
        assert moon.ping() == 3
    assert len(moon.established()) == len(sun.established()) == 1
    moon.wait_children(1)
    sun.wait_children(1)


# ---- words -----------------------------------------------------------------------------------

@clients
def test_nothing_to_rekey(lab, program):
    moon = lab.gateway("moon", conf.gateway("moon"), {"kernel": "null"}).start()
    for args, words in ((["--ike", "net"], "no matching SAs to rekey found"), ([], "missing rekey selector"),
                        (["--child-id", "99"], "no matching SAs to rekey found")):
        done = moon.swanctl("--rekey", *args, program=program, check=False)
        assert (done.returncode, done.stderr) == (1, "rekey failed: %s\n" % words)
    done = moon.swanctl("--rekey", "--ike", "net", "--raw", program=program)
    assert done.stdout == "rekey reply {success=no matches=0 errmsg=no matching SAs to rekey found}\n"


def test_listings_of_both_clients(pair):
    """Lifetimes as Debian's swanctl prints them, and by ours to the letter."""
    moon, sun = pair
    text = wait_until(lambda: (lambda a, b: a if a == b else None)(
        *(moon.swanctl("--list-sas", program=program).stdout for program in CLIENTS)), what="the same listing twice")
    assert re.search(r"^  established \d+s ago, rekeying in 1[234]\d{3}s$", text, re.M), text
    assert re.search(r"^    installed \d+s ago, rekeying in 3[2-6]\d\ds, expires in 39\d\ds$", text, re.M), text


def test_times_of_a_connection(lab):
    """What is configured is shown, by list-conns and by list-sas."""
    child = {"rekey_time": "10m", "life_time": "15m", "rand_time": "0", "rekey_bytes": "500m"}
    moon, sun = lab.pair(*(conf.gateway(side, {"net": conf.connection(
        side, {"net-net": conf.net_child(side, **child)}, reauth_time="3h", rekey_time="1h", rand_time="0")})
        for side in ("moon", "sun")))
    moon.initiate("net-net")
    for program in CLIENTS:
        text = moon.swanctl("--list-conns", program=program).stdout
        assert "net: IKEv2, reauthentication every 10800s, rekeying every 3600s" in text
        assert "net-net: TUNNEL, rekeying every 600s or 524288000 bytes" in text
    sa, child = sun.established()[0], sun.child("net-net")
    assert 10700 < int(sa["reauth-time"]) <= 10800 and 3500 < int(sa["rekey-time"]) <= 3600
    assert 500 < int(child["rekey-time"]) <= 600 and 800 < int(child["life-time"]) <= 900


def test_reload_keeps_the_times_of_what_is_up(pair):
    """IKE_SAs keep the configuration they were made with; the next one has the new."""
    moon, sun = pair
    moon.configure(conf.gateway("moon", rekey_time="30m"))
    assert "loaded connection 'net'" in moon.load().stdout
    assert int(moon.established()[0]["rekey-time"]) > 12000
    moon.terminate(ike="net")
    sun.wait_no_sas()
    moon.initiate("net-net")
    assert int(moon.established()[0]["rekey-time"]) <= 1800


# ---- counters --------------------------------------------------------------------------------

def test_counters(pair):
    """Both clients show the same; what the responder did not know yet counts for no connection."""
    moon, sun = pair
    with listen(moon) as client:
        rekey(moon, "--child", "net-net")
        client.event("child-rekey")
        rekey(moon, "--ike", "net")
        client.event("ike-rekey")
    wait_until(lambda: len(sun.sas()) == 1, what="the old IKE_SA is gone")
    for gateway, begun, answered in ((moon, "1", "0"), (sun, "0", "1")):
        with gateway.vici() as client:
            whole = client.call("get-counters")["counters"][""]
            mine = client.call("get-counters", {"name": "net"})["counters"]["net"]
            assert list(client.call("get-counters", {"all": "yes"})["counters"]) == ["net"]
        for counters in (whole, mine):
            assert len(counters) == 21
            assert (counters["ike-rekey-init"], counters["ike-rekey-resp"]) == (begun, answered)
            assert (counters["child-rekey"], counters["invalid"]) == ("1", "0")
        assert whole["ike-init-in-req"] == answered and mine["ike-init-in-req"] == "0"
    for args in ([], ["--all"], ["--name", "net"], ["--name", "net", "--raw"]):
        ours, theirs = (moon.swanctl("--counters", *args, program=program).stdout for program in CLIENTS)
        assert ours == theirs and "child-rekey" in ours
    assert moon.swanctl("--counters", "--reset", program=DEBIAN).stdout == "reset-counters completed successfully\n"
    assert re.search(r"^  child-rekey +: 0$", moon.swanctl("--counters").stdout, re.M)
    assert re.search(r"^  child-rekey +: 1$", moon.swanctl("--counters", "--name", "net").stdout, re.M)
    done = moon.swanctl("--counters", "--name", "nope", program=DEBIAN, check=False)
    assert done.stderr == "get-counters failed: no counters found for this connection\n"
