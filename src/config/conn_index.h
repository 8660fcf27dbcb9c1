/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CONN_INDEX_H
#define BEWICK_CONFIG_CONN_INDEX_H

#include "config/conn_class.h"

/*
 * Finds connections by name and by the addresses of a packet. Borrows the connections. Immutable
 * once made: any thread.
 */
struct conn_index;

struct conn_index *conn_index_new(struct conn *const *conns, size_t n);
void conn_index_free(struct conn_index *x);
const struct conn *conn_index_name(const struct conn_index *x, const char *name);
/* As config_match_addrs, of those that pass the filter. */
const struct conn *conn_index_match(const struct conn_index *x, const struct addr *local, const struct addr *remote,
				    const struct conn_filter *filter, size_t rank);

#endif
