/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <stdio.h>

/* Messages of SAs beside the recorded ones, and messages read as trees. */

static struct buf vector(const char *name)
{
	char *path = xasprintf("%s/vici/%s", VECTORS, name);
	FILE *f = fopen(path, "rb");
	struct buf out = { 0 };
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	do {
		n = fread(buf_extend(&out, 4096), 1, 4096, f);
		out.n -= 4096 - n;
	} while (n == 4096);
	fclose(f);
	free(path);
	return out;
}

/* The message of the first packet with a type and name. */
static struct bytes vector_message(const struct buf *stream, enum vici_type type, const char *name)
{
	struct bytes in = buf_bytes(stream), packet;
	struct vici_packet p;
	size_t used;

	while (result_is_ok(vici_segment_next(in, &packet, &used)) && used) {
		ck_assert(result_is_ok(vici_packet_parse(packet, &p)));
		if (p.type == type && bytes_equal_str(p.name, name))
			return p.message;
		in = bytes_of(in.p + used, in.n - used);
	}
	ck_abort_msg("no packet %s", name);
	return BYTES_NONE;
}

static struct ts_list selectors(struct arena *a, const char *const *texts, size_t n)
{
	struct ts *list = arena_array(a, struct ts, n);

	for (size_t i = 0; i < n; i++)
		ck_assert(ts_parse(bytes_str(texts[i]), &list[i]));
	return (struct ts_list){ n, list };
}

static struct addr address(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(text), &a));
	a.port = port;
	return a;
}

static void until(bool *has, int64_t *in, int64_t s)
{
	*has = true;
	*in = s;
}

static void child_times(struct child_info *c, int64_t rekey, int64_t life, uint64_t install)
{
	until(&c->has_rekey, &c->rekey_s, rekey);
	until(&c->has_life, &c->life_s, life);
	c->install_s = install;
}

/* What was recorded in list-sas-raw, as an ike_info. */
static struct ike_info *recorded_info(void)
{
	static const char *const net_l[] = { "10.2.0.0/16" }, *const net_r[] = { "10.1.0.0/16" };
	static const char *const host_l[] = { "10.2.0.1/32[tcp]", "10.2.0.1/32[udp]" };
	static const char *const host_r[] = { "10.1.0.1/32[tcp/http]", "10.1.0.1/32[udp/5000-5010]" };
	struct ike_info *info = xcalloc(1, sizeof(*info));
	struct suite esp = { .protocol = PROTOCOL_ESP, .encr = ENCR_AES_GCM_16, .encr_bits = 128 };

	*info = (struct ike_info){ .name = "site", .id = 1, .state = IKE_STATE_ESTABLISHED, .initiator = true,
				   .local = address("192.0.2.2", 4500), .remote = address("192.0.2.1", 4500),
				   .local_id = "sun.bewick.test", .remote_id = "moon.bewick.test",
				   .spi_i = 0x3dbba3a621b715b9, .spi_r = 0x389f75d33894250c, .nat_remote = true,
				   .has_suite = true, .established_s = 4, .n_children = 2 };
	info->suite = (struct suite){ .encr = ENCR_AES_GCM_16, .encr_bits = 128, .prf = PRF_HMAC_SHA2_256, .ke = KE_ECP_256 };
	info->children = arena_array(&info->arena, struct child_info, 2);
	info->children[0] = (struct child_info){ .name = "net", .id = 2, .reqid = 2, .state = CHILD_STATE_INSTALLED,
						 .encap = true, .installed = true, .spi_in = 0xa969a047,
						 .spi_out = 0xbfa8742f, .suite = esp, .in = { 168, 2, 0 },
						 .out = { 168, 2, 0 }, .use_in_s = 2, .use_out_s = 2, .install_s = 4 };
	info->children[1] = (struct child_info){ .name = "host", .id = 3, .reqid = 3, .state = CHILD_STATE_INSTALLED,
						 .encap = true, .installed = true, .spi_in = 0xfd1e9058,
						 .spi_out = 0x1c5d242f, .suite = esp, .use_in_s = -1, .use_out_s = -1,
						 .install_s = 1 };
	until(&info->has_rekey, &info->rekey_s, 13034);
	child_times(&info->children[0], 3426, 3956, 4);
	child_times(&info->children[1], 3276, 3959, 1);
	info->children[0].local_ts = selectors(&info->arena, net_l, 1);
	info->children[0].remote_ts = selectors(&info->arena, net_r, 1);
	info->children[1].local_ts = selectors(&info->arena, host_l, 2);
	info->children[1].remote_ts = selectors(&info->arena, host_r, 2);
	return info;
}

