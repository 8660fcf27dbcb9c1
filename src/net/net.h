/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_NET_H
#define BEWICK_NET_NET_H

#include "net/steer.h"
#include "util/addr.h"
#include "util/bytes.h"

/*
 * The UDP sockets of IKE. Per address family and port there is one SO_REUSEPORT group: the
 * sockets of the workers and, on the NAT-T port behind them, those of the data plane for ESP in
 * UDP. A BPF program in the kernel gives each packet to the worker that owns the SPI in it
 * (net/steer.h); what it gets wrong is the receiving worker's to pass on.
 *
 * struct net is immutable between net_open and net_close. A net_worker belongs to one thread: it
 * has sockets, buffers, queues and counters of its own and no locks.
 */
struct net;
struct net_worker;
struct tcp;

#define NET_MAX_WORKERS 256
#define NET_MAX_ESP_SOCKETS 256

struct net_options {
	uint16_t port; /* 0: a random one, the same for both families */
	uint16_t port_nat_t; /* as above; never equal to `port` unless both are 0 */
	unsigned workers; /* 1 to NET_MAX_WORKERS */
	unsigned esp_sockets; /* per family, for ESP in user space; 0: the kernel has ESP */
	bool udp_encap;	      /* ESP that comes to the NAT-T port is the kernel's */
	bool bypass;	      /* IKE passes whatever the kernel's IPsec policies say; best effort without udp_encap */
	bool ipv4, ipv6;
	bool steer;	       /* attach the BPF program; needed with esp_sockets */
	uint32_t mark;	       /* SO_MARK of all packets sent, 0: none */
	int rcvbuf;	       /* bytes, beyond net.core.rmem_max where we may; 0: the system's */
	unsigned max_packet;   /* largest UDP payload received, bytes; larger ones are dropped */
	bool tcp;	       /* the IPsec backend carries ESP in TCP: streams can be opened */
	uint16_t tcp_port;     /* to listen on for them, 0: not */
	uint64_t steer_secret; /* drawn at boot, so that peers cannot aim at one worker */
};

/* Ports 500 and 4500, one worker, no ESP sockets, both families, steering, 8 MiB, 10,000 bytes. */
EXPORT struct net_options net_options_default(void);

/*
 * Opens and binds everything. A port that another program holds is refused, also when that program
 * set SO_REUSEPORT. A system without IPv6 is fine when ipv4 is on, and the reverse. On failure err
 * is a sentence for the administrator. Start-up thread; needs CAP_NET_BIND_SERVICE for ports below
 * 1024, CAP_NET_ADMIN for a mark and large buffers.
 */
EXPORT MUST_CHECK struct result net_open(const struct net_options *options, struct net **ret_net,
					 struct errtext *err);
EXPORT void net_close(struct net *net); /* after all users of its workers have ended */

EXPORT uint16_t net_port(const struct net *net); /* as bound, never 0 */
EXPORT uint16_t net_port_nat_t(const struct net *net);
EXPORT bool net_has_family(const struct net *net, int family);
EXPORT const struct steer *net_steer(const struct net *net);
EXPORT struct tcp *net_tcp(const struct net *net); /* borrowed; NULL: options.tcp was off */
EXPORT struct net_worker *net_worker(struct net *net, unsigned index); /* borrowed */
/* Socket for ESP on the NAT-T port: bound, nonblocking, PKTINFO on; borrowed. -1 without that
 * family. */
EXPORT int net_esp_fd(const struct net *net, int family, unsigned index);

/*
 * The source address the kernel would choose towards a destination, with port 0. RESULT_SYSTEM: no
 * route (errno tells). Any thread; a few system calls, nothing is sent.
 */
EXPORT MUST_CHECK struct result net_source_address(const struct net *net, const struct addr *remote,
						   struct addr *ret_local);

/*
 * The first address of an interface that is up, of the family of `remote`, that `fits` says yes to; link-local ones only on the
 * interface of a link-local `remote`. Port 0. Any thread; a few system calls.
 */
