/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_OUT_SEND_H
#define USERLAND_OUT_SEND_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "dataplane.h"
#include "pmtu.h"
#include "tun_io.h"

/* One outbound packet of a batch. */
struct out_item {
	uint8_t *inner; /* n bytes, with head- and tailroom around */
	uint32_t n;
	uint16_t next; /* of the same SA and "do not fragment" */
	uint8_t tos;
	struct bytes packet; /* when it is sealed; empty: it is not sent */
};

#define OUT_ITEM_NONE UINT16_MAX

/* What a batch has for one SA, in the order in which it is sealed and sent: first what may be fragmented, [0], then the rest, [1]. */
struct out_group {
	struct kernel_handle *child; /* one of its users */
	struct out_dest dest;
	uint16_t first[2], last[2]; /* items */
};

union out_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
};

/* A message of one or more packets (UDP_SEGMENT); those that stand one behind the other have one iovec. */
struct out_msg {
	const struct out_group *group;
	uint8_t tos;
	size_t n, size, last; /* packets; bytes of each but the last, and of that */
};

struct out_sender {
	struct lane *lane;
	struct pmtu_cache pmtus;
	int df_now[2]; /* of the IPv4, IPv6 socket; -1 unknown */
	struct mmsghdr msgs[TUN_PACKETS_MAX];
	struct out_msg about[TUN_PACKETS_MAX];
	struct iovec iov[TUN_PACKETS_MAX];
	union out_control control[TUN_PACKETS_MAX];
};

void out_sender_init(struct out_sender *s, struct lane *lane);
/* Sends what is sealed, group by group. Waits for room, but not long; what cannot be sent is counted. */
void out_sender_send(struct out_sender *s, const struct out_group *const *groups, size_t n, const struct out_item *items);

#endif
