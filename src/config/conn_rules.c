/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn_rules.h"

#include <stdio.h>

#include "config/value.h"
#include "util/mem.h"

#define FIELD(TYPE, MEMBER) .offset = offsetof(struct TYPE, MEMBER), .size = sizeof(((struct TYPE *)0)->MEMBER)
#define CONN(MEMBER) FIELD(conn, MEMBER)
#define ROUND(MEMBER) FIELD(conn_round, MEMBER)
#define CHILD(MEMBER) FIELD(child_conf, MEMBER)

#define VALUE(NAME, SCALAR, ...) { .name = NAME, .kind = TREE_VALUE, .scalar = SCALAR, __VA_ARGS__ }
#define ENTRY(NAME, KIND, PARSE, ...) { .name = NAME, .kind = KIND, .entry = PARSE, __VA_ARGS__ }
/* Only the default, value DEFAULT, is obeyed; it needs no field. */
#define REFUSED(NAME, SCALAR, DEFAULT, WHY, ...) \
	VALUE(NAME, SCALAR, .refusal = (WHY), .obeyed = 1u << (DEFAULT), __VA_ARGS__)
/* Needs a backend that can, for other values than DEFAULT. */
#define NEEDS(NAME, SCALAR, DEFAULT, NEED, ...) \
	VALUE(NAME, SCALAR, .needs = CONN_NEEDS_##NEED, .obeyed = 1u << (DEFAULT), __VA_ARGS__)
#define REFUSED_LIST(NAME, SCALAR, WHY) \
	ENTRY(NAME, TREE_LIST, entry_refused_list, .scalar = SCALAR, .refusal = (WHY))

#define WHY_V1 "IKEv1 is not supported"
#define WHY_EAP "EAP is not supported yet"
#define WHY_PPK "post-quantum preshared keys are not supported yet"
#define WHY_MEDIATION "the mediation extension is not supported"
#define WHY_LABEL "security labels are not supported"

static const char *const words_fragmentation[] = { "yes", "accept", "no", "force", NULL };
static const char *const words_childless[] = { "allow", "never", "force", "prefer", NULL };
static const char *const words_unique[] = { "no", "replace", "keep", "never", NULL };
static const char *const words_send_cert[] = { "ifasked", "always", "never", NULL };
static const char *const words_ocsp[] = { "reply", "request", "both", "never", NULL };
static const char *const words_revocation[] = { "relaxed", "ifuri", "strict", NULL };
static const char *const words_mode[] = { "tunnel", "transport", "beet",           "pass",
					  "drop",   "iptfs",     "transport_proxy", NULL };
static const char *const words_hw_offload[] = { "no", "auto", "yes", "crypto", "packet", NULL };
static const char *const words_copy_dscp[] = { "out", "in", "yes", "no", NULL };
static const char *const words_label_mode[] = { "system", "simple", "selinux", NULL };

static const char *const words_tcp[] = { "no", "fallback", "yes", NULL };

static const struct conn_rule conn_keys[] = {
	VALUE("version", scalar_uint, .max = 2, CONN(version), .refusal = WHY_V1, .obeyed = 1 << 0 | 1 << 2),
	ENTRY("local_addrs", TREE_LIST, entry_endpoints, .offset = offsetof(struct conn, local_addrs)),
	ENTRY("remote_addrs", TREE_LIST, entry_endpoints, .offset = offsetof(struct conn, remote_addrs)),
	VALUE("local_port", scalar_uint, .max = 65535, CONN(local_port)),
	VALUE("remote_port", scalar_uint, .max = 65535, CONN(remote_port)),
	/* Ours: RFC 9329. */
	VALUE("tcp", scalar_word, .words = words_tcp, CONN(tcp)),
	VALUE("remote_tcp_port", scalar_uint, .max = 65535, CONN(remote_tcp_port)),
	ENTRY("proposals", TREE_LIST, entry_proposals, .offset = offsetof(struct conn, proposals),
	      .max = PROTOCOL_IKE),
	ENTRY("vips", TREE_LIST, entry_vips),
	REFUSED("aggressive", scalar_bool, 0, WHY_V1),
	REFUSED("pull", scalar_bool, 1, WHY_V1),
	VALUE("dscp", scalar_dscp, CONN(dscp)),
	VALUE("encap", scalar_bool, CONN(encap)),
	VALUE("mobike", scalar_bool, CONN(mobike)),
	VALUE("dpd_delay", scalar_time, CONN(dpd_delay)),
	VALUE("dpd_timeout", scalar_time, CONN(dpd_timeout)),
	VALUE("fragmentation", scalar_word, .words = words_fragmentation, CONN(fragmentation)),
	VALUE("childless", scalar_word, .words = words_childless, CONN(childless)),
	VALUE("send_certreq", scalar_bool, CONN(send_certreq)),
	VALUE("send_cert", scalar_word, .words = words_send_cert, CONN(send_cert)),
	VALUE("ocsp", scalar_word, .words = words_ocsp, CONN(ocsp)),
	REFUSED("ppk_id", scalar_id, 0, WHY_PPK),
	REFUSED("ppk_required", scalar_bool, 0, WHY_PPK),
	VALUE("keyingtries", scalar_uint, .max = INT32_MAX, CONN(keyingtries)),
	VALUE("unique", scalar_word, .words = words_unique, CONN(unique)),
	VALUE("reauth_time", scalar_time, CONN(reauth_time)),
	VALUE("rekey_time", scalar_time, CONN(rekey_time)),
	VALUE("over_time", scalar_time, CONN(over_time)),
	VALUE("rand_time", scalar_time, CONN(rand_time)),
	ENTRY("pools", TREE_LIST, entry_pools),
	ENTRY("if_id_in", TREE_VALUE, entry_if_id, CONN(if_id_in), .needs = CONN_NEEDS_SCOPE),
	ENTRY("if_id_out", TREE_VALUE, entry_if_id, CONN(if_id_out), .needs = CONN_NEEDS_SCOPE),
	REFUSED("mediation", scalar_bool, 0, WHY_MEDIATION),
	REFUSED("mediated_by", scalar_text, 0, WHY_MEDIATION),
	REFUSED("mediation_peer", scalar_id, 0, WHY_MEDIATION),
};

static const struct conn_rule round_keys[] = {
	VALUE("round", scalar_uint, .max = INT32_MAX, ROUND(round)),
	ENTRY("auth", TREE_VALUE, entry_auth),
	ENTRY("id", TREE_VALUE, entry_id, .offset = offsetof(struct conn_round, id)),
	ENTRY("certs", TREE_LIST, entry_certs, .offset = offsetof(struct conn_round, certs)),
	ENTRY("cacerts", TREE_LIST, entry_certs, .offset = offsetof(struct conn_round, cacerts)),
	ENTRY("pubkeys", TREE_LIST, entry_pubkeys),
	ENTRY("ca_id", TREE_VALUE, entry_id, .offset = offsetof(struct conn_round, ca_id)),
	REFUSED("eap_id", scalar_id, 0, WHY_EAP),
	REFUSED("aaa_id", scalar_id, 0, WHY_EAP),
	REFUSED("xauth_id", scalar_id, 0, WHY_V1),
	ENTRY("groups", TREE_LIST, entry_groups),
	ENTRY("cert_policy", TREE_LIST, entry_policies, .scalar = scalar_oid),
	VALUE("revocation", scalar_word, .words = words_revocation, ROUND(revocation)),
};

/* cert and cacert sections of a round; conn_parse.c looks at what is there. */
static const struct conn_rule cert_keys[] = {
	VALUE("file", scalar_text),
	VALUE("handle", scalar_text),
	VALUE("slot", scalar_uint, .max = UINT32_MAX),
	VALUE("module", scalar_text),
};

static const struct conn_rule child_keys[] = {
	ENTRY("esp_proposals", TREE_LIST, entry_proposals, .offset = offsetof(struct child_conf, esp),
	      .max = PROTOCOL_ESP),
	ENTRY("ah_proposals", TREE_LIST, entry_proposals, .max = PROTOCOL_AH, .refusal = "AH is not supported"),
	NEEDS("sha256_96", scalar_bool, 0, SHA256_96, CHILD(sha256_96)),
	ENTRY("local_ts", TREE_LIST, entry_selectors, .offset = offsetof(struct child_conf, local_ts)),
	ENTRY("remote_ts", TREE_LIST, entry_selectors, .offset = offsetof(struct child_conf, remote_ts)),
	VALUE("rekey_time", scalar_time, CHILD(rekey_time)),
	VALUE("life_time", scalar_time, CHILD(life_time)),
	VALUE("rand_time", scalar_time, CHILD(rand_time)),
	VALUE("rekey_bytes", scalar_size, CHILD(rekey_bytes)),
	VALUE("life_bytes", scalar_size, CHILD(life_bytes)),
	VALUE("rand_bytes", scalar_size, CHILD(rand_bytes)),
	VALUE("rekey_packets", scalar_uint, .max = INT64_MAX, CHILD(rekey_packets)),
	VALUE("life_packets", scalar_uint, .max = INT64_MAX, CHILD(life_packets)),
	VALUE("rand_packets", scalar_uint, .max = INT64_MAX, CHILD(rand_packets)),
	ENTRY("updown", TREE_VALUE, entry_updown),
	VALUE("hostaccess", scalar_bool, CHILD(hostaccess)),
	VALUE("mode", scalar_word, .words = words_mode, CHILD(mode), .refusal = "this mode is not supported",
	      .obeyed = 1 << CHILD_TUNNEL | 1 << CHILD_TRANSPORT | 1 << CHILD_BEET | 1 << CHILD_PASS |
			1 << CHILD_DROP),
	NEEDS("policies", scalar_bool, 1, SCOPE, CHILD(policies)),
	NEEDS("policies_fwd_out", scalar_bool, 0, SCOPE, CHILD(policies_fwd_out)),
	VALUE("dpd_action", scalar_action, CHILD(dpd_action)),
	REFUSED("ipcomp", scalar_bool, 0, "compression (IPComp) is not supported"),
	VALUE("inactivity", scalar_time, CHILD(inactivity)),
	VALUE("reqid", scalar_uint, .max = UINT32_MAX, CHILD(reqid)),
	VALUE("priority", scalar_uint, .max = UINT32_MAX, CHILD(priority)),
	ENTRY("interface", TREE_VALUE, entry_interface, CHILD(interface), .needs = CONN_NEEDS_SCOPE),
	ENTRY("mark_in", TREE_VALUE, entry_mark, CHILD(scope.mark_in), .needs = CONN_NEEDS_SCOPE),
	ENTRY("mark_out", TREE_VALUE, entry_mark, CHILD(scope.mark_out), .needs = CONN_NEEDS_SCOPE),
	NEEDS("mark_in_sa", scalar_bool, 0, SCOPE, CHILD(scope.mark_in_sa)),
	ENTRY("set_mark_in", TREE_VALUE, entry_mark, CHILD(scope.set_mark_in), .max = SCOPE_SAME,
	      .needs = CONN_NEEDS_SCOPE),
	ENTRY("set_mark_out", TREE_VALUE, entry_mark, CHILD(scope.set_mark_out), .max = SCOPE_SAME,
	      .needs = CONN_NEEDS_SCOPE),
	ENTRY("if_id_in", TREE_VALUE, entry_if_id, CHILD(scope.if_id_in), .needs = CONN_NEEDS_SCOPE),
	ENTRY("if_id_out", TREE_VALUE, entry_if_id, CHILD(scope.if_id_out), .needs = CONN_NEEDS_SCOPE),
	REFUSED("label", scalar_text, 0, WHY_LABEL),
	REFUSED("label_mode", scalar_word, 0, WHY_LABEL, .words = words_label_mode),
	NEEDS("tfc_padding", scalar_tfc, 0, TFC, CHILD(tfc_padding)),
	VALUE("replay_window", scalar_uint, .max = UINT32_MAX, CHILD(replay_window)),
	/* auto does without where it has to */
	VALUE("hw_offload", scalar_word, .words = words_hw_offload, CHILD(hw_offload), .needs = CONN_NEEDS_HW_OFFLOAD,
	      .obeyed = 1 << HW_OFFLOAD_NO | 1 << HW_OFFLOAD_AUTO),
	VALUE("copy_df", scalar_bool, CHILD(copy_df)),
	VALUE("copy_ecn", scalar_bool, CHILD(copy_ecn)),
	NEEDS("copy_dscp", scalar_word, COPY_DSCP_OUT, SCOPE, CHILD(copy_dscp), .words = words_copy_dscp),
	REFUSED("per_cpu_sas", scalar_per_cpu, 0, "an SA per CPU (RFC 9611) is not supported"),
	REFUSED("icmp", scalar_bool, 0, "ICMP errors from outside of the selectors are not supported"),
	VALUE("start_action", scalar_action, CHILD(start_action)),
	VALUE("close_action", scalar_action, CHILD(close_action)),
};

const struct conn_rules conn_rules_conn = { conn_keys, ARRAY_LEN(conn_keys) };
const struct conn_rules conn_rules_round = { round_keys, ARRAY_LEN(round_keys) };
const struct conn_rules conn_rules_child = { child_keys, ARRAY_LEN(child_keys) };
const struct conn_rules conn_rules_cert = { cert_keys, ARRAY_LEN(cert_keys) };

/* ---- applying them */

bool conn_fail_value(struct conn_parse *p, const char *key)
{
	errtext_set(p->err, "invalid value for: %s, config discarded", key);
	return false;
}

bool conn_fail_unsupported(struct conn_parse *p, const char *key, struct bytes value, const char *why)
{
	bool cut = value.n > 60;

	errtext_set(p->err, "unsupported: %s = %.*s%s (%s)", key, cut ? 60 : (int)value.n,
		    value.n ? (const char *)value.p : "", cut ? "..." : "", why);
	return false;
}

bool conn_fail_backend(struct conn_parse *p, const char *key, struct bytes value, const char *what)
{
	char why[96];

	snprintf(why, sizeof(why), "%s %s", p->env->backend.name ? p->env->backend.name : "the data plane in use", what);
	return conn_fail_unsupported(p, key, value, why);
}

bool conn_check_needs(struct conn_parse *p, const struct conn_rule *rule, struct bytes value)
{
	const struct conn_backend *b = &p->env->backend;
	bool has = true;

	switch (rule->needs) {
	case CONN_NEEDS_NOTHING:
		break;
	case CONN_NEEDS_SCOPE:
		has = b->scope;
		break;
	case CONN_NEEDS_HW_OFFLOAD:
		has = b->hw_offload;
		break;
	case CONN_NEEDS_TFC:
		has = b->tfc;
		break;
	case CONN_NEEDS_SHA256_96:
		has = b->sha256_96;
		break;
	}
	return has || conn_fail_backend(p, rule->name, value, "cannot do it");
}

static void rule_store(const struct conn_rule *rule, void *section, uint64_t v)
{
	void *field;

	if (!rule->size) /* it is only checked, and there may be no section */
		return;
	field = (char *)section + rule->offset;
	switch (rule->size) {
	case 1:
		*(uint8_t *)field = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)field = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)field = (uint32_t)v;
		break;
	case 8:
		*(uint64_t *)field = v;
		break;
	}
}

static bool rule_apply_scalar(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry,
			      void *section)
{
	struct bytes text = buf_bytes(&entry->value);
	uint64_t v;
	bool always;

	if (!rule->scalar(rule, text, &v))
		return conn_fail_value(p, rule->name);
	always = v <= 63 && (rule->obeyed >> v & 1);
	if (rule->refusal && !always)
		return conn_fail_unsupported(p, rule->name, text, rule->refusal);
	if (!always && !conn_check_needs(p, rule, text))
		return false;
	rule_store(rule, section, v);
	return true;
}

bool conn_rules_apply(struct conn_parse *p, const struct conn_rules *rules, const struct tree *entry,
		      void *section)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct conn_rule *rule = &rules->rules[i];

		if (rule->kind != entry->kind || strcmp(rule->name, entry->name) != 0)
			continue;
		if (entry->kind == TREE_VALUE && !value_is_printable(buf_bytes(&entry->value)))
			return conn_fail_value(p, rule->name);
		return rule->entry ? rule->entry(p, rule, entry, section)
				   : rule_apply_scalar(p, rule, entry, section);
	}
	errtext_set(p->err, "unknown option: %s, config discarded", entry->name);
	return false;
}