/* Writes w, compares, clears both. */
static void ck_recorded(struct vici_writer *w, const char *file, const char *event)
{
	struct buf stream = vector(file);
	struct bytes expected = vector_message(&stream, VICI_EVENT, event), got;

	ck_assert(result_is_ok(vici_writer_done(w, &got)));
	ck_assert_uint_eq(got.n, expected.n);
	ck_assert_mem_eq(got.p, expected.p, got.n);
	vici_writer_clear(w);
	buf_free(&stream);
}

START_TEST(sa_is_written_as_recorded)
{
	struct ike_info *info = recorded_info();
	struct vici_writer w = { 0 };

	sa_message_ike(&w, info, true);
	ck_recorded(&w, "list-sas-raw.s2c.bin", "list-sa");
	ike_info_free(info);
}
END_TEST

static void tasks_active(struct ike_info *info, const char *task)
{
	info->n_active = 1;
	info->active = arena_array(&info->arena, const char *, 1);
	info->active[0] = task;
}

START_TEST(child_rekey_is_written_as_recorded)
{
	struct ike_info *old = recorded_info(), *new = recorded_info();
	struct child_info *c = &new->children[0];
	struct vici_writer w = { 0 };

	old->n_children = new->n_children = 1;
	old->established_s = 6;
	old->rekey_s = 13032;
	tasks_active(old, "CHILD_REKEY");
	old->children[0].state = CHILD_STATE_REKEYED;
	old->children[0].use_in_s = old->children[0].use_out_s = 4;
	child_times(&old->children[0], 3424, 3954, 6);
	c->id = 5;
	c->spi_in = 0x1a4ce378;
	c->spi_out = 0x3f5ee038;
	c->own_ke = true;
	c->suite.ke = KE_ECP_256;
	c->in = c->out = (struct kernel_usage){ 0 };
	c->use_in_s = c->use_out_s = -1;
	child_times(c, 3357, 3960, 0);
	sa_message_child_rekey(&w, old, new);
	ck_recorded(&w, "events-initiator.s2c.bin", "child-rekey");
	ike_info_free(old);
	ike_info_free(new);
}
END_TEST

START_TEST(ike_rekey_is_written_as_recorded)
{
	struct ike_info *old = recorded_info(), *new = recorded_info();
	struct vici_writer w = { 0 };

	old->n_children = new->n_children = 0;
	old->state = IKE_STATE_REKEYING;
	tasks_active(old, "IKE_REKEY");
	new->id = 2;
	new->spi_i = 0x5c2601499980cd0d;
	new->spi_r = 0x4a9641eac4f2fd93;
	new->established_s = 0;
	new->rekey_s = 14306;
	sa_message_ike_rekey(&w, old, new);
	ck_recorded(&w, "events-initiator.s2c.bin", "ike-rekey");
	ike_info_free(old);
	ike_info_free(new);
}
END_TEST

/* Whether a key is there, and its value, in the section "site" of an SA. */
static void ck_site(const struct ike_info *info, bool children, const char *key, const char *expected)
{
	struct vici_writer w = { 0 };
	struct bytes message, site;
	char *value;

	sa_message_ike(&w, info, children);
	ck_assert(result_is_ok(vici_writer_done(&w, &message)));
	ck_assert(vici_find(message, VICI_SECTION_START, "site", &site));
	value = vici_find_str(site, key);
	if (expected)
		ck_assert_pstr_eq(value, expected);
	else
		ck_assert_ptr_null(value);
	free(value);
	vici_writer_clear(&w);
}

START_TEST(sa_keys_depend_on_its_state)
{
	struct ike_info *info = recorded_info();

	info->state = IKE_STATE_CLOSED; /* clients have no word for it */
	ck_site(info, true, "state", "DELETING");
	ck_site(info, true, "established", NULL);
	info->has_suite = false;
	ck_site(info, true, "encr-alg", NULL);
	info->initiator = false;
	ck_site(info, true, "initiator", NULL);
	info->nat_remote = false;
	ck_site(info, true, "nat-any", NULL);
	info->nat_fake = true;
	ck_site(info, true, "nat-any", "yes");
	ike_info_free(info);
}
END_TEST

