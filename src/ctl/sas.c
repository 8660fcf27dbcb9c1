/* SPDX-License-Identifier: Apache-2.0 */
/* What is up: list-sas and monitor-sa. */
#include "ctl/ctl.h"

#include <stdlib.h>

#include "util/mem.h"

/* "-size" behind an algorithm of variable key length. */
static void put_alg(struct bytes sa, const char *before, const char *alg, const char *size)
{
	if (!ctl_has(sa, alg))
		return;
	printf("%s%s", before, ctl_text(sa, alg));
	if (ctl_has(sa, size))
		printf("-%s", ctl_text(sa, size));
}

static void put_key_exchanges(struct bytes sa)
{
	char name[16];

	if (ctl_has(sa, "dh-group"))
		printf("/%s", ctl_text(sa, "dh-group"));
	for (int i = 1; i <= 7; i++) {
		snprintf(name, sizeof(name), "ake%d", i);
		if (ctl_has(sa, name))
			printf("/KE%d_%s", i, ctl_text(sa, name));
	}
}

static void put_seconds(struct bytes sa, const char *format, const char *key)
{
	if (!ctl_has(sa, key))
		return;
	fputs(format, stdout);
	printf("%ss", ctl_text(sa, key));
}

/* ---- CHILD_SA ------------------------------------------------------------- */

/* "0000002a" is shown as 0x2a */
static void put_hex(struct bytes sa, const char *key)
{
	const char *text = ctl_text(sa, key);

	while (text[0] == '0' && text[1])
		text++;
	printf("0x%s", text);
}

static void put_marks(struct bytes sa, const char *mark, const char *mask, const char *if_id)
{
	if (!ctl_has(sa, mark) && !ctl_has(sa, if_id))
		return;
	fputs(" (", stdout);
	if (ctl_has(sa, mark)) {
		put_hex(sa, mark);
		if (ctl_has(sa, mask)) {
			putchar('/');
			put_hex(sa, mask);
		}
	} else {
		putchar('-');
	}
	if (ctl_has(sa, if_id)) {
		putchar('|');
		put_hex(sa, if_id);
	}
	putchar(')');
}

struct traffic_keys {
	const char *label, *spi, *cpi, *mark, *mask, *if_id, *bytes, *packets, *use;
};

static void put_traffic(struct bytes sa, const struct traffic_keys *k)
{
	printf("    %-3s %s", k->label, ctl_text(sa, k->spi));
	if (ctl_has(sa, k->cpi))
		printf("/%s", ctl_text(sa, k->cpi));
	put_marks(sa, k->mark, k->mask, k->if_id);
	printf(", %6s bytes, %5s packets", ctl_text(sa, k->bytes), ctl_text(sa, k->packets));
	if (ctl_has(sa, k->use))
		printf(", %5ss ago", ctl_text(sa, k->use));
	putchar('\n');
}

static void put_installed(struct bytes sa)
{
	static const struct traffic_keys in = { "in", "spi-in", "cpi-in", "mark-in", "mark-mask-in",
						"if-id-in", "bytes-in", "packets-in", "use-in" };
	static const struct traffic_keys out = { "out", "spi-out", "cpi-out", "mark-out",
						 "mark-mask-out", "if-id-out", "bytes-out",
						 "packets-out", "use-out" };

	printf("    installed %ss ago", ctl_text(sa, "install-time"));
	put_seconds(sa, ", rekeying in ", "rekey-time");
	put_seconds(sa, ", expires in ", "life-time");
	putchar('\n');
	put_traffic(sa, &in);
	put_traffic(sa, &out);
}

static void put_protocol(struct bytes sa)
{
	if (!ctl_has(sa, "protocol"))
		return; /* not that far yet */
	printf(", %s:", ctl_text(sa, "protocol"));
	put_alg(sa, "", "encr-alg", "encr-keysize");
	put_alg(sa, ctl_has(sa, "encr-alg") ? "/" : "", "integ-alg", "integ-keysize");
	put_key_exchanges(sa);
	if (ctl_has(sa, "esn"))
		fputs("/ESN", stdout);
}

static void put_child_sa(struct bytes sa)
{
	printf("  %s: #%s, reqid %s", ctl_text(sa, "name"), ctl_text(sa, "uniqueid"),
	       ctl_text(sa, "reqid"));
	if (ctl_has(sa, "cpu"))
		printf(", cpu %s", ctl_text(sa, "cpu"));
	printf(", %s, %s%s", ctl_text(sa, "state"), ctl_text(sa, "mode"),
	       vici_find_bool(sa, "encap", false) ? "-in-UDP" : "");
	put_protocol(sa);
	putchar('\n');
	if (ctl_has(sa, "install-time"))
		put_installed(sa);
	if (ctl_has(sa, "label"))
		printf("    label  %s\n", ctl_text(sa, "label"));
	fputs("    local ", stdout);
	ctl_put_list(stdout, sa, "local-ts");
	fputs("\n    remote", stdout);
	ctl_put_list(stdout, sa, "remote-ts");
	putchar('\n');
}

/* ---- IKE_SA --------------------------------------------------------------- */

