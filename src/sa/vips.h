/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_VIPS_H
#define BEWICK_SA_VIPS_H

#include "sa/ike_sa.h"

/*
 * Virtual addresses (RFC 7296, 2.19): those that a gateway gave us, on an interface, or those that we gave a client, out of pools.
 * They belong to the IKE_SA from IKE_AUTH on and pass to the one that follows it; what an IKE_SA has goes when it ends or is CLOSED, after
 * its children.
 */
struct sa_vip {
	struct addr addr;
	union {
		struct lease lease; /* the client's */
		struct {
			struct addr local; /* the outer address that it was installed with */
			uint32_t if_id;
			bool installed;
		} own;
	};
};

struct sa_vips {
	bool ours; /* given to us */
	size_t n;  /* at least one */
	struct sa_vip list[];
};

/* All of this side's (ours), or of the peer's, at most LIMIT_VIPS. */
EXPORT size_t vips_addrs(const struct ike_sa *sa, bool ours, struct addr ret[LIMIT_VIPS]);
/* `sa` goes on in the place of `old`. */
void vips_pass(struct ike_sa *old, struct ike_sa *sa);
/* Gives them back, or takes them from their interface. */
void vips_free(struct ike_sa *sa);

/* ---- selectors: what "dynamic" stands for ---- */
/* Ours; before the gateway has answered: any address of the families that are asked for. */
struct ts_list vips_local_ts(struct ike_sa *sa, struct ts_list conf);
struct ts_list vips_remote_ts(struct ike_sa *sa, struct ts_list conf);
/* Within what the peer accepted, what is ours: the answer to a request that was made without knowing the address. */
struct ts_list vips_narrow_answer(struct ike_sa *sa, struct ts_list conf, struct ts_list answer);
/* Something of it is "dynamic". */
bool vips_are_needed(struct ts_list conf);
/* We asked for an address, have none, and the child needs one. */
bool vips_are_missing(const struct ike_sa *sa, const struct child_conf *conf);
/* A packet met a trap with our outer address, where the virtual one will be. */
void vips_acquire(const struct ike_sa *sa, struct child_acquire *acquire);

/* ---- configuration payloads; attrs has room for LIMIT_VIPS more ---- */
/* Client: what is asked for. */
size_t vips_put_request(struct ike_sa *sa, struct cp_attribute *attrs);
/* Client: of a CFG_REPLY (NULL: none came) with what was asked for. Those that it had and is not given any more go. */
void vips_take_reply(struct ike_sa *sa, const struct payload_cp *cp);
/* Gateway: a lease for each address that is asked for, as far as there are some. cp NULL: no CFG_REQUEST. */
void vips_take_request(struct ike_sa *sa, const struct payload_cp *cp);
size_t vips_put_reply(struct ike_sa *sa, struct cp_attribute *attrs);
/* Gateway: why the client can have no CHILD_SA, and the notify that says so; NULL: it can. */
const char *vips_refusal(const struct ike_sa *sa, unsigned *ret_notify);

/* ---- among the files of it ---- */
void vip_uninstall(struct ike_sa *sa, struct sa_vip *vip);
void vip_give_back(struct ike_sa *sa, struct sa_vip *vip);
struct sa_vips *vips_new(bool ours); /* with room for LIMIT_VIPS */
/* Puts it into its place, cut to size; an empty one is freed. */
void vips_set(struct ike_sa *sa, struct sa_vips *v);
/* The address in an attribute, any if it has none; false: it is about something else. */
bool vip_parse(const struct cp_attribute *attr, struct addr *ret);
struct cp_attribute vip_attribute(struct ike_sa *sa, const struct addr *a); /* the value in the message's arena */

#endif
