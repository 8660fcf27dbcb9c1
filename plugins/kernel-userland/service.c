/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that installs and removes: routes by netlink, tables under the gates. */
#include "userland.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "loop/thread.h"
#include "util/log.h"

static bool sysctl_is_zero(const char *path)
{
	char value = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = 0;
	close(fd);
	return value == '0';
}

/* Forwarding is the user's; but a gateway without it is the first thing everybody forgets. */
static void service_hint_forwarding(struct kernel *k, const struct kernel_handle *c)
{
	bool v4 = c->local_ts.p[0].family == AF_INET;

	if (k->told_forwarding || routes_is_local(&k->routes, c->local_ts))
		return;
	if (!sysctl_is_zero(v4 ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding"))
		return;
	k->told_forwarding = true;
	LOG(KNL, LOG_LEVEL_CONTROL,
	    "%s: its local network is not this host's own, but the system does not forward: set net.%s", c->name,
	    v4 ? "ipv4.ip_forward=1" : "ipv6.conf.all.forwarding=1");
}

/* Without a mark on our own packets they would go round in circles. */
static bool service_check_loop(struct kernel *k, const struct kernel_handle *c, struct errtext *err)
{
	struct ts peer;

	if (k->dp.mark || c->out.spi == 0)
		return true;
	peer = ts_from_addr(&c->dest.remote);
	for (size_t i = 0; i < c->remote_ts.count; i++) {
		struct ts inner = c->remote_ts.p[i];

		inner.protocol = 0;
		inner.port_from = 0;
		inner.port_to = 65535;
		if (!ts_contains(&inner, &peer))
			continue;
		errtext_set(err, "%s: the peer's own address %s is in its selectors, which needs a firewall mark",
			    c->name, addr_format(&c->dest.remote).s);
		return false;
	}
	return true;
}

static void service_remove_routes(struct kernel *k, struct kernel_handle *c)
{
	guard_remove(&k->guard, c);
	routes_remove(&k->routes, &c->routes);
	shunts_remove(&k->shunts, c);
}

/* Children and traps need routes to the device, shunts ways around it. */
static bool service_add_routes(struct kernel *k, struct kernel_handle *c, struct errtext *err)
{
	if (!child_is_shunt(c)) {
		if (!shunts_add_child(&k->shunts, c, err))
			return false;
		if (routes_add(&k->routes, &c->routes, err))
			return true;
		shunts_remove(&k->shunts, c);
		return false;
	}
	if (!shunts_add(&k->shunts, c, routes_is_local(&k->routes, c->local_ts), &k->children, err))
		return false;
	c->routes.bypass = true;
	if (!shunt_is_whole(c) || routes_add(&k->routes, &c->routes, err))
		return true;
	shunts_remove(&k->shunts, c);
	return false;
}

static bool service_install(struct kernel *k, struct kernel_handle *c, struct errtext *err)
{
	if (c->out.spi && !k->has_fds[c->dest.remote.family == AF_INET6]) {
		errtext_set(err, "%s: there is no socket for the family of %s", c->name,
			    addr_format(&c->dest.remote).s);
		return false;
	}
	if (k->install_routes && (!service_check_loop(k, c, err) || !vip_table_has_all(&k->vips, c->vips, c->n_vips, err) ||
				  !service_add_routes(k, c, err)))
		return false;
	if (guard_add(&k->guard, c, err)) {
		if (dataplane_add(&k->dp, c))
			return true;
		errtext_set(err, "%s: inbound SPI %08x is in use", c->name, c->in.spi);
	}
	service_remove_routes(k, c);
	return false;
}

static void service_do_install(struct kernel *k, struct kernel_handle *c)
{
	struct errtext err = { "" };
	bool ok = service_install(k, c, &err);

	list_add_tail(&k->children, &c->link); /* a failed one too: it lives until it is removed */
	if (ok)
		service_hint_forwarding(k, c);
	if (c->done.fn)
		c->done.fn(c->done.arg, c->done.token, ok ? KERNEL_OK : KERNEL_FAILED, &err);
}

static void service_do_remove(struct kernel *k, struct kernel_handle *c)
{
	dataplane_remove(&k->dp, c);
	service_remove_routes(k, c);
	list_del(&c->link);
	if (c->in.spi)
		spi_pool_give(k->spis, c->in.spi);
	child_put(c); /* packets that are on their way may still use it */
}

static void service_do_update(struct kernel *k, struct service_update *u)
{
	struct errtext err = { "" };
	bool ok = k->has_fds[u->move.remote.family == AF_INET6];

	if (ok)
		dataplane_move(&k->dp, u->child, &u->move.local, &u->move.remote);
	else
		errtext_set(&err, "%s: there is no socket for the family of %s", u->child->name,
			    addr_format(&u->move.remote).s);
	if (u->done.fn)
		u->done.fn(u->done.arg, u->done.token, ok ? KERNEL_OK : KERNEL_FAILED, &err);
	free(u);
}

static void service_do_advance(struct kernel *k, struct service_advance *a)
{
	dataplane_advance(&k->dp, a->child, a->delta);
	free(a);
}

/* False: the end. */
static bool service_mail(struct kernel *k, struct mail *m)
{
	switch ((enum service_mail)m->kind) {
	case SERVICE_INSTALL:
		service_do_install(k, container_of(m, struct kernel_handle, install_mail));
		return true;
	case SERVICE_REMOVE:
		service_do_remove(k, container_of(m, struct kernel_handle, remove_mail));
		return true;
	case SERVICE_UPDATE:
		service_do_update(k, container_of(m, struct service_update, mail));
		return true;
	case SERVICE_ADVANCE:
		service_do_advance(k, container_of(m, struct service_advance, mail));
		return true;
	case SERVICE_CARRY: {
		struct service_carry *c = container_of(m, struct service_carry, mail);

		dataplane_carry(&k->dp, c->child, c->on);
		free(c);
		return true;
	}
	case SERVICE_VIP: {
		struct service_vip *v = container_of(m, struct service_vip, mail);

		if (v->add)
			vip_table_add(&k->vips, &v->vip);
		else
			vip_table_remove(&k->vips, &v->vip);
		free(v);
		return true;
	}
	case SERVICE_FENCE: {
		/* all before it is done */
		struct service_fence *f = container_of(m, struct service_fence, mail);

		f->done.fn(f->done.arg, f->done.token, KERNEL_OK, NULL);
		free(f);
		return true;
	}
	case SERVICE_STOP:
		free(m);
		return false;
	}
	return true;
}

static void *service_main(void *arg)
{
	struct kernel *k = arg;
	struct pollfd fds[3] = { { mailbox_fd(k->box), POLLIN, 0 }, { -1, POLLIN, 0 }, { vip_table_fd(&k->vips), POLLIN, 0 } };
	bool go_on = true;

	if (k->install_routes)
		fds[1].fd = rtnl_monitor_fd(&k->monitor);
	while (go_on) {
		struct mail *m, *next;

		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents && rtnl_monitor_read(&k->monitor, 0, routes_forget, &k->routes))
			routes_refresh(&k->routes);
		if (fds[2].revents)
			vip_table_follow(&k->vips);
		for (m = mailbox_take(k->box); m; m = next) {
			next = m->next;
			go_on = service_mail(k, m) && go_on;
		}
	}
	return NULL;
}

bool service_start(struct kernel *k, struct errtext *err)
{
	int e = thread_start(&k->service, "bewick-esp-ctl", service_main, k);

	if (e) {
		errtext_set(err, "cannot start the service thread: %s", strerror(e));
		return false;
	}
	k->service_runs = true;
	return true;
}

void service_stop(struct kernel *k)
{
	if (!k->service_runs)
		return;
	thread_stop(k->service, k->box, SERVICE_STOP);
	k->service_runs = false;
	/* What came behind the end is in children's memory: it has to be seen before they go. */
	for (struct mail *m = mailbox_take(k->box), *next; m; m = next) {
		next = m->next;
		(void)service_mail(k, m);
	}
	LIST_FOREACH_SAFE(it, &k->children)
		service_do_remove(k, list_entry(it, struct kernel_handle, link));
}
