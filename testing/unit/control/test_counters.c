/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <stdio.h>

/* get-counters, reset-counters. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

static struct bytes section(struct bytes in, const char *name)
{
	struct bytes found = BYTES_NONE;

	ck_assert_msg(vici_find(in, VICI_SECTION_START, name, &found), "%s", name);
	return found;
}

/* Of "counters": the section `conn` has this value. */
static void ck_counter(const char *conn, const char *key, const char *expected)
{
	char *value = vici_find_str(section(section(p.got.message, "counters"), conn), key);

	ck_assert_pstr_eq(value, expected);
	free(value);
}

static bool has_section(const char *conn)
{
	struct bytes found;

	return vici_find(section(p.got.message, "counters"), VICI_SECTION_START, conn, &found);
}

/* What a worker does with messages of an IKE_SA of this connection. */
static void count(const char *conn, unsigned shard, enum sa_counter which, unsigned n)
{
	struct sa_ctx ctx = { .shard = shard };

	while (n--)
		sa_count(&ctx, config_conn(lab.workers.config, conn), which);
	ck_assert_uint_gt(ctx.counters[which], 0);
}

/* The recorded reply: names, their order, what stands where. */
START_TEST(global_ones_as_recorded)
{
	char *path = xasprintf("%s/vici/counters.s2c.bin", VECTORS);
	uint64_t *c = lab.workers.counters;
	uint8_t expected[1024];
	FILE *f = fopen(path, "rb");
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(expected, 1, sizeof(expected), f);
	fclose(f);
	free(path);
	c[SA_COUNTER_IKE_REKEY_RESP] = 1;
	c[SA_COUNTER_CHILD_REKEY] = c[SA_COUNTER_INIT_IN_REQ] = c[SA_COUNTER_INIT_OUT_RESP] = 2;
	c[SA_COUNTER_AUTH_IN_REQ] = c[SA_COUNTER_AUTH_OUT_RESP] = 2;
	c[SA_COUNTER_CHILD_IN_REQ] = c[SA_COUNTER_CHILD_OUT_RESP] = 4;
	c[SA_COUNTER_INFO_IN_REQ] = c[SA_COUNTER_INFO_OUT_RESP] = 6;
	c[SA_COUNTER_STALE] = c[SA_COUNTER_REPEAT] = 99; /* not told */
	peer_ask(&p, "get-counters", NULL);
	ck_assert_uint_eq(p.packet.n + 4, n);
	ck_assert_mem_eq(p.packet.p, expected + 4, p.packet.n);
}
END_TEST

START_TEST(global_ones_are_reset_alone)
{
	lab.workers.counters[SA_COUNTER_INVALID] = 3;
	lab.workers.counters[SA_COUNTER_AUTH_FAILED] = 4;
	lab.workers.counters[SA_COUNTER_INVALID_SPI] = 5;
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	count("site", 0, SA_COUNTER_INFO_IN_REQ, 1);
	peer_ask(&p, "get-counters", NULL);
	ck_counter("", "invalid", "7");
	ck_counter("", "invalid-spi", "5");
	peer_ask(&p, "reset-counters", NULL);
	peer_succeeded(&p);
	lab.workers.counters[SA_COUNTER_INVALID_SPI] = 7;
	peer_ask(&p, "get-counters", NULL);
	ck_counter("", "invalid", "0");
	ck_counter("", "invalid-spi", "2");
	peer_ask(&p, "get-counters", "name", "site", NULL);
	ck_counter("site", "info-in-req", "1");
}
END_TEST

START_TEST(of_connections)
{
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	peer_load_conn(&p, "other", false, (const char *const[]){ "net", NULL });
	peer_ask(&p, "get-counters", "name", "site", NULL); /* nothing was counted yet */
	peer_failed(&p, "no counters found for this connection");
	count("site", 0, SA_COUNTER_INFO_IN_REQ, 2);
	count("site", 1, SA_COUNTER_INFO_IN_REQ, 3);
	count("site", CONN_COUNTER_SHARDS, SA_COUNTER_INFO_IN_REQ, 4); /* more workers than places */
	count("site", 1, SA_COUNTER_STALE, 1);			       /* of all only */
	peer_ask(&p, "get-counters", "all", "yes", NULL);
	peer_succeeded(&p);
	ck_counter("site", "info-in-req", "9");
	ck_counter("site", "info-out-resp", "0");
	ck_assert(!has_section("other"));
	ck_assert(!has_section(""));
	peer_ask(&p, "get-counters", "name", "nope", NULL);
	peer_failed(&p, "no counters found for this connection");
}
END_TEST

START_TEST(of_connections_over_reload_and_reset)
{
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	peer_load_conn(&p, "other", false, (const char *const[]){ "net", NULL });
	count("site", 0, SA_COUNTER_CHILD_REKEY, 2);
	count("other", 0, SA_COUNTER_CHILD_REKEY, 2);
	peer_load_conn_with(&p, "site", "somebody.else", false, (const char *const[]){ "net", NULL });
	count("site", 0, SA_COUNTER_CHILD_REKEY, 1);
	peer_ask(&p, "get-counters", "name", "site", NULL);
	ck_counter("site", "child-rekey", "3");
	peer_ask(&p, "reset-counters", "name", "site", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "reset-counters", "name", "nope", NULL); /* nothing to do */
	peer_succeeded(&p);
	count("site", 0, SA_COUNTER_CHILD_REKEY, 1);
	peer_ask(&p, "get-counters", "all", "yes", NULL);
	ck_counter("site", "child-rekey", "1");
	ck_counter("other", "child-rekey", "2");
	lab.workers.counters[SA_COUNTER_CHILD_REKEY] = 6;
	peer_ask(&p, "reset-counters", "all", "yes", NULL); /* of connections, not the global ones */
	peer_ask(&p, "get-counters", "all", "yes", NULL);
	ck_counter("other", "child-rekey", "0");
	peer_ask(&p, "get-counters", NULL);
	ck_counter("", "child-rekey", "6");
	/* a new connection of an old name begins anew */
	peer_ask(&p, "unload-conn", "name", "other", NULL);
	peer_load_conn(&p, "other", false, (const char *const[]){ "net", NULL });
	peer_ask(&p, "get-counters", "name", "other", NULL);
	peer_failed(&p, "no counters found for this connection");
}
END_TEST

TCase *control_counter_tests(void)
{
	TCase *t = tcase_create("counters");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, global_ones_as_recorded);
	tcase_add_test(t, global_ones_are_reset_alone);
	tcase_add_test(t, of_connections);
	tcase_add_test(t, of_connections_over_reload_and_reset);
	return t;
}
