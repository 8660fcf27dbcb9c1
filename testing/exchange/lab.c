/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"
#include "lab_auth.h"
#include "lab_private.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "plugin/attributes.h"
#include "plugin/loader.h"
#include "sa/seal.h"
#include "testing/lib/swanctl_text.h"
#include "wire/builder.h"

static void lab_reap(struct lab_end *e);

/* ---- the host ---- */

/* RFC 7296, 2.1: a request is answered once; its repeats get the same bytes again. */
static void lab_note_reply(struct lab *lab, struct bytes msg)
{
	static const struct hash_key key = { 1, 2 };
	struct seal_place place;
	struct ike_header h;
	uint64_t id, hash = hash_bytes(&key, msg);

	ck_assert(result_is_ok(header_parse(msg, &h)));
	/* RFC 6311: each sync has id 0, and an answer of its own */
	if (!(h.flags & IKE_FLAG_RESPONSE) || (h.exchange == EXCHANGE_INFORMATIONAL && h.message_id == 0))
		return;
	id = h.spi_i ^ h.spi_r * 3 ^ ((uint64_t)h.message_id << 8 | h.flags);
	/* RFC 7383, 2.6.1: each fragment is one by its number and total */
	if (seal_find(msg, &place) && place.fragment.total)
		id ^= ((uint64_t)place.fragment.number << 16 | place.fragment.total) << 24;
	for (size_t i = 0; i < lab->n_replies; i++) {
		if (lab->replies[i].key != id)
			continue;
		ck_assert_msg(lab->replies[i].hash == hash, "two answers to %s %u", exchange_name(h.exchange), h.message_id);
		return;
	}
	if (lab->n_replies < LAB_REPLIES) {
		lab->replies[lab->n_replies].key = id;
		lab->replies[lab->n_replies++].hash = hash;
	}
}

/* What the NAT does; false: it has no mapping for the packet. */
static bool lab_translate(const struct lab_end *e, struct lab_packet *p)
{
	struct lab *lab = e->lab;
	struct addr outside;

	if (!lab->nat_port)
		return true;
	ck_assert(addr_parse(bytes_str("198.51.100.1"), &outside));
	if (e == &lab->a) {
		outside.port = (uint16_t)(lab->nat_port + (p->remote.port == IKE_NATT_PORT));
		p->remote = outside;
		return true;
	}
	if (!addr_equal_ip(&p->local, &outside) || (p->local.port & ~1) != lab->nat_port)
		return false;
	outside.port = p->local.port == lab->nat_port ? IKE_PORT : IKE_NATT_PORT;
	p->local = lab->a.addr;
	p->local.port = outside.port;
	return true;
}

void lab_put(struct lab_end *e, const struct addr *local, const struct addr *remote, struct bytes msg)
{
	struct lab *lab = e->lab;
	struct lab_packet *p;
	struct addr src = *local, dst = *remote;

	if (lab_is_too_large(e, local, msg.n) || (lab->path && !lab->path(lab, e == &lab->a, &src, &dst)))
		return;
	ck_assert_uint_lt(lab->n_packets, LAB_PACKETS);
	p = &lab->packets[lab->n_packets];
	p->to = e == &lab->a ? &lab->b : &lab->a;
	p->local = dst;
	p->remote = src;
	p->remote.stream = remote->stream;
	p->local.stream = 0;
	if (!lab_translate(e, p))
		return;
	lab->n_packets++;
	p->n = msg.n;
	p->data = xmemdup(msg.p, msg.n);
}

static void lab_send(void *host, const struct addr *local, const struct addr *remote, unsigned dscp, struct bytes msg)
{
	struct lab_end *e = host;

	lab_note_reply(e->lab, msg);
	e->dscp = dscp;
	e->lab->sent++;
	lab_put(e, local, remote, msg);
}

static void lab_keepalive(void *host, const struct addr *local, const struct addr *remote)
{
	ck_assert_uint_eq(local->port, IKE_NATT_PORT);
	ck_assert_uint_ne(remote->port, 0);
	((struct lab_end *)host)->keepalives++;
}

