/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_PMTU_H
#define USERLAND_PMTU_H

#include "util/addr.h"
#include "util/hash.h"

/*
 * Path MTUs that a send with "do not fragment" ran into, kept for ten minutes (RFC 1191, 6.3). A
 * small direct-mapped cache of the outbound thread; the kernel has the truth.
 */
#define PMTU_CACHE_SIZE 256
#define PMTU_KEEP_MS 600000

struct pmtu_entry {
	struct addr remote;
	uint32_t mtu;
	uint64_t until_ms;
};

struct pmtu_cache {
	struct hash_key key;
	size_t known; /* 0: nothing was ever learned, the usual case */
	struct pmtu_entry entries[PMTU_CACHE_SIZE];
};

/* Bytes of the largest outer packet, or 0: not known. */
size_t pmtu_find(const struct pmtu_cache *c, const struct addr *remote, uint64_t now_ms);
void pmtu_keep(struct pmtu_cache *c, const struct addr *remote, size_t mtu, uint64_t now_ms);
/* Asks the kernel; 0 if it cannot say. A few system calls. mark: SO_MARK of the sending socket. */
size_t pmtu_ask(const struct addr *remote, uint32_t mark);

#endif
