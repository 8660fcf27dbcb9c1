/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "plugin/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/mem.h"

#define FILE_PREFIX "bewick-"
#define FILE_SUFFIX ".so"

enum entry_state {
	ENTRY_WAITING, /* for what it requires */
	ENTRY_LOADED,
	ENTRY_FAILED,
	ENTRY_NOT_NEEDED,
};

/* One plugin that was asked for. */
struct entry {
	char *name;
	bool mandatory;
	int priority;
	enum entry_state state;
	struct errtext why;
	void *handle; /* of dlopen */
	const struct plugin_descriptor *descriptor;
};

struct plugin_set {
	struct plugin_env *env;
	const char *dir;
	const struct plugin_descriptor *const *built_in;
	struct entry *entries;
	size_t count;
};

static const char *const no_features[] = { NULL };

/* strongSwan's plugins whose work is done by what is always here or by the plugin openssl. */
static const char *const not_needed[] = {
	"aes",		"aesni",  "af-alg",  "blowfish",   "botan",   "ccm",
	"chapoly",	"cmac",	  "ctr",     "curve25519", "des",     "drbg",
	"fips-prf",	"gcm",	  "gcrypt",  "gmp",	   "hmac",    "kdf",
	"md4",		"md5",	  "mgf1",    "nonce",	   "padlock", "random",
	"rc2",		"rdrand", "sha1",    "sha2",	   "sha3",    "socket-default",
	"test-vectors", "vici",	  "wolfssl", "xcbc",
};

static void entry_fail(struct entry *e, const char *why)
{
	e->state = ENTRY_FAILED;
	errtext_set(&e->why, "%s", why);
}

/* ---- which plugins ---- */

static struct entry *set_find(const struct plugin_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!strcmp(set->entries[i].name, name))
			return &set->entries[i];
	}
	return NULL;
}

/* Takes the name. A name given twice counts once. */
static void set_add(struct plugin_set *set, char *name, bool mandatory, int priority)
{
	struct entry *e = set_find(set, name);

	if (e) {
		e->mandatory |= mandatory;
		free(name);
		return;
	}
	set->entries = xrealloc(set->entries, (set->count + 1) * sizeof(*set->entries));
	set->entries[set->count++] =
		(struct entry){ .name = name, .mandatory = mandatory, .priority = priority };
}

static void set_add_listed(struct plugin_set *set, const char *list)
{
	static const char blanks[] = " \t\r\n,";

	for (list += strspn(list, blanks); *list; list += strspn(list, blanks)) {
		size_t n = strcspn(list, blanks);
		bool mandatory = list[n - 1] == '!';

		if (n > mandatory)
			set_add(set, xstrndup(list, n - mandatory), mandatory, 1);
		list += n;
	}
}

/* The plugin's name, if that is how files of plugins are called. Owned. */
static char *name_of_file(const char *file)
{
	size_t n = strlen(file), around = strlen(FILE_PREFIX) + strlen(FILE_SUFFIX);

	if (n <= around || strncmp(file, FILE_PREFIX, strlen(FILE_PREFIX)) ||
	    strcmp(file + n - strlen(FILE_SUFFIX), FILE_SUFFIX))
		return NULL;
	return xstrndup(file + strlen(FILE_PREFIX), n - around);
}

static void set_add_dir(struct plugin_set *set, const char *sub)
{
	char *path = xasprintf("%s%s", set->dir, sub);
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *name = name_of_file(entry->d_name);

		if (name)
			set_add(set, name, false, 1);
	}
	if (dir)
		closedir(dir);
	free(path);
}

static int entry_cmp_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int entry_cmp_priority(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? 1 : -1;
	return entry_cmp_name(a, b);
}

/* All there are, by name. */
static void set_add_found(struct plugin_set *set)
{
	for (size_t i = 0; set->built_in[i]; i++)
		set_add(set, xstrdup(set->built_in[i]->name), false, 1);
	set_add_dir(set, "");
	set_add_dir(set, "/.libs");
	if (set->count)
		qsort(set->entries, set->count, sizeof(*set->entries), entry_cmp_name);
}

static void set_keep_enabled(struct plugin_set *set, plugin_enabled_fn *enabled, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct entry *e = &set->entries[i];

		if (enabled(arg, e->name, &e->priority)) {
			set->entries[kept++] = *e;
			continue;
		}
		LOG(LIB, 2, "plugin '%s' is not enabled", e->name);
		free(e->name);
	}
	set->count = kept;
	if (kept)
		qsort(set->entries, kept, sizeof(*set->entries), entry_cmp_priority);
}

/* ---- opening ---- */

