/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Bytes on the socket: packets of every kind, too many of them, and clients that misbehave. */

static struct lab lab;

static void setup(void)
{
	lab_open(&lab);
}

static void teardown(void)
{
	lab_close(&lab);
}

/* The connection still answers, and nothing else came before that. */
static void ck_usable(struct peer *p)
{
	peer_packet(p, VICI_CMD_REQUEST, "version", NULL);
	peer_recv(p, VICI_CMD_RESPONSE);
	peer_value(p, "daemon", "bewickd");
}

START_TEST(unknown_commands_and_events_are_answered)
{
	struct peer p;

	peer_open(&p, &lab);
	peer_packet(&p, VICI_CMD_REQUEST, "Version", NULL); /* names are case sensitive */
	peer_recv(&p, VICI_CMD_UNKNOWN);
	peer_send(&p, "\0\0\0\x05\0\x01x\xff\xff", 9); /* the message of an unknown command is not looked at */
	peer_recv(&p, VICI_CMD_UNKNOWN);
	peer_packet(&p, VICI_EVENT_REGISTER, "no-such-event", NULL);
	peer_recv(&p, VICI_EVENT_UNKNOWN);
	peer_packet(&p, VICI_EVENT_REGISTER, "", NULL);
	peer_recv(&p, VICI_EVENT_UNKNOWN);
	peer_packet(&p, VICI_EVENT_UNREGISTER, "log", NULL); /* not registered */
	peer_recv(&p, VICI_EVENT_UNKNOWN);
	peer_register(&p, "ike-rekey");
	peer_packet(&p, VICI_EVENT_UNREGISTER, "ike-rekey", NULL);
	peer_recv(&p, VICI_EVENT_CONFIRM);
	peer_packet(&p, VICI_EVENT_UNREGISTER, "ike-rekey", NULL);
	peer_recv(&p, VICI_EVENT_UNKNOWN);
	ck_usable(&p);
	peer_close(&p);
}
END_TEST

START_TEST(malformed_packets_get_no_answer)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{ "\0\0\0\0", 4 },		 /* an empty packet */
		{ "\0\0\0\x01\x00", 5 },	 /* without a name */
		{ "\0\0\0\x03\x00\x05v", 7 },	 /* the name runs past the packet */
		{ "\0\0\0\x04\x00\x02v\x01", 8 }, /* not printable */
		{ "\0\0\0\x01\x01", 5 },	 /* types that only a daemon sends */
		{ "\0\0\0\x01\x02", 5 },
		{ "\0\0\0\x01\x05", 5 },
		{ "\0\0\0\x01\x06", 5 },
		{ "\0\0\0\x05\x07\x03log", 9 },
		{ "\0\0\0\x01\x08", 5 }, /* unknown ones */
		{ "\0\0\0\x01\xff", 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct peer p;

		peer_open(&p, &lab);
		peer_send(&p, bad[i].bytes, bad[i].n);
		ck_usable(&p);
		peer_close(&p);
	}
}
END_TEST

START_TEST(garbage_behind_a_lookup_does_no_harm)
{
	struct peer p;

	peer_open(&p, &lab);
	peer_send(&p, "\0\0\0\x0c\0\x07version\xff\xff\xff", 16);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_value(&p, "daemon", "bewickd");
	peer_close(&p);
}
END_TEST

START_TEST(too_long_a_segment_ends_its_connection_only)
{
	struct peer p, other;

	peer_open(&p, &lab);
	peer_open(&other, &lab);
	peer_send(&p, "\0\x08\0\x01", 4);
	ck_assert(peer_is_closed(&p));
	ck_usable(&other);
	peer_close(&p);
	peer_close(&other);
}
END_TEST

START_TEST(longest_segment_is_taken)
{
	uint8_t *bytes = xcalloc(1, LIMIT_VICI_SEGMENT + VICI_HEADER);
	struct peer p;

	memcpy(bytes, "\0\x08\0\0\0\x07version", 13);
	peer_open(&p, &lab);
	peer_send(&p, bytes, LIMIT_VICI_SEGMENT + VICI_HEADER);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_value(&p, "daemon", "bewickd");
	free(bytes);
	peer_close(&p);
}
END_TEST

