/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_CONFIG_PAYLOAD_H
#define BEWICK_SA_CONFIG_PAYLOAD_H

#include "plugin/attributes.h"
#include "sa/ike_sa.h"
#include "wire/builder.h"

/*
 * Configuration payloads in IKE_AUTH (RFC 7296, 2.19): a client asks for virtual addresses (sa/vips.h) and for what its plugins can
 * handle, a gateway answers with addresses and attributes of its pools and with what its plugins provide.
 */

/* What a gateway gave us: immutable, shared by an IKE_SA and its successors, on one thread. */
struct sa_attributes {
	unsigned refs;
	size_t count;
	struct attribute list[]; /* the values behind them */
};

void sa_attributes_unref(struct sa_attributes *a); /* NULL is fine */
/* A successor has what the old one was given. */
void config_payload_inherit(struct ike_sa *sa, const struct ike_sa *old);

/* Initiator: the request, if there is something to ask for; responder: the reply, if it was asked. */
void config_payload_build(struct ike_sa *sa, struct builder *b);
/* The peer's side of the same. */
void config_payload_take(struct ike_sa *sa, const struct payload_list *in);

#endif
