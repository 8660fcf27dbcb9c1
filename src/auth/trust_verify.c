/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "auth/trust_inside.h"

/* ---- what is ours to check: time, strength, the connection's wishes */

struct trust_date trust_date(int64_t t)
{
	struct trust_date d = { "?" };
	time_t time = t;
	struct tm tm;

	if (gmtime_r(&time, &tm))
		strftime(d.s, sizeof(d.s), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return d;
}

static bool validity_is_good(struct trust_search *s, const struct cert *c)
{
	const struct trust_input *in = s->in;

	if (c->not_before > in->now && c->not_before - in->now > in->skew) {
		trust_fail(s, TRUST_RANK_PATH, "certificate %s is not valid before %s: now it is %s", cert_text(c).s,
			   trust_date(c->not_before).s, trust_date(in->now).s);
		return false;
	}
	if (c->not_after < in->now && in->now - c->not_after > in->skew) {
		trust_fail(s, TRUST_RANK_PATH, "certificate %s has expired at %s: now it is %s", cert_text(c).s,
			   trust_date(c->not_after).s, trust_date(in->now).s);
		return false;
	}
	return true;
}

static const char *algorithm_name(const struct cert *c)
{
	const char *name = OBJ_nid2sn(X509_get_signature_nid(c->x509));

	return name ? name : "an unknown algorithm";
}

static bool signature_is_good(struct trust_search *s, const struct cert *c, const struct cert *issuer)
{
	const struct auth_rules *rules = &s->in->round->rules;

	if (c->signature.kind == SIG_NONE) {
		trust_fail(s, TRUST_RANK_PATH, "certificate %s is signed with %s, which is not accepted", cert_text(c).s,
			   algorithm_name(c));
		return false;
	}
	if (!rules->n_chain && c->signature.hash == HASH_SHA1) {
		trust_fail(s, TRUST_RANK_RULES, "certificate %s is signed with %s: SHA-1 is too weak, unless auth has it (pubkey-sha1)",
			   cert_text(c).s, algorithm_name(c));
		return false;
	}
	if (rules->n_chain && !key_rules_allow(rules->chain, rules->n_chain, issuer->key, &c->signature)) {
		trust_fail(s, TRUST_RANK_RULES, "certificate %s is signed with %s by a key of %s with %u bits: too weak for auth = %.60s",
			   cert_text(c).s, algorithm_name(c), key_type_name(issuer->key->type), issuer->key->bits,
			   s->in->round->auth_text);
		return false;
	}
	return true;
}

/* The end entity's own key, whatever will be signed with it. */
static bool key_is_good(struct trust_search *s, const struct cert *c)
{
	const struct auth_rules *rules = &s->in->round->rules;
	bool good = !rules->n_chain;

	for (size_t i = 0; i < rules->n_chain; i++)
		good |= (rules->chain[i].type == KEY_ANY || rules->chain[i].type == c->key->type) &&
			c->key->bits >= rules->chain[i].min_bits;
	if (!good)
		trust_fail(s, TRUST_RANK_RULES, "certificate %s has a key of %s with %u bits: not what auth = %.60s asks for",
			   cert_text(c).s, key_type_name(c->key->type), c->key->bits, s->in->round->auth_text);
	return good;
}

bool trust_end_entity_is_good(struct trust_search *s, const struct cert *c)
{
	if (!c->may_sign) { /* RFC 4945, 5.1.3.2 */
		trust_fail(s, TRUST_RANK_PATH,
			   "certificate %s is not for IKE: its key usage has neither digitalSignature nor nonRepudiation",
			   cert_text(c).s);
		return false;
	}
	if (!c->for_ike) { /* RFC 4945, 5.1.3.12 */
		trust_fail(s, TRUST_RANK_PATH,
			   "certificate %s is not for IKE: its extended key usage has none of any, ipsecIKE, serverAuth, clientAuth",
			   cert_text(c).s);
		return false;
	}
	return validity_is_good(s, c) && key_is_good(s, c);
}

/* RFC 5755, 4.5: it is no CA's, and its key may sign. */
bool trust_aa_is_good(struct trust_search *s, const struct cert *c)
{
	if (c->ca || !c->may_sign) {
		trust_fail(s, TRUST_RANK_PATH, "certificate %s cannot be an attribute authority's: %s", cert_text(c).s,
			   c->ca ? "it is a CA's" : "its key usage has neither digitalSignature nor nonRepudiation");
		return false;
	}
	return validity_is_good(s, c) && key_is_good(s, c);
}

static bool cacerts_are_good(struct trust_search *s)
{
	const struct conn_round *r = s->in->round;

	for (size_t i = 1; i < s->n; i++) {
		for (size_t j = 0; j < r->n_cacerts; j++) {
			if (trust_same_ca(s->path[i], r->cacerts[j]))
				return true;
		}
	}
	if (!r->n_cacerts)
		return true;
	trust_fail(s, TRUST_RANK_RULES, "the path from certificate %s to '%.100s' has none of the connection's cacerts: the first is %s",
		   cert_text(s->path[0]).s, id_text(&s->path[s->n - 1]->subject).s, cert_text(r->cacerts[0]).s);
	return false;
}

static bool ca_id_is_good(struct trust_search *s)
{
	const struct id *want = &s->in->round->ca_id;

	for (size_t i = 1; i < s->n; i++) {
		if (cert_match_pattern(s->path[i], want))
			return true;
	}
	if (id_is_any(want))
		return true;
	trust_fail(s, TRUST_RANK_RULES, "no CA on the path from certificate %s to '%.100s' is '%.100s' (ca_id)",
		   cert_text(s->path[0]).s, id_text(&s->path[s->n - 1]->subject).s, id_text(want).s);
	return false;
}

/* ---- RFC 5280, 6, by OpenSSL */

static bool tree_has(const X509_POLICY_TREE *tree, const char *want)
{
	STACK_OF(X509_POLICY_NODE) *nodes = tree ? X509_policy_tree_get0_user_policies(tree) : NULL;

	for (int i = 0; nodes && i < sk_X509_POLICY_NODE_num(nodes); i++) {
		char oid[256];

		if (OBJ_obj2txt(oid, sizeof(oid), X509_policy_node_get0_policy(sk_X509_POLICY_NODE_value(nodes, i)), 1) > 0 &&
		    !strcmp(oid, want))
			return true;
	}
	return false;
}

static bool cert_has_policy(const struct cert *c, const char *want)
{
	for (size_t i = 0; i < c->n_policies; i++) {
		if (!strcmp(c->policies[i], want))
			return true;
	}
	return false;
}

static void policy_fail(struct trust_search *s, const char *want)
{
	trust_fail(s, TRUST_RANK_RULES, "policy %s (cert_policy) is not valid for certificate %s: %s", want, cert_text(s->path[0]).s,
		   cert_has_policy(s->path[0], want) ? "a CA above does not have it" : "it does not have it");
}

/* A path of one has no CA that could say something of policies. */
static bool policies_are_good(struct trust_search *s, X509_STORE_CTX *ctx)
{
	const struct conn_round *r = s->in->round;
	const X509_POLICY_TREE *tree = X509_STORE_CTX_get0_policy_tree(ctx);

	for (size_t i = 0; i < r->n_policies; i++) {
		if (s->n > 1 ? tree_has(tree, r->policies[i]) : cert_has_policy(s->path[0], r->policies[i]))
			continue;
		policy_fail(s, r->policies[i]);
		return false;
	}
	return true;
}

/* The first critical extension that OpenSSL does not know. */
static void critical_extension_text(X509 *x, char *out, size_t size)
{
	snprintf(out, size, "?");
	for (int i = 0; i < X509_get_ext_count(x); i++) {
		X509_EXTENSION *e = X509_get_ext(x, i);

		if (X509_EXTENSION_get_critical(e) && !X509_supported_extension(e)) {
			OBJ_obj2txt(out, (int)size, X509_EXTENSION_get_object(e), 0);
			return;
		}
	}
}

static void name_constraints_fail(struct trust_search *s, const struct cert *c, int error)
{
	const char *what = error == X509_V_ERR_PERMITTED_VIOLATION ? "a name that is not among those permitted" :
			   error == X509_V_ERR_EXCLUDED_VIOLATION  ? "a name that is excluded" :
								     "a name, or a constraint, that cannot be checked";
	struct buf names = { 0 };

	cert_names_format(&names, c);
	trust_fail(s, TRUST_RANK_PATH, "certificate %s has %s by the name constraints of a CA above it: its names are %.150s",
		   cert_text(c).s, what, buf_str(&names));
	buf_free(&names);
}

static void verify_fail(struct trust_search *s, int error, int depth)
{
	const struct cert *c = s->path[depth >= 0 && (size_t)depth < s->n ? depth : 0];
	char oid[80];

	switch (error) {
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		trust_fail(s, TRUST_RANK_PATH, "certificate %s was not signed with the key of its issuer's certificate",
			   cert_text(c).s);
		break;
	case X509_V_ERR_INVALID_CA:
		trust_fail(s, TRUST_RANK_PATH, "certificate %s is no CA's (basicConstraints)", cert_text(c).s);
		break;
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
		trust_fail(s, TRUST_RANK_PATH, "the path from certificate %s is longer than CA %s allows (pathLenConstraint)",
			   cert_text(s->path[0]).s, cert_text(c).s);
		break;
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
		name_constraints_fail(s, c, error);
		break;
	case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
		critical_extension_text(c->x509, oid, sizeof(oid));
		trust_fail(s, TRUST_RANK_PATH, "certificate %s has the critical extension %s, which is not known", cert_text(c).s, oid);
		break;
	case X509_V_ERR_NO_EXPLICIT_POLICY:
		if (s->in->round->n_policies)
			policy_fail(s, s->in->round->policies[0]);
		else
			trust_fail(s, TRUST_RANK_PATH,
				   "no policy is valid for certificate %s, and a CA above it asks for one (policyConstraints)",
				   cert_text(s->path[0]).s);
		break;
	default:
		trust_fail(s, TRUST_RANK_PATH, "certificate %s: %s", cert_text(c).s, X509_verify_cert_error_string(error));
		break;
	}
}

/* OpenSSL is to check just this path: each certificate has one issuer, the next. */
static int path_issued(X509_STORE_CTX *ctx, X509 *x, X509 *issuer)
{
	const struct trust_search *s = X509_STORE_CTX_get_app_data(ctx);

	for (size_t i = 0; i + 1 < s->n; i++) {
		if (s->path[i]->x509 == x)
			return s->path[i + 1]->x509 == issuer;
	}
	return x == issuer && X509_get_extension_flags(x) & EXFLAG_SS;
}

/* In the place of OpenSSL's: the path is what the search made it, and signatures that are known to be good are not verified again. */
static int path_signatures(X509_STORE_CTX *ctx)
{
	const struct trust_search *s = X509_STORE_CTX_get_app_data(ctx);

	for (size_t i = s->n - 1; i-- > 0;) {
		if (cert_is_signed_by(s->path[i], s->path[i + 1]))
			continue;
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_SIGNATURE_FAILURE);
		X509_STORE_CTX_set_error_depth(ctx, (int)i);
		return 0;
	}
	return 1;
}

