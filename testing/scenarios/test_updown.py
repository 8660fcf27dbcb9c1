# SPDX-License-Identifier: Apache-2.0
"""The plugin updown: scripts get what they know, in order, and nobody waits for them."""
import glob
import os
import re
import time

from lab import conf
from lab.net import OUTER, inner_net
from lab.run import PATIENCE, TOP, run, wait_until

# one file for each run: what it was given
RECORD = 'env >%s/new.$$ && mv %s/new.$$ %s/$(date +%%s%%N).env'


def pair(lab, updown, settings=None, children=None, **over):
    """moon has the command(s); sun answers."""
    children = children or {"net-net": conf.net_child("moon", updown=updown)}
    names = {name: conf.net_child("sun", net=i) for i, name in enumerate(children)}
    moon = conf.gateway("moon", {"net": conf.connection("moon", children, **over)})
    sun = conf.gateway("sun", {"net": conf.connection("sun", names)})
    return lab.pair(moon, sun, settings)


def records(folder):
    """The environments of all runs so far, in order."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "[0-9]*.env"))):
        with open(path, encoding="utf-8") as f:
            found.append(dict(line.rstrip("\n").split("=", 1) for line in f))
    return [env for env in found if "PLUTO_VERB" in env]


def wait_records(folder, n):
    wait_until(lambda: len(records(folder)) >= n, 10, "%d runs of the script" % n)
    found = records(folder)
    assert len(found) == n, found
    return found


def test_variables(lab):
    """Both ways, as scripts have always had them; rekeying runs nothing; nothing else is in the environment."""
    folder = lab.dir + "/records"
    os.mkdir(folder)
    moon, sun = pair(lab, RECORD % (folder, folder, folder))
    moon.initiate("net-net")
    up, = wait_records(folder, 1)
    assert moon.child("net-net")["reqid"] == up["PLUTO_REQID"]
    moon.swanctl("--rekey", "--child", "net-net")
    moon.wait_log(r"CHILD_SA net-net\{1\} rekeyed as")
    moon.swanctl("--rekey", "--ike", "net")
    moon.wait_log(r"IKE_SA net\[2\] rekeyed")
    moon.terminate(child="net-net")
    up, down = wait_records(folder, 2)
    shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    expected = {"VERSION": "1.1", "VERB": "up-client", "CONNECTION": "net-net", "INTERFACE": up["PLUTO_INTERFACE"],
                "REQID": up["PLUTO_REQID"], "PROTO": "esp", "UNIQUEID": "1", "ME": OUTER[4]["moon"], "MY_ID": "moon.test",
                "MY_CLIENT": inner_net("moon"), "MY_PORT": "0", "MY_PROTOCOL": "0", "PEER": OUTER[4]["sun"],
                "PEER_ID": "sun.test", "PEER_CLIENT": inner_net("sun"), "PEER_PORT": "0", "PEER_PROTOCOL": "0",
                "UDP_ENC": "4500"}
    expected = {"PLUTO_" + key: value for key, value in expected.items()}
    assert up["PLUTO_INTERFACE"] not in ("", "unknown")
    assert {k: v for k, v in up.items() if k not in shell} == {**expected, "PATH": os.environ["PATH"]}
    # the IKE_SA has another id since it was rekeyed; the rest is as it was
    assert {k: v for k, v in down.items() if k not in shell} == {
        **expected, "PATH": os.environ["PATH"], "PLUTO_VERB": "down-client", "PLUTO_UNIQUEID": "2"}


def test_pairs_and_hosts(lab):
    """Once for each pair of selectors of a family; our own address is a host."""
    folder = lab.dir + "/records"
    os.mkdir(folder)
    child = {"local_ts": "dynamic[udp/1000-1003],%s" % inner_net("moon"), "remote_ts": inner_net("sun"),
             "updown": RECORD % (folder, folder, folder), "hostaccess": True, "esp_proposals": "aes128gcm16"}
    answer = {"local_ts": inner_net("sun"), "remote_ts": "dynamic,%s" % inner_net("moon"),
              "esp_proposals": "aes128gcm16"}
    moon, _ = lab.pair(conf.gateway("moon", {"net": conf.connection("moon", {"net-net": child})}),
                       conf.gateway("sun", {"net": conf.connection("sun", {"net-net": answer})}))
    moon.initiate("net-net")
    found = wait_records(folder, 2)
    seen = {(env["PLUTO_VERB"], env["PLUTO_MY_CLIENT"], env["PLUTO_MY_PORT"], env["PLUTO_MY_PROTOCOL"]) for env in found}
    assert seen == {("up-host", OUTER[4]["moon"] + "/32", "1000:1003", "17"), ("up-client", inner_net("moon"), "0", "0")}
    assert all(env["PLUTO_HOST_ACCESS"] == "1" for env in found)


def test_slow_one_delays_nobody(lab):
    """A script that waits for a file: the other tunnel and its script do not wait; its own down does."""
    folder = lab.dir + "/records"
    os.mkdir(folder)
    slow = "while ! test -e %s/go; do sleep 0.05; done; echo slow-$PLUTO_VERB" % folder
    moon, sun = pair(lab, None, children={"slow": conf.net_child("moon", updown=slow),
                                          "quick": conf.net_child("moon", net=1, updown="echo quick-$PLUTO_VERB")})
    begin = time.monotonic()
    moon.initiate("slow")
    moon.initiate("quick")
    moon.wait_log(r"updown: quick-up-client")
    moon.terminate(child="slow")
    moon.terminate(child="quick")
    moon.wait_log(r"updown: quick-down-client")
    assert time.monotonic() - begin < 10 * PATIENCE
    assert not moon.logged("slow-")
    open(folder + "/go", "w", encoding="utf-8").close()
    moon.wait_log(r"updown: slow-down-client")
    assert re.findall(r"slow-\w+", moon.log()) == ["slow-up", "slow-down"]
    sun.wait_children(0)


def test_hanging_one_is_killed(lab):
    """With all that it started; what it said is there, and the next of its tunnel is run."""
    pids = lab.dir + "/pids"
    command = "echo begun; test $PLUTO_VERB = down-client || { sleep 1000 & echo $! >%s; sleep 1000; }" % pids
    moon, _ = pair(lab, command, {"plugins": {"updown": {"timeout": "1s"}}})
    moon.initiate("net-net")
    moon.wait_log(r"CHD\] updown: begun")
    moon.wait_log(r"updown script of net-net\{1\} \(up\) was killed: it did not end in time")
    with open(pids, encoding="ascii") as f:
        pid = f.read().strip()
    wait_until(lambda: not os.path.exists("/proc/%s/stat" % pid) or open("/proc/%s/stat" % pid).read().split()[2] == "Z",
               5, "the end of what the script started")
    moon.terminate(child="net-net")
    wait_until(lambda: len(re.findall("updown: begun", moon.log())) == 2, 5, "the next one")
    assert not moon.logged(r"\(down\) was killed")


def test_failure_is_logged(lab):
    moon, _ = pair(lab, "echo out; echo err >&2; exit 7")
    moon.initiate("net-net")
    moon.wait_log(r"CHD\] updown script of net-net\{1\} \(up\) failed with status 7")
    moon.wait_log(r"(?s)updown: out\n.*updown: err")
    assert len(moon.children("net-net")) == 1  # and that is all


def test_identities_are_no_commands(lab):
    """What a peer calls itself gets into the environment as it is, and nowhere else."""
    evil = "$(touch %s/evil);`touch %s/evil`@x.test" % (lab.dir, lab.dir)
    moon = conf.gateway("moon", {"net": conf.connection("moon", {"net-net": conf.net_child(
        "moon", updown='echo "peer is $PLUTO_PEER_ID"')}, remote={"auth": "psk", "id": "%any"})})
    moon["secrets"]["ike-lab"] = {"secret": conf.PSK}
    sun = conf.gateway("sun", {"net": conf.connection("sun", {"net-net": conf.net_child("sun")},
                                                      local={"auth": "psk", "id": "email:" + evil})})
    sun["secrets"]["ike-lab"] = {"secret": conf.PSK}
    moon, sun = lab.pair(moon, sun)
    sun.initiate("net-net")
    moon.wait_log(r"updown: peer is " + re.escape(evil))
    assert not os.path.exists(lab.dir + "/evil")


def test_end_of_the_daemon(lab):
    """SIGTERM: the tunnel's down script still runs, one that hangs is killed."""
    folder = lab.dir + "/records"
    os.mkdir(folder)
    hang = "test $PLUTO_VERB = up-client || sleep 1000"
    moon, _ = pair(lab, None, children={
        "net-net": conf.net_child("moon", updown=RECORD % (folder, folder, folder)),
        "hangs": conf.net_child("moon", net=1, updown=hang)})
    moon.initiate("net-net")
    moon.initiate("hangs")
    wait_records(folder, 1)
    moon.stop()
    assert [env["PLUTO_VERB"] for env in records(folder)] == ["up-client", "down-client"]
    moon.wait_log(r"updown scripts that have not ended are killed")
    moon.wait_log(r"script of hangs\{2\} \(down\) was killed")


