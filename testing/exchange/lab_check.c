/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"
#include "lab_auth.h"
#include "lab_private.h"
#include "sa/fragment.h"
#include "sa/kin.h"

/* What is true of an endpoint whenever nothing is being processed. */

static void lab_check_ike(const struct ike_sa *sa)
{
	const struct ike_kin *kin = sa->kin;

	/* fragments of an answer are kept only while it is waited for, and none by a shell */
	ck_assert(sa->outstanding || !fragment_held(sa, true));
	ck_assert(sa->state != IKE_STATE_CLOSED || !sa->fragments);
	/* what is kept out of line, or not copied, is so when an SA is idle */
	ck_assert(!kin || kin->successor || kin->replaced || kin->next_replaced || kin->rival || kin->reauth_old ||
		  kin->reauth_new);
	ck_assert(!sa->conf_local_id || sa->local_id.data.p == sa->conn->local_rounds[0].id.data.p);
	/* what authenticates goes with the rest of IKE_AUTH */
	ck_assert(sa->setup || !sa->keys.p_len || sa->state != IKE_STATE_ESTABLISHED);
	/* the children of a replaced IKE_SA are its successor's */
	ck_assert(!kin_successor(sa) || !sa->children);
}

static void lab_check_child(const struct lab_end *e, const struct ike_sa *sa, const struct child_sa *c)
{
	ck_assert_ptr_eq(c->ike, sa);
	/* traffic flows only with keys on both ways */
	ck_assert(c->state != CHILD_STATE_INSTALLED || (c->handle && c->spi_out));
	/* RFC 4555, 3.5: CHILD_SAs are where their IKE_SA is, unless the peer is being checked */
	if (c->handle && c->state != CHILD_STATE_INSTALLING && c->mode != IPSEC_MODE_TRANSPORT && !sa->unchecked &&
	    !e->kernel_fail_move)
		ck_assert(addr_equal(&lab_place_of(c)->local, &sa->local) && addr_equal(&lab_place_of(c)->remote, &sa->remote));
}

/* The host knows who uses which stream, and that is the one the SA is on. */
static void lab_check_streams(const struct lab_end *e)
{
	for (uint32_t s = 1; s < LAB_STREAMS; s++) {
		unsigned users = 0;

		for (size_t k = 0; k < e->n_sas; k++)
			users += e->sas[k]->remote.stream == s;
		ck_assert_uint_eq(e->streams[s], users);
	}
}

void lab_check(struct lab *lab)
{
	struct lab_end *ends[] = { &lab->a, &lab->b };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct lab_end *e = ends[i];
		unsigned with_handle = 0, with_spi = 0;

		lab_auth_check(e);
		for (size_t k = 0; k < e->n_sas; k++) {
			lab_check_ike(e->sas[k]);
			for (struct child_sa *c = e->sas[k]->children; c; c = c->next) {
				lab_check_child(e, e->sas[k], c);
				with_handle += c->handle != NULL;
				with_spi += !c->handle && c->spi_in;
			}
		}
		lab_check_streams(e);
		ck_assert_uint_eq(e->kernel_children, with_handle);
		ck_assert_uint_eq(e->kernel_spis, with_spi);
		lab_check_vips(e);
	}
	lab_check_modes(lab);
}
