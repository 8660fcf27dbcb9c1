/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <stdio.h>

#include "config/conn.h"
#include "proto/limits.h"

static const struct conn_env env = { .default_replay_window = 32, .backend = { .name = "kernel-mock" } };

/* Lists are written in the text with commas under these names, as clients turn them into lists. */
static const char *const list_keys[] = {
	"local_addrs", "remote_addrs", "proposals", "esp_proposals", "ah_proposals", "local_ts", "remote_ts",
	"vips",        "pools",        "groups",    "cert_policy",   "certs",        "cacerts",  "pubkeys",
};

static bool is_list(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(list_keys); i++) {
		if (strcmp(name, list_keys[i]) == 0)
			return true;
	}
	return false;
}

static void message_add_list(struct tree *to, const struct tree *value)
{
	struct tree *list = tree_add_list(to, bytes_str(value->name));
	char *copy = xstrdup(buf_str(&value->value)), *save;

	for (char *item = strtok_r(copy, ", ", &save); item; item = strtok_r(NULL, ", ", &save))
		tree_add_item(list, bytes_str(item));
	free(copy);
}

/* As a client turns a section of its file into a message. */
static void message_add(struct tree *to, const struct tree *from)
{
	TREE_FOREACH(it, from) {
		if (it->kind == TREE_SECTION)
			message_add(tree_add_section(to, bytes_str(it->name)), it);
		else if (is_list(it->name))
			message_add_list(to, it);
		else
			tree_add_value(to, bytes_str(it->name), buf_bytes(&it->value));
	}
}

/* The only section of a message made from "NAME { ... }". */
static struct tree *message_of(const char *text)
{
	struct tree *file = tree_of(text), *message = tree_new();

	message_add(message, file);
	tree_free(file);
	return message;
}

static struct conn *parse_env(const char *text, const struct conn_env *e, struct errtext *err)
{
	struct tree *message = message_of(text);
	struct conn *c = conn_parse(message->first, e, err);

	tree_free(message);
	return c;
}

struct conn *conn_of(const char *text)
{
	struct errtext err = { "" };
	struct conn *c = parse_env(text, &env, &err);

	ck_assert_msg(c, "'%s': %s", text, err.s);
	return c;
}

static void ck_error_env(const char *text, const struct conn_env *e, const char *expected)
{
	struct errtext err = { "" };
	struct conn *c = parse_env(text, e, &err);

	ck_assert_msg(!c, "'%s' was accepted", text);
	ck_assert_msg(strcmp(err.s, expected) == 0, "'%s' gave '%s' instead of '%s'", text, err.s, expected);
}

static void ck_error(const char *text, const char *expected)
{
	ck_error_env(text, &env, expected);
}

#define PSK "local { auth = psk }\nremote { auth = psk }\n"

START_TEST(test_defaults)
{
	struct conn *c = conn_of("site { " PSK " children { net { } } }");
	const struct child_conf *child = &c->children[0];

	ck_assert_str_eq(c->name, "site");
	ck_assert_int_eq(c->version, 0);
	ck_assert_uint_eq(c->n_local, 1);
	ck_assert_uint_eq(c->n_remote, 1);
	ck_assert_int_eq(c->local_addrs[0].kind, ENDPOINT_ANY);
	ck_assert_str_eq(c->remote_addrs[0].text, "%any");
	ck_assert_uint_eq(c->local_port, 500);
	ck_assert_uint_eq(c->remote_port, 500);
	ck_assert_uint_eq(c->proposals.count, 2);
	ck_assert(!c->encap && c->mobike);
	ck_assert_uint_eq(c->dpd_delay, 0);
	ck_assert_int_eq(c->fragmentation, FRAGMENTATION_YES);
	ck_assert_int_eq(c->childless, CHILDLESS_ALLOW);
	ck_assert_int_eq(c->unique, UNIQUE_NO);
	ck_assert_int_eq(c->keyingtries, 1);
	ck_assert_uint_eq(c->rekey_time, 14400);
	ck_assert_uint_eq(c->reauth_time, 0);
	ck_assert_uint_eq(c->over_time, 1440);
	ck_assert_uint_eq(c->rand_time, 1440);
	ck_assert_uint_eq(c->n_local_rounds, 1);
	ck_assert_int_eq(c->local_rounds[0].auth, CONN_AUTH_PSK);
	ck_assert_str_eq(c->local_rounds[0].auth_text, "psk");
	ck_assert(id_is_any(&c->local_rounds[0].id));
	ck_assert(id_is_any(&c->remote_rounds[0].id));
	ck_assert_uint_eq(c->n_children, 1);
	ck_assert_str_eq(child->name, "net");
	ck_assert_int_eq(child->mode, CHILD_TUNNEL);
	ck_assert_uint_gt(child->esp.count, 0);
	ck_assert(child->policies && child->copy_df && child->copy_ecn);
	ck_assert_uint_eq(child->local_ts.count, 1);
	ck_assert(child->local_ts.p[0].dynamic && child->remote_ts.p[0].dynamic);
	ck_assert_uint_eq(child->rekey_time, 3600);
	ck_assert_uint_eq(child->life_time, 3960);
	ck_assert_uint_eq(child->rand_time, 360);
	ck_assert_uint_eq(child->rekey_bytes + child->life_bytes + child->rand_bytes, 0);
	ck_assert_uint_eq(child->rekey_packets + child->life_packets + child->rand_packets, 0);
	ck_assert_uint_eq(child->start_action | child->dpd_action | child->close_action, ACTION_NONE);
	ck_assert_uint_eq(child->reqid + child->priority, 0);
	ck_assert_uint_eq(child->replay_window, 32);
	ck_assert_uint_eq(child->inactivity, 0);
	conn_unref(c);
}
END_TEST

