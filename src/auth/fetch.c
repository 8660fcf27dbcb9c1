/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/mem.h"

/* More of a kind than anybody has. */
#define FETCH_MAX 8

struct fetch_registry {
	const struct fetcher *fetchers[FETCH_MAX];
	const struct key_source *sources[FETCH_MAX];
	size_t n_fetchers, n_sources;
};

struct fetch_registry *fetch_registry_new(void)
{
	return xcalloc(1, sizeof(struct fetch_registry));
}

void fetch_registry_free(struct fetch_registry *r)
{
	free(r);
}

void fetch_add_fetcher(struct fetch_registry *r, const struct fetcher *f)
{
	if (r->n_fetchers < FETCH_MAX)
		r->fetchers[r->n_fetchers++] = f;
}

void fetch_remove_fetcher(struct fetch_registry *r, const struct fetcher *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_fetchers; i++)
		if (r->fetchers[i] != f)
			r->fetchers[kept++] = r->fetchers[i];
	r->n_fetchers = kept;
}

void fetch_add_key_source(struct fetch_registry *r, const struct key_source *s)
{
	if (r->n_sources < FETCH_MAX)
		r->sources[r->n_sources++] = s;
}

void fetch_remove_key_source(struct fetch_registry *r, const struct key_source *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_sources; i++)
		if (r->sources[i] != s)
			r->sources[kept++] = r->sources[i];
	r->n_sources = kept;
}

static bool fetcher_has_scheme(const struct fetcher *f, const char *scheme, size_t n)
{
	for (const char *const *s = f->schemes; *s; s++)
		if (strlen(*s) == n && strncasecmp(*s, scheme, n) == 0)
			return true;
	return false;
}

/* What would help: the plugin that has such URLs, or the plain word that none has. */
static void fetch_explain(const char *url, size_t n, struct errtext *err)
{
	static const char *const by_curl[] = { "http", "https", "file" };

	for (size_t i = 0; i < ARRAY_LEN(by_curl); i++) {
		if (strlen(by_curl[i]) == n && strncasecmp(by_curl[i], url, n) == 0) {
			errtext_set(err, "'%.200s' cannot be fetched: the plugin curl is not loaded", url);
			return;
		}
	}
	if (n == 4 && (strncasecmp(url, "ldap", 4) == 0))
		errtext_set(err, "'%.200s' cannot be fetched: LDAP is not supported, only http, https and file", url);
	else
		errtext_set(err, "'%.200s' cannot be fetched: no plugin for such URLs is loaded", url);
}

bool fetch_start(struct fetch_registry *r, struct fetch *f, struct errtext *err)
{
	const char *colon = strchr(f->url, ':');
	size_t n = colon ? (size_t)(colon - f->url) : 0;

	if (n == 0) {
		errtext_set(err, "'%.200s' is no URL", f->url);
		return false;
	}
	for (size_t i = 0; r && i < r->n_fetchers; i++)
		if (fetcher_has_scheme(r->fetchers[i], f->url, n))
			return r->fetchers[i]->start(r->fetchers[i]->arg, f, err);
	fetch_explain(f->url, n, err);
	return false;
}

bool fetch_keys(struct fetch_registry *r, struct key_query *q, struct errtext *err)
{
	if (!fetch_has_key_source(r)) {
		errtext_set(err, "no plugin is loaded that looks up keys");
		return false;
	}
	return r->sources[0]->start(r->sources[0]->arg, q, err);
}

bool fetch_has_key_source(const struct fetch_registry *r)
{
	return r && r->n_sources > 0;
}
