# SPDX-License-Identifier: Apache-2.0
"""bewickd as a process: how it starts, what it says when it cannot, reloads and ends. It carries no
packets (kernel = null) and listens on ports of its own choice, so that any user can run it."""
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BEWICK_BUILD") or os.path.join(HERE, "..", "..", "build"))
BEWICKD = os.path.join(BUILD, "bewickd")
SWANCTL = os.path.join(BUILD, "swanctl")
LIMIT = 90

PLAIN = """
  kernel = null
  workers = 2
  port = 0
  port_nat_t = 0
  pidfile = {dir}/pid
  plugins {{ vici {{ socket = unix://{dir}/vici }} }}
"""


class Bewickd:
    def __init__(self, folder):
        self.dir = str(folder)
        self.conf = os.path.join(self.dir, "bewick.conf")
        self.uri = f"unix://{self.dir}/vici"
        self.process = None
        self.lines = []
        self.come = threading.Condition()

    def path(self, name):
        return os.path.join(self.dir, name)

    def configure(self, more="", plain=PLAIN):
        with open(self.conf, "w") as f:
            f.write("bewickd {" + plain.format(dir=self.dir) + more.replace("@", self.dir) + "\n}\n")

    def args(self, *more):
        return [BEWICKD, "--plugin-dir", BUILD, "--settings", self.conf, *more]

    def fail(self, *more, status=1):
        """A start that must fail: what it said."""
        done = subprocess.run(self.args(*more), capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == status, done
        return done.stderr

    def collect(self, stderr, lines):
        """What one process says goes to its own list: the end of a killed one may come after the next has started."""
        for line in stderr:
            with self.come:
                lines.append(line)
                self.come.notify_all()
        with self.come:
            lines.append(None)
            self.come.notify_all()

    def start(self, env=None, ready=True, **more):
        self.lines = []
        self.process = subprocess.Popen(self.args(), stderr=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(env or {})), **more)
        self.reader = threading.Thread(target=self.collect, args=(self.process.stderr, self.lines), daemon=True)
        self.reader.start()
        if ready:
            self.await_line(r"\[DMN\] ready")

    def await_line(self, pattern, count=1):
        """Until so many lines have come that fit."""
        end = time.monotonic() + LIMIT
        with self.come:
            while True:
                fit = [line for line in self.lines if line and re.search(pattern, line)]
                if len(fit) >= count:
                    return fit[-1]
                assert None not in self.lines, f"it ended without '{pattern}':\n" + self.log()
                assert self.come.wait(end - time.monotonic()), f"no '{pattern}' in time:\n" + self.log()

    def log(self):
        return "".join(line for line in self.lines if line)

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        return status

    def swanctl(self, *args):
        return subprocess.run([SWANCTL, *args, "--uri", self.uri], capture_output=True, text=True, timeout=LIMIT)


@pytest.fixture
def daemon(tmp_path):
    d = Bewickd(tmp_path)
    d.configure()
    yield d
    if d.process and d.process.poll() is None:
        d.process.kill()
        d.process.wait(LIMIT)


# ---- the ordinary life ----------------------------------------------------------------------

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_life(daemon, how):
    daemon.start()
    with open(daemon.path("pid")) as f:
        assert int(f.read()) == daemon.process.pid
    stats = daemon.swanctl("--stats")
    assert stats.returncode == 0, stats
    assert "loaded plugins: " in stats.stdout and "openssl" in stats.stdout
    assert daemon.end(how) == 0, daemon.log()
    assert not os.path.exists(daemon.path("pid"))
    assert not os.path.exists(daemon.path("vici"))


def test_killed_and_again(daemon):
    daemon.start()
    daemon.process.kill()
    daemon.process.wait(LIMIT)
    assert os.path.exists(daemon.path("pid")) and os.path.exists(daemon.path("vici"))
    daemon.start()
    assert daemon.swanctl("--stats").returncode == 0
    assert daemon.end() == 0


