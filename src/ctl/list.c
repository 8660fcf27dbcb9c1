/* SPDX-License-Identifier: Apache-2.0 */
/* What is configured: policies, pools, authorities, algorithms, counters. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>

#include "ctl/certs.h"
#include "ctl/conns.h"
#include "util/mem.h"

/* ---- list-pols ------------------------------------------------------------ */

static void put_policy(struct bytes name, struct bytes policy)
{
	ctl_put(stdout, name);
	if (ctl_has(policy, "reqid"))
		printf(", reqid %s", ctl_text(policy, "reqid"));
	printf(", %s\n", ctl_text(policy, "mode"));
	if (ctl_has(policy, "label"))
		printf("  label:  %s\n", ctl_text(policy, "label"));
	fputs("  local: ", stdout);
	ctl_put_list(stdout, policy, "local-ts");
	fputs("\n  remote:", stdout);
	ctl_put_list(stdout, policy, "remote-ts");
	putchar('\n');
}

static void policy_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct vici_parser p = vici_parser_of(ctl_bytes(m));
	struct vici_entry e;

	if (ctl_raw_event(arg, event, ctl_bytes(m)))
		return;
	while (vici_next_entry(&p, &e)) {
		if (e.kind == VICI_SECTION_START)
			put_policy(e.name, e.value);
	}
}

static int run_list_pols(struct ctl *ctl)
{
	static const char *const kinds[] = { "trap", "drop", "pass" };
	struct bewick_vici_message *m = bewick_vici_message_new();
	bool all = true;

	for (int i = 0; i < 3; i++)
		all = all && !ctl_flag(ctl, kinds[i]);
	ctl_add_opt(ctl, m, "child");
	for (int i = 0; i < 3; i++) {
		if (all || ctl_flag(ctl, kinds[i]))
			bewick_vici_str(m, kinds[i], "yes");
	}
	return ctl_stream(ctl, "list-policies", "list-policy", policy_event, m);
}

/* ---- list-authorities ----------------------------------------------------- */

static void put_uris(const char *label, struct bytes authority, const char *list)
{
	struct vici_parser p;
	struct vici_entry e;
	struct bytes items;

	if (!vici_find(authority, VICI_LIST_START, list, &items))
		return;
	for (p = vici_parser_of_list(items); vici_next_entry(&p, &e); label = "") {
		printf("  %-10s ", label);
		ctl_put(stdout, e.value);
		putchar('\n');
	}
}

static void authority_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct vici_parser p = vici_parser_of(ctl_bytes(m));
	struct vici_entry e;

	if (ctl_raw(arg, "list-authorities event", ctl_bytes(m)))
		return;
	while (vici_next_entry(&p, &e)) {
		if (e.kind != VICI_SECTION_START)
			continue;
		ctl_put(stdout, e.name);
		printf(":\n  cacert: %s\n", ctl_text(e.value, "cacert"));
		put_uris("crl_uris:", e.value, "crl_uris");
		put_uris("ocsp_uris:", e.value, "ocsp_uris");
		if (ctl_has(e.value, "cert_uri_base"))
			printf("  cert_uri_base: %s\n", ctl_text(e.value, "cert_uri_base"));
	}
}

static int run_list_authorities(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "name");
	return ctl_stream(ctl, "list-authorities", "list-authority", authority_event, m);
}

/* ---- list-pools ----------------------------------------------------------- */

static void put_leases(struct bytes leases)
{
	struct vici_parser p = vici_parser_of(leases);
	struct vici_entry e;

	while (vici_next_entry(&p, &e)) {
		if (e.kind == VICI_SECTION_START)
			printf("  %-30s %-8s '%s'\n", ctl_text(e.value, "address"),
			       ctl_text(e.value, "status"), ctl_text(e.value, "identity"));
	}
}

/* A message holds some thousands of leases: our daemon says where the next one begins. */
static void put_more_leases(struct ctl *ctl, struct bytes name, const char *from)
{
	char *pool = xstrndup((const char *)name.p, name.n), *next = xstrdup(from);

	while (next) {
		struct bewick_vici_message *m = bewick_vici_message_new(), *reply;
		struct bytes section = BYTES_NONE, leases;

		bewick_vici_str(m, "leases", "yes");
		bewick_vici_str(m, "name", pool);
		bewick_vici_str(m, "from", next);
		free(next);
		next = NULL;
		if (ctl_call(ctl, "get-pools", m, &reply) == 0) {
			if (vici_find(ctl_bytes(reply), VICI_SECTION_START, pool, &section) &&
			    vici_find(section, VICI_SECTION_START, "leases", &leases)) {
				put_leases(leases);
				next = leases.n ? vici_find_str(section, "leases-next") : NULL;
			}
			bewick_vici_message_free(reply);
		}
		bewick_vici_message_free(m);
	}
	free(pool);
}

static void put_pools(struct ctl *ctl, struct bytes pools)
{
	struct vici_parser p = vici_parser_of(pools);
	struct vici_entry e;
	struct bytes leases;
	char usage[64];

	while (vici_next_entry(&p, &e)) {
		if (e.kind != VICI_SECTION_START)
			continue;
		snprintf(usage, sizeof(usage), "%s / %s / %s", ctl_text(e.value, "online"),
			 ctl_text(e.value, "offline"), ctl_text(e.value, "size"));
		printf("%-20.*s %-30s %16s\n", (int)e.name.n, e.name.n ? (const char *)e.name.p : "",
		       ctl_text(e.value, "base"), usage);
		if (vici_find(e.value, VICI_SECTION_START, "leases", &leases))
			put_leases(leases);
		if (ctl_has(e.value, "leases-next"))
			put_more_leases(ctl, e.name, ctl_text(e.value, "leases-next"));
	}
}

