/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "algorithms.h"
#include "internal.h"
#include "sa.h"
#include "util/secret.h"

static struct ts_list child_copy_ts(struct ts_list list)
{
	return (struct ts_list){ list.count, xmemdup(list.p, list.count * sizeof(*list.p)) };
}

static void child_copy_keys(struct kernel_sa *sa)
{
	sa->encr_key.p = xmemdup(sa->encr_key.p, sa->encr_key.n);
	sa->integ_key.p = xmemdup(sa->integ_key.p, sa->integ_key.n);
}

static void child_wipe_keys(struct kernel_sa *sa)
{
	secret_wipe((void *)sa->encr_key.p, sa->encr_key.n);
	secret_wipe((void *)sa->integ_key.p, sa->integ_key.n);
	free((void *)sa->encr_key.p);
	free((void *)sa->integ_key.p);
}

static bool child_check_suite(const struct kernel_child *c, struct errtext *err)
{
	const struct kernel_algorithm *cipher = kernel_cipher(c->suite.encr);

	if (!cipher) {
		errtext_set(err, "%s: the kernel's ESP has no cipher with transform id %u", c->name, c->suite.encr);
		return false;
	}
	if (!cipher->bits && !kernel_integrity(c->suite.integ)) {
		errtext_set(err, "%s: the kernel's ESP has no integrity algorithm with transform id %u", c->name,
			    c->suite.integ);
		return false;
	}
	return true;
}

static bool child_check_window(const struct kernel_child *c, struct errtext *err)
{
	if (c->replay_window > SA_MAX_WINDOW) {
		errtext_set(err, "%s: a replay window of %u packets, but the kernel has at most %u", c->name,
			    c->replay_window, SA_MAX_WINDOW);
		return false;
	}
	if (c->replay_window == 0 && c->suite.esn == ESN_YES) {
		errtext_set(err, "%s: extended sequence numbers need a replay window in the kernel", c->name);
		return false;
	}
	return true;
}

static bool child_is_host(struct ts_list list)
{
	struct prefix p;

	return list.count == 1 && ts_to_prefix(&list.p[0], &p) && p.len == addr_len(&p.net) * 8;
}

static bool child_check_mode(const struct kernel_child *c, struct errtext *err)
{
	switch (c->mode) {
	case IPSEC_MODE_TUNNEL:
	case IPSEC_MODE_TRANSPORT:
		return true;
	case IPSEC_MODE_BEET:
		if (child_is_host(c->local_ts) && child_is_host(c->remote_ts))
			return true;
		errtext_set(err, "%s: mode BEET is between one address each, in the kernel", c->name);
		return false;
	case IPSEC_MODE_PASS:
	case IPSEC_MODE_DROP:
		break;
	}
	errtext_set(err, "%s: a shunt has no SAs", c->name);
	return false;
}

static bool child_check(const struct kernel_child *c, struct errtext *err)
{
	if (c->local_ts.count == 0 || c->remote_ts.count == 0) {
		errtext_set(err, "%s: there are no selectors", c->name);
		return false;
	}
	if (c->in.spi == 0 && c->out.spi == 0)
		return true;
	if (c->protocol != PROTOCOL_ESP) {
		errtext_set(err, "%s: kernel-netlink carries ESP only", c->name);
		return false;
	}
	if (c->in.spi == 0 || c->out.spi == 0 || c->out.dst.family == 0 || c->out.dst.family != c->out.src.family) {
		errtext_set(err, "%s: an SPI or an address is missing", c->name);
		return false;
	}
	if (c->in.encr_key.n > SA_MAX_KEY || c->in.integ_key.n > SA_MAX_KEY || c->out.encr_key.n > SA_MAX_KEY ||
	    c->out.integ_key.n > SA_MAX_KEY) {
		errtext_set(err, "%s: a key is too long", c->name);
		return false;
	}
	return child_check_mode(c, err) && child_check_suite(c, err) && child_check_window(c, err);
}

static void sa_init(struct sa *sa, struct kernel_handle *h, bool in)
{
	sa->h = h;
	sa->in = in;
	sa->conf = in ? &h->conf.in : &h->conf.out;
}

struct kernel_handle *handle_new(struct kernel *k, const struct kernel_child *conf, struct errtext *err)
{
	struct kernel_handle *h;

	if (!child_check(conf, err))
		return NULL;
	h = xcalloc(1, sizeof(*h));
	h->kernel = k;
	h->conf = *conf;
	h->conf.name = xstrdup(conf->name ? conf->name : "");
	h->conf.scope.interface = conf->scope.interface ? xstrdup(conf->scope.interface) : NULL;
	h->conf.local_ts = child_copy_ts(conf->local_ts);
	h->conf.remote_ts = child_copy_ts(conf->remote_ts);
	h->conf.vips = xmemdup(conf->vips, conf->n_vips * sizeof(*conf->vips));
	child_copy_keys(&h->conf.in);
	child_copy_keys(&h->conf.out);
	sa_init(&h->in, h, true);
	sa_init(&h->out, h, false);
	list_init(&h->link);
	list_init(&h->query_link);
	h->refs = 1;
	return h;
}

void handle_free(struct kernel_handle *h)
{
	if (!h)
		return;
	child_wipe_keys(&h->conf.in);
	child_wipe_keys(&h->conf.out);
	free((void *)h->conf.local_ts.p);
	free((void *)h->conf.remote_ts.p);
	free((void *)h->conf.vips);
	free((void *)h->conf.scope.interface);
	free((void *)h->conf.name);
	free(h);
}

void handle_ref(struct kernel_handle *h)
{
	h->refs++;
}

void handle_unref(struct kernel_handle *h)
{
	if (--h->refs == 0)
		handle_free(h);
}