def test_notify(daemon):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(daemon.path("notify"))
        s.settimeout(LIMIT)
        daemon.start({"NOTIFY_SOCKET": daemon.path("notify")})
        assert s.recv(100) == b"READY=1"
        assert daemon.end() == 0
        assert s.recv(100) == b"STOPPING=1"


def test_environment_names_settings(daemon):
    daemon.start()
    daemon.end()
    done = subprocess.run([BEWICKD, "--check"], capture_output=True, text=True, timeout=LIMIT,
                          env=dict(os.environ, STRONGSWAN_CONF=daemon.conf))
    assert done.returncode == 0 and done.stdout == f"{daemon.conf}: no errors\n"


def test_other_daemons_section(daemon):
    with open(daemon.conf, "w") as f:
        f.write("charon { " + PLAIN.format(dir=daemon.dir) + " }\n"
                "charon-systemd { load_modular = yes\n plugins { openssl { load = yes }\n"
                " kernel-null { load = 5 } \n kernel-userland { load = no } } }\n")
    daemon.start()
    loaded = re.search(r"loaded plugins: (.*)", daemon.log()).group(1).split()
    assert loaded[0] == "kernel-null" and "openssl" in loaded and "kernel-userland" not in loaded
    assert daemon.end() == 0


# ---- scripts ---------------------------------------------------------------------------------

def test_scripts(daemon):
    daemon.configure(f"start-scripts {{ load = {SWANCTL} --stats --uri unix://@/vici }}\n"
                     f"stop-scripts {{ last = {SWANCTL} --list-sas --uri unix://@/vici; echo over }}")
    daemon.start()
    daemon.await_line(r"\[DMN\] load: loaded plugins: ")
    assert daemon.end() == 0
    assert "last: over\n" in daemon.log()
    assert "failed" not in daemon.log()


def test_end_during_start_script(daemon):
    daemon.configure("start-scripts { slow = echo begun; sleep 1000 }")
    daemon.start()
    daemon.await_line("slow: begun")
    assert daemon.end() == 0


def test_second_signal_cuts_stop_script(daemon):
    daemon.configure("stop-scripts { slow = echo begun; sleep 1000 }")
    daemon.start()
    daemon.process.terminate()
    daemon.await_line("slow: begun")
    assert daemon.end() == 0
    assert "script 'slow' was killed" in daemon.log()


