/* SPDX-License-Identifier: Apache-2.0 */
#include "net/net.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/net_worker.h"
#include "net/socket.h"
#include "net/tcp.h"
#include "proto/iana.h"
#include "util/log.h"
#include "util/mem.h"

/* Random ports tried until one is free in both families. */
#define PORT_TRIES 32

enum { V4, V6, FAMILIES };

static const int family_of[FAMILIES] = { AF_INET, AF_INET6 };
static const char *const udp_name[FAMILIES] = { "udp4", "udp6" };

struct net {
	struct net_options options; /* the ports as bound, the families that work */
	struct steer steer;
	struct tcp *tcp;
	bool has[FAMILIES];
	struct net_worker **workers;
	int *esp_fds[FAMILIES];
};

struct net_options net_options_default(void)
{
	return (struct net_options){
		.port = IKE_PORT,
		.port_nat_t = IKE_NATT_PORT,
		.workers = 1,
		.ipv4 = true,
		.ipv6 = true,
		.steer = true,
		.rcvbuf = 8 << 20,
		.max_packet = 10000,
	};
}

static const char *net_options_fault(const struct net_options *o)
{
	if (o->workers < 1 || o->workers > NET_MAX_WORKERS)
		return "the number of workers is out of range";
	if (o->esp_sockets > NET_MAX_ESP_SOCKETS)
		return "there are too many ESP sockets";
	if (o->esp_sockets && !o->steer)
		return "ESP in user space needs steering";
	if (o->port && o->port == o->port_nat_t)
		return "port and port_nat_t are the same";
	if (o->max_packet < IKE_HEADER_LEN + NATT_MARKER_LEN || o->max_packet > 65535)
		return "max_packet is out of range";
	if (o->tcp_port && !o->tcp)
		return "the IPsec backend cannot carry ESP in TCP, so there is nothing to listen for on a TCP port (tcp_port)";
	if (o->rcvbuf < 0)
		return "the receive buffer size is negative";
	if (!o->ipv4 && !o->ipv6)
		return "both IPv4 and IPv6 are off";
	return NULL;
}

/* ---- opening ---- */

struct opening {
	struct net *net;
	struct errtext *err;
};

static struct result open_fail(struct errtext *err, int family, uint16_t port, bool natt,
			       const char *step)
{
	if (errno == EADDRINUSE)
		errtext_set(
			err,
			"UDP port %u is in use by another program (%s); stop it or set bewickd.%s",
			port, udp_name[family], natt ? "port_nat_t" : "port");
	else if (errno == EACCES && port && port < 1024)
		errtext_set(err,
			    "may not bind UDP port %u (%s): ports below 1024 need root or "
			    "CAP_NET_BIND_SERVICE",
			    port, udp_name[family]);
	else
		errtext_set(err, "cannot open UDP port %u (%s): %s: %s", port, udp_name[family],
			    step, strerror(errno));
	return result_fail(RESULT_SYSTEM, "a UDP port cannot be opened");
}

static struct result open_families(const struct opening *op)
{
	struct net_options *o = &op->net->options;
	bool want[FAMILIES] = { o->ipv4, o->ipv6 };
	bool any = false;

	for (int f = 0; f < FAMILIES; f++) {
		op->net->has[f] = want[f] && socket_family_works(family_of[f]);
		any |= op->net->has[f];
		if (want[f] && !op->net->has[f])
			LOG(NET, 1, "this system has no IPv%c: not listening on it",
			    f == V4 ? '4' : '6');
	}
	if (any)
		return result_ok();
	errtext_set(op->err, "this system has no %s",
		    o->ipv4 && o->ipv6 ? "IPv4 and no IPv6"
		    : o->ipv4	       ? "IPv4"
				       : "IPv6");
	return result_fail(RESULT_SYSTEM, "no address family works");
}

/* The same number in both families. On failure *ret_family is the one to blame, errno says why. */
static bool open_find_port(const struct net *net, uint16_t port, uint16_t avoid, uint16_t *ret_port,
			   int *ret_family)
{
	for (int f = 0; f < FAMILIES; f++) {
		*ret_family = f;
		if (net->has[f] && !socket_probe(family_of[f], port, &port))
			return false;
	}
	if (port == avoid) {
		errno = EADDRINUSE;
		return false;
	}
	*ret_port = port;
	return true;
}

