/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_DEADLINE_H
#define BEWICK_SA_DEADLINE_H

#include "sa/ike_sa.h"

/*
 * What time brings to an IKE_SA and its CHILD_SAs. Each deadline is a field with an absolute time in ms (0: none); one timer per
 * IKE_SA runs for the first of them, so that an idle SA is not woken for nothing. Who sets a field calls ike_sa_schedule.
 */

/* Soft and hard lifetimes of an IKE_SA from its connection: rekey_ms, reauth_ms, over_ms. */
void deadline_of_ike(struct ike_sa *sa);
/* The same for a CHILD_SA that was installed: rekey_ms, life_ms, idle_ms. */
void deadline_of_child(struct child_sa *c);
/* A successor was idle as long as the one that it is to replace. */
void deadline_idle_follows(struct child_sa *c, const struct child_sa *old);
/* A limit less a random part of up to `jitter`; never below 1 unless the limit is 0 (none). */
uint64_t deadline_jitter(struct ike_sa *sa, uint64_t limit, uint64_t jitter);

#endif
