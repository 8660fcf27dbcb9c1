/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "loop/loop.h"
#include "side.h"
#include "testing/unit/auth/auth_lab.h"

/*
 * Between IKE_SAs and the service that signs and verifies: answers that come late, that nobody waits for, or never. The CRL of the
 * initiator's certificate is asked for by the responder, and comes when the test says so.
 */
#define CRL_URL "http://crl.test/ca.crl"

#define CERTS(PEER, LOCAL, REMOTE)                                                                                         \
	"connections { certs { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.1\n" PEER                    \
	" unique = never\n proposals = aes128gcm16-prfsha256-x25519\n local { auth = pubkey\n id = " LOCAL " }\n"         \
	" remote { auth = pubkey\n id = " REMOTE "\n revocation = %s }\n"                                                  \
	" children { net { esp_proposals = aes128gcm16 } } }\n"                                                             \
	"load { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.1\n" PEER                                   \
	" unique = never\n proposals = aes128gcm16-prfsha256-x25519\n local { auth = psk\n id = psk." LOCAL " }\n"        \
	" remote { auth = psk\n id = psk." REMOTE " }\n children { net { esp_proposals = aes128gcm16 } } } }\n"            \
	"secrets { ike { secret = \"load\" } }\n"

static struct auth_lab lab;
static struct pki_cert *own_a, *own_b;
static struct side a, b;

static struct pki_cert *peer(const char *subject, const char *name, bool with_crl)
{
	const char *const extensions[] = { "keyUsage=critical,digitalSignature", name,
					   with_crl ? "crlDistributionPoints=URI:" CRL_URL : NULL, NULL };
	struct pki_cert *c = pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = lab.root, .extensions = extensions });

	auth_lab_own(&lab, c);
	return c;
}

static struct config *with_credentials(const char *conf)
{
	struct config *config = side_config(conf, 0);

	credentials_unref(config->creds);
	config->creds = creds_set_snapshot(lab.creds);
	return config;
}

/* policy: of revocation, at the responder. */
static void pair_start(const char *policy)
{
	struct side_setup setup = { .workers = 2, .auth = lab.s };
	char conf[4096];

	snprintf(conf, sizeof(conf), CERTS("", "b.test", "a.test"), policy);
	setup.config = with_credentials(conf);
	side_start(&b, &setup, NULL, 0);
	snprintf(conf, sizeof(conf), CERTS(" remote_port = %u\n", "a.test", "b.test"), side_port(&b), "relaxed", side_port(&b));
	setup.config = with_credentials(conf);
	side_start(&a, &setup, NULL, 0);
}

static void setup(void)
{
	auth_lab_init(&lab);
	own_a = peer("CN=a", "subjectAltName=DNS:a.test", true);
	own_b = peer("CN=b", "subjectAltName=DNS:b.test", false);
}

static void pair_stop(void)
{
	side_stop(&a, 0);
	side_stop(&b, 0);
}

static void teardown(void)
{
	pki_cert_free(own_a);
	pki_cert_free(own_b);
	auth_lab_clear(&lab);
}

static struct buf crl_of(bool revoked)
{
	const struct pki_cert *const list[] = { own_a, NULL };

	return pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.root, .revoked = revoked ? list : NULL });
}

static void crl_comes(bool revoked)
{
	struct buf crl = crl_of(revoked);

	lab_answer_fetch(CRL_URL, buf_bytes(&crl), NULL);
	buf_free(&crl);
}

/* All that waits for the one fetch goes on when it ends. */
START_TEST(waits)
{
	pair_start("strict");
	side_initiate(&a, "certs", "net", 20);
	lab_await(CRL_URL);
	ck_assert_uint_eq(side_list(&b, NULL).established, 0);
	crl_comes(false);
	ck_assert_uint_eq(side_ended(&a, 20, CAUSE_NONE), 20);
	ck_assert_uint_eq(side_list(&b, NULL).established, 20);
	ck_assert_uint_eq(lab_fetches(), 1);
	pair_stop();
}
END_TEST

START_TEST(refused)
{
	pair_start("strict");
	side_initiate(&a, "certs", "net", 5);
	crl_comes(true);
	ck_assert_uint_eq(side_ended(&a, 5, CAUSE_AUTHENTICATION), 5);
	pair_stop();
}
END_TEST

/* The responder's SAs are destroyed while their answers are under way: those find nobody, and no harm is done. */
START_TEST(sa_gone)
{
	const struct worker_select all = { 0 };

	pair_start("strict");
	side_initiate(&a, "certs", "net", 8);
	lab_await(CRL_URL);
	while (side_list(&b, NULL).sas < 8)
		;
	workers_terminate(a.w, 0, NULL, &all, true);
	ck_assert_uint_eq(side_ended(&a, 8, CAUSE_NONE), 0);
	ck_assert_uint_eq(side_terminate(&b, NULL, true), 8);
	ck_assert_uint_eq(side_list(&b, NULL).sas, 0);
	crl_comes(false);
	side_up(&a, "load", "net", 4);
	ck_assert_uint_eq(side_list(&b, NULL).established, 4);
	ck_assert_uint_eq(side_list(&b, NULL).sas, 4);
	pair_stop();
}
END_TEST