static struct result open_choose_port(const struct opening *op, bool natt, uint16_t avoid,
				      uint16_t *port)
{
	int tries = *port ? 1 : PORT_TRIES;
	int family = V4;

	while (tries-- > 0) {
		if (open_find_port(op->net, *port, avoid, port, &family))
			return result_ok();
		if (errno != EADDRINUSE)
			break;
	}
	return open_fail(op->err, family, *port, natt, "bind");
}

static struct result open_steer(const struct opening *op, int family, bool natt, int fd)
{
	const struct net_options *o = &op->net->options;
	uint16_t port = natt ? o->port_nat_t : o->port;

	if (steer_attach(&op->net->steer, natt, fd))
		return result_ok();
	/* ESP that reaches a worker is lost: better none than half of it */
	if (natt && o->esp_sockets)
		return open_fail(op->err, family, port, natt,
				 "SO_ATTACH_REUSEPORT_CBPF, which ESP in user space needs");
	LOG(NET, 1,
	    "cannot steer packets of port %u (%s) in the kernel, workers will pass them on: %s",
	    port, udp_name[family], strerror(errno));
	return result_ok();
}

/* Opens one group in the order that the BPF program counts in: workers, then ESP. */
static struct result open_group(const struct opening *op, int family, bool natt)
{
	struct net *net = op->net;
	const struct net_options *o = &net->options;
	struct net_options esp = *o; /* each packet would pay for a policy: the backend says when there are some */
	enum net_sock sock = net_sock_of(family == V6, natt);
	uint16_t port = natt ? o->port_nat_t : o->port;
	unsigned total = o->workers + (natt ? o->esp_sockets : 0);

	esp.bypass = false;
	for (unsigned i = 0; i < total; i++) {
		const char *step = NULL;
		int fd = socket_open(family_of[family], port, i < o->workers ? o : &esp, &step);

		if (fd < 0)
			return open_fail(op->err, family, port, natt, step);
		if (i < o->workers) {
			net->workers[i]->fds[sock] = fd;
			net->workers[i]->ports[sock] = port;
		} else {
			net->esp_fds[family][i - o->workers] = fd;
		}
	}
	if (!o->steer || total < 2)
		return result_ok();
	return open_steer(op, family, natt, net->workers[0]->fds[sock]);
}

static struct result open_tcp(const struct opening *op)
{
	const struct net_options *o = &op->net->options;
	struct tcp_options tcp = { .port = o->tcp_port, .ipv4 = op->net->has[V4], .ipv6 = op->net->has[V6], .mark = o->mark,
				   .bypass = o->bypass, .max_message = o->max_packet };

	if (!o->tcp)
		return result_ok();
	TRY(tcp_new(&tcp, &op->net->tcp, op->err));
	for (unsigned i = 0; i < o->workers; i++)
		op->net->workers[i]->tcp = op->net->tcp;
	return result_ok();
}

static struct result open_all(const struct opening *op)
{
	struct net_options *o = &op->net->options;

	TRY(open_families(op));
	TRY(open_choose_port(op, false, o->port_nat_t, &o->port));
	TRY(open_choose_port(op, true, o->port, &o->port_nat_t));
	for (int f = 0; f < FAMILIES; f++) {
		if (!op->net->has[f])
			continue;
		TRY(open_group(op, f, false));
		TRY(open_group(op, f, true));
	}
	return open_tcp(op);
}

static struct net_worker *net_worker_new(unsigned index, unsigned max_packet)
{
	struct net_worker *w = xcalloc(1, sizeof(*w));

	w->index = index;
	for (int i = 0; i < NET_SOCKS; i++)
		w->fds[i] = -1;
	w->receiver = receiver_new(max_packet);
	w->sender = sender_new();
	w->log_limit = (struct ratelimit){ .per_second = 1, .burst = 10 };
	return w;
}

