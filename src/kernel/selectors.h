/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_SELECTORS_H
#define BEWICK_KERNEL_SELECTORS_H

#include <linux/xfrm.h>

#include "proto/ts.h"

/*
 * Traffic selectors as Linux has them (XFRM): prefixes and masks, so that a range becomes several. Pure functions.
 */

/* Of one child; selectors come from the peer, and each pair is three policies. */
#define SELECTORS_MAX 1024

struct selectors {
	struct xfrm_selector *list; /* of outbound packets: from local to remote. Owned */
	size_t n;
};

/* Every pair of a local and a remote selector that fit together. False: none do, or err says what the kernel cannot match. */
EXPORT MUST_CHECK bool selectors_make(struct ts_list local, struct ts_list remote, const char *name, struct selectors *ret,
				      struct errtext *err);
EXPORT void selectors_free(struct selectors *s);
/* The smallest prefixes and the protocol that all of them are within. False: of two families. */
EXPORT MUST_CHECK bool selectors_cover(struct ts_list local, struct ts_list remote, struct xfrm_selector *ret);
EXPORT struct xfrm_selector selector_reverse(const struct xfrm_selector *s);
/* As one address, protocol and ports that an event names. */
EXPORT struct ts selector_ts(const struct xfrm_selector *s, bool src);

/* In the order of precedence among equal selectors. */
enum policy_class { POLICY_CLASS_SHUNT, POLICY_CLASS_SA, POLICY_CLASS_TRAP, POLICY_CLASS_TRANSIT };

/*
 * The kernel takes the lowest. Narrower comes first: longer prefixes (their sum), a device, a protocol and ports; then the
 * class. Values begin at 200000: explicit ones below come before all of them, and from PRIORITY_LAST on behind.
 */
#define PRIORITY_FIRST 200000u
#define PRIORITY_LAST 500000u
EXPORT uint32_t selector_priority(const struct xfrm_selector *s, enum policy_class class);

#endif
