/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "auth_test.h"
#include "util/mem.h"

void trust_test_init(struct trust_test *t, const char *id)
{
	*t = (struct trust_test){ .creds = creds_set_new(), .now = PKI_NOW, .round = { .auth_text = "pubkey" } };
	ck_assert(id_parse(bytes_str(id), &t->id));
}

void trust_test_send_none(struct trust_test *t)
{
	while (t->n_peer)
		cert_unref(t->peer[--t->n_peer]);
}

void trust_test_clear(struct trust_test *t)
{
	trust_test_send_none(t);
	creds_set_free(t->creds);
	id_free(&t->id);
}

void trust_test_load(struct trust_test *t, const struct pki_cert *c, enum cert_flag flag)
{
	ck_assert(creds_set_add_cert(t->creds, cert_ref(c->cert), flag));
}

void trust_test_send(struct trust_test *t, const struct pki_cert *c)
{
	ck_assert_uint_lt(t->n_peer, ARRAY_LEN(t->peer));
	t->peer[t->n_peer++] = cert_ref(c->cert);
}

struct trust_chain *trust_test_check(struct trust_test *t)
{
	struct credentials *creds = creds_set_snapshot(t->creds);
	struct trust_input in = { .creds = creds, .round = &t->round, .id = &t->id, .certs = t->peer, .n_certs = t->n_peer,
				  .now = t->now, .skew = t->skew, .enforce_critical = !t->ignore_critical };
	struct trust_chain *chain = trust_check(&in, &t->why);

	credentials_unref(creds);
	return chain;
}

void trust_test_good(struct trust_test *t, const char *expected)
{
	struct trust_chain *chain = trust_test_check(t);
	struct buf names = { 0 };

	ck_assert_msg(chain, "%s", t->why.s);
	for (size_t i = 0; i < chain->n; i++) {
		char cn[64] = "?";

		X509_NAME_get_text_by_NID(X509_get_subject_name(chain->certs[i]->x509), NID_commonName, cn, sizeof(cn));
		buf_printf(&names, "%s%s", i ? " < " : "", cn);
		ck_assert_int_le(chain->valid_until, chain->certs[i]->not_after);
	}
	ck_assert_str_eq(buf_str(&names), expected);
	buf_free(&names);
	trust_chain_unref(chain);
}

void trust_test_bad(struct trust_test *t, const char *why)
{
	struct trust_chain *chain;
	char *texts = xstrdup(why), *save, *text;

	t->why.s[0] = '\0';
	chain = trust_test_check(t);
	ck_assert_msg(!chain, "it is taken, but: %s", why);
	for (text = strtok_r(texts, "|", &save); text; text = strtok_r(NULL, "|", &save))
		ck_assert_msg(strstr(t->why.s, text), "'%s' is not in: %s", text, t->why.s);
	free(texts);
}