EXPORT bool net_own_address(const struct addr *remote, bool (*fits)(const void *arg, const struct addr *a), const void *arg,
			    struct addr *ret_local);
/* Which link packets from `local` to `remote` leave by. RESULT_SYSTEM: no route, or the address is not ours. As above. */
EXPORT MUST_CHECK struct result net_route(const struct net *net, const struct addr *local, const struct addr *remote,
					  unsigned *ret_ifindex);
/* Packets of this socket pass in clear whatever the kernel's IPsec policies say. Needs CAP_NET_ADMIN; false: errno. */
EXPORT MUST_CHECK bool net_bypass_policies(int fd, int family);

/* ---- one worker's side: its thread only ---- */

/* Places of a worker's sockets, always the same; also bits of net_flush's answer. */
enum net_sock { NET_SOCK_V4, NET_SOCK_V4_NATT, NET_SOCK_V6, NET_SOCK_V6_NATT, NET_SOCKS };

/* To watch for EPOLLIN, -1 where the family is missing. Borrowed. */
EXPORT void net_worker_fds(const struct net_worker *w, int ret_fds[NET_SOCKS]);

/* One IKE message as it came. `data` is without the non-ESP marker, at least IKE_HEADER_LEN bytes,
 * and borrowed until the next net_receive of this worker. */
struct datagram {
	struct addr local;  /* address and port it was sent to */
	struct addr remote; /* where it came from, port never 0 */
	struct bytes data;
	bool natt; /* came to the NAT-T port */
};

/*
 * Reads up to NET_BATCH datagrams from one socket and gives those that may be IKE. Never blocks
 * and never fails: pending socket errors (ICMP) are cleared. Less than all may have been read:
 * epoll says so again. Dropped and counted: runts, NAT keepalives, ESP, packets larger than
 * max_packet, packets to multicast or broadcast and from port 0, which cannot be answered.
 */
#define NET_BATCH 64
EXPORT size_t net_receive(struct net_worker *w, enum net_sock sock,
			  const struct datagram **ret_list);

/*
 * Queues one IKE message; data is copied. To a remote with a stream it goes there (net/tcp.h), else in UDP. local->port chooses the socket (port_nat_t adds the
 * non-ESP marker, anything else means `port`); its address becomes the source unless it is none or
 * any. Sent at the latest by net_flush. What cannot be sent is dropped, counted, and logged within
 * limits: IKE retransmits.
 */
EXPORT void net_send(struct net_worker *w, const struct addr *local, const struct addr *remote,
		     struct bytes data);
/* Likewise, with these six bits in the traffic class (RFC 2474). */
EXPORT void net_send_dscp(struct net_worker *w, const struct addr *local, const struct addr *remote, unsigned dscp,
			  struct bytes data);
/* RFC 3948, 2.3: the one byte that keeps a NAT mapping alive. */
EXPORT void net_send_keepalive(struct net_worker *w, const struct addr *local,
			       const struct addr *remote);
/* Sends what is queued. Gives a bit (1u << enum net_sock) for each socket whose buffer is full:
 * watch it for EPOLLOUT and call again then. At most NET_QUEUE messages wait per socket. */
#define NET_QUEUE 1024
EXPORT unsigned net_flush(struct net_worker *w);

struct net_counters {
	uint64_t received; /* given to the caller */
	uint64_t received_bytes;
	uint64_t keepalives; /* 0xff */
	uint64_t drop_runt;
	uint64_t drop_esp;
	uint64_t drop_large;	    /* beyond max_packet */
	uint64_t drop_unanswerable; /* multicast, broadcast, port 0 */
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t send_errors;  /* refused by the kernel */
	uint64_t send_dropped; /* queue full, or no such socket */
};
EXPORT const struct net_counters *net_worker_counters(const struct net_worker *w); /* borrowed */

#endif
