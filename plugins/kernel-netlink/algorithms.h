/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_ALGORITHMS_H
#define KERNEL_NETLINK_ALGORITHMS_H

#include <stdint.h>

#include "util/result.h"

/* What the kernel's ESP knows of our transforms, by its own names. */
struct kernel_algorithm {
	uint16_t id;   /* enum encr_id or enum integ_id */
	uint16_t bits; /* of the ICV; 0 for ciphers that have none */
	const char *name;
};

/* NULL: the kernel has nothing of the kind. bits != 0: AEAD. */
const struct kernel_algorithm *kernel_cipher(unsigned encr);
const struct kernel_algorithm *kernel_integrity(unsigned integ);

#endif
