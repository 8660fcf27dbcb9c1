/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGIN_ATTRIBUTES_H
#define BEWICK_PLUGIN_ATTRIBUTES_H

#include "proto/id.h"
#include "util/addr.h"

/*
 * Configuration attributes (RFC 7296, 3.15.1) by plugins: providers tell what clients are given, handlers put into force
 * what a gateway gave us. Registered at load; both lists are frozen before workers start.
 */
struct attribute {
	uint16_t type; /* enum cp_attr */
	struct bytes value;
};

/* Who asks. */
struct attribute_query {
	const char *conn;
	const struct id *remote_id;
	const struct addr *vips; /* that it is given */
	size_t n_vips;
};

struct attribute_provider {
	const char *name;
	/* Writes up to max attributes; their values live as long as the plugin. On workers, any of them at a time: must not wait. */
	size_t (*provide)(void *arg, const struct attribute_query *query, struct attribute *ret, size_t max);
	void *arg;
};

/* Where an attribute came from. */
struct attribute_source {
	const char *conn;
	uint32_t ike_id;    /* of the IKE_SA, for log lines */
	uint32_t origin_id; /* the same from its beginning to its end, over rekeyings */
	struct addr local, remote;
};

struct attribute_handler {
	const char *name;
	int rank; /* of several for a type the highest has it */
	const uint16_t *types; /* that it asks gateways for */
	size_t n_types;
	/* add: to be put into force; else: its IKE_SA is gone. Each add has its end, from the same source with the same value. On
	 * control's thread: must not wait. NULL: who asks finds them elsewhere (struct hook_child). */
	void (*handle)(void *arg, const struct attribute_source *source, const struct attribute *attribute, bool add);
	void *arg;
};

struct attribute_registry;
EXPORT struct attribute_registry *attribute_registry_new(void);
EXPORT void attribute_registry_free(struct attribute_registry *r);
/* Borrowed until removed. */
EXPORT void attribute_add_provider(struct attribute_registry *r, const struct attribute_provider *p);
EXPORT void attribute_remove_provider(struct attribute_registry *r, const struct attribute_provider *p);
EXPORT void attribute_add_handler(struct attribute_registry *r, const struct attribute_handler *h);
EXPORT void attribute_remove_handler(struct attribute_registry *r, const struct attribute_handler *h);

/* All accept r == NULL: nobody. */
size_t attributes_provide(const struct attribute_registry *r, const struct attribute_query *query, struct attribute *ret,
			  size_t max);
/* The types that handlers ask for, each once. */
size_t attributes_wanted(const struct attribute_registry *r, uint16_t *ret_types, size_t max);
EXPORT const struct attribute_handler *attribute_handler_of(const struct attribute_registry *r, uint16_t type);

#endif
