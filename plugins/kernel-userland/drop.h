/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_DROP_H
#define USERLAND_DROP_H

#include <stdatomic.h>
#include <stdint.h>

/* Why a packet was not carried; the names are what stats() gives. */
#define DROP_LIST(X)                                                                                \
	X(DROP_NONE, NULL)                                                                          \
	X(DROP_NOT_ESP, "drop-in-not-esp")           /* runt, or IKE that came to the ESP socket */ \
	X(DROP_KEEPALIVE, "in-keepalive")            /* RFC 3948, 2.3; not a fault */               \
	X(DROP_NO_SA, "drop-in-no-sa")                                                              \
	X(DROP_REPLAY, "drop-in-replay")                                                            \
	X(DROP_AUTH, "drop-in-auth-failed")                                                         \
	X(DROP_MALFORMED, "drop-in-malformed")       /* padding, next header, inner packet */       \
	X(DROP_DUMMY, "in-dummy")                    /* RFC 4303, 2.6; not a fault */               \
	X(DROP_ECN, "drop-in-ecn")                   /* RFC 6040, 4.2: congestion, not ECN-capable */ \
	X(DROP_POLICY_IN, "drop-in-policy")                                                         \
	X(DROP_TUN_WRITE, "drop-in-tun-write")                                                      \
	X(DROP_EXPIRED_IN, "drop-in-expired")        /* a hard limit was reached */                 \
	X(DROP_BAD_INNER, "drop-out-malformed")      /* from the TUN device */                      \
	X(DROP_NO_POLICY, "drop-out-no-policy")                                                     \
	X(DROP_ACQUIRE, "drop-out-acquire")          /* a trap: too many, or too long, wait for the tunnel */ \
	X(DROP_HELD, "out-held")                     /* a trap: waits for the tunnel; not a fault */ \
	X(DROP_SHUNT, "drop-out-shunt")              /* mode = drop */                              \
	X(DROP_PASS, "drop-out-pass")                /* mode = pass, but it was routed here */      \
	X(DROP_SHUNT_IN, "drop-in-shunt")            /* mode = drop: came through a tunnel */       \
	X(DROP_TOO_BIG, "drop-out-too-big")                                                         \
	X(DROP_SEQUENCE, "drop-out-sequence-exhausted")                                             \
	X(DROP_EXPIRED_OUT, "drop-out-expired")                                                     \
	X(DROP_CRYPTO, "drop-out-crypto")                                                           \
	X(DROP_SEND, "drop-out-send")

#define DROP_ENUM(SYMBOL, NAME) SYMBOL,
enum drop { DROP_LIST(DROP_ENUM) DROPS };

struct drop_counters {
	_Atomic uint64_t n[DROPS];
};

static inline void drop_count(struct drop_counters *d, enum drop why)
{
	atomic_fetch_add_explicit(&d->n[why], 1, memory_order_relaxed);
}

#endif
