#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command in a User-Mode Linux guest, whose kernel has ESP: kernel-netlink, and peers that need it, run there.

    guest.py [--limit SECONDS] [--memory MIB] [--write FOLDER]... COMMAND [ARGUMENT]...

The guest's root is this machine's, read only, under a layer in memory that vanishes; FOLDERs are the real ones. The command
starts in the current folder with this environment; its output and exit status become ours. Status 124: too slow, 125: no guest.
"""
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import guest_job  # noqa: E402

KERNEL = "/usr/bin/linux.uml"
# What a missing algorithm would cost otherwise: the kernel asks modprobe for each by several names, for 0.2 s and more
MODULES = """af_key esp4 esp6 xfrm_user xfrm4_tunnel xfrm6_tunnel tunnel4 tunnel6 gcm ccm ctr cbc ecb cmac hmac authenc authencesn seqiv echainiv ghash-generic
sha512_generic chacha20poly1305 chacha_generic poly1305_generic xcbc drbg jitterentropy_rng veth tun bridge ip_tables iptable_filter ip6_tables ip6table_filter
iptable_nat ip6table_nat iptable_mangle xt_MASQUERADE xt_conntrack
xt_length xt_policy xt_statistic xt_u32 xt_tcpudp xt_comment nf_conntrack nf_conntrack_netlink sch_netem sch_tbf inet_diag udp_diag""".split()

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
modprobe -d {job}/modules -qa overlay {modules}
mount -t tmpfs -o size=80% layer /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root /mnt/root
cd /mnt/root || exit
mount --move /proc proc
mount --move /sys sys
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm
mount -t devpts -o ptmxmode=666 pts dev/pts
for d in dev/shm run; do mount -t tmpfs -o mode=1777 tmp $d; done
for d in {folders}; do mkdir -p ".$d" && mount --bind "$d" ".$d"; done
ip link set lo up
echo >proc/sys/kernel/modprobe
chroot . /bin/sh {job}/command </dev/null >{job}/output 2>&1
echo $? >{job}/status
echo o >proc/sysrq-trigger
while :; do sleep 1; done
"""


def guest(job, options):
    os.makedirs(job + "/modules/lib")
    os.symlink("/usr/lib/uml/modules", job + "/modules/lib/modules")
    guest_job.write(job + "/init", INIT.format(modules=" ".join(MODULES), job=shlex.quote(job),
                                               folders=guest_job.folders(job, options)))
    with open(job + "/console", "wb") as console:
        try:
            subprocess.run([KERNEL, "rootfstype=hostfs", "rootflags=/", "rw", "init=%s/init" % job, "uml_dir=" + job,
                            "mem=%dM" % options.memory, "con0=null,fd:1", "con=null", "loglevel=3"],
                           stdin=subprocess.DEVNULL, stdout=console, stderr=console, check=False, timeout=options.limit,
                           start_new_session=True)
        except subprocess.TimeoutExpired:
            return guest_job.TOO_SLOW
    return guest_job.status(job)


def main():
    options = guest_job.parser(limit=120).parse_args()
    if not os.access(KERNEL, os.X_OK):
        sys.exit("guest.py: there is no %s: package user-mode-linux" % KERNEL)
    guest_job.run("uml", guest, options)


if __name__ == "__main__":
    main()
