/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_SA_H
#define KERNEL_NETLINK_SA_H

#include "internal.h"

#define SA_MAX_WINDOW XFRMA_REPLAY_ESN_MAX /* bits, the kernel's limit */
#define SA_MAX_KEY 128                     /* bytes, with the salt */
#define SA_SOFT_SHARE 16                   /* of the packets that sequence numbers leave, the last part is for rekeying */

/* What a deleted SA left, for the one that takes its place. */
struct sa_state {
	uint64_t oseq, seq; /* the last number sent; the highest received */
	struct xfrm_lifetime_cur used;
	unsigned bmp_len; /* words */
	uint32_t bmp[];
};

/* What the kernel tells of an SA. */
struct sa_report {
	bool has_info;
	struct xfrm_usersa_info info; /* copied: attributes are aligned to 4 bytes only */
	const struct xfrm_replay_state_esn *replay; /* borrowed; NULL: none */
	uint64_t last_used_s;                       /* CLOCK_REALTIME, 0: not told */
	bool offloaded;
};

/* ---- sa_message.c: bytes only ---- */
/* XFRM_MSG_NEWSA; state NULL: a new one. offload: of h->offload_ifindex. */
void sa_build_new(union nl_request_buffer *b, uint32_t owner, const struct sa *sa, const struct sa_state *state,
		  bool offload);
void sa_build_id(union nl_request_buffer *b, uint16_t type, const struct sa *sa); /* GETSA, DELSA */
void sa_build_dump(union nl_request_buffer *b);
/* An XFRM_MSG_NEWSA or the notification of XFRM_MSG_DELSA. False: not such a message, or cut. */
MUST_CHECK bool sa_report_read(const struct nlmsghdr *h, struct sa_report *ret);
struct sa_state *sa_state_new(const struct sa_report *r); /* NULL: no replay data */
struct sa_state *sa_state_of_conf(const struct sa *sa);   /* of numbers preset; NULL: a new SA */
uint8_t sa_mode(enum ipsec_mode mode); /* XFRM_MODE_* */
void sa_put_addr(xfrm_address_t *to, const struct addr *a);
struct addr sa_get_addr(uint16_t family, const xfrm_address_t *a);

/* ---- sa.c: the service thread's ---- */
void sa_add(struct kernel *k, struct sa *sa, struct txn *t); /* with sa->state, which stays until sas_added */
void sas_added(struct kernel_handle *h);                     /* the transaction is over */
void sas_undo(struct kernel *k, struct kernel_handle *h); /* deletes both, as far as they are there */
/* Deletes both; `done` when the kernel has answered. */
void sas_remove(struct kernel *k, struct kernel_handle *h, nl_done_fn *done);
struct sa *sa_find(struct kernel *k, uint32_t spi, const struct addr *dst); /* dst's port does not matter */
void sa_index(struct kernel *k, struct sa *sa, bool add);
bool sas_offload(struct kernel *k, struct kernel_handle *h, struct txn *t); /* finds the device; false: t was told */

/* ---- counters.c ---- */
void counters_want(struct kernel *k, struct kernel_handle *h);
void counters_forget(struct kernel *k, struct kernel_handle *h);
void counters_ask(struct kernel *k); /* at the end of a turn */
void counters_set(struct sa *sa, const struct xfrm_lifetime_cur *used, uint64_t last_used_s);
void counters_dump(struct kernel *k); /* of all SAs; none is under way */

/* ---- move.c ---- */
struct move {
	struct mail mail;
	struct kernel *k;
	struct kernel_handle *h;
	bool to_elsewhere; /* else only delta */
	struct kernel_move where;
	uint64_t delta; /* outbound numbers jump ahead */
	struct kernel_done done;
};
/* Takes it. One that waits already is merged: its `done` is told that all is well. */
void move_want(struct kernel *k, struct move *m);
void move_begin(struct kernel *k, struct kernel_handle *h); /* the one that waits; h is not busy */
void move_cancel(struct kernel_handle *h);                  /* the one that waits, of a child that goes */

/* ---- resync.c: events were lost, or somebody else changed what is ours ---- */
void resync_sas(struct kernel *k); /* what is missing is told, what is unknown removed */
void resync_policies(struct kernel *k); /* what is missing or different is set again */
void resync_sas_seen(struct kernel *k, const struct nlmsghdr *m, const struct sa_report *r); /* one that the table of SAs has not */
void resync_sas_done(struct kernel *k);

/* ---- events.c ---- */
bool events_open(struct kernel *k, struct errtext *err);
void event_read(struct kernel *k, const struct nlmsghdr *h);

/* ---- owner.c ---- */
/* Removes our SAs of a former life and marks the SPIs of others. Before the service thread runs. */
bool owner_flush(struct kernel *k, struct errtext *err);
void owner_delete(struct kernel *k, const struct nlmsghdr *m, const struct xfrm_usersa_info *info); /* m: as a dump told it */

/* ---- service.c ---- */
void service_settle(struct kernel *k, struct kernel_handle *h); /* no longer busy: what waited comes now */

#endif
