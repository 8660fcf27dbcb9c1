/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>

#include "confs.h"
#include "lab_auth.h"
#include "loop/mailbox.h"
#include "testing/unit/auth/pki.h"
#include "loop/loop.h"
#include "suites.h"

/* IKE_AUTH with the real service: keys of each kind, chains, strangers, and what is revoked later. */

static struct auth_service *service; /* both ends ask the same one */
static struct mailbox *box;
static struct pki_cert *root, *ca;

static void keys_setup(void)
{
	struct auth_options options = { .threads = 1 };
	struct errtext err;

	service = auth_service_new(&options, &err);
	ck_assert_msg(service != NULL, "%s", err.s);
	box = mailbox_new();
	root = pki_ca(NULL, "CN=root");
	ca = pki_ca(root, "CN=ca");
}

static void keys_teardown(void)
{
	pki_cert_free(root);
	pki_cert_free(ca);
	auth_service_close(service);
	auth_service_free(service);
	mailbox_free(box);
}

/* Requests of both ends go to the service; true when an answer came. */
static bool keys_serve(struct lab *lab)
{
	struct lab_end *ends[] = { &lab->a, &lab->b };
	bool any = false;

	for (size_t i = 0; i < 2; i++) {
		struct lab_end *e = ends[i];

		while (e->n_auths) {
			struct auth_request *r = e->auths[--e->n_auths];
			struct mail *m;

			r->reply_to = box;
			r->deadline_ms = clock_monotonic_ms() + 20000;
			ck_assert(auth_submit(service, r));
			do {
				struct pollfd fd = { .fd = mailbox_fd(box), .events = POLLIN };

				ck_assert_int_eq(poll(&fd, 1, 30000), 1);
			} while (!(m = mailbox_take(box)));
			ck_assert_ptr_eq(m, &r->mail);
			any = true;
			lab_auth_give(e, r);
		}
	}
	return any;
}

static void keys_run(struct lab *lab)
{
	do
		lab_run(lab);
	while (keys_serve(lab));
}

/* The end has this certificate with its key, and believes `anchor`. */
static void keys_load(struct lab_end *e, const struct pki_cert *own, const struct pki_cert *anchor)
{
	struct creds_set *set = creds_set_new();
	struct errtext err;

	if (own) {
		unsigned char *der = NULL;
		int n = i2d_PrivateKey(own->key, &der);

		ck_assert_int_gt(n, 0);
		creds_set_add_cert(set, cert_ref(own->cert), CERT_FLAG_NONE);
		creds_set_add_key(set, private_key_parse(bytes_of(der, (size_t)n), KEY_ANY, &err));
		OPENSSL_free(der);
		creds_set_add_cert(set, cert_ref(ca->cert), CERT_FLAG_NONE);
	}
	if (anchor)
		creds_set_add_cert(set, cert_ref(anchor->cert), CERT_FLAG_CA);
	credentials_unref(e->ctx.config->creds);
	e->ctx.config->creds = creds_set_snapshot(set);
	creds_set_free(set);
}

static struct lab *keys_lab(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct lab_end *ends[] = { &lab->a, &lab->b };

	for (size_t i = 0; i < 2; i++) {
		ends[i]->auth = LAB_AUTH_BY_HAND;
		lab_rounds(ends[i], "net", true, "c");
		lab_rounds(ends[i], "net", false, "c");
	}
	return lab;
}

static struct pki_cert *leaf(const char *subject, const char *san, enum pki_key_type type)
{
	const char *const extensions[] = { san, "keyUsage=digitalSignature", NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = ca, .type = type, .extensions = extensions });
}

static const enum pki_key_type types[] = { PKI_P256, PKI_P384, PKI_RSA2048, PKI_ED25519 };

