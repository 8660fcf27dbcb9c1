/* SPDX-License-Identifier: Apache-2.0 */
/* Who is trusted, and what is said when not: one test for each check. */
#include <stdlib.h>

#include <openssl/crypto.h>

#include "auth_test.h"
#include "util/mem.h"

static struct trust_test t;
static struct pki_cert *root, *sub, *moon;

static void setup(void)
{
	root = pki_ca(NULL, "C=CH, CN=root");
	sub = pki_ca(root, "C=CH, CN=sub");
	moon = pki_leaf(sub, "C=CH, CN=moon", "DNS:moon.example.org, email:admin@example.org, IP:192.0.2.1, IP:2001:db8::1");
	trust_test_init(&t, "moon.example.org");
}

static void teardown(void)
{
	trust_test_clear(&t);
	pki_cert_free(root);
	pki_cert_free(sub);
	pki_cert_free(moon);
}

static void id_set(const char *text)
{
	id_free(&t.id);
	ck_assert(id_parse(bytes_str(text), &t.id));
}

static void usual(void)
{
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, moon);
	trust_test_send(&t, sub);
}

/* The end entity is replaced by one with these extensions, of the sub-CA. */
static void send_leaf(const struct pki_spec *spec)
{
	struct pki_spec s = *spec;
	struct pki_cert *c;

	s.subject = s.subject ? s.subject : "C=CH, CN=leaf";
	s.issuer = s.issuer ? s.issuer : sub;
	c = pki_cert_new(&s);
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, c);
	trust_test_send(&t, sub);
	id_set("C=CH, CN=leaf");
	pki_cert_free(c);
}

