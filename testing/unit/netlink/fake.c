/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/mem.h"

struct fake_kernel *fake_new(void)
{
	struct fake_kernel *f = xcalloc(1, sizeof(*f));

	f->sas = xcalloc(FAKE_SAS, sizeof(*f->sas));
	f->tell_deleted = true;
	return f;
}

static void fake_drop_answers(struct fake_kernel *f)
{
	while (f->first < f->n_answers)
		buf_free(&f->answers[f->first++]);
	f->first = f->n_answers = 0;
}

void fake_free(struct fake_kernel *f)
{
	fake_drop_answers(f);
	free(f->answers);
	free(f->sas);
	free(f->policies);
	buf_free(&f->log);
	free(f);
}

unsigned fake_seen(const struct fake_kernel *f, uint16_t type)
{
	return f->seen[(type - XFRM_MSG_BASE) % ARRAY_LEN(f->seen)];
}

size_t fake_count(const struct fake_kernel *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_sas; i++)
		n += f->sas[i].there;
	return n;
}

struct fake_sa *fake_find(struct fake_kernel *f, uint32_t spi)
{
	for (size_t i = 0; i < f->n_sas; i++)
		if (f->sas[i].there && f->sas[i].info.id.spi == htonl(spi))
			return &f->sas[i];
	return NULL;
}

static struct fake_sa *fake_lookup(struct fake_kernel *f, const xfrm_address_t *dst, uint32_t spi_be)
{
	for (size_t i = 0; i < f->n_sas; i++)
		if (f->sas[i].there && f->sas[i].info.id.spi == spi_be &&
		    memcmp(&f->sas[i].info.id.daddr, dst, sizeof(*dst)) == 0)
			return &f->sas[i];
	return NULL;
}

/* ---- answers ---- */

static void fake_answer(struct fake_kernel *f, const void *p, size_t n)
{
	f->answers = xrealloc(f->answers, (f->n_answers + 1) * sizeof(*f->answers));
	f->answers[f->n_answers] = (struct buf){ 0 };
	buf_add(&f->answers[f->n_answers++], p, n);
}

void fake_tell(struct fake_kernel *f, uint16_t type, const void *payload, size_t n)
{
	_Alignas(8) uint8_t bytes[4096];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);

	h->nlmsg_type = type;
	memcpy(mnl_nlmsg_put_extra_header(h, n), payload, n);
	fake_answer(f, bytes, h->nlmsg_len);
}

void fake_tell_deleted(struct fake_kernel *f, uint32_t spi, nl_event_fn *fn, void *arg)
{
	_Alignas(8) uint8_t bytes[1024];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	const struct fake_sa *sa = fake_find(f, spi);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

	h->nlmsg_type = XFRM_MSG_DELSA;
	id->daddr = sa->info.id.daddr;
	id->spi = sa->info.id.spi;
	mnl_attr_put(h, XFRMA_SA, sizeof(sa->info), &sa->info);
	fn(arg, h);
}

static void fake_ack(struct fake_kernel *f, const struct nlmsghdr *q, int error, const char *text)
{
	_Alignas(8) uint8_t bytes[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct nlmsgerr *e;

	h->nlmsg_type = NLMSG_ERROR;
	h->nlmsg_seq = q->nlmsg_seq;
	h->nlmsg_pid = FAKE_PORTID;
	h->nlmsg_flags = NLM_F_CAPPED;
	e = mnl_nlmsg_put_extra_header(h, sizeof(*e));
	e->error = -error;
	e->msg = *q;
	if (text) {
		h->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(h, NLMSGERR_ATTR_MSG, text);
	}
	fake_answer(f, bytes, h->nlmsg_len);
}

/* A state as GETSA, a dump or the notification of a deletion show it. */
static void fake_answer_sa(struct fake_kernel *f, const struct nlmsghdr *q, uint16_t type, uint16_t flags,
			   const struct fake_sa *sa)
{
	_Alignas(8) uint8_t bytes[4096];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct xfrm_usersa_info info = sa->info;
	struct xfrm_user_offload o = { 1, 0 };

	info.curlft = sa->used;
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = q->nlmsg_seq;
	h->nlmsg_pid = FAKE_PORTID;
	if (type == XFRM_MSG_DELSA) {
		struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

		id->daddr = info.id.daddr;
		id->spi = info.id.spi;
		mnl_attr_put(h, XFRMA_SA, sizeof(info), &info);
	} else {
		memcpy(mnl_nlmsg_put_extra_header(h, sizeof(info)), &info, sizeof(info));
	}
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sa->replay_len, sa->replay);
	if (sa->offloaded)
		mnl_attr_put(h, XFRMA_OFFLOAD_DEV, sizeof(o), &o);
	fake_answer(f, bytes, h->nlmsg_len);
}

