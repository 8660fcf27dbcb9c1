/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_UNIT_WORKER_SIDE_H
#define BEWICK_TESTING_UNIT_WORKER_SIDE_H

#include <check.h>

#include "net/net.h"
#include "worker/worker.h"

/*
 * One endpoint: a pool of workers on random ports of 127.0.0.1 with kernel-null. Two of them in a process talk to each other:
 * one initiates to the other's NAT-T port. Nothing sleeps: what is waited for comes by mail.
 */
#define SIDE_WAIT_MS 30000 /* longer than anything takes; then the test fails */

struct side {
	struct net *net;
	struct workers *w;
	struct kernel *kernel;
	struct workers_options options;
	struct mailbox *events, *box;
	struct mail *queue; /* taken from box, not looked at yet */
	struct mail *event_queue;
};

struct side_setup {
	unsigned workers; /* 0: 1 */
	bool no_steer;
	uint16_t tcp_port; /* 0: no TCP */
	bool tcp;
	unsigned cookie_threshold, cookie_threshold_ip, block_threshold, ikesa_limit;
	bool initiator_only;
	unsigned closed_linger; /* s */
	void (*fence)(struct kernel *k, struct kernel_done done); /* of a backend that takes time, NULL: it does not */
	unsigned qcd_generations; /* of secrets, the same for all sides */
	struct auth_service *auth;
	struct config *config; /* instead of conf; taken */
};

/* conf: swanctl.conf with a %u for `port`. */
void side_start(struct side *s, const struct side_setup *setup, const char *conf, unsigned port);
void side_stop(struct side *s, unsigned limit_ms);
/* The same, but box and events can still be read; side_free then. */
void side_stop_workers(struct side *s, unsigned limit_ms);
void side_free(struct side *s);
struct config *side_config(const char *conf, unsigned port);
unsigned side_port(const struct side *s); /* NAT-T */

/* The next mail of the box, or of the events; waits for it. Free it by worker_reply_free. */
struct worker_reply *side_next(struct side *s);
struct worker_reply *side_next_event(struct side *s);

/* Begins n set-ups of a child (NULL: only IKE_SAs), each an IKE_SA of its own. */
void side_initiate(struct side *s, const char *conn, const char *child, unsigned n);
/* Waits for n ENDED; gives how many had that cause. */
unsigned side_ended(struct side *s, unsigned n, enum cause cause);
/* Both of it. */
void side_up(struct side *s, const char *conn, const char *child, unsigned n);
/* Waits until n events of a kind have come; others are passed over. */
void side_events(struct side *s, enum sa_event event, unsigned n);

struct side_list {
	unsigned sas, established, children;
};
struct side_list side_list(struct side *s, const struct worker_select *sel);
/* Terminates, waits for all answers; gives how many matched. */
unsigned side_terminate(struct side *s, const struct worker_select *sel, bool force);
struct worker_stats side_stats(struct side *s);

/* The usual configurations: of who begins (%u: the other's port), and of who answers. */
#define SIDE_CHILD(NAME, LOCAL, REMOTE) NAME " { local_ts = " LOCAL "\n remote_ts = " REMOTE "\n esp_proposals = aes128gcm16 }\n"
#define SIDE_A_WITH(IKE)                                                                                               \
	"connections { load { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.1\n remote_port = %u\n"   \
	" proposals = aes128gcm16-prfsha256-x25519\n" IKE "\n local { auth = psk\n id = a.load }\n"                    \
	" remote { auth = psk\n id = b.load }\n children { " SIDE_CHILD("net", "10.1.0.0/24", "10.2.0.0/24")           \
	"more { updown = \"a command\"\n local_ts = 10.3.0.0/24\n remote_ts = 10.4.0.0/24\n"                               \
	" esp_proposals = aes128gcm16 } } } }\nsecrets { ike { secret = \"load\" } }\n"
#define SIDE_B_NAMED(NAME, IKE)                                                                                        \
	"connections { " NAME " { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.1\n"                  \
	" proposals = aes128gcm16-prfsha256-x25519\n" IKE "\n local { auth = psk\n id = b.load }\n"                    \
	" remote { auth = psk\n id = a.load }\n children { " SIDE_CHILD("net", "10.2.0.0/24", "10.1.0.0/24")           \
	SIDE_CHILD("more", "10.4.0.0/24", "10.3.0.0/24") " } } }\nsecrets { ike { secret = \"load\" } }\n"
#define SIDE_A SIDE_A_WITH("unique = never")
#define SIDE_B SIDE_B_NAMED("gw", "unique = never")

TCase *test_authentication(void);
TCase *test_limits(void);
TCase *test_streams(void);
TCase *test_many(void);
TCase *test_pools(void);
TCase *test_rekey(void);
TCase *test_requests(void);
TCase *test_traps(void);
TCase *test_unknown(void);

#endif
