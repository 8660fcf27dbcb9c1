/* SPDX-License-Identifier: Apache-2.0 */
#include "control/internal.h"

/* get-algorithms */

static const char *const alg_sections[] = {
	"encryption", "integrity", "aead", "hasher", "prf", "xof", "kdf", "drbg", "ke", "rng", "nonce-gen",
};

struct alg_walk {
	struct vici_writer *w;
	const char *section;
	const char *last; /* algorithms with several key sizes come several times, one after the other */
};

static void alg_add(void *arg, const char *section, const char *name, const char *plugin)
{
	struct alg_walk *walk = arg;

	if (strcmp(section, walk->section) != 0 || (walk->last && strcmp(name, walk->last) == 0))
		return;
	vici_write_str(walk->w, name, plugin);
	walk->last = name;
}

void cmd_get_algorithms(struct command *cmd)
{
	const struct control_options *o = &cmd->control->options;
	struct vici_writer *w = command_reply(cmd);

	for (size_t i = 0; i < ARRAY_LEN(alg_sections); i++) {
		struct alg_walk walk = { w, alg_sections[i], NULL };

		vici_write_section(w, alg_sections[i]);
		if (o->each_algorithm)
			o->each_algorithm(o->algorithm_arg, alg_add, &walk);
		vici_write_section_end(w);
	}
	command_end(cmd);
}
