# SPDX-License-Identifier: Apache-2.0
"""Many tunnels over a line that loses, repeats and reorders, while everything is rekeyed all the time."""
import os
import time

from lab import conf
from lab.net import other
from lab.run import ping, run, wait_until

TUNNELS = int(os.environ.get("STORM_TUNNELS", "200"))
SECONDS = float(os.environ.get("STORM_SECONDS", "120"))
PATIENT = {"retransmit_timeout": 0.4, "retransmit_base": 1.1, "retransmit_tries": 25, "retransmit_limit": 2,
           "block_threshold": 0}  # all come from one address


def inside(side, number):
    """The one address behind a side in tunnel `number`."""
    return "10.%d.%d.%d" % (91 if side == "moon" else 92, number // 200, number % 200 + 1)


def gateway(side):
    """A connection with identities of its own for each tunnel: as many IKE_SAs between the same two addresses."""
    connections, secrets = {}, {}
    for n in range(TUNNELS):
        child = {"local_ts": inside(side, n) + "/32", "remote_ts": inside(other(side), n) + "/32",
                 "esp_proposals": "aes128gcm16-x25519" if n % 2 else "aes128gcm16",
                 "rekey_time": "8s", "life_time": "90s", "rand_time": "4s"}
        connections["t%d" % n] = conf.connection(side, {"c%d" % n: child}, rekey_time="20s", over_time="90s", rand_time="10s", **{
            "local": {"auth": "psk", "id": "%s%d.test" % (side, n)},
            "remote": {"auth": "psk", "id": "%s%d.test" % (other(side), n)}})
        secrets["ike-%d" % n] = {"id-1": "moon%d.test" % n, "id-2": "sun%d.test" % n, "secret": "secret number %d" % n}
    return {"connections": connections, "secrets": secrets}


def up(side):
    """{tunnel: its IKE and ESP SPIs}, of those that have one IKE_SA with one CHILD_SA in use just now. What was replaced, or is
    redundant, may still be there: if the peer does not close it we do, in time."""
    found, twice = {}, set()
    for name, sa in side.sas():
        if sa["state"] != "ESTABLISHED":
            continue
        children = [c for c in sa["child-sas"].values() if c["state"] == "INSTALLED"]
        if len(children) != 1 or name in found:
            twice.add(name)
            continue
        found[name] = (sa["initiator-spi"], sa["responder-spi"], {children[0]["spi-in"], children[0]["spi-out"]})
    return {name: spis for name, spis in found.items() if name not in twice}


def agree(moon, sun, limit):
    """Waits until both sides were seen to agree on each tunnel: never on all at once, as rekeying goes on."""
    agreed = set()

    def more():
        ours, theirs = up(moon), up(sun)
        agreed.update(name for name in ours if ours[name] == theirs.get(name))
        return len(agreed) == TUNNELS
    try:
        wait_until(more, limit)
    except AssertionError:
        stuck = sorted({"t%d" % n for n in range(TUNNELS)} - agreed)
        raise AssertionError("they do not agree on %s:\n%s" % (stuck, "\n".join(
            "%s: %s" % (side.side, sa) for side in (moon, sun) for name, sa in side.sas() if name in stuck[:3]))) from None


def test_storm(lab):
    moon, sun = (lab.gateway(side, gateway(side), PATIENT) for side in ("moon", "sun"))
    for side in (moon, sun):
        run("ip", "-b", "-", ns=side.ns, stdin="".join("addr add %s/32 dev lan\n" % inside(side.side, n) for n in range(TUNNELS)))
    control = os.path.join(lab.dir, "cable")
    lab.net.spoil("sun", loss=0.2, repeat=0.1, reorder=0.2, delay=15, seed=7, control=control)
    for side in (moon, sun):
        side.start()
    with moon.vici() as client:
        for n in range(TUNNELS):
            client.request("initiate", {"child": "c%d" % n, "timeout": "-1"})
    wait_until(lambda: len({name for name, sa in moon.sas() if sa["state"] != "CONNECTING"}) == TUNNELS and
               len(moon.children(state=None)) >= TUNNELS, 90, lambda: "all tunnels are up:\n" + moon.tail())
    begun = {side.side: {c["uniqueid"] for c in side.children(state=None)} for side in (moon, sun)}

    # traffic through one tunnel after the other, all the while
    end, number, lost, sent = time.monotonic() + SECONDS, 0, 0, 0
    while time.monotonic() < end:
        n = number * 7 % TUNNELS
        back = ping(moon.ns, inside("sun", n), inside("moon", n), 2, limit=0.2)
        sent, lost, number = sent + 2, lost + 2 - back, number + 1
    assert lost < 0.75 * sent, "%d of %d were lost: the line takes 36 %%" % (lost, sent)

    with open(control, "w", encoding="ascii") as f:
        f.write("loss=0 repeat=0 reorder=0\n")
    agree(moon, sun, 60)
    for n in range(TUNNELS):
        assert ping(moon.ns, inside("sun", n), inside("moon", n), 2) >= 1, "tunnel %d is silent" % n
    for side in (moon, sun):
        text = side.log()
        assert "giving up after" not in text and "no move from" not in text
        # nothing that was up ever went down but by rekeying
        assert not [line for line in text.splitlines() if "is closed" in line or "ends:" in line], side.side
        now = {c["uniqueid"] for c in side.children()}
        assert not now & begun[side.side], "a CHILD_SA was never rekeyed"
    moon.swanctl("--terminate", "--ike", "*", check=False)
    for n in range(TUNNELS):
        moon.swanctl("--terminate", "--ike", "t%d" % n, "--timeout", "10", check=False)
    moon.wait_no_sas(30)
    sun.wait_no_sas(30)
