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

/*
 * Two tokens of SoftHSM in a directory of our own. 'bewick' has keys with these handles and one, 04, without its public key; 'other' has one more with the
 * handle a2b3.
 */
static const struct {
	const char *name, *id;
} on_token[] = {
	{ "rsa-2048", "01" }, { "ecdsa-P-256", "a2b3" }, { "ecdsa-P-384", "0384" }, { "ecdsa-P-521", "0521" }, { "ed25519", "25" },
};
static char token_dir[] = "/tmp/bewick-token-XXXXXX";
static long long token_slot = -1, other_slot = -1;

static void run(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void import(const char *token, const char *name, const char *id, const char *options)
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
	snprintf(command, sizeof(command), "softhsm2-util --import %s --token %s --label %s --id %s --pin 1234 %s >/dev/null 2>&1", path,
		 token, name, id, options);
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
		if (strstr(line, "Label:") && strstr(line, "other"))
			other_slot = slot;
	}
	pclose(f);
	ck_assert_int_ge(token_slot, 0);
	ck_assert_int_ge(other_slot, 0);
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
	run("softhsm2-util --init-token --free --label other --so-pin 5678 --pin 1234 >/dev/null");
	for (size_t i = 0; i < ARRAY_LEN(on_token); i++)
		import("bewick", on_token[i].name, on_token[i].id, "");
	import("bewick", "ecdsa-P-384", "04", "--no-public-key");
	import("other", "ecdsa-P-384", "a2b3", "");
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
	static const struct token_module_conf modules[] = { { "soft", SOFTHSM }, { "none", "/nonexistent/module.so" } };

	token_modules_set(modules, 2, 0);
}

static void signs(const struct token_ref *t, const char *name)
{
	static const struct sig_scheme schemes[] = { { SIG_RSA_PKCS1, HASH_SHA2_256, 0 },
						     { SIG_RSA_PSS, HASH_SHA2_256, 32 },
						     { SIG_RSA_PSS, HASH_SHA2_512, 64 },
						     { SIG_RSA_PKCS1, HASH_SHA1, 0 },
						     { SIG_ECDSA, HASH_SHA2_256, 0 },
						     { SIG_ECDSA, HASH_SHA2_512, 0 },
						     { SIG_ED25519, HASH_IDENTITY, 0 } };
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
	t.slot = token_slot;
	for (size_t i = 0; i < ARRAY_LEN(on_token); i++) {
		struct buf id = { NULL, 0, 0 };

		ck_assert(hex_decode(bytes_str(on_token[i].id), &id));
		t.handle = buf_bytes(&id);
		signs(&t, on_token[i].name);
		buf_free(&id);
	}
	/* the same handle on another token, and by another path to the same module */
	t.handle = bytes_of(id_ecdsa, 2);
	t.slot = other_slot;
	signs(&t, "ecdsa-P-384");
	t.module = SOFTHSM_TOO;
	signs(&t, "ecdsa-P-384");
	tokens_close();
}
END_TEST

/* A second module in the process, and each has its keys at the same time. */
START_TEST(two_modules)
{
	struct token_ref t = { .handle = { id_ecdsa, 2 }, .slot = token_slot, .pin = "1234" };
	struct errtext err = { "" };
	struct private_key *k;
	char copy[128], command[512];

	modules_of_test();
	snprintf(copy, sizeof(copy), "%s/copy.so", token_dir);
	snprintf(command, sizeof(command), "cp %s %s", SOFTHSM, copy);
	run(command);
	t.module = "soft";
	k = private_key_from_token(&t, &err);
	ck_assert_msg(k, "%s", err.s);
	t.module = copy;
	signs(&t, "ecdsa-P-256");
	private_key_unref(k);
	t.module = "soft";
	signs(&t, "ecdsa-P-256");
	tokens_close();
}
END_TEST

/* The token's files are away, and come back. */
START_TEST(token_goes_and_comes)
{
	static const struct sig_scheme scheme = { SIG_ECDSA, HASH_SHA2_256, 0 };
	struct token_ref t = { .handle = { id_ecdsa, 2 }, .slot = token_slot, .module = "soft", .pin = "1234" };
	struct bytes part = bytes_str("message");
	struct buf made = { NULL, 0, 0 };
	struct errtext err = { "" };
	struct private_key *k;
	char command[512];

	modules_of_test();
	k = private_key_from_token(&t, &err);
	ck_assert_msg(k, "%s", err.s);
	snprintf(command, sizeof(command), "mv %s/tokens %s/away && mkdir %s/tokens", token_dir, token_dir, token_dir);
	run(command);
	ck_assert(!private_key_sign(k, &scheme, &part, 1, &made, &err));
	ck_assert_msg(strstr(err.s, "PKCS#11 module soft, token 'bewick' in slot "), "%s", err.s);
	snprintf(command, sizeof(command), "rmdir %s/tokens && mv %s/away %s/tokens", token_dir, token_dir, token_dir);
	run(command);
	while (!private_key_sign(k, &scheme, &part, 1, &made, &err)) /* the module is begun anew once a second */
		usleep(10000);
	ck_assert_result(public_key_verify(k->public, &scheme, &part, 1, buf_bytes(&made)), "token_goes_and_comes");
	buf_free(&made);
	private_key_unref(k);
	tokens_close();
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
	fails(t, "PKCS#11 module none cannot be loaded: /nonexistent/module.so");
	t.module = PLUGINS "/.libs/bewick-openssl.so";
	if (access(t.module, R_OK) == 0) /* not where plugins are linked in */
		fails(t, "is not a PKCS#11 module");
	t.module = "soft";
	t.pin = NULL;
	t.handle = bytes_of(id_none, 1);
	fails(t, "none of its 2 tokens shows an object with the handle 77");
	t.handle = bytes_of(id_ecdsa, 2);
	fails(t, "several of its 2 tokens show an object with the handle a2b3: 'slot' says which one is meant (");
	t.handle = bytes_of(id_rsa, 1);
	fails(t, "token 'bewick' in slot ");
	fails(t, "it shows no private key with the handle 01, and may do so when it is given its PIN");
	t.pin = "4321";
	fails(t, ": logging in: PIN incorrect");
	t.pin = "1234";
	t.slot = token_slot;
	t.handle = bytes_of(id_none, 1);
	fails(t, ": no private key has the handle 77");
	t.handle = bytes_of(id_half, 1);
	fails(t, "does not give the public key of that private key, nor a certificate with the same handle");
	t.handle = BYTES_NONE;
	fails(t, "the handle of an object on a token has 1 to 255 bytes");
	t.handle = bytes_of(zeroes, sizeof(zeroes));
	fails(t, "the handle of an object on a token has 1 to 255 bytes");
	t.handle = bytes_of(id_rsa, 1);
	ck_assert(!token_cert(&t, &der, &err));
	ck_assert_msg(strstr(err.s, "it shows no certificate with the handle 01"), "%s", err.s);
	ck_assert_uint_eq(der.n, 0);
	t.slot = 4711;
	fails(t, "PKCS#11 module soft, slot 4711: no session with the token: there is no such slot");
	tokens_close();
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
	tcase_add_test(t, two_modules);
	tcase_add_test(t, token_goes_and_comes);
	tcase_add_test(t, says_what_is_wrong);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
