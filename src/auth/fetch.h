/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_FETCH_H
#define BEWICK_AUTH_FETCH_H

#include "crypto/key.h"
#include "proto/id.h"

/*
 * What comes from outside: files by URI, keys by DNS. Plugins provide both; nothing here waits. Registered at load, frozen before
 * workers start.
 */
struct fetch {
	const char *url;
	struct bytes post;        /* sent if not empty */
	const char *content_type; /* of post */
	size_t max;               /* bytes of the answer; more is a failure */
	uint64_t deadline_ms;     /* CLOCK_MONOTONIC */
	/* Once, on the fetcher's thread or in fetch_start's call: the data, or why not. The fetch is the caller's again. Must not wait. */
	void (*done)(struct fetch *f, bool ok, struct bytes data, const char *why);
	void *own; /* the fetcher's while it is under way */
};
struct fetcher {
	const char *name;
	const char *const *schemes; /* "http", NULL-terminated */
	/* False: at once not possible (too many), done is not called. Any thread. */
	bool (*start)(void *arg, struct fetch *f, struct errtext *err);
	void *arg;
};

/* Trusted raw keys of an identity (RFC 4025). */
struct key_query {
	struct id id;         /* the caller's until done */
	uint64_t deadline_ms;
	/* As above. n 0: there is none that can be trusted, why says the reason. The receiver takes references of its own. */
	void (*done)(struct key_query *q, size_t n, struct public_key *const *keys, const char *why);
	void *own;
};
struct key_source {
	const char *name;
	bool (*start)(void *arg, struct key_query *q, struct errtext *err);
	void *arg;
};

struct fetch_registry;
EXPORT struct fetch_registry *fetch_registry_new(void);
EXPORT void fetch_registry_free(struct fetch_registry *r);
/* Borrowed until removed: a plugin removes its own at unload, when nothing of it is under way any more. */
EXPORT void fetch_add_fetcher(struct fetch_registry *r, const struct fetcher *f);
EXPORT void fetch_remove_fetcher(struct fetch_registry *r, const struct fetcher *f);
EXPORT void fetch_add_key_source(struct fetch_registry *r, const struct key_source *s);
EXPORT void fetch_remove_key_source(struct fetch_registry *r, const struct key_source *s);
/* By the URL's scheme. False: err says why (no plugin for it: which one would help). r may be NULL. */
EXPORT MUST_CHECK bool fetch_start(struct fetch_registry *r, struct fetch *f, struct errtext *err);
EXPORT MUST_CHECK bool fetch_keys(struct fetch_registry *r, struct key_query *q, struct errtext *err);
EXPORT bool fetch_has_key_source(const struct fetch_registry *r);

#endif
