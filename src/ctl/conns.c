/* SPDX-License-Identifier: Apache-2.0 */
/* list-conns */
#include "ctl/conns.h"

#include "util/mem.h"

static void put_addrs(struct bytes conn, const char *label, const char *list, const char *port)
{
	struct vici_parser p;
	struct vici_entry e;
	struct bytes items;

	if (!vici_find(conn, VICI_LIST_START, list, &items))
		return;
	for (p = vici_parser_of_list(items); vici_next_entry(&p, &e);) {
		printf("  %-7s ", label);
		ctl_put(stdout, e.value);
		if (ctl_has(conn, port))
			printf("[%s]", ctl_text(conn, port));
		putchar('\n');
	}
}

/* ---- authentication rounds ------------------------------------------------ */

static void put_class(struct bytes round)
{
	if (ctl_has(round, "eap-type")) {
		fputs(ctl_text(round, "eap-type"), stdout);
		if (ctl_has(round, "eap-vendor"))
			printf("-%s", ctl_text(round, "eap-vendor"));
	} else {
		fputs(ctl_has(round, "class") ? ctl_text(round, "class") : "unspecified", stdout);
	}
}

static void put_round_list(struct bytes round, const char *list, const char *label, bool lines)
{
	struct vici_parser p;
	struct vici_entry e;
	struct bytes items;

	if (!ctl_list_len(round, list) || !vici_find(round, VICI_LIST_START, list, &items))
		return;
	if (!lines) {
		printf("    %s:", label);
		ctl_put_list(stdout, round, list);
		putchar('\n');
		return;
	}
	for (p = vici_parser_of_list(items); vici_next_entry(&p, &e);) {
		printf("    %s: ", label); /* subjects hold blanks: a line each */
		ctl_put(stdout, e.value);
		putchar('\n');
	}
}

static void put_round(const char *side, struct bytes round)
{
	static const char *const ids[] = { "id", "ca_id", "aaa_id", "eap_id", "xauth_id" };

	printf("  %s ", side);
	put_class(round);
	fputs(" authentication:\n", stdout);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		if (ctl_has(round, ids[i]))
			printf("    %s: %s\n", ids[i], ctl_text(round, ids[i]));
	}
	put_round_list(round, "groups", "groups", false);
	put_round_list(round, "cert_policy", "cert policy", false);
	put_round_list(round, "certs", "certs", true);
	put_round_list(round, "cacerts", "cacerts", true);
}

static bool bytes_begin(struct bytes text, const char *prefix)
{
	return text.n >= strlen(prefix) && memcmp(text.p, prefix, strlen(prefix)) == 0;
}

static void put_rounds(struct bytes conn, const char *side, const char *prefix)
{
	struct vici_parser p = vici_parser_of(conn);
	struct vici_entry e;

	while (vici_next_entry(&p, &e)) {
		if (e.kind == VICI_SECTION_START && bytes_begin(e.name, prefix))
			put_round(side, e.value);
	}
}

/* ---- children ------------------------------------------------------------- */

static void put_child_rekeying(struct bytes child)
{
	static const struct { const char *key, *unit; } limits[] = {
		{ "rekey_time", "s" }, { "rekey_bytes", " bytes" }, { "rekey_packets", " packets" },
	};
	const char *mode = ctl_text(child, "mode"), *before = ", rekeying every ";
	bool shunt = strcmp(mode, "PASS") == 0 || strcmp(mode, "DROP") == 0, any = false;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		if (shunt || vici_find_int(child, limits[i].key, 0) == 0)
			continue;
		printf("%s%s%s", before, ctl_text(child, limits[i].key), limits[i].unit);
		before = " or ";
		any = true;
	}
	if (!any)
		fputs(", no rekeying", stdout);
}

static void put_child(struct bytes name, struct bytes child, bool dpd)
{
	static const char *const extras[] = { "label", "priority", "interface" };

	fputs("  ", stdout);
	ctl_put(stdout, name);
	printf(": %s", ctl_text(child, "mode"));
	put_child_rekeying(child);
	if (dpd)
		printf(", dpd action is %s", ctl_text(child, "dpd_action"));
	fputs("\n    local: ", stdout);
	ctl_put_list(stdout, child, "local-ts");
	fputs("\n    remote:", stdout);
	ctl_put_list(stdout, child, "remote-ts");
	putchar('\n');
	for (size_t i = 0; i < ARRAY_LEN(extras); i++) {
		if (ctl_has(child, extras[i]))
			printf("    %s: %s\n", extras[i], ctl_text(child, extras[i]));
	}
}

/* ---- connections ---------------------------------------------------------- */

static void put_interval(struct bytes conn, const char *what, const char *verb, const char *key)
{
	if (vici_find_int(conn, key, 0) == 0)
		printf(", no %s", what);
	else
		printf(", %s every %ss", verb, ctl_text(conn, key));
}

static void put_conn(struct bytes name, struct bytes conn)
{
	bool dpd = vici_find_int(conn, "dpd_delay", 0) != 0;
	struct vici_parser p;
	struct vici_entry e;
	struct bytes children;

	ctl_put(stdout, name);
	printf(": %s", ctl_text(conn, "version"));
	put_interval(conn, "reauthentication", "reauthentication", "reauth_time");
	put_interval(conn, "rekeying", "rekeying", "rekey_time");
	if (dpd)
		printf(", dpd delay %ss", ctl_text(conn, "dpd_delay"));
	putchar('\n');
	if (ctl_has(conn, "ppk_id"))
		printf("  ppk: %s%s\n", ctl_text(conn, "ppk_id"),
		       vici_find_bool(conn, "ppk_required", false) ? ", required" : "");
	put_addrs(conn, "local:", "local_addrs", "local_port");
	put_addrs(conn, "remote:", "remote_addrs", "remote_port");
	put_rounds(conn, "local", "local");
	put_rounds(conn, "remote", "remote");
	if (!vici_find(conn, VICI_SECTION_START, "children", &children))
		return;
	for (p = vici_parser_of(children); vici_next_entry(&p, &e);) {
		if (e.kind == VICI_SECTION_START)
			put_child(e.name, e.value, dpd);
	}
}

static void conn_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct vici_parser p = vici_parser_of(ctl_bytes(m));
	struct vici_entry e;

	if (ctl_raw_event(arg, event, ctl_bytes(m)))
		return;
	while (vici_next_entry(&p, &e)) {
		if (e.kind == VICI_SECTION_START)
			put_conn(e.name, e.value);
	}
}

int run_list_conns(struct ctl *ctl)
{
	return ctl_stream(ctl, "list-conns", "list-conn", conn_event, NULL);
}
