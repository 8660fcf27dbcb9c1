/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_ID_GN_H
#define BEWICK_PROTO_ID_GN_H

#include "proto/id.h"

/* The two GeneralNames (RFC 5280, 4.2.1.6) for which swanctl has a text form. */

void gn_write_uri(struct buf *out, struct bytes text);
void gn_write_xmpp(struct buf *out, struct bytes text);
/* "uri:..." or "xmppaddr:..."; false, and nothing written, for others. */
MUST_CHECK bool gn_format(struct buf *out, struct bytes der);

#endif
