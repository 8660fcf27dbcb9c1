/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/signer.h"
#include "pki.h"
#include "testing/lib/token_mock.h"
#include "testing/unit/control/control_test.h"

/* Keys and certificates on tokens: commands wait for them, others do not. */

#define MOCK MODULES "/token-mock.so"

static struct token_mock *mock;
static struct lab lab;
static struct peer p, other;
static struct pki_cert *root;
static struct helper_pool *helpers;
static char cert_file[64];

static void open_with(unsigned threads)
{
	helpers = helper_pool_new(threads, 8);
	lab_parts = (struct control_parts){ .helpers = helpers };
	lab_open(&lab);
	lab_parts = (struct control_parts){ 0 };
	peer_open(&p, &lab);
	peer_open(&other, &lab);
}

/* As the daemon does: nobody asks any more, nothing is answered any more, then boxes go. */
static void close_all(void)
{
	control_quiesce(lab.control);
	(void)helper_pool_close(helpers);
	peer_close(&other);
	peer_close(&p);
	lab_close(&lab);
	helper_pool_free(helpers);
}

static void setup(void)
{
	void *handle = dlopen(MOCK, RTLD_NOW | RTLD_LOCAL);
	FILE *f;

	ck_assert_msg(handle, "%s", dlerror());
	mock = dlsym(handle, "token_mock");
	memset((void *)mock, 0, sizeof(*mock));
	strcpy(mock->pin, "1234");
	token_modules_set(&(struct token_module_conf){ "mock", MOCK }, 1, 200);
	root = pki_ca(NULL, "C=CH, CN=root");
	snprintf(cert_file, sizeof(cert_file), "/tmp/bewick-token-%d.der", (int)getpid());
	f = fopen(cert_file, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(root->cert->der.p, 1, root->cert->der.n, f), root->cert->der.n);
	fclose(f);
	setenv("TOKEN_MOCK_CERT", cert_file, 1);
	lab_token_ms = 20000;
	open_with(2);
}

static void teardown(void)
{
	atomic_store(&mock->hang, false);
	close_all();
	tokens_close();
	ck_assert_int_eq(atomic_load(&mock->sessions), 0);
	unlink(cert_file);
	unsetenv("TOKEN_MOCK_CERT");
	pki_cert_free(root);
}

/* cacert { handle } of the remote side, or file (handle NULL). */
static void conn_message_of(struct vici_writer *w, const char *handle)
{
	vici_write_section(w, "gw");
	vici_write_section(w, "remote");
	vici_write_section(w, "cacert");
	vici_write_str(w, handle ? "handle" : "file", handle ? handle : cert_file);
	vici_write_section_end(w);
	if (handle) {
		vici_write_section(w, "cacert2");
		vici_write_str(w, "handle", handle);
		vici_write_str(w, "module", "mock");
		vici_write_section_end(w);
	}
	vici_write_section_end(w);
	vici_write_section_end(w);
}

static void authority_message_of(struct vici_writer *w, const char *handle)
{
	vici_write_section(w, "ca");
	vici_write_str(w, "handle", handle);
	vici_write_str(w, "slot", "7");
	vici_write_section_end(w);
}

static void failed(struct peer *peer, const char *expected)
{
	peer_recv(peer, VICI_CMD_RESPONSE);
	peer_failed(peer, expected);
}

static void failed_with(struct peer *peer, const char *begins)
{
	char *text = vici_find_str(peer->got.message, "errmsg");

	ck_assert_msg(text && strncmp(text, begins, strlen(begins)) == 0, "%s", text ? text : "no errmsg");
	free(text);
}

static void ask(const char *command, void (*message)(struct vici_writer *w, const char *handle), const char *handle)
{
	struct vici_writer w = { 0 };

	message(&w, handle);
	peer_packet(&p, VICI_CMD_REQUEST, command, &w);
	vici_writer_clear(&w);
}