static void fake_answer_policy(struct fake_kernel *f, const struct nlmsghdr *q, uint16_t flags, const struct fake_policy *p)
{
	_Alignas(8) uint8_t bytes[1024];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);

	h->nlmsg_type = XFRM_MSG_NEWPOLICY;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = q->nlmsg_seq;
	h->nlmsg_pid = FAKE_PORTID;
	fake_answer(f, bytes, fake_policy_message(p, h));
}

static void fake_dump(struct fake_kernel *f, const struct nlmsghdr *q)
{
	_Alignas(8) uint8_t bytes[64];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	uint16_t flags = NLM_F_MULTI;

	if (f->interrupt) {
		f->interrupt--;
		flags |= NLM_F_DUMP_INTR;
	}
	for (size_t i = 0; q->nlmsg_type == XFRM_MSG_GETSA && i < f->n_sas; i++)
		if (f->sas[i].there)
			fake_answer_sa(f, q, XFRM_MSG_NEWSA, flags, &f->sas[i]);
	for (size_t i = 0; q->nlmsg_type == XFRM_MSG_GETPOLICY && i < f->n_policies; i++)
		if (f->policies[i].there)
			fake_answer_policy(f, q, flags, &f->policies[i]);
	h->nlmsg_type = NLMSG_DONE;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = q->nlmsg_seq;
	h->nlmsg_pid = FAKE_PORTID;
	*(int *)mnl_nlmsg_put_extra_header(h, sizeof(int)) = 0;
	fake_answer(f, bytes, h->nlmsg_len);
}

/* ---- requests ---- */

static int fake_new_attr(const struct nlattr *a, void *arg)
{
	struct fake_sa *sa = arg;
	const struct xfrm_encap_tmpl *e = mnl_attr_get_payload(a);
	const struct xfrm_mark *m = mnl_attr_get_payload(a);

	switch (mnl_attr_get_type(a)) {
	case XFRMA_REPLAY_ESN_VAL:
		sa->replay_len = mnl_attr_get_payload_len(a);
		memcpy(sa->replay, mnl_attr_get_payload(a), sa->replay_len);
		break;
	case XFRMA_LTIME_VAL:
		memcpy(&sa->used, mnl_attr_get_payload(a), sizeof(sa->used));
		break;
	case XFRMA_OFFLOAD_DEV:
		sa->offloaded = true;
		memcpy(&sa->offload, mnl_attr_get_payload(a), sizeof(sa->offload));
		break;
	case XFRMA_MARK:
		sa->mark_value = m->v;
		sa->mark_mask = m->m;
		break;
	case XFRMA_ENCAP:
		sa->encap = true;
		sa->sport = ntohs(e->encap_sport);
		sa->dport = ntohs(e->encap_dport);
		break;
	}
	return MNL_CB_OK;
}

static int fake_new_sa(struct fake_kernel *f, const struct nlmsghdr *h)
{
	const struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(h);
	struct fake_sa sa = { .there = true, .info = *info };

	mnl_attr_parse(h, sizeof(*info), fake_new_attr, &sa);
	if (sa.offloaded && f->fail_offload)
		return EINVAL;
	sa.offloaded &= f->can_offload;
	if (fake_lookup(f, &info->id.daddr, info->id.spi))
		return EEXIST;
	sa.used.add_time = sa.used.add_time ? sa.used.add_time : 1;
	for (size_t i = 0; i < FAKE_SAS; i++) {
		if (f->sas[i].there)
			continue;
		f->sas[i] = sa;
		f->n_sas = i >= f->n_sas ? i + 1 : f->n_sas;
		return 0;
	}
	return ENOMEM;
}

