/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#include "pcap.h"
#include "wire_test.h"

/* Captures of real peers (testing/vectors/ikev2-pcap) and what was inside their SK payloads. */

struct tally {
	const char *file;
	struct guard guard;
	size_t files;
	size_t messages;  /* IKEv2, header accepted */
	size_t rejected;  /* anything else that came as IKE */
	size_t cut;       /* not whole in the capture */
	size_t identical; /* built again from the values: the same bytes */
	size_t sa_init, sa_init_identical;
	size_t badly_formed; /* IKEv2 header accepted, payloads not */
	size_t against_rules;
};

static void message_tally(void *arg, const struct pcap_udp *udp)
{
	struct tally *t = arg;
	struct bytes message = bytes_of(guard_put(&t->guard, udp->ike), udp->ike.n);
	struct arena a = { 0 };
	struct payload_list list;
	struct wire_error err;
	struct ike_header h;
	bool parsed, same;

	if (!udp->ike.n)
		return;
	parsed = result_is_ok(message_parse(&a, message, &h, &list, &err));
	same = parsed && bytes_equal(message_rewrite(&a, &h, &list), message);
	if (udp->cut) {
		t->cut++;
	} else if (!result_is_ok(header_parse(message, &h)) || h.version >> 4 != 2) {
		t->rejected++;
	} else {
		t->messages++;
		t->badly_formed += !parsed;
		t->identical += same;
	}
	if (!udp->cut && parsed && h.exchange == EXCHANGE_IKE_SA_INIT) {
		t->sa_init++;
		t->sa_init_identical += same;
		t->against_rules += !result_is_ok(rules_check(&h, &list));
	}
	arena_free(&a);
}

static struct tally folder_tally(const char *folder)
{
	struct tally t = { .guard = guard_new() };
	char dir[200], path[500];
	struct dirent *entry;
	DIR *d;

	snprintf(dir, sizeof(dir), "testing/vectors/ikev2-pcap/%s", folder);
	d = opendir(source_path(dir));
	ck_assert_msg(d != NULL, "no folder %s", dir);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		t.file = entry->d_name;
		t.files++;
		ck_assert_msg(pcap_each(source_path(path), message_tally, &t) >= 0, "no capture: %s", path);
	}
	closedir(d);
	guard_free(&t.guard);
	printf("%s: %zu files, %zu IKEv2 messages (%zu not well-formed), %zu others, %zu cut; built again identical: %zu, of "
	       "%zu IKE_SA_INIT %zu\n", folder, t.files, t.messages, t.badly_formed, t.rejected, t.cut, t.identical,
	       t.sa_init, t.sa_init_identical);
	return t;
}

static const struct {
	const char *folder;
	size_t messages, sa_init; /* how many there are: none gets lost in the reader */
	size_t badly_formed;
	size_t identical;
} good[] = {
	{ "strongswan-lab", 246, 42, 0, 246 },
	{ "wireshark", 44, 16, 0, 44 },
	{ "tcpdump", 2, 1, 0, 0 }, /* this peer sets the critical bit in payloads of RFC 7296 */
	/* In one IKE_AUTH of android-vowifi-epdg the type of SK became 127, so that IDi would follow its end. */
	{ "third-party", 616, 303, 1, 615 },
};

START_TEST(good_captures)
{
	struct tally t = folder_tally(good[_i].folder);

	ck_assert_uint_eq(t.messages, good[_i].messages);
	ck_assert_uint_eq(t.sa_init, good[_i].sa_init);
	ck_assert_uint_eq(t.badly_formed, good[_i].badly_formed);
	ck_assert_uint_eq(t.against_rules, 0);
	ck_assert_uint_eq(t.rejected, 0);
	ck_assert_uint_eq(t.identical, good[_i].identical);
}
END_TEST

START_TEST(malformed_captures)
{
	struct tally t = folder_tally("malformed");

	ck_assert_uint_eq(t.files, 13);
	ck_assert_uint_gt(t.rejected, 0);
	ck_assert_uint_gt(t.cut, 0);
	ck_assert_uint_eq(t.identical, 0);
	ck_assert_uint_eq(t.badly_formed, t.messages);
}
END_TEST

/* One line of testing/vectors/ikev2-plaintext: what was inside SK. */
static void plaintext_check(struct guard *guard, const char *line)
{
	unsigned exchange, flags, id, first;
	char name[100];
	int hex_at = 0;
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct payload_list list;
	struct wire_error err;
	struct ike_header h;
	struct bytes message;
	struct result result;

	ck_assert_int_eq(sscanf(line, "%99s %u %u %u %u %n", name, &exchange, &flags, &id, &first, &hex_at), 5);
	if (line[hex_at] != '-')
		hex_bytes(&text, line + hex_at);
	message = message_wrap(&a, exchange, flags, id, first, buf_bytes(&text));
	message.p = guard_put(guard, message);
	result = message_parse(&a, message, &h, &list, &err);
	ck_assert_msg(result_is_ok(result), "%s message %u: %s", name, id, result.why);
	result = rules_check(&h, &list);
	ck_assert_msg(result_is_ok(result), "%s message %u: %s", name, id, result.why);
	ck_assert_msg(bytes_equal(message_rewrite(&a, &h, &list), message), "%s message %u: differs", name, id);
	arena_free(&a);
	buf_free(&text);
}

static size_t plaintexts_check(const char *file)
{
	struct guard guard = guard_new();
	struct buf text = { 0 };
	size_t count = 0;

	ck_assert(file_read(source_path(file), &text));
	for (char *line = strtok((char *)text.p, "\n"); line; line = strtok(NULL, "\n")) {
		plaintext_check(&guard, line);
		count++;
	}
	buf_free(&text);
	guard_free(&guard);
	return count;
}

START_TEST(plaintexts)
{
	ck_assert_uint_eq(plaintexts_check("testing/vectors/ikev2-plaintext/strongswan-lab.txt"), 196);
	ck_assert_uint_eq(plaintexts_check("testing/vectors/ikev2-plaintext/wireshark.txt"), 24);
}
END_TEST

TCase *captures_cases(void)
{
	TCase *tc = tcase_create("captures");

	tcase_add_loop_test(tc, good_captures, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_test(tc, malformed_captures);
	tcase_add_test(tc, plaintexts);
	return tc;
}
