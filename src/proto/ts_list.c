/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/limits.h"
#include "proto/ts.h"

void ts_list_format(struct buf *out, struct ts_list list)
{
	for (size_t i = 0; i < list.count; i++) {
		struct ts_text text = ts_format(&list.p[i]);

		if (i)
			buf_add_str(out, " ");
		buf_add_str(out, text.s);
	}
}

struct ts_list ts_resolve(struct arena *a, struct ts_list conf, const struct addr *hosts,
			  size_t n_hosts)
{
	size_t count = 0, n = 0;
	struct ts *out;

	for (size_t i = 0; i < conf.count; i++)
		count += conf.p[i].dynamic ? n_hosts : 1;
	out = arena_array(a, struct ts, count);
	for (size_t i = 0; i < conf.count; i++) {
		if (!conf.p[i].dynamic) {
			out[n++] = conf.p[i];
			continue;
		}
		for (size_t j = 0; j < n_hosts; j++) {
			if (!addr_len(&hosts[j]))
				continue;
			out[n] = ts_from_addr(&hosts[j]);
			out[n].protocol = conf.p[i].protocol;
			out[n].port_from = conf.p[i].port_from;
			out[n].port_to = conf.p[i].port_to;
			n++;
		}
	}
	return (struct ts_list){ n, out };
}

/* Adds an entry unless it is in another; takes out what is in it. Returns the new count. */
static size_t ts_set_add(struct ts *set, size_t n, const struct ts *ts)
{
	size_t keep = 0;

	for (size_t i = 0; i < n; i++) {
		if (ts_contains(&set[i], ts))
			return n;
	}
	for (size_t i = 0; i < n; i++) {
		if (!ts_contains(ts, &set[i]))
			set[keep++] = set[i];
	}
	/* More than a payload can carry: narrower than it could be, which is allowed. */
	if (keep < LIMIT_SELECTORS)
		set[keep++] = *ts;
	return keep;
}

struct ts_list ts_narrow(struct arena *a, struct ts_list ours, struct ts_list theirs)
{
	size_t pairs = ours.count * theirs.count, n = 0;
	struct ts *set = arena_array(a, struct ts, pairs < LIMIT_SELECTORS ? pairs : LIMIT_SELECTORS);

	for (size_t i = 0; i < theirs.count; i++) {
		for (size_t j = 0; j < ours.count; j++) {
			struct ts both;

			if (ts_intersect(&ours.p[j], &theirs.p[i], &both))
				n = ts_set_add(set, n, &both);
		}
	}
	return (struct ts_list){ n, set };
}

bool ts_list_within(struct ts_list outer, struct ts_list inner)
{
	for (size_t i = 0; i < inner.count; i++) {
		bool found = false;

		for (size_t j = 0; j < outer.count && !found; j++)
			found = ts_contains(&outer.p[j], &inner.p[i]);
		if (!found)
			return false;
	}
	return true;
}

static size_t ts_list_times(struct ts_list list, const struct ts *ts)
{
	size_t n = 0;

	for (size_t i = 0; i < list.count; i++)
		n += ts_equal(&list.p[i], ts);
	return n;
}

bool ts_list_equal(struct ts_list a, struct ts_list b)
{
	if (a.count != b.count)
		return false;
	for (size_t i = 0; i < a.count; i++) {
		if (!ts_equal(&a.p[i], &b.p[i]) && ts_list_times(a, &a.p[i]) != ts_list_times(b, &a.p[i]))
			return false;
	}
	return true;
}
