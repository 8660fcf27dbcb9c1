/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "auth/auth_service.h"
#include "control/internal.h"

/* list-certs: what was loaded, what connections name, and what was fetched or received and is still there. */

struct cert_list {
	struct command *cmd;
	const struct credentials *creds;
	struct cert_filter filter;
	struct id subject; /* any: all */
	struct hashtab seen;
};

struct seen {
	struct hashnode node;
	struct bytes der; /* borrowed */
};

/* Only against listing twice: a fixed key does. */
static const struct hash_key seen_key = { 5, 6 };

static bool list_is_new(struct cert_list *l, struct bytes der)
{
	uint64_t hash = hash_bytes(&seen_key, der);
	struct seen *s;

	for (struct hashnode *n = hashtab_first(&l->seen, hash); n; n = hashtab_next(n)) {
		if (bytes_equal(container_of(n, struct seen, node)->der, der))
			return false;
	}
	s = xcalloc(1, sizeof(*s));
	s->der = der;
	hashtab_insert(&l->seen, &s->node, hash);
	return true;
}

static void seen_free(struct hashnode *n, void *arg)
{
	struct cert_list *l = arg;

	hashtab_remove(&l->seen, n);
	free(container_of(n, struct seen, node));
}

static bool list_wants(const struct cert_list *l, enum vici_cert type)
{
	return l->filter.type == VICI_CERT_ANY || l->filter.type == type;
}

static void list_event(struct cert_list *l, const char *type, const char *flag, bool has_key, struct bytes der)
{
	struct vici_writer w;

	command_event_begin(&w, CONTROL_EVENT_LIST_CERT);
	vici_write_str(&w, "type", type);
	if (flag)
		vici_write_str(&w, "flag", flag);
	if (has_key)
		vici_write_str(&w, "has_privkey", "yes");
	vici_write_value(&w, "data", der);
	command_event_send(l->cmd, &w);
}

/* ---- each kind */

static void list_pubkey(struct cert_list *l, const struct public_key *key)
{
	bool is = id_is_any(&l->subject) ||
		  (l->subject.type == ID_TYPE_KEY_ID &&
		   (bytes_equal(l->subject.data, bytes_of(key->id, KEY_ID_LEN)) ||
		    bytes_equal(l->subject.data, bytes_of(key->spki_id, KEY_ID_LEN))));

	if (is && list_is_new(l, key->spki))
		list_event(l, "PUBKEY", NULL, credentials_key(l->creds, key->id) != NULL, key->spki);
}

static void list_pubkeys(struct cert_list *l, const struct config *config)
{
	for (size_t i = 0; i < l->creds->n_pubkeys; i++)
		list_pubkey(l, l->creds->pubkeys[i]);
	for (size_t i = 0; i < config->n_conns; i++) {
		const struct conn *c = config_conns(config)[i];

		for (size_t j = 0; j < c->n_local_rounds + c->n_remote_rounds; j++) {
			const struct conn_round *r = j < c->n_local_rounds ? &c->local_rounds[j] :
									     &c->remote_rounds[j - c->n_local_rounds];

			for (size_t k = 0; k < r->n_pubkeys; k++)
				list_pubkey(l, r->pubkeys[k]);
		}
	}
}

static void list_x509(struct cert_list *l, const struct cert *cert, enum cert_flag flag, enum cert_flag now)
{
	if (flag != now || (!l->filter.any_flag && l->filter.flag != flag))
		return;
	if (!id_is_any(&l->subject) && !id_match(&cert->subject, &l->subject) && !cert_match_id(cert, &l->subject))
		return;
	if (list_is_new(l, cert->der))
		list_event(l, "X509", cert_flag_word(flag), credentials_key(l->creds, cert->key->id) != NULL, cert->der);
}

static enum cert_flag flag_of(const struct cert *cert)
{
	return cert->ca ? CERT_FLAG_CA : CERT_FLAG_NONE;
}

static void list_conn_certs(struct cert_list *l, const struct conn *c, enum cert_flag now)
{
	for (size_t i = 0; i < c->n_local_rounds + c->n_remote_rounds; i++) {
		const struct conn_round *r = i < c->n_local_rounds ? &c->local_rounds[i] :
								     &c->remote_rounds[i - c->n_local_rounds];

		for (size_t j = 0; j < r->n_certs; j++)
			list_x509(l, r->certs[j], flag_of(r->certs[j]), now);
		for (size_t j = 0; j < r->n_cacerts; j++)
			list_x509(l, r->cacerts[j], CERT_FLAG_CA, now);
	}
}

/* What the cache has may be dropped by others as soon as it is told. */
struct held {
	struct cert **certs;
	struct crl **crls;
	struct buf *ocsp;
	size_t n_certs, n_crls, n_ocsp;
};

static void hold_cert(void *arg, const struct cert *cert)
{
	struct held *h = arg;

	h->certs = xrealloc(h->certs, (h->n_certs + 1) * sizeof(struct cert *));
	h->certs[h->n_certs++] = cert_ref(cert);
}

