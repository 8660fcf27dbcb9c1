# SPDX-License-Identifier: Apache-2.0
"""Configuration payloads: sun gives DNS servers (plugin attr), moon puts them into force (plugin resolve)."""
import os
import stat

from lab import conf
from lab.run import wait_until

SUN = {"plugins": {"attr": {"dns": "10.2.0.53, 2001:db8::53", "nbns": "10.2.0.42"}}}
OURS = "nameserver 10.2.0.53   # by bewick\nnameserver 2001:db8::53   # by bewick\n"
BEFORE = "search example.test\nnameserver 192.0.2.53\n"


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def wait_text(path, text):
    wait_until(lambda: read(path) == text, 10, "%s with %r (has %r)" % (path, text, read(path)))


def pair(lab, moon_plugins, sun=None, ask=True, **child):
    moon_settings = {"attributes_without_vips": ask, "plugins": moon_plugins}
    moon = lab.gateway("moon", conf.gateway("moon", {"net": conf.connection("moon", {
        "net-net": conf.net_child("moon", **child)})}), moon_settings)
    sun = lab.gateway("sun", conf.gateway("sun"), SUN if sun is None else sun)
    return moon.start(), sun.start()


def test_file(lab):
    """There while the IKE_SA lives, over a rekeying; then the file is what it was."""
    path = lab.dir + "/resolv.conf"
    write(path, BEFORE)
    os.chmod(path, 0o640)
    moon, _ = pair(lab, {"resolve": {"file": path}})
    moon.initiate("net-net")
    wait_text(path, OURS + BEFORE)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    moon.wait_log(r"CFG\] installing DNS server 10\.2\.0\.53 to " + path)
    moon.swanctl("--rekey", "--ike", "net")
    moon.wait_log(r"IKE_SA net\[2\] rekeyed")
    moon.swanctl("--rekey", "--ike", "net")
    moon.wait_log(r"IKE_SA net\[3\] rekeyed")
    assert read(path) == OURS + BEFORE
    moon.terminate(ike="net")
    wait_text(path, BEFORE)


def test_end_and_crash(lab):
    """The end of the daemon takes them back; a killed one's are removed by the next."""
    path = lab.dir + "/resolv.conf"
    write(path, BEFORE)
    moon, sun = pair(lab, {"resolve": {"file": path}})
    moon.initiate("net-net")
    wait_text(path, OURS + BEFORE)
    moon.stop()
    assert read(path) == BEFORE
    moon.start()
    moon.initiate("net-net")
    wait_text(path, OURS + BEFORE)
    moon.kill()
    assert read(path) == OURS + BEFORE
    moon.start()
    wait_text(path, BEFORE)
    sun.stop()


def test_link_is_kept(lab):
    """The file behind a symbolic link is changed, the link stays one; a file that was not there is made."""
    path, real = lab.dir + "/resolv.conf", lab.dir + "/real.conf"
    write(real, BEFORE)
    os.symlink(real, path)
    moon, _ = pair(lab, {"resolve": {"file": path}})
    moon.initiate("net-net")
    wait_text(real, OURS + BEFORE)
    assert os.path.islink(path)
    moon.terminate(ike="net")
    wait_text(real, BEFORE)


def test_resolvconf(lab):
    """By the program resolvconf, which gets all servers at once, and is told of the end."""
    seen = lab.dir + "/seen"
    program = lab.dir + "/resolvconf"
    write(program, '#!/bin/sh\necho "$@" >>%s\ntest $1 = -d || cat >>%s\n' % (seen, seen))
    os.chmod(program, 0o755)
    moon, _ = pair(lab, {"resolve": {"resolvconf": {"path": program, "iface": "vpn0"}}})
    wait_text(seen, "-d vpn0\n")  # what a predecessor may have left
    moon.initiate("net-net")
    added = "-d vpn0\n-a vpn0\nnameserver 10.2.0.53\nnameserver 2001:db8::53\n"
    wait_until(lambda: read(seen).endswith(added.split("\n", 1)[1]), 10, "resolvconf -a: %r" % read(seen))
    moon.terminate(ike="net")
    wait_until(lambda: read(seen).endswith("-d vpn0\n") and read(seen).count("-d") == 2, 10, "resolvconf -d")


def test_resolvectl(lab):
    """By the program resolvectl, at the interface of the settings."""
    seen = lab.dir + "/seen"
    program = lab.dir + "/resolvectl"
    write(program, '#!/bin/sh\necho "$@" >>%s\n' % seen)
    os.chmod(program, 0o755)
    moon, _ = pair(lab, {"resolve": {"resolvectl": {"path": program, "interface": "ipsec0"}}})
    moon.initiate("net-net")
    wait_until(lambda: (read(seen) or "").endswith("dns ipsec0 10.2.0.53 2001:db8::53\n"), 10, "resolvectl dns")
    moon.terminate(ike="net")
    wait_until(lambda: read(seen).endswith("\nrevert ipsec0\n"), 10, "resolvectl revert")


def test_hanging_program(lab):
    """It is killed; tunnels go on."""
    program = lab.dir + "/resolvconf"
    write(program, "#!/bin/sh\nsleep 1000\n")
    os.chmod(program, 0o755)
    moon, _ = pair(lab, {"resolve": {"timeout": "1s", "resolvconf": {"path": program}}})
    moon.initiate("net-net")
    moon.wait_log(r"resolve: %s -a was killed" % program)
    assert moon.ping() == 3


def test_for_the_script(lab):
    """dns_handler: the servers are the updown script's, the file is left alone."""
    path = lab.dir + "/resolv.conf"
    write(path, BEFORE)
    moon, _ = pair(lab, {"resolve": {"file": path}, "updown": {"dns_handler": True}},
                   updown="echo servers $PLUTO_DNS4_1 $PLUTO_DNS6_1 $PLUTO_VERB")
    moon.initiate("net-net")
    moon.wait_log(r"updown: servers 10\.2\.0\.53 2001:db8::53 up-client")
    moon.terminate(ike="net")
    moon.wait_log(r"updown: servers 10\.2\.0\.53 2001:db8::53 down-client")
    assert read(path) == BEFORE and not moon.logged("installing DNS")


def test_not_asked_for(lab):
    """By default a gateway does not let its peers choose its DNS servers."""
    path = lab.dir + "/resolv.conf"
    write(path, BEFORE)
    moon, sun = pair(lab, {"resolve": {"file": path}}, ask=False)
    moon.initiate("net-net")
    assert read(path) == BEFORE
    assert not moon.logged(r"CPRQ") and not sun.logged(r"CPRP")


def test_bad_settings_of_the_gateway(lab):
    """What is no value is told, and left out; the others are given."""
    path = lab.dir + "/resolv.conf"
    write(path, BEFORE)
    moon, sun = pair(lab, {"resolve": {"file": path}},
                     {"dns1": "10.2.0.1", "plugins": {"attr": {"dns": "10.2.0.53, nonsense", "frob": "1"}}})
    sun.wait_log(r"setting 'plugins\.attr\.dns': 'nonsense' is no value for this attribute")
    sun.wait_log(r"setting 'plugins\.attr\.frob': no such attribute")
    moon.initiate("net-net")
    wait_text(path, "nameserver 10.2.0.1   # by bewick\nnameserver 10.2.0.53   # by bewick\n" + BEFORE)
