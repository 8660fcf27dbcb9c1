#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command under Debian's own kernel in qemu: what User-Mode Linux lacks runs here (XFRM interfaces, nftables beside
ESP, two CPUs). Slow, as no hardware helps: 3 s to boot, 20 to 80 times slower afterwards.

    qemu.py [--limit SECONDS] [--memory MIB] [--write FOLDER]... COMMAND [ARGUMENT]...
    qemu.py --check

As guest.py: the root is this machine's, read only, under a layer in memory that vanishes; FOLDERs are the real ones. Status
124: too slow, 125: no guest.
"""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import guest_job  # noqa: E402

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
BOOT_MODULES = ("virtio_pci", "virtiofs", "overlay")
MODULES = "esp4 esp6 xfrm_user xfrm_interface veth tun bridge vrf gcm ctr cbc hmac authenc seqiv echainiv"

INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /proc /sys /real /layer /root
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
for m in $($B cat /modules/order); do $B insmod /modules/$m; done
$B mount -t virtiofs root /real || $B poweroff -f
$B mount -t tmpfs -o size=90% layer /layer
$B mkdir /layer/upper /layer/work
$B mount -t overlay -o lowerdir=/real,upperdir=/layer/upper,workdir=/layer/work root /root
$B mount -o move /proc /root/proc
$B mount -o move /sys /root/sys
$B mount -t devtmpfs dev /root/dev
$B mkdir -p /root/dev/pts /root/dev/shm
$B mount -t devpts -o ptmxmode=666 pts /root/dev/pts
for d in dev/shm run; do $B mount -t tmpfs -o mode=1777 tmp /root/$d; done
for d in {folders}; do $B mkdir -p "/root$d" && $B mount -o bind "/real$d" "/root$d"; done
exec $B chroot /root /bin/sh {job}/main
"""

MAIN = """modprobe -qa {modules}
ip link set lo up
echo 0 >/proc/sys/kernel/printk
/bin/sh {job}/command </dev/null >{job}/output 2>&1
echo $? >{job}/status
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
"""


def version_key(path):
    return [int(n) for n in re.findall(r"\d+", path)]


def newest_kernel():
    """The newest kernel with its modules: (image, version)."""
    for image in sorted(glob.glob("/boot/vmlinuz-*-amd64"), key=version_key, reverse=True):
        version = image.removeprefix("/boot/vmlinuz-")
        if os.path.isdir("/lib/modules/" + version):
            return image, version
    return None


def missing():
    """What this machine lacks, or None."""
    for path, package in ((shutil.which("qemu-system-x86_64"), "qemu-system-x86"), (shutil.which("busybox"), "busybox-static"),
                          (shutil.which("cpio"), "cpio"), (os.path.exists(VIRTIOFSD), "qemu-system-common"),
                          (newest_kernel(), "linux-image-cloud-amd64")):
        if not path:
            return "package " + package
    return None


def initramfs(job, version, folders):
    root = job + "/initramfs"
    os.makedirs(root + "/bin")
    os.makedirs(root + "/modules")
    shutil.copy(shutil.which("busybox"), root + "/bin/busybox")
    order = []
    for module in BOOT_MODULES:
        said = subprocess.run(["modprobe", "-D", "-S", version, module], capture_output=True, text=True, check=False).stdout
        for path in re.findall(r"^insmod (\S+)", said, re.M):
            if os.path.basename(path) not in order:
                order.append(os.path.basename(path))
                shutil.copy(path, root + "/modules")
    guest_job.write(root + "/modules/order", "\n".join(order) + "\n")
    guest_job.write(root + "/init", INIT.format(job=shlex.quote(job), folders=folders))
    names = "\n".join(os.path.relpath(os.path.join(at, name), root) for at, dirs, files in os.walk(root)
                      for name in dirs + files)
    with open(job + "/initrd", "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out, check=True)


def start_files(job):
    """The server of this machine's files, when it listens."""
    path = job + "/files.socket"
    with open(job + "/files.log", "wb") as log:
        # cache=always: else each exec takes four times as long
        server = subprocess.Popen([VIRTIOFSD, "--socket-path=" + path, "-o", "source=/", "-o", "sandbox=chroot", "-o",
                                   "cache=always", "--thread-pool-size=0"], stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL)
    end = time.monotonic() + 5
    while not os.path.exists(path) and server.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    return server, path


def guest(job, options):
    image, version = newest_kernel()
    initramfs(job, version, guest_job.folders(job, options))
    guest_job.write(job + "/main", MAIN.format(job=shlex.quote(job), modules=MODULES))
    server, path = start_files(job)
    memory = "%dM" % options.memory
    try:
        with open(job + "/console", "wb") as console:
            subprocess.run(["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max", "-m",
                            memory, "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-object",
                            "memory-backend-memfd,id=mem,size=%s,share=on" % memory, "-numa", "node,memdev=mem", "-chardev",
                            "socket,id=files,path=" + path, "-device", "vhost-user-fs-pci,chardev=files,tag=root",
                            "-kernel", image, "-initrd", job + "/initrd", "-append",
                            "console=ttyS0 loglevel=3 panic=-1 mitigations=off random.trust_cpu=on"],
                           stdin=subprocess.DEVNULL, stdout=console, stderr=console, check=False, timeout=options.limit)
    except subprocess.TimeoutExpired:
        return guest_job.TOO_SLOW
    finally:
        server.terminate()
        server.wait()
    return guest_job.status(job)


def main():
    parser = guest_job.parser(limit=300)
    parser.add_argument("--check", action="store_true", help="only say whether it can run here")
    options = parser.parse_args()
    lack = missing()
    if options.check and not lack:
        return
    if lack:
        sys.exit("qemu.py: cannot run: %s is not installed" % lack)
    guest_job.run("qemu", guest, options)


if __name__ == "__main__":
    main()