def test_script_of_a_start_that_ignores_children(daemon):
    daemon.configure("start-scripts { a = exit 3 }\nstop-scripts { b = true }\nfilelog { stderr { default = 2 } }")
    daemon.start(preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    daemon.await_line("script 'a' failed with status 3")
    assert daemon.end() == 0
    assert "script 'b' is done" in daemon.log()


def test_reload_does_not_cut_stop_script(daemon):
    """Whoever rotates logs does not know that the daemon is about to end."""
    daemon.configure("stop-scripts { slow = echo begun; while [ ! -e @/go ]; do sleep 0.1; done; echo done }")
    daemon.start()
    daemon.process.terminate()
    daemon.await_line("slow: begun")
    daemon.hup()
    with open(daemon.path("go"), "w"):
        pass
    assert daemon.process.wait(LIMIT) == 0
    daemon.reader.join(LIMIT)
    assert "slow: done" in daemon.log()


# ---- reload ----------------------------------------------------------------------------------

def reload_by_signal(daemon):
    daemon.hup()


def reload_by_swanctl(daemon):
    assert daemon.swanctl("--reload-settings").returncode == 0


@pytest.mark.parametrize("ask", [reload_by_signal, reload_by_swanctl])
def test_reload(daemon, ask):
    daemon.start()
    daemon.configure("workers = 1\nretransmit_tries = 3\nfilelog { stderr { cfg = 2 }\n f { path = @/log } }")
    ask(daemon)
    daemon.await_line(r"\[CFG\] settings read from " + re.escape(daemon.conf))
    assert "setting 'workers' has changed: it counts after a restart" in daemon.log()
    assert "setting 'port' has changed" not in daemon.log()
    assert daemon.end() == 0
    with open(daemon.path("log")) as f:
        assert "bewickd has ended" in f.read()


def fixed_keys():
    """Those that the manual marks with a *."""
    with open(os.path.join(HERE, "..", "..", "man", "bewick.conf.5")) as f:
        marked = [line.replace("Li ", "").replace("Ns ", "") for line in f if line.startswith(".It Li ") and "*" in line]
    keys = [key for line in marked for key in re.findall(r"([\w.{},-]+(?: Ar name ?\.\w+)?|[\w.-]+Ar name[.\w]*) ?\*", line)]
    assert len(keys) > 30
    return keys


def test_reload_names_what_needs_a_restart(daemon):
    """All that the manual says, however deep, and once."""
    instead = {"plugins. Ar name .load": "plugins.updown.load", "plugins.kernel-netlink.interfaces.NAME": "plugins.kernel-netlink.interfaces.x.dev",
               "plugins.pkcs11.modules. Ar name .path": "plugins.pkcs11.modules.x.path",
               "plugins.kernel-netlink.spdh_thresh.{ipv4,ipv6}.{lbits,rbits}": "plugins.kernel-netlink.spdh_thresh.ipv4.lbits"}
    sections = ("plugins.kernel-netlink.interfaces", "plugins.kernel-netlink.spdh_thresh", "plugins.pkcs11.modules")
    keys = [instead.get(key, key) for key in fixed_keys()]
    daemon.start()
    daemon.configure("\n".join(" { ".join(key.split(".")) + " = 17" + " }" * key.count(".") for key in keys))
    daemon.hup()
    daemon.await_line(r"\[CFG\] settings read from " + re.escape(daemon.conf))
    for key in keys:
        said = next((section for section in sections if key.startswith(section + ".")), key)
        assert daemon.log().count("setting '%s' has changed: it counts after a restart" % said) == 1, key
    assert daemon.end() == 0


def test_reload_of_bad_settings(daemon):
    daemon.configure("filelog { f { path = @/log }\n stderr { } }")
    daemon.start()
    os.rename(daemon.path("log"), daemon.path("log.1"))
    daemon.configure("port = 5 }")
    daemon.hup()
    line = daemon.await_line("the settings stay as they are: ")
    assert daemon.conf + ":" in line
    assert daemon.swanctl("--reload-settings").returncode != 0
    assert daemon.end() == 0
    with open(daemon.path("log")) as f:
        assert "the settings stay as they are" in f.read()


# ---- what goes wrong -------------------------------------------------------------------------

def test_control_socket_taken(daemon):
    daemon.start()
    daemon.configure("pidfile = @/pid2")
    assert f"cannot start: another daemon is listening on {daemon.uri}\n" in daemon.fail()
    assert daemon.swanctl("--stats").returncode == 0
    assert daemon.end() == 0


def test_port_taken(daemon):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("0.0.0.0", 0))
        port = s.getsockname()[1]
        daemon.configure(f"port = {port}")
        assert f"UDP port {port} is in use by another program" in daemon.fail()
    assert not os.path.exists(daemon.path("vici"))


@pytest.mark.parametrize("more,said", [
    ("a.b = 5", "{conf}:8: "),
    ("kernel = nul", "no IPsec backend is named 'nul' (there is: kernel-netlink, kernel-null"),
    ("load = openssl kernel-nul!", "the mandatory plugin 'kernel-nul' could not be loaded"),
    ("load = kernel-null", "no plugin provides the cryptographic algorithms"),
    ("plugins { vici { socket = unix://@/none/vici } }", "control socket unix://@/none/vici: "),
    ("plugins { vici { socket = systemd://vici } }", "control socket systemd://vici: "),
    ("plugins { vici { socket = somewhere } }", "control socket somewhere: "),
    ("kernel = userland\nplugins { kernel-userland { threads = 33 } }", "threads is 33: 1 to 32 is possible"),
    ("port = 4711\nport_nat_t = 4711", "port and port_nat_t are the same"),
])
def test_cannot_start(daemon, more, said):
    daemon.configure(more)
    assert said.replace("@", daemon.dir).replace("{conf}", daemon.conf) in daemon.fail()


