/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "internal.h"
#include "policies.h"

/* Before all that connections can ask for but an explicit 1. */
#define BYPASS_PRIORITY 1
#define BYPASS_PORTS_MAX 32
#define BYPASS_POLICIES 4 /* in and out, of two families */

struct bypass_port {
	uint8_t protocol;
	uint16_t port; /* the local one */
};

static void bypass_add(struct policies *p, struct policy_use *use, const struct bypass_port *b, uint16_t family, uint32_t dir)
{
	struct policy_key key;

	memset(&key, 0, sizeof(key));
	key.sel.family = family;
	key.sel.proto = b->protocol;
	key.sel.user = p->owner;
	key.dir = dir;
	if (dir == XFRM_POLICY_OUT) {
		key.sel.sport = htons(b->port);
		key.sel.sport_mask = UINT16_MAX;
	} else {
		key.sel.dport = htons(b->port);
		key.sel.dport_mask = UINT16_MAX;
	}
	*use = (struct policy_use){ .priority = BYPASS_PRIORITY, .class = POLICY_CLASS_SHUNT };
	policy_use_add(&p->table, use, &key, false, NULL);
}

static bool bypass_parse(const char *text, struct bypass_port ports[BYPASS_PORTS_MAX], size_t *n)
{
	while (text && text[strspn(text, " ,")]) {
		size_t len = strcspn(text += strspn(text, " ,"), " ,");
		int64_t port;

		if (*n == BYPASS_PORTS_MAX || !value_int(bytes_of(text, len), &port) || port < 1 || port > UINT16_MAX)
			return false;
		ports[(*n)++] = (struct bypass_port){ IPPROTO_TCP, (uint16_t)port };
		text += len;
	}
	return true;
}

bool bypasses_check(struct policies *p, const struct settings *s, struct errtext *err)
{
	struct bypass_port ports[BYPASS_PORTS_MAX];
	int64_t ike = settings_int(s, "port", 500), natt = settings_int(s, "port_nat_t", 4500);
	size_t n = 0;

	if (settings_bool(s, SETTING "port_bypass", false)) {
		if (ike < 1 || ike > UINT16_MAX || natt < 1 || natt > UINT16_MAX) {
			errtext_set(err, SETTING "port_bypass needs a port and a port_nat_t that are not random");
			return false;
		}
		ports[n++] = (struct bypass_port){ IPPROTO_UDP, (uint16_t)ike };
		ports[n++] = (struct bypass_port){ IPPROTO_UDP, (uint16_t)natt };
	}
	if (!bypass_parse(settings_str(s, SETTING "bypass_tcp", NULL), ports, &n)) {
		errtext_set(err, SETTING "bypass_tcp: a list of up to %d TCP ports is expected", BYPASS_PORTS_MAX - 2);
		return false;
	}
	p->bypass_ports = xmemdup(ports, n * sizeof(ports[0]));
	p->n_bypass_ports = n;
	return true;
}

void bypasses_install(struct policies *p)
{
	struct policy_use *use = p->bypasses = xcalloc(p->n_bypass_ports * BYPASS_POLICIES, sizeof(*p->bypasses));

	for (size_t i = 0; i < p->n_bypass_ports; i++) {
		const struct bypass_port *b = &p->bypass_ports[i];

		bypass_add(p, use++, b, AF_INET, XFRM_POLICY_IN);
		bypass_add(p, use++, b, AF_INET, XFRM_POLICY_OUT);
		bypass_add(p, use++, b, AF_INET6, XFRM_POLICY_IN);
		bypass_add(p, use++, b, AF_INET6, XFRM_POLICY_OUT);
	}
}

void bypasses_remove(struct policies *p)
{
	for (size_t i = 0; p->bypasses && i < p->n_bypass_ports * BYPASS_POLICIES; i++)
		policy_use_remove(&p->table, &p->bypasses[i]);
}

void bypasses_free(struct policies *p)
{
	free(p->bypasses);
	free(p->bypass_ports);
}
