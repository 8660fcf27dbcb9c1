/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/plugin.h"

#include "internal.h"

static bool netlink_load(struct plugin_env *env, struct errtext *err)
{
	if (kernel_add_backend(env->kernel, &netlink_ops))
		return true;
	errtext_set(err, "a backend named %s exists already", netlink_ops.name);
	return false;
}

static void netlink_unload(struct plugin_env *env)
{
	kernel_remove_backend(env->kernel, &netlink_ops);
}

static const char *const netlink_provides[] = { "kernel:netlink", NULL };
static const char *const netlink_requires[] = { NULL };

PLUGIN_DEFINE(kernel_netlink) = {
	.abi = PLUGIN_ABI,
	.name = "kernel-netlink",
	.summary = "ESP of the Linux kernel: XFRM by netlink",
	.provides = netlink_provides,
	.requires = netlink_requires,
	.load = netlink_load,
	.unload = netlink_unload,
};
