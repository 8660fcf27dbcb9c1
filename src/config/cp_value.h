/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CP_VALUE_H
#define BEWICK_CONFIG_CP_VALUE_H

#include "proto/limits.h"
#include "util/bytes.h"

/* A configuration attribute (RFC 7296, 3.15.1) as settings and pools write it. */
struct cp_value {
	uint16_t type;
	uint8_t n;
	uint8_t data[LIMIT_CP_VALUE];
};

/*
 * key: "dns", "nbns", "dhcp", "address", "netmask", "server", "subnet", "p_cscf", "split_include", "split_exclude" (with '-' as well)
 * with an address, or for the subnets a CIDR, whose family selects the type; or the number of a type, with an address or any text.
 */
EXPORT bool cp_key_is_known(const char *key);
EXPORT MUST_CHECK bool cp_value_parse(const char *key, struct bytes text, struct cp_value *ret);

#endif
