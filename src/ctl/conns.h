/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CTL_CONNS_H
#define BEWICK_CTL_CONNS_H

#include "ctl/ctl.h"

int run_list_conns(struct ctl *ctl);

#endif