def test_few_descriptors(daemon):
    """Each step of the start is the first that gets none: it says so, and what was started before ends in order."""
    said = set()
    for n in range(5, 100):
        done = subprocess.run(["prlimit", f"--nofile={n}:{n}", *daemon.args("--list-plugins")], capture_output=True, timeout=LIMIT)
        if done.returncode == 0:
            break
    for n in range(n, 200, 2):
        start = subprocess.Popen(["prlimit", f"--nofile={n}:{n}", *daemon.args()], stderr=subprocess.PIPE, text=True)
        with start:
            lines = []
            for line in start.stderr:
                lines.append(line)
                if "[DMN] ready" in line:
                    start.terminate()
        if start.returncode == 0:
            break
        assert start.returncode == 1, (n, lines)
        said |= {re.sub("[0-9]+", "N", line.split(": ")[1]) for line in lines if "cannot start" in line}
    assert start.returncode == 0 and len(said) > 3, said


def test_missing_file(daemon):
    os.unlink(daemon.conf)
    assert daemon.fail() == f"bewickd: {daemon.conf}: No such file or directory\n"


def test_error_is_seen_without_stderr_log(daemon):
    daemon.configure("kernel = nul\nfilelog { f { path = @/log } }")
    assert daemon.fail().startswith("bewickd: cannot start: no IPsec backend is named 'nul'")
    with open(daemon.path("log")) as f:
        assert "cannot start: no IPsec backend is named 'nul'" in f.read()


def test_doubtful_settings_are_told(daemon):
    daemon.configure("colour = red\nretransmit_tries = many\ncookie_threshold = -1\nthreads = 16")
    daemon.start()
    assert re.search(r"unknown setting 'bewickd.colour' in .*bewick.conf:8", daemon.log())
    assert re.search(r"bewick.conf:9: setting 'retransmit_tries' has the value 'many'", daemon.log())
    assert "setting 'cookie_threshold' is -1: 0 to" in daemon.log()
    assert re.search(r"setting 'bewickd.threads' in .*bewick.conf:11 has no effect", daemon.log())
    assert daemon.end() == 0
    said = daemon.fail("--check")
    assert "'retransmit_tries'" in said and "'bewickd.colour'" in said and "'cookie_threshold'" in said
    daemon.configure("colour = red")
    assert "'bewickd.colour'" in daemon.fail("--check", status=0)


@pytest.mark.parametrize("args", [["--colour"], ["--settings"], ["more"], ["--check", "more"], ["--check=1"]])
def test_usage(args):
    done = subprocess.run([BEWICKD, *args], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 2 and done.stderr.startswith("bewickd: ") and "--help" in done.stderr


def test_list_plugins(daemon):
    done = subprocess.run(daemon.args("--list-plugins"), capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done
    assert re.search(r"^openssl \S+: loaded$", done.stdout, re.M)
    assert re.search(r"^    provides .*\bencr:AES_GCM_16\b", done.stdout, re.M)
    daemon.configure("load = kernel-null nonsense")
    done = subprocess.run(daemon.args("--list-plugins"), capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0 and re.search(r"^nonsense: failed: \S", done.stdout, re.M), done


# ---- logging ---------------------------------------------------------------------------------

def test_reader_of_the_log_sleeps(daemon):
    """Nobody reads what standard error is: the daemon works and ends all the same."""
    daemon.configure("filelog { stderr { default = 4 } }")
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader:
        daemon.process = subprocess.Popen(daemon.args(), stderr=write)
        os.close(write)
        seen = b""
        while b"ready" not in seen:
            assert select.select([reader], [], [], LIMIT)[0]
            seen += os.read(reader.fileno(), 65536)
        for _ in range(30):
            # each is logged more than once at this level
            assert daemon.swanctl("--load-conns", "--file", "/dev/null").returncode == 0
        daemon.process.terminate()
        assert daemon.process.wait(LIMIT) == 0
