/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's own certificates, and its service that signs and verifies. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "load_inside.h"
#include "sa/authentication.h"
#include "util/file.h"

#define LOAD_SERIAL 0x10000000 /* of made certificates */

bool load_authenticate(void *host, struct ike_sa *sa, struct auth_request *r)
{
	struct load *l = host;

	((struct sa_authentication *)r)->ike_id = sa->log.id;
	r->reply_to = l->box;
	if (!l->auth || (l->asking[sa->log.id % LOAD_ASKING] && l->asking[sa->log.id % LOAD_ASKING] != sa))
		return false;
	l->asking[sa->log.id % LOAD_ASKING] = sa;
	if (r->work == AUTH_SIGN && l->n_owns) {
		config_unref(r->config);
		r->config = config_ref(l->owns[l->next_own++ % l->n_owns]);
	}
	return auth_submit(l->auth, r);
}

void load_forget(struct load *l, const struct ike_sa *sa)
{
	if (l->asking[sa->log.id % LOAD_ASKING] == sa)
		l->asking[sa->log.id % LOAD_ASKING] = NULL;
}

void load_answers(struct load *l)
{
	struct mail *next;

	for (struct mail *m = mailbox_take(l->box); m; m = next) {
		struct sa_authentication *a = container_of(m, struct sa_authentication, r.mail);
		struct ike_sa *sa = l->asking[a->ike_id % LOAD_ASKING];

		next = m->next;
		l->asking[a->ike_id % LOAD_ASKING] = NULL;
		if (sa)
			ike_sa_authenticated(sa, &a->r);
		authentication_free(a);
	}
}

static bool load_read(const char *path, struct buf *ret)
{
	if (file_read(path, LIMIT_CERT, ret) == 0)
		return true;
	perror(path);
	return false;
}

bool load_certificates(struct load *l, const char *cert, const char *key, const char *ca)
{
	struct auth_options options = { .threads = 1 };
	struct buf data[3] = { { 0 } };
	struct creds_set *set = creds_set_new();
	struct errtext err = { "" };
	struct cert *own, *root;
	struct private_key *k;
	bool ok = load_read(cert, &data[0]) && load_read(key, &data[1]) && load_read(ca, &data[2]);

	own = ok ? cert_parse(buf_bytes(&data[0]), &err) : NULL;
	k = own ? private_key_parse(buf_bytes(&data[1]), KEY_ANY, &err) : NULL;
	root = k ? cert_parse(buf_bytes(&data[2]), &err) : NULL;
	ok = root != NULL;
	if (ok) {
		creds_set_add_cert(set, own, CERT_FLAG_NONE);
		creds_set_add_key(set, k);
		creds_set_add_cert(set, root, CERT_FLAG_CA);
		credentials_unref(l->ctx.config->creds);
		l->ctx.config->creds = creds_set_snapshot(set);
		l->box = mailbox_new();
		l->auth = auth_service_new(&options, &err);
	}
	for (size_t i = 0; i < 3; i++)
		buf_free(&data[i]);
	creds_set_free(set);
	if (!l->auth)
		fprintf(stderr, "the generator's certificates: %s\n", err.s);
	return l->auth != NULL;
}

/* The same with another serial number, signed anew. */
static struct cert *load_make_cert(const struct cert *like, EVP_PKEY *signer, long serial)
{
	const EVP_MD *hash = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519 || EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED448 ?
				     NULL : EVP_sha256();
	X509 *x = X509_dup(like->x509);
	struct cert *made = NULL;
	unsigned char *der = NULL;
	struct errtext err;
	int n = 0;

	if (x && ASN1_INTEGER_set(X509_get_serialNumber(x), serial) && X509_sign(x, signer, hash) > 0)
		n = i2d_X509(x, &der);
	if (n > 0)
		made = cert_parse(bytes_of(der, (size_t)n), &err);
	OPENSSL_free(der);
	X509_free(x);
	return made;
}

/* As the first configuration has it, but for the certificate. */
static struct config *load_own(const struct credentials *creds, struct cert *own)
{
	struct config_store *store = config_store_new();
	struct creds_set *set = config_store_creds(store);
	struct config *config;

	creds_set_add_key(set, private_key_ref(credentials_key(creds, own->key->id)));
	creds_set_add_cert(set, own, CERT_FLAG_NONE);
	config = config_store_snapshot(store);
	config_store_free(store);
	return config;
}

bool load_many_certificates(struct load *l, const char *ca_key, size_t count)
{
	const struct credentials *creds = l->ctx.config->creds;
	FILE *f = fopen(ca_key, "r");
	EVP_PKEY *signer = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	const struct cert *like = NULL;

	if (f)
		fclose(f);
	for (size_t i = 0; i < creds->n_certs; i++)
		if (creds->certs[i].flag == CERT_FLAG_NONE)
			like = creds->certs[i].cert;
	l->owns = xcalloc(count, sizeof(struct config *));
	while (signer && like && l->n_owns < count) {
		struct cert *made = load_make_cert(like, signer, LOAD_SERIAL + (long)l->n_owns);

		if (!made)
			break;
		l->owns[l->n_owns++] = load_own(creds, made);
	}
	EVP_PKEY_free(signer);
	if (l->n_owns < count)
		fprintf(stderr, "certificates cannot be made with %s\n", ca_key);
	return l->n_owns == count;
}

void load_free_certificates(struct load *l)
{
	for (size_t i = 0; i < l->n_owns; i++)
		config_unref(l->owns[i]);
	free(l->owns);
	if (!l->auth)
		return;
	auth_service_close(l->auth);
	auth_service_free(l->auth);
	mailbox_free(l->box);
}
