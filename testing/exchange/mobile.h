/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_MOBILE_H
#define BEWICK_TESTING_EXCHANGE_MOBILE_H

#include <check.h>
#include <string.h>

#include "confs.h"
#include "lab.h"
#include "sa/mobike.h"

/* Two endpoints with MOBIKE. a began the first IKE_SA, so it decides where that is. */

#define A1 "192.0.2.1"
#define A2 "198.51.100.1"
#define B1 "192.0.2.2"
#define B2 "198.51.100.2"
#define ANY_A "connections { net { version = 2\n remote_addrs = 192.0.2.2\n" CONF_IKE "\n"
#define ANY_B "connections { net { version = 2\n" CONF_IKE "\n"
#define REST_A(MORE) MORE " local { auth = psk\n id = a.test }\n remote { auth = psk\n id = b.test }\n"                  \
	" children { " CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP) " } } }\n" CONF_SECRET
#define REST_B(MORE) MORE " local { auth = psk\n id = b.test }\n remote { auth = psk\n id = a.test }\n"                  \
	" children { " CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP) " } } }\n" CONF_SECRET
#define MOBILE_A ANY_A REST_A("")
#define MOBILE_B ANY_B REST_B("")

static inline struct addr address(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(text), &a));
	return a;
}

static inline bool is_at(const struct ike_sa *sa, const char *local, const char *remote)
{
	struct addr l = address(local), r = address(remote);

	return addr_equal_ip(&sa->local, &l) && addr_equal_ip(&sa->remote, &r);
}

/* Up with the child "one", both with known addresses. */
static inline struct lab *mobile_up(const char *conf_a, const char *conf_b, const char *addrs_a, const char *addrs_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_roam(&lab->a, addrs_a);
	lab_roam(&lab->b, addrs_b);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	return lab;
}

static inline struct lab *mobile(void)
{
	return mobile_up(MOBILE_A, MOBILE_B, A1, B1);
}

/* Both agree on where they are, nothing is pending and no child was lost or rekeyed. */
static inline void all_at(struct lab *lab, const char *a, const char *b)
{
	struct ike_sa *sa = lab_sa(&lab->a), *sb = lab_sa(&lab->b);

	ck_assert(sa && sb);
	ck_assert_msg(is_at(sa, a, b), "a is at %s...%s", addr_format(&sa->local).s, addr_format(&sa->remote).s);
	ck_assert_msg(is_at(sb, b, a), "b is at %s...%s", addr_format(&sb->local).s, addr_format(&sb->remote).s);
	ck_assert(!sa->outstanding && !sb->outstanding && !sa->unchecked && !sb->unchecked);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN) + lab_count(&lab->a, SA_EVENT_CHILD_REKEY), 0);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN) + lab_count(&lab->b, SA_EVENT_CHILD_REKEY), 0);
	lab_check(lab);
}

/* The notify of a packet under way; NULL: it has none. */
static inline bool has_notify(struct lab *lab, size_t i, unsigned type)
{
	struct arena a = { 0 };
	struct payload_list in;
	struct ike_header h;
	bool found;

	lab_peek(lab, i, &a, &h, &in);
	found = payload_notify(&in, type) != NULL;
	arena_free(&a);
	return found;
}

#endif
