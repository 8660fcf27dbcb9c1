/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_RTNL_MESSAGE_H
#define BEWICK_KERNEL_RTNL_MESSAGE_H

#include <libmnl/libmnl.h>

#include "kernel/rtnl.h"

/* How rtnetlink requests are made and answers read; for rtnl*.c and for backends with requests of their own. */

#define RTNL_REQUEST 512
#define RTNL_BUFFER 32768

struct rtnl_request {
	union {
		struct nlmsghdr hdr;
		uint8_t bytes[RTNL_REQUEST];
	};
};

EXPORT struct nlmsghdr *rtnl_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags);
/* Sends, and reads until the acknowledgement or the end of a dump. */
EXPORT int rtnl_talk(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t fn, void *arg);
EXPORT void rtnl_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a);

#define RTNL_ATTRS 64

struct rtnl_attrs {
	const struct nlattr *a[RTNL_ATTRS];
};

EXPORT int rtnl_attr_cb(const struct nlattr *attr, void *arg); /* for mnl_attr_parse, arg is a struct rtnl_attrs */
EXPORT uint32_t rtnl_attr_u32(const struct rtnl_attrs *t, unsigned type, uint32_t otherwise);
EXPORT struct addr rtnl_get_addr(uint8_t family, const struct nlattr *a); /* none if it is no such address */

#endif