START_TEST(test_full)
{
	struct conn *c = conn_of(
		"gw {\n version = 2\n local_addrs = 192.0.2.1, 2001:db8::1\n"
		" remote_addrs = 198.51.100.0/24, 203.0.113.5-203.0.113.9, peer.bewick.test, %any, 192.0.2.7\n"
		" local_port = 4500\n remote_port = 0x1000\n"
		" proposals = aes128gcm16-prfsha256-ecp256, aes256-sha256-modp2048, default\n"
		" aggressive = no\n pull = yes\n dscp = 000000\n encap = YES\n mobike = no\n dpd_delay = 30s\n"
		" dpd_timeout = 2m\n fragmentation = accept\n childless = force\n send_certreq = no\n"
		" send_cert = never\n ocsp = both\n ppk_id =\n ppk_required = no\n keyingtries = 0\n"
		" unique = replace\n reauth_time = 3h\n rekey_time = 1h\n over_time = 10m\n rand_time = 5m\n"
		" if_id_in = 0\n if_id_out = 0x0\n mediation = no\n"
		" local-gw { round = 1\n auth = psk\n id = gw@bewick.test }\n"
		" REMOTE { auth = PSK\n id = *.bewick.test\n revocation = relaxed }\n"
		" children {\n"
		"  a { esp_proposals = aes128gcm16-ecp256, aes128-sha256\n"
		"   local_ts = 10.1.0.0/16, 10.9.0.1[tcp/80]\n remote_ts = dynamic[udp]\n"
		"   rekey_time = 2h\n life_time = 3h\n rand_time = 10m\n"
		"   rekey_bytes = 10m\n life_bytes = 1g\n rand_bytes = 1k\n"
		"   rekey_packets = 1000\n life_packets = 2000\n rand_packets = 10\n"
		"   hostaccess = no\n mode = TUNNEL\n policies = yes\n policies_fwd_out = no\n"
		"   dpd_action = restart\n ipcomp = no\n inactivity = 0\n reqid = 7\n priority = 1000\n"
		"   mark_in = 0\n mark_out = 0/0xffffffff\n mark_in_sa = no\n set_mark_in = 0\n"
		"   set_mark_out = 0\n if_id_in = 0\n if_id_out = 0\n label_mode = system\n tfc_padding = 0\n"
		"   replay_window = 0\n hw_offload = auto\n copy_df = no\n copy_ecn = no\n copy_dscp = out\n"
		"   per_cpu_sas = no\n icmp = no\n start_action = start\n close_action = START }\n"
		"  b { dpd_action = clear\n start_action = trap|start\n close_action = route\n mode = drop } }\n}\n");
	const struct child_conf *a = conn_child(c, "a");

	ck_assert_int_eq(c->version, 2);
	ck_assert_uint_eq(c->n_local, 2);
	ck_assert_uint_eq(c->n_remote, 5);
	ck_assert_int_eq(c->remote_addrs[0].kind, ENDPOINT_PREFIX);
	ck_assert_int_eq(c->remote_addrs[1].kind, ENDPOINT_RANGE);
	ck_assert_int_eq(c->remote_addrs[2].kind, ENDPOINT_NAME);
	ck_assert_str_eq(c->remote_addrs[2].text, "peer.bewick.test");
	ck_assert_int_eq(c->remote_addrs[3].kind, ENDPOINT_ANY);
	ck_assert_int_eq(c->remote_addrs[4].kind, ENDPOINT_ADDR);
	ck_assert_uint_eq(c->local_port, 4500);
	ck_assert_uint_eq(c->remote_port, 4096);
	ck_assert_uint_eq(c->proposals.count, 4);
	ck_assert(c->encap && !c->mobike);
	ck_assert_uint_eq(c->dpd_delay, 30);
	ck_assert_uint_eq(c->dpd_timeout, 120);
	ck_assert_int_eq(c->fragmentation, FRAGMENTATION_ACCEPT);
	ck_assert_int_eq(c->childless, CHILDLESS_FORCE);
	ck_assert_int_eq(c->keyingtries, 0);
	ck_assert_int_eq(c->unique, UNIQUE_REPLACE);
	ck_assert_uint_eq(c->reauth_time, 10800);
	ck_assert_uint_eq(c->rekey_time, 3600);
	ck_assert_uint_eq(c->over_time, 600);
	ck_assert_uint_eq(c->rand_time, 300);
	ck_assert_str_eq(id_text(&c->local_rounds[0].id).s, "gw@bewick.test");
	ck_assert_int_eq(c->local_rounds[0].round, 1);
	ck_assert_str_eq(id_text(&c->remote_rounds[0].id).s, "*.bewick.test");
	ck_assert_uint_eq(c->n_children, 2);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_eq(a, &c->children[0]);
	ck_assert_str_eq(c->children[1].name, "b");
	ck_assert_uint_eq(c->children[1].start_action, ACTION_TRAP | ACTION_START);
	ck_assert_uint_eq(c->children[1].close_action, ACTION_TRAP);
	ck_assert(child_conf_is_shunt(&c->children[1]) && !child_conf_is_shunt(a));
	ck_assert_ptr_null(conn_child(c, "c"));
	ck_assert_uint_eq(a->esp.count, 2);
	ck_assert_uint_eq(a->local_ts.count, 2);
	ck_assert_str_eq(ts_format(&a->local_ts.p[0]).s, "10.1.0.0/16");
	ck_assert_str_eq(ts_format(&a->remote_ts.p[0]).s, "dynamic[udp]");
	ck_assert_uint_eq(a->rekey_time, 7200);
	ck_assert_uint_eq(a->life_time, 10800);
	ck_assert_uint_eq(a->rand_time, 600);
	ck_assert_uint_eq(a->rekey_bytes, 10 << 20);
	ck_assert_uint_eq(a->life_bytes, 1 << 30);
	ck_assert_uint_eq(a->rand_bytes, 1024);
	ck_assert_uint_eq(a->rekey_packets, 1000);
	ck_assert_uint_eq(a->life_packets, 2000);
	ck_assert_uint_eq(a->rand_packets, 10);
	ck_assert_uint_eq(a->dpd_action, ACTION_START);
	ck_assert_uint_eq(a->start_action, ACTION_START);
	ck_assert_uint_eq(a->close_action, ACTION_START);
	ck_assert_uint_eq(a->reqid, 7);
	ck_assert_uint_eq(a->priority, 1000);
	ck_assert_uint_eq(a->replay_window, 0);
	ck_assert(!a->copy_df && !a->copy_ecn);
	conn_unref(c);
}
END_TEST

