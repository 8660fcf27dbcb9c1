/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a peer is in a group: one test for each check of an attribute certificate, and what is said when it fails. */
#include <stdlib.h>

#include "auth/acerts.h"
#include "auth/groups.h"
#include "auth_test.h"
#include "pki_acert.h"
#include "proto/limits.h"
#include "util/mem.h"

static struct pki_cert *root, *sub, *aa, *moon, *gateway;
static struct creds_set *set;
static struct conn_round round_of_peer, local;
static struct conn conn;
static struct acert *sent[32];
static struct cert *peer[4];
static size_t n_sent, n_peer;
static int64_t now, skew;
static struct errtext why;

static const char *const wanted[] = { "sales", "support" };

static struct pki_cert *authority(const struct pki_cert *issuer, const char *subject, const char *const *extensions)
{
	static const char *const usual[] = { "keyUsage=critical,digitalSignature", "subjectKeyIdentifier=hash", NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = issuer, .extensions = extensions ? extensions : usual });
}

static void load(const struct pki_cert *c, enum cert_flag flag)
{
	ck_assert(creds_set_add_cert(set, cert_ref(c->cert), flag));
}

static void setup(void)
{
	root = pki_ca(NULL, "CN=root");
	sub = pki_ca(root, "CN=sub");
	aa = authority(root, "CN=aa", NULL);
	moon = pki_leaf(root, "CN=moon", "DNS:moon.test");
	gateway = pki_leaf(root, "CN=gateway", "DNS:gw.test");
	set = creds_set_new();
	round_of_peer = (struct conn_round){ .auth = CONN_AUTH_PUBKEY, .auth_text = "pubkey", .groups = wanted, .n_groups = 2 };
	local = (struct conn_round){ .auth = CONN_AUTH_PUBKEY, .auth_text = "pubkey" };
	conn = (struct conn){ .n_local_rounds = 1, .local_rounds = &local };
	n_sent = n_peer = 0;
	now = PKI_NOW;
	skew = 0;
	load(root, CERT_FLAG_CA);
}

static void unsend(void)
{
	while (n_sent)
		acert_unref(sent[--n_sent]);
}

static void teardown(void)
{
	unsend();
	while (n_peer)
		cert_unref(peer[--n_peer]);
	creds_set_free(set);
	pki_cert_free(root);
	pki_cert_free(sub);
	pki_cert_free(aa);
	pki_cert_free(moon);
	pki_cert_free(gateway);
}

static struct acert *made(const struct pki_acert_spec *spec)
{
	struct pki_acert_spec s = *spec;

	s.holder = s.holder ? s.holder : moon;
	s.issuer = s.issuer ? s.issuer : aa;
	return pki_acert_new(&s);
}

static void send_acert(const struct pki_acert_spec *spec)
{
	sent[n_sent++] = made(spec);
}

static size_t check(struct acert_grant *grants)
{
	struct credentials *creds = creds_set_snapshot(set);
	struct id id = { 0 };
	struct trust_input trust = { .creds = creds, .round = &round_of_peer, .id = &id, .certs = peer, .n_certs = n_peer, .now = now,
				     .skew = skew, .enforce_critical = true };
	struct acerts_input in = { .trust = &trust, .conn = &conn, .holder = moon->cert, .sent = sent, .n_sent = n_sent };
	size_t n = acerts_check(&in, grants, &why);

	credentials_unref(creds);
	return n;
}

/* It is in that group, by a chain of so many certificates. */
static void good(const char *group, size_t n_chain)
{
	struct acert_grant grants[ACERT_GRANTS];
	size_t n = check(grants);

	ck_assert_msg(n > 0, "%s", why.s);
	ck_assert_str_eq(grants[0].group, group);
	ck_assert_uint_eq(grants[0].chain->n, n_chain);
	acert_grants_clear(grants, n);
}

static void bad(const char *texts)
{
	struct acert_grant grants[ACERT_GRANTS];
	char *copy = xstrdup(texts), *save, *text;

	why.s[0] = '\0';
	ck_assert_msg(check(grants) == 0, "it is taken, but: %s", texts);
	ck_assert_msg(strstr(why.s, "one of the groups 'sales', 'support'"), "%s", why.s);
	for (text = strtok_r(copy, "|", &save); text; text = strtok_r(NULL, "|", &save))
		ck_assert_msg(strstr(why.s, text), "'%s' is not in: %s", text, why.s);
	free(copy);
}

