/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to install and remove CHILD_SAs in the kernel, beside the same netlink messages one by one.
 *
 *   bench_xfrm [CHILDREN]...     default 1000 10000; in a namespace of its own (root; a kernel with ESP)
 *
 * Wall time, as the kernel's work is done in our system calls; without routes, which bare messages do not have.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/settings.h"
#include "policy_message.h"
#include "sa.h"

#define BENCH_OWNER 1
#define BENCH_SPI_IN 0x100000
#define BENCH_SPI_OUT 0x900000
#define BENCH_SILENCE_US 30e6

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_xfrm: %s: %s\n", what, why);
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- a child ---- */

static struct ts net_of(uint8_t first, uint32_t number)
{
	struct addr a = { .family = AF_INET, .ip = { first, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number } };

	return ts_from_addr(&a);
}

static struct kernel_child child(uint32_t number, struct ts ts[2])
{
	static const uint8_t key[20] = "a key, and its salt";
	struct addr local = { .family = AF_INET, .ip = { 192, 0, 2, 1 } }, remote = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };
	struct kernel_child c = {
		.unique_id = number, .ike_id = 1, .reqid = number, .protocol = PROTOCOL_ESP, .copy_df = true,
		.copy_ecn = true, .replay_window = 32, .name = "bench",
		.suite = { .protocol = PROTOCOL_ESP, .encr = ENCR_AES_GCM_16, .encr_bits = 128 },
	};

	ts[0] = net_of(10, number);
	ts[1] = net_of(11, number);
	c.in = (struct kernel_sa){ .spi = BENCH_SPI_IN + number, .src = remote, .dst = local, .encr_key = { key, sizeof(key) } };
	c.out = (struct kernel_sa){ .spi = BENCH_SPI_OUT + number, .src = local, .dst = remote, .encr_key = { key, sizeof(key) } };
	c.local_ts = (struct ts_list){ 1, &ts[0] };
	c.remote_ts = (struct ts_list){ 1, &ts[1] };
	return c;
}

/* ---- the backend ---- */

static atomic_uint answered, failed;

static void installed(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	if (status != KERNEL_OK && atomic_fetch_add(&failed, 1) == 0)
		fprintf(stderr, "bench_xfrm: %s\n", err->s);
	atomic_fetch_add(&answered, 1);
}

/* The backend gives each request up after seconds: when nothing comes for longer, it is broken. */
static void wait_answers(unsigned n)
{
	unsigned seen = atomic_load(&answered), now;
	double since = now_us();

	while ((now = atomic_load(&answered)) < n) {
		if (now != seen)
			since = now_us();
		else if (now_us() - since > BENCH_SILENCE_US)
			die("the backend", "does not answer any more");
		seen = now;
		usleep(5000);
	}
}

static void ignore_event(void *arg, const struct kernel_event *ev)
{
}

static struct kernel_handle *install(struct kernel *k, uint32_t number)
{
	struct kernel_handle *h = NULL;
	struct errtext err;
	struct ts ts[2];
	struct kernel_child c = child(number, ts);

	if (netlink_ops.install(k, &c, (struct kernel_done){ installed, NULL, 0 }, &h, &err) != KERNEL_PENDING)
		die("install", err.s);
	return h;
}

struct cost {
	double install, remove; /* us per child */
};

/* Requests are answered in order: that of a child installed last tells that all before it is done. */
static struct cost run_backend(struct kernel *k, uint32_t n)
{
	struct kernel_handle **h = xcalloc(n + 1, sizeof(struct kernel_handle *));
	double t0 = now_us(), t1, t2;

	atomic_store(&answered, 0);
	for (uint32_t i = 0; i < n; i++)
		h[i] = install(k, i);
	wait_answers(n);
	t1 = now_us();
	for (uint32_t i = 0; i < n; i++)
		netlink_ops.remove(k, h[i]);
	h[n] = install(k, n);
	wait_answers(n + 1);
	t2 = now_us();
	netlink_ops.remove(k, h[n]);
	free(h);
	if (atomic_load(&failed))
		die("install", "some failed");
	return (struct cost){ (t1 - t0) / n, (t2 - t1) / n };
}

/* ---- bare netlink ---- */

static uint32_t seq;

