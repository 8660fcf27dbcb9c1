/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_IPSECKEY_WITH_LDNS_H
#define BEWICK_IPSECKEY_WITH_LDNS_H

#include <stdbool.h> /* before: without it, ldns makes a bool of its own */

#include <ldns/ldns.h>

#endif