START_TEST(test_member)
{
	static const char *const groups[] = { "marketing", "support", NULL };

	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ 0 });
	good("sales", 2);
	unsend();
	send_acert(&(struct pki_acert_spec){ .groups = groups, .name = "CN=moon" });
	good("support", 2);
}
END_TEST

/* Names are compared as they are. */
START_TEST(test_no_member)
{
	static const char *const groups[] = { "marketing", "Sales", "sales2", "sale", NULL };

	load(aa, CERT_FLAG_AA);
	bad("it sent no attribute certificate, and none is loaded for its certificate 'CN=moon'");
	send_acert(&(struct pki_acert_spec){ .groups = groups, .serial = 0x5566 });
	bad("attribute certificate of certificate|serial 55:66) says that it is in: 'marketing', 'Sales', 'sales2', 'sale'");
}
END_TEST

/* Those that are loaded count without being sent, and each once. */
START_TEST(test_loaded)
{
	struct acert *ac = made(&(struct pki_acert_spec){ 0 }), *by_name = made(&(struct pki_acert_spec){ .no_base = true, .name = "CN=moon" });
	struct acert *other = made(&(struct pki_acert_spec){ .holder = gateway });

	load(aa, CERT_FLAG_AA);
	ck_assert(creds_set_add_acert(set, other));
	bad("none is loaded for its certificate");
	ck_assert(creds_set_add_acert(set, acert_ref(ac)));
	ck_assert(!creds_set_add_acert(set, acert_ref(ac)));
	good("sales", 2);
	now = PKI_NOW + 2 * 3600;
	sent[n_sent++] = ac;
	bad("expired");
	ck_assert(strstr(why.s, "expired") && !strstr(strstr(why.s, "expired") + 1, "expired"));
	now = PKI_NOW;
	creds_set_clear(set);
	unsend();
	load(root, CERT_FLAG_CA);
	load(aa, CERT_FLAG_AA);
	bad("none is loaded for its certificate");
	ck_assert(creds_set_add_acert(set, by_name));
	good("sales", 2);
}
END_TEST

/* Many old ones that nobody removed hide none that is good. */
START_TEST(test_many_loaded)
{
	load(aa, CERT_FLAG_AA);
	for (int64_t i = 0; i < 2 * ACERTS_LOADED; i++)
		ck_assert(creds_set_add_acert(set, made(&(struct pki_acert_spec){
			.not_after = i == ACERTS_LOADED + 9 ? PKI_NOW + 9 : PKI_NOW - 1 - i * 7 % 90 })));
	good("sales", 2);
}
END_TEST

/* RFC 5755, 5: both ends belong to it. */
START_TEST(test_validity)
{
	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .not_before = PKI_NOW - 10, .not_after = PKI_NOW + 10 });
	now = PKI_NOW + 10;
	good("sales", 2);
	now++;
	bad("it has expired at 2026-");
	skew = 1;
	good("sales", 2);
	skew = 0;
	now = PKI_NOW - 10;
	good("sales", 2);
	now--;
	bad("it is not valid before 2026-");
	skew = 1;
	good("sales", 2);
	now = 0;
	bad("not valid before");
	now = INT64_MAX;
	bad("expired");
}
END_TEST

START_TEST(test_another_holder)
{
	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .holder = gateway });
	bad("its holder is not the peer, certificate 'CN=moon'");
}
END_TEST

/* RFC 5755, 5, 4: it must be known as an attribute authority. */
START_TEST(test_issuer_is_no_authority)
{
	struct pki_cert *same = authority(root, "CN=aa", NULL);

	send_acert(&(struct pki_acert_spec){ 0 });
	bad("its issuer is no attribute authority that is loaded (x509aa)");
	load(aa, CERT_FLAG_NONE);
	bad("its certificate is loaded, but not as an authority's");
	peer[n_peer++] = cert_ref(aa->cert); /* that it comes along does not make it one */
	bad("its certificate is loaded, but not as an authority's");
	load(same, CERT_FLAG_AA); /* one of the same name, but of another key */
	bad("it was not signed with the key of its issuer");
	load(aa, CERT_FLAG_AA);
	good("sales", 2);
	pki_cert_free(same);
}
END_TEST

