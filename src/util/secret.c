/* SPDX-License-Identifier: Apache-2.0 */
#include "util/secret.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "util/mem.h"

void secret_wipe(void *p, size_t n)
{
	if (p && n)
		OPENSSL_cleanse(p, n);
}

void secret_clear(struct secret *s)
{
	secret_wipe(s->p, s->n);
	free(s->p);
	*s = (struct secret){ NULL, 0 };
}

uint8_t *secret_alloc(struct secret *s, size_t n)
{
	secret_clear(s);
	s->p = xcalloc(n, 1);
	s->n = n;
	return s->p;
}

void secret_set(struct secret *s, struct bytes data)
{
	/* copied first: data may be a part of what s holds */
	uint8_t *copy = xmemdup(data.p, data.n);

	secret_clear(s);
	s->p = copy;
	s->n = data.n;
}

bool secret_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
