/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An IPsec backend that carries nothing: for load tests and for the protocol without a data
 * plane. A pair of SAs costs one bit: the handle is the inbound SPI itself.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "kernel/kernel.h"
#include "kernel/spi_pool.h"
#include "plugin/plugin.h"
#include "util/mem.h"

#define NULL_TRAP_SPI 1 /* RFC 4303, 2.1: never an SA's */

struct kernel {
	struct spi_pool *spis;
};

static struct kernel *null_start(const struct kernel_env *env, struct errtext *err)
{
	struct kernel *k = xcalloc(1, sizeof(*k));
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = env->generation_seed;
	k->spis = spi_pool_new(seed);
	return k;
}

static void null_stop(struct kernel *k)
{
	spi_pool_free(k->spis);
	free(k);
}

static enum kernel_status null_spi_alloc(struct kernel *k, uint8_t segment, struct kernel_done done,
					 uint32_t *ret_spi, struct errtext *err)
{
	if (spi_pool_take(k->spis, segment, ret_spi))
		return KERNEL_OK;
	errtext_set(err, "all inbound SPIs of segment %u are in use", segment);
	return KERNEL_FAILED;
}

static void null_spi_free(struct kernel *k, uint32_t spi)
{
	spi_pool_give(k->spis, spi);
}

static enum kernel_status null_install(struct kernel *k, const struct kernel_child *child,
				       struct kernel_done done, struct kernel_handle **ret_handle,
				       struct errtext *err)
{
	/* A trap has no SPI; a reserved one stands for it. */
	uint32_t spi = child->in.spi ? child->in.spi : NULL_TRAP_SPI;

	spi_pool_mark(k->spis, spi);
	*ret_handle = (struct kernel_handle *)(uintptr_t)spi;
	return KERNEL_OK;
}

static void null_remove(struct kernel *k, struct kernel_handle *h)
{
	spi_pool_give(k->spis, (uint32_t)(uintptr_t)h);
}

static bool null_query(struct kernel *k, struct kernel_handle *h, struct kernel_usage *ret_in,
		       struct kernel_usage *ret_out)
{
	*ret_in = (struct kernel_usage){ 0 };
	*ret_out = (struct kernel_usage){ 0 };
	return true;
}

static enum kernel_status null_update(struct kernel *k, struct kernel_handle *h, const struct kernel_move *move,
				      struct kernel_done done, struct errtext *err)
{
	return KERNEL_OK;
}

/* No packet is sent: none has a number that could be used again. */
static void null_advance(struct kernel *k, struct kernel_handle *h, uint64_t delta)
{
}

static bool null_vip_add(struct kernel *k, const struct kernel_vip *vip, struct errtext *err)
{
	return true;
}

static void null_vip_remove(struct kernel *k, const struct kernel_vip *vip)
{
}

static const struct kernel_ops null_ops = {
	.name = "kernel-null",
	.supports_transport = true,
	.supports_beet = true,
	.supports_scope = true,
	.supports_hw_offload = true,
	.supports_tfc = true,
	.supports_sha256_96 = true,
	.start = null_start,
	.stop = null_stop,
	.spi_alloc = null_spi_alloc,
	.spi_free = null_spi_free,
	.install = null_install,
	.remove = null_remove,
	.query = null_query,
	.update = null_update,
	.advance = null_advance,
	.vip_add = null_vip_add,
	.vip_remove = null_vip_remove,
};

static bool null_load(struct plugin_env *env, struct errtext *err)
{
	if (kernel_add_backend(env->kernel, &null_ops))
		return true;
	errtext_set(err, "a backend named %s exists already", null_ops.name);
	return false;
}

static void null_unload(struct plugin_env *env)
{
	kernel_remove_backend(env->kernel, &null_ops);
}

static const char *const null_provides[] = { "kernel:null", NULL };
static const char *const null_requires[] = { NULL };

PLUGIN_DEFINE(kernel_null) = {
	.abi = PLUGIN_ABI,
	.name = "kernel-null",
	.summary = "no data plane: SAs are accepted and nothing is carried",
	.provides = null_provides,
	.requires = null_requires,
	.load = null_load,
	.unload = null_unload,
};
