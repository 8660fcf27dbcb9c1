/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/plugin.h"

#include "userland.h"

static bool userland_load(struct plugin_env *env, struct errtext *err)
{
	if (kernel_add_backend(env->kernel, &userland_ops))
		return true;
	errtext_set(err, "a backend named %s exists already", userland_ops.name);
	return false;
}

static void userland_unload(struct plugin_env *env)
{
	kernel_remove_backend(env->kernel, &userland_ops);
}

static const char *const userland_provides[] = { "kernel:userland", NULL };
static const char *const userland_requires[] = { NULL };

PLUGIN_DEFINE(kernel_userland) = {
	.abi = PLUGIN_ABI,
	.name = "kernel-userland",
	.summary = "ESP in user space: a TUN device on one side, UDP on the other",
	.provides = userland_provides,
	.requires = userland_requires,
	.load = userland_load,
	.unload = userland_unload,
};
