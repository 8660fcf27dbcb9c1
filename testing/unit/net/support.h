/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_UNIT_NET_SUPPORT_H
#define BEWICK_TESTING_UNIT_NET_SUPPORT_H

#include <check.h>

#include "net/net.h"

/* Random ports, 4 workers, small buffers, a fixed secret. */
struct net_options support_options(void);
struct net *support_open(const struct net_options *options); /* must succeed */
/* Whether to go on with this family: says so when it is missing. */
bool support_has_family(const struct net *net, int family);

struct addr support_addr(const char *ip, uint16_t port);
struct addr support_loopback(int family, uint16_t port); /* 127.0.0.1 or ::1 */
/* A plain UDP socket bound to `ip` and a free port; ret_addr is its name. */
int support_socket(const char *ip, struct addr *ret_addr);
void support_sendto(int fd, const struct addr *to, const void *p, size_t n);
/* The next packet, waiting for it; fails the test when none comes. */
size_t support_recv(int fd, void *p, size_t n, struct addr *ret_from);

/* 28 bytes (and the marker before them if natt) as of an IKE header; returns the number of bytes.
 */
#define SUPPORT_HEADER_MAX 32
size_t support_header(uint8_t *out, bool natt, uint64_t spi_i, uint64_t spi_r, uint8_t flags);

/* Waits until one of the sockets of all workers (or ESP sockets) can be read. Gives the index in
 * the group of the NAT-T port: ESP sockets count from `workers` on. */
unsigned support_wait(struct net *net, const struct net_options *options, enum net_sock *ret_sock);
/* Waits for a socket of one worker and receives from it. */
size_t support_receive(struct net_worker *w, enum net_sock sock, const struct datagram **ret_list);

/* Pseudo-random numbers from a state (xorshift). */
uint64_t support_random(uint64_t *state);
void support_random_bytes(void *state, void *out, size_t n); /* steer_random_fn */

TCase *test_steer(void);
TCase *test_open(void);
TCase *test_receive(void);
TCase *test_send(void);
TCase *test_tcp(void);
TCase *test_tcp_frame(void);
TCase *test_watch(void);

#endif
