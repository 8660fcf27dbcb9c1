/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/signer.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "key_test.h"
#include "util/log.h"
#include "util/mem.h"

static struct signer *signer_new(void)
{
	struct errtext err = { "" };
	struct signer *s = signer_start(&err);

	ck_assert_msg(s, "%s", err.s);
	return s;
}

static struct private_key *signer_load(struct signer *s, const struct test_key *k)
{
	struct errtext err = { "" };
	struct private_key *p = signer_key_parse(s, buf_bytes(&k->pkcs8), KEY_ANY, &err);

	ck_assert_msg(p, "%s: %s", k->name, err.s);
	return p;
}

static struct sig_scheme scheme_of(const struct public_key *k)
{
	struct sig_scheme s;
	unsigned method;

	ck_assert(sig_scheme_choose(k, SIG_HASHES, 0, false, &s, &method));
	return s;
}

static bool sign_once(const struct private_key *k, struct errtext *err)
{
	struct bytes parts[3] = { bytes_str("message"), bytes_str("nonce"), bytes_str("mac") };
	struct sig_scheme s = scheme_of(k->public);
	struct buf made = { NULL, 0, 0 };
	bool ok = private_key_sign(k, &s, parts, 3, &made, err);

	if (ok)
		ck_assert_result(public_key_verify(k->public, &s, parts, 3, buf_bytes(&made)), "signature");
	buf_free(&made);
	return ok;
}

START_TEST(signs_with_all_keys)
{
	struct signer *s = signer_new();
	struct private_key *keys[TEST_KEYS];
	struct errtext err = { "" };

	for (size_t i = 0; i < n_test_keys; i++)
		keys[i] = signer_load(s, &test_keys[i]);
	for (size_t i = 0; i < n_test_keys; i++) {
		ck_assert(!keys[i]->ops->quick);
		ck_assert(public_key_equal(keys[i]->public, test_keys[i].private->public));
		ck_assert_msg(sign_once(keys[i], &err), "%s: %s", test_keys[i].name, err.s);
	}
	/* places of keys that are gone are used again, and the others stay what they are */
	private_key_unref(keys[1]);
	keys[1] = signer_load(s, &test_keys[2]);
	for (size_t i = 0; i < n_test_keys; i++) {
		ck_assert_msg(sign_once(keys[i], &err), "%s: %s", test_keys[i].name, err.s);
		private_key_unref(keys[i]);
	}
	signer_stop(s);
}
END_TEST

START_TEST(says_what_is_wrong)
{
	struct signer *s = signer_new();
	struct errtext err = { "" };
	struct bytes one = bytes_str("x");
	struct sig_scheme other = { SIG_ECDSA, HASH_SHA2_256, 0 };
	struct private_key *k = signer_load(s, test_key("rsa-2048"));
	struct buf made = { NULL, 0, 0 };
	uint8_t *large = xcalloc(1, 100000);

	ck_assert_ptr_null(signer_key_parse(s, bytes_str("nonsense"), KEY_ANY, &err));
	ck_assert_str_eq(err.s, "it is not a private key in DER or PEM");
	ck_assert_ptr_null(signer_key_parse(s, buf_bytes(&test_key("ed448")->pkcs8), KEY_RSA, &err));
	ck_assert_str_eq(err.s, "it is a key of type ED448, not RSA");
	ck_assert_ptr_null(signer_key_parse(s, bytes_of(large, 100000), KEY_ANY, &err));
	ck_assert_str_eq(err.s, "that is too long for the process that signs");
	ck_assert(!k->ops->sign(k, &other, &one, 1, &made, &err));
	ck_assert_str_eq(err.s, "a key of type RSA 2048 cannot make a signature ECDSA_WITH_SHA256_DER");
	ck_assert_uint_eq(made.n, 0);
	ck_assert(sign_once(k, &err)); /* and all goes on */
	private_key_unref(k);
	free(large);
	signer_stop(s);
}
END_TEST

static unsigned long status_field(pid_t pid, const char *name, int base)
{
	char path[64], line[256];
	unsigned long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, base);
	}
	fclose(f);
	return value;
}

/* The process has its channels and no other descriptor, no user's rights, no capability, and no way out. */
START_TEST(is_confined)
{
	int leak = dup(STDERR_FILENO); /* one more that has no business there */
	struct signer *s = signer_new();
	pid_t pid = signer_pid(s);
	unsigned descriptors = 0;
	struct dirent *e;
	char path[64];
	DIR *dir;

	ck_assert_int_ge(leak, 0);
	ck_assert_uint_eq(status_field(pid, "CapEff:", 16), 0);
	ck_assert_uint_eq(status_field(pid, "CapPrm:", 16), 0);
	ck_assert_uint_eq(status_field(pid, "NoNewPrivs:", 10), 1);
	ck_assert_uint_eq(status_field(pid, "Seccomp:", 10), *signer_lacks(s) ? 0 : 2);
	if (geteuid() == 0) {
		ck_assert_uint_eq(status_field(pid, "Uid:", 10), 65534);
		ck_assert_uint_eq(status_field(pid, "Gid:", 10), 65534);
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
		dir = opendir(path);
		ck_assert_ptr_nonnull(dir);
		while ((e = readdir(dir)))
			descriptors += e->d_name[0] != '.';
		closedir(dir);
		ck_assert_uint_eq(descriptors, 4);
	}
	close(leak);
	signer_stop(s);
	ck_assert_int_ne(kill(pid, 0), 0); /* waited for */
}
END_TEST