/* What hooks rely on: each line of CHILD_SAs comes up and goes down in turn, whatever is rekeyed. */
static void lab_line(struct lab_end *e, const struct child_sa *child, bool up)
{
	size_t i = 0;

	while (i < e->n_lines && e->lines[i] != child->line_id)
		i++;
	ck_assert_msg((i == e->n_lines) == up, "%s: line %u of %s{%u} is %s twice", e->name, child->line_id, child->conf->name,
		      child->id, up ? "up" : "down");
	if (up) {
		e->lines = xrealloc(e->lines, (e->n_lines + 1) * sizeof(*e->lines));
		e->lines[e->n_lines++] = child->line_id;
	} else {
		e->lines[i] = e->lines[--e->n_lines];
	}
}

static void lab_event(void *host, enum sa_event event, const struct ike_sa *sa, const struct child_sa *child)
{
	struct lab_end *e = host;
	struct ike_info *info = ike_info_new(sa, child, child == NULL);

	/* every event must be tellable */
	ck_assert_uint_eq(info->id, sa->log.id);
	if (event == SA_EVENT_IKE_UP)
		e->attributes += info->n_attributes;
	if (event == SA_EVENT_IKE_DOWN) {
		ck_assert_uint_ge(e->attributes, info->n_attributes);
		e->attributes -= info->n_attributes;
	}
	ike_info_free(info);
	ck_assert_uint_lt(e->n_events, LAB_EVENTS);
	if (event == SA_EVENT_CHILD_UP || event == SA_EVENT_CHILD_DOWN)
		lab_line(e, child, event == SA_EVENT_CHILD_UP);
	e->events[e->n_events++] = (struct lab_event){ event, sa->log.id, child ? child->id : 0 };
}

static void lab_rekeyed(void *host, const struct ike_sa *sa, const struct child_sa *child, const struct ike_sa *new_sa,
			const struct child_sa *new_child)
{
	ck_assert((child != NULL) == (new_child != NULL) && (child != NULL) == (sa == new_sa));
	lab_event(host, child ? SA_EVENT_CHILD_REKEY : SA_EVENT_IKE_REKEY, new_sa, new_child);
}

static uint64_t lab_make_spi(void *host)
{
	struct lab_end *e = host;
	uint64_t spi;

	crypto_random(e->ctx.crypto, &spi, sizeof(spi));
	return spi >> 8 | 1;
}

static uint32_t lab_next_number(void *host, enum sa_number kind)
{
	return ++((struct lab_end *)host)->numbers[kind];
}

static void lab_own_spi(void *host, struct ike_sa *sa, uint64_t old_spi, uint64_t new_spi)
{
	struct lab_end *e = host;

	if (old_spi || !new_spi)
		return;
	ck_assert_uint_lt(e->n_sas, LAB_SAS);
	e->sas[e->n_sas++] = sa;
}

static void lab_ignore(void *host, struct ike_sa *sa)
{
	(void)host;
	(void)sa;
}

static void lab_inherited(void *host, struct ike_sa *sa, struct ike_sa *old)
{
	(void)host;
	ck_assert(sa != old && !sa->finished && !old->finished);
}

static void lab_own_child(void *host, struct child_sa *child, bool is)
{
	(void)child;
	((struct lab_end *)host)->children += is ? 1 : -1u;
}

/* Law 1: what can happen to a CHILD_SA is never the end of an IKE_SA that was up. */
static void lab_released(void *host, struct ike_sa *sa)
{
	struct lab_end *e = host;

	e->silent_ends += sa->cause == CAUSE_PEER_LOST || sa->cause == CAUSE_PEER_SILENT;
	if (sa->established_ms)
		ck_assert_msg(sa->cause != CAUSE_SELECTORS && sa->cause != CAUSE_PROPOSAL && sa->cause != CAUSE_KERNEL &&
				      sa->cause != CAUSE_KEY_EXCHANGE && sa->cause != CAUSE_DUPLICATE,
			      "IKE_SA %u of %s ends for a CHILD_SA: %s", sa->log.id, e->name, sa->why);
}

static void lab_replace_others(void *host, struct ike_sa *sa, bool tell_peer)
{
	struct lab_end *e = host;

	(void)tell_peer;
	for (size_t i = 0; i < e->n_sas; i++)
		if (e->sas[i] != sa && !e->sas[i]->finished && e->sas[i]->state == IKE_STATE_ESTABLISHED)
			e->replaced++;
}

