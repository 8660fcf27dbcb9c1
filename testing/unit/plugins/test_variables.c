/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins_test.h"

#include <stdlib.h>

#include "plugins/updown/variables.h"
#include "proto/iana.h"
#include "util/mem.h"

static struct arena arena;
static struct hook_child facts;

static struct addr addr_of(const char *text, unsigned port)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(text), &a));
	a.port = (uint16_t)port;
	return a;
}

static struct ts ts_of(const char *text)
{
	struct ts ts;

	ck_assert_msg(ts_parse(bytes_str(text), &ts), "%s", text);
	return ts;
}

static void setup(void)
{
	setenv("PATH", "/somewhere", 1);
	setenv("PLUTO_XAUTH_ID", "not from here", 1);
	facts = (struct hook_child){ .up = true, .conn = "site", .name = "net", .ike_id = 1, .child_id = 4, .reqid = 2, .line_id = 3,
				     .protocol = PROTOCOL_ESP, .local = addr_of("192.0.2.2", 4500),
				     .remote = addr_of("192.0.2.1", 4500), .local_id = "sun.bewick.test",
				     .remote_id = "moon.bewick.test" };
}

static void teardown(void)
{
	arena_free(&arena);
}

static char **environment(const char *mine, const char *theirs, const char *interface, bool dns)
{
	struct ts my_ts = ts_of(mine), their_ts = ts_of(theirs);

	return updown_environment(&arena, &facts, interface, &my_ts, &their_ts, dns);
}

static const char *variable(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static void ck_variable(char **env, const char *name, const char *expected)
{
	const char *value = variable(env, name);

	if (expected)
		ck_assert_msg(value && strcmp(value, expected) == 0, "%s=%s, not %s", name, value ? value : "(none)", expected);
	else
		ck_assert_msg(!value, "%s=%s", name, value);
}

/* What scripts for strongSwan were seen to get as initiator of a tunnel between sites, behind the PLUTO_. */
START_TEST(test_recorded)
{
	static const char *const recorded[] = {
		"VERSION=1.1", "VERB=up-client", "CONNECTION=net", "INTERFACE=vba", "REQID=2", "PROTO=esp", "UNIQUEID=1",
		"ME=192.0.2.2", "MY_ID=sun.bewick.test", "MY_CLIENT=10.2.0.0/16", "MY_PORT=0", "MY_PROTOCOL=0",
		"PEER=192.0.2.1", "PEER_ID=moon.bewick.test", "PEER_CLIENT=10.1.0.0/16", "PEER_PORT=0", "PEER_PROTOCOL=0",
		"UDP_ENC=4500",
	};
	char **env;
	size_t n = 0;

	facts.encap = true;
	env = environment("10.2.0.0/16", "10.1.0.0/16", "vba", true);
	ck_assert_str_eq(env[0], "PATH=/somewhere");
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		char *name = xasprintf("PLUTO_%.*s", (int)strcspn(recorded[i], "="), recorded[i]);

		ck_variable(env, name, strchr(recorded[i], '=') + 1);
		free(name);
	}
	while (env[n])
		n++;
	ck_assert_uint_eq(n, 1 + ARRAY_LEN(recorded));
}
END_TEST

