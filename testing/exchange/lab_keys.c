/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_keys.h"

#include <poll.h>
#include <stdlib.h>

#include "confs.h"
#include "lab_auth.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

static struct auth_service *service; /* both ends ask the same one */
static struct mailbox *box;
struct pki_cert *keys_root, *keys_ca;

void keys_setup(void)
{
	struct auth_options options = { .threads = 1 };
	struct errtext err;

	service = auth_service_new(&options, &err);
	ck_assert_msg(service != NULL, "%s", err.s);
	box = mailbox_new();
	keys_root = pki_ca(NULL, "CN=root");
	keys_ca = pki_ca(keys_root, "CN=ca");
}

void keys_teardown(void)
{
	pki_cert_free(keys_root);
	pki_cert_free(keys_ca);
	auth_service_close(service);
	auth_service_free(service);
	mailbox_free(box);
}

bool keys_serve(struct lab *lab)
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

void keys_run(struct lab *lab)
{
	do
		lab_run(lab);
	while (keys_serve(lab));
}

static void keys_add(struct creds_set *set, const struct pki_cert *own)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(own->key, &der);
	struct errtext err;

	ck_assert_int_gt(n, 0);
	creds_set_add_cert(set, cert_ref(own->cert), CERT_FLAG_NONE);
	creds_set_add_key(set, private_key_parse(bytes_of(der, (size_t)n), KEY_ANY, &err));
	OPENSSL_free(der);
}

void keys_load_all(struct lab_end *e, const struct pki_cert *const *own, size_t n, const struct pki_cert *anchor)
{
	struct creds_set *set = creds_set_new();

	for (size_t i = 0; i < n; i++)
		keys_add(set, own[i]);
	if (n)
		creds_set_add_cert(set, cert_ref(keys_ca->cert), CERT_FLAG_NONE);
	if (anchor)
		creds_set_add_cert(set, cert_ref(anchor->cert), CERT_FLAG_CA);
	credentials_unref(e->ctx.config->creds);
	e->ctx.config->creds = creds_set_snapshot(set);
	creds_set_free(set);
}

void keys_load(struct lab_end *e, const struct pki_cert *own, const struct pki_cert *anchor)
{
	keys_load_all(e, &own, own ? 1 : 0, anchor);
}

struct lab *keys_lab(void)
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

struct pki_cert *keys_leaf(const char *subject, const char *san, enum pki_key_type type)
{
	const char *const extensions[] = { san, "keyUsage=digitalSignature", NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = keys_ca, .type = type, .extensions = extensions });
}
