/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_PSK_INDEX_H
#define BEWICK_CONFIG_PSK_INDEX_H

#include "config/store.h"

/* Finds pre-shared keys by their owners. Borrows the secrets. Immutable once made: any thread. */
struct psk_index;

struct psk_index *psk_index_new(struct shared_secret *const *secrets, size_t n);
void psk_index_free(struct psk_index *x);
/* As config_find_psk. */
const struct shared_secret *psk_index_find(const struct psk_index *x, const struct id *local, const struct id *remote);

#endif
