/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/conn_rules.h"
#include "config/credentials.h"
#include "config/value.h"
#include "crypto/signer.h"
#include "proto/limits.h"
#include "util/file.h"
#include "util/mem.h"

/* Authentication rounds: what proves who we are, and what the peer has to prove. */

#define WHY_EAP "EAP is not supported yet"
#define WHY_REMOTE "it is for remote sections: what the peer has to prove"
#define WHY_PSK "a pre-shared key does not prove that"
#define WHY_RAW "attribute certificates say it of certificates, not of raw public keys (pubkeys)"

struct conn_object {
	struct conn_object *next;
	struct cert *cert;
	struct public_key *key;
};

void conn_objects_free(struct conn *c)
{
	/* they are in the arena */
	for (const struct conn_object *o = c->objects; o; o = o->next) {
		cert_unref(o->cert);
		public_key_unref(o->key);
	}
	c->objects = NULL;
}

static struct conn_object *object_new(struct conn_parse *p)
{
	struct conn_object *o = arena_new(p->arena, struct conn_object);

	o->next = p->conn->objects;
	p->conn->objects = o;
	return o;
}

/* ---- the kind of authentication */

static bool text_begins(struct bytes text, const char *word)
{
	return text.n >= strlen(word) && memcmp(text.p, word, strlen(word)) == 0;
}

/* "eap", "eap-..." or "eap:..." */
static bool auth_is(struct bytes text, const char *method)
{
	size_t n = strlen(method);

	return text_begins(text, method) && (text.n == n || text.p[n] == '-' || text.p[n] == ':');
}

static bool auth_pubkey(struct conn_parse *p, const struct conn_rule *rule, struct bytes text, struct conn_round *round)
{
	struct errtext why;

	round->auth = CONN_AUTH_PUBKEY;
	if (auth_rules_parse(text, !p->env->chain_rules_only, &round->rules, &why))
		return true;
	errtext_set(p->err, "invalid value for: %s, config discarded (%s)", rule->name, why.s);
	return false;
}

bool entry_auth(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct bytes text = buf_bytes(&entry->value);
	struct conn_round *round = section;

	round->auth_text = conn_keep_text(p, text);
	if (text_begins(text, "ike:") || text_begins(text, "pubkey") || text_begins(text, "rsa") || text_begins(text, "ecdsa"))
		return auth_pubkey(p, rule, text, round);
	if (auth_is(text, "eap"))
		return conn_fail_unsupported(p, rule->name, text, WHY_EAP);
	if (auth_is(text, "xauth"))
		return conn_fail_unsupported(p, rule->name, text, "IKEv1 is not supported");
	if (!bytes_equal_nocase(text, "psk"))
		return conn_fail_value(p, rule->name);
	round->auth = CONN_AUTH_PSK;
	return true;
}

/* ---- certificates */

/* Thousands of connections that name one certificate have one object of it, if it is loaded, too. Takes the reference. */
static struct cert *cert_shared(const struct credentials *creds, struct cert *cert)
{
	const struct loaded_cert *lc;

	for (size_t i = 0; creds && (lc = credentials_by_subject(creds, cert, i)); i++) {
		if (cert_equal(lc->cert, cert)) {
			cert_unref(cert);
			return cert_ref(lc->cert);
		}
	}
	return cert;
}

/* Adds it to one of the lists of a round; p's reference is taken. */
static bool round_add_cert(struct conn_parse *p, struct conn_round *round, bool ca, struct cert *cert)
{
	struct cert *const **list = ca ? &round->cacerts : &round->certs;
	size_t *n = ca ? &round->n_cacerts : &round->n_certs;
	struct cert **more;

	cert = cert_shared(p->env->creds, cert);
	object_new(p)->cert = cert;
	for (size_t i = 0; i < *n; i++) {
		if (cert_equal((*list)[i], cert))
			return true;
	}
	more = arena_array(p->arena, struct cert *, *n + 1);
	if (*n)
		memcpy(more, *list, *n * sizeof(struct cert *));
	more[(*n)++] = cert;
	*list = more;
	return true;
}

static struct cert *round_cert(struct bytes data, bool ca, struct errtext *why)
{
	struct cert *cert = cert_parse(data, why);