/* RFC 5755, 4.5: a CA issues none, neither as what it is nor loaded as what it is not. */
START_TEST(test_issuer_is_ca)
{
	load(sub, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = sub });
	bad("that certificate is a CA's, which must not issue any");
	unsend();
	send_acert(&(struct pki_acert_spec){ .issuer = root });
	bad("that certificate is a CA's, which must not issue any");
}
END_TEST

START_TEST(test_wrong_signature)
{
	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .key = moon->key });
	bad("it was not signed with the key of its issuer, certificate 'CN=aa'");
}
END_TEST

/* RFC 5755, 5, 2: the authority's own chain. */
START_TEST(test_authority_chain)
{
	struct pki_cert *foreign = pki_ca(NULL, "CN=foreign"), *below = authority(foreign, "CN=below", NULL);
	struct pki_cert *deep = authority(sub, "CN=deep", NULL);

	load(below, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = below });
	bad("no trusted CA for certificate 'CN=below'");
	unsend();
	load(deep, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = deep });
	bad("no trusted CA for certificate 'CN=deep'");
	peer[n_peer++] = cert_ref(sub->cert); /* a CA between may come from the peer */
	good("sales", 3);
	pki_cert_free(foreign);
	pki_cert_free(below);
	pki_cert_free(deep);
}
END_TEST

/* One that signed itself is trusted as it is loaded. */
START_TEST(test_self_signed_authority)
{
	struct pki_cert *self = authority(NULL, "CN=self", NULL);

	load(self, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = self });
	good("sales", 1);
	now = self->cert->not_after + 1;
	unsend();
	send_acert(&(struct pki_acert_spec){ .issuer = self, .not_after = now + 10 });
	bad("certificate 'CN=self'|has expired");
	pki_cert_free(self);
}
END_TEST

START_TEST(test_authority_usage)
{
	static const char *const usage[] = { "keyUsage=critical,keyEncipherment", NULL };
	static const char *const critical[] = { "1.2.3.4=critical,DER:0500", NULL };
	struct pki_cert *unfit = authority(root, "CN=unfit", usage), *odd = authority(root, "CN=odd", critical);

	load(unfit, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = unfit });
	bad("'CN=unfit'|cannot be an attribute authority's: its key usage");
	unsend();
	load(odd, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = odd });
	bad("'CN=odd'|critical extension");
	pki_cert_free(unfit);
	pki_cert_free(odd);
}
END_TEST

/* What the connection wants of the peer's chain is not wanted of the authority's; that keys are strong is. */
START_TEST(test_strength)
{
	struct cert *cas[] = { sub->cert };
	struct pki_cert *rsa = pki_cert_new(&(struct pki_spec){ .subject = "CN=rsa", .issuer = root, .type = PKI_RSA1024 });

	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ 0 });
	round_of_peer.cacerts = cas;
	round_of_peer.n_cacerts = 1;
	good("sales", 2);
	round_of_peer.rules.n_chain = 1;
	round_of_peer.rules.chain[0] = (struct key_rule){ .type = KEY_ECDSA, .min_bits = 384 };
	bad("with a key of 256 bits: too weak");
	round_of_peer.rules.n_chain = 0;
	unsend();
	load(rsa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .issuer = rsa, .md = EVP_sha1() });
	bad("it is signed by RSA_EMSA_PKCS1_SHA1");
	unsend();
	send_acert(&(struct pki_acert_spec){ .parts = { .algorithm = bytes_of("\x30\x04\x06\x02\x2a\x03", 6) } });
	bad("its signature cannot be checked: the signature's algorithm is not supported");
	pki_cert_free(rsa);
}
END_TEST

