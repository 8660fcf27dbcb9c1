/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth/fetch.h"
#include "chain.h"
#include "config/settings.h"
#include "dns.h"
#include "loop/lanes.h"
#include "loop/loop.h"
#include "plugin/plugin.h"
#include "proven.h"
#include "record.h"
#include "util/log.h"
#include "util/mem.h"

/*
 * Raw keys of peers out of the DNS: IPSECKEY records (RFC 4025) of their names, as far as DNSSEC proves them from configured
 * trust anchors. Each look-up waits on a thread of its own, so that a slow name server delays nobody else.
 */
#define IPSECKEY_THREADS 32 /* look-ups at a time; threads are made when needed */
#define IPSECKEY_WAITING 256

static struct {
	struct lanes *lanes;
	struct anchors anchors;
	struct addr servers[DNS_SERVERS];
	size_t n_servers;
} ipseckey;

struct ipseckey_job {
	struct lane_item item;
	struct key_query *query; /* NULL: it has been answered */
};

/* ---- a look-up, on a thread that may wait ---- */

static void ipseckey_answer(struct ipseckey_job *job, size_t n, struct public_key *const *keys, const char *why)
{
	struct key_query *q = job->query;

	job->query = NULL;
	q->done(q, n, keys, why);
}

static struct public_key *ipseckey_key(const ldns_rr *rr, struct errtext *err)
{
	ldns_buffer *wire = ldns_buffer_new(LDNS_MIN_BUFLEN);
	struct public_key *key = NULL;
	struct buf spki = { 0 };
	enum key_type type;

	if (!wire || ldns_rr_rdata2buffer_wire(wire, rr) != LDNS_STATUS_OK)
		errtext_set(err, "its data cannot be read");
	else if (record_spki(bytes_of(ldns_buffer_begin(wire), ldns_buffer_position(wire)), &spki, &type, err))
		key = public_key_parse(buf_bytes(&spki), type, err);
	buf_free(&spki);
	ldns_buffer_free(wire);
	return key;
}

/* What can be used of proven records; those that cannot are named in the log. */
static size_t ipseckey_keys(const ldns_rr_list *set, const char *name, struct public_key **ret, struct errtext *err)
{
	size_t n = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(set) && n < CHAIN_RECORDS; i++) {
		ret[n] = ipseckey_key(ldns_rr_list_rr(set, i), err);
		if (ret[n])
			n++;
		else
			LOG(CFG, LOG_LEVEL_CONTROL, "an IPSECKEY record of %s cannot be used: %s", name, err->s);
	}
	return n;
}

static void ipseckey_look(struct ipseckey_job *job, const ldns_rdf *dname, const char *name, int cancel_fd)
{
	struct dns_client client = { ipseckey.servers, ipseckey.n_servers, job->query->deadline_ms, cancel_fd };
	struct chain_resolver resolver = { dns_ask, &client, &ipseckey.anchors, time(NULL) };
	struct public_key *keys[CHAIN_RECORDS];
	struct errtext err = { "none of its records can be used" }, why;
	ldns_rr_list *set = chain_lookup(&resolver, dname, LDNS_RR_TYPE_IPSECKEY, &err);
	size_t n = set ? ipseckey_keys(set, name, keys, &err) : 0;

	if (n)
		LOG(CFG, LOG_LEVEL_DETAIL, "%zu IPSECKEY record%s of %s proven by DNSSEC", n, n == 1 ? "" : "s", name);
	errtext_set(&why, "no trusted IPSECKEY record of %s: %.380s", name, err.s);
	ipseckey_answer(job, n, keys, n ? NULL : why.s);
	while (n)
		public_key_unref(keys[--n]);
	ldns_rr_list_deep_free(set);
}