static bool lab_has_other(void *host, const struct id *local, const struct id *remote)
{
	struct lab_end *e = host;

	(void)local;
	(void)remote;
	for (size_t i = 0; i < e->n_sas; i++)
		if (!e->sas[i]->finished && e->sas[i]->state == IKE_STATE_ESTABLISHED)
			return true;
	return false;
}

static bool lab_claim_selectors(void *host, uint64_t selectors, uint64_t peer)
{
	struct lab_end *e = host;
	size_t at = LAB_CLAIMS;

	for (size_t i = 0; i < LAB_CLAIMS; i++)
		if (!e->claims[i].count)
			at = i;
	for (size_t i = 0; i < LAB_CLAIMS; i++)
		if (e->claims[i].count && e->claims[i].selectors == selectors)
			at = i;
	ck_assert_uint_lt(at, LAB_CLAIMS);
	if (e->claims[at].count && e->claims[at].peer != peer)
		return false;
	e->claims[at].selectors = selectors;
	e->claims[at].peer = peer;
	e->claims[at].count++;
	return true;
}

static void lab_release_selectors(void *host, uint64_t selectors)
{
	struct lab_end *e = host;
	size_t i = 0;

	while (i < LAB_CLAIMS && !(e->claims[i].count && e->claims[i].selectors == selectors))
		i++;
	ck_assert_uint_lt(i, LAB_CLAIMS);
	e->claims[i].count--;
}

static bool lab_claim(void *host, struct ike_sa *sa)
{
	return !lab_has_other(host, &sa->local_id, &sa->remote_id);
}

static void lab_half_open(void *host, struct ike_sa *sa, bool is)
{
	struct lab_end *e = host;

	(void)sa;
	e->half_open += is ? 1 : -1u;
}

static void lab_request_done(void *host, struct sa_request request, enum cause cause, const char *why)
{
	struct lab_end *e = host;

	(void)why;
	if (!request.id)
		return;
	ck_assert_uint_lt(request.id, LAB_REQUESTS);
	e->requests[request.id].done++;
	e->requests[request.id].cause = cause;
}

static void lab_kernel_done_fn(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	(void)arg;
	(void)token;
	(void)status;
	(void)err;
	ck_abort_msg("the mock backend completes by hand");
}

static size_t lab_cookie(void *host, const struct ike_sa *sa, unsigned age, uint8_t *ret)
{
	memset(ret, age == 0 ? 0x11 : 0x22, LAB_COOKIE);
	(void)host;
	(void)sa;
	return LAB_COOKIE;
}

static struct kernel_done lab_kernel_done(void *host, struct ike_sa *sa, uint32_t child_id)
{
	return (struct kernel_done){ lab_kernel_done_fn, host, (uint64_t)sa->log.id << 32 | child_id };
}

static struct kernel_done lab_move_done(void *host, struct child_sa *child)
{
	return (struct kernel_done){ lab_kernel_done_fn, host, child->id };
}

static bool lab_resolve(void *host, struct ike_sa *sa, const char *name, int family)
{
	(void)sa;
	(void)name;
	(void)family;
	((struct lab_end *)host)->resolves++;
	return true;
}

void lab_resolved(struct lab_end *e, const char *addrs)
{
	struct addr list[LIMIT_RESOLVED];
	size_t n = 0;

	while (*addrs) {
		size_t len = strcspn(addrs, " ");

		ck_assert(n < LIMIT_RESOLVED && addr_parse(bytes_of((const uint8_t *)addrs, len), &list[n++]));
		addrs += len + (addrs[len] == ' ');
	}
	ike_sa_resolved(e->sas[0], list, n);
}

static bool lab_source_address(void *host, const struct addr *remote, struct addr *ret_local)
{
	struct lab_end *e = host;

	for (size_t i = 0; i < e->n_locals; i++) {
		if (e->locals[i].family != remote->family)
			continue;
		*ret_local = e->locals[i];
		return true;
	}
	*ret_local = e->addr;
	return !e->ctx.locals && remote->family == e->addr.family;
}

/* Each address is on a link of its own, which leads everywhere. */
static bool lab_route(void *host, const struct addr *local, const struct addr *remote, unsigned *ret_ifindex)
{
	const struct local_addr *l = local_addrs_find(((struct lab_end *)host)->ctx.locals, local);

	if (!l || local->family != remote->family)
		return false;
	*ret_ifindex = l->ifindex;
	return true;
}

