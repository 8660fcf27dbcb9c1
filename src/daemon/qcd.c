/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/qcd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/settings.h"
#include "daemon/daemon.h"
#include "daemon/values.h"
#include "util/log.h"

#define ROTATE_CHECK_MS (3600 * 1000) /* at least so often the age is looked at: clocks are set, files are copied */

/* ---- the file ---- */

static bool qcd_fd_check(int fd, const char *path, struct stat *ret_st, struct errtext *err)
{
	if (fstat(fd, ret_st) < 0) {
		errtext_set(err, "cannot look at %s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(ret_st->st_mode)) {
		errtext_set(err, "%s is not a file", path);
		return false;
	}
	if (ret_st->st_uid != 0 && ret_st->st_uid != geteuid()) {
		errtext_set(err, "%s belongs to uid %u: it must be root's or our own", path, (unsigned)ret_st->st_uid);
		return false;
	}
	if (ret_st->st_mode & 077) {
		errtext_set(err, "%s has mode %04o: others could read the secrets, it must be 0600", path,
			    (unsigned)ret_st->st_mode & 07777);
		return false;
	}
	if (ret_st->st_size == 0 || ret_st->st_size % QCD_SECRET_LEN || ret_st->st_size / QCD_SECRET_LEN > QCD_GENERATIONS) {
		errtext_set(err, "%s has %lld bytes: one to %d secrets of %d bytes are possible", path,
			    (long long)ret_st->st_size, QCD_GENERATIONS, QCD_SECRET_LEN);
		return false;
	}
	return true;
}

static bool qcd_fd_read(int fd, const char *path, struct qcd_secrets *ret, uint64_t *ret_age_s, struct errtext *err)
{
	time_t now = time(NULL);
	struct stat st;

	if (!qcd_fd_check(fd, path, &st, err))
		return false;
	if (pread(fd, ret->secret, (size_t)st.st_size, 0) != (ssize_t)st.st_size) {
		secret_wipe(ret, sizeof(*ret));
		errtext_set(err, "cannot read %s", path);
		return false;
	}
	ret->count = (unsigned)(st.st_size / QCD_SECRET_LEN);
	*ret_age_s = now > st.st_mtime ? (uint64_t)(now - st.st_mtime) : 0;
	return true;
}

static bool qcd_write_all(int fd, const struct qcd_secrets *s)
{
	size_t n = (size_t)s->count * QCD_SECRET_LEN;

	return fchmod(fd, 0600) == 0 && write(fd, s->secret, n) == (ssize_t)n && fsync(fd) == 0;
}

/* replace: else an existing file stays, which is no failure. */
static bool qcd_file_write(const char *path, const struct qcd_secrets *s, bool replace, struct errtext *err)
{
	struct buf temp = { 0 };
	bool ok = false;
	int fd;

	buf_printf(&temp, "%s.XXXXXX", path);
	buf_add_u8(&temp, 0);
	fd = mkostemp((char *)temp.p, O_CLOEXEC);
	if (fd >= 0) {
		ok = qcd_write_all(fd, s) &&
		     (replace ? rename((char *)temp.p, path) == 0 : link((char *)temp.p, path) == 0 || errno == EEXIST);
		if (!ok || !replace)
			unlink((char *)temp.p);
		close(fd);
	}
	if (!ok)
		errtext_set(err, "cannot write %s: %s", path, strerror(errno));
	buf_free(&temp);
	return ok;
}

/* The newest first, the others move on. */
static bool qcd_secrets_add(struct qcd_secrets *s, struct errtext *err)
{
	memmove(s->secret[1], s->secret[0], sizeof(s->secret[0]) * (QCD_GENERATIONS - 1));
	if (getrandom(s->secret[0], QCD_SECRET_LEN, 0) != QCD_SECRET_LEN) {
		errtext_set(err, "no random bytes: %s", strerror(errno));
		return false;
	}
	s->count += s->count < QCD_GENERATIONS;
	return true;
}

static bool qcd_file_make(const char *path, struct errtext *err)
{
	struct qcd_secrets s = { 0 };
	char *copy = xstrdup(path);
	bool ok;

	(void)mkdir(dirname(copy), 0700); /* what it cannot is told by writing the file */
	free(copy);
	ok = qcd_secrets_add(&s, err) && qcd_file_write(path, &s, false, err);
	secret_wipe(&s, sizeof(s));
	return ok;
}

bool qcd_file_load(const char *path, struct qcd_secrets *ret, uint64_t *ret_age_s, struct errtext *err)
{
	struct qcd_secrets s = { 0 };
	bool ok;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT) {
		if (!qcd_file_make(path, err))
			return false;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	}
	if (fd < 0) {
		errtext_set(err, "cannot open %s: %s", path, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
		return false;
	}
	ok = qcd_fd_read(fd, path, &s, ret_age_s, err);
	close(fd);
	if (ok)
		*ret = s;
	secret_wipe(&s, sizeof(s));
	return ok;
}

bool qcd_file_rotate(const char *path, struct errtext *err)
{
	struct qcd_secrets s;
	uint64_t age;
	bool ok;

	if (!qcd_file_load(path, &s, &age, err))
		return false;
	ok = qcd_secrets_add(&s, err) && qcd_file_write(path, &s, true, err);
	secret_wipe(&s, sizeof(s));
	return ok;
}

/* ---- the daemon ---- */

static void qcd_timer(struct timer *t)
{
	daemon_apply_options(container_of(t, struct daemon, qcd_timer));
}

void daemon_load_qcd(struct daemon *d, struct sa_options *o)
{
	const char *path = settings_str(d->settings, "qcd.secret_file", STATEDIR "/qcd.secret");
	uint64_t rotate = settings_time(d->settings, "qcd.rotate", 0), age = 0, due;
	struct errtext err;

	timer_stop(loop_wheel(d->loop), &d->qcd_timer);
	o->qcd_secrets.count = 0;
	if (!o->qcd)
		return;
	/* without it all else works: only our peers learn later that we have crashed */
	if (!qcd_file_load(path, &o->qcd_secrets, &age, &err)) {
		LOG(DMN, LOG_LEVEL_AUDIT, "no tokens for quick crash detection are given: %s", err.s);
		return;
	}
	if (!rotate)
		return;
	if (age >= rotate) {
		if (!qcd_file_rotate(path, &err) || !qcd_file_load(path, &o->qcd_secrets, &age, &err))
			LOG(DMN, LOG_LEVEL_AUDIT, "the secret for quick crash detection stays the old one: %s", err.s);
		else
			LOG(DMN, LOG_LEVEL_CONTROL, "a new secret for quick crash detection is in %s, %u are kept", path,
			    o->qcd_secrets.count);
	}
	due = age >= rotate ? ROTATE_CHECK_MS : (rotate - age) * 1000;
	timer_start(loop_wheel(d->loop), &d->qcd_timer, loop_now(d->loop) + (due < ROTATE_CHECK_MS ? due : ROTATE_CHECK_MS),
		    qcd_timer);
}
