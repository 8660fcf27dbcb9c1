/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/payloads.h"

void describe_name(struct buf *out, unsigned type)
{
	buf_add_str(out, " ");
	buf_add_str(out, payload_short_name(type));
}

void describe_notify(struct buf *out, unsigned notify)
{
	buf_add_str(out, " N(");
	buf_add_str(out, notify_short_name(notify));
	buf_add_str(out, ")");
}

void describe_cp(struct buf *out, unsigned type, const struct cp_attribute *attrs, size_t count)
{
	buf_add_str(out, " ");
	buf_add_str(out, cp_type_short_name(type));
	for (size_t i = 0; i < count; i++) {
		buf_add_str(out, i ? " " : "(");
		buf_add_str(out, cp_attr_short_name(attrs[i].type));
	}
	buf_add_str(out, count ? ")" : "");
}

void describe_eap(struct buf *out, struct bytes packet)
{
	struct reader r = reader_of(packet);
	uint8_t code = reader_u8(&r);

	buf_add_str(out, " EAP/");
	buf_add_str(out, eap_code_short_name(code));
	reader_skip(&r, 3);
	if (reader_left(&r)) {
		buf_add_str(out, "/");
		buf_add_str(out, eap_type_short_name(reader_u8(&r)));
	}
}

void describe_skf(struct buf *out, const struct payload_skf *skf)
{
	buf_printf(out, " %s(%u/%u)", payload_short_name(PAYLOAD_SKF), skf->number, skf->total);
}

void payloads_describe(struct buf *out, const struct payload_list *list)
{
	buf_add_str(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		const struct payload *p = &list->p[i];

		if (p->type == PAYLOAD_NOTIFY)
			describe_notify(out, p->notify.type);
		else if (p->type == PAYLOAD_CP)
			describe_cp(out, p->cp.type, p->cp.attrs, p->cp.count);
		else if (p->type == PAYLOAD_EAP)
			describe_eap(out, p->eap);
		else if (p->type == PAYLOAD_SKF)
			describe_skf(out, &p->skf);
		else
			describe_name(out, p->type);
	}
	buf_add_str(out, " ]");
}
