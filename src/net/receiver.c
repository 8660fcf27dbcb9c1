/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/net_worker.h"
#include "proto/iana.h"
#include "util/mem.h"
#include "util/reader.h"

/* Failed reads cleared per call: each takes one pending error from the socket. */
#define RECEIVER_RETRIES 8

#define NATT_KEEPALIVE 0xff /* RFC 3948, 2.3 */

union receiver_control {
	struct cmsghdr align;
	char b[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct receiver {
	size_t stride;
	uint8_t *slab; /* NET_BATCH * stride */
	struct mmsghdr msgs[NET_BATCH];
	struct iovec iovs[NET_BATCH];
	struct sockaddr_storage names[NET_BATCH];
	union receiver_control controls[NET_BATCH];
	struct datagram list[NET_BATCH];
};

struct receiver *receiver_new(unsigned max_packet)
{
	struct receiver *r = xcalloc(1, sizeof(*r));

	/* pages that no packet reaches stay untouched, so a large limit costs nothing */
	r->stride = ((size_t)max_packet + 63) & ~(size_t)63;
	r->slab = xmalloc(NET_BATCH * r->stride);
	for (size_t i = 0; i < NET_BATCH; i++)
		r->iovs[i] = (struct iovec){ r->slab + i * r->stride, max_packet };
	return r;
}

void receiver_free(struct receiver *r)
{
	if (!r)
		return;
	free(r->slab);
	free(r);
}

/* The kernel shortens lengths in what it is given: set all before each read. */
static void receiver_prepare(struct receiver *r)
{
	for (size_t i = 0; i < NET_BATCH; i++)
		r->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &r->names[i],
			.msg_namelen = sizeof(r->names[i]),
			.msg_iov = &r->iovs[i],
			.msg_iovlen = 1,
			.msg_control = r->controls[i].b,
			.msg_controllen = sizeof(r->controls[i].b),
		};
}

static bool receiver_local_v4(const struct cmsghdr *c, struct addr *ret_local)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (IN_MULTICAST(ntohl(info.ipi_addr.s_addr)))
		return false;
	/* for a broadcast they differ; 0: the kernel no longer knew the route */
	if (info.ipi_spec_dst.s_addr && info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr)
		return false;
	*ret_local = addr_from_ip(AF_INET, (const uint8_t *)&info.ipi_addr);
	return true;
}

static bool receiver_local_v6(const struct cmsghdr *c, struct addr *ret_local)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
		return false;
	*ret_local = addr_from_ip(AF_INET6, info.ipi6_addr.s6_addr);
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		ret_local->scope = info.ipi6_ifindex;
	return true;
}

static bool receiver_local(struct msghdr *h, struct addr *ret_local)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			return receiver_local_v4(c, ret_local);
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			return receiver_local_v6(c, ret_local);
	}
	return false;
}

/* Whether this may be an IKE message; cuts the marker off. */
static bool receiver_accept_data(struct net_worker *w, bool natt, struct bytes *data)
{
	struct reader r = reader_of(*data);
	uint32_t marker;

	if (data->n == 1 && data->p[0] == NATT_KEEPALIVE) {
		w->counters.keepalives++;
		return false;
	}
	if (natt) {
		marker = reader_u32(&r);
		if (reader_ok(&r) && marker != 0) {
			w->counters.drop_esp++;
			return false;
		}
	}
	*data = reader_rest(&r);
	if (data->n < IKE_HEADER_LEN) {
		w->counters.drop_runt++;
		return false;
	}
	return true;
}

static bool receiver_accept(struct net_worker *w, enum net_sock sock, struct mmsghdr *m,
			    struct datagram *d)
{
	struct msghdr *h = &m->msg_hdr;

	if (h->msg_flags & MSG_TRUNC) {
		w->counters.drop_large++;
		return false;
	}
	d->natt = net_sock_is_natt(sock);
	d->data = bytes_of(h->msg_iov->iov_base, m->msg_len);
	if (!receiver_accept_data(w, d->natt, &d->data))
		return false;
	if (!addr_from_sockaddr(h->msg_name, &d->remote) || d->remote.port == 0 ||
	    !receiver_local(h, &d->local)) {
		w->counters.drop_unanswerable++;
		return false;
	}
	d->local.port = w->ports[sock];
	w->counters.received++;
	w->counters.received_bytes += d->data.n;
	return true;
}

size_t net_receive(struct net_worker *w, enum net_sock sock, const struct datagram **ret_list)
{
	struct receiver *r = w->receiver;
	size_t count = 0;
	int n = -1;

	*ret_list = r->list;
	if (w->fds[sock] < 0)
		return 0;
	for (int tries = 0; n < 0 && tries < RECEIVER_RETRIES; tries++) {
		receiver_prepare(r);
		n = recvmmsg(w->fds[sock], r->msgs, NET_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0 && errno == EAGAIN)
			return 0;
	}
	for (int i = 0; i < n; i++)
		if (receiver_accept(w, sock, &r->msgs[i], &r->list[count]))
			count++;
	return count;
}