START_TEST(test_valid)
{
	usual();
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

START_TEST(test_root_sent_too)
{
	usual();
	trust_test_send(&t, root);
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

START_TEST(test_sub_loaded)
{
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_load(&t, sub, CERT_FLAG_CA);
	trust_test_send(&t, moon);
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

/* An intermediate CA whose own issuer is not loaded is an anchor. */
START_TEST(test_sub_alone)
{
	trust_test_load(&t, sub, CERT_FLAG_CA);
	trust_test_send(&t, moon);
	trust_test_good(&t, "moon < sub");
	trust_test_send(&t, root);
	trust_test_good(&t, "moon < sub");
}
END_TEST

/* If it is loaded, it counts: here it has expired. */
START_TEST(test_sub_below_expired_root)
{
	static const char *const ca[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash", NULL };
	struct pki_cert *old = pki_cert_new(&(struct pki_spec){ .subject = "CN=old", .extensions = ca,
								.not_before = PKI_NOW - 9 * PKI_DAY, .not_after = PKI_NOW - PKI_DAY });
	struct pki_cert *mid = pki_ca(old, "CN=mid"), *leaf = pki_leaf(mid, "CN=leaf", NULL);

	trust_test_load(&t, old, CERT_FLAG_CA);
	trust_test_load(&t, mid, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	id_set("CN=leaf");
	trust_test_bad(&t, "CN=old|expired");
	pki_cert_free(old);
	pki_cert_free(mid);
	pki_cert_free(leaf);
}
END_TEST

START_TEST(test_untrusted)
{
	trust_test_send(&t, moon);
	trust_test_bad(&t, "no trusted CA|'C=CH, CN=moon'|no certificate of the issuer 'C=CH, CN=sub'");
	trust_test_send(&t, sub);
	trust_test_bad(&t, "no trusted CA|'C=CH, CN=moon'|no certificate of the issuer 'C=CH, CN=root'");
	trust_test_send(&t, root);
	trust_test_bad(&t, "no trusted CA|'C=CH, CN=moon'|'C=CH, CN=root'|self-signed");
}
END_TEST

/* A CA of the same name and key identifier, but another key. */
START_TEST(test_wrong_signature)
{
	char *hex = OPENSSL_buf2hexstr(sub->cert->subject_key_id.p, (long)sub->cert->subject_key_id.n);
	char *ski = xasprintf("subjectKeyIdentifier=%s", hex);
	const char *const ca[] = { "basicConstraints=critical,CA:TRUE", ski, NULL };
	struct pki_cert *fake = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=sub", .extensions = ca });

	trust_test_load(&t, fake, CERT_FLAG_CA);
	trust_test_send(&t, moon);
	trust_test_bad(&t, "'C=CH, CN=moon'|was not signed");
	/* The right one is found beside it. */
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, sub);
	trust_test_good(&t, "moon < sub < root");
	pki_cert_free(fake);
	OPENSSL_free(hex);
	free(ski);
}
END_TEST

START_TEST(test_changed_certificate)
{
	struct buf der = pki_cert_der(moon);
	struct errtext err;
	uint8_t *at = memmem(der.p, der.n, "moon.example", 12);
	struct cert *c;

	ck_assert(at);
	*at = 'n'; /* noon.example.org */
	c = cert_parse(buf_bytes(&der), &err);
	ck_assert(c);
	trust_test_load(&t, root, CERT_FLAG_CA);
	t.peer[t.n_peer++] = c;
	trust_test_send(&t, sub);
	id_set("noon.example.org");
	trust_test_bad(&t, "'C=CH, CN=moon'|was not signed");
	buf_free(&der);
}
END_TEST

START_TEST(test_validity)
{
	usual();
	t.now = moon->cert->not_after;
	trust_test_good(&t, "moon < sub < root");
	t.now++;
	trust_test_bad(&t, "'C=CH, CN=moon'|expired at 2027-");
	t.skew = 1;
	trust_test_good(&t, "moon < sub < root");
	t.skew = 0;
	t.now = moon->cert->not_before;
	trust_test_good(&t, "moon < sub < root");
	t.now--;
	trust_test_bad(&t, "'C=CH, CN=moon'|not valid before 2026-");
	t.skew = 1;
	trust_test_good(&t, "moon < sub < root");
	t.now -= 1;
	trust_test_bad(&t, "not valid before");
}
END_TEST

/* The whole span of what a time can be: nothing overflows. */
START_TEST(test_validity_extremes)
{
	usual();
	t.now = INT64_MAX;
	trust_test_bad(&t, "expired");
	t.skew = INT64_MAX;
	trust_test_good(&t, "moon < sub < root");
	t.now = 0;
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

START_TEST(test_intermediate_expired)
{
	static const char *const ca[] = { "basicConstraints=critical,CA:TRUE", NULL };
	struct pki_cert *old = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=sub", .issuer = root, .key = sub->key, .extensions = ca,
								.not_after = PKI_NOW - 3600 });

	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, moon);
	trust_test_send(&t, old);
	trust_test_bad(&t, "'C=CH, CN=sub' (issuer 'C=CH, CN=root'|expired");
	/* Its successor is taken, in whatever order they come. */
	trust_test_send(&t, sub);
	trust_test_good(&t, "moon < sub < root");
	pki_cert_free(old);
}
END_TEST

/* ---- identities */

START_TEST(test_identities)
{
	static const char *const good[] = { "moon.example.org", "MOON.example.ORG", "admin@example.org", "192.0.2.1", "2001:db8::1",
					    "C=CH, CN=moon", "c=CH, cn=MOON" };
	static const char *const bad[] = { "moon.example.or",  "oon.example.org",    "moon.example.org.", "sun.example.org", "*.example.org",
					   "moon",	       "*@example.org",	     "admin@example.or",  "192.0.2.2",	     "2001:db8::",
					   "C=CH, CN=moo",     "C=CH",		     "CN=moon",		  "C=CH, CN=*",	     "C=CH, CN=moon, OU=x",
					   "CN=moon, C=CH",    "C=CH, CN=moon2",     "192.0.2.0/24",    "^.*$" };

	usual();
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		id_set(good[i]);
		trust_test_good(&t, "moon < sub < root");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		id_set(bad[i]);
		trust_test_bad(&t, "not for identity|'C=CH, CN=moon'|'admin@example.org'");
	}
	id_set("C=CH, CN=sub"); /* a CA's certificate that is sent along */
	trust_test_bad(&t, "'C=CH, CN=sub'|key usage");
}
END_TEST

/* Lengths that lie: a prefix, and a NUL behind the name. */
START_TEST(test_identity_lengths)
{
	static const char fqdn[] = "moon.example.org\0.evil";

	usual();
	for (size_t n = 0; n < sizeof(fqdn); n++) {
		struct trust_chain *chain;

		id_free(&t.id);
		t.id = (struct id){ ID_TYPE_FQDN, bytes_of(xmemdup(fqdn, n ? n : 1), n) };
		chain = trust_test_check(&t);
		ck_assert_msg(!chain == (n != 16), "%zu", n);
		trust_chain_unref(chain);
	}
	id_free(&t.id);
	t.id = (struct id){ ID_TYPE_DER_ASN1_DN, bytes_of(xmemdup(moon->cert->subject.data.p, moon->cert->subject.data.n), 1) };
	trust_test_bad(&t, "not for identity");
	t.id.data.n = moon->cert->subject.data.n - 1;
	trust_test_bad(&t, "not for identity");
	t.id.type = ID_TYPE_FQDN;
	trust_test_bad(&t, "not for identity");
	t.id.type = ID_TYPE_ANY;
	trust_test_bad(&t, "not for identity");
}
END_TEST

START_TEST(test_key_id)
{
	usual();
	id_free(&t.id);
	t.id = (struct id){ ID_TYPE_KEY_ID, bytes_of(xmemdup(moon->cert->key->id, KEY_ID_LEN), KEY_ID_LEN) };
	trust_test_good(&t, "moon < sub < root");
	t.id.data.n = KEY_ID_LEN - 1;
	trust_test_bad(&t, "not for identity");
	t.id.data.n = 0; /* and it has no subjectKeyIdentifier */
	trust_test_bad(&t, "not for identity");
}
END_TEST

/* A subject and an identity without content are not equal. */
START_TEST(test_empty_subject)
{
	static const char *const extensions[] = { "subjectAltName=critical,DNS:leaf.example.org", NULL };
	struct pki_cert *c = pki_cert_new(&(struct pki_spec){ .issuer = sub, .extensions = extensions });

	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, c);
	trust_test_send(&t, sub);
	id_free(&t.id);
	t.id = (struct id){ ID_TYPE_DER_ASN1_DN, bytes_of(xmemdup("\x30\x00", 2), 2) };
	trust_test_bad(&t, "not for identity");
	id_set("leaf.example.org");
	trust_test_good(&t, "? < sub < root");
	pki_cert_free(c);
}
END_TEST

