/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/hash.h"
#include "util/log.h"
#include "util/mem.h"

/* By the issuer's key; of a CRL for some distribution points also by them. */
static char *store_path(const char *dir, const struct crl *crl, const struct cert *issuer)
{
	static const struct hash_key fixed = { 0, 0 }; /* the same at each start */
	struct buf name = { 0 };

	buf_printf(&name, "%s/", dir);
	buf_add_hex(&name, bytes_of(issuer->key->id, KEY_ID_LEN));
	if (crl->idp.n)
		buf_printf(&name, "-%016llx", (unsigned long long)hash_bytes(&fixed, crl->idp));
	buf_printf(&name, "%s.crl", crl->base.n ? "_delta" : "");
	return buf_take_str(&name);
}

static bool store_write(int fd, struct bytes data)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n <= 0)
			return false;
		data = bytes_of(data.p + n, data.n - (size_t)n);
	}
	return true;
}

void auth_store_crl(const char *dir, const struct crl *crl, const struct cert *issuer)
{
	char *path = store_path(dir, crl, issuer), *draft = xasprintf("%s.XXXXXX", path);
	int fd = mkostemp(draft, O_CLOEXEC);
	bool ok = fd >= 0 && fchmod(fd, 0644) == 0 && store_write(fd, crl->der);

	if (fd >= 0 && close(fd) != 0)
		ok = false;
	ok = ok && rename(draft, path) == 0;
	if (!ok)
		LOG(CFG, LOG_LEVEL_CONTROL, "the CRL of '%s' cannot be kept in %s: %m", id_text(&crl->issuer).s, path);
	if (!ok && fd >= 0)
		unlink(draft);
	free(draft);
	free(path);
}
