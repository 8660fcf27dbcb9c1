/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_SOCKET_H
#define BEWICK_NET_SOCKET_H

#include "util/addr.h"

struct net_options;

/* Whether the system knows this address family at all. */
bool socket_family_works(int family);

/*
 * Finds out whether a port is free by binding to it without SO_REUSEPORT, for a moment. port 0: any
 * free one. Gives the port. False: errno.
 */
MUST_CHECK bool socket_probe(int family, uint16_t port, uint16_t *ret_port);

/* A UDP socket with our options, bound to the wildcard address in the SO_REUSEPORT group of `port`;
 * -1: errno, and *ret_step names what failed. */
MUST_CHECK int socket_open(int family, uint16_t port, const struct net_options *options,
			   const char **ret_step);

/* Source address for a destination; its port is 0. False: errno. */
MUST_CHECK bool socket_source(const struct addr *remote, uint32_t mark, struct addr *ret_local);
/* The link that packets with this source leave by; false: none (route.c). */
MUST_CHECK bool route_link(const struct addr *local, const struct addr *remote, uint32_t mark, unsigned *ret_ifindex);

#endif