static bool lab_own_address(void *host, const struct endpoint *e, const struct addr *remote, struct addr *ret_local)
{
	struct lab_end *end = host;

	for (size_t i = 0; i < end->n_locals; i++) {
		if (end->locals[i].family != remote->family || !endpoint_fits(e, &end->locals[i]))
			continue;
		*ret_local = end->locals[i];
		return true;
	}
	if (end->ctx.locals || end->addr.family != remote->family || !endpoint_fits(e, &end->addr))
		return false;
	*ret_local = end->addr;
	return true;
}

void lab_roam(struct lab_end *e, const char *addrs)
{
	struct local_addr list[LAB_LOCALS] = { { { 0 } } };
	size_t n = 0;

	while (*addrs) {
		size_t len = strcspn(addrs, " ");
		bool vip = *addrs == '+';

		ck_assert(n < LAB_LOCALS && addr_parse(bytes_of((const uint8_t *)addrs + vip, len - vip), &list[n].addr));
		list[n].up = list[n].carrier = true;
		list[n].told = !vip;
		list[n].vip = vip;
		list[n].ifindex = (unsigned)n + 1;
		e->locals[n] = list[n].addr;
		n++;
		addrs += len + (addrs[len] == ' ');
	}
	e->n_locals = n;
	local_addrs_unref(e->ctx.locals);
	e->ctx.locals = local_addrs_new(list, n);
	for (size_t i = 0; i < e->n_sas; i++)
		ike_sa_roam(e->sas[i], 0);
	lab_reap(e);
	lab_check(e->lab);
}

static void lab_moving(void *host, const struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	ck_assert(!addr_equal(&sa->local, local) || !addr_equal(&sa->remote, remote));
	lab_event(host, SA_EVENT_IKE_UPDATE, sa, NULL);
}

static void lab_reinitiate(void *host, const struct conn *conn, const struct child_conf *child)
{
	struct lab_end *e = host;

	(void)conn;
	snprintf(e->reinitiated_child, sizeof(e->reinitiated_child), "%s", child ? child->name : "");
	e->reinitiated++;
}

static void lab_retrap(void *host, const struct conn *conn, const struct child_conf *child)
{
	(void)conn;
	(void)child;
	((struct lab_end *)host)->retrapped++;
}

static uint32_t lab_trap_reqid(void *host, const struct conn *conn, const struct child_conf *child)
{
	(void)conn;
	(void)child;
	return ((struct lab_end *)host)->trap_reqid;
}

/* A stream is one number for both ends; the receiver of a packet knows it as the sender does. */
static bool lab_stream_open(void *host, bool bound, struct addr *local, struct addr *remote)
{
	struct lab_end *e = host;

	(void)bound;
	if (e->no_streams)
		return false;
	remote->stream = ++e->lab->streams;
	local->port = (uint16_t)(40000 + remote->stream);
	return true;
}

static void lab_stream_use(void *host, struct ike_sa *sa, uint32_t stream, bool is)
{
	struct lab_end *e = host;

	(void)sa;
	ck_assert(stream && stream < LAB_STREAMS && (is || e->streams[stream]));
	e->streams[stream] += is ? 1 : -1u;
}

static void lab_stream_again(void *host, uint32_t stream)
{
	(void)stream;
	((struct lab_end *)host)->streams_again++;
}

static const struct sa_host_ops lab_host_ops = {
	.send = lab_send,
	.keepalive = lab_keepalive,
	.event = lab_event,
	.rekeyed = lab_rekeyed,
	.make_spi = lab_make_spi,
	.reserve_spi = lab_reserve_spi,
	.next_number = lab_next_number,
	.own_spi = lab_own_spi,
	.established = lab_ignore,
	.inherited = lab_inherited,
	.own_child = lab_own_child,
	.released = lab_released,
	.replace_others = lab_replace_others,
	.claim = lab_claim,
	.has_other = lab_has_other,
	.claim_selectors = lab_claim_selectors,
	.release_selectors = lab_release_selectors,
	.finished = lab_ignore, /* freed by lab_reap */
	.half_open = lab_half_open,
	.cookie = lab_cookie,
	.request_done = lab_request_done,
	.kernel_done = lab_kernel_done,
	.move_done = lab_move_done,
	.moving = lab_moving,
	.moved = lab_ignore,
	.authenticate = lab_authenticate,
	.resolve = lab_resolve,
	.source_address = lab_source_address,
	.own_address = lab_own_address,
	.route = lab_route,
	.stream_open = lab_stream_open,
	.stream_use = lab_stream_use,
	.stream_again = lab_stream_again,
	.reinitiate = lab_reinitiate,
	.retrap = lab_retrap,
	.trap_reqid = lab_trap_reqid,
};