START_TEST(packets_may_come_byte_by_byte)
{
	static const char packet[] = "\0\0\0\x09\0\x07version";
	struct peer p;

	peer_open(&p, &lab);
	for (size_t i = 0; i < sizeof(packet) - 1; i++)
		peer_send(&p, packet + i, 1);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_close(&p);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	struct fake_call call;
	struct peer p, other;

	peer_open(&p, &lab);
	peer_open(&other, &lab);
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	/* the first takes time: the others must wait for it, but not those of another client */
	lab.workers.hold_initiate = true;
	peer_send_request(&p, "initiate", "child", "net", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	for (unsigned i = 0; i < 200; i++)
		peer_packet(&p, VICI_CMD_REQUEST, i % 2 ? "version" : "get-keys", NULL);
	ck_usable(&other);
	fake_ended(&call, CAUSE_NONE);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
	for (unsigned i = 0; i < 200; i++) {
		peer_recv(&p, VICI_CMD_RESPONSE);
		peer_value(&p, "daemon", i % 2 ? "bewickd" : NULL);
	}
	peer_close(&p);
	peer_close(&other);
}
END_TEST

START_TEST(a_hundred_clients_are_served)
{
	static struct peer peers[100];

	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peer_open(&peers[i], &lab);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peer_packet(&peers[i], VICI_CMD_REQUEST, "version", NULL);
	for (size_t i = ARRAY_LEN(peers); i-- > 0;)
		peer_recv(&peers[i], VICI_CMD_RESPONSE);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peer_close(&peers[i]);
}
END_TEST

START_TEST(half_closed_client_gets_its_answers)
{
	struct peer p;

	peer_open(&p, &lab);
	peer_packet(&p, VICI_CMD_REQUEST, "version", NULL);
	peer_packet(&p, VICI_CMD_REQUEST, "get-conns", NULL);
	shutdown(p.fd, SHUT_WR);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_recv(&p, VICI_CMD_RESPONSE);
	ck_assert(peer_is_closed(&p));
	peer_close(&p);
}
END_TEST

START_TEST(what_a_client_asked_before_it_left_is_done)
{
	struct peer p, other;

	peer_open(&p, &lab);
	peer_open(&other, &lab);
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	peer_send_request(&p, "unload-conn", "name", "site", NULL);
	peer_close(&p);
	/* its hang-up was seen before or after this: in any case it is done in the end */
	for (unsigned i = 0; i < 1000; i++) {
		struct bytes items;

		peer_ask(&other, "get-conns", NULL);
		ck_assert(vici_find(other.got.message, VICI_LIST_START, "conns", &items));
		if (items.n == 0)
			break;
		ck_assert_uint_lt(i, 999);
	}
	peer_close(&other);
}
END_TEST

START_TEST(client_may_leave_in_the_middle_of_a_command)
{
	struct fake_call call;
	struct peer p, other;

	peer_open(&p, &lab);
	peer_open(&other, &lab);
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	lab.workers.hold_initiate = true;
	peer_send_request(&p, "initiate", "child", "net", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	peer_close(&p);
	ck_usable(&other);
	fake_ended(&call, CAUSE_NONE); /* its answer goes nowhere */
	ck_usable(&other);
	peer_close(&other);
}
END_TEST

/* One has asked for more than it reads, and another one is there. */
static void long_list_begins(struct peer *slow, struct peer *other)
{
	static const struct fake_sa sa = { "site", 1, IKE_STATE_ESTABLISHED, { "net" } };

	fake_set(&lab.workers, &sa, 1);
	lab.workers.copies = 20000;
	peer_open(slow, &lab);
	peer_open(other, &lab);
	peer_register(slow, "list-sa");
	peer_packet(slow, VICI_CMD_REQUEST, "list-sas", NULL);
	fake_next(&lab.workers, FAKE_LIST);
	ck_usable(other);
}

/* Many SAs to one that reads late: all arrive, and nobody else is held up. */
START_TEST(long_list_to_a_slow_reader)
{
	struct peer slow, other;
	unsigned events;

	long_list_begins(&slow, &other);
	/* what it does not read is not asked for: two parts are more than may wait, the others fill the socket */
	ck_assert_uint_lt(lab.workers.parts, 60);
	peer_call(&slow, "version", NULL, &events); /* the reply of list-sas comes first */
	ck_assert_uint_eq(events, 20001);
	peer_value(&slow, "daemon", NULL);
	peer_recv(&slow, VICI_CMD_RESPONSE);
	peer_value(&slow, "daemon", "bewickd");
	peer_close(&slow);
	peer_close(&other);
}
END_TEST

/* Who goes away in the middle of a list leaves nothing behind. */
START_TEST(long_list_to_one_that_leaves)
{
	struct peer slow, other;

	long_list_begins(&slow, &other);
	peer_close(&slow);
	ck_usable(&other);
	peer_close(&other);
}
END_TEST

/* _i: 0 reads late, 1 leaves */
START_TEST(many_conns_to_a_slow_reader)
{
	enum { N = 1500 };
	struct peer slow, other;
	unsigned events;
	char name[16];

	peer_open(&slow, &lab);
	peer_open(&other, &lab);
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		peer_load_conn(&other, name, false, (const char *const[]){ "net", NULL });
	}
	peer_register(&slow, "list-conn");
	peer_packet(&slow, VICI_CMD_REQUEST, "list-conns", NULL);
	ck_usable(&other);
	if (_i == 0) {
		peer_call(&slow, "version", NULL, &events);
		ck_assert_uint_eq(events, N);
		peer_recv(&slow, VICI_CMD_RESPONSE);
		peer_value(&slow, "daemon", "bewickd");
	}
	peer_close(&slow);
	ck_usable(&other);
	peer_close(&other);
}
END_TEST

/* Events to one that does not read are bounded, dropped, and do not disturb the others. */
START_TEST(events_to_a_silent_client_are_bounded)
{
	char *text = xcalloc(1, 60001);
	struct peer silent, other;
	unsigned i, got = 0;

	memset(text, 'x', 60000);
	peer_open(&silent, &lab);
	peer_open(&other, &lab);
	peer_register(&silent, "log");
	for (i = 0; i < 400; i++) { /* 24 MB, more than the 8 that may wait */
		LOG(DMN, 1, "%s", text);
		if (i % 20 == 0)
			ck_usable(&other);
	}
	ck_usable(&other);
	peer_packet(&silent, VICI_CMD_REQUEST, "version", NULL);
	for (;;) {
		struct bytes packet;
		size_t used;

		if (result_is_ok(vici_segment_next(buf_bytes(&silent.in), &packet, &used)) && used &&
		    packet.p[0] == VICI_CMD_RESPONSE)
			break;
		peer_recv(&silent, VICI_EVENT);
		got++;
	}
	ck_assert_uint_gt(got, 50);
	ck_assert_uint_lt(got, 300);
	free(text);
	peer_close(&silent);
	peer_close(&other);
}
END_TEST

static void set_descriptors(rlim_t n)
{
	struct rlimit rl;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = n < rl.rlim_max ? n : rl.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

START_TEST(too_many_clients_are_refused)
{
	struct peer *peers = xcalloc(LIMIT_VICI_CLIENTS + 1, sizeof(*peers));

	set_descriptors(4 * LIMIT_VICI_CLIENTS);
	for (size_t i = 0; i < LIMIT_VICI_CLIENTS; i++)
		peer_open(&peers[i], &lab);
	ck_usable(&peers[LIMIT_VICI_CLIENTS - 1]);
	peer_open(&peers[LIMIT_VICI_CLIENTS], &lab);
	ck_assert(peer_is_closed(&peers[LIMIT_VICI_CLIENTS]));
	peer_close(&peers[LIMIT_VICI_CLIENTS]);
	for (size_t i = 0; i < LIMIT_VICI_CLIENTS; i++) {
		ck_usable(&peers[i]);
		peer_close(&peers[i]);
	}
	free(peers);
}
END_TEST

/* Without descriptors nobody new is served, until there are some again. */
START_TEST(exhausted_descriptors_are_survived)
{
	struct peer old, p;
	struct bytes msg;
	rlim_t n;

	peer_open(&old, &lab);
	peer_register(&old, "log");
	peer_open(&p, &lab);
	ck_usable(&p);
	peer_close(&p);
	ck_usable(&old); /* by now its end is closed here too */
	n = (rlim_t)dup(old.fd);
	close((int)n);
	p.fd = -1;
	set_descriptors(n + 1); /* one is left, which the new client takes itself */
	peer_open(&p, &lab);
	peer_packet(&p, VICI_CMD_REQUEST, "version", NULL);
	peer_recv(&old, VICI_EVENT);
	ck_assert(vici_find(old.got.message, VICI_KEY_VALUE, "msg", &msg));
	ck_assert(bytes_equal_str(msg, "vici: a client cannot be accepted: Too many open files"));
	peer_packet(&old, VICI_EVENT_UNREGISTER, "log", NULL); /* said once, not again and again */
	peer_recv(&old, VICI_EVENT_CONFIRM);
	ck_usable(&old);
	set_descriptors(1024);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_close(&p);
	peer_close(&old);
}
END_TEST

START_TEST(second_daemon_is_refused)
{
	struct control_options o = { .uri = lab.uri };
	struct errtext err;

	ck_assert_ptr_null(control_new(&o, &err));
	ck_assert_msg(strstr(err.s, "another daemon is listening on"), "%s", err.s);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct control_options o = { .uri = xasprintf("%s.2", lab.uri) };
	struct control *c;
	struct errtext err;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* what a daemon that was killed leaves behind */
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s.2", lab.path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	c = control_new(&o, &err);
	ck_assert_msg(c != NULL, "%s", err.s);
	ck_assert_int_eq(stat(sun.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0770);
	control_free(c);
	ck_assert_int_eq(stat(sun.sun_path, &st), -1);
	free((char *)o.uri);
}
END_TEST

START_TEST(wrong_addresses_of_the_socket_are_refused)
{
	static const struct {
		const char *uri, *says;
	} wrong[] = {
		{ "systemd://vici", "systemd" },
		{ "/run/x", "expected unix:///PATH or tcp://HOST:PORT" },
		{ "unix://", "the path must have" },
		{ "unix:///nonexistent/folder/vici", "No such file or directory" },
		{ "unix:///dev/null", "not a socket" },
		{ "tcp://nowhere", "expected tcp://HOST:PORT" },
		{ "tcp://127.0.0.1:notaport", "control socket tcp://127.0.0.1:notaport" },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct control_options o = { .uri = wrong[i].uri };
		struct errtext err = { "" };

		ck_assert_ptr_null(control_new(&o, &err));
		ck_assert_msg(strstr(err.s, wrong[i].says), "%s: %s", wrong[i].uri, err.s);
	}
}
END_TEST

TCase *control_client_tests(void)
{
	TCase *t = tcase_create("clients");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, unknown_commands_and_events_are_answered);
	tcase_add_test(t, malformed_packets_get_no_answer);
	tcase_add_test(t, garbage_behind_a_lookup_does_no_harm);
	tcase_add_test(t, too_long_a_segment_ends_its_connection_only);
	tcase_add_test(t, longest_segment_is_taken);
	tcase_add_test(t, packets_may_come_byte_by_byte);
	tcase_add_test(t, pipelined_requests_are_answered_in_order);
	tcase_add_test(t, a_hundred_clients_are_served);
	tcase_add_test(t, half_closed_client_gets_its_answers);
	tcase_add_test(t, what_a_client_asked_before_it_left_is_done);
	tcase_add_test(t, client_may_leave_in_the_middle_of_a_command);
	tcase_add_test(t, long_list_to_a_slow_reader);
	tcase_add_test(t, long_list_to_one_that_leaves);
	tcase_add_loop_test(t, many_conns_to_a_slow_reader, 0, 2);
	tcase_add_test(t, events_to_a_silent_client_are_bounded);
	tcase_add_test(t, too_many_clients_are_refused);
	tcase_add_test(t, exhausted_descriptors_are_survived);
	tcase_add_test(t, second_daemon_is_refused);
	tcase_add_test(t, stale_socket_is_replaced);
	tcase_add_test(t, wrong_addresses_of_the_socket_are_refused);
	return t;
}
