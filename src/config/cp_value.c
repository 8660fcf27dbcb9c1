/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cp_value.h"

#include "config/settings.h"
#include "proto/iana.h"
#include "util/addr.h"
#include "util/mem.h"

#define CP_TYPE_MAX 0x7fff

enum cp_form {
	CP_FORM_ADDR,
	CP_FORM_ADDR_LEN, /* IPv6: with a prefix length behind it */
	CP_FORM_SUBNET,   /* IPv4: address and mask; IPv6: address and prefix length */
	CP_FORM_UNITY,    /* IPv4: address, mask, 6 bytes of no meaning */
};

static const struct cp_word {
	const char *name;
	uint16_t v4, v6; /* 0: no such type */
	enum cp_form form;
} cp_words[] = {
	{ "address", CP_ATTR_INTERNAL_IP4_ADDRESS, CP_ATTR_INTERNAL_IP6_ADDRESS, CP_FORM_ADDR_LEN },
	{ "dhcp", CP_ATTR_INTERNAL_IP4_DHCP, CP_ATTR_INTERNAL_IP6_DHCP, CP_FORM_ADDR },
	{ "dns", CP_ATTR_INTERNAL_IP4_DNS, CP_ATTR_INTERNAL_IP6_DNS, CP_FORM_ADDR },
	{ "nbns", CP_ATTR_INTERNAL_IP4_NBNS, 0, CP_FORM_ADDR },
	{ "netmask", CP_ATTR_INTERNAL_IP4_NETMASK, 0, CP_FORM_ADDR },
	{ "p_cscf", CP_ATTR_P_CSCF_IP4_ADDRESS, CP_ATTR_P_CSCF_IP6_ADDRESS, CP_FORM_ADDR },
	{ "server", CP_ATTR_INTERNAL_IP4_SERVER, CP_ATTR_INTERNAL_IP6_SERVER, CP_FORM_ADDR },
	{ "split_exclude", CP_ATTR_UNITY_LOCAL_LAN, 0, CP_FORM_UNITY },
	{ "split_include", CP_ATTR_UNITY_SPLIT_INCLUDE, 0, CP_FORM_UNITY },
	{ "subnet", CP_ATTR_INTERNAL_IP4_SUBNET, CP_ATTR_INTERNAL_IP6_SUBNET, CP_FORM_SUBNET },
};

/* '-' in the settings is '_' in swanctl.conf. */
static bool word_is(const char *word, const char *key)
{
	for (; *word && *key; word++, key++)
		if (*word != (*key == '-' ? '_' : *key))
			return false;
	return !*word && !*key;
}

static const struct cp_word *word_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(cp_words); i++)
		if (word_is(cp_words[i].name, key))
			return &cp_words[i];
	return NULL;
}

static bool type_parse(const char *key, uint16_t *ret_type)
{
	unsigned v = 0;

	for (const char *c = key; *c; c++) {
		if (*c < '0' || *c > '9' || (v = 10 * v + (unsigned)(*c - '0')) > CP_TYPE_MAX)
			return false;
	}
	*ret_type = (uint16_t)v;
	return v > 0;
}

bool cp_key_is_known(const char *key)
{
	uint16_t type;

	return word_find(key) || type_parse(key, &type);
}

static void value_add(struct cp_value *v, const void *p, size_t n)
{
	memcpy(v->data + v->n, p, n);
	v->n = (uint8_t)(v->n + n);
}

static void value_add_mask(struct cp_value *v, unsigned len)
{
	uint32_t mask = len ? htonl(UINT32_MAX << (32 - len)) : 0;

	value_add(v, &mask, sizeof(mask));
}

static bool value_of_word(const struct cp_word *w, struct bytes text, struct cp_value *ret)
{
	static const uint8_t padding[6];
	struct cp_value v = { 0 };
	struct prefix p;
	struct addr a;
	bool plain = addr_parse(text, &a), v4;

	if (plain ? a.scope != 0 : w->form < CP_FORM_SUBNET || !prefix_parse(text, &p))
		return false;
	if (plain)
		p = (struct prefix){ a, (uint8_t)(8 * addr_len(&a)) };
	v4 = p.net.family == AF_INET;
	v.type = v4 ? w->v4 : w->v6;
	if (!v.type)
		return false;
	value_add(&v, p.net.ip, addr_len(&p.net));
	if (v4 && w->form >= CP_FORM_SUBNET)
		value_add_mask(&v, p.len);
	else if (!v4 && w->form != CP_FORM_ADDR)
		value_add(&v, &p.len, 1);
	if (w->form == CP_FORM_UNITY)
		value_add(&v, padding, sizeof(padding));
	*ret = v;
	return true;
}

bool cp_value_parse(const char *key, struct bytes text, struct cp_value *ret)
{
	const struct cp_word *w = word_find(key);
	struct cp_value v = { 0 };
	struct addr a;

	if (w)
		return value_of_word(w, text, ret);
	if (!type_parse(key, &v.type) || text.n > sizeof(v.data))
		return false;
	if (addr_parse(text, &a) && !a.scope)
		value_add(&v, a.ip, addr_len(&a));
	else
		value_add(&v, text.p, text.n);
	*ret = v;
	return true;
}
