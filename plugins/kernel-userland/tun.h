/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_TUN_H
#define USERLAND_TUN_H

#include <net/if.h>

#include "util/result.h"

/*
 * Makes a TUN device that lives as long as the descriptor (nonblocking), down, with a virtio_net_hdr before each packet. When `name` ends
 * in digits and is taken, the next free number is used. -1: err says what to do.
 */
int tun_open(const char *name, bool several, char ret_name[IFNAMSIZ], struct errtext *err);
/* One more queue of a device that was opened for several: packets of one flow come by one queue. -1: as above. */
int tun_open_queue(const char *name, struct errtext *err);
/* Packets may come in pieces larger than the MTU, without checksums (offload.h). Whether also of UDP: then runs of datagrams can be
 * written as well. False: the kernel has no such thing. */
bool tun_offload(int fd, bool *ret_udp);
/* Whether a TUN device could be made; err says why not. */
bool tun_probe(struct errtext *err);
/* No router solicitations, no autoconfiguration. A system without IPv6 has nothing to set. */
void tun_quiet_ipv6(const char *name);

#endif
