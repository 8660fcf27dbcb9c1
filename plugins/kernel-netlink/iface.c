/* SPDX-License-Identifier: Apache-2.0 */
#include "iface.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "kernel/rtnl_message.h"
#include "util/log.h"
#include "util/mem.h"

#define SECTION "plugins.kernel-netlink.interfaces"
#define ADDRESSES_MAX 16

struct iface {
	char name[IFNAMSIZ];
	uint32_t if_id;
	unsigned mtu, dev, vrf; /* 0: none */
	char *namespace;        /* NULL: ours */
	struct addr addresses[ADDRESSES_MAX];
	uint8_t lengths[ADDRESSES_MAX];
	unsigned n_addresses;
	struct rtnl rtnl; /* in its namespace */
	bool made;
};

/* ---- settings ---- */

static const char *iface_str(const struct settings *s, const struct iface *i, const char *key)
{
	char path[128];

	(void)snprintf(path, sizeof(path), SECTION ".%s.%s", i->name, key);
	return settings_str(s, path, NULL);
}

static int64_t iface_int(const struct settings *s, const struct iface *i, const char *key)
{
	char path[128];

	(void)snprintf(path, sizeof(path), SECTION ".%s.%s", i->name, key);
	return settings_int(s, path, 0);
}

static bool iface_find(const struct settings *s, const struct iface *i, const char *key, unsigned *ret, struct errtext *err)
{
	const char *name = iface_str(s, i, key);

	*ret = name ? if_nametoindex(name) : 0;
	if (!name || *ret)
		return true;
	errtext_set(err, SECTION ".%s.%s: there is no interface '%s'", i->name, key, name);
	return false;
}

static bool iface_read_addresses(struct iface *i, const char *text, struct errtext *err)
{
	while (text && text[strspn(text, " ,")]) {
		size_t n = strcspn(text += strspn(text, " ,"), " ,"), ip = strcspn(text, "/ ,");
		struct prefix net;

		if (i->n_addresses == ADDRESSES_MAX || !prefix_parse(bytes_of(text, n), &net) ||
		    !addr_parse(bytes_of(text, ip < n ? ip : n), &i->addresses[i->n_addresses])) {
			errtext_set(err, SECTION ".%s.addresses: up to %d of ADDRESS[/BITS] are expected, not '%.*s'", i->name,
				    ADDRESSES_MAX, (int)n, text);
			return false;
		}
		i->lengths[i->n_addresses++] = net.len;
		text += n;
	}
	return true;
}

static bool iface_read(struct iface *i, const struct settings *s, struct errtext *err)
{
	int64_t id = iface_int(s, i, "if_id"), mtu = iface_int(s, i, "mtu");
	const char *namespace = iface_str(s, i, "namespace");

	if (id < 1 || id > UINT32_MAX || mtu < 0 || mtu > 65535) {
		errtext_set(err, SECTION ".%s needs an if_id (1 to 4294967295), and an mtu of at most 65535", i->name);
		return false;
	}
	i->if_id = (uint32_t)id;
	i->mtu = (unsigned)mtu;
	i->namespace = namespace ? xstrdup(namespace) : NULL;
	return iface_find(s, i, "dev", &i->dev, err) && iface_find(s, i, "vrf", &i->vrf, err) &&
	       iface_read_addresses(i, iface_str(s, i, "addresses"), err);
}

/* ---- namespaces ---- */

