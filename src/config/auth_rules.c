/* SPDX-License-Identifier: Apache-2.0 */
#include "config/auth_rules.h"

#include "util/mem.h"

/* "rsa-2048-sha256-ecdsa-256": words with dashes between them. */

static const struct {
	const char *word;
	uint8_t type;
	bool pss;
	bool strength; /* a number may follow */
} key_words[] = {
	{ "pubkey", KEY_ANY, false, false }, { "rsa", KEY_RSA, false, true },	      { "rsa/pss", KEY_RSA, true, true },
	{ "ecdsa", KEY_ECDSA, false, true }, { "ed25519", KEY_ED25519, false, false }, { "ed448", KEY_ED448, false, false },
};

static const struct {
	const char *word;
	uint16_t bits; /* 0: a hash that we do not have */
} hash_words[] = {
	{ "md5", 0 },
	{ "sha1", HASH_BIT(HASH_SHA1) },
	{ "sha224", 0 },
	{ "sha256", HASH_BIT(HASH_SHA2_256) },
	{ "sha384", HASH_BIT(HASH_SHA2_384) },
	{ "sha512", HASH_BIT(HASH_SHA2_512) },
	{ "identity", HASH_BIT(HASH_IDENTITY) },
};

/* One list of rules while it is read. */
struct rule_list {
	struct key_rule *rules;
	uint8_t n;
	uint8_t open; /* the first rule that has no hashes of its own yet */
};

struct auth_parse {
	struct auth_rules *rules;
	struct rule_list chain, ike, *at; /* at: where the last key word went */
	bool strength; /* the last key word may have a number still */
	bool hashed;   /* the last word was a hash */
	struct errtext *err;
};

static bool auth_fail(struct auth_parse *p, struct bytes word, const char *why)
{
	errtext_set(p->err, "'%.*s' %s", (int)word.n, word.n ? (const char *)word.p : "", why);
	return false;
}

static bool take_key(struct auth_parse *p, struct bytes word, size_t which)
{
	struct rule_list *l = p->at;

	if (p->hashed)
		l->open = l->n;
	else if (l->n && l->rules[l->n - 1].type == KEY_ANY)
		l->n--; /* pubkey-ed25519: it only begins the text */
	if (l->n == AUTH_RULES_MAX)
		return auth_fail(p, word, "is one kind of key too many");
	l->rules[l->n++] = (struct key_rule){ .type = key_words[which].type, .pss = key_words[which].pss };
	p->strength = key_words[which].strength;
	p->hashed = false;
	return true;
}

/* Hashes are those of all key words before them that have none yet: as in rsa-2048-ecdsa-256-sha384. */
static bool take_hash(struct auth_parse *p, struct bytes word, uint16_t bits)
{
	struct rule_list *l = p->at;

	if (!bits)
		return auth_fail(p, word, "is a hash that signatures are not accepted with");
	for (size_t i = l->open; i < l->n; i++)
		l->rules[i].hashes |= bits;
	p->strength = false;
	p->hashed = true;
	return true;
}

static bool take_number(struct auth_parse *p, struct bytes word)
{
	unsigned bits = 0;

	for (size_t i = 0; i < word.n; i++)
		bits = bits > 100000 ? bits : bits * 10 + (unsigned)(word.p[i] - '0');
	if (!p->strength)
		return auth_fail(p, word, "is a number that no kind of key with a strength is before");
	if (bits == 0 || bits > 16384)
		return auth_fail(p, word, "is no strength of a key");
	p->at->rules[p->at->n - 1].min_bits = (uint16_t)bits;
	p->strength = false;
	return true;
}

static bool word_is_number(struct bytes word)
{
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
	}
	return word.n > 0;
}

static bool take_word(struct auth_parse *p, struct bytes word)
{
	bool ike = word.n > 4 && memcmp(word.p, "ike:", 4) == 0;
	struct bytes key = ike ? bytes_of(word.p + 4, word.n - 4) : word;

	for (size_t i = 0; i < ARRAY_LEN(key_words); i++) {
		if (!bytes_equal_str(key, key_words[i].word))
			continue;
		p->hashed = p->hashed || p->at != (ike ? &p->ike : &p->chain);
		p->at = ike ? &p->ike : &p->chain;
		return take_key(p, word, i);
	}
	if (!p->chain.n && !p->ike.n)
		return auth_fail(p, word, "is no kind of key");
	for (size_t i = 0; i < ARRAY_LEN(hash_words); i++) {
		if (bytes_equal_str(word, hash_words[i].word))
			return take_hash(p, word, hash_words[i].bits);
	}
	if (word_is_number(word))
		return take_number(p, word);
	return auth_fail(p, word, "is neither a kind of key, nor a strength, nor a hash");
}

/* A list that allows all is none. */
static uint8_t rules_count(const struct rule_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct key_rule *r = &l->rules[i];

		if (r->type == KEY_ANY && !r->hashes)
			return 0;
	}
	return l->n;
}

bool auth_rules_parse(struct bytes text, bool ike_by_chain, struct auth_rules *ret, struct errtext *err)
{
	struct auth_rules rules = { 0 };
	struct auth_parse p = { .rules = &rules, .chain = { rules.chain, 0, 0 }, .ike = { rules.ike, 0, 0 }, .err = err };

	p.at = &p.chain;
	for (bool more = true; more;) {
		const uint8_t *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
		size_t n = dash ? (size_t)(dash - text.p) : text.n;

		if (!take_word(&p, bytes_of(text.p, n)))
			return false;
		more = dash != NULL;
		if (more)
			text = bytes_of(dash + 1, text.n - n - 1);
	}
	rules.n_chain = rules_count(&p.chain);
	rules.n_ike = rules_count(&p.ike);
	if (!p.ike.n && ike_by_chain) {
		memcpy(rules.ike, rules.chain, sizeof(rules.ike));
		rules.n_ike = rules.n_chain;
	}
	*ret = rules;
	return true;
}

static bool rule_allows(const struct key_rule *r, const struct public_key *k, const struct sig_scheme *s)
{
	if ((r->type != KEY_ANY && r->type != k->type) || k->bits < r->min_bits)
		return false;
	if (!s)
		return true;
	if (r->pss && s->kind != SIG_RSA_PSS)
		return false;
	return r->hashes ? (r->hashes & HASH_BIT(s->hash)) != 0 : s->hash != HASH_SHA1;
}

bool key_rules_allow(const struct key_rule *rules, size_t n, const struct public_key *k, const struct sig_scheme *s)
{
	static const struct key_rule any = { .type = KEY_ANY };

	if (n == 0)
		return rule_allows(&any, k, s);
	for (size_t i = 0; i < n; i++) {
		if (rule_allows(&rules[i], k, s))
			return true;
	}
	return false;
}
