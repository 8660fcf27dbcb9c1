/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/scope.h"

#include <stdlib.h>

#include "sa/child_sa.h"

/* One number for both directions, drawn when the first asks. */
struct scope_numbers {
	struct ike_sa *sa;
	enum sa_number kind;
	uint32_t both;
};

static uint32_t scope_draw(struct scope_numbers *n)
{
	return n->sa->ctx->ops->next_number(n->sa->ctx->host, n->kind);
}

static uint32_t scope_number(struct scope_numbers *n, enum scope_kind kind, uint32_t fixed)
{
	switch (kind) {
	case SCOPE_FIXED:
	case SCOPE_SAME:
		return fixed;
	case SCOPE_UNIQUE:
		if (!n->both)
			n->both = scope_draw(n);
		return n->both;
	case SCOPE_UNIQUE_DIR:
		return scope_draw(n);
	}
	return 0;
}

/* A number of its own counts up in the bits of the mask. */
static struct ipsec_mark scope_mark(struct scope_numbers *n, const struct mark_conf *conf)
{
	struct ipsec_mark mark = { scope_number(n, conf->kind, conf->mark.value), conf->mark.mask };

	if (conf->kind == SCOPE_FIXED || !mark.mask)
		return mark;
	mark.value = mark.value << __builtin_ctz(mark.mask) & mark.mask;
	if (!mark.value) /* a narrow mask makes numbers come again, but none is 0 */
		mark.value = mark.mask & -mark.mask;
	return mark;
}

/* set_mark_in and set_mark_out: %same is the value of the other, under a mask of its own. */
static struct ipsec_mark scope_set_mark(struct scope_numbers *n, const struct mark_conf *conf, const struct ipsec_mark *same)
{
	if (conf->kind == SCOPE_SAME)
		return (struct ipsec_mark){ same->value & conf->mark.mask, conf->mark.mask };
	return scope_mark(n, conf);
}

void scope_of_ike(struct ike_sa *sa)
{
	struct scope_numbers ids = { sa, SA_NUMBER_IF_ID, 0 };

	if (sa->if_id_in || sa->if_id_out)
		return;
	sa->if_id_in = scope_number(&ids, sa->conn->if_id_in.kind, sa->conn->if_id_in.id);
	sa->if_id_out = scope_number(&ids, sa->conn->if_id_out.kind, sa->conn->if_id_out.id);
}

static bool scope_has_if_id(const struct if_id_conf *conf)
{
	return conf->kind != SCOPE_FIXED || conf->id;
}

static void scope_if_ids(struct ike_sa *sa, const struct scope_conf *conf, struct ipsec_scope *s)
{
	struct scope_numbers ids = { sa, SA_NUMBER_IF_ID, 0 };

	scope_of_ike(sa);
	s->if_id_in = scope_has_if_id(&conf->if_id_in) ? scope_number(&ids, conf->if_id_in.kind, conf->if_id_in.id) :
							 sa->if_id_in;
	s->if_id_out = scope_has_if_id(&conf->if_id_out) ? scope_number(&ids, conf->if_id_out.kind, conf->if_id_out.id) :
							   sa->if_id_out;
}

static bool scope_is_usual(const struct ipsec_scope *s)
{
	return !s->mark_in.mask && !s->mark_out.mask && !s->set_mark_in.mask && !s->set_mark_out.mask && !s->if_id_in &&
	       !s->if_id_out && !s->interface;
}

struct ipsec_scope *scope_new(struct ike_sa *sa, const struct child_conf *conf, const struct ipsec_scope *old)
{
	struct scope_numbers marks = { sa, SA_NUMBER_MARK, 0 };
	struct ipsec_scope s = { .mark_in_sa = conf->scope.mark_in_sa, .interface = conf->interface };

	if (old)
		return xmemdup(old, sizeof(*old));
	s.mark_in = scope_mark(&marks, &conf->scope.mark_in);
	s.mark_out = scope_mark(&marks, &conf->scope.mark_out);
	s.set_mark_in = scope_set_mark(&marks, &conf->scope.set_mark_in, &s.mark_in);
	s.set_mark_out = scope_set_mark(&marks, &conf->scope.set_mark_out, &s.mark_out);
	scope_if_ids(sa, &conf->scope, &s);
	return scope_is_usual(&s) ? NULL : xmemdup(&s, sizeof(s));
}