static int fake_get_or_del(struct fake_kernel *f, const struct nlmsghdr *h)
{
	const struct xfrm_usersa_id *id = mnl_nlmsg_get_payload(h);
	struct fake_sa *sa = fake_lookup(f, &id->daddr, id->spi);

	if (!sa)
		return ESRCH;
	if (h->nlmsg_type == XFRM_MSG_GETSA) {
		fake_answer_sa(f, h, XFRM_MSG_NEWSA, 0, sa);
		return 0;
	}
	sa->there = false;
	if (f->tell_deleted)
		fake_answer_sa(f, h, XFRM_MSG_DELSA, 0, sa);
	return 0;
}

static const char *fake_type(uint16_t type)
{
	return type == XFRM_MSG_NEWSA ? "NEWSA" : type == XFRM_MSG_DELSA ? "DELSA" : type == XFRM_MSG_GETSA ? "GETSA" : "?";
}

static uint32_t fake_spi(const struct nlmsghdr *h)
{
	const struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(h);
	const struct xfrm_usersa_id *id = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*id))
		return 0;
	return ntohl(h->nlmsg_type == XFRM_MSG_NEWSA ? info->id.spi : id->spi);
}

static void fake_request(struct fake_kernel *f, const struct nlmsghdr *h)
{
	const char *text = NULL;
	int error = 0;

	f->requests++;
	f->seen[(h->nlmsg_type - XFRM_MSG_BASE) % ARRAY_LEN(f->seen)]++;
	if ((h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		fake_dump(f, h);
		return;
	}
	if (f->fail_type == h->nlmsg_type && f->fail_error && f->fail_skip-- == 0) {
		error = f->fail_error;
		text = f->fail_text;
		f->fail_type = 0;
	} else if (h->nlmsg_type == XFRM_MSG_NEWSA) {
		error = fake_new_sa(f, h);
	} else if (h->nlmsg_type == XFRM_MSG_GETSA || h->nlmsg_type == XFRM_MSG_DELSA) {
		error = fake_get_or_del(f, h);
	} else if (h->nlmsg_type == XFRM_MSG_UPDPOLICY || h->nlmsg_type == XFRM_MSG_DELPOLICY) {
		error = fake_policy_request(f, h);
	}
	buf_printf(&f->log, "%s %x %d\n", fake_type(h->nlmsg_type), fake_spi(h), error);
	if (f->mute_type == h->nlmsg_type && f->mute) {
		f->mute--;
		return;
	}
	fake_ack(f, h, error, text);
}

static ssize_t fake_send(void *arg, const struct iovec *iov, size_t n)
{
	struct fake_kernel *f = arg;
	size_t total = 0;

	f->sends++;
	if (f->send_error) {
		errno = f->send_error;
		f->send_error = 0;
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		int left = (int)iov[i].iov_len;

		for (const struct nlmsghdr *h = iov[i].iov_base; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			fake_request(f, h);
		total += iov[i].iov_len;
	}
	return (ssize_t)total;
}

static ssize_t fake_recv(void *arg, void *buffer, size_t size)
{
	struct fake_kernel *f = arg;
	struct buf *b;
	size_t n;

	if (f->overrun) {
		f->overrun = false;
		fake_drop_answers(f);
		errno = ENOBUFS;
		return -1;
	}
	if (f->first == f->n_answers) {
		f->first = f->n_answers = 0;
		errno = EAGAIN;
		return -1;
	}
	b = &f->answers[f->first++];
	n = b->n < size ? b->n : size;
	memcpy(buffer, b->p, n);
	buf_free(b);
	return (ssize_t)n;
}

struct nl_io fake_io(struct fake_kernel *f)
{
	return (struct nl_io){ .fd = -1, .send = fake_send, .recv = fake_recv, .arg = f, .portid = FAKE_PORTID };
}
