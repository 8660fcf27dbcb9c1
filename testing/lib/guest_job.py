# SPDX-License-Identifier: Apache-2.0
"""What the runners of guests (testing/kernel/guest.py, testing/qemu/qemu.py) share: arguments, the folder of a job, its end."""
import argparse
import os
import shlex
import shutil
import sys
import tempfile

TOO_SLOW = 124
NO_GUEST = 125


def parser(limit):
    p = argparse.ArgumentParser()
    p.add_argument("--limit", type=float, default=limit)
    p.add_argument("--memory", type=int, default=768)
    p.add_argument("--write", action="append", default=[])
    p.add_argument("command", nargs=argparse.REMAINDER)
    return p


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)


def write_command(job, command):
    """The command, in our folder and environment, as a script of the job."""
    write(job + "/command", "".join("export %s=%s\n" % (key, shlex.quote(value)) for key, value in os.environ.items()
                                    if key.isidentifier() and key not in ("PWD", "OLDPWD", "SHLVL", "_")) +
          "cd %s && exec %s\n" % (shlex.quote(os.getcwd()), shlex.join(command)))


def folders(job, options):
    """Those that the guest writes to, quoted for its init."""
    return " ".join(shlex.quote(folder) for folder in [job, *map(os.path.realpath, options.write)])


def status(job):
    """Of a guest that has ended: what the command left, or the console as it is."""
    try:
        with open(job + "/status", encoding="ascii") as f:
            return int(f.read())
    except (OSError, ValueError):
        with open(job + "/console", errors="replace", encoding="utf-8") as f:
            sys.stderr.write(f.read())
        return NO_GUEST


def run(name, guest, options):
    """guest(job, options) is run and returns a status. Exits with that, after the command's output."""
    job = tempfile.mkdtemp(prefix="bewick-%s-" % name)
    try:
        write_command(job, options.command)
        end = guest(job, options)
        if os.path.exists(job + "/output"):
            with open(job + "/output", "rb") as f:
                shutil.copyfileobj(f, sys.stdout.buffer)
        sys.stdout.flush()
        if end == TOO_SLOW:
            sys.stderr.write("%s: no end after %g s\n" % (os.path.basename(sys.argv[0]), options.limit))
    finally:
        shutil.rmtree(job, ignore_errors=True)
    sys.exit(end)