/* ---- set-up ---- */

static void lab_load(struct lab_end *e, const char *text)
{
	struct conn_env env = { .have = crypto_have, .have_arg = lab_registry(), .default_replay_window = 32, .tcp = true,
				.backend = { .name = "mock", .transport = true, .beet = true, .scope = true,
					     .hw_offload = true, .tfc = true, .sha256_96 = true } };
	struct errtext err = { "" };

	e->ctx.config = swanctl_text_load(text, e->name, &env, &err);
	ck_assert_msg(e->ctx.config != NULL, "%s: %s", e->name, err.s);
}

void lab_reload(struct lab_end *e, const char *conf)
{
	struct config *old = e->ctx.config;

	lab_load(e, conf);
	config_unref(old);
}

static void lab_end_init(struct lab *lab, struct lab_end *e, const char *name, const char *ip, const char *conf)
{
	e->lab = lab;
	e->name = name;
	ck_assert(addr_parse(bytes_str(ip), &e->addr));
	sa_ctx_init(&e->ctx);
	e->ctx.ops = &lab_host_ops;
	e->ctx.host = e;
	e->ctx.wheel = wheel_new(lab->now);
	e->ctx.crypto = crypto_ctx_new(lab_registry());
	e->ctx.kernel = (struct kernel *)e;
	e->ctx.kernel_ops = &lab_kernel_ops;
	e->next_spi = e == &lab->a ? 0x0a000000 : 0x0b000000;
	/* request number 0 is nobody */
	lab_load(e, conf);
}

/* A move that no table declares is logged and refused; here it is a failure. */
static void lab_watch_log(void *arg, const struct log_event *ev)
{
	(void)arg;
	if (!strstr(ev->msg, "no move from"))
		return;
	fprintf(stderr, "%s\n", ev->msg);
	abort();
}

/* Each kind of move, once: "IKE_SA<tab>FROM => TO (meaning)"; testing/model/runs.py compares them with the tables. */
static void lab_note_move(void *arg, const struct log_event *ev)
{
	static char seen[128][120];
	const char *text = strstr(ev->msg, " state change: ");
	char line[120];

	if (!text)
		return;
	snprintf(line, sizeof(line), "%.*s\t%s\n", (int)strcspn(ev->msg, " "), ev->msg, text + strlen(" state change: "));
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		if (strcmp(seen[i], line) == 0)
			return;
		if (seen[i][0])
			continue;
		snprintf(seen[i], sizeof(seen[i]), "%s", line);
		/* tests run in processes of their own: one write for each line */
		ck_assert(write(*(int *)arg, line, strlen(line)) > 0);
		return;
	}
}

static void lab_note_moves(const char *path)
{
	static int fd;
	int8_t levels[LOG_GROUPS];

	memset(levels, LOG_LEVEL_SILENT, sizeof(levels));
	levels[LOG_GROUP_MGR] = levels[LOG_GROUP_CHD] = LOG_LEVEL_DETAIL;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	log_sink_add(levels, lab_note_move, &fd);
}

struct lab *lab_new(const char *conf_a, const char *conf_b)
{
	static struct log_sink *watch;
	static int8_t watched[LOG_GROUPS];
	struct lab *lab = xcalloc(1, sizeof(*lab));
	static int8_t levels[LOG_GROUPS];
	static struct log_sink *sink;

	if (!sink && getenv("LAB_LOG")) {
		memset(levels, atoi(getenv("LAB_LOG")), sizeof(levels));
		sink = log_sink_add(levels, log_to_stderr, NULL);
	}
	if (!watch) {
		watch = log_sink_add(watched, lab_watch_log, NULL);
		if (getenv("LAB_MOVES"))
			lab_note_moves(getenv("LAB_MOVES"));
	}
	lab->now = 1000000;
	lab_end_init(lab, &lab->a, "a", "192.0.2.1", conf_a);
	lab_end_init(lab, &lab->b, "b", "192.0.2.2", conf_b);
	return lab;
}