/* The first file there is for the plugin; owned, or NULL. */
static char *entry_path(const struct plugin_set *set, const struct entry *e)
{
	static const char *const subs[] = { "", "/.libs" };
	static const char *const prefixes[] = { FILE_PREFIX, "lib" FILE_PREFIX, "" };

	for (size_t i = 0; i < ARRAY_LEN(subs) && !strchr(e->name, '/'); i++) {
		for (size_t j = 0; j < ARRAY_LEN(prefixes); j++) {
			char *path = xasprintf("%s%s/%s%s" FILE_SUFFIX, set->dir, subs[i],
					       prefixes[j], e->name);

			if (!access(path, F_OK))
				return path;
			free(path);
		}
	}
	return NULL;
}

static const struct plugin_descriptor *built_in_find(const struct plugin_set *set, const char *name)
{
	for (size_t i = 0; set->built_in[i]; i++) {
		if (!strcmp(set->built_in[i]->name, name))
			return set->built_in[i];
	}
	return NULL;
}

static bool is_not_needed(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(not_needed); i++) {
		if (!strcmp(not_needed[i], name))
			return true;
	}
	return false;
}

static void entry_open_file(struct entry *e, const char *path)
{
	const char *error;

	e->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!e->handle) {
		error = dlerror();
		entry_fail(e, error ? error : "it cannot be opened");
		return;
	}
	e->descriptor = dlsym(e->handle, "bewick_plugin");
	if (!e->descriptor) {
		e->state = ENTRY_FAILED;
		errtext_set(&e->why, "%s is not a plugin: it has no descriptor", path);
	}
}

/* Nothing but the ABI may be looked at before the ABI is known. */
static void entry_check(struct entry *e)
{
	const struct plugin_descriptor *d = e->descriptor;

	if (d->abi != PLUGIN_ABI) {
		e->descriptor = NULL;
		e->state = ENTRY_FAILED;
		errtext_set(&e->why, "it was built for plugin interface %u, this is %u", d->abi,
			    PLUGIN_ABI);
	} else if (!d->name || !d->load) {
		e->descriptor = NULL;
		entry_fail(e, "its descriptor is incomplete");
	} else if (strcmp(d->name, e->name) != 0) {
		e->state = ENTRY_FAILED;
		errtext_set(&e->why, "its file calls itself '%.100s'", d->name);
	}
}

static void entry_open(const struct plugin_set *set, struct entry *e)
{
	char *path = NULL;

	e->descriptor = built_in_find(set, e->name);
	if (!e->descriptor) {
		path = entry_path(set, e);
		if (path) {
			entry_open_file(e, path);
		} else if (is_not_needed(e->name)) {
			e->state = ENTRY_NOT_NEEDED;
			LOG(LIB, 2, "plugin '%s' is not needed: what it does is built in", e->name);
		} else {
			e->state = ENTRY_FAILED;
			errtext_set(&e->why, "there is no such plugin in %s", set->dir);
		}
	}
	if (e->descriptor)
		entry_check(e);
	free(path);
}

/* ---- order ---- */

/* Those that nobody asked for by name are as if they were not there. */
static void set_drop_optional(struct plugin_set *set, const struct plugin_options *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct entry *e = &set->entries[i];

		if (!e->descriptor || !e->descriptor->optional || (o->asked && o->asked(o->asked_arg, e->name))) {
			set->entries[kept++] = *e;
			continue;
		}
		LOG(LIB, 2, "plugin '%s' is not asked for", e->name);
		if (e->handle)
			dlclose(e->handle);
		free(e->name);
	}
	set->count = kept;
}

static const char *const *features(const char *const *list)
{
	return list ? list : no_features;
}

static bool set_provides(const struct plugin_set *set, const char *feature, enum entry_state state)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->entries[i].state != state)
			continue;
		for (const char *const *f = features(set->entries[i].descriptor->provides); *f;
		     f++) {
			if (!strcmp(*f, feature))
				return true;
		}
	}
	return false;
}

/* The first feature the plugin requires that is not loaded; NULL if it can be loaded. */
static const char *entry_lacks(const struct plugin_set *set, const struct entry *e)
{
	for (const char *const *f = features(e->descriptor->requires); *f; f++) {
		if (!set_provides(set, *f, ENTRY_LOADED))
			return *f;
	}
	return NULL;
}

static void entry_load(struct plugin_set *set, struct entry *e)
{
	struct errtext err = { "it does not say why" };

	if (e->descriptor->load(set->env, &err)) {
		e->state = ENTRY_LOADED;
		LOG(LIB, 2, "plugin '%s' loaded", e->name);
		return;
	}
	entry_fail(e, err.s);
}

/* Moves what was loaded to the front, in the order of loading, which is the order of unloading
 * reversed. */
static void set_move(struct plugin_set *set, size_t from, size_t to)
{
	struct entry e = set->entries[from];

	memmove(&set->entries[to + 1], &set->entries[to], (from - to) * sizeof(e));
	set->entries[to] = e;
}