static void *sign_many(void *arg)
{
	struct errtext err = { "" };

	for (int i = 0; i < 50; i++) {
		if (!sign_once(arg, &err))
			return arg;
	}
	return NULL;
}

/* More threads than channels. */
START_TEST(serves_threads)
{
	struct signer *s = signer_new();
	struct private_key *keys[2] = { signer_load(s, test_key("ecdsa-P-256")), signer_load(s, test_key("ed25519")) };
	pthread_t threads[8];
	void *failed;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_many, keys[i % 2]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	private_key_unref(keys[0]);
	private_key_unref(keys[1]);
	signer_stop(s);
}
END_TEST

static void lines_take(void *arg, const struct log_event *ev)
{
	buf_add(arg, ev->msg, ev->msg_len);
	buf_add_str(arg, "\n");
}

/* When it crashes its keys are lost; that is said, once in the log, nothing waits for it, and the next one can be given keys. */
START_TEST(crash_is_said)
{
	struct buf lines = { NULL, 0, 0 };
	int8_t levels[LOG_GROUPS] = { 0 };
	struct log_sink *sink = log_sink_add(levels, lines_take, &lines);
	struct signer *s = signer_new();
	struct private_key *k = signer_load(s, test_key("ed25519")), *again;
	struct errtext err = { "" };
	pid_t before = signer_pid(s);

	ck_assert_int_eq(kill(before, SIGKILL), 0);
	while (sign_once(k, &err)) /* until it is dead */
		sched_yield();
	ck_assert_str_eq(err.s, "the process that signs does not answer, or has ended: see the log");
	for (int i = 0; i < 10; i++)
		ck_assert(!sign_once(k, &err));
	ck_assert_str_eq(err.s, "the process that signs was begun anew, and does not have this key: load the private keys again (swanctl "
				"--load-creds)");
	ck_assert_int_ne(signer_pid(s), before);
	ck_assert_int_ne(signer_pid(s), 0);
	again = signer_load(s, test_key("rsa-2048")); /* has the number that the lost one had */
	ck_assert(sign_once(again, &err));
	ck_assert(!sign_once(k, &err));
	private_key_unref(k);
	ck_assert(sign_once(again, &err));
	log_sink_remove(sink);
	ck_assert_msg(strstr(buf_str(&lines), "has ended (signal 9): the private keys in it are lost. Another one runs, "), "%s", buf_str(&lines));
	ck_assert_ptr_eq(strchr(buf_str(&lines), '\n') + 1, buf_str(&lines) + lines.n);
	private_key_unref(again);
	signer_stop(s);
	buf_free(&lines);
}
END_TEST

static void look_till(struct signer *s, bool more)
{
	struct pollfd p = { .fd = signer_fd(s), .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(signer_look(s), more);
}

/* Also when nobody signs. */
START_TEST(crash_is_seen)
{
	struct signer *s = signer_new();
	struct errtext err = { "" };
	struct private_key *k;
	pid_t before = signer_pid(s);

	ck_assert(signer_look(s)); /* nothing is new */
	ck_assert_int_eq(signer_pid(s), before);
	ck_assert_int_eq(kill(before, SIGKILL), 0);
	look_till(s, true);
	ck_assert_int_ne(signer_pid(s), before);
	k = signer_load(s, test_key("ecdsa-P-256"));
	ck_assert(sign_once(k, &err));
	private_key_unref(k);
	signer_stop(s);
}
END_TEST

/* Without what would begin another one. */
START_TEST(keeper_crashes)
{
	struct signer *s = signer_new();
	struct private_key *k = signer_load(s, test_key("ecdsa-P-256"));
	struct errtext err = { "" };
	pid_t keeper = (pid_t)status_field(signer_pid(s), "PPid:", 10);

	ck_assert_int_ne(keeper, getpid());
	ck_assert_int_eq(kill(keeper, SIGKILL), 0);
	look_till(s, false);
	ck_assert(sign_once(k, &err));
	ck_assert_int_eq(kill(signer_pid(s), SIGKILL), 0);
	while (sign_once(k, &err))
		sched_yield();
	ck_assert(!sign_once(k, &err));
	ck_assert_msg(strstr(err.s, "the process that signs"), "%s", err.s);
	for (int i = 0; i < 10; i++)
		ck_assert(!sign_once(k, &err));
	ck_assert_ptr_null(signer_key_parse(s, buf_bytes(&test_key("ed25519")->pkcs8), KEY_ANY, &err));
	ck_assert_str_eq(err.s, "the process that signs has ended, and another one has not begun: see the log");
	private_key_unref(k);
	signer_stop(s);
}
END_TEST

/* Keys may outlive it. */
START_TEST(key_after_stop)
{
	struct signer *s = signer_new();
	struct private_key *k = signer_load(s, test_key("ecdsa-P-384"));
	struct errtext err = { "" };

	ck_assert(sign_once(k, &err));
	signer_stop(s);
	ck_assert(!sign_once(k, &err));
	private_key_unref(k);
	signer_stop(NULL);
}
END_TEST

Suite *suite_signer(void)
{
	Suite *s = suite_create("signer");
	TCase *t = tcase_create("signer");

	tcase_add_unchecked_fixture(t, test_keys_load, test_keys_free);
	tcase_add_test(t, signs_with_all_keys);
	tcase_add_test(t, says_what_is_wrong);
	tcase_add_test(t, is_confined);
	tcase_add_test(t, serves_threads);
	tcase_add_test(t, crash_is_said);
	tcase_add_test(t, crash_is_seen);
	tcase_add_test(t, keeper_crashes);
	tcase_add_test(t, key_after_stop);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