START_TEST(kinds)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = leaf("CN=a", "subjectAltName=DNS:a.test", types[_i]);
	struct pki_cert *b = leaf("CN=b", "subjectAltName=DNS:b.test", types[(_i + 1) % 4]);

	keys_load(&lab->a, a, root);
	keys_load(&lab->b, b, root);
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	/* the chains that were believed: end entity, CA, anchor */
	ck_assert_uint_eq(lab_sa(&lab->a)->chains->count, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->chains->chains[0]->n, 3);
	ck_assert(cert_equal(lab_sa(&lab->b)->chains->chains[0]->certs[0], a->cert));
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* Who has no anchor, or the wrong one, believes nobody; who has no key proves nothing. */
START_TEST(strangers)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = pki_leaf(root, "CN=a", "DNS:a.test");
	struct pki_cert *b = pki_leaf(root, "CN=b", "DNS:b.test");
	struct pki_cert *other = pki_ca(NULL, "CN=root"); /* of the same name */

	keys_load(&lab->a, _i == 0 ? NULL : a, _i == 1 ? other : root);
	keys_load(&lab->b, _i == 2 ? NULL : b, _i == 3 ? other : root);
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_UP), 0);
	pki_cert_free(a);
	pki_cert_free(b);
	pki_cert_free(other);
	lab_free(lab);
}
END_TEST

/* A good certificate, of somebody else. */
START_TEST(other_name)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = leaf("CN=a", "subjectAltName=DNS:eve.test", PKI_P256);
	struct pki_cert *b = leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	struct cert *only[] = { a->cert };

	keys_load(&lab->a, a, root);
	keys_load(&lab->b, b, root);
	((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->local_rounds)->certs = only;
	((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->local_rounds)->n_certs = 1;
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), 0);
	((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->local_rounds)->n_certs = 0;
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* The cookie that came between (sa/init_variant.h): what the peer signed is a request that we did not see. */
START_TEST(other_request)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = leaf("CN=a", "subjectAltName=DNS:a.test", PKI_P256);
	struct pki_cert *b = leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	static const uint8_t cookie[LAB_COOKIE] = { [0 ... LAB_COOKIE - 1] = 0x11 };
	uint8_t inner[128];
	struct builder n = builder_of(inner, sizeof(inner));

	keys_load(&lab->a, a, root);
	keys_load(&lab->b, b, root);
	lab_initiate(&lab->a, "one");
	/* a is asked for a cookie, and then gets the answer to its first request */
	builder_notify(&n, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, bytes_of(cookie, sizeof(cookie)));
	lab_inject_init(&lab->a, 0, &n);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 2); /* the first request, and that with the cookie */
	lab_deliver(lab);
	keys_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* A CRL that comes later ends what its certificates carried, on rekeyed IKE_SAs as well, and nothing else. */
START_TEST(revoked_later)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = leaf("CN=a", "subjectAltName=DNS:a.test", PKI_P256);
	struct pki_cert *b = leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	const struct pki_cert *revoked_a[] = { a, NULL }, *revoked_b[] = { b, NULL };
	struct crl *of_a = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked_a, .number = 1 });
	struct crl *of_b = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked_b, .number = 1 });

	keys_load(&lab->a, a, root);
	keys_load(&lab->b, b, root);
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	if (_i) {
		ike_sa_rekey(lab_sa(&lab->a));
		keys_run(lab);
	}
	ck_assert_uint_eq(lab_sa(&lab->b)->chains->count, 1);
	/* b's own certificate is not b's affair */
	ike_sa_recheck_crl(lab_sa(&lab->b), of_b);
	keys_run(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	ike_sa_recheck_crl(lab_sa(&lab->b), of_a);
	keys_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	crl_unref(of_a);
	crl_unref(of_b);
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

Suite *auth_keys_suite(void)
{
	Suite *s = suite_create("exchange/auth_keys");
	TCase *tc = tcase_create("keys");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, keys_setup, keys_teardown);
	tcase_add_loop_test(tc, kinds, 0, 4);
	tcase_add_loop_test(tc, strangers, 0, 4);
	tcase_add_test(tc, other_name);
	tcase_add_test(tc, other_request);
	tcase_add_loop_test(tc, revoked_later, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
