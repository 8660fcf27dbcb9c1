/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <stdlib.h>

#include "config/settings_keys.h"
#include "config/value.h"
#include "util/log.h"
#include "util/mem.h"

/* Sections that a key is looked up in, in this order. */
static const char *const settings_namespaces[] = { "bewickd", "charon-systemd", "charon", "libstrongswan" };
/* The first of them are the daemon's own: libstrongswan's is shared with other programs. */
#define SETTINGS_OWN 3

struct settings {
	struct tree *root;
};

static struct settings *settings_new(struct tree *root)
{
	struct settings *s;

	if (!root)
		return NULL;
	s = xmalloc(sizeof(*s));
	s->root = root;
	return s;
}

struct settings *settings_load(const char *file, struct errtext *err)
{
	return settings_new(file ? tree_parse_file(file, err) : tree_new());
}

struct settings *settings_from_text(const char *text, struct errtext *err)
{
	return settings_new(tree_parse_text(bytes_str(text), NULL, err));
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	tree_free(s->root);
	free(s);
}

/* The node at a dotted path below a section; "" is the section itself. */
static const struct tree *settings_walk(const struct tree *section, const char *path)
{
	while (section && *path) {
		size_t n = strcspn(path, ".");

		section = tree_find_bytes(section, bytes_of(path, n));
		path += n + (path[n] == '.');
	}
	return section;
}

static const struct tree *settings_find(const struct settings *s, const char *key)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(settings_namespaces); i++) {
		const struct tree *ns = tree_find(s->root, settings_namespaces[i]);
		const struct tree *t = ns ? settings_walk(ns, key) : NULL;

		if (t && t->kind == TREE_VALUE)
			return t;
	}
	return NULL;
}

static void settings_complain(const struct tree *t, const char *key, const char *type)
{
	LOG(CFG, 1, "%s:%u: setting '%s' has the value '%s', which is not %s: using the default",
	    t->file ? t->file : "?", t->line, key, buf_str(&t->value), type);
}

const char *settings_str(const struct settings *s, const char *key, const char *fallback)
{
	const struct tree *t = settings_find(s, key);

	return t ? buf_str(&t->value) : fallback;
}

bool settings_bool(const struct settings *s, const char *key, bool fallback)
{
	const struct tree *t = settings_find(s, key);
	bool v = fallback;

	if (t && !value_bool(buf_bytes(&t->value), &v))
		settings_complain(t, key, "yes or no");
	return v;
}

int64_t settings_int(const struct settings *s, const char *key, int64_t fallback)
{
	const struct tree *t = settings_find(s, key);
	int64_t v = fallback;

	if (t && !value_int(buf_bytes(&t->value), &v))
		settings_complain(t, key, "a number");
	return v;
}

double settings_double(const struct settings *s, const char *key, double fallback)
{
	const struct tree *t = settings_find(s, key);
	double v = fallback;

	if (t && !value_double(buf_bytes(&t->value), &v))
		settings_complain(t, key, "a decimal number");
	return v;
}

uint64_t settings_time(const struct settings *s, const char *key, uint64_t fallback_s)
{
	const struct tree *t = settings_find(s, key);
	uint64_t v = fallback_s;

	if (t && !value_time(buf_bytes(&t->value), &v))
		settings_complain(t, key, "a time");
	return v;
}

/* Whether a namespace before number n has the section with that name in it. */
static bool settings_seen(const struct settings *s, size_t n, const char *section, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const struct tree *ns = tree_find(s->root, settings_namespaces[i]);
		const struct tree *t = ns ? settings_walk(ns, section) : NULL;

		if (t && tree_find(t, name))
			return true;
	}
	return false;
}

void settings_each(const struct settings *s, const char *section, bool sections,
		   void (*fn)(void *arg, const char *name), void *arg)
{
	for (size_t i = 0; s && i < ARRAY_LEN(settings_namespaces); i++) {
		const struct tree *ns = tree_find(s->root, settings_namespaces[i]);
		const struct tree *t = ns ? settings_walk(ns, section) : NULL;

		if (!t)
			continue;
		TREE_FOREACH(it, t) {
			if ((it->kind == TREE_SECTION) == sections &&
			    !settings_seen(s, i, section, it->name))
				fn(arg, it->name);
		}
	}
}

/* ---- unknown keys */

static void settings_judge(const struct tree *t, const char *ns, const char *path)
{
	switch (settings_key_use(path)) {
	case SETTINGS_KEY_USED:
		break;
	case SETTINGS_KEY_UNUSED:
		LOG(CFG, 1, "setting '%s.%s' in %s:%u has no effect in this version", ns, path,
		    t->file ? t->file : "?", t->line);
		break;
	case SETTINGS_KEY_UNKNOWN:
		LOG(CFG, 1, "unknown setting '%s.%s' in %s:%u", ns, path, t->file ? t->file : "?", t->line);
		break;
	}
}

static void settings_judge_below(const struct tree *section, const char *ns, struct buf *path)
{
	size_t outside = path->n;

	TREE_FOREACH(it, section) {
		buf_add_str(path, outside ? "." : "");
		buf_add_str(path, it->name);
		if (it->kind == TREE_SECTION)
			settings_judge_below(it, ns, path);
		else
			settings_judge(it, ns, buf_str(path));
		path->n = outside;
	}
}

void settings_warn_unknown(const struct settings *s)
{
	for (size_t i = 0; s && i < SETTINGS_OWN; i++) {
		const struct tree *ns = tree_find(s->root, settings_namespaces[i]);
		struct buf path = { 0 };

		if (ns && ns->kind == TREE_SECTION)
			settings_judge_below(ns, settings_namespaces[i], &path);
		buf_free(&path);
	}
}