START_TEST(certificates_come_from_tokens)
{
	ask("load-conn", conn_message_of, "01");
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
	ask("load-authority", authority_message_of, "01");
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
	ask("load-conn", conn_message_of, "02");
	failed(&p, "unable to load certificate: cacert (PKCS#11 module mock, token 'mock' in slot 7: it shows no certificate with the handle "
		   "02; one that is private is there when the PIN is known, of a key (secrets.token))");
	ask("load-authority", authority_message_of, "xy");
	failed(&p, "CA certificate missing: ca (the handle is not hex: xy)");
	ck_assert_int_eq(atomic_load(&mock->logins), 0); /* no PIN for what is public */
}
END_TEST

START_TEST(a_token_that_hangs_delays_nobody_else)
{
	struct vici_writer w = { 0 };

	atomic_store(&mock->hang, true);
	ask("load-conn", conn_message_of, "01");
	while (atomic_load(&mock->waiting) == 0)
		sched_yield();
	peer_ask(&other, "version", NULL);
	conn_message_of(&w, NULL);
	peer_call(&other, "load-conn", &w, NULL);
	vici_writer_clear(&w);
	peer_succeeded(&other);
	ck_assert(!peer_has_packet(&p));
	atomic_store(&mock->hang, false);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
}
END_TEST

START_TEST(nobody_waits_for_ever)
{
	struct bytes id;

	close_all();
	lab_token_ms = 300;
	open_with(1);
	atomic_store(&mock->hang, true);
	peer_ask(&p, "load-token", "handle", "01", "pin", "1234", "module", "mock", NULL);
	peer_failed(&p, "loading private key from token failed: PKCS#11 module mock has not answered for 0 s");
	/* the only thread is lost: the next does not come to its turn */
	peer_ask(&p, "load-token", "handle", "01", "pin", "1234", NULL);
	peer_failed(&p, "loading private key from token failed: PKCS#11 module has not answered for 0 s");
	ask("load-authority", authority_message_of, "01");
	failed(&p, "CA certificate missing: ca (PKCS#11 module has not answered for 0 s)");
	atomic_store(&mock->hang, false);
	do /* it takes what waits for it first */
		peer_ask(&p, "load-token", "handle", "01", "pin", "1234", "module", "mock", NULL);
	while (!vici_find_text(p.got.message, "id", &id));
	peer_ask(&p, "unload-key", "id", "00", NULL);
	peer_failed(&p, "key not found");
}
END_TEST

/* Unloaded, its session is ended and its PIN forgotten, though nobody uses the token again. */
START_TEST(unloaded_keys_leave_the_token)
{
	char *id;

	peer_ask(&p, "load-token", "handle", "01", "pin", "1234", NULL);
	peer_value(&p, "success", "yes");
	id = vici_find_str(p.got.message, "id");
	ck_assert_int_eq(atomic_load(&mock->sessions), 1);
	peer_ask(&p, "unload-key", "id", id, NULL);
	peer_succeeded(&p);
	for (unsigned i = 0; atomic_load(&mock->sessions); i++) { /* a second later */
		ck_assert_uint_lt(i, 30000);
		usleep(1000);
	}
	peer_ask(&p, "load-token", "handle", "01", NULL);
	failed_with(&p, "loading private key from token failed: PKCS#11 module mock, token 'mock' in slot 7: it shows no private key");
	free(id);
}
END_TEST

/* What it was asked for comes when nobody is there any more. */
START_TEST(the_end_while_a_token_hangs)
{
	atomic_store(&mock->hang, true);
	ask("load-conn", conn_message_of, "01");
	peer_send_request(&other, "load-token", "handle", "01", NULL);
	while (atomic_load(&mock->waiting) == 0)
		sched_yield();
	control_quiesce(lab.control);
	failed(&p, "unable to load certificate: cacert (the daemon is shutting down)");
	failed(&other, "loading private key from token failed: the daemon is shutting down");
	atomic_store(&mock->hang, false);
}
END_TEST

TCase *control_token_tests(void)
{
	TCase *tc = tcase_create("tokens");

	if (access(MOCK, R_OK) != 0) {
		printf("tokens: skipped, there is no module\n"); /* static builds */
		return tc;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, certificates_come_from_tokens);
	tcase_add_test(tc, a_token_that_hangs_delays_nobody_else);
	tcase_add_test(tc, nobody_waits_for_ever);
	tcase_add_test(tc, unloaded_keys_leave_the_token);
	tcase_add_test(tc, the_end_while_a_token_hangs);
	return tc;
}