static int run_list_pools(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new(), *reply;
	int ret;

	ctl_add_flag(ctl, m, "leases");
	ctl_add_opt(ctl, m, "name");
	ret = ctl_call(ctl, "get-pools", m, &reply);
	bewick_vici_message_free(m);
	if (ret)
		return ret;
	if (!ctl_raw_reply(ctl, "get-pools", ctl_bytes(reply)))
		put_pools(ctl, ctl_bytes(reply));
	bewick_vici_message_free(reply);
	return 0;
}

/* ---- list-algs ------------------------------------------------------------ */

static void put_algs(struct bytes kinds)
{
	struct vici_parser p = vici_parser_of(kinds), algs;
	struct vici_entry kind, alg;

	while (vici_next_entry(&p, &kind)) {
		if (kind.kind != VICI_SECTION_START)
			continue;
		ctl_put(stdout, kind.name);
		fputs(":\n", stdout);
		for (algs = vici_parser_of(kind.value); vici_next_entry(&algs, &alg);) {
			fputs("  ", stdout);
			ctl_put(stdout, alg.name);
			putchar('[');
			ctl_put(stdout, alg.value);
			fputs("]\n", stdout);
		}
	}
}

static int run_list_algs(struct ctl *ctl)
{
	struct bewick_vici_message *reply;
	int ret = ctl_call(ctl, "get-algorithms", NULL, &reply);

	if (ret)
		return ret;
	if (!ctl_raw_reply(ctl, "get-algorithms", ctl_bytes(reply)))
		put_algs(ctl_bytes(reply));
	bewick_vici_message_free(reply);
	return 0;
}

/* ---- counters ------------------------------------------------------------- */

static void put_counters(struct bytes counters)
{
	struct vici_parser p = vici_parser_of(counters), values;
	struct vici_entry conn, value;

	while (vici_next_entry(&p, &conn)) {
		if (conn.kind != VICI_SECTION_START)
			continue;
		if (conn.name.n)
			ctl_put(stdout, conn.name);
		else
			fputs("global", stdout);
		fputs(":\n", stdout);
		for (values = vici_parser_of(conn.value); vici_next_entry(&values, &value);) {
			printf("  %-22.*s: ", (int)value.name.n, (const char *)value.name.p);
			ctl_put(stdout, value.value);
			putchar('\n');
		}
	}
}

static int counters_get(struct ctl *ctl, struct bewick_vici_message *m)
{
	struct bewick_vici_message *reply;
	struct bytes counters;
	char *errmsg;
	int ret = ctl_call(ctl, "get-counters", m, &reply);

	bewick_vici_message_free(m);
	if (ret)
		return ret;
	if (!ctl_raw(ctl, "counters reply", ctl_bytes(reply))) {
		errmsg = ctl_errmsg(ctl_bytes(reply));
		if (errmsg) {
			fprintf(stderr, "get-counters failed: %s\n", errmsg);
			ret = 1;
		} else if (vici_find(ctl_bytes(reply), VICI_SECTION_START, "counters", &counters)) {
			put_counters(counters);
		}
		free(errmsg);
	}
	bewick_vici_message_free(reply);
	return ret;
}

static int run_counters(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "name");
	ctl_add_flag(ctl, m, "all");
	if (ctl_flag(ctl, "reset"))
		return ctl_command(ctl, "reset-counters", m, "reset-counters", false);
	return counters_get(ctl, m);
}

const struct ctl_verb ctl_verbs_list[] = {
	{ "list-pols", 'P', "list installed policies", false, run_list_pols,
	  { { "child", 'c', "name", "only of this CHILD_SA configuration" },
	    { "trap", 't', NULL, "trap policies" },
	    { "drop", 'd', NULL, "drop policies" },
	    { "pass", 'p', NULL, "pass policies" } } },
	{ "list-authorities", 'B', "list certification authorities", false, run_list_authorities,
	  { { "name", 'n', "name", "only of this name" } } },
	{ "list-conns", 'L', "list loaded connections", false, run_list_conns },
	{ "list-certs", 'x', "list certificates", false, run_list_certs,
	  { { "subject", 's', "dn", "only of this identity" },
	    { "type", 't', "type", "only of this type" },
	    { "flag", 'f', "flag", "X.509 certificates with this flag" },
	    { "pem", 'p', NULL, "as PEM" },
	    { "short", 'S', NULL, "without flags, URIs and the like" },
	    { "utc", 'U', NULL, "times in UTC" } } },
	{ "list-pools", 'A', "list address pools", false, run_list_pools,
	  { { "leases", 'l', NULL, "with their leases" },
	    { "name", 'n', "name", "only of this name" } } },
	{ "list-algs", 'g', "list the daemon's algorithms", false, run_list_algs },
	{ "counters", 'C', "show or reset counters", false, run_counters,
	  { { "name", 'n', "name", "of this connection" },
	    { "all", 'a', NULL, "of all connections" },
	    { "reset", 'R', NULL, "reset instead of showing" } } },
	{ 0 },
};
