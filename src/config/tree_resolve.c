/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/tree_parse.h"
#include "proto/limits.h"
#include "util/mem.h"

/*
 * What a section inherits. A section with references stands for a row of written sections:
 * itself, then for each reference in order the row of what it names. A name is looked up along the
 * row; the first that has it decides whether it is a setting or a section, and if it
 * is a section, all those of that name along the row make the next row.
 *
 * Circular references end where they close: while the row of a section is being
 * made, a reference to it means its own entries only, and nothing inherits what encloses it
 * already. References can multiply what was written, so there is a budget.
 */

struct row {
	struct tree **v;
	size_t n, cap;
};

struct resolve {
	struct tree *root;
	size_t budget; /* steps left */
	unsigned busy; /* sections whose row is being made */
	bool cut;      /* a circle was cut: rows being made inside it are not the whole truth */
	struct row path;   /* the sections of the rows that the copied one lies in */
	struct row owners; /* the first of each of these rows */
	struct errtext *err;
};

/* compared: how many pointers or names were looked at. */
static bool resolve_step(struct resolve *r, size_t compared)
{
	size_t cost = 1 + compared / 16;

	if (r->budget < cost) {
		errtext_set(r->err, "the references between sections make too many settings");
		return false;
	}
	r->budget -= cost;
	return true;
}

static bool row_has(const struct row *row, const struct tree *t)
{
	for (size_t i = 0; i < row->n; i++) {
		if (row->v[i] == t)
			return true;
	}
	return false;
}

static void row_push(struct row *row, struct tree *t)
{
	if (row->n == row->cap) {
		row->cap = row->cap ? row->cap * 2 : 4;
		row->v = xrealloc(row->v, row->cap * sizeof(*row->v));
	}
	row->v[row->n++] = t;
}

static bool row_add(struct resolve *r, struct row *row, struct tree *t)
{
	if (!resolve_step(r, row->n))
		return false;
	if (!row_has(row, t))
		row_push(row, t);
	return true;
}

static bool resolve_path(struct resolve *r, struct bytes path, struct row *out);

static bool resolve_refs(struct resolve *r, struct tree *section, struct tree_refs *refs)
{
	struct row row = { 0 };
	bool outer_cut = r->cut, ok;

	r->cut = false;
	refs->busy = true;
	r->busy++;
	ok = row_add(r, &row, section);
	for (size_t i = 0; ok && i < refs->count; i++)
		ok = resolve_path(r, refs->paths[i], &row);
	refs->busy = false;
	r->busy--;
	free(refs->sections);
	refs->sections = row.v;
	refs->n_sections = row.n;
	/* Seen from the middle of a circle the row ends early; from outside it does not. */
	refs->known = !r->cut || r->busy == 0;
	r->cut = r->cut || outer_cut;
	return ok;
}

/* Adds the row of a written section. */
static bool resolve_section(struct resolve *r, struct tree *section, struct row *out)
{
	struct tree_refs *refs = section->raw;
	bool ok = true;

	if (!refs)
		return row_add(r, out, section);
	if (refs->busy) {
		r->cut = true;
		return row_add(r, out, section);
	}
	if (!refs->known && !resolve_refs(r, section, refs))
		return false;
	for (size_t i = 0; ok && i < refs->n_sections; i++)
		ok = row_add(r, out, refs->sections[i]);
	return ok;
}

/* The row of a name along a row; empty if it is nowhere or a setting. */
static bool resolve_name(struct resolve *r, const struct row *row, struct bytes name, struct row *out)
{
	bool found = false;

	for (size_t i = 0; i < row->n; i++) {
		struct tree *t = tree_find_bytes(row->v[i], name);

		if (!resolve_step(r, 0))
			return false;
		if (t && t->kind != TREE_SECTION && !found)
			return true;
		if (!t || t->kind != TREE_SECTION)
			continue;
		found = true;
		if (!resolve_section(r, t, out))
			return false;
	}
	return true;
}

