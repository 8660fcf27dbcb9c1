/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_PROBE_H
#define KERNEL_NETLINK_PROBE_H

#include "util/result.h"

struct settings;

/* Whether this kernel has what the backend needs; err says what is missing. Start-up thread. */
bool netlink_probe(const struct settings *settings, struct errtext *err);

#endif