static bool param_add_policy(X509_VERIFY_PARAM *param, const char *oid)
{
	ASN1_OBJECT *policy = OBJ_txt2obj(oid, 1);

	if (policy && X509_VERIFY_PARAM_add0_policy(param, policy))
		return true;
	ASN1_OBJECT_free(policy);
	return false;
}

static bool param_fill(const struct trust_search *s, X509_VERIFY_PARAM *param)
{
	const struct conn_round *r = s->in->round;
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_POLICY_CHECK;

	if (!s->in->enforce_critical)
		flags |= X509_V_FLAG_IGNORE_CRITICAL;
	/* A common name is never taken as a DNS name. */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	X509_VERIFY_PARAM_set_depth(param, TRUST_CHAIN_MAX);
	if (r->n_policies && s->n > 1)
		flags |= X509_V_FLAG_EXPLICIT_POLICY;
	for (size_t i = 0; i < r->n_policies; i++) {
		if (!param_add_policy(param, r->policies[i]))
			return false;
	}
	/* A set without any would have none acceptable when a CA asks for one. */
	return (r->n_policies || param_add_policy(param, "2.5.29.32.0")) && X509_VERIFY_PARAM_set_flags(param, flags) == 1;
}

static bool path_verify_with(struct trust_search *s, X509_STORE *store, X509_STORE_CTX *ctx, STACK_OF(X509) *trusted,
			     STACK_OF(X509) *untrusted)
{
	int good;

	X509_STORE_set_check_issued(store, path_issued);
	X509_STORE_set_verify(store, path_signatures);
	if (!sk_X509_push(trusted, s->path[s->n - 1]->x509))
		return false;
	for (size_t i = 1; i + 1 < s->n; i++) {
		if (!sk_X509_push(untrusted, s->path[i]->x509))
			return false;
	}
	if (X509_STORE_CTX_init(ctx, store, s->path[0]->x509, untrusted) != 1 || !X509_STORE_CTX_set_app_data(ctx, s) ||
	    !param_fill(s, X509_STORE_CTX_get0_param(ctx)))
		return false;
	X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
	good = X509_verify_cert(ctx); /* 1, 0 or negative */
	if (good == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK &&
	    sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) == (int)s->n)
		return policies_are_good(s, ctx);
	verify_fail(s, X509_STORE_CTX_get_error(ctx), X509_STORE_CTX_get_error_depth(ctx));
	return false;
}

static bool path_verify(struct trust_search *s)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *trusted = sk_X509_new_null(), *untrusted = sk_X509_new_null();
	bool good;

	ERR_set_mark();
	good = store && ctx && trusted && untrusted && path_verify_with(s, store, ctx, trusted, untrusted);
	ERR_pop_to_mark();
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(trusted);
	sk_X509_free(untrusted);
	if (!good)
		trust_fail(s, TRUST_RANK_NONE + 1, "certificate %s could not be checked: out of memory", cert_text(s->path[0]).s);
	return good;
}

bool trust_path_is_good(struct trust_search *s)
{
	for (size_t i = 1; i < s->n; i++) {
		if (!validity_is_good(s, s->path[i]))
			return false;
	}
	for (size_t i = 0; i + 1 < s->n; i++) {
		if (!signature_is_good(s, s->path[i], s->path[i + 1]))
			return false;
	}
	if (!s->checks) {
		trust_fail(s, TRUST_RANK_ISSUER, "there are too many paths from certificate %s to a CA", cert_text(s->path[0]).s);
		return false;
	}
	s->checks--;
	return path_verify(s) && cacerts_are_good(s) && ca_id_is_good(s);
}
