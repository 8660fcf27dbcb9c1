/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_TUN_H
#define USERLAND_TUN_H

#include <net/if.h>

#include "util/result.h"

/*
 * Makes a TUN device that lives as long as the descriptor (nonblocking), down. When `name` ends
 * in digits and is taken, the next free number is used. -1: err says what to do.
 */
int tun_open(const char *name, char ret_name[IFNAMSIZ], struct errtext *err);
/* Whether a TUN device could be made; err says why not. */
bool tun_probe(struct errtext *err);
/* No router solicitations, no autoconfiguration. A system without IPv6 has nothing to set. */
void tun_quiet_ipv6(const char *name);

#endif
