/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_GUARD_MARK_H
#define USERLAND_GUARD_MARK_H

#include "util/result.h"

/*
 * A mark on IPv6 packets that come from the TUN device or from this host itself, by which policies tell them from others: their
 * selectors see only where a packet goes. A table of nftables sets it, which lives as long as the socket: a daemon that crashed
 * leaves nothing, and no other program can flush it.
 */
#define GUARD_MARK 0x10000000u

struct mnl_socket;

/* NULL: err says what the kernel lacks. */
struct mnl_socket *guard_mark_open(unsigned ifindex, unsigned port, struct errtext *err);
void guard_mark_close(struct mnl_socket *s); /* NULL is fine */

#endif
