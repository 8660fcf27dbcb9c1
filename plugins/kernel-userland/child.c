/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <stdlib.h>

#include "shunt.h"

#include "util/log.h"

void out_dest_set(struct out_dest *d, const struct addr *local, const struct addr *remote)
{
	struct sockaddr_storage ss;

	d->local = *local;
	d->remote = *remote;
	d->to_len = addr_to_sockaddr(remote, &ss);
	memcpy(&d->to, &ss, d->to_len < sizeof(d->to) ? d->to_len : sizeof(d->to));
}

static struct ts_list ts_list_copy(struct ts_list list)
{
	return (struct ts_list){ list.count, xmemdup(list.p, list.count * sizeof(*list.p)) };
}

/* What this backend does not do is refused by name. */
static bool child_check(const struct kernel_child *conf, bool trap, struct errtext *err)
{
	bool shunt = conf->mode == IPSEC_MODE_PASS || conf->mode == IPSEC_MODE_DROP;

	if (conf->mode != IPSEC_MODE_TUNNEL && !shunt) {
		errtext_set(err, "%s: kernel-userland carries tunnel mode only", conf->name);
		return false;
	}
	if (policy_count(conf->local_ts, conf->remote_ts) == 0) {
		errtext_set(err, "%s: no local selector fits a remote one", conf->name);
		return false;
	}
	if (policy_count(conf->local_ts, conf->remote_ts) > POLICY_MAX_PER_CHILD) {
		errtext_set(err, "%s: %zu pairs of selectors, at most %d are supported", conf->name,
			    policy_count(conf->local_ts, conf->remote_ts), POLICY_MAX_PER_CHILD);
		return false;
	}
	if (trap)
		return true;
	if (shunt) {
		errtext_set(err, "%s: a shunt with SPIs", conf->name);
		return false;
	}
	if (conf->protocol != PROTOCOL_ESP) {
		errtext_set(err, "%s: kernel-userland carries ESP only", conf->name);
		return false;
	}
	if (!conf->encap) {
		errtext_set(err, "%s: kernel-userland carries ESP in UDP only", conf->name);
		return false;
	}
	if (conf->in.spi == 0 || conf->out.spi == 0 || conf->out.dst.family == 0 || conf->out.dst.port == 0) {
		errtext_set(err, "%s: an SPI or the peer's address is missing", conf->name);
		return false;
	}
	if (!conf->protect.cipher || conf->out.encr_key.n != protect_encr_key_len(&conf->protect) ||
	    conf->in.encr_key.n != conf->out.encr_key.n ||
	    conf->out.integ_key.n != protect_integ_key_len(&conf->protect) ||
	    conf->in.integ_key.n != conf->out.integ_key.n) {
		errtext_set(err, "%s: keys of a wrong length", conf->name);
		return false;
	}
	return true;
}

struct kernel_handle *child_new(const struct kernel_child *conf, struct errtext *err)
{
	bool trap = conf->in.spi == 0 && conf->out.spi == 0;
	struct kernel_handle *c;

	if (!child_check(conf, trap, err))
		return NULL;
	c = xcalloc(1, sizeof(*c));
	list_init(&c->link);
	atomic_init(&c->users, 1);
	pthread_mutex_init(&c->in_lock, NULL);
	pthread_mutex_init(&c->out_lock, NULL);
	c->reqid = conf->reqid;
	c->ike_id = conf->ike_id;
	c->child_id = conf->unique_id;
	c->name = xstrdup(conf->name ? conf->name : "");
	c->local_ts = ts_list_copy(conf->local_ts);
	c->remote_ts = ts_list_copy(conf->remote_ts);
	c->vips = xmemdup(conf->vips, conf->n_vips * sizeof(*conf->vips));
	c->n_vips = conf->n_vips;
	c->routes = (struct route_user){ .name = c->name, .local_ts = c->local_ts, .remote_ts = c->remote_ts,
					 .vips = c->vips, .n_vips = c->n_vips };
	c->mode = conf->mode;
	c->priority = conf->priority ? conf->priority : POLICY_PRIORITY_COMPUTED;
	c->place = child_is_shunt(c) ? POLICY_SHUNT : trap ? POLICY_TRAP : conf->out_waits ? POLICY_WAITS : POLICY_NEWEST;
	c->policies = policies_new(c->local_ts, c->remote_ts, conf->priority, c, &c->n_policies);
	if (c->mode == IPSEC_MODE_DROP)
		c->policies_in = policies_new(c->local_ts, c->remote_ts, conf->priority, c, &c->n_policies);
	out_dest_set(&c->dest, &conf->out.src, &conf->out.dst);
	c->peer = conf->out.dst;
	c->mappings = (struct ratelimit){ .per_second = 1, .burst = 4 };
	if (!trap) {
		esp_out_init(&c->out, conf);
		esp_in_init(&c->in, conf);
	}
	return c;
}

void child_put(struct kernel_handle *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->users, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&c->in_lock);
	pthread_mutex_destroy(&c->out_lock);
	esp_out_clear(&c->out);
	esp_in_clear(&c->in);
	free(c->policies);
	free(c->policies_in);
	free(c->rules);
	free(c->vips);
	free((void *)c->local_ts.p);
	free((void *)c->remote_ts.p);
	free(c->name);
	free(c);
}
