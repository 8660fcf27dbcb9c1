/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_SCOPE_H
#define BEWICK_SA_SCOPE_H

#include "sa/ike_sa.h"

/* The marks and interface ids of an SA: the configured ones, with numbers of its own where the configuration says %unique. */

/*
 * Of a new CHILD_SA; `old` (may be NULL) is that of the one it replaces: its numbers are kept, because rules, routes and
 * interfaces rest on them. NULL: it has none of all that. To be freed. The interface's name is borrowed from conf.
 */
struct ipsec_scope *scope_new(struct ike_sa *sa, const struct child_conf *conf, const struct ipsec_scope *old);
/* The connection's, once its first CHILD_SA needs them or it is up: if_id_in and if_id_out. They stay for the IKE_SA's successors. */
void scope_of_ike(struct ike_sa *sa);

#endif
