/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/signer.h"
#include "key_test.h"
#include "proto/iana.h"
#include "testing/lib/token_mock.h"
#include "util/mem.h"

/* Tokens that misbehave, by a module of ours. */

#define MOCK MODULES "/token-mock.so"

static struct token_mock *mock;
static const uint8_t id[] = { 0x01 };
static const struct sig_scheme ecdsa = { SIG_ECDSA, HASH_SHA2_256, 0 };

static void mock_open(void)
{
	void *handle = dlopen(MOCK, RTLD_NOW | RTLD_LOCAL);

	ck_assert_msg(handle, "%s", dlerror());
	mock = dlsym(handle, "token_mock");
	ck_assert_ptr_nonnull(mock);
	memset((void *)mock, 0, sizeof(*mock));
	strcpy(mock->pin, "1234");
	token_modules_set(&(struct token_module_conf){ "mock", MOCK }, 1, 200);
}

static void mock_close(void)
{
	atomic_store(&mock->hang, false);
	tokens_close();
	ck_assert_int_eq(atomic_load(&mock->sessions), 0);
	ck_assert_int_ge(atomic_load(&mock->finalized), 1);
}

static struct private_key *load(const char *pin, struct errtext *err)
{
	return private_key_from_token(&(struct token_ref){ .handle = { id, 1 }, .slot = -1, .pin = pin }, err);
}

static struct private_key *loaded(void)
{
	struct errtext err;
	struct private_key *k = load("1234", &err);

	ck_assert_msg(k, "%s", err.s);
	return k;
}

static bool sign(const struct private_key *k, struct errtext *err)
{
	struct bytes part = bytes_str("message");
	struct buf made = { NULL, 0, 0 };
	bool ok = private_key_sign(k, &ecdsa, &part, 1, &made, err);

	if (ok)
		ck_assert_result(public_key_verify(k->public, &ecdsa, &part, 1, buf_bytes(&made)), "mock");
	buf_free(&made);
	return ok;
}

static void signs(const struct private_key *k)
{
	struct errtext err = { "" };

	ck_assert_msg(sign(k, &err), "%s", err.s);
}

static void signs_not(const struct private_key *k, const char *why)
{
	struct errtext err = { "" };

	ck_assert(!sign(k, &err));
	ck_assert_str_eq(err.s, why);
}

#define AT "PKCS#11 module mock, token 'mock' in slot 7: "

START_TEST(comes_back)
{
	struct private_key *k = loaded();

	signs(k);
	signs(k);
	ck_assert_int_eq(atomic_load(&mock->logins), 1);
	atomic_store(&mock->gone, true);
	signs_not(k, AT "no session with the token: there is no token in it");
	signs_not(k, AT "no session with the token: there is no token in it");
	atomic_store(&mock->gone, false);
	signs(k);
	ck_assert_int_eq(atomic_load(&mock->logins), 2);
	ck_assert_int_eq(atomic_load(&mock->tries), 0);
	private_key_unref(k);
}
END_TEST

/* A session that is lost every time is begun anew once, not for ever. */
START_TEST(is_tried_twice)
{
	struct private_key *k = loaded();

	atomic_store(&mock->broken, true);
	signs_not(k, AT "signing with the ECDSA 256 key (CKM_ECDSA): the session is not there any more");
	ck_assert_int_eq(atomic_load(&mock->logins), 2);
	atomic_store(&mock->broken, false);
	signs(k);
	private_key_unref(k);
}
END_TEST

/* Of wrong PINs there is one, whoever asks and how often: tokens lock themselves. */
START_TEST(wrong_pins_are_not_repeated)
{
	struct private_key *k = loaded();
	struct errtext err;

	ck_assert_ptr_null(load("9999", &err));
	ck_assert_str_eq(err.s, AT "logging in: PIN incorrect");
	ck_assert_int_eq(atomic_load(&mock->tries), 1);
	signs(k); /* logged in as before */
	strcpy(mock->pin, "4321");
	atomic_store(&mock->gone, true);
	ck_assert(!sign(k, &err));
	atomic_store(&mock->gone, false);
	signs_not(k, AT "logging in again: PIN incorrect; one more wrong one locks the token");
	for (int i = 0; i < 5; i++)
		signs_not(k, AT "the token has refused the PIN since the key was loaded: it must be loaded again, with the right one");
	ck_assert_int_eq(atomic_load(&mock->tries), 2);
	private_key_unref(k);
	k = load("4321", &err);
	ck_assert_msg(k, "%s", err.s);
	signs(k);
	private_key_unref(k);
}
END_TEST

