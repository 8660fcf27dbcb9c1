/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_ICMP_H
#define USERLAND_ICMP_H

#include "flow.h"

/*
 * Turns an inner packet that is too large for the path into the answer its sender needs: ICMP
 * "fragmentation needed" (RFC 1191) or ICMPv6 "packet too big" (RFC 4443, 3.2). Made around the
 * packet: PACKET_HEADROOM bytes in front are used. It comes from the packet's destination: an address
 * of our own would be a martian to the system that gets it from its own device. Empty: no answer
 * may be given (ICMP errors, fragments, multicast: RFC 1122, 3.2.2; RFC 4443, 2.4).
 */
struct bytes icmp_too_big(uint8_t *packet, const struct flow *f, size_t mtu);

#endif