/* The certificate for the identity is not the first; another's is no help. */
START_TEST(test_order_of_certificates)
{
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, root);
	trust_test_send(&t, sub);
	trust_test_bad(&t, "not for identity|'C=CH, CN=root'");
	trust_test_send(&t, moon);
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

START_TEST(test_nothing_sent)
{
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_load(&t, sub, CERT_FLAG_CA);
	trust_test_bad(&t, "the peer sent no certificate|moon.example.org");
	trust_test_load(&t, moon, CERT_FLAG_NONE);
	trust_test_good(&t, "moon < sub < root");
	id_set("sun.example.org");
	trust_test_bad(&t, "the peer sent no certificate|sun.example.org");
}
END_TEST

/* ---- usage */

START_TEST(test_key_usage)
{
	static const struct {
		const char *usage;
		bool good;
	} cases[] = {
		{ "keyUsage=critical,digitalSignature", true },	    { "keyUsage=nonRepudiation", true },
		{ "keyUsage=keyEncipherment,digitalSignature", true }, { "keyUsage=critical,keyEncipherment", false },
		{ "keyUsage=keyAgreement", false },		    { "keyUsage=critical,keyCertSign,cRLSign", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const extensions[] = { cases[i].usage, NULL };

		trust_test_clear(&t);
		trust_test_init(&t, "CN=x");
		send_leaf(&(struct pki_spec){ .extensions = extensions });
		if (cases[i].good)
			trust_test_good(&t, "leaf < sub < root");
		else
			trust_test_bad(&t, "'C=CH, CN=leaf'|key usage|digitalSignature");
	}
}
END_TEST

START_TEST(test_extended_key_usage)
{
	static const struct {
		const char *usage;
		bool good;
	} cases[] = {
		{ "anyExtendedKeyUsage", true }, { "1.3.6.1.5.5.7.3.17", true }, { "1.3.6.1.5.5.8.2.2", true }, { "serverAuth", true },
		{ "clientAuth", true },		 { "critical,serverAuth", true }, { "ipsecTunnel", true },	 { "codeSigning,serverAuth", true },
		{ "codeSigning", false },	 { "emailProtection", false },	  { "OCSPSigning", false },	 { "1.3.6.1.5.5.7.3.170", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *usage = xasprintf("extendedKeyUsage=%s", cases[i].usage);
		const char *const extensions[] = { usage, NULL };

		trust_test_clear(&t);
		trust_test_init(&t, "CN=x");
		send_leaf(&(struct pki_spec){ .extensions = extensions });
		if (cases[i].good)
			trust_test_good(&t, "leaf < sub < root");
		else
			trust_test_bad(&t, "'C=CH, CN=leaf'|extended key usage");
		free(usage);
	}
}
END_TEST

START_TEST(test_issuer_is_no_ca)
{
	struct pki_cert *leaf;

	/* an end entity that issues */
	leaf = pki_leaf(moon, "CN=leaf", NULL);
	trust_test_send(&t, leaf);
	usual();
	id_set("CN=leaf");
	trust_test_bad(&t, "'C=CH, CN=moon'|cannot be the issuer|basicConstraints");
	pki_cert_free(leaf);
}
END_TEST

static void issuer_with(const char *const *extensions, int version, const char *why)
{
	struct pki_cert *ca = pki_cert_new(&(struct pki_spec){ .subject = "CN=ca", .issuer = root, .extensions = extensions, .version = version });
	struct pki_cert *leaf = pki_leaf(ca, "CN=leaf", NULL);

	trust_test_clear(&t);
	trust_test_init(&t, "CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, ca);
	trust_test_bad(&t, why);
	pki_cert_free(ca);
	pki_cert_free(leaf);
}

START_TEST(test_issuer_usage)
{
	static const char *const no_basic[] = { "keyUsage=keyCertSign", NULL };
	static const char *const not_ca[] = { "basicConstraints=critical,CA:FALSE", NULL };
	static const char *const no_sign[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,cRLSign", NULL };

	issuer_with(no_basic, 3, "'CN=ca'|basicConstraints");
	issuer_with(not_ca, 3, "'CN=ca'|basicConstraints");
	issuer_with(no_sign, 3, "'CN=ca'|keyCertSign");
	issuer_with(NULL, 1, "'CN=ca'|basicConstraints");
}
END_TEST

START_TEST(test_critical_extension)
{
	static const char *const critical[] = { "1.3.6.1.4.1.99999.1=critical,DER:0500", NULL };
	static const char *const not_critical[] = { "1.3.6.1.4.1.99999.1=DER:0500", NULL };

	send_leaf(&(struct pki_spec){ .extensions = critical });
	trust_test_bad(&t, "'C=CH, CN=leaf'|critical extension 1.3.6.1.4.1.99999.1");
	t.ignore_critical = true;
	trust_test_good(&t, "leaf < sub < root");
	trust_test_clear(&t);
	trust_test_init(&t, "CN=x");
	send_leaf(&(struct pki_spec){ .extensions = not_critical });
	trust_test_good(&t, "leaf < sub < root");
}
END_TEST

/* ---- strength */

START_TEST(test_weak_hash)
{
	static struct key_rule sha1 = { .type = KEY_ANY, .hashes = HASH_BIT(HASH_SHA1) | HASH_BIT(HASH_SHA2_256) };

	send_leaf(&(struct pki_spec){ .md = EVP_sha1() });
	trust_test_bad(&t, "'C=CH, CN=leaf'|ecdsa-with-SHA1|SHA-1");
	t.round.rules.n_chain = 1;
	t.round.rules.chain[0] = sha1;
	trust_test_good(&t, "leaf < sub < root");
	t.round.rules.chain[0].hashes = HASH_BIT(HASH_SHA2_256);
	t.round.auth_text = "pubkey-sha256";
	trust_test_bad(&t, "'C=CH, CN=leaf'|ecdsa-with-SHA1|pubkey-sha256");
}
END_TEST

START_TEST(test_md5)
{
	struct pki_cert *rsa = pki_cert_new(&(struct pki_spec){ .subject = "CN=rsa", .type = PKI_RSA2048,
								.extensions = (const char *const[]){ "basicConstraints=CA:TRUE", NULL } });
	struct pki_cert *leaf = pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = rsa, .md = EVP_md5() });

	trust_test_load(&t, rsa, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	id_set("CN=leaf");
	trust_test_bad(&t, "'CN=leaf'|RSA-MD5|not accepted");
	pki_cert_free(leaf);
	pki_cert_free(rsa);
}
END_TEST

/* The hash of an anchor's own signature means nothing. */
START_TEST(test_root_with_sha1)
{
	struct pki_cert *old = pki_cert_new(&(struct pki_spec){ .subject = "CN=old", .md = EVP_sha1(),
								.extensions = (const char *const[]){ "basicConstraints=CA:TRUE", NULL } });
	struct pki_cert *leaf = pki_leaf(old, "CN=leaf", NULL);

	trust_test_load(&t, old, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	id_set("CN=leaf");
	trust_test_good(&t, "leaf < old");
	pki_cert_free(leaf);
	pki_cert_free(old);
}
END_TEST

START_TEST(test_weak_keys)
{
	static const char *const ca[] = { "basicConstraints=CA:TRUE", NULL };
	struct pki_cert *rsa = pki_cert_new(&(struct pki_spec){ .subject = "CN=rsa", .type = PKI_RSA2048, .extensions = ca });
	struct pki_cert *leaf = pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = rsa, .type = PKI_RSA1024, .pss = true });

	trust_test_load(&t, rsa, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	id_set("CN=leaf");
	trust_test_good(&t, "leaf < rsa");
	t.round.rules = (struct auth_rules){ .n_chain = 1, .chain = { { .type = KEY_RSA, .min_bits = 2048 } } };
	t.round.auth_text = "rsa-2048";
	trust_test_bad(&t, "'CN=leaf'|RSA with 1024 bits|rsa-2048");
	t.round.rules.chain[0].min_bits = 1024;
	trust_test_good(&t, "leaf < rsa");
	t.round.rules.chain[0].type = KEY_ECDSA;
	trust_test_bad(&t, "'CN=leaf'|RSA");
	/* a strong key under a weak one */
	trust_test_clear(&t);
	trust_test_init(&t, "CN=strong");
	pki_cert_free(leaf);
	leaf = pki_cert_new(&(struct pki_spec){ .subject = "CN=strong", .issuer = rsa, .type = PKI_P256 });
	trust_test_load(&t, rsa, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	t.round.rules = (struct auth_rules){ .n_chain = 2, .chain = { { .type = KEY_RSA, .min_bits = 3072 }, { .type = KEY_ECDSA } } };
	trust_test_bad(&t, "'CN=strong'|RSA with 2048 bits");
	pki_cert_free(leaf);
	pki_cert_free(rsa);
}
END_TEST

START_TEST(test_edwards)
{
	static const char *const ca[] = { "basicConstraints=CA:TRUE", NULL };
	struct pki_cert *ed = pki_cert_new(&(struct pki_spec){ .subject = "CN=ed", .type = PKI_ED25519, .extensions = ca });
	struct pki_cert *leaf = pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = ed, .type = PKI_ED25519 });

	trust_test_load(&t, ed, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	id_set("CN=leaf");
	trust_test_good(&t, "leaf < ed");
	pki_cert_free(leaf);
	pki_cert_free(ed);
}
END_TEST

/* ---- the connection's wishes */

START_TEST(test_cacerts)
{
	struct pki_cert *other = pki_ca(NULL, "C=CH, CN=other");
	struct cert *cacerts[] = { other->cert, sub->cert };

	usual();
	t.round.cacerts = cacerts;
	t.round.n_cacerts = 1;
	trust_test_bad(&t, "'C=CH, CN=moon'|cacerts|'C=CH, CN=other'");
	t.round.n_cacerts = 2;
	trust_test_good(&t, "moon < sub < root");
	cacerts[0] = root->cert;
	t.round.n_cacerts = 1;
	trust_test_good(&t, "moon < sub < root");
	/* the end entity is no CA of its own */
	cacerts[0] = moon->cert;
	trust_test_bad(&t, "cacerts");
	pki_cert_free(other);
}
END_TEST

/* What is named there is an anchor, also when it is not loaded otherwise. */
START_TEST(test_cacerts_are_anchors)
{
	struct cert *cacerts[] = { root->cert };

	trust_test_send(&t, moon);
	trust_test_send(&t, sub);
	t.round.cacerts = cacerts;
	t.round.n_cacerts = 1;
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

START_TEST(test_ca_id)
{
	struct id ca_id;

	usual();
	ck_assert(id_parse(bytes_str("C=CH, CN=sub"), &ca_id));
	t.round.ca_id = ca_id;
	trust_test_good(&t, "moon < sub < root");
	id_free(&ca_id);
	ck_assert(id_parse(bytes_str("C=CH, CN=*"), &ca_id));
	t.round.ca_id = ca_id;
	trust_test_good(&t, "moon < sub < root");
	id_free(&ca_id);
	ck_assert(id_parse(bytes_str("C=CH, CN=moon"), &ca_id));
	t.round.ca_id = ca_id;
	trust_test_bad(&t, "'C=CH, CN=moon'|(ca_id)");
	id_free(&ca_id);
}
END_TEST

/* ---- certificates that are trusted by themselves */

START_TEST(test_pinned)
{
	struct pki_cert *self = pki_leaf(NULL, "CN=self", "DNS:self.example.org");
	struct cert *certs[] = { self->cert };

	id_set("self.example.org");
	trust_test_send(&t, self);
	trust_test_bad(&t, "'CN=self'|self-signed");
	t.round.certs = certs;
	t.round.n_certs = 1;
	trust_test_good(&t, "self");
	t.now = self->cert->not_after + 1;
	trust_test_bad(&t, "expired");
	t.now = PKI_NOW;
	id_set("other.example.org");
	trust_test_bad(&t, "not for identity");
	/* a CA that is asked for is not there */
	id_set("self.example.org");
	t.round.cacerts = (struct cert *[]){ root->cert };
	t.round.n_cacerts = 1;
	trust_test_bad(&t, "cacerts");
	pki_cert_free(self);
}
END_TEST

START_TEST(test_only_pinned)
{
	struct cert *certs[] = { sub->cert };

	usual();
	t.round.certs = certs;
	t.round.n_certs = 1;
	trust_test_bad(&t, "'C=CH, CN=moon'|none of those|'C=CH, CN=sub'");
	certs[0] = moon->cert;
	trust_test_good(&t, "moon < sub < root");
	trust_test_send_none(&t); /* it is known */
	trust_test_good(&t, "moon");
}
END_TEST

START_TEST(test_loaded_peer)
{
	trust_test_send(&t, moon);
	trust_test_load(&t, moon, CERT_FLAG_NONE);
	trust_test_good(&t, "moon");
	/* its policies are its own affair, then */
	t.round.policies = (const char *const[]){ "1.2.3" };
	t.round.n_policies = 1;
	trust_test_bad(&t, "1.2.3");
	/* and with its CAs there is a whole path */
	t.round.n_policies = 0;
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, sub);
	trust_test_good(&t, "moon < sub < root");
}
END_TEST

/* openssl req -x509 makes CAs: loaded as a peer's, it is one. */
START_TEST(test_self_signed_ca)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash", NULL };
	struct pki_cert *self = pki_cert_new(&(struct pki_spec){ .subject = "CN=self", .extensions = extensions });

	id_set("CN=self");
	trust_test_send(&t, self);
	trust_test_load(&t, self, CERT_FLAG_NONE);
	trust_test_good(&t, "self");
	pki_cert_free(self);
}
END_TEST

Suite *suite_trust(void)
{
	const TTest *const tests[] = {
		test_valid,	      test_root_sent_too,	test_sub_loaded,     test_sub_alone,	     test_sub_below_expired_root,
		test_untrusted,	      test_wrong_signature,	test_changed_certificate, test_validity,     test_validity_extremes,
		test_intermediate_expired, test_identities,	test_identity_lengths, test_key_id,	     test_empty_subject,
		test_order_of_certificates, test_nothing_sent,	test_key_usage,	     test_extended_key_usage, test_issuer_is_no_ca,
		test_issuer_usage,    test_critical_extension,	test_weak_hash,	     test_md5,		     test_root_with_sha1,
		test_weak_keys,	      test_edwards,		test_cacerts,	     test_cacerts_are_anchors, test_ca_id,
		test_pinned,		test_only_pinned,    test_loaded_peer,	     test_self_signed_ca,
	};
	Suite *s = suite_create("trust");
	TCase *tc = tcase_create("trust");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