START_TEST(another_key_is_not_ours)
{
	struct private_key *k = loaded();
	struct errtext err;

	signs(k);
	atomic_store(&mock->gone, true);
	ck_assert(!sign(k, &err));
	atomic_store(&mock->other_key, 1);
	atomic_store(&mock->gone, false);
	signs_not(k, AT "another key has the handle of the ECDSA 256 key now");
	atomic_store(&mock->other_key, 0);
	signs(k);
	private_key_unref(k);
}
END_TEST

START_TEST(says_what_it_cannot)
{
	struct private_key *k;
	struct errtext err;

	ck_assert_ptr_null(load(NULL, &err));
	ck_assert_str_eq(err.s, AT "it shows no private key with the handle 01, and may do so when it is given its PIN");
	atomic_store(&mock->no_mechanism, true);
	ck_assert_ptr_null(load("1234", &err));
	ck_assert_str_eq(err.s, AT "the token makes no signatures with ECDSA keys (CKM_ECDSA)");
	atomic_store(&mock->no_mechanism, false);
	k = loaded();
	atomic_store(&mock->garbage, true);
	signs_not(k, AT "the token's signature is 31 bytes long, which it cannot be");
	atomic_store(&mock->garbage, false);
	private_key_unref(k);
	atomic_store(&mock->gone, true);
	ck_assert_ptr_null(load("1234", &err));
	ck_assert_str_eq(err.s, "PKCS#11 module mock has no token");
}
END_TEST

START_TEST(pin_for_each_signature)
{
	struct private_key *k;

	atomic_store(&mock->always_authenticate, true);
	k = loaded();
	signs(k);
	signs(k);
	private_key_unref(k);
}
END_TEST

/* The PIN is not kept longer than a key is in use: the next who uses the module ends what was open. */
START_TEST(nothing_stays_open)
{
	struct private_key *a = loaded(), *b = loaded();
	struct errtext err;

	ck_assert_int_eq(atomic_load(&mock->logins), 1);
	private_key_unref(a);
	signs(b);
	ck_assert_int_eq(atomic_load(&mock->sessions), 1);
	private_key_unref(b);
	ck_assert_ptr_null(load(NULL, &err));
	ck_assert_int_eq(atomic_load(&mock->sessions), 0);
}
END_TEST

static void *hanging(void *arg)
{
	signs(arg);
	return NULL;
}

/* One thread is lost to a token that hangs; others are told after a while, and at once when the while is over. */
START_TEST(hangs_for_one)
{
	struct private_key *k = loaded();
	struct errtext err = { "" };
	pthread_t thread;

	atomic_store(&mock->hang, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, hanging, k), 0);
	while (atomic_load(&mock->waiting) == 0)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		ck_assert(!sign(k, &err));
		ck_assert_msg(strstr(err.s, "PKCS#11 module mock is busy, its last answer is"), "%s", err.s);
	}
	ck_assert_ptr_null(load("1234", &err));
	ck_assert_int_eq(atomic_load(&mock->waiting), 1);
	atomic_store(&mock->hang, false);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	signs(k);
	private_key_unref(k);
}
END_TEST

Suite *suite_token_mock(void)
{
	Suite *s = suite_create("token_mock");
	TCase *t = tcase_create("token_mock");

	if (access(MOCK, R_OK) != 0) {
		printf("token_mock: skipped, there is no module\n"); /* static builds */
		return s;
	}
	tcase_add_checked_fixture(t, mock_open, mock_close);
	tcase_add_test(t, comes_back);
	tcase_add_test(t, is_tried_twice);
	tcase_add_test(t, wrong_pins_are_not_repeated);
	tcase_add_test(t, another_key_is_not_ours);
	tcase_add_test(t, says_what_it_cannot);
	tcase_add_test(t, pin_for_each_signature);
	tcase_add_test(t, nothing_stays_open);
	tcase_add_test(t, hangs_for_one);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
