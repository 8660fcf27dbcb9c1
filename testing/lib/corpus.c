/* SPDX-License-Identifier: Apache-2.0 */
#include "corpus.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/mem.h"

static void replay_exact(const struct corpus *c, const uint8_t *data, size_t n)
{
	uint8_t *exact = xmalloc(n ? n : 1);

	if (n)
		memcpy(exact, data, n);
	ck_assert_int_eq(c->target(exact, n), 0);
	free(exact);
}

static void replay_file(const struct corpus *c, const char *name)
{
	struct buf data = { 0 };
	char path[1024];
	FILE *f;
	int octet;

	snprintf(path, sizeof(path), "%s/%s", c->folder, name);
	if (getenv("FUZZ_SAY"))
		fprintf(stderr, "%s\n", path);
	f = fopen(path, "rb");
	ck_assert_msg(f, "%s", path);
	while ((octet = fgetc(f)) != EOF)
		buf_add_u8(&data, (uint8_t)octet);
	fclose(f);
	replay_exact(c, data.p, data.n);
	for (size_t n = 0; c->cut && n < data.n; n += c->cut)
		replay_exact(c, data.p, n);
	for (size_t i = 1; c->change && i < data.n; i += c->change) {
		data.p[i] ^= (uint8_t)(1 << i % 8);
		replay_exact(c, data.p, data.n);
		data.p[i] ^= (uint8_t)(1 << i % 8);
	}
	buf_free(&data);
}

void corpus_replay(const struct corpus *c)
{
	DIR *dir = opendir(c->folder);
	unsigned files = 0;

	ck_assert_msg(dir, "%s", c->folder);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		replay_file(c, e->d_name);
		files++;
	}
	closedir(dir);
	ck_assert_uint_ge(files, c->at_least);
}
