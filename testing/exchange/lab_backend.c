/* SPDX-License-Identifier: Apache-2.0 */
/* The backend of an endpoint of the lab. */
#include "lab_private.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint64_t lab_selectors(const struct kernel_child *child)
{
	static const struct hash_key key = { 3, 4 };

	return hash_bytes(&key, bytes_of(child->local_ts.p, child->local_ts.count * sizeof(*child->local_ts.p))) * 3 +
	       hash_bytes(&key, bytes_of(child->remote_ts.p, child->remote_ts.count * sizeof(*child->remote_ts.p)));
}

/* As kernel-userland does: what waits comes behind the first that carries the same. */
static void lab_place(struct lab_end *e, struct lab_child *c, bool waits)
{
	struct lab_child **at = &e->carriers;

	if (waits)
		for (struct lab_child **it = at; *it; it = &(*it)->next)
			if ((*it)->carries && (*it)->selectors == c->selectors) {
				at = &(*it)->next;
				break;
			}
	c->carries = true;
	c->next = *at;
	*at = c;
}

/* Both ends of a pair of SAs treat packets alike. */
void lab_check_modes(const struct lab *lab)
{
	for (const struct lab_child *a = lab->a.carriers; a; a = a->next)
		for (const struct lab_child *b = lab->b.carriers; b; b = b->next)
			ck_assert(a->spi_in != b->spi_out || a->spi_out != b->spi_in || a->asked.mode == b->asked.mode);
}