/* Frees what is finished. */
static void lab_reap(struct lab_end *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i]->finished)
			ike_sa_free(e->sas[i]);
		else
			e->sas[kept++] = e->sas[i];
	}
	e->n_sas = kept;
}

static void lab_end_clear(struct lab_end *e)
{
	for (size_t i = 0; i < e->n_sas; i++)
		if (!e->sas[i]->finished)
			ike_sa_finish(e->sas[i], IKE_EVENT_DESTROY, CAUSE_SHUTDOWN, "the test ends");
	lab_reap(e);
	lab_auth_clear(e);
	ck_assert_uint_eq(e->kernel_children, 0);
	ck_assert_uint_eq(e->kernel_spis, 0);
	ck_assert_uint_eq(e->children, 0);
	ck_assert_uint_eq(e->half_open, 0);
	for (size_t i = 0; i < LAB_RESERVED; i++)
		ck_assert(!e->reserved[i]);
	for (size_t i = 0; i < LAB_CLAIMS; i++)
		ck_assert_uint_eq(e->claims[i].count, 0);
	ck_assert_uint_eq(wheel_count(e->ctx.wheel), 0);
	for (uint64_t i = 1; i < LAB_REQUESTS; i++)
		ck_assert_uint_le(e->requests[i].done, 1);
	config_unref(e->ctx.config);
	local_addrs_unref(e->ctx.locals);
	wheel_free(e->ctx.wheel);
	crypto_ctx_free(e->ctx.crypto);
	free(e->lines);
	sa_ctx_clear(&e->ctx);
}

static size_t lab_provide(void *arg, const struct attribute_query *query, struct attribute *ret, size_t max)
{
	static const uint8_t value[16] = { 10, 1, 0, 53 };

	(void)arg;
	(void)query;
	ck_assert_uint_ge(max, 2);
	ret[0] = (struct attribute){ CP_ATTR_INTERNAL_IP4_DNS, bytes_of(value, 4) };
	ret[1] = (struct attribute){ CP_ATTR_INTERNAL_IP6_DNS, bytes_of(value, 16) };
	return 2;
}

static struct attribute_registry *attributes; /* for the whole process */

static void lab_free_attributes(void)
{
	attribute_registry_free(attributes);
}

void lab_attributes(struct lab *lab)
{
	static const struct attribute_provider provider = { .name = "lab", .provide = lab_provide };
	static const uint16_t types[] = { CP_ATTR_INTERNAL_IP4_DNS, CP_ATTR_INTERNAL_IP6_DNS };
	static const struct attribute_handler handler = { .name = "lab", .types = types, .n_types = 2 };
	struct lab_end *ends[] = { &lab->a, &lab->b };

	if (!attributes) {
		attributes = attribute_registry_new();
		attribute_add_provider(attributes, &provider);
		attribute_add_handler(attributes, &handler);
		atexit(lab_free_attributes);
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		ends[i]->ctx.attributes = attributes;
		ends[i]->ctx.options.attributes_without_vips = true;
	}
}

void lab_free(struct lab *lab)
{
	lab_end_clear(&lab->a);
	lab_end_clear(&lab->b);
	while (lab->n_packets)
		free(lab->packets[--lab->n_packets].data);
	free(lab);
}

/* ---- what the operator does ---- */

static unsigned lab_next_request;

struct sa_request lab_request_new(struct lab_end *e)
{
	struct sa_request r = { 1 + lab_next_request++ % (LAB_REQUESTS - 1) };

	e->requests[r.id] = (struct lab_request){ 0 };
	return r;
}

uint64_t lab_initiate(struct lab_end *e, const char *child)
{
	const struct conn *conn = config_conn(e->ctx.config, "net");
	struct sa_request r = lab_request_new(e);
	struct ike_sa *sa;

	ck_assert_ptr_nonnull(conn);
	sa = ike_sa_new_initiator(&e->ctx, conn, 0);
	ike_sa_initiate(sa, child ? conn_child(conn, child) : NULL, r);
	return r.id;
}

uint64_t lab_add_child(struct lab_end *e, struct ike_sa *sa, const char *child)
{
	struct sa_request r = lab_request_new(e);

	ike_sa_add_child(sa, sa->conn, conn_child(sa->conn, child), r);
	return r.id;
}

/* ---- the net ---- */

static struct lab_packet lab_take(struct lab *lab)
{
	struct lab_packet p;