static void hold_crl(void *arg, const struct crl *crl)
{
	struct held *h = arg;

	h->crls = xrealloc(h->crls, (h->n_crls + 1) * sizeof(struct crl *));
	h->crls[h->n_crls++] = crl_ref(crl);
}

static void hold_ocsp(void *arg, struct bytes der)
{
	struct held *h = arg;

	h->ocsp = xrealloc(h->ocsp, (h->n_ocsp + 1) * sizeof(*h->ocsp));
	h->ocsp[h->n_ocsp] = (struct buf){ 0 };
	buf_add_bytes(&h->ocsp[h->n_ocsp++], der);
}

static void held_take(struct held *h, struct control *c)
{
	*h = (struct held){ 0 };
	if (!c->auth)
		return;
	auth_service_each_cert(c->auth, hold_cert, h);
	auth_service_each_crl(c->auth, hold_crl, h);
	auth_service_each_ocsp(c->auth, hold_ocsp, h);
}

static void held_clear(struct held *h)
{
	for (size_t i = 0; i < h->n_certs; i++)
		cert_unref(h->certs[i]);
	for (size_t i = 0; i < h->n_crls; i++)
		crl_unref(h->crls[i]);
	for (size_t i = 0; i < h->n_ocsp; i++)
		buf_free(&h->ocsp[i]);
	free(h->certs);
	free(h->crls);
	free(h->ocsp);
}

static void list_certs(struct cert_list *l, const struct config *config, const struct held *h)
{
	for (int flag = CERT_FLAG_NONE; flag <= CERT_FLAG_OCSP; flag++) {
		for (size_t i = 0; i < l->creds->n_certs; i++)
			list_x509(l, l->creds->certs[i].cert, l->creds->certs[i].flag, (enum cert_flag)flag);
		for (size_t i = 0; i < config->n_conns; i++)
			list_conn_certs(l, config_conns(config)[i], (enum cert_flag)flag);
		for (size_t i = 0; i < h->n_certs; i++)
			list_x509(l, h->certs[i], flag_of(h->certs[i]), (enum cert_flag)flag);
	}
}

static void list_acert(struct cert_list *l, const struct acert *ac)
{
	bool is = id_is_any(&l->subject);

	for (size_t i = 0; i < ac->n_holder_names && !is; i++)
		is = id_match(&ac->holder_names[i], &l->subject) != ID_MATCH_NONE;
	if (is && list_is_new(l, ac->der))
		list_event(l, "X509_AC", NULL, false, ac->der);
}

static void list_crl(struct cert_list *l, const struct crl *crl)
{
	if ((id_is_any(&l->subject) || id_match(&crl->issuer, &l->subject)) && list_is_new(l, crl->der))
		list_event(l, "X509_CRL", NULL, false, crl->der);
}

static void list_all(struct cert_list *l)
{
	const struct config *config = control_snapshot(l->cmd->control);
	struct held h;

	l->creds = config->creds;
	held_take(&h, l->cmd->control);
	if (list_wants(l, VICI_CERT_PUBKEY))
		list_pubkeys(l, config);
	if (list_wants(l, VICI_CERT_X509))
		list_certs(l, config, &h);
	for (size_t i = 0; list_wants(l, VICI_CERT_AC) && i < l->creds->n_acerts; i++)
		list_acert(l, l->creds->acerts[i]);
	for (size_t i = 0; list_wants(l, VICI_CERT_CRL) && i < l->creds->n_crls; i++)
		list_crl(l, l->creds->crls[i]);
	for (size_t i = 0; list_wants(l, VICI_CERT_CRL) && i < h.n_crls; i++)
		list_crl(l, h.crls[i]);
	for (size_t i = 0; list_wants(l, VICI_CERT_OCSP) && id_is_any(&l->subject) && i < h.n_ocsp; i++) {
		if (list_is_new(l, buf_bytes(&h.ocsp[i])))
			list_event(l, "OCSP_RESPONSE", NULL, false, buf_bytes(&h.ocsp[i]));
	}
	hashtab_walk(&l->seen, seen_free, l);
	hashtab_clear(&l->seen);
	held_clear(&h);
}

/* False: a filter that means nothing. */
static bool list_filter(struct cert_list *l)
{
	struct bytes message = command_request(l->cmd), text;

	if (vici_find_text(message, "type", &text) && !cert_filter_type(text, &l->filter))
		return false;
	if (vici_find_text(message, "flag", &text) && !cert_filter_flag(text, &l->filter))
		return false;
	return !vici_find(message, VICI_KEY_VALUE, "subject", &text) || id_parse(text, &l->subject);
}

void cmd_list_certs(struct command *cmd)
{
	struct cert_list l = { .cmd = cmd, .filter = { VICI_CERT_ANY, CERT_FLAG_NONE, true } };

	if (command_wants(cmd, CONTROL_EVENT_LIST_CERT) && list_filter(&l))
		list_all(&l);
	id_free(&l.subject);
	command_reply(cmd);
	command_end(cmd);
}
