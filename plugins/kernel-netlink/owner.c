/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "sa.h"
#include "util/log.h"

#define OWNER_LIMIT_MS 60000

struct owner_found {
	struct kernel *k;
	size_t n;
	int error;
};

static int owner_mark(const struct nlattr *a, void *arg)
{
	struct nlmsghdr *h = arg;

	if (mnl_attr_get_type(a) == XFRMA_MARK && mnl_attr_get_payload_len(a) >= sizeof(struct xfrm_mark))
		mnl_attr_put(h, XFRMA_MARK, sizeof(struct xfrm_mark), mnl_attr_get_payload(a));
	return MNL_CB_OK;
}

void owner_delete(struct kernel *k, const struct nlmsghdr *m, const struct xfrm_usersa_info *info)
{
	union nl_request_buffer b;
	struct nlmsghdr *h = nl_begin(&b, XFRM_MSG_DELSA, 0);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

	id->daddr = info->id.daddr;
	id->spi = info->id.spi;
	id->proto = info->id.proto;
	id->family = info->family;
	mnl_attr_parse(m, sizeof(*info), owner_mark, h);
	nl_queue(k->nl, &b, (struct nl_answer){ 0 }); /* sent after the dump has begun; what it misses is repeated */
}

static void owner_message(void *arg, const struct nlmsghdr *h)
{
	struct owner_found *f = arg;
	struct sa_report r;

	if (!h) {
		f->n = 0;
		return;
	}
	if (h->nlmsg_type != XFRM_MSG_NEWSA || !sa_report_read(h, &r))
		return;
	if (r.info.sel.user == f->k->owner) {
		f->n++;
		owner_delete(f->k, h, &r.info);
	} else {
		spi_pool_mark(f->k->spis, ntohl(r.info.id.spi));
	}
}

static void owner_done(void *arg, int error, const char *text)
{
	((struct owner_found *)arg)->error = error;
}

bool owner_flush(struct kernel *k, struct errtext *err)
{
	struct owner_found f = { .k = k };
	union nl_request_buffer b;

	sa_build_dump(&b);
	nl_queue(k->nl, &b, (struct nl_answer){ owner_message, owner_done, &f });
	if (!nl_drain(k->nl, OWNER_LIMIT_MS)) {
		nl_free(k->nl); /* what waits in it knows f */
		k->nl = NULL;
		f.error = ETIMEDOUT;
	}
	if (f.error) {
		errtext_set(err, "cannot read the SAs of the kernel: %s", txn_reason(f.error, "").s);
		return false;
	}
	if (f.n)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %zu SAs that an earlier life of the daemon left", f.n);
	return true;
}