def test_not_loaded(lab):
    """Without the plugin a connection with a script is refused: it would not do what it says."""
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {"net-net": conf.net_child(
        "moon", updown="true")})}), {"load": "openssl kernel-userland"}).start(load=False)
    result = moon.swanctl("--load-all", "--noprompt", check=False)
    assert result.returncode != 0 and "unsupported: updown = true (the plugin updown is not loaded)" in result.stderr


def test_example_firewall(lab):
    """The firewall and the script of the examples: what a tunnel carries passes as long as it is up, nothing else."""
    examples = os.path.join(TOP, "conf", "examples")
    moon, sun = pair(lab, os.path.join(examples, "updown-nft"))
    run("nft", "-f", os.path.join(examples, "nftables.conf"), ns=moon.ns)
    moon.initiate("net-net")
    moon.wait_log(r"updown: up-client: %s === %s \(sun\.test\)" % (inner_net("moon"), inner_net("sun")))
    members = run("nft", "list", "set", "inet", "bewick", "tunnels_v4", ns=moon.ns).stdout
    assert "%s . %s" % (inner_net("sun"), inner_net("moon")) in members
    assert sun.ping() == 3 and moon.ping() == 3
    moon.terminate(child="net-net")
    moon.wait_log(r"updown: down-client: ")
    assert "elements" not in run("nft", "list", "set", "inet", "bewick", "tunnels_v4", ns=moon.ns).stdout
    assert not moon.logged("failed with status")
    moon.initiate("net-net")  # IKE still gets in
