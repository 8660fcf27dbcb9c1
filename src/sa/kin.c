/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/kin.h"

#include <stdlib.h>

struct ike_kin *kin_of(struct ike_sa *sa)
{
	if (!sa->kin)
		sa->kin = xcalloc(1, sizeof(*sa->kin));
	return sa->kin;
}

void kin_trim(struct ike_sa *sa)
{
	const struct ike_kin *k = sa->kin;

	if (!k || k->successor || k->replaced || k->next_replaced || k->rival || k->reauth_old || k->reauth_new)
		return;
	free(sa->kin);
	sa->kin = NULL;
}