static int namespace_open(const char *name)
{
	char path[256];

	if (!name)
		return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s%s", *name == '/' ? "" : "/run/netns/", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A socket stays in the namespace it was made in; this thread comes back. */
static bool iface_open_socket(struct iface *i, int *ret_namespace, struct errtext *err)
{
	int home = namespace_open(NULL), fd = namespace_open(i->namespace);
	bool ok = false;

	if (home < 0 || fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		errtext_set(err, "cannot use the network namespace '%s': %s", i->namespace ? i->namespace : "",
			    strerror(errno));
	else
		ok = rtnl_open(&i->rtnl, err);
	if (home >= 0 && fd >= 0 && setns(home, CLONE_NEWNET) != 0 && ok) {
		errtext_set(err, "cannot come back from a network namespace: %s", strerror(errno));
		ok = false;
	}
	if (home >= 0)
		close(home);
	*ret_namespace = fd;
	return ok;
}

/* ---- requests ---- */

static struct nlmsghdr *link_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = rtnl_begin(r, q, type, flags);

	(void)mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	return h;
}

static int link_make(struct rtnl *r, const struct iface *i)
{
	struct rtnl_request q;
	struct nlmsghdr *h = link_begin(r, &q, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data;

	mnl_attr_put_strz(h, IFLA_IFNAME, i->name);
	if (i->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, i->mtu);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "xfrm");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (i->dev)
		mnl_attr_put_u32(h, IFLA_XFRM_LINK, i->dev);
	mnl_attr_put_u32(h, IFLA_XFRM_IF_ID, i->if_id);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return rtnl_talk(r, h, NULL, NULL);
}

static int link_set(struct rtnl *r, const struct iface *i, uint16_t attr, uint32_t value)
{
	struct rtnl_request q;
	struct nlmsghdr *h = link_begin(r, &q, RTM_NEWLINK, NLM_F_ACK);

	mnl_attr_put_strz(h, IFLA_IFNAME, i->name);
	mnl_attr_put_u32(h, attr, value);
	return rtnl_talk(r, h, NULL, NULL);
}

struct link_found {
	unsigned ifindex;
	uint32_t if_id; /* 0: no XFRM interface */
	uint32_t wanted; /* of a dump: only the one with this id; 0 any */
};

static int link_attr_cb(const struct nlattr *a, void *arg)
{
	struct rtnl_attrs *t = arg;

	return rtnl_attr_cb(a, t);
}

static int link_cb(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct rtnl_attrs t = { { NULL } }, info = { { NULL } }, data = { { NULL } };
	struct link_found *f = arg;
	uint32_t if_id = 0;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifi), link_attr_cb, &t);
	if (t.a[IFLA_LINKINFO])
		mnl_attr_parse_nested(t.a[IFLA_LINKINFO], link_attr_cb, &info);
	if (info.a[IFLA_INFO_KIND] && info.a[IFLA_INFO_DATA] &&
	    bytes_equal_str(bytes_of(mnl_attr_get_payload(info.a[IFLA_INFO_KIND]),
				     strnlen(mnl_attr_get_payload(info.a[IFLA_INFO_KIND]),
					     mnl_attr_get_payload_len(info.a[IFLA_INFO_KIND]))), "xfrm")) {
		mnl_attr_parse_nested(info.a[IFLA_INFO_DATA], link_attr_cb, &data);
		if_id = rtnl_attr_u32(&data, IFLA_XFRM_IF_ID, 0);
	}
	if (f->wanted && if_id != f->wanted)
		return MNL_CB_OK;
	f->ifindex = (unsigned)ifi->ifi_index;
	f->if_id = if_id;
	return f->wanted ? MNL_CB_OK : MNL_CB_STOP;
}

static int link_find(struct rtnl *r, const struct iface *i, struct link_found *ret)
{
	struct rtnl_request q;
	struct nlmsghdr *h = link_begin(r, &q, RTM_GETLINK, 0);

	*ret = (struct link_found){ 0, 0, 0 };
	mnl_attr_put_strz(h, IFLA_IFNAME, i->name);
	return rtnl_talk(r, h, link_cb, ret);
}

/* Ours, if there is one. */
static void link_remove(struct rtnl *r, const struct iface *i)
{
	struct rtnl_request q;
	struct link_found f;
	struct nlmsghdr *h;

	if (link_find(r, i, &f) != 0 || f.if_id != i->if_id)
		return;
	h = link_begin(r, &q, RTM_DELLINK, NLM_F_ACK);
	mnl_attr_put_strz(h, IFLA_IFNAME, i->name);
	(void)rtnl_talk(r, h, NULL, NULL);
}

/* ---- making and removing ---- */

/* The step that failed; 0 or errno in *ret_error. The interface belongs to our namespace's SAs wherever it is moved. */
static const char *iface_make(struct iface *i, struct rtnl *home, int namespace, int *ret_error)
{
	struct link_found f;

	link_remove(home, i);
	link_remove(&i->rtnl, i);
	*ret_error = link_make(home, i);
	i->made = *ret_error == 0;
	if (*ret_error)
		return "make it";
	if (i->namespace && (*ret_error = link_set(home, i, IFLA_NET_NS_FD, (uint32_t)namespace)) != 0)
		return "move it to its namespace";
	if (i->vrf && (*ret_error = link_set(home, i, IFLA_MASTER, i->vrf)) != 0)
		return "make it a part of the VRF";
	if ((*ret_error = link_find(&i->rtnl, i, &f)) != 0 || (*ret_error = rtnl_link_up(&i->rtnl, f.ifindex, 0)) != 0)
		return "bring it up";
	for (unsigned n = 0; n < i->n_addresses; n++) {
		struct rtnl_address a = { .addr = i->addresses[n], .len = i->lengths[n], .ifindex = f.ifindex };

		if ((*ret_error = rtnl_addr_add(&i->rtnl, &a)) != 0)
			return "give it an address";
	}
	return NULL;
}

