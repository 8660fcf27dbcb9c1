/* SPDX-License-Identifier: Apache-2.0 */
#include "pmtu.h"

#include <unistd.h>

static size_t pmtu_slot(const struct pmtu_cache *c, const struct addr *remote)
{
	return hash_bytes(&c->key, bytes_of(remote->ip, addr_len(remote))) % PMTU_CACHE_SIZE;
}

size_t pmtu_find(const struct pmtu_cache *c, const struct addr *remote, uint64_t now_ms)
{
	const struct pmtu_entry *e;

	if (!c->known)
		return 0;
	e = &c->entries[pmtu_slot(c, remote)];
	return e->until_ms > now_ms && addr_equal_ip(&e->remote, remote) ? e->mtu : 0;
}

void pmtu_keep(struct pmtu_cache *c, const struct addr *remote, size_t mtu, uint64_t now_ms)
{
	c->entries[pmtu_slot(c, remote)] = (struct pmtu_entry){ *remote, (uint32_t)mtu, now_ms + PMTU_KEEP_MS };
	c->known++;
}

size_t pmtu_ask(const struct addr *remote, uint32_t mark)
{
	bool v4 = remote->family == AF_INET;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(remote, &ss);
	int mtu = 0, fd = socket(remote->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t mtu_len = sizeof(mtu);

	if (fd < 0)
		return 0;
	if ((mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) ||
	    connect(fd, (struct sockaddr *)&ss, len) < 0 ||
	    getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &mtu_len) < 0)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (size_t)mtu : 0;
}
