/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "side.h"
#include "util/bytes.h"

/* Requests about some of many IKE_SAs: those of one connection, more than a worker looks at in one turn. */

#define SITES 5
#define LARGE 300 /* IKE_SAs of the first; the others have one, two, ... */

static void sites_start(struct side *a, struct side *b)
{
	struct side_setup setup = { .workers = 2 };
	struct buf conf = { 0 };

	side_start(b, &setup, SIDE_B, 0);
	buf_add_str(&conf, "connections {\n");
	for (unsigned i = 0; i < SITES; i++)
		buf_printf(&conf,
			   "site%u { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.1\n remote_port = %u\n"
			   " proposals = aes128gcm16-prfsha256-x25519\n unique = never\n local { auth = psk\n id = a.load }\n"
			   " remote { auth = psk\n id = b.load }\n children { " SIDE_CHILD("net", "10.1.0.0/24", "10.2.0.0/24") " } }\n",
			   i, side_port(b));
	buf_add_str(&conf, "}\nsecrets { ike { secret = \"load\" } }\n");
	setup.config = side_config(buf_str(&conf), 0);
	side_start(a, &setup, NULL, 0);
	buf_free(&conf);
	side_up(a, "site0", "net", LARGE);
	for (unsigned i = 1; i < SITES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "site%u", i);
		side_up(a, name, "net", i);
	}
}

static unsigned sites_find(struct side *s, const char *conn)
{
	unsigned n = 0;

	workers_find(s->w, 3, s->box, conn);
	for (;;) {
		struct worker_reply *r = side_next(s);
		bool done = r->mail.kind == WORKER_REPLY_DONE;

		worker_reply_free(r);
		if (done)
			return n;
		n++;
	}
}

START_TEST(names)
{
	struct worker_select large = { .ike = "site0" }, third = { .ike = "site3" }, none = { .ike = "site9" };
	unsigned all = LARGE + SITES * (SITES - 1) / 2;
	struct side a, b;

	sites_start(&a, &b);
	ck_assert_uint_eq(sites_find(&a, "site0"), LARGE);
	ck_assert_uint_eq(sites_find(&a, "site3"), 3);
	ck_assert_uint_eq(sites_find(&a, "site9"), 0);
	ck_assert_uint_eq(side_list(&a, &third).established, 3);
	ck_assert_uint_eq(side_list(&a, &large).established, LARGE);
	ck_assert_uint_eq(side_list(&a, &none).sas, 0);
	ck_assert_uint_eq(side_list(&a, NULL).established, all);
	ck_assert_uint_eq(side_stats(&a).ike_sas, all);
	ck_assert_uint_eq(side_terminate(&a, &none, false), 0);
	ck_assert_uint_eq(side_terminate(&a, &third, false), 3);
	ck_assert_uint_eq(sites_find(&a, "site3"), 0);
	ck_assert_uint_eq(sites_find(&a, "site4"), 4);
	/* a name that is gone comes back */
	side_up(&a, "site3", "net", 2);
	ck_assert_uint_eq(sites_find(&a, "site3"), 2);
	ck_assert_uint_eq(side_stats(&a).ike_sas, all - 1);
	ck_assert_uint_eq(side_stats(&b).ike_sas, all - 1);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

/* In slices, and each once. */
START_TEST(slices)
{
	struct worker_select large = { .ike = "site0" }, child = { .ike = "site0", .child = "net" };
	unsigned others = SITES * (SITES - 1) / 2;
	struct side a, b;

	sites_start(&a, &b);
	ck_assert_uint_eq(side_terminate(&a, &child, false), LARGE);
	ck_assert_uint_eq(side_list(&a, NULL).children, others);
	ck_assert_uint_eq(side_terminate(&a, &large, false), LARGE);
	ck_assert_uint_eq(side_list(&a, NULL).sas, others);
	ck_assert_uint_eq(side_list(&b, NULL).sas, others);
	ck_assert_uint_eq(side_stats(&b).ike_sas, others);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

TCase *test_many(void)
{
	TCase *t = tcase_create("many");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, names);
	tcase_add_test(t, slices);
	return t;
}