/* Adds the row of "a.b.c"; nothing if it does not exist. */
static bool resolve_path(struct resolve *r, struct bytes path, struct row *out)
{
	struct row at = { 0 };
	bool ok;

	row_push(&at, r->root);
	do {
		const uint8_t *dot = memchr(path.p, '.', path.n);
		struct bytes name = { path.p, dot ? (size_t)(dot - path.p) : path.n };
		struct row next = { 0 };

		ok = resolve_name(r, &at, name, &next);
		free(at.v);
		at = next;
		path = dot ? bytes_of(dot + 1, path.n - name.n - 1) : BYTES_NONE;
	} while (ok && at.n && path.n);
	for (size_t i = 0; ok && i < at.n; i++)
		ok = row_add(r, out, at.v[i]);
	free(at.v);
	return ok;
}

/* ---- copying */

static bool resolve_copy(struct resolve *r, const struct row *row, struct tree *out, unsigned depth);

static bool resolve_copy_section(struct resolve *r, const struct row *row, const struct tree *t,
				 struct tree *out, unsigned depth)
{
	struct row whole = { 0 }, sub = { 0 };
	struct tree *copy = tree_add_section(out, bytes_str(t->name));
	bool ok = resolve_name(r, row, bytes_str(t->name), &whole);

	copy->line = t->line;
	copy->file = t->file;
	for (size_t i = 0; ok && i < whole.n; i++) {
		ok = resolve_step(r, r->path.n);
		if (!row_has(i ? &r->path : &r->owners, whole.v[i]))
			row_push(&sub, whole.v[i]);
	}
	if (ok && depth >= LIMIT_CONF_DEPTH) {
		errtext_set(r->err, "%s:%u: expected fewer nested sections, found more than %d by references",
			    t->file, t->line, LIMIT_CONF_DEPTH);
		ok = false;
	}
	ok = ok && resolve_copy(r, &sub, copy, depth + 1);
	free(whole.v);
	free(sub.v);
	return ok;
}

/* Whether an earlier section of the row has the name. */
static bool row_hides(const struct row *row, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (tree_find(row->v[i], name))
			return true;
	}
	return false;
}

static bool resolve_copy_entry(struct resolve *r, const struct row *row, const struct tree *t,
			       struct tree *out, unsigned depth)
{
	struct tree *copy;

	if (t->kind == TREE_SECTION)
		return resolve_copy_section(r, row, t, out, depth);
	if (t->raw == &tree_unset)
		return true;
	copy = tree_add_value(out, bytes_str(t->name), buf_bytes(&t->value));
	copy->line = t->line;
	copy->file = t->file;
	return true;
}

static bool resolve_copy(struct resolve *r, const struct row *row, struct tree *out, unsigned depth)
{
	size_t outside = r->path.n, owners = r->owners.n;
	bool ok = true;

	if (row->n)
		row_push(&r->owners, row->v[0]);
	for (size_t i = 0; i < row->n; i++)
		row_push(&r->path, row->v[i]);
	for (size_t i = 0; ok && i < row->n; i++) {
		for (struct tree *t = row->v[i]->first; ok && t; t = t->next) {
			ok = resolve_step(r, i * 4);
			if (ok && !row_hides(row, i, t->name))
				ok = resolve_copy_entry(r, row, t, out, depth);
		}
	}
	r->path.n = outside;
	r->owners.n = owners;
	return ok;
}

struct tree *tree_resolve(struct tree *root, size_t entries, struct errtext *err)
{
	struct tree *result = tree_new(), *roots[] = { root };
	struct row top = { .v = roots, .n = 1 };
	struct resolve r = {
		.root = root,
		.budget = 1000000 + entries * 256,
		.err = err,
	};
	bool ok = resolve_copy(&r, &top, result, 0);

	free(r.path.v);
	free(r.owners.v);
	if (ok)
		return result;
	tree_free(result);
	return NULL;
}