static const struct {
	const char *mine, *theirs, *verb, *my_client, *my_port, *my_protocol, *peer_client, *peer_port, *peer_protocol;
} selectors[] = {
	{ "10.2.0.0/16", "10.1.0.0/16", "up-client", "10.2.0.0/16", "0", "0", "10.1.0.0/16", "0", "0" },
	{ "192.0.2.2/32", "10.1.0.0/16", "up-host", "192.0.2.2/32", "0", "0", "10.1.0.0/16", "0", "0" },
	{ "192.0.2.3/32", "0.0.0.0/0", "up-client", "192.0.2.3/32", "0", "0", "0.0.0.0/0", "0", "0" },
	{ "192.0.2.2/32[udp/5000]", "10.1.0.5/32[udp]", "up-host", "192.0.2.2/32", "5000", "17", "10.1.0.5/32", "0", "17" },
	{ "10.2.0.0/16[tcp/1000-1003]", "10.1.0.0/16[tcp/22]", "up-client", "10.2.0.0/16", "1000:1003", "6", "10.1.0.0/16", "22", "6" },
	{ "10.2.0.0/16[tcp/opaque]", "10.1.0.0/16", "up-client", "10.2.0.0/16", "0", "6", "10.1.0.0/16", "0", "0" },
	{ "2001:db8:2::/48", "2001:db8:1::/48", "up-client-v6", "2001:db8:2::/48", "0", "0", "2001:db8:1::/48", "0", "0" },
	{ "2001:db8:2::1", "::/0", "up-client-v6", "2001:db8:2::1/128", "0", "0", "::/0", "0", "0" },
	/* ranges: what covers them */
	{ "10.2.0.5-10.2.0.9", "10.1.0.0-10.1.1.255", "up-client", "10.2.0.0/28", "0", "0", "10.1.0.0/23", "0", "0" },
	/* ICMP: our port is the type, the peer's the code */
	{ "10.2.0.0/16[icmp]", "10.1.0.0/16[icmp]", "up-client", "10.2.0.0/16", "0", "1", "10.1.0.0/16", "0", "1" },
	{ "10.2.0.0/16[icmp/2048]", "10.1.0.0/16[icmp]", "up-client", "10.2.0.0/16", "8", "1", "10.1.0.0/16", "0", "1" },
	{ "10.2.0.0/16[icmp/2048-2303]", "10.1.0.0/16", "up-client", "10.2.0.0/16", "8", "1", "10.1.0.0/16", "0", "0" },
	{ "10.2.0.0/16[icmp/769]", "10.1.0.0/16[icmp/769]", "up-client", "10.2.0.0/16", "3", "1", "10.1.0.0/16", "1", "1" },
	{ "10.2.0.0/16", "10.1.0.0/16[icmp/772]", "up-client", "10.2.0.0/16", "3", "0", "10.1.0.0/16", "4", "1" },
	{ "10.2.0.0/16[icmp/769-772]", "10.1.0.0/16", "up-client", "10.2.0.0/16", "3", "1", "10.1.0.0/16", "1:4", "0" },
	{ "10.2.0.0/16[icmp/0-2303]", "10.1.0.0/16", "up-client", "10.2.0.0/16", "0:8", "1", "10.1.0.0/16", "0", "0" },
	{ "2001:db8:2::/48[ipv6-icmp/32768-33023]", "::/0", "up-client-v6", "2001:db8:2::/48", "128", "58", "::/0", "0", "0" },
};

START_TEST(test_selectors)
{
	char **env = environment(selectors[_i].mine, selectors[_i].theirs, "eth0", false);

	ck_variable(env, "PLUTO_VERB", selectors[_i].verb);
	ck_variable(env, "PLUTO_MY_CLIENT", selectors[_i].my_client);
	ck_variable(env, "PLUTO_MY_PORT", selectors[_i].my_port);
	ck_variable(env, "PLUTO_MY_PROTOCOL", selectors[_i].my_protocol);
	ck_variable(env, "PLUTO_PEER_CLIENT", selectors[_i].peer_client);
	ck_variable(env, "PLUTO_PEER_PORT", selectors[_i].peer_port);
	ck_variable(env, "PLUTO_PEER_PROTOCOL", selectors[_i].peer_protocol);
	facts.up = false;
	env = environment(selectors[_i].mine, selectors[_i].theirs, NULL, false);
	ck_assert(strncmp(variable(env, "PLUTO_VERB"), "down-", 5) == 0);
	ck_variable(env, "PLUTO_INTERFACE", "unknown");
}
END_TEST