static void talk(struct mnl_socket *s, union nl_request_buffer *b)
{
	uint8_t answer[4096];
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

	b->h.nlmsg_seq = ++seq;
	if (mnl_socket_sendto(s, &b->h, b->h.nlmsg_len) < 0 || mnl_socket_recvfrom(s, answer, sizeof(answer)) < 0)
		die("bare netlink", strerror(errno));
	if (h->nlmsg_type == NLMSG_ERROR && ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error)
		die("bare netlink", strerror(-((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error));
}

static struct policy_key bare_key(const struct kernel_child *c, unsigned dir)
{
	const struct ts *src = dir == XFRM_POLICY_OUT ? c->local_ts.p : c->remote_ts.p;
	const struct ts *dst = dir == XFRM_POLICY_OUT ? c->remote_ts.p : c->local_ts.p;
	struct policy_key key;

	memset(&key, 0, sizeof(key));
	key.sel.family = AF_INET;
	key.sel.prefixlen_s = key.sel.prefixlen_d = 32;
	key.sel.user = BENCH_OWNER;
	memcpy(&key.sel.saddr, src->from, 4);
	memcpy(&key.sel.daddr, dst->from, 4);
	key.dir = dir;
	return key;
}

static void bare_child(struct mnl_socket *s, uint32_t number, bool add)
{
	struct ts ts[2];
	struct kernel_child c = child(number, ts);
	struct policy_state state;
	union nl_request_buffer b;
	struct errtext err;
	struct kernel_handle *h = handle_new(NULL, &c, &err);
	const struct sa *sas[] = { &h->in, &h->out };

	for (size_t i = 0; i < 2 && add; i++) {
		sa_build_new(&b, BENCH_OWNER, sas[i], NULL, false);
		talk(s, &b);
	}
	for (unsigned dir = XFRM_POLICY_IN; dir <= XFRM_POLICY_FWD; dir++) {
		struct policy_key key = bare_key(&c, dir);

		memset(&state, 0, sizeof(state));
		state.present = state.has_tmpl = true;
		state.priority = 1000;
		state.tmpl.id.proto = IPPROTO_ESP;
		state.tmpl.mode = XFRM_MODE_TUNNEL;
		state.tmpl.reqid = number;
		state.tmpl.family = AF_INET;
		if (dir == XFRM_POLICY_OUT) {
			sa_put_addr(&state.tmpl.id.daddr, &c.out.dst);
			sa_put_addr(&state.tmpl.saddr, &c.out.src);
		}
		if (add)
			policy_build_set(&b, &key, &state);
		else
			policy_build_delete(&b, &key);
		talk(s, &b);
	}
	for (size_t i = 0; i < 2 && !add; i++) {
		sa_build_id(&b, XFRM_MSG_DELSA, sas[i]);
		talk(s, &b);
	}
	handle_unref(h);
}

static struct cost run_bare(uint32_t n)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	double t0, t1, t2;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		die("socket", strerror(errno));
	t0 = now_us();
	for (uint32_t i = 0; i < n; i++)
		bare_child(s, i, true);
	t1 = now_us();
	for (uint32_t i = 0; i < n; i++)
		bare_child(s, i, false);
	t2 = now_us();
	mnl_socket_close(s);
	return (struct cost){ (t1 - t0) / n, (t2 - t1) / n };
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "1000", "10000" };
	const char *const *list = argc > 1 ? (const char *const *)argv + 1 : usual;
	int n = argc > 1 ? argc - 1 : (int)ARRAY_LEN(usual);
	struct errtext err = { "" };
	struct settings *settings = settings_from_text("install_routes = no", &err);
	struct kernel_env env = { .settings = settings, .event = ignore_event };
	struct kernel *k;
	double first = 0;

	if (unshare(CLONE_NEWNET) < 0)
		die("a namespace", strerror(errno));
	if (!netlink_ops.probe(settings, &err))
		die("probe", err.s);
	k = netlink_ops.start(&env, &err);
	if (!k)
		die("start", err.s);
	(void)run_bare(100); /* the kernel looks its algorithms up */
	printf("us per child       install  remove | bare: install  remove | ratio  | to the first\n");
	for (int i = 0; i < n; i++) {
		uint32_t children = (uint32_t)strtoul(list[i], NULL, 10);
		struct cost bare = run_bare(children), ours = run_backend(k, children);
		double sum = ours.install + ours.remove;

		first = first > 0 ? first : sum;
		printf("%8u children %9.1f %7.1f | %13.1f %7.1f | %6.2f | %6.2f\n", children, ours.install, ours.remove,
		       bare.install, bare.remove, sum / (bare.install + bare.remove), sum / first);
		fflush(stdout);
	}
	netlink_ops.stop(k);
	settings_free(settings);
	return 0;
}
