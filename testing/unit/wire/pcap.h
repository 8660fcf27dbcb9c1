/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_PCAP_H
#define BEWICK_TEST_PCAP_H

#include "util/bytes.h"

/*
 * Reads pcap and pcapng captures for tests: Ethernet (with VLAN tags), raw IP, loopback and Linux
 * cooked frames; IPv4 and IPv6; UDP from or to port 500 or 4500. Of IP fragments only the first is seen.
 */
struct pcap_udp {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	bool cut;             /* a first fragment, or not captured whole */
	struct bytes payload; /* of UDP */
	struct bytes ike;     /* without the non-ESP marker (RFC 3948, 2.2); empty for ESP and keepalives */
};

typedef void pcap_fn(void *arg, const struct pcap_udp *udp);

/* Calls fn for each datagram; their number, or -1 if the file can't be read or is no capture. */
long pcap_each(const char *path, pcap_fn *fn, void *arg);

/* The whole file into out; false if it can't be read. */
bool file_read(const char *path, struct buf *out);

#endif
