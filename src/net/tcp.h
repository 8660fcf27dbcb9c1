/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_TCP_H
#define BEWICK_NET_TCP_H

#include "util/addr.h"
#include "util/bytes.h"

/*
 * IKE and ESP over TCP (RFC 9329). One thread owns all streams: it accepts, connects, cuts what comes into messages and writes
 * what is to go out. All others name a stream by its number, which is part of the peer's address (struct addr), and send mail;
 * a number that is not used any more leads nowhere. Numbers are not used again.
 *
 * A stream that was accepted ends with its connection: the peer opens another, which gets another number. A stream that we opened
 * is one number for as long as it is used: its connection is made again when it breaks (RFC 9329, 6.1).
 */
struct tcp;

/* What comes in; called on the thread of the streams. */
struct tcp_packet {
	uint8_t *p; /* changed in place */
	size_t n;
};
struct tcp_user {
	void *arg;
	/* One IKE message, without the marker; borrowed. False: too much waits already, it was dropped. */
	bool (*ike)(void *arg, const struct addr *local, const struct addr *remote, struct bytes message);
	/* ESP, in order; borrowed. How many were good. */
	size_t (*esp)(void *arg, const struct addr *local, const struct addr *remote, const struct tcp_packet *list, size_t n);
	/* The connection of a stream that we opened has been made anew, or not at the first try, from `local`: what was sent before is lost. owner: of the last tcp_hold. */
	void (*reopened)(void *arg, uint64_t owner, uint32_t stream, const struct addr *local);
};

struct tcp_options {
	uint16_t port; /* to listen on, 0: nobody can connect to us */
	bool ipv4, ipv6;
	uint32_t mark;
	bool bypass; /* as of net_options */
	unsigned max_message; /* bytes, of a stream without an SA */
};

/* Opens the listening sockets. Start-up thread. On failure err is a sentence for the administrator. */
EXPORT MUST_CHECK struct result tcp_new(const struct tcp_options *options, struct tcp **ret_tcp, struct errtext *err);
/* The thread. user is copied. */
EXPORT MUST_CHECK bool tcp_start(struct tcp *tcp, const struct tcp_user *user, struct errtext *err);
/* Writes what can be written at once, closes all streams, ends the thread. */
EXPORT void tcp_stop(struct tcp *tcp);
EXPORT void tcp_free(struct tcp *tcp);

EXPORT uint16_t tcp_port(const struct tcp *tcp); /* as bound, 0: none */

/* ---- any thread ---- */

/*
 * A new stream to remote (address and port). `local`: our address, or none for what the routes say; it gets the port, and the
 * address if bound is false and it had none. bound: the connection is only ever made from that address. False: errno.
 */
EXPORT MUST_CHECK bool tcp_connect(struct tcp *tcp, struct addr *local, bool bound, const struct addr *remote, uint32_t *ret_stream);
/* An SA uses the stream, or no longer. One that nobody uses is closed after a while, one that nobody uses any more soon.
 * owner: whom tcp_user.reopened is about. */
EXPORT void tcp_hold(struct tcp *tcp, uint32_t stream, uint64_t owner);
EXPORT void tcp_release(struct tcp *tcp, uint32_t stream);
/* The connection is made anew, because it leads nowhere any more. */
EXPORT void tcp_reconnect(struct tcp *tcp, uint32_t stream);
/* Copies. What cannot be sent is dropped and counted. */
EXPORT void tcp_send_ike(struct tcp *tcp, uint32_t stream, struct bytes message);
/* How many of them were taken: all or, if too much waits already, none. */
EXPORT size_t tcp_send_esp(struct tcp *tcp, uint32_t stream, const struct bytes *packets, size_t n);

struct tcp_counters {
	uint64_t accepted, refused, connected, broken; /* connections */
	uint64_t streams;                              /* there are now */
	uint64_t ike_in, ike_out, esp_in, esp_out;     /* messages */
	uint64_t dropped_in, dropped_out;
};
EXPORT struct tcp_counters tcp_counters(const struct tcp *tcp);

#endif
