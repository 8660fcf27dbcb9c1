/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_INFO_H
#define BEWICK_SA_INFO_H

#include "plugin/attributes.h"
#include "sa/ike_sa.h"

/*
 * What list-sas and the events tell of an SA, as plain values that outlive it and go to
 * other threads by mail. One allocation per IKE_SA besides the arena's chunks.
 */
struct child_info {
	const char *name;
	uint32_t id, reqid;
	enum child_state state;
	enum ipsec_mode mode;
	const struct ipsec_scope *scope; /* NULL: the usual */
	uint32_t line_id; /* of the first one of its line of rekeyings */
	const char *updown; /* NULL none */
	bool hostaccess;
	bool encap, installed, own_ke; /* installed: the group of keys from protocol on is valid */
	uint32_t spi_in, spi_out;
	struct suite suite;
	struct kernel_usage in, out;
	int64_t use_in_s, use_out_s; /* seconds since the last packet, -1 never */
	uint64_t install_s;          /* since installation */
	bool has_rekey, has_life;    /* seconds until, may be negative */
	int64_t rekey_s, life_s;
	struct ts_list local_ts, remote_ts;
};

struct ike_info {
	struct arena arena; /* owns all that pointers lead to */
	const char *name;
	uint32_t id;
	enum ike_state state;
	bool initiator;
	struct addr local, remote;
	const char *local_id, *remote_id; /* as VICI prints them */
	uint64_t spi_i, spi_r;
	bool over_tcp;
	bool nat_local, nat_remote, nat_fake;
	uint32_t if_id_in, if_id_out;
	bool has_suite;
	struct suite suite;
	uint64_t established_s; /* valid in ESTABLISHED */
	bool has_rekey, has_reauth; /* seconds until, may be negative */
	int64_t rekey_s, reauth_s;
	size_t n_queued, n_active, n_passive;
	const char **queued, **active, **passive; /* task names */
	size_t n_children;
	struct child_info *children;
	uint32_t origin_id; /* of the first one of its line of rekeyings */
	size_t n_local_vips, n_remote_vips; /* virtual addresses: given to us, to the peer */
	const struct addr *local_vips, *remote_vips;
	size_t n_attributes; /* that the peer gave us (sa/config_payload.h) */
	const struct attribute *attributes;
};

/* child NULL: with all children, else with that one only; no_children: none. */
EXPORT struct ike_info *ike_info_new(const struct ike_sa *sa, const struct child_sa *child, bool no_children);
EXPORT void ike_info_free(struct ike_info *info);

#endif
