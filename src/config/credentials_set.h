/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CREDENTIALS_SET_H
#define BEWICK_CONFIG_CREDENTIALS_SET_H

#include "config/credentials.h"
#include "util/arena.h"

/* What the two files of credentials share. */

/* An authority that snapshots share: counted, immutable. */
struct shared_authority {
	atomic_uint refs;
	struct arena arena; /* the texts */
	struct authority a;
};

void shared_authority_unref(struct shared_authority *a);

/* Takes the references that are in *c, and the arrays; authorities are made from shared (taken, too). */
struct credentials *credentials_new(const struct credentials *c, struct shared_authority **shared);

#endif