/* Defaults of times that depend on others; -1 is "not given". */
START_TEST(test_ike_times)
{
	static const struct {
		const char *keys;
		uint64_t rekey, reauth, over, rand;
	} rows[] = {
		{ "", 14400, 0, 1440, 1440 },
		{ "reauth_time = 3h", 0, 10800, 1080, 1080 },
		{ "reauth_time = 0", 14400, 0, 1440, 1440 },
		{ "rekey_time = 0", 0, 0, 0, 0 },
		{ "rekey_time = 1h\nreauth_time = 10h", 3600, 36000, 3600, 1800 },
		{ "rekey_time = 10h\nreauth_time = 1h", 36000, 3600, 3600, 1800 },
		{ "rekey_time = 1h\nover_time = 50m", 3600, 0, 3000, 1800 },
		{ "over_time = 0", 14400, 0, 0, 0 },
		{ "rand_time = 0", 14400, 0, 1440, 0 },
		{ "rekey_time = 100\nrand_time = 100", 100, 0, 10, 100 },
		{ "rekey_time = 100 m", 6000, 0, 600, 600 },
		{ "rekey_time = 9223372036854775", 9223372036854775, 0, 922337203685477, 922337203685477 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		struct conn *c;

		snprintf(text, sizeof(text), "c { %s\n" PSK "}", rows[i].keys);
		c = conn_of(text);
		ck_assert_msg(c->rekey_time == rows[i].rekey && c->reauth_time == rows[i].reauth &&
				      c->over_time == rows[i].over && c->rand_time == rows[i].rand,
			      "%s: %llu %llu %llu %llu", rows[i].keys, (unsigned long long)c->rekey_time,
			      (unsigned long long)c->reauth_time, (unsigned long long)c->over_time,
			      (unsigned long long)c->rand_time);
		conn_unref(c);
	}
}
END_TEST

START_TEST(test_child_times)
{
	static const struct {
		const char *keys;
		uint64_t rekey, life, rand;
	} rows[] = {
		{ "", 3600, 3960, 360 },
		{ "rekey_time = 2h", 7200, 7920, 720 },
		{ "life_time = 66m", 3600, 3960, 360 },
		{ "life_time = 9223372036854775", 8384883669867977, 9223372036854775, 838488366986798 },
		{ "rekey_time = 0", 0, 0, 0 },
		{ "rekey_time = 1h\nlife_time = 2h", 3600, 7200, 3600 },
		{ "rekey_time = 1h\nlife_time = 30m", 3600, 1800, 0 },
		{ "rekey_time = 1h\nlife_time = 0", 3600, 0, 0 },
		{ "rand_time = 0", 3600, 3960, 0 },
		{ "rand_time = 10h", 3600, 3960, 36000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		struct conn *c;
		const struct child_conf *k;

		snprintf(text, sizeof(text), "c { " PSK " children { k { %s\n} } }", rows[i].keys);
		c = conn_of(text);
		k = &c->children[0];
		ck_assert_msg(k->rekey_time == rows[i].rekey && k->life_time == rows[i].life &&
				      k->rand_time == rows[i].rand,
			      "%s: %llu %llu %llu", rows[i].keys, (unsigned long long)k->rekey_time,
			      (unsigned long long)k->life_time, (unsigned long long)k->rand_time);
		conn_unref(c);
	}
}
END_TEST

START_TEST(test_child_volumes)
{
	struct conn *c = conn_of("c { " PSK " children { a { rekey_bytes = 1000\nrekey_packets = 10 }\n"
				 "b { life_bytes = 1000 }\n"
				 "c { rekey_bytes = 99999999999999999999999\nrekey_packets = 0x7fffffffffffffff } } }");
	const struct child_conf *k = c->children;

	ck_assert_uint_eq(k[0].life_bytes, 1100);
	ck_assert_uint_eq(k[0].rand_bytes, 100);
	ck_assert_uint_eq(k[0].life_packets, 11);
	ck_assert_uint_eq(k[0].rand_packets, 1);
	ck_assert_uint_eq(k[1].rekey_bytes, 0);
	ck_assert_uint_eq(k[1].life_bytes, 1000);
	ck_assert_uint_eq(k[2].rekey_bytes, UINT64_MAX - 1);
	ck_assert_uint_eq(k[2].life_bytes, UINT64_MAX);
	ck_assert_uint_eq(k[2].rekey_packets, INT64_MAX);
	ck_assert_uint_eq(k[2].life_packets, 10145709240540253387u);
	conn_unref(c);
}
END_TEST

/* ---- bad values: key, value, section (c connection, r round, k child) */

struct row {
	char where;
	const char *key, *value;
};

static void row_text(char *text, size_t size, const struct row *r)
{
	switch (r->where) {
	case 'c':
		snprintf(text, size, "c { %s = %s\n" PSK "}", r->key, r->value);
		break;
	case 'r':
		snprintf(text, size, "c { local { auth = psk\n %s = %s\n }\nremote { auth = psk } }", r->key, r->value);
		break;
	case 'k':
		snprintf(text, size, "c { " PSK " children { k { %s = %s\n } } }", r->key, r->value);
		break;
	}
}

static const struct row bad_values[] = {
	{ 'c', "version", "zwei" },        { 'c', "version", "3" },          { 'c', "version", "-1" },
	{ 'c', "local_addrs", "10.0.0.0/33" }, { 'c', "local_addrs", "300.1.1.1" }, { 'c', "local_addrs", "%some" },
	{ 'c', "remote_addrs", "10.0.0.9-10.0.0.1" }, { 'c', "remote_addrs", "1.2.3.4-fe80::1" },
	{ 'c', "remote_addrs", "a_b/c" },  { 'c', "remote_addrs", "1:2" },   { 'c', "remote_addrs", "-x" },
	{ 'c', "remote_addrs", "10.1.1.1, b$d" },
	{ 'c', "local_port", "65536" },    { 'c', "local_port", "x" },       { 'c', "remote_port", "-1" },
	{ 'c', "proposals", "aes128-foo-modp2048" }, { 'c', "proposals", "aes128gcm16-ecp256" },
	{ 'c', "vips", "x" },              { 'c', "aggressive", "maybe" },   { 'c', "pull", "2" },
	{ 'c', "dscp", "00000" },          { 'c', "dscp", "000002" },        { 'c', "encap", "on" },
	{ 'c', "mobike", "-" },            { 'c', "dpd_delay", "1.5h" },     { 'c', "dpd_timeout", "x" },
	{ 'c', "fragmentation", "maybe" }, { 'c', "childless", "no" },       { 'c', "send_certreq", "x" },
	{ 'c', "send_cert", "yes" },       { 'c', "ocsp", "yes" },           { 'c', "ppk_required", "x" },
	{ 'c', "keyingtries", "-1" },      { 'c', "keyingtries", "%forever" }, { 'c', "unique", "yes" },
	{ 'c', "reauth_time", "x" },       { 'c', "rekey_time", "10 w" },    { 'c', "over_time", "-1" },
	{ 'c', "rand_time", "1hm" },       { 'c', "if_id_in", "x" },         { 'c', "if_id_out", "%same" },
	{ 'c', "mediation", "x" },         { 'r', "round", "x" },            { 'r', "round", "-1" },
	{ 'r', "auth", "magic" },          { 'r', "auth", "PUBKEY" },        { 'r', "auth", "eapx" },
	{ 'r', "auth", "\"\"" },           { 'r', "id", "\"a\\nb\"" },       { 'r', "id", "\"fqdn:^(moon$\"" },
	{ 'r', "cert_policy", "1.x" },     { 'r', "revocation", "x" },       { 'k', "esp_proposals", "sha256" },
	{ 'k', "ah_proposals", "aes128" }, { 'k', "sha256_96", "x" },        { 'k', "local_ts", "10.0.0.0/8[frob]" },
	{ 'k', "remote_ts", "x" },         { 'k', "rekey_time", "x" },       { 'k', "life_time", "1.1h" },
	{ 'k', "rand_time", "x" },         { 'k', "rekey_bytes", "1kb" },    { 'k', "life_bytes", "-1" },
	{ 'k', "rand_bytes", "x" },        { 'k', "rekey_packets", "1k" },   { 'k', "life_packets", "x" },
	{ 'k', "rand_packets", "-1" },     { 'k', "hostaccess", "x" },       { 'k', "mode", "banana" },
	{ 'k', "policies", "x" },          { 'k', "policies_fwd_out", "x" }, { 'k', "dpd_action", "hold" },
	{ 'k', "ipcomp", "x" },            { 'k', "inactivity", "x" },       { 'k', "reqid", "-1" },
	{ 'k', "reqid", "0x100000000" },   { 'k', "priority", "x" },         { 'k', "mark_in", "x" },
	{ 'k', "mark_in", "1/" },          { 'k', "mark_in", "%same" },      { 'k', "mark_out", "1/2/3" },
	{ 'k', "mark_in_sa", "x" },        { 'k', "set_mark_in", "%any" },   { 'k', "set_mark_out", "" "4294967296" },
	{ 'k', "if_id_in", "x" },          { 'k', "if_id_out", "1x" },       { 'k', "label_mode", "x" },
	{ 'k', "tfc_padding", "x" },       { 'k', "replay_window", "x" },    { 'k', "hw_offload", "maybe" },
	{ 'k', "copy_df", "x" },           { 'k', "copy_ecn", "x" },         { 'k', "copy_dscp", "maybe" },
	{ 'k', "per_cpu_sas", "x" },       { 'k', "icmp", "x" },             { 'k', "start_action", "x" },
	{ 'k', "close_action", "trap start" }, { 'k', "updown", "\"a\\tb\"" }, { 'c', "pools", "a\x80" },
};

START_TEST(test_bad_value)
{
	const struct row *r = &bad_values[_i];
	char text[512], expected[128];

	row_text(text, sizeof(text), r);
	snprintf(expected, sizeof(expected), "invalid value for: %s, config discarded", r->key);
	ck_error(text, expected);
}
END_TEST

static const struct {
	struct row row;
	const char *error;
} refused[] = {
	{ { 'c', "version", "1" }, "unsupported: version = 1 (IKEv1 is not supported)" },
	{ { 'c', "aggressive", "yes" }, "unsupported: aggressive = yes (IKEv1 is not supported)" },
	{ { 'c', "pull", "no" }, "unsupported: pull = no (IKEv1 is not supported)" },
	{ { 'c', "local_port", "501" }, "unsupported: local_port = 501 (the daemon has no socket on this port)" },
	{ { 'c', "local_port", "4500\n remote_port = 500" },
	  "unsupported: remote_port = 500 (what is sent from the NAT-T port can not go to port 500)" },
	{ { 'c', "proposals", "aes256-sha384-x25519-ke1_mlkem768" },
	  "unsupported: proposals = aes256-sha384-x25519-ke1_mlkem768 (additional key exchanges are not "
	  "supported yet)" },
	{ { 'c', "ppk_id", "a" }, "unsupported: ppk_id = a (post-quantum preshared keys are not supported yet)" },
	{ { 'c', "ppk_required", "yes" },
	  "unsupported: ppk_required = yes (post-quantum preshared keys are not supported yet)" },
	{ { 'c', "if_id_in", "7" }, "unsupported: if_id_in = 7 (kernel-mock cannot do it)" },
	{ { 'c', "if_id_out", "%unique" }, "unsupported: if_id_out = %unique (kernel-mock cannot do it)" },
	{ { 'c', "mediation", "yes" }, "unsupported: mediation = yes (the mediation extension is not supported)" },
	{ { 'c', "mediated_by", "m" }, "unsupported: mediated_by = m (the mediation extension is not supported)" },
	{ { 'c', "mediation_peer", "m" },
	  "unsupported: mediation_peer = m (the mediation extension is not supported)" },
	{ { 'r', "auth", "eap-tls:ecdsa" }, "unsupported: auth = eap-tls:ecdsa (EAP is not supported yet)" },
	{ { 'r', "auth", "eap" }, "unsupported: auth = eap (EAP is not supported yet)" },
	{ { 'r', "auth", "xauth-pam" }, "unsupported: auth = xauth-pam (IKEv1 is not supported)" },
	{ { 'r', "ca_id", "x" }, "unsupported: ca_id = ... (it is for remote sections: what the peer has to prove)" },
	{ { 'r', "eap_id", "%any" }, "unsupported: eap_id = %any (EAP is not supported yet)" },
	{ { 'r', "aaa_id", "x" }, "unsupported: aaa_id = x (EAP is not supported yet)" },
	{ { 'r', "xauth_id", "x" }, "unsupported: xauth_id = x (IKEv1 is not supported)" },
	{ { 'r', "groups", "a" }, "unsupported: groups = ... (it is for remote sections: what the peer has to prove)" },
	{ { 'r', "cert_policy", "1.2.3" },
	  "unsupported: cert_policy = ... (it is for remote sections: what the peer has to prove)" },
	{ { 'r', "revocation", "strict" },
	  "unsupported: revocation = ... (it is for remote sections: what the peer has to prove)" },
	{ { 'k', "ah_proposals", "sha256" }, "unsupported: ah_proposals = sha256 (AH is not supported)" },
	{ { 'k', "updown", "/bin/true" }, "unsupported: updown = /bin/true (the plugin updown is not loaded)" },
	{ { 'k', "mode", "transport" },
	  "unsupported: mode = transport (kernel-mock carries tunnel mode only)" },
	{ { 'k', "mode", "transport_proxy" },
	  "unsupported: mode = transport_proxy (this mode is not supported)" },
	{ { 'k', "mode", "beet" }, "unsupported: mode = beet (kernel-mock does not carry BEET mode)" },
	{ { 'k', "mode", "iptfs" }, "unsupported: mode = iptfs (this mode is not supported)" },
	{ { 'k', "policies", "no" }, "unsupported: policies = no (kernel-mock cannot do it)" },
	{ { 'k', "ipcomp", "yes" }, "unsupported: ipcomp = yes (compression (IPComp) is not supported)" },
	{ { 'k', "interface", "eth0" }, "unsupported: interface = eth0 (kernel-mock cannot do it)" },
	{ { 'k', "mark_in", "42/0xff" }, "unsupported: mark_in = 42/0xff (kernel-mock cannot do it)" },
	{ { 'k', "mark_in", "0/0xff" }, "unsupported: mark_in = 0/0xff (kernel-mock cannot do it)" },
	{ { 'k', "mark_out", "%unique-dir" }, "unsupported: mark_out = %unique-dir (kernel-mock cannot do it)" },
	{ { 'k', "mark_in_sa", "yes" }, "unsupported: mark_in_sa = yes (kernel-mock cannot do it)" },
	{ { 'k', "set_mark_in", "%same" }, "unsupported: set_mark_in = %same (kernel-mock cannot do it)" },
	{ { 'k', "set_mark_out", "1" }, "unsupported: set_mark_out = 1 (kernel-mock cannot do it)" },
	{ { 'k', "label", "x" }, "unsupported: label = x (security labels are not supported)" },
	{ { 'k', "label_mode", "simple" }, "unsupported: label_mode = simple (security labels are not supported)" },
	{ { 'k', "tfc_padding", "mtu" }, "unsupported: tfc_padding = mtu (kernel-mock cannot do it)" },
	{ { 'k', "tfc_padding", "100" }, "unsupported: tfc_padding = 100 (kernel-mock cannot do it)" },
	{ { 'k', "hw_offload", "packet" }, "unsupported: hw_offload = packet (kernel-mock cannot do it)" },
	{ { 'k', "per_cpu_sas", "encap" }, "unsupported: per_cpu_sas = encap (an SA per CPU (RFC 9611) is not supported)" },
	{ { 'k', "icmp", "yes" }, "unsupported: icmp = yes (ICMP errors from outside of the selectors are not supported)" },
};

START_TEST(test_refused)
{
	char text[512];

	row_text(text, sizeof(text), &refused[_i].row);
	ck_error(text, refused[_i].error);
}
END_TEST

START_TEST(test_sections)
{
	ck_error("c { " PSK " colour = blue }", "unknown option: colour, config discarded");
	ck_error("c { local { auth = psk\ncolour = blue } }", "unknown option: colour, config discarded");
	ck_error("c { " PSK " children { k { colour = blue } } }", "unknown option: colour, config discarded");
	ck_error("c { " PSK " children { colour = blue } }", "unknown option: colour, config discarded");
	ck_error("c { " PSK " foo { x = 1 } }", "invalid section: foo");
	ck_error("c { " PSK " version { } }", "invalid section: version");
	ck_error("c { local { auth = psk\nfoo { } } }", "invalid section: foo");
	ck_error("c { " PSK " children { k { foo { } } } }", "invalid section: foo");
	ck_error("c { local { cert { } } }", "handle or file path missing: cert");
	ck_error("c { local { cert1 { slot = 1 } } }", "handle or file path missing: cert1");
	ck_error("c { local { cert1 { slot = x } } }", "invalid value for: slot, config discarded");
	ck_error("c { local { cert1 { flot = 1 } } }", "unknown option: flot, config discarded");
	ck_error("c { local { auth = psk }\nremote { cacert { file = a\nhandle = 01 } } }",
		 "handle and file path given: cacert");
	ck_error("c { local { cert { handle = 01 } } }",
		 "unable to load certificate: cert (there are no tokens here)");
	ck_error("c { local { cert { handle = 0g } } }", "unable to load certificate: cert (the handle is not hex: 0g)");
	ck_error("c { local { cert1 { file = moon.pem } } }",
		 "unable to load certificate: cert1 (moon.pem: the daemon reads it, and needs an absolute path)");
	ck_error("c { " PSK " local-2 { auth = magic } }", "invalid value for: auth, config discarded");
}
END_TEST

/* Key/value for a list and the reverse are unknown options. */
START_TEST(test_wrong_kind)
{
	static const struct {
		const char *key;
		int depth; /* 0 connection, 1 round, 2 child */
		bool as_list;
	} rows[] = {
		{ "local_addrs", 0, false },   { "remote_addrs", 0, false }, { "proposals", 0, false },
		{ "vips", 0, false },          { "pools", 0, false },        { "version", 0, true },
		{ "encap", 0, true },          { "certs", 1, false },        { "groups", 1, false },
		{ "cert_policy", 1, false },   { "cacerts", 1, false },      { "pubkeys", 1, false },
		{ "auth", 1, true },           { "id", 1, true },            { "esp_proposals", 2, false },
		{ "ah_proposals", 2, false },  { "local_ts", 2, false },     { "remote_ts", 2, false },
		{ "mode", 2, true },           { "start_action", 2, true },  { "local_ts", 0, true },
		{ "proposals", 2, true },      { "remote_addrs", 2, true },  { "id", 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tree *message = message_of("c { " PSK " children { k { } } }"), *at = message->first;
		struct errtext err = { "" };
		char expected[128];

		if (rows[i].depth == 1)
			at = tree_find(at, "local");
		if (rows[i].depth == 2)
			at = tree_find(tree_find(at, "children"), "k");
		if (tree_find(at, rows[i].key)) /* auth: the value has to go */
			tree_find(at, rows[i].key)->name[0] = 'i', strcpy(tree_find(at, "iuth")->name, "id");
		if (rows[i].as_list)
			tree_add_item(tree_add_list(at, bytes_str(rows[i].key)), bytes_str("1"));
		else
			tree_add_value(at, bytes_str(rows[i].key), bytes_str("1"));
		snprintf(expected, sizeof(expected), "unknown option: %s, config discarded", rows[i].key);
		ck_assert_ptr_null(conn_parse(message->first, &env, &err));
		ck_assert_str_eq(err.s, expected);
		tree_free(message);
	}
}
END_TEST

static void ck_count(struct tree *message, const char *key, const char *item, unsigned n, bool good)
{
	struct tree *child = tree_find(tree_find(message->first, "children"), "k");
	struct tree *list = tree_add_list(child, bytes_str(key));
	struct errtext err = { "" };
	char expected[128];
	struct conn *c;

	for (size_t i = list->count; i < n; i++)
		tree_add_item(list, bytes_str(item));
	c = conn_parse(message->first, &env, &err);
	snprintf(expected, sizeof(expected), "invalid value for: %s, config discarded", key);
	ck_assert_msg(!c == !good, "%u of %s: %s", n, key, err.s);
	ck_assert_str_eq(err.s, good ? "" : expected);
	conn_unref(c);
}

START_TEST(test_counts)
{
	struct tree *message = message_of("c { " PSK " children { k { } } }");

	ck_count(message, "local_ts", "10.0.0.0/8", LIMIT_SELECTORS, true);
	ck_count(message, "esp_proposals", "aes128gcm16", LIMIT_PROPOSALS, true);
	ck_count(message, "esp_proposals", "aes128gcm16", LIMIT_PROPOSALS + 1, false);
	tree_free(message);
	message = message_of("c { " PSK " children { k { } } }");
	ck_count(message, "remote_ts", "10.0.0.0/8", LIMIT_SELECTORS + 1, false);
	tree_free(message);
}
END_TEST

START_TEST(test_names)
{
	struct tree *root = tree_new();
	struct errtext err = { "" };

	ck_assert_ptr_null(conn_parse(tree_add_section(root, bytes_str("")), &env, &err));
	ck_assert_str_eq(err.s, "invalid section: ");
	ck_assert_ptr_null(conn_parse(tree_add_section(root, bytes_str("a\nb")), &env, &err));
	ck_assert_str_eq(err.s, "invalid section: ?");
	tree_free(root);
	ck_error("c { loc\x01 { } }", "invalid section: ?");
	ck_error("c { " PSK " children { a\x7f { } } }", "invalid section: ?");
}
END_TEST

/* An environment with AES-GCM, HMAC-SHA-256 and ECP-256 only. */
static bool have_little(void *arg, const struct transform *t)
{
	switch (t->type) {
	case TRANSFORM_ENCR:
		return t->id == ENCR_AES_GCM_16;
	case TRANSFORM_PRF:
		return t->id == PRF_HMAC_SHA2_256;
	case TRANSFORM_KE:
		return t->id == KE_ECP_256 || t->id == KE_NONE;
	case TRANSFORM_ESN:
		return true;
	default:
		return false;
	}
}

static bool have_nothing(void *arg, const struct transform *t)
{
	return false;
}

START_TEST(test_env)
{
	struct conn_env e = { .have = have_little, .default_replay_window = 64, .backend = { .transport = true } };
	struct errtext err = { "" };
	struct conn *c = parse_env("c { " PSK " children { k { mode = transport } } }", &e, &err);

	ck_assert_msg(c, "%s", err.s);
	ck_assert_uint_eq(c->proposals.count, 1);
	ck_assert_int_eq(c->children[0].mode, CHILD_TRANSPORT);
	ck_assert_uint_eq(c->children[0].replay_window, 64);
	conn_unref(c);
	c = parse_env("c { " PSK " proposals = aes128gcm16-prfsha256-ecp256 }", &e, &err);
	ck_assert_msg(c, "%s", err.s);
	conn_unref(c);
	ck_error_env("c { " PSK " proposals = aes128gcm16-prfsha256-ecp256, aes128-sha256-ecp256 }", &e,
		     "unsupported: proposals = aes128-sha256-ecp256 (no plugin provides AES_CBC)");
	ck_error_env("c { " PSK " children { k { esp_proposals = aes128gcm16-x25519 } } }", &e,
		     "unsupported: esp_proposals = aes128gcm16-x25519 (no plugin provides CURVE_25519)");
	e.have = have_nothing;
	ck_error_env("c { " PSK " }", &e,
		     "unsupported: proposals = default (no plugin provides what they need)");
	e.have = NULL;
	e.port = 1500;
	e.port_nat_t = 1501;
	c = parse_env("c { " PSK " }", &e, &err);
	ck_assert_uint_eq(c->local_port, 1500);
	conn_unref(c);
	c = parse_env("c { " PSK " local_port = 1501 }", &e, &err);
	ck_assert_uint_eq(c->local_port, 1501);
	conn_unref(c);
	ck_error_env("c { " PSK " local_port = 500 }", &e,
		     "unsupported: local_port = 500 (the daemon has no socket on this port)");
}
END_TEST

/* ---- equality */

START_TEST(test_equal)
{
	static const struct {
		const char *a, *b;
		bool ike, child; /* child k, where both have it */
	} rows[] = {
		{ "", "", true, true },
		{ "version = 2", "version = 2", true, true },
		{ "version = 2\nencap = yes", "encap = yes\nversion = 2", true, true },
		{ "version = 2", "", false, true },
		{ "", "version = 2", false, true },
		{ "dpd_delay = 1", "dpd_delay = 2", false, true },
		{ "remote_addrs = 10.0.0.1, 10.0.0.2", "remote_addrs = 10.0.0.2, 10.0.0.1", false, true },
		{ "local { id = a }", "local { id = b }", false, true },
		{ "children { k { reqid = 1 } }", "children { k { reqid = 2 } }", true, false },
		{ "children { k { reqid = 1\npriority = 2 } }", "children { k { priority = 2\nreqid = 1 } }", true, true },
		{ "children { k { local_ts = 10.0.0.0/8, 11.0.0.0/8 } }",
		  "children { k { local_ts = 11.0.0.0/8, 10.0.0.0/8 } }", true, false },
		{ "children { x { } }", "children { y { } }", true, true },
		{ "children { x { } }", "", true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];
		struct conn *a, *b;

		snprintf(text, sizeof(text), "a { " PSK " children { k { } }\n%s\n}", rows[i].a);
		a = conn_of(text);
		snprintf(text, sizeof(text), "a { " PSK " children { k { } }\n%s\n}", rows[i].b);
		b = conn_of(text);
		ck_assert_msg(conn_ike_equal(a, b) == rows[i].ike, "%s / %s", rows[i].a, rows[i].b);
		ck_assert(conn_ike_equal(b, a) == rows[i].ike);
		ck_assert_msg(child_conf_equal(a, conn_child(a, "k"), b, conn_child(b, "k")) == rows[i].child,
			      "%s / %s", rows[i].a, rows[i].b);
		conn_unref(a);
		conn_unref(b);
	}
}
END_TEST

START_TEST(test_equal_more)
{
	struct conn_env wide = { .default_replay_window = 64 };
	struct errtext err;
	struct conn *a = conn_of("a { " PSK " children { k { }\nl { } } }");
	struct conn *b = parse_env("a { " PSK " children { k { } } }", &wide, &err);

	ck_assert(!child_conf_equal(a, conn_child(a, "k"), a, conn_child(a, "l")));
	/* the same text under another default */
	ck_assert(!child_conf_equal(a, conn_child(a, "k"), b, conn_child(b, "k")));
	ck_assert(conn_ike_equal(a, b));
	conn_unref(a);
	conn_unref(b);
}
END_TEST

START_TEST(test_refs)
{
	struct conn *c = conn_of("a { " PSK " }"), *d = conn_ref(c);

	ck_assert_ptr_eq(c, d);
	conn_unref(c);
	ck_assert_str_eq(d->name, "a");
	conn_unref(d);
	conn_unref(NULL);
}
END_TEST

START_TEST(test_endpoints)
{
	static const struct {
		const char *entries, *address;
		int match;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", 3 },
		{ "10.0.0.1", "10.0.0.2", 0 },
		{ "10.0.0.1", "::1", 0 },
		{ "10.0.0.0/8", "10.9.9.9", 2 },
		{ "10.0.0.0/8", "11.0.0.0", 0 },
		{ "0.0.0.0/0", "1.2.3.4", 2 },
		{ "10.0.0.5-10.0.0.9", "10.0.0.5", 2 },
		{ "10.0.0.5-10.0.0.9", "10.0.0.9", 2 },
		{ "10.0.0.5-10.0.0.9", "10.0.0.4", 0 },
		{ "10.0.0.5-10.0.0.9", "10.0.0.10", 0 },
		{ "2001:db8::1-2001:db8::ff", "2001:db8::80", 2 },
		{ "2001:db8::1-2001:db8::ff", "10.0.0.1", 0 },
		{ "%any", "10.0.0.1", 1 },
		{ "%any", "::1", 1 },
		{ "0.0.0.0", "10.0.0.1", 1 },
		{ "gw.example.org", "10.0.0.1", 1 },
		{ "gw-1.example.org", "10.0.0.1", 1 },
		{ "%any, 10.0.0.0/8, 10.0.0.1", "10.0.0.1", 3 },
		{ "%any, 10.0.0.0/8, 10.0.0.1", "10.0.0.2", 2 },
		{ "%any, 10.0.0.0/8, 10.0.0.1", "11.0.0.2", 1 },
		{ "%any4", "10.0.0.1", 1 },
		{ "%any4, fd00::/8", "fe80::1", 0 },
		{ "%any6", "10.0.0.1", 0 },
		{ "0.0.0.0", "10.0.0.1", 1 },
		{ "0.0.0.0", "fd00::1", 0 },
		{ "::", "fd00::1", 1 },
		{ "fe80::1%lo", "fe80::1%lo", 3 },
		{ "fe80::1%lo", "fe80::1", 0 },
		{ "fe80::1", "fe80::1%lo", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		struct addr a;
		struct conn *c;

		snprintf(text, sizeof(text), "c { " PSK " remote_addrs = %s\n}", rows[i].entries);
		c = conn_of(text);
		ck_assert(addr_parse(bytes_str(rows[i].address), &a));
		ck_assert_msg(endpoints_match(c->remote_addrs, c->n_remote, &a) == rows[i].match, "%s for %s",
			      rows[i].entries, rows[i].address);
		conn_unref(c);
	}
}
END_TEST

Suite *suite_conn(void)
{
	Suite *s = suite_create("conn");
	TCase *t = tcase_create("conn");

	tcase_add_test(t, test_defaults);
	tcase_add_test(t, test_full);
	tcase_add_test(t, test_ike_times);
	tcase_add_test(t, test_child_times);
	tcase_add_test(t, test_child_volumes);
	tcase_add_loop_test(t, test_bad_value, 0, ARRAY_LEN(bad_values));
	tcase_add_loop_test(t, test_refused, 0, ARRAY_LEN(refused));
	tcase_add_test(t, test_sections);
	tcase_add_test(t, test_wrong_kind);
	tcase_add_test(t, test_counts);
	tcase_add_test(t, test_names);
	tcase_add_test(t, test_env);
	tcase_add_test(t, test_equal);
	tcase_add_test(t, test_equal_more);
	tcase_add_test(t, test_refs);
	tcase_add_test(t, test_endpoints);
	suite_add_tcase(s, t);
	return s;
}