static void ipseckey_run(struct lane_item *item, int cancel_fd)
{
	struct ipseckey_job *job = container_of(item, struct ipseckey_job, item);
	struct bytes id = job->query->id.data;
	char name[LDNS_MAX_DOMAINLEN + 1];
	ldns_rdf *dname;

	memcpy(name, id.p, id.n);
	name[id.n] = 0;
	dname = ldns_dname_new_frm_str(name);
	if (!dname)
		ipseckey_answer(job, 0, NULL, "it is no name of the DNS");
	else if (clock_monotonic_ms() >= job->query->deadline_ms)
		ipseckey_answer(job, 0, NULL, "no IPSECKEY record in time: too many names are looked up");
	else
		ipseckey_look(job, dname, name, cancel_fd);
	ldns_rdf_deep_free(dname);
}

static void ipseckey_drop(struct lane_item *item)
{
	struct ipseckey_job *job = container_of(item, struct ipseckey_job, item);

	if (job->query)
		ipseckey_answer(job, 0, NULL, "the daemon ends");
	free(job);
}

/* ---- asking; any thread ---- */

/* Host names only: nothing that would have to be escaped. */
static bool ipseckey_is_name(struct bytes name)
{
	if (!name.n || name.n > LDNS_MAX_DOMAINLEN - 2)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
	}
	return true;
}

static bool ipseckey_start(void *arg, struct key_query *q, struct errtext *err)
{
	static atomic_uint_fast64_t next;
	struct ipseckey_job *job;

	(void)arg;
	if (q->id.type != ID_TYPE_FQDN || !ipseckey_is_name(q->id.data)) {
		errtext_set(err, "%s is no host name: IPSECKEY records are looked up for those only", id_text(&q->id).s);
		return false;
	}
	job = xcalloc(1, sizeof(*job));
	job->item = (struct lane_item){ .lane = atomic_fetch_add(&next, 1), .run = ipseckey_run, .drop = ipseckey_drop };
	job->query = q;
	if (lanes_submit(ipseckey.lanes, &job->item))
		return true;
	free(job);
	errtext_set(err, "too many IPSECKEY records are looked up");
	return false;
}

/* ---- life ---- */

static const struct key_source ipseckey_source = { .name = "ipseckey", .start = ipseckey_start };

static bool ipseckey_load(struct plugin_env *env, struct errtext *err)
{
	const struct settings *s = env->settings;

	if (!settings_bool(s, "plugins.ipseckey.enable", false)) {
		LOG(CFG, LOG_LEVEL_CONTROL, "ipseckey: keys are not looked up in the DNS without plugins.ipseckey.enable = yes");
		return true;
	}
	if (!env->fetchers) {
		errtext_set(err, "nobody asks for keys here");
		return false;
	}
	if (!dns_servers_load(settings_str(s, "plugins.unbound.resolv_conf", "/etc/resolv.conf"), ipseckey.servers, &ipseckey.n_servers, err) ||
	    !anchors_load(settings_str(s, "plugins.unbound.trust_anchors", "/usr/share/dns/root.key"), &ipseckey.anchors, err))
		return false;
	ipseckey.lanes = lanes_new(IPSECKEY_THREADS, IPSECKEY_WAITING);
	if (!ipseckey.lanes) {
		errtext_set(err, "no descriptor: %s", strerror(errno));
		anchors_free(&ipseckey.anchors);
		return false;
	}
	fetch_add_key_source(env->fetchers, &ipseckey_source);
	return true;
}

static void ipseckey_unload(struct plugin_env *env)
{
	if (!ipseckey.lanes)
		return;
	fetch_remove_key_source(env->fetchers, &ipseckey_source);
	lanes_free(ipseckey.lanes);
	ipseckey.lanes = NULL;
	anchors_free(&ipseckey.anchors);
}

static const char *const ipseckey_provides[] = { "key-source:dns", NULL };
static const char *const ipseckey_requires[] = { NULL };

PLUGIN_DEFINE(ipseckey) = {
	.abi = PLUGIN_ABI,
	.name = "ipseckey",
	.summary = "raw keys of peers out of the DNS, proven by DNSSEC",
	.provides = ipseckey_provides,
	.requires = ipseckey_requires,
	.optional = true,
	.load = ipseckey_load,
	.unload = ipseckey_unload,
};
