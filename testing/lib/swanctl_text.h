/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_LIB_SWANCTL_TEXT_H
#define BEWICK_TESTING_LIB_SWANCTL_TEXT_H

#include "config/store.h"

/*
 * What swanctl and the control socket do with a swanctl.conf, without them: connections and ike secrets of the text
 * as a snapshot. NULL: err says why. For tests and benchmarks.
 */
struct config *swanctl_text_load(const char *text, const char *name, const struct conn_env *env, struct errtext *err);

#endif
