/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "test_kernel.h"

#include "kernel/kernel.h"

static bool probe_no_tun(const struct settings *settings, struct errtext *err)
{
	errtext_set(err, "no /dev/net/tun");
	return false;
}

static bool probe_no_xfrm(const struct settings *settings, struct errtext *err)
{
	errtext_set(err, "no XFRM");
	return false;
}

static const struct kernel_ops null_ops = { .name = "kernel-null" };
static const struct kernel_ops userland_ops = { .name = "kernel-userland" };
static const struct kernel_ops netlink_ops = { .name = "kernel-netlink" };
static const struct kernel_ops userland_bad = { .name = "kernel-userland", .probe = probe_no_tun };
static const struct kernel_ops netlink_bad = { .name = "kernel-netlink", .probe = probe_no_xfrm };

START_TEST(test_auto_prefers_netlink)
{
	struct kernel_registry *r = kernel_registry_new();
	struct errtext err = { "" };

	ck_assert(kernel_add_backend(r, &null_ops));
	ck_assert(kernel_add_backend(r, &userland_ops));
	ck_assert_ptr_eq(kernel_choose(r, NULL, NULL, &err), &userland_ops);
	ck_assert_str_eq(kernel_chosen_why(r), "kernel-netlink: not loaded");
	ck_assert(kernel_add_backend(r, &netlink_ops));
	ck_assert_ptr_eq(kernel_choose(r, NULL, NULL, &err), &netlink_ops);
	ck_assert_ptr_eq(kernel_choose(r, "auto", NULL, &err), &netlink_ops);
	ck_assert_str_eq(kernel_chosen_why(r), "it is the first choice, and works");
	ck_assert_ptr_eq(kernel_choose(r, "userland", NULL, &err), &userland_ops);
	ck_assert_ptr_eq(kernel_choose(r, "kernel-null", NULL, &err), &null_ops);
	ck_assert(!kernel_add_backend(r, &userland_bad));
	kernel_remove_backend(r, &netlink_ops);
	ck_assert_ptr_eq(kernel_choose(r, "auto", NULL, &err), &userland_ops);
	kernel_registry_free(r);
}
END_TEST

START_TEST(test_auto_never_null)
{
	struct kernel_registry *r = kernel_registry_new();
	struct errtext err = { "" };

	ck_assert(kernel_add_backend(r, &null_ops));
	ck_assert(kernel_add_backend(r, &netlink_bad));
	ck_assert_ptr_null(kernel_choose(r, "auto", NULL, &err));
	ck_assert_str_eq(err.s, "no IPsec backend works here: kernel-netlink: no XFRM; kernel-userland: not loaded");
	ck_assert(kernel_add_backend(r, &userland_bad));
	ck_assert_ptr_null(kernel_choose(r, NULL, NULL, &err));
	ck_assert_str_eq(err.s,
			 "no IPsec backend works here: kernel-netlink: no XFRM; kernel-userland: no /dev/net/tun");
	kernel_registry_free(r);
}
END_TEST

START_TEST(test_named_says_why)
{
	struct kernel_registry *r = kernel_registry_new();
	struct errtext err = { "" };

	ck_assert_ptr_null(kernel_choose(r, "pfkey", NULL, &err));
	ck_assert_str_eq(err.s, "no IPsec backend is named 'pfkey' (there is: none)");
	ck_assert(kernel_add_backend(r, &userland_bad));
	ck_assert(kernel_add_backend(r, &null_ops));
	ck_assert_ptr_null(kernel_choose(r, "pfkey", NULL, &err));
	ck_assert_str_eq(err.s, "no IPsec backend is named 'pfkey' (there is: kernel-userland, kernel-null)");
	ck_assert_ptr_null(kernel_choose(r, "userland", NULL, &err));
	ck_assert_str_eq(err.s, "kernel-userland cannot work here: no /dev/net/tun");
	kernel_registry_free(r);
}
END_TEST

TCase *tcase_registry(void)
{
	TCase *tc = tcase_create("registry");

	tcase_add_test(tc, test_auto_prefers_netlink);
	tcase_add_test(tc, test_auto_never_null);
	tcase_add_test(tc, test_named_says_why);
	return tc;
}