/* Always the first, in the configured order, of those that can be loaded now. */
static void set_load(struct plugin_set *set)
{
	size_t loaded = 0, i = 0;

	while (i < set->count) {
		struct entry *e = &set->entries[i];

		if (e->state != ENTRY_WAITING || entry_lacks(set, e)) {
			i++;
			continue;
		}
		entry_load(set, e);
		if (set->entries[i].state == ENTRY_LOADED)
			set_move(set, i, loaded++);
		i = loaded;
	}
	for (i = 0; i < set->count; i++) {
		struct entry *e = &set->entries[i];

		if (e->state != ENTRY_WAITING)
			continue;
		const char *lacks = entry_lacks(set, e);
		bool waits = set_provides(set, lacks, ENTRY_WAITING);

		errtext_set(&e->why,
			    waits ? "it requires %.100s of a plugin that could not be loaded either"
				  : "it requires %.100s, which no plugin provides",
			    lacks);
	}
	for (i = 0; i < set->count; i++) {
		if (set->entries[i].state == ENTRY_WAITING)
			set->entries[i].state = ENTRY_FAILED;
	}
}

/* ---- the whole ---- */

static const struct entry *set_report(const struct plugin_set *set)
{
	const struct entry *missing = NULL;
	struct buf names = { 0 };

	for (size_t i = 0; i < set->count; i++) {
		const struct entry *e = &set->entries[i];

		if (e->state == ENTRY_LOADED)
			buf_printf(&names, " %s", e->name);
		if (e->state != ENTRY_FAILED)
			continue;
		LOG(LIB, 1, "plugin '%s' not loaded: %s", e->name, e->why.s);
		if (e->mandatory && !missing)
			missing = e;
	}
	LOG(LIB, 1, "loaded plugins:%s", names.n ? buf_str(&names) : " none");
	buf_free(&names);
	return missing;
}

struct plugin_set *plugins_load(const struct plugin_options *options, struct plugin_env *env,
				struct errtext *err)
{
	struct plugin_set *set = xcalloc(1, sizeof(*set));
	const struct entry *missing;

	set->env = env;
	set->dir = options->dir ? options->dir : PLUGINDIR;
	set->built_in = options->built_in ? options->built_in : plugins_built_in;
	if (options->load && !options->enabled)
		set_add_listed(set, options->load);
	else
		set_add_found(set);
	if (options->enabled)
		set_keep_enabled(set, options->enabled, options->enabled_arg);
	for (size_t i = 0; i < set->count; i++)
		entry_open(set, &set->entries[i]);
	if (!options->load || options->enabled)
		set_drop_optional(set, options);
	set_load(set);
	missing = set_report(set);
	if (!missing)
		return set;
	errtext_set(err, "the mandatory plugin '%s' could not be loaded: %.300s", missing->name,
		    missing->why.s);
	plugins_unload(set);
	return NULL;
}

void plugins_unload(struct plugin_set *set)
{
	if (!set)
		return;
	for (size_t i = set->count; i-- > 0;) {
		struct entry *e = &set->entries[i];

		if (e->state == ENTRY_LOADED && e->descriptor->unload)
			e->descriptor->unload(set->env);
	}
	for (size_t i = set->count; i-- > 0;) {
		/* the code of those that were at work stays: a thread of a library may still be on its way out, as one of libcurl that
		 * waits for a name server is, whom nobody can hurry */
		if (set->entries[i].handle && set->entries[i].state != ENTRY_LOADED)
			dlclose(set->entries[i].handle);
		free(set->entries[i].name);
	}
	free(set->entries);
	free(set);
}

size_t plugins_count(const struct plugin_set *set)
{
	return set->count;
}

struct plugin_info plugins_get(const struct plugin_set *set, size_t index)
{
	const struct entry *e = &set->entries[index];
	const struct plugin_descriptor *d = e->descriptor;
	struct plugin_info info = { .name = e->name,
				    .provides = no_features,
				    .requires = no_features };

	if (d) {
		info.version = d->version ? d->version : PACKAGE_VERSION;
		info.summary = d->summary;
		info.provides = features(d->provides);
		info.requires = features(d->requires);
	}
	info.state = e->state == ENTRY_LOADED	    ? PLUGIN_STATE_LOADED
		     : e->state == ENTRY_NOT_NEEDED ? PLUGIN_STATE_NOT_NEEDED
						    : PLUGIN_STATE_FAILED;
	info.why = info.state == PLUGIN_STATE_FAILED ? e->why.s : NULL;
	return info;
}

const char *plugin_state_name(enum plugin_state state)
{
	switch (state) {
	case PLUGIN_STATE_LOADED:
		return "loaded";
	case PLUGIN_STATE_FAILED:
		return "failed";
	case PLUGIN_STATE_NOT_NEEDED:
		return "not needed";
	}
	return "unknown";
}
