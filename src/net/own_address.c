/* SPDX-License-Identifier: Apache-2.0 */
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "net/net.h"

static bool own_address_of(const struct ifaddrs *ifa, struct addr *ret)
{
	struct sockaddr_storage ss = { 0 };

	if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP))
		return false;
	if (ifa->ifa_addr->sa_family == AF_INET)
		memcpy(&ss, ifa->ifa_addr, sizeof(struct sockaddr_in));
	else if (ifa->ifa_addr->sa_family == AF_INET6)
		memcpy(&ss, ifa->ifa_addr, sizeof(struct sockaddr_in6));
	else
		return false;
	return addr_from_sockaddr(&ss, ret);
}

bool net_own_address(const struct addr *remote, bool (*fits)(const void *arg, const struct addr *a), const void *arg,
		     struct addr *ret_local)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *ifa = list; ifa && !found; ifa = ifa->ifa_next) {
		struct addr a;

		if (!own_address_of(ifa, &a) || a.family != remote->family || a.scope != remote->scope || !fits(arg, &a))
			continue;
		a.port = 0;
		*ret_local = a;
		found = true;
	}
	freeifaddrs(list);
	return found;
}
