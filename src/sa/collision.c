/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/collision.h"

#include <string.h>

#include "proto/iana.h"

unsigned collision_create_child(enum ike_state ike)
{
	/* RFC 7296, 2.25.2: the request belongs on the successor, or on no IKE_SA any more */
	switch (ike) {
	case IKE_STATE_REKEYING:
	case IKE_STATE_REKEYED:
	case IKE_STATE_DELETING:
		return NOTIFY_TEMPORARY_FAILURE;
	default:
		return 0;
	}
}

unsigned collision_rekey_child(enum ike_state ike, enum child_state child)
{
	unsigned notify = collision_create_child(ike);

	if (notify)
		return notify;
	switch (child) {
	case CHILD_STATE_INSTALLED:
	case CHILD_STATE_UPDATING:
	case CHILD_STATE_REKEYING: /* RFC 7296, 2.25.1: as usual; the redundant one is closed later */
		return 0;
	case CHILD_STATE_DELETING:
	case CHILD_STATE_REKEYED: /* it is about to be closed: CHILD_SA_NOT_FOUND would make the peer set up a new one */
	case CHILD_STATE_INSTALLING:
	case CHILD_STATE_CREATED: /* the peer has it already and rekeys it before we know its SPI */
	case CHILD_STATE_RETRYING:
		return NOTIFY_TEMPORARY_FAILURE;
	default:
		/* never there, or gone */
		return NOTIFY_CHILD_SA_NOT_FOUND;
	}
}

unsigned collision_rekey_ike(enum ike_state ike, bool child_busy)
{
	switch (ike) {
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING: /* RFC 7296, 2.25.2: as usual; the redundant one is closed later */
		return child_busy ? NOTIFY_TEMPORARY_FAILURE : 0;
	default:
		return NOTIFY_TEMPORARY_FAILURE;
	}
}

/* Octet by octet; of one that begins the other the shorter is lower. */
static int collision_compare(struct bytes a, struct bytes b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static struct bytes collision_lowest(struct collision_nonces n)
{
	return collision_compare(n.i, n.r) < 0 ? n.i : n.r;
}

bool collision_ours_redundant(struct collision_nonces ours, struct collision_nonces theirs)
{
	return collision_compare(collision_lowest(ours), collision_lowest(theirs)) < 0;
}