	ck_assert_uint_gt(lab->n_packets, 0);
	p = lab->packets[0];
	memmove(lab->packets, lab->packets + 1, --lab->n_packets * sizeof(p));
	return p;
}

/* What the worker's dispatch does with a packet, without its limits. */
static void lab_receive(struct lab_packet *p)
{
	struct lab_end *e = p->to;
	struct ike_header h;
	uint64_t own;

	if (!result_is_ok(header_parse(bytes_of(p->data, p->n), &h)))
		return;
	own = h.flags & IKE_FLAG_INITIATOR ? h.spi_r : h.spi_i;
	for (size_t i = 0; i < e->n_sas; i++) {
		struct ike_sa *sa = e->sas[i];

		if (sa->finished)
			continue;
		if (ike_sa_own_spi(sa) == own || (own == 0 && !sa->initiator && sa->spi_i == h.spi_i)) {
			ike_sa_receive(sa, &h, &p->local, &p->remote, p->data, p->n);
			lab_reap(e);
			return;
		}
	}
	if (h.exchange == EXCHANGE_IKE_SA_INIT && own == 0 && !(h.flags & IKE_FLAG_RESPONSE)) {
		struct ike_sa *sa = ike_sa_new_responder(&e->ctx, h.spi_i, &p->local, &p->remote);

		ike_sa_receive(sa, &h, &p->local, &p->remote, p->data, p->n);
	} else if (e->ctx.options.qcd_secrets.count) {
		lab_unknown(p, &h);
	}
	lab_reap(e);
}

void lab_deliver(struct lab *lab)
{
	struct lab_packet p = lab_take(lab);

	lab_receive(&p);
	free(p.data);
	lab_check(lab);
	if (lab_auth_run(lab))
		lab_check(lab);
}

static struct ike_header lab_header(const struct ike_sa *sa, unsigned exchange, bool response, uint32_t message_id)
{
	return (struct ike_header){ .spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = IKE_VERSION,
				    .exchange = (uint8_t)exchange, .message_id = message_id,
				    .flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) |
						       (response ? IKE_FLAG_RESPONSE : 0)) };
}

void lab_inject_fragment(struct lab_end *from, struct ike_sa *sa, unsigned exchange, bool response, uint32_t message_id,
			 uint16_t number, uint16_t total, uint8_t first, struct bytes inner)
{
	static uint8_t out[LIMIT_MESSAGE];
	struct ike_header h = lab_header(sa, exchange, response, message_id);
	struct payload_skf f = { number, total };
	struct bytes msg = seal_fragment(sa, &h, &f, first, inner, out, sizeof(out));

	ck_assert(msg.n);
	lab_put(from, &sa->local, &sa->remote, msg);
}

void lab_inject(struct lab_end *from, struct ike_sa *sa, unsigned exchange, bool response, uint32_t message_id,
		const struct builder *b)
{
	static uint8_t out[LIMIT_MESSAGE];
	struct ike_header h = lab_header(sa, exchange, response, message_id);
	struct bytes msg = seal_message(sa, &h, b->first, bytes_of(b->w.p, b->w.n), out, sizeof(out));

	ck_assert(writer_ok(&b->w) && msg.n);
	lab_put(from, &sa->local, &sa->remote, msg);
}

void lab_inject_plain(struct lab_end *to, const struct ike_sa *sa, const struct ike_header *h, const struct builder *b)
{
	uint8_t msg[1024] = { 0 };
	struct builder all = builder_of(msg, sizeof(msg));

	builder_header(&all, h);
	writer_bytes(&all.w, bytes_of(b->w.p, b->w.n));
	msg[16] = b->first;
	lab_put(to == &to->lab->a ? &to->lab->b : &to->lab->a, &sa->remote, &sa->local, builder_finish(&all));
}

void lab_inject_bytes(struct lab_end *from, struct bytes msg)
{
	struct lab_end *to = from == &from->lab->a ? &from->lab->b : &from->lab->a;

	lab_put(from, &from->addr, &to->addr, msg);
}