static void put_vips(struct bytes sa, const char *list)
{
	struct vici_parser p;
	struct vici_entry e;
	struct bytes items;
	const char *before = " [";

	if (!ctl_list_len(sa, list) || !vici_find(sa, VICI_LIST_START, list, &items))
		return;
	for (p = vici_parser_of_list(items); vici_next_entry(&p, &e); before = " ") {
		fputs(before, stdout);
		ctl_put(stdout, e.value);
	}
	putchar(']');
}

static void put_ends(struct bytes sa)
{
	printf("  local  '%s' @ %s[%s]", ctl_text(sa, "local-id"), ctl_text(sa, "local-host"),
	       ctl_text(sa, "local-port"));
	put_vips(sa, "local-vips");
	printf("\n  remote '%s' @ %s[%s]", ctl_text(sa, "remote-id"), ctl_text(sa, "remote-host"),
	       ctl_text(sa, "remote-port"));
	if (ctl_has(sa, "remote-eap-id"))
		printf(" EAP: '%s'", ctl_text(sa, "remote-eap-id"));
	if (ctl_has(sa, "remote-xauth-id"))
		printf(" XAuth: '%s'", ctl_text(sa, "remote-xauth-id"));
	put_vips(sa, "remote-vips");
	putchar('\n');
}

static void put_algorithms(struct bytes sa)
{
	if (!ctl_has(sa, "encr-alg"))
		return;
	put_alg(sa, "  ", "encr-alg", "encr-keysize");
	put_alg(sa, "/", "integ-alg", "integ-keysize");
	printf("/%s", ctl_text(sa, "prf-alg"));
	put_key_exchanges(sa);
	if (vici_find_bool(sa, "ppk", false))
		fputs("/PPK", stdout);
	putchar('\n');
}

static void put_tasks(struct bytes sa, const char *label, const char *list)
{
	if (!ctl_list_len(sa, list))
		return;
	printf("  %-8s", label);
	ctl_put_list(stdout, sa, list);
	putchar('\n');
}

static void put_ike_sa(struct bytes name, struct bytes sa)
{
	bool initiator = vici_find_bool(sa, "initiator", false);
	struct vici_parser p;
	struct vici_entry e;
	struct bytes children;

	/* an ike-updown event has none: with it monitor-sa would show each SA twice */
	if (!vici_find(sa, VICI_SECTION_START, "child-sas", &children))
		return;
	ctl_put(stdout, name);
	printf(": #%s, %s, IKEv%s, %s_i%s %s_r%s\n", ctl_text(sa, "uniqueid"), ctl_text(sa, "state"),
	       ctl_text(sa, "version"), ctl_text(sa, "initiator-spi"), initiator ? "*" : "",
	       ctl_text(sa, "responder-spi"), initiator ? "" : "*");
	put_ends(sa);
	put_algorithms(sa);
	if (ctl_has(sa, "established")) {
		printf("  established %ss ago", ctl_text(sa, "established"));
		put_seconds(sa, ", rekeying in ", "rekey-time");
		put_seconds(sa, ", reauth in ", "reauth-time");
		putchar('\n');
	}
	put_tasks(sa, "queued:", "tasks-queued");
	put_tasks(sa, "active:", "tasks-active");
	put_tasks(sa, "passive:", "tasks-passive");
	for (p = vici_parser_of(children); vici_next_entry(&p, &e);) {
		if (e.kind == VICI_SECTION_START)
			put_child_sa(e.value);
	}
}

/* ---- verbs ---------------------------------------------------------------- */

static void sa_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct vici_parser p = vici_parser_of(ctl_bytes(m));
	struct vici_entry e;

	if (ctl_raw_event(arg, event, ctl_bytes(m)))
		return;
	while (vici_next_entry(&p, &e)) {
		if (e.kind == VICI_SECTION_START)
			put_ike_sa(e.name, e.value);
	}
}

static int run_list_sas(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_flag(ctl, m, "noblock");
	ctl_add_opt(ctl, m, "ike");
	ctl_add_opt(ctl, m, "ike-id");
	ctl_add_opt(ctl, m, "child");
	ctl_add_opt(ctl, m, "child-id");
	return ctl_stream(ctl, "list-sas", "list-sa", sa_event, m);
}

static int run_monitor_sa(struct ctl *ctl)
{
	int ret = ctl_register(ctl, "ike-updown", sa_event);

	if (!ret)
		ret = ctl_register(ctl, "child-updown", sa_event);
	return ret ? ret : ctl_follow(ctl);
}

const struct ctl_verb ctl_verbs_sas[] = {
	{ "list-sas", 'l', "list the SAs that are up", false, run_list_sas,
	  { { "ike", 'i', "name", "only IKE_SAs of this name" },
	    { "ike-id", 'I', "id", "only the IKE_SA with this unique id" },
	    { "child", 'c', "name", "only CHILD_SAs of this name" },
	    { "child-id", 'C', "id", "only the CHILD_SA with this unique id" },
	    { "noblock", 'n', NULL, "leave out IKE_SAs that are busy" } } },
	{ "monitor-sa", 'm', "follow SAs going up and down", false, run_monitor_sa },
	{ 0 },
};
