/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_STEER_H
#define BEWICK_NET_STEER_H

#include <stddef.h>
#include <stdint.h>

#include "util/addr.h"
#include "util/result.h"

/*
 * Who owns an SPI: 32-bit arithmetic with wraparound over its low half, mixed with a secret, that
 * a classic BPF program computes as well. The top byte of our own IKE SPIs is a segment number and
 * plays no part. Values only; any thread.
 */
struct steer {
	uint32_t workers;     /* at least 1 */
	uint32_t esp_sockets; /* behind the workers' in the group of the NAT-T port */
	uint32_t whiten;      /* secret */
	uint32_t mul1, mul2;  /* secret, odd */
};

EXPORT struct steer steer_init(unsigned workers, unsigned esp_sockets, uint64_t secret);
/* Worker that owns the IKE_SA with this SPI of ours (or, for an IKE_SA_INIT request, of the
 * initiator). */
EXPORT unsigned steer_owner(const struct steer *s, uint64_t spi);
/*
 * Worker a packet belongs to, by the header's fields (spi_i, spi_r as numbers, flags: IKE_FLAG_*).
 * Ours is the responder's SPI if the sender is the original initiator, else the initiator's; while
 * there is none of the responder's yet, the initiator's stands in.
 */
EXPORT unsigned steer_packet_owner(const struct steer *s, uint64_t spi_i, uint64_t spi_r,
				   uint8_t flags);
/*
 * Which of the esp_sockets gets ESP from this peer; 0 if there are none. Not by SPI: the kernel may put packets of one peer together
 * (UDP_GRO) without a look into them, and those of one SA have to keep their order.
 */
EXPORT unsigned steer_esp_socket(const struct steer *s, const struct addr *remote);

typedef void steer_random_fn(void *arg, void *out, size_t n);
/* A random SPI, never 0, with `segment` as top byte and owned by `worker` (< workers). Draws about
 * `workers` times. */
EXPORT uint64_t steer_make_spi(const struct steer *s, unsigned worker, uint8_t segment,
			       steer_random_fn *random, void *arg);

/* The same arithmetic as a BPF program. */
struct sock_filter;
#define STEER_PROGRAM_MAX 64
/* Fills code[STEER_PROGRAM_MAX]; returns the number of instructions. natt: for the port with
 * non-ESP markers and ESP. */
EXPORT size_t steer_program(const struct steer *s, bool natt, struct sock_filter *code);
/* Attaches it to the SO_REUSEPORT group that fd is bound in. False: errno. */
EXPORT MUST_CHECK bool steer_attach(const struct steer *s, bool natt, int fd);

#endif
