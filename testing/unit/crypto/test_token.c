/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/signer.h"
#include "key_test.h"
#include "util/mem.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define SOFTHSM_TOO "/usr/lib/softhsm/../softhsm/libsofthsm2.so"

/* A token of SoftHSM in a directory of our own, with an RSA key of id 01, an ECDSA key of id a2b3, and one of id 04 without its public key. */
static char token_dir[] = "/tmp/bewick-token-XXXXXX";
static long long token_slot = -1;

static void run(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void import(const char *name, const char *id, const char *options)
{
	struct bytes der = buf_bytes(&test_key(name)->pkcs8);
	char path[128], command[512];
	FILE *f;
	char *text = xmalloc(4 * ((der.n + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)text, der.p, (int)der.n);
	snprintf(path, sizeof(path), "%s/key.pem", token_dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", text);
	fclose(f);
	free(text);
	snprintf(command, sizeof(command), "softhsm2-util --import %s --token bewick --label %s --id %s --pin 1234 %s >/dev/null 2>&1", path,
		 name, id, options);
	run(command);
}

static void slot_find(void)
{
	char line[256];
	FILE *f = popen("softhsm2-util --show-slots", "r");
	long long slot = -1;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "Slot %lld", &slot);
		if (strstr(line, "Label:") && strstr(line, "bewick"))
			token_slot = slot;
	}
	pclose(f);
	ck_assert_int_ge(token_slot, 0);
}

static void token_open(void)
{
	char path[128];
	FILE *f;

	test_keys_load();
	ck_assert_ptr_nonnull(mkdtemp(token_dir));
	snprintf(path, sizeof(path), "%s/conf", token_dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", token_dir);
	fclose(f);
	setenv("SOFTHSM2_CONF", path, 1);
	snprintf(path, sizeof(path), "%s/tokens", token_dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	run("softhsm2-util --init-token --free --label bewick --so-pin 5678 --pin 1234 >/dev/null");
	import("rsa-2048", "01", "");
	import("ecdsa-P-256", "a2b3", "");
	import("ecdsa-P-384", "04", "--no-public-key");
	slot_find();
}

static void token_close(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", token_dir);
	run(command);
	test_keys_free();
}

static void modules_of_test(void)
{
	static const struct token_module modules[] = { { "soft", SOFTHSM }, { "none", "/nonexistent/module.so" } };

	token_modules_set(modules, 2);
}

static void signs(const struct token_ref *t, const char *name)
{
	static const struct sig_scheme schemes[] = { { SIG_RSA_PKCS1, HASH_SHA2_256, 0 },
						     { SIG_RSA_PSS, HASH_SHA2_256, 32 },
						     { SIG_ECDSA, HASH_SHA2_256, 0 } };
	struct bytes parts[2] = { bytes_str("message"), bytes_str("nonce") };
	struct errtext err = { "" };
	struct private_key *k = private_key_from_token(t, &err);
	unsigned made = 0;

	ck_assert_msg(k, "%s: %s", name, err.s);
	ck_assert(!k->ops->quick);
	ck_assert(public_key_equal(k->public, test_key(name)->private->public));
	ck_assert_bytes(bytes_of(k->public->id, KEY_ID_LEN), bytes_of(test_key(name)->private->public->id, KEY_ID_LEN), name);
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct buf signature = { NULL, 0, 0 };

		if (!sig_scheme_fits(&schemes[i], k->public))
			continue;
		ck_assert_msg(private_key_sign(k, &schemes[i], parts, 2, &signature, &err), "%s %s: %s", name,
			      sig_scheme_name(&schemes[i]), err.s);
		ck_assert_result(public_key_verify(k->public, &schemes[i], parts, 2, buf_bytes(&signature)), name);
		buf_free(&signature);
		made++;
	}
	ck_assert_uint_gt(made, 0);
	private_key_unref(k);
}

static const uint8_t id_rsa[] = { 0x01 }, id_ecdsa[] = { 0xa2, 0xb3 }, id_half[] = { 0x04 }, id_none[] = { 0x77 };

START_TEST(keys_sign)
{
	struct token_ref t = { .handle = { id_rsa, 1 }, .slot = -1, .module = "soft", .pin = "1234" };

	modules_of_test();
	signs(&t, "rsa-2048");
	t.handle = bytes_of(id_ecdsa, 2);
	signs(&t, "ecdsa-P-256");
	t.slot = token_slot;
	signs(&t, "ecdsa-P-256");
	t.module = SOFTHSM;
	t.handle = bytes_of(id_rsa, 1);
	signs(&t, "rsa-2048");
}
END_TEST

static void fails(struct token_ref t, const char *why)
{
	struct errtext err = { "" };

	ck_assert_ptr_null(private_key_from_token(&t, &err));
	ck_assert_msg(strstr(err.s, why), "%s", err.s);
}

START_TEST(says_what_is_wrong)
{
	static const uint8_t zeroes[300];
	struct token_ref t = { .handle = { id_rsa, 1 }, .slot = -1, .module = NULL, .pin = "1234" };
	struct buf der = { NULL, 0, 0 };
	struct errtext err;

	fails(t, "no PKCS#11 module is configured: setting plugins.pkcs11.modules.NAME.path");
	modules_of_test();
	fails(t, "which of the 2 PKCS#11 modules is not said");
	t.module = "other";
	fails(t, "PKCS#11 module 'other' is not configured: setting plugins.pkcs11.modules.other.path");
	t.module = "none";
	fails(t, "PKCS#11 module /nonexistent/module.so cannot be loaded");
	t.module = PLUGINS "/.libs/bewick-openssl.so";
	if (access(t.module, R_OK) == 0) /* not where plugins are linked in */
		fails(t, "is not a PKCS#11 module");
	t.module = "soft";
	t.pin = NULL;
	fails(t, "the token has no such private key, or refuses the PIN, or needs one: ");
	t.pin = "4321";
	fails(t, "or refuses the PIN, or needs one: PIN incorrect");
	t.pin = "1234";
	t.handle = bytes_of(id_none, 1);
	fails(t, "the token has no such private key");
	t.handle = bytes_of(id_half, 1);
	fails(t, "does not give the public key");
	t.handle = BYTES_NONE;
	fails(t, "the handle of a key on a token has 1 to 255 bytes");
	t.handle = bytes_of(zeroes, sizeof(zeroes));
	fails(t, "the handle of a key on a token has 1 to 255 bytes");
	t.handle = bytes_of(id_rsa, 1);
	t.module = SOFTHSM_TOO;
	fails(t, "OpenSSL's engine has PKCS#11 module " SOFTHSM " already");
	t.module = "soft";
	ck_assert(!token_cert(&t, &der, &err));
	ck_assert_msg(strstr(err.s, "the token has no such certificate"), "%s", err.s);
	ck_assert_uint_eq(der.n, 0);
	t.slot = -1;
	t.pin = NULL;
	fails(t, "the token needs its PIN said, as there are others with PINs");
	t.pin = "1234";
	t.slot = 4711;
	fails(t, "the token has no such private key");
}
END_TEST

Suite *suite_token(void)
{
	Suite *s = suite_create("token");
	TCase *t = tcase_create("token");

	if (access(SOFTHSM, R_OK) != 0 || system("command -v softhsm2-util >/dev/null") != 0) {
		printf("token: skipped, there is no SoftHSM (softhsm2)\n");
		return s;
	}
	tcase_add_unchecked_fixture(t, token_open, token_close);
	tcase_add_test(t, keys_sign);
	tcase_add_test(t, says_what_is_wrong);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