	if (!cert || !ca || cert->ca)
		return cert;
	errtext_set(why, "%s is not a CA's: it lacks the CA basic constraint", cert_text(cert).s);
	cert_unref(cert);
	return NULL;
}

bool entry_certs(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	bool ca = rule->offset == offsetof(struct conn_round, cacerts);

	TREE_FOREACH(it, entry) {
		struct errtext why;
		struct cert *cert = round_cert(buf_bytes(&it->value), ca, &why);

		if (!cert) {
			errtext_set(p->err, "invalid value for: %s, config discarded (%s)", rule->name, why.s);
			return false;
		}
		(void)round_add_cert(p, section, ca, cert);
	}
	return true;
}

bool conn_file_cert(const struct tree *file, struct buf *ret, struct errtext *err)
{
	const char *path = buf_str(&file->value);
	int failed;

	if (path[0] != '/') {
		errtext_set(err, "%s: the daemon reads it, and needs an absolute path", path);
		return false;
	}
	failed = file_read(path, 2 * LIMIT_CERT, ret); /* PEM is longer */
	if (failed)
		errtext_set(err, "%s: %s", path, strerror(failed));
	return !failed;
}

static const char *section_text(const struct tree *section, const char *key)
{
	const struct tree *value = tree_find(section, key);

	return value && value->kind == TREE_VALUE && value->value.n ? buf_str(&value->value) : NULL;
}

bool conn_token_cert(const struct tree *section, token_cert_fn *fn, void *arg, struct buf *ret, struct errtext *err)
{
	const char *hex = section_text(section, "handle"), *slot = section_text(section, "slot");
	struct token_ref t = { .slot = -1, .module = section_text(section, "module") };
	struct buf handle = { 0 };
	char *end = NULL;
	bool ok = false;

	if (slot)
		t.slot = strtoll(slot, &end, 0);
	if (slot && (*end || t.slot < 0 || t.slot > UINT32_MAX)) {
		errtext_set(err, "the slot is not a number: %s", slot);
	} else if (!hex || !hex_decode(bytes_str(hex), &handle)) {
		errtext_set(err, "the handle is not hex: %s", hex ? hex : "''");
	} else if (!fn) {
		errtext_set(err, "there are no tokens here");
	} else {
		t.handle = buf_bytes(&handle);
		ok = fn(arg, &t, ret, err);
	}
	buf_free(&handle);
	return ok;
}

/* A cert or cacert section: a file that we read, or what is on a token. */
static bool parse_cert(struct conn_parse *p, const struct tree *section, struct conn_round *round)
{
	const struct tree *file = tree_find(section, "file"), *handle = tree_find(section, "handle");
	bool ca = conn_name_begins(section, "cacert"), read;
	struct buf data = { 0 };
	struct cert *cert = NULL;
	struct errtext why;

	TREE_FOREACH(it, section) {
		if (it->kind == TREE_SECTION)
			return conn_fail_section(p, it);
		if (!conn_rules_apply(p, &conn_rules_cert, it, NULL))
			return false;
	}
	if (!file == !handle) {
		errtext_set(p->err, "handle %s file path %s: %s", file ? "and" : "or", file ? "given" : "missing", section->name);
		return false;
	}
	read = file ? conn_file_cert(file, &data, &why) : conn_token_cert(section, p->env->token_cert, p->env->token_arg, &data, &why);
	if (read)
		cert = round_cert(buf_bytes(&data), ca, &why);
	buf_free(&data);
	if (cert)
		return round_add_cert(p, round, ca, cert);
	errtext_set(p->err, "unable to load certificate: %s (%s)", section->name, why.s);
	return false;
}

bool entry_pubkeys(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct conn_round *round = section;
	struct public_key **keys = arena_array(p->arena, struct public_key *, entry->count);
	size_t n = 0;

	TREE_FOREACH(it, entry) {
		struct errtext why;
		struct public_key *key = public_key_parse(buf_bytes(&it->value), KEY_ANY, &why);

		if (!key) {
			errtext_set(p->err, "invalid value for: %s, config discarded (%s)", rule->name, why.s);
			return false;
		}
		object_new(p)->key = key;
		keys[n++] = key;
	}
	round->pubkeys = keys;
	round->n_pubkeys = n;
	return true;
}

