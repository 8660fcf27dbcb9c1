/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include <check.h>

#include "kernel/kernel.h"

TCase *tcase_registry(void);
TCase *tcase_spi_pool(void);
TCase *tcase_replay(void);
TCase *tcase_flow(void);
TCase *tcase_policy(void);
TCase *tcase_esp(void);
TCase *tcase_icmp(void);
TCase *tcase_route(void);
TCase *tcase_offload(void);
TCase *tcase_dataplane(void);
TCase *tcase_vip(void);
TCase *tcase_guard(void);
TCase *tcase_lanes(void);
TCase *tcase_pieces(void);
TCase *tcase_corpus(void);

/* Numbers that depend on the seed only. */
struct test_random {
	uint64_t state;
};
uint32_t test_random(struct test_random *r, uint32_t below);

/* The algorithms of the OpenSSL plugin in the build tree. */
const struct crypto_registry *test_crypto(void);
struct protect test_protect(unsigned encr, unsigned key_bits, unsigned integ, struct suite *ret_suite);

/* "10.0.0.0/24" or "10.0.0.1-10.0.0.9[udp/53]". */
struct ts test_ts(const char *text);
struct addr test_addr(const char *text, uint16_t port);

/* An inner packet with a good header and `n` bytes of payload behind ports; returns its length. */
size_t test_packet(uint8_t *out, const char *src, const char *dst, unsigned protocol, unsigned src_port,
		   unsigned dst_port, size_t n);
void test_checksum_v4(uint8_t *header);

#endif
