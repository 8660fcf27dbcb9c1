/* SPDX-License-Identifier: Apache-2.0 */
#include "tun.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_PATH "/dev/net/tun"
#define TUN_TRIES 100

static int tun_open_path(struct errtext *err)
{
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	errtext_set(err, "cannot open %s: %s (%s)", TUN_PATH, strerror(errno),
		    errno == ENOENT || errno == ENODEV ? "load the kernel module tun" :
							 "its permissions or the sandbox forbid it");
	return -1;
}

/* 0, or errno. */
static int tun_attach(int fd, const char *name, unsigned flags, char ret_name[IFNAMSIZ])
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | flags) };

	if (strlen(name) >= IFNAMSIZ)
		return ENAMETOOLONG;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return errno;
	memcpy(ret_name, ifr.ifr_name, IFNAMSIZ);
	ret_name[IFNAMSIZ - 1] = 0;
	return 0;
}

static void tun_attach_error(const char *name, int e, struct errtext *err)
{
	const char *hint = e == EPERM ? " (CAP_NET_ADMIN is needed)" : e == EBUSY ? " (the name is taken)" : "";

	errtext_set(err, "cannot make the TUN device %s: %s%s", name, strerror(e), hint);
}

bool tun_offload(int fd, bool *ret_udp)
{
	unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	*ret_udp = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	return *ret_udp || ioctl(fd, TUNSETOFFLOAD, tcp) == 0;
}

int tun_open(const char *name, bool several, char ret_name[IFNAMSIZ], struct errtext *err)
{
	unsigned flags = IFF_TUN_EXCL | (several ? IFF_MULTI_QUEUE : 0);
	size_t stem = strlen(name);
	unsigned long number;
	char next[IFNAMSIZ];
	int fd, e = EBUSY;

	fd = tun_open_path(err);
	if (fd < 0)
		return -1;
	while (stem > 0 && isdigit((unsigned char)name[stem - 1]))
		stem--;
	number = strtoul(name + stem, NULL, 10);
	if (stem >= IFNAMSIZ)
		e = ENAMETOOLONG;
	else if (!name[stem])
		e = tun_attach(fd, name, flags, ret_name);
	for (unsigned long i = 0; name[stem] && stem < IFNAMSIZ && i < TUN_TRIES && e == EBUSY; i++) {
		int n = snprintf(next, sizeof(next), "%.*s%lu", (int)stem, name, number + i);

		e = n < (int)sizeof(next) ? tun_attach(fd, next, flags, ret_name) : ENAMETOOLONG;
	}
	if (e == 0)
		return fd;
	tun_attach_error(name, e, err);
	close(fd);
	return -1;
}

int tun_open_queue(const char *name, struct errtext *err)
{
	char same[IFNAMSIZ];
	int fd = tun_open_path(err), e;

	if (fd < 0)
		return -1;
	e = tun_attach(fd, name, IFF_MULTI_QUEUE, same);
	if (e == 0)
		return fd;
	errtext_set(err, "cannot open another queue of %s: %s", name, strerror(e));
	close(fd);
	return -1;
}

bool tun_probe(struct errtext *err)
{
	char name[IFNAMSIZ];
	int fd = tun_open_path(err), e;

	if (fd < 0)
		return false;
	e = tun_attach(fd, "bwprobe%d", IFF_TUN_EXCL, name);
	if (e)
		tun_attach_error("for a trial", e, err);
	close(fd);
	return e == 0;
}

static void tun_sysctl(const char *name, const char *key, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

void tun_quiet_ipv6(const char *name)
{
	tun_sysctl(name, "accept_ra", "0");
	tun_sysctl(name, "accept_dad", "0");
	tun_sysctl(name, "dad_transmits", "0");
	tun_sysctl(name, "router_solicitations", "0");
	tun_sysctl(name, "autoconf", "0");
}