bool entry_policies(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct conn_round *round = section;
	const char **list = arena_array(p->arena, const char *, entry->count);
	size_t n = 0;

	TREE_FOREACH(it, entry) {
		struct bytes text = buf_bytes(&it->value);
		uint64_t v;

		if (!rule->scalar(rule, text, &v))
			return conn_fail_value(p, rule->name);
		list[n++] = conn_keep_text(p, text);
	}
	round->policies = list;
	round->n_policies = n;
	return true;
}

bool entry_groups(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct conn_round *round = section;
	const char **list = arena_array(p->arena, const char *, entry->count);
	size_t n = 0;

	TREE_FOREACH(it, entry) {
		if (!it->value.n || !value_is_printable(buf_bytes(&it->value)))
			return conn_fail_value(p, rule->name);
		list[n++] = conn_keep_text(p, buf_bytes(&it->value));
	}
	round->groups = list;
	round->n_groups = n;
	return true;
}

/* ---- rounds */

/* A demand on the peer that nothing would look at must not be taken. */
static bool round_check(struct conn_parse *p, const struct conn_round *r)
{
	const struct {
		const char *key;
		bool given, of_peer; /* of_peer: it can only be one on the peer */
	} demands[] = {
		{ "certs", r->n_certs, false },
		{ "cacerts", r->n_cacerts, true },
		{ "pubkeys", r->n_pubkeys, false },
		{ "ca_id", !id_is_any(&r->ca_id), true },
		{ "cert_policy", r->n_policies, true },
		{ "groups", r->n_groups, true },
		{ "revocation", r->revocation != REVOCATION_RELAXED, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(demands); i++) {
		if (!demands[i].given)
			continue;
		if (p->local && demands[i].of_peer)
			return conn_fail_unsupported(p, demands[i].key, bytes_str("..."), WHY_REMOTE);
		if (!p->local && r->auth == CONN_AUTH_PSK)
			return conn_fail_unsupported(p, demands[i].key, bytes_str("..."), WHY_PSK);
	}
	if (r->n_groups && r->n_pubkeys)
		return conn_fail_unsupported(p, "groups", bytes_str("..."), WHY_RAW);
	return true;
}

static bool parse_round(struct conn_parse *p, const struct tree *section, struct conn_round *round)
{
	*round = (struct conn_round){ .auth = CONN_AUTH_PUBKEY, .auth_text = "pubkey" };
	TREE_FOREACH(it, section) {
		if (it->kind != TREE_SECTION) {
			if (!conn_rules_apply(p, &conn_rules_round, it, round))
				return false;
		} else if (!conn_name_is_good(it) || !(conn_name_begins(it, "cert") || conn_name_begins(it, "cacert"))) {
			return conn_fail_section(p, it);
		} else if (!parse_cert(p, it, round)) {
			return false;
		}
	}
	/* who we are is in our certificate, unless it is said (a subject without RDNs says nothing) */
	if (p->local && id_is_any(&round->id) && round->n_certs && round->certs[0]->subject.data.n > 2) {
		const struct id *subject = &round->certs[0]->subject;

		round->id.type = subject->type;
		round->id.data = bytes_of(arena_dup(p->arena, subject->data.p, subject->data.n), subject->data.n);
	}
	return round_check(p, round);
}

bool conn_parse_rounds(struct conn_parse *p, const struct tree *conn, bool local)
{
	struct conn_round *rounds = arena_array(p->arena, struct conn_round, conn->count + 1);
	size_t n = 0;

	p->local = local;
	TREE_FOREACH(it, conn) {
		struct conn_round round;
		size_t at = n;

		if (it->kind != TREE_SECTION || !conn_name_begins(it, local ? "local" : "remote"))
			continue;
		if (!parse_round(p, it, &round))
			return false;
		for (; at > 0 && rounds[at - 1].round > round.round; at--)
			rounds[at] = rounds[at - 1];
		rounds[at] = round;
		n++;
	}
	/* Without any section a side has one round of defaults. */
	if (n == 0)
		rounds[n++] = (struct conn_round){ .auth = CONN_AUTH_PUBKEY, .auth_text = "pubkey" };
	*(local ? &p->conn->local_rounds : &p->conn->remote_rounds) = rounds;
	*(local ? &p->conn->n_local_rounds : &p->conn->n_remote_rounds) = n;
	return true;
}