void lab_inject_init(struct lab_end *to, uint64_t spi_r, struct builder *b)
{
	uint8_t msg[1024] = { 0 };
	struct ike_header h = { .spi_i = to->sas[0]->spi_i, .spi_r = spi_r, .version = IKE_VERSION,
				.exchange = EXCHANGE_IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE };
	struct builder all = builder_of(msg, sizeof(msg));
	struct lab *lab = to->lab;

	builder_header(&all, &h);
	/* the chain comes ready made: its first type goes into the header */
	writer_bytes(&all.w, bytes_of(b->w.p, b->w.n));
	msg[16] = b->first;
	lab_put(to == &lab->a ? &lab->b : &lab->a, &to->sas[0]->remote, &to->sas[0]->local, builder_finish(&all));
}

void lab_peek(struct lab *lab, size_t i, struct arena *a, struct ike_header *ret_header, struct payload_list *ret_list)
{
	struct lab_packet *p = &lab->packets[i];
	uint8_t *copy = arena_dup(a, p->data, p->n), first;
	struct bytes body = { 0 };
	struct wire_error err;

	ck_assert_uint_lt(i, lab->n_packets);
	ck_assert(result_is_ok(header_parse(bytes_of(copy, p->n), ret_header)));
	first = ret_header->next;
	if (ret_header->exchange == EXCHANGE_IKE_SA_INIT)
		body = bytes_of(copy + IKE_HEADER_LEN, p->n - IKE_HEADER_LEN);
	for (size_t k = 0; k < p->to->n_sas && ret_header->exchange != EXCHANGE_IKE_SA_INIT; k++)
		if (p->to->sas[k]->spi_i == ret_header->spi_i && p->to->sas[k]->protect.cipher)
			ck_assert(result_is_ok(seal_open(p->to->sas[k], copy, p->n, &body, &first)));
	ck_assert(result_is_ok(payloads_parse(a, body, first, ret_list, &err)));
}

void lab_choose(struct lab *lab, size_t i)
{
	struct lab_packet p = lab->packets[i];

	ck_assert_uint_lt(i, lab->n_packets);
	memmove(lab->packets + 1, lab->packets, i * sizeof(p));
	lab->packets[0] = p;
}

void lab_drop(struct lab *lab)
{
	struct lab_packet p = lab_take(lab);

	free(p.data);
}

void lab_repeat(struct lab *lab)
{
	struct lab_packet copy = lab->packets[0];

	copy.data = xmemdup(copy.data, copy.n);
	lab_deliver(lab);
	ck_assert_uint_lt(lab->n_packets, LAB_PACKETS);
	lab->packets[lab->n_packets++] = copy;
}

void lab_forge(struct lab *lab, size_t offset)
{
	struct lab_packet copy = lab->packets[0];

	ck_assert_uint_lt(offset, copy.n);
	copy.data = xmemdup(copy.data, copy.n);
	copy.data[offset] ^= 0x40;
	lab_receive(&copy);
	free(copy.data);
	lab_check(lab);
}

void lab_run(struct lab *lab)
{
	for (unsigned n = 0; lab->n_packets; n++) {
		ck_assert_uint_lt(n, 1000);
		lab_deliver(lab);
	}
}

void lab_advance(struct lab *lab, uint64_t ms)
{
	lab->now += ms;
	if (!lab->a.asleep)
		wheel_advance(lab->a.ctx.wheel, lab->now);
	lab_reap(&lab->a);
	if (!lab->b.asleep)
		wheel_advance(lab->b.ctx.wheel, lab->now);
	lab_reap(&lab->b);
	lab_auth_run(lab);
	lab_check(lab);
}

/* ---- what is ---- */

size_t lab_live(const struct lab_end *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_sas; i++)
		n += !e->sas[i]->finished && e->sas[i]->state != IKE_STATE_CLOSED;
	return n;
}

struct ike_sa *lab_sa(struct lab_end *e)
{
	struct ike_sa *found = NULL;

	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i]->finished || e->sas[i]->state == IKE_STATE_CLOSED)
			continue;
		if (found)
			return NULL;
		found = e->sas[i];
	}
	return found;
}

unsigned lab_children(const struct lab_end *e, enum child_state state)
{
	unsigned n = 0;

	for (size_t i = 0; i < e->n_sas; i++)
		for (struct child_sa *c = e->sas[i]->children; c; c = c->next)
			n += c->state == state;
	return n;
}

unsigned lab_count(const struct lab_end *e, enum sa_event event)
{
	unsigned n = 0;

	for (size_t i = 0; i < e->n_events; i++)
		n += e->events[i].event == event;
	return n;
}
