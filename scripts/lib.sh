# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share: packages of Debian 12, the build, a few words for the terminal.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=/usr/bin/python3 # another python in PATH does not see Debian's modules

packages_build="build-essential autoconf automake libtool pkg-config libssl-dev libmnl-dev libcurl4-openssl-dev libldns-dev"
packages_demo="$packages_build iproute2 iputils-ping procps python3 openssl"
packages_check="$packages_build iproute2 iputils-ping procps python3 check libsubunit-dev xz-utils
	clang libclang-rt-14-dev llvm-14 python3-pytest python3-pytest-xdist ccache nftables iptables conntrack tcpdump util-linux
	charon-systemd strongswan-swanctl strongswan-pki libcharon-extra-plugins libstrongswan-extra-plugins
	libstrongswan-standard-plugins user-mode-linux kmod qemu-system-x86 qemu-system-common linux-image-cloud-amd64
	busybox-static cpio openiked openssl libnss3-tools libnss3 libevent-pthreads-2.1-7
	libcurl3-nss libunbound8 libldns3 libldap-2.5-0 libaudit1 libcap-ng0 dns-root-data nsd ldnsutils unbound spin
	softhsm2"

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# packages_missing NAME...: those not installed, on one line
packages_missing() {
	local name missing=""
	for name in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) in
		"install ok installed") ;;
		*) missing="$missing $name" ;;
		esac
	done
	echo "${missing# }"
}

# packages_install NAME...: installs what is missing, starts no service, says nothing when all is there.
packages_install() {
	local missing policy=/usr/sbin/policy-rc.d made="" rc=0
	command -v dpkg-query >/dev/null || {
		echo "this is no Debian: please see to it that these are there: $*" >&2
		return 0
	}
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || {
		echo "missing packages; as root: apt-get install --no-install-recommends $missing" >&2
		return 1
	}
	echo "installing $missing"
	# The peers of the tests are daemons that their packages would start at once.
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=yes
	fi
	# shellcheck disable=SC2086
	apt_quietly $missing || rc=$?
	[ -z "$made" ] || rm -f $policy
	return $rc
}

apt_quietly() {
	local log rc=0
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 </dev/null ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null ||
		{
			rc=1
			echo "apt-get install failed:" >&2
			tail -n 20 "$log" >&2
		}
	rm -f "$log"
	return $rc
}

compiler() { # compiler NAME: through ccache where there is one
	if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi
}

configure_made() {
	if [ ! -x "$top/configure" ] || [ -n "$(find "$top/configure.ac" "$top/m4/bewick.m4" \
		-newer "$top/configure" 2>/dev/null)" ]; then
		(cd "$top" && ./autogen.sh)
	fi
}

# build_in DIR [configure argument...]: configures, unless that was done with the same arguments, and makes all.
build_in() {
	local dir=$1
	shift
	mkdir -p "$dir"
	configure_made || return
	if [ ! -f "$dir/Makefile" ] || [ "$*" != "$(cat "$dir/configured-with" 2>/dev/null)" ] ||
		[ "$top/configure" -nt "$dir/Makefile" ]; then
		(cd "$dir" && "$top/configure" -q "$@") || return
		echo "$*" >"$dir/configured-with"
	fi
	make -s -C "$dir" -j "$(nproc)"
}