START_TEST(times_depend_on_what_is_scheduled)
{
	struct ike_info *info = recorded_info();

	ck_site(info, true, "rekey-time", "13034");
	ck_site(info, true, "reauth-time", NULL);
	until(&info->has_reauth, &info->reauth_s, -3); /* late */
	info->has_rekey = false;
	ck_site(info, true, "rekey-time", NULL);
	ck_site(info, true, "reauth-time", "-3");
	info->state = IKE_STATE_REKEYING;
	ck_site(info, true, "state", "REKEYING");
	ck_site(info, true, "reauth-time", NULL);
	ike_info_free(info);
}
END_TEST

START_TEST(suite_has_what_was_negotiated)
{
	struct suite s = { .encr = ENCR_AES_CBC, .encr_bits = 256, .integ = INTEG_HMAC_SHA2_256_128,
			   .prf = PRF_HMAC_SHA2_256, .ke = KE_CURVE_25519 };
	struct vici_writer w = { 0 };
	struct bytes m;
	char *value;

	sa_message_suite(&w, &s, false, false);
	ck_assert(result_is_ok(vici_writer_done(&w, &m)));
	value = vici_find_str(m, "integ-alg");
	ck_assert_pstr_eq(value, "HMAC_SHA2_256_128");
	free(value);
	ck_assert_ptr_null(vici_find_str(m, "prf-alg"));
	ck_assert_ptr_null(vici_find_str(m, "dh-group"));
	vici_writer_clear(&w);
}
END_TEST

/* ---- trees ---- */

START_TEST(recorded_connection_is_read)
{
	struct buf stream = vector("load-conns.c2s.bin");
	struct tree *root = conf_message_parse(vector_message(&stream, VICI_CMD_REQUEST, "load-conn"));
	const struct tree *site, *child, *list;

	ck_assert_ptr_nonnull(root);
	site = tree_find(root, "site");
	ck_assert(site && site->kind == TREE_SECTION);
	list = tree_find(site, "remote_addrs");
	ck_assert(list && list->kind == TREE_LIST);
	ck_assert_str_eq(buf_str(&list->first->value), "192.0.2.2");
	ck_assert_str_eq(buf_str(&list->last->value), "192.0.2.12");
	child = tree_find(tree_find(site, "children"), "host");
	ck_assert_str_eq(buf_str(&tree_find(child, "priority")->value), "1000");
	ck_assert_str_eq(site->last->name, "children"); /* the order is kept */
	tree_free(root);
	buf_free(&stream);
}
END_TEST

START_TEST(wrong_structure_is_refused)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} wrong[] = {
		{ "unknown element", "\x09", 1 },
		{ "never opened", "\x02", 1 },
		{ "left open", "\x01\x01" "a", 3 },
		{ "item outside of a list", "\x05\x00\x01" "a", 4 },
		{ "section in a list", "\x04\x01" "a" "\x01\x01" "b" "\x02\x06", 8 },
		{ "cut off", "\x03\x01" "a" "\x00\x05" "ab", 7 },
		{ "the same name twice", "\x03\x01" "a" "\x00\x00\x03\x01" "a" "\x00\x00", 10 },
		{ "NUL in a name", "\x03\x02" "a\0" "\x00\x00", 6 },
	};
	struct tree *empty = conf_message_parse(BYTES_NONE);

	ck_assert_ptr_nonnull(empty); /* a valid empty root */
	tree_free(empty);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(!conf_message_parse(bytes_of(wrong[i].bytes, wrong[i].n)), "%s", wrong[i].what);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	struct buf deep = { 0 };

	for (unsigned i = 0; i < 100000; i++)
		buf_add(&deep, "\x01\x01" "a", 3);
	ck_assert_ptr_null(conf_message_parse(buf_bytes(&deep)));
	buf_free(&deep);
}
END_TEST

TCase *control_message_tests(void)
{
	TCase *t = tcase_create("messages");

	tcase_add_test(t, sa_is_written_as_recorded);
	tcase_add_test(t, child_rekey_is_written_as_recorded);
	tcase_add_test(t, ike_rekey_is_written_as_recorded);
	tcase_add_test(t, sa_keys_depend_on_its_state);
	tcase_add_test(t, times_depend_on_what_is_scheduled);
	tcase_add_test(t, suite_has_what_was_negotiated);
	tcase_add_test(t, recorded_connection_is_read);
	tcase_add_test(t, wrong_structure_is_refused);
	tcase_add_test(t, deep_nesting_is_refused);
	return t;
}
