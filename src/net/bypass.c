/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/net.h"

#ifndef IP_XFRM_POLICY
#define IP_XFRM_POLICY 17
#endif
#ifndef IPV6_XFRM_POLICY
#define IPV6_XFRM_POLICY 35
#endif

static bool bypass_direction(int fd, int family, uint8_t dir)
{
	struct xfrm_userpolicy_info p = { .dir = dir, .action = XFRM_POLICY_ALLOW };

	p.sel.family = (uint16_t)family;
	p.lft.soft_byte_limit = p.lft.hard_byte_limit = XFRM_INF;
	p.lft.soft_packet_limit = p.lft.hard_packet_limit = XFRM_INF;
	return setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			  family == AF_INET ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &p, sizeof(p)) == 0;
}

bool net_bypass_policies(int fd, int family)
{
	return bypass_direction(fd, family, XFRM_POLICY_OUT) && bypass_direction(fd, family, XFRM_POLICY_IN);
}