static bool iface_open(struct iface *i, struct rtnl *home, struct errtext *err)
{
	const char *step = NULL;
	int namespace = -1, e = 0;
	bool ok = iface_open_socket(i, &namespace, err);

	if (ok)
		step = iface_make(i, home, namespace, &e);
	if (namespace >= 0)
		close(namespace);
	if (!step)
		return ok;
	if (i->made) { /* wherever it is by now */
		link_remove(home, i);
		link_remove(&i->rtnl, i);
	}
	errtext_set(err, "interface %s: cannot %s: %s%s", i->name, step, strerror(e),
		    e == EOPNOTSUPP ? " (the kernel has no XFRM interfaces)" : e == EEXIST ? " (the name is taken)" : "");
	return false;
}

struct ifaces_reading {
	struct ifaces *ifaces;
	const struct settings *settings;
	struct errtext *err;
	bool ok;
};

static void ifaces_read_one(void *arg, const char *name)
{
	struct ifaces_reading *r = arg;
	struct iface *i;

	if (!r->ok)
		return;
	r->ifaces->list = xrealloc(r->ifaces->list, (r->ifaces->n + 1) * sizeof(*r->ifaces->list));
	i = &r->ifaces->list[r->ifaces->n++];
	memset(i, 0, sizeof(*i));
	r->ok = strlen(name) < sizeof(i->name);
	if (!r->ok) {
		errtext_set(r->err, SECTION ".%s: the name is too long for an interface", name);
		return;
	}
	strcpy(i->name, name);
	r->ok = iface_read(i, r->settings, r->err);
	if (r->ok && i->vrf && i->namespace) {
		errtext_set(r->err, SECTION ".%s: a VRF of this namespace cannot have what is in another", name);
		r->ok = false;
	}
}

bool ifaces_open(struct ifaces *ifaces, const struct settings *s, struct errtext *err)
{
	struct ifaces_reading r = { ifaces, s, err, true };
	struct rtnl home;
	bool ok;

	settings_each(s, SECTION, true, ifaces_read_one, &r);
	ok = r.ok && (ifaces->n == 0 || rtnl_open(&home, err));
	for (unsigned n = 0; n < ifaces->n && ok; n++) {
		ok = iface_open(&ifaces->list[n], &home, err);
		if (ok)
			LOG(KNL, LOG_LEVEL_CONTROL, "made XFRM interface %s with id %u", ifaces->list[n].name,
			    ifaces->list[n].if_id);
	}
	if (r.ok && ifaces->n)
		rtnl_close(&home);
	if (!ok)
		ifaces_close(ifaces);
	return ok;
}

void ifaces_close(struct ifaces *ifaces)
{
	for (unsigned n = 0; n < ifaces->n; n++) {
		struct iface *i = &ifaces->list[n];

		if (i->made)
			link_remove(&i->rtnl, i);
		rtnl_close(&i->rtnl);
		free(i->namespace);
	}
	free(ifaces->list);
	*ifaces = (struct ifaces){ NULL, 0 };
}

/* One that someone else made, in our namespace. */
static unsigned iface_find_other(struct rtnl *home, uint32_t if_id)
{
	struct link_found f = { 0, 0, if_id };
	struct rtnl_request q;
	struct nlmsghdr *h = link_begin(home, &q, RTM_GETLINK, NLM_F_DUMP);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);

	mnl_attr_put_strz(h, IFLA_INFO_KIND, "xfrm");
	mnl_attr_nest_end(h, info);
	(void)rtnl_talk(home, h, link_cb, &f);
	return f.ifindex;
}

bool ifaces_find(void *arg, struct rtnl *home, uint32_t if_id, struct rtnl **ret_rtnl, unsigned *ret_ifindex)
{
	struct ifaces *ifaces = arg;
	struct link_found f;

	for (unsigned n = 0; n < ifaces->n; n++) {
		struct iface *i = &ifaces->list[n];

		if (i->if_id != if_id || link_find(&i->rtnl, i, &f) != 0 || f.if_id != if_id)
			continue;
		*ret_rtnl = i->namespace ? &i->rtnl : home;
		*ret_ifindex = f.ifindex;
		return true;
	}
	*ret_rtnl = home;
	*ret_ifindex = iface_find_other(home, if_id);
	return *ret_ifindex != 0;
}
