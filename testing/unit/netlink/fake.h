/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_NETLINK_FAKE_H
#define BEWICK_TEST_NETLINK_FAKE_H

#include <linux/xfrm.h>

#include "netlink.h"
#include "policy_message.h"
#include "util/bytes.h"

/*
 * A kernel for tests: keeps SAs by SPI and destination, knows the errors that matter, and can be told to fail,
 * to lose answers, to run out of buffer. Its answers wait until the engine reads.
 */
#define FAKE_PORTID 4711
#define FAKE_SAS 4096

struct fake_sa {
	bool there;
	struct xfrm_usersa_info info;
	uint32_t mark_value, mark_mask;
	_Alignas(8) uint8_t replay[sizeof(struct xfrm_replay_state_esn) + XFRMA_REPLAY_ESN_MAX / 8];
	size_t replay_len;
	struct xfrm_lifetime_cur used;
	bool offloaded;
	struct xfrm_user_offload offload; /* as asked for last */
	bool encap;
	uint16_t sport, dport;
};

struct fake_policy {
	bool there;
	struct policy_key key;
	struct xfrm_userpolicy_info info;
	struct xfrm_user_tmpl tmpl;
	bool has_tmpl;
};

struct fake_kernel {
	struct fake_policy *policies;
	size_t n_policies;
	struct fake_sa *sas; /* FAKE_SAS */
	size_t n_sas;
	struct buf *answers; /* queue of what recv gives */
	size_t n_answers, first;
	/* orders */
	uint16_t fail_type; /* this type of request ... */
	unsigned fail_skip; /* ... after so many that work ... */
	int fail_error;     /* ... fails with this */
	const char *fail_text;
	bool fail_offload; /* requests for offload do */
	bool can_offload;
	uint16_t mute_type; /* requests of this type are done, but not answered */
	unsigned mute;      /* so many */
	int send_error;     /* the next send fails */
	bool overrun;       /* the next recv says ENOBUFS, what waited is gone */
	bool tell_deleted;  /* DELSA gives a notification, as to who listens */
	unsigned interrupt; /* so many dumps are interrupted */
	/* what was seen */
	unsigned sends, requests, seen[64]; /* by type - XFRM_MSG_BASE */
	struct buf log; /* "NEWSA 1000 0\n": type, SPI, error */
};

struct fake_kernel *fake_new(void);
void fake_free(struct fake_kernel *f);
struct nl_io fake_io(struct fake_kernel *f);
/* The SA with this SPI and IPv4 or IPv6 destination; NULL: none. */
struct fake_sa *fake_find(struct fake_kernel *f, uint32_t spi);
size_t fake_count(const struct fake_kernel *f);
/* An event, as multicast to everybody. */
void fake_tell(struct fake_kernel *f, uint16_t type, const void *payload, size_t n);
/* The notification that the SA was deleted, which it is not. */
void fake_tell_deleted(struct fake_kernel *f, uint32_t spi, nl_event_fn *fn, void *arg);
unsigned fake_seen(const struct fake_kernel *f, uint16_t type);

/* ---- fake_policies.c ---- */
int fake_policy_request(struct fake_kernel *f, const struct nlmsghdr *h); /* UPDPOLICY, DELPOLICY; 0 or errno */
void fake_policy_add(struct fake_kernel *f, const struct fake_policy *p);
struct fake_policy *fake_policy_find(struct fake_kernel *f, const struct policy_key *key);
size_t fake_policy_count(const struct fake_kernel *f);
size_t fake_policy_message(const struct fake_policy *p, struct nlmsghdr *h); /* as a dump tells it */

#endif