/* IPv6 outside: the verb goes by what is in the tunnel, or is our own address. */
START_TEST(test_families)
{
	facts.local = addr_of("2001:db8::2", 500);
	facts.remote = addr_of("2001:db8::1", 500);
	ck_variable(environment("2001:db8::2", "::/0", NULL, false), "PLUTO_VERB", "up-host-v6");
	ck_variable(environment("10.2.0.0/16", "10.1.0.0/16", NULL, false), "PLUTO_VERB", "up-client");
	ck_variable(environment("10.2.0.0/16", "10.1.0.0/16", NULL, false), "PLUTO_PEER", "2001:db8::1");
	ck_variable(environment("10.2.0.0/16", "10.1.0.0/16", NULL, false), "PLUTO_UDP_ENC", NULL);
}
END_TEST

START_TEST(test_options)
{
	char **env;

	facts.scope = (struct ipsec_scope){ .mark_in = { 42, 0xffff }, .mark_out = { 0, 0xff000000 }, .if_id_in = 7, .if_id_out = 9 };
	facts.hostaccess = true;
	facts.protocol = PROTOCOL_AH;
	env = environment("10.2.0.0/16", "10.1.0.0/16", NULL, false);
	ck_variable(env, "PLUTO_MARK_IN", "42/0x0000ffff");
	ck_variable(env, "PLUTO_MARK_OUT", "0/0xff000000");
	ck_variable(env, "PLUTO_IF_ID_IN", "7");
	ck_variable(env, "PLUTO_IF_ID_OUT", "9");
	ck_variable(env, "PLUTO_HOST_ACCESS", "1");
	ck_variable(env, "PLUTO_PROTO", "ah");
}
END_TEST

/* Many of them, and some that are no servers. _i: whether the script is who they are for */
START_TEST(test_dns)
{
	static const uint8_t address[16] = { 10, 1, 0, 53 };
	struct attribute list[40];
	char **env;

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = (struct attribute){ CP_ATTR_INTERNAL_IP4_DNS, bytes_of(address, 4) };
	list[0].value.n = 5;
	list[1].type = CP_ATTR_INTERNAL_IP4_NBNS;
	list[2] = (struct attribute){ CP_ATTR_INTERNAL_IP6_DNS, bytes_of(address, 16) };
	list[3] = (struct attribute){ CP_ATTR_INTERNAL_IP6_DNS, bytes_of(address, 4) };
	facts.attributes = list;
	facts.n_attributes = ARRAY_LEN(list);
	env = environment("10.2.0.0/16", "10.1.0.0/16", NULL, _i);
	ck_variable(env, "PLUTO_DNS4_1", _i ? "10.1.0.53" : NULL);
	ck_variable(env, "PLUTO_DNS4_36", _i ? "10.1.0.53" : NULL);
	ck_variable(env, "PLUTO_DNS4_37", NULL);
	ck_variable(env, "PLUTO_DNS6_1", _i ? "a01:35::" : NULL);
	ck_variable(env, "PLUTO_DNS6_2", NULL);
}
END_TEST

START_TEST(test_pairs)
{
	static const struct {
		const char *mine, *theirs;
		bool is;
	} pairs[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true },	    { "10.0.0.0/8", "::/0", false },
		{ "::/0", "::/0", true },		    { "10.0.0.0/8[tcp]", "10.1.0.0/16", true },
		{ "10.0.0.0/8", "10.1.0.0/16[udp]", true }, { "10.0.0.0/8[tcp]", "10.1.0.0/16[udp]", false },
		{ "10.0.0.0/8[tcp]", "10.1.0.0/16[tcp/22]", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct ts mine = ts_of(pairs[i].mine), theirs = ts_of(pairs[i].theirs);

		ck_assert_msg(updown_is_pair(&mine, &theirs) == pairs[i].is, "%s %s", pairs[i].mine, pairs[i].theirs);
	}
}
END_TEST

TCase *variables_tests(void)
{
	TCase *tc = tcase_create("variables");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_recorded);
	tcase_add_loop_test(tc, test_selectors, 0, ARRAY_LEN(selectors));
	tcase_add_test(tc, test_families);
	tcase_add_test(tc, test_options);
	tcase_add_loop_test(tc, test_dns, 0, 2);
	tcase_add_test(tc, test_pairs);
	return tc;
}