static void net_worker_free(struct net_worker *w)
{
	for (int i = 0; i < NET_SOCKS; i++) {
		if (w->fds[i] >= 0)
			close(w->fds[i]);
		send_queue_free(w->queues[i]);
	}
	receiver_free(w->receiver);
	sender_free(w->sender);
	free(w);
}

static struct net *net_new(const struct net_options *o)
{
	struct net *net = xcalloc(1, sizeof(*net));

	net->options = *o;
	net->steer = steer_init(o->workers, o->esp_sockets, o->steer_secret);
	net->workers = xcalloc(o->workers, sizeof(*net->workers));
	for (unsigned i = 0; i < o->workers; i++)
		net->workers[i] = net_worker_new(i, o->max_packet);
	for (int f = 0; f < FAMILIES; f++) {
		net->esp_fds[f] = xcalloc(o->esp_sockets, sizeof(int));
		for (unsigned i = 0; i < o->esp_sockets; i++)
			net->esp_fds[f][i] = -1;
	}
	return net;
}

struct result net_open(const struct net_options *options, struct net **ret_net, struct errtext *err)
{
	const char *fault = net_options_fault(options);
	struct opening op = { .err = err };
	struct result r;

	if (fault) {
		errtext_set(err, "%s", fault);
		return result_fail(RESULT_INVALID, fault);
	}
	op.net = net_new(options);
	r = open_all(&op);
	if (!result_is_ok(r)) {
		net_close(op.net);
		return r;
	}
	for (unsigned i = 0; i < options->workers; i++)
		op.net->workers[i]->port_nat_t = op.net->options.port_nat_t;
	LOG(NET, 1, "listening on UDP ports %u and %u for%s%s with %u workers", net_port(op.net),
	    net_port_nat_t(op.net), op.net->has[V4] ? " IPv4" : "", op.net->has[V6] ? " IPv6" : "",
	    options->workers);
	*ret_net = op.net;
	return r;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	tcp_free(net->tcp);
	for (unsigned i = 0; i < net->options.workers; i++)
		net_worker_free(net->workers[i]);
	for (int f = 0; f < FAMILIES; f++) {
		for (unsigned i = 0; i < net->options.esp_sockets; i++)
			if (net->esp_fds[f][i] >= 0)
				close(net->esp_fds[f][i]);
		free(net->esp_fds[f]);
	}
	free(net->workers);
	free(net);
}

/* ---- looking ---- */

uint16_t net_port(const struct net *net)
{
	return net->options.port;
}

uint16_t net_port_nat_t(const struct net *net)
{
	return net->options.port_nat_t;
}

bool net_has_family(const struct net *net, int family)
{
	return (family == AF_INET && net->has[V4]) || (family == AF_INET6 && net->has[V6]);
}

const struct steer *net_steer(const struct net *net)
{
	return &net->steer;
}

struct tcp *net_tcp(const struct net *net)
{
	return net ? net->tcp : NULL;
}

struct net_worker *net_worker(struct net *net, unsigned index)
{
	return index < net->options.workers ? net->workers[index] : NULL;
}

int net_esp_fd(const struct net *net, int family, unsigned index)
{
	if (!net_has_family(net, family) || index >= net->options.esp_sockets)
		return -1;
	return net->esp_fds[family == AF_INET ? V4 : V6][index];
}

void net_worker_fds(const struct net_worker *w, int ret_fds[NET_SOCKS])
{
	memcpy(ret_fds, w->fds, sizeof(w->fds));
}

const struct net_counters *net_worker_counters(const struct net_worker *w)
{
	return &w->counters;
}

struct result net_source_address(const struct net *net, const struct addr *remote,
				 struct addr *ret_local)
{
	return socket_source(remote, net->options.mark, ret_local)
		       ? result_ok()
		       : result_fail(RESULT_SYSTEM, "no route to the remote address");
}

struct result net_route(const struct net *net, const struct addr *local, const struct addr *remote, unsigned *ret_ifindex)
{
	return local->family == remote->family && route_link(local, remote, net->options.mark, ret_ifindex)
		       ? result_ok()
		       : result_fail(RESULT_SYSTEM, "no route to the remote address");
}