/* RFC 5755, 4.3.2 */
START_TEST(test_targets)
{
	static const char *const for_gw[] = { "2.5.29.55=critical,DER:300d300ba0098207" "67772e74657374", NULL };
	struct cert *certs[] = { gateway->cert };
	EVP_PKEY *key = gateway->key;
	struct errtext err;
	struct private_key *mine;
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(key, &der);

	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .extensions = for_gw });
	bad("it is for other servers than us");
	local.certs = certs;
	local.n_certs = 1;
	good("sales", 3);
	local.n_certs = 0;
	ck_assert(id_parse(bytes_str("gw.test"), &local.id));
	good("sales", 3);
	id_free(&local.id);
	load(gateway, CERT_FLAG_NONE); /* that of a peer, perhaps */
	bad("it is for other servers than us");
	mine = private_key_parse(bytes_of(der, (size_t)n), KEY_ANY, &err);
	ck_assert_msg(mine, "%s", err.s);
	ck_assert(creds_set_add_key(set, mine));
	good("sales", 3);
	OPENSSL_free(der);
}
END_TEST

/* What is not "never revoked" begins the chain that revocation looks at. */
START_TEST(test_revocable)
{
	static const char *const none[] = { NULL };
	struct acert_grant grants[ACERT_GRANTS];

	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .extensions = none });
	ck_assert_uint_eq(check(grants), 1);
	ck_assert(grants[0].chain->n == 3 && grants[0].chain->certs[0] == sent[0]->revocable);
	ck_assert_int_le(grants[0].chain->valid_until, sent[0]->not_after);
	acert_grants_clear(grants, 1);
}
END_TEST

/* Only so many of a peer's are looked at; a good one among bad ones is found, and each bad one is told of. */
START_TEST(test_several)
{
	static const char *const other[] = { "other", NULL };

	load(aa, CERT_FLAG_AA);
	send_acert(&(struct pki_acert_spec){ .groups = other });
	send_acert(&(struct pki_acert_spec){ .not_after = PKI_NOW - 1 });
	bad("is in: 'other'|expired");
	send_acert(&(struct pki_acert_spec){ 0 });
	good("sales", 2);
	unsend();
	while (n_sent < LIMIT_ACERTS)
		send_acert(&(struct pki_acert_spec){ .groups = other });
	send_acert(&(struct pki_acert_spec){ 0 });
	bad("is in: 'other'");
}
END_TEST

START_TEST(test_groups)
{
	struct peer_groups g = { 0 };
	struct buf text = { 0 };
	char names[2 * PEER_GROUPS_MAX][8];

	peer_groups_format(&text, &g);
	ck_assert_str_eq(buf_str(&text), "none");
	ck_assert(!peer_groups_wanted(&g, &round_of_peer));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "g%zu", i);
		peer_groups_add(&g, &round_of_peer, names[i], "someone");
	}
	ck_assert(g.n == PEER_GROUPS_MAX && g.more && !peer_groups_wanted(&g, &round_of_peer));
	peer_groups_add(&g, &round_of_peer, "support", "me");
	ck_assert(peer_groups_wanted(&g, &round_of_peer));
	ck_assert_str_eq(peer_groups_wanted(&g, &round_of_peer)->by, "me");
	buf_reset(&text);
	round_groups_format(&text, &round_of_peer);
	ck_assert_str_eq(buf_str(&text), "'sales', 'support'");
	buf_free(&text);
}
END_TEST

Suite *suite_acerts(void)
{
	Suite *s = suite_create("auth/acerts");
	TCase *t = tcase_create("acerts");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_member);
	tcase_add_test(t, test_no_member);
	tcase_add_test(t, test_loaded);
	tcase_add_test(t, test_many_loaded);
	tcase_add_test(t, test_validity);
	tcase_add_test(t, test_another_holder);
	tcase_add_test(t, test_issuer_is_no_authority);
	tcase_add_test(t, test_issuer_is_ca);
	tcase_add_test(t, test_wrong_signature);
	tcase_add_test(t, test_authority_chain);
	tcase_add_test(t, test_self_signed_authority);
	tcase_add_test(t, test_authority_usage);
	tcase_add_test(t, test_strength);
	tcase_add_test(t, test_targets);
	tcase_add_test(t, test_revocable);
	tcase_add_test(t, test_several);
	tcase_add_test(t, test_groups);
	suite_add_tcase(s, t);
	return s;
}