/* Peers that need no server do not notice that others wait for one. The rate is printed, not judged. */
START_TEST(others_go_on)
{
	struct timespec from, to;
	enum { N = 300 };

	pair_start("strict");
	side_initiate(&a, "certs", "net", 10);
	lab_await(CRL_URL);
	clock_gettime(CLOCK_MONOTONIC, &from);
	side_initiate(&a, "load", "net", N);
	/* the others are not among those that have ended: nothing has ended their fetch */
	ck_assert_uint_eq(side_ended(&a, N, CAUSE_NONE), N);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%d set-ups with secrets while a fetch hangs: %.0f/s\n", N,
	       N / ((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9));
	ck_assert(lab_is_pending(CRL_URL));
	ck_assert_uint_eq(side_list(&b, NULL).established, N);
	crl_comes(false);
	ck_assert_uint_eq(side_ended(&a, 10, CAUSE_NONE), 10);
	pair_stop();
}
END_TEST

/* The end: the service is closed first, as the daemon does it, then the workers go; the fetch ends when both are gone. */
START_TEST(stopped)
{
	pair_start("strict");
	side_initiate(&a, "certs", "net", 8);
	lab_await(CRL_URL);
	auth_service_close(lab.s);
	if (_i) /* what was fetched comes to a closed service, else to nobody */
		crl_comes(false);
	side_stop_workers(&a, 100);
	ck_assert_uint_eq(side_ended(&a, 8, CAUSE_NONE), 0);
	side_free(&a);
	side_stop(&b, 100);
}
END_TEST

/* A closed service takes nothing: the set-ups fail at once, with a reason, and those with secrets do not. */
START_TEST(closed)
{
	pair_start("relaxed");
	auth_service_close(lab.s);
	side_initiate(&a, "certs", "net", 3);
	ck_assert_uint_eq(side_ended(&a, 3, CAUSE_NONE), 0);
	side_up(&a, "load", "net", 3);
	pair_stop();
}
END_TEST

/* More waits than the service takes: the same, until there is room again. */
START_TEST(full)
{
	size_t taken = 0;
	struct auth_request *r;

	lab.o.hash_and_url = true;
	auth_lab_restart(&lab);
	pair_start("relaxed");
	for (;; taken++) {
		r = auth_lab_sign(&lab, "a.test"); /* of which it is to verify a peer's */
		r->work = AUTH_VERIFY;
		r->round = &lab.remote;
		r->hash_and_url = true;
		r->config = config_store_snapshot(lab.store);
		auth_lab_add_cert(r, CERT_HASH_AND_URL, bytes_str("12345678901234567890http://cert.test/a"));
		if (!auth_submit(lab.s, r))
			break;
	}
	auth_lab_free(r);
	ck_assert_uint_gt(taken, 1000);
	side_initiate(&a, "certs", "net", 3);
	ck_assert_uint_eq(side_ended(&a, 3, CAUSE_NONE), 0);
	lab_answer_fetch("http://cert.test/a", BYTES_NONE, "it hung");
	for (size_t i = 0; i < taken; i++)
		auth_lab_free(auth_lab_answer(&lab));
	lab_serve(CRL_URL, BYTES_NONE, "there is none");
	side_up(&a, "certs", "net", 3);
	pair_stop();
}
END_TEST

/* A CRL that comes later closes the IKE_SA of the peer that it revokes, and no other. */
START_TEST(recheck)
{
	const struct pki_cert *const list[] = { own_a, NULL };
	struct crl *none, *crl;

	lab_serve(CRL_URL, BYTES_NONE, "there is none");
	pair_start("relaxed");
	workers_want_events(b.w, 1u << SA_EVENT_IKE_DOWN);
	side_up(&a, "certs", "net", 3);
	side_up(&a, "load", "net", 2);
	none = pki_crl_new(&(struct pki_crl_spec){ .issuer = lab.root });
	crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = lab.root, .revoked = list });
	workers_recheck_crl(b.w, none);
	workers_recheck_crl(b.w, crl);
	side_events(&b, SA_EVENT_IKE_DOWN, 3);
	ck_assert_uint_eq(side_list(&b, &(struct worker_select){ .ike = "load" }).established, 2);
	crl_unref(none);
	crl_unref(crl);
	pair_stop();
}
END_TEST

TCase *test_authentication(void)
{
	TCase *tc = tcase_create("authentication");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, waits);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, sa_gone);
	tcase_add_test(tc, others_go_on);
	tcase_add_loop_test(tc, stopped, 0, 2);
	tcase_add_test(tc, closed);
	tcase_add_test(tc, full);
	tcase_add_test(tc, recheck);
	return tc;
}
