/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_IPSEC_H
#define BEWICK_PROTO_IPSEC_H

#include <stdbool.h>
#include <stdint.h>

/* How a CHILD_SA treats packets, as it is configured and as backends are asked for it. */

enum ipsec_mode { IPSEC_MODE_TUNNEL, IPSEC_MODE_TRANSPORT, IPSEC_MODE_BEET, IPSEC_MODE_PASS, IPSEC_MODE_DROP };

/* Of packets that a policy or SA applies to; mask 0: any. */
struct ipsec_mark {
	uint32_t value, mask;
};

/* Who encrypts: the CPU, a device where it can, or a device that must. CRYPTO: only the cipher; PACKET: all of ESP. */
enum hw_offload { HW_OFFLOAD_NO, HW_OFFLOAD_AUTO, HW_OFFLOAD_YES, HW_OFFLOAD_CRYPTO, HW_OFFLOAD_PACKET };

/* Whether the traffic class of the inner header becomes that of the outer one, and back (RFC 2983). */
enum copy_dscp { COPY_DSCP_OUT, COPY_DSCP_IN, COPY_DSCP_YES, COPY_DSCP_NO };

/* What a child's packets are told apart by, and what becomes of them: of both directions and of policies. All 0: the usual. */
struct ipsec_scope {
	struct ipsec_mark mark_in, mark_out;
	bool mark_in_sa;                           /* mark_in is the inbound SA's, too */
	struct ipsec_mark set_mark_in, set_mark_out; /* given to packets that were processed */
	uint32_t if_id_in, if_id_out;              /* XFRM interfaces: no routes then */
	const char *interface;                     /* policies apply to this device alone; NULL any */
};

/*
 * A virtual address of ours has this, with the IKE port below it, as the metric that its network's route would have: the kernel keeps
 * it (Linux 4.18), single addresses have no such route, and so it tells whose the address is, of a daemon that was killed, too.
 */
#define VIP_METRIC 0x42570000u /* "BW" */
#define VIP_METRIC_MASK 0xffff0000u

#endif