static void lab_unplace(struct lab_end *e, struct lab_child *c)
{
	struct lab_child **at = &e->carriers;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static void lab_carry(struct kernel *k, struct kernel_handle *h, bool on)
{
	struct lab_end *e = (struct lab_end *)k;
	struct lab_child *c = (struct lab_child *)h;

	if (on) {
		lab_unplace(e, c);
		lab_place(e, c, false);
	}
	c->carries = on;
}

unsigned lab_carried(const struct lab_end *e, unsigned *ret_lost)
{
	const struct lab_end *other = e == &e->lab->a ? &e->lab->b : &e->lab->a;
	unsigned n = 0, lost = 0;

	for (const struct lab_child *c = e->carriers; c; c = c->next) {
		const struct lab_child *first = e->carriers, *in = other->carriers;

		while (first != c && !(first->carries && first->selectors == c->selectors))
			first = first->next;
		if (first != c || !c->carries)
			continue;
		while (in && in->spi_in != c->spi_out)
			in = in->next;
		n++;
		lost += !in;
	}
	*ret_lost = lost;
	return n;
}

static enum kernel_status lab_spi_alloc(struct kernel *k, uint8_t segment, struct kernel_done done, uint32_t *ret_spi,
					struct errtext *err)
{
	struct lab_end *e = (struct lab_end *)k;

	(void)segment;
	if (e->kernel_fail_spi) {
		errtext_set(err, "told to fail");
		return KERNEL_FAILED;
	}
	*ret_spi = ++e->next_spi;
	e->kernel_spis++;
	if (!e->kernel_async)
		return KERNEL_OK;
	ck_assert_uint_lt(e->n_pending, LAB_PENDING);
	e->pending[e->n_pending].ike_id = (uint32_t)(done.token >> 32);
	e->pending[e->n_pending].install = false;
	e->pending[e->n_pending++].child_id = (uint32_t)done.token;
	return KERNEL_PENDING;
}

static void lab_spi_free(struct kernel *k, uint32_t spi)
{
	struct lab_end *e = (struct lab_end *)k;

	(void)spi;
	ck_assert_uint_gt(e->kernel_spis, 0);
	e->kernel_spis--;
}

static enum kernel_status lab_install(struct kernel *k, const struct kernel_child *child, struct kernel_done done,
				      struct kernel_handle **ret_handle, struct errtext *err)
{
	struct lab_end *e = (struct lab_end *)k;
	struct lab_child *c;

	if (e->kernel_fail_install) {
		errtext_set(err, "told to fail");
		return KERNEL_FAILED;
	}
	c = xcalloc(1, sizeof(*c));
	c->spi_in = child->in.spi;
	c->spi_out = child->out.spi;
	c->asked = *child;
	c->asked.in.encr_key = c->asked.in.integ_key = c->asked.out.encr_key = c->asked.out.integ_key = BYTES_NONE;
	c->asked.local_ts = c->asked.remote_ts = (struct ts_list){ 0 };
	memcpy(c->keys, child->in.encr_key.p, child->in.encr_key.n);
	memcpy(c->keys + 128, child->out.encr_key.p, child->out.encr_key.n);
	c->n_keys = child->in.encr_key.n;
	c->place = (struct kernel_move){ child->in.dst, child->in.src, child->encap };
	c->selectors = lab_selectors(child);
	lab_place(e, c, child->out_waits);
	*ret_handle = (struct kernel_handle *)c;
	e->kernel_spis--;
	e->kernel_children++;
	if (!e->kernel_async)
		return KERNEL_OK;
	ck_assert_uint_lt(e->n_pending, LAB_PENDING);
	e->pending[e->n_pending].ike_id = (uint32_t)(done.token >> 32);
	e->pending[e->n_pending].install = true;
	e->pending[e->n_pending++].child_id = (uint32_t)done.token;
	return KERNEL_PENDING;
}

static void lab_remove(struct kernel *k, struct kernel_handle *h)
{
	struct lab_end *e = (struct lab_end *)k;

	e->kernel_children--;
	lab_unplace(e, (struct lab_child *)h);
	free(h);
}

static bool lab_query(struct kernel *k, struct kernel_handle *h, struct kernel_usage *ret_in, struct kernel_usage *ret_out)
{
	(void)h;
	*ret_in = ((struct lab_end *)k)->usage_in;
	*ret_out = ((struct lab_end *)k)->usage_out;
	return true;
}

static enum kernel_status lab_update(struct kernel *k, struct kernel_handle *h, const struct kernel_move *move,
				     struct kernel_done done, struct errtext *err)
{
	struct lab_end *e = (struct lab_end *)k;

	(void)done;
	if (e->kernel_fail_move) {
		errtext_set(err, "told to fail");
		return KERNEL_FAILED;
	}
	((struct lab_child *)h)->place = *move;
	e->kernel_moves++;
	return KERNEL_OK;
}

const struct kernel_move *lab_place_of(const struct child_sa *c)
{
	return &((const struct lab_child *)c->handle)->place;
}

static void lab_kernel_advance(struct kernel *k, struct kernel_handle *h, uint64_t delta)
{
	(void)k;
	((struct lab_child *)h)->seq_out += delta;
}

static bool lab_vip_add(struct kernel *k, const struct kernel_vip *vip, struct errtext *err)
{
	struct lab_end *e = (struct lab_end *)k;

	ck_assert(vip->local.family != 0);
	if (e->kernel_fail_vip) {
		errtext_set(err, "told to fail");
		return false;
	}
	ck_assert_uint_lt(e->n_vips, LAB_VIPS);
	e->vips[e->n_vips++] = vip->addr;
	e->vips_added++;
	return true;
}

static void lab_vip_remove(struct kernel *k, const struct kernel_vip *vip)
{
	struct lab_end *e = (struct lab_end *)k;
	size_t i = 0;

	while (i < e->n_vips && !addr_equal(&e->vips[i], &vip->addr))
		i++;
	ck_assert_msg(i < e->n_vips, "%s is not there", addr_format(&vip->addr).s);
	e->vips[i] = e->vips[--e->n_vips];
}

const struct kernel_ops lab_kernel_ops = {
	.name = "mock",
	.spi_alloc = lab_spi_alloc,
	.spi_free = lab_spi_free,
	.install = lab_install,
	.remove = lab_remove,
	.carry = lab_carry,
	.query = lab_query,
	.update = lab_update,
	.advance = lab_kernel_advance,
	.vip_add = lab_vip_add,
	.vip_remove = lab_vip_remove,
};

const struct addr *lab_sent_to(const struct child_sa *c)
{
	return &((const struct lab_child *)c->handle)->place.remote;
}

uint64_t lab_seq_out(const struct child_sa *c)
{
	return ((const struct lab_child *)c->handle)->seq_out;
}

const struct kernel_child *lab_asked(const struct child_sa *c)
{
	return &((const struct lab_child *)c->handle)->asked;
}

void lab_kernel_complete(struct lab_end *e, enum kernel_status status)
{
	struct errtext err = { "told to fail" };
	uint32_t ike_id, child_id;

	ck_assert_uint_gt(e->n_pending, 0);
	ike_id = e->pending[0].ike_id;
	child_id = e->pending[0].child_id;
	memmove(e->pending, e->pending + 1, --e->n_pending * sizeof(e->pending[0]));
	for (size_t i = 0; i < e->n_sas; i++)
		if (e->sas[i]->log.id == ike_id)
			ike_sa_kernel_done(e->sas[i], child_id, status, &err);
}
