/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_NETLINK_H
#define BEWICK_TEST_NETLINK_H

#include <check.h>

#include "fake.h"
#include "internal.h"
#include "sa.h"

TCase *tcase_engine(void);
TCase *tcase_txn(void);
TCase *tcase_message(void);
TCase *tcase_backend(void);
TCase *tcase_move(void);
TCase *tcase_selectors(void);
TCase *tcase_policies(void);
TCase *tcase_resync(void);

/* ---- a backend over a fake kernel, without a thread (bench.c) ---- */
struct bench {
	struct fake_kernel *fake;
	struct kernel *k;
	struct settings *settings;
	struct kernel_event events[64];
	unsigned n_events;
	/* the last `done` */
	unsigned done;
	enum kernel_status status;
	struct errtext err;
};

void bench_open(struct bench *b, struct fake_kernel *fake); /* fake NULL: a new one */
void bench_open_with(struct bench *b, struct fake_kernel *fake, const char *settings);
void bench_close(struct bench *b);                          /* the fake is freed */
void bench_turn(struct bench *b);
struct kernel_done bench_done(struct bench *b);
/* A tunnel with AES-GCM and recognisable keys, between 192.0.2.1 and 192.0.2.2. */
struct kernel_child bench_child(uint32_t spi_in, uint32_t spi_out);
struct kernel_handle *bench_install(struct bench *b, const struct kernel_child *c); /* and waits */

struct addr test_addr(const char *text, uint16_t port);
struct ts test_ts(const char *text);

#endif
