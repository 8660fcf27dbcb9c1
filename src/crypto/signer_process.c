/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/signer_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/key.h"
#include "util/mem.h"
#include "util/reader.h"
#include "util/secret.h"

/* The process that signs: it has keys, its channels, and nothing else. */
#define SIGNER_KEYS 65536u
#define SIGNER_UID 65534 /* nobody; and no group */
#define SIGNER_FIRST_FD 3

static struct {
	pthread_mutex_t lock; /* guards keys; no call-outs under it */
	struct private_key **keys;
	size_t n, cap;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Takes the key; its number, or 0: there are too many. */
static uint64_t kept_add(struct private_key *k)
{
	uint64_t number = 0;

	pthread_mutex_lock(&kept.lock);
	for (size_t i = 0; i < kept.n && !number; i++) {
		if (!kept.keys[i])
			number = i + 1;
	}
	if (!number && kept.n < SIGNER_KEYS) {
		if (kept.n == kept.cap) {
			kept.cap = kept.cap ? 2 * kept.cap : 16;
			kept.keys = xrealloc(kept.keys, kept.cap * sizeof(struct private_key *));
		}
		number = ++kept.n;
	}
	if (number)
		kept.keys[number - 1] = k;
	pthread_mutex_unlock(&kept.lock);
	return number;
}

/* A reference, or NULL; `drop` takes it out. */
static struct private_key *kept_get(uint64_t number, bool drop)
{
	struct private_key *k = NULL;

	pthread_mutex_lock(&kept.lock);
	if (number && number <= kept.n)
		k = kept.keys[number - 1];
	if (k && drop)
		kept.keys[number - 1] = NULL;
	else
		(void)private_key_ref(k);
	pthread_mutex_unlock(&kept.lock);
	return k;
}

/* ---- operations: the answer's content is added to ret ---- */

static bool process_add(struct reader *r, struct buf *ret, struct errtext *err)
{
	unsigned type = reader_u8(r);
	struct private_key *k;
	uint64_t number;

	if (type > KEY_ED448) {
		errtext_set(err, "a key of an unknown type");
		return false;
	}
	k = private_key_parse(reader_rest(r), (enum key_type)type, err);
	if (!k)
		return false;
	buf_add_u64(ret, 0);
	buf_add_bytes(ret, k->public->spki);
	number = kept_add(k);
	for (size_t i = 0; i < 8; i++)
		ret->p[1 + i] = (uint8_t)(number >> (56 - 8 * i));
	if (number)
		return true;
	private_key_unref(k);
	errtext_set(err, "the process that signs has too many keys");
	return false;
}

static bool process_sign(struct reader *r, struct buf *ret, struct errtext *err)
{
	struct private_key *k = kept_get(reader_u64(r), false);
	struct sig_scheme s;
	struct bytes data;
	bool ok;

	s.kind = reader_u8(r);
	s.hash = reader_u8(r);
	s.salt_len = reader_u8(r);
	data = reader_rest(r);
	ok = k && reader_ok(r);
	if (ok)
		ok = private_key_sign(k, &s, &data, 1, ret, err);
	else
		errtext_set(err, "the process that signs does not have that key");
	private_key_unref(k);
	return ok;
}

static void process_drop(struct bytes request)
{
	struct reader r = reader_of(request);

	reader_skip(&r, 1);
	private_key_unref(kept_get(reader_u64(&r), true));
}

static bool process_request(struct bytes request, struct buf *ret, struct errtext *err)
{
	struct reader r = reader_of(request);

	switch (reader_u8(&r)) {
	case SIGNER_ADD:
		return process_add(&r, ret, err);
	case SIGNER_SIGN:
		return process_sign(&r, ret, err);
	}
	errtext_set(err, "the process that signs does not know that operation");
	return false;
}

static void answer_send(int fd, struct buf *answer, bool done, const struct errtext *err)
{
	if (!done) {
		buf_reset(answer);
		buf_add_u8(answer, 0);
		buf_add_str(answer, err->s);
	}
	while (send(fd, answer->p, answer->n, MSG_NOSIGNAL) < 0 && errno == EINTR) {
	}
}

/* The process is confined when its threads are there and have memory, for what beginning takes is not allowed later. */
static pthread_barrier_t threads_begun;

/* One channel, until its other end is closed. */
static void channel_serve(int fd, uint8_t *request)
{
	struct buf answer = { NULL, 0, 0 };

	for (;;) {
		ssize_t n = recv(fd, request, SIGNER_REQUEST, 0);
		struct errtext err = { "" };
		bool done;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (request[0] == SIGNER_DROP) {
			process_drop(bytes_of(request, (size_t)n));
			continue;
		}
		buf_reset(&answer);
		buf_add_u8(&answer, 1);
		done = process_request(bytes_of(request, (size_t)n), &answer, &err);
		secret_wipe(request, (size_t)n); /* it may have been a key */
		answer_send(fd, &answer, done, &err);
	}
	buf_free(&answer);
}

static void *channel_thread(void *arg)
{
	uint8_t *request = xmalloc(SIGNER_REQUEST);

	(void)pthread_barrier_wait(&threads_begun);
	channel_serve((int)(intptr_t)arg, request);
	free(request);
	return NULL;
}

/* ---- confinement ---- */

/* Channels become the descriptors 3, 4, ...; there are no others then. */
static bool process_keep_channels(const int channels[SIGNER_CHANNELS])
{
	int high[SIGNER_CHANNELS];

	for (int i = 0; i < SIGNER_CHANNELS; i++) {
		high[i] = fcntl(channels[i], F_DUPFD, SIGNER_FIRST_FD + SIGNER_CHANNELS);
		if (high[i] < 0)
			return false;
	}
	for (int i = 0; i < SIGNER_CHANNELS; i++) {
		if (dup2(high[i], SIGNER_FIRST_FD + i) < 0)
			return false;
	}
	return close_range(0, SIGNER_FIRST_FD - 1, 0) == 0 && close_range(SIGNER_FIRST_FD + SIGNER_CHANNELS, ~0u, 0) == 0;
}

static void process_ignore_signals(void)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		(void)signal(ours[i], SIG_IGN); /* the end is that of the channels */
}

static bool process_drop_privileges(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(SIGNER_UID, SIGNER_UID, SIGNER_UID) < 0 ||
			       setresuid(SIGNER_UID, SIGNER_UID, SIGNER_UID) < 0))
		return false;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* No file, no socket, no process can be made any more, no core is written, nobody of the same user may look into it. */
static bool process_limit(void)
{
	static const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_NOFILE, &none) == 0 && setrlimit(RLIMIT_NPROC, &none) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
	       setrlimit(RLIMIT_FSIZE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* OpenSSL reads its files, which it does once, before there are limits. */
static void process_warm_up(void)
{
	static const char ed25519[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n"
				      "-----END PRIVATE KEY-----\n";
	static const struct sig_scheme s = { SIG_ED25519, HASH_IDENTITY, 0 };
	struct errtext err;
	struct private_key *k = private_key_parse(bytes_str(ed25519), KEY_ED25519, &err);
	struct buf made = { NULL, 0, 0 };

	if (k)
		(void)!private_key_sign(k, &s, NULL, 0, &made, &err);
	private_key_unref(k);
	buf_free(&made);
}

static const char *process_prepare(const int channels[SIGNER_CHANNELS], pthread_t threads[SIGNER_CHANNELS], const char **ret_lacks)
{
	(void)prctl(PR_SET_NAME, "bewick-signer", 0, 0, 0);
	process_ignore_signals();
	if (!process_keep_channels(channels))
		return "closing descriptors";
	if (!process_drop_privileges())
		return "dropping privileges";
	process_warm_up();
	(void)pthread_barrier_init(&threads_begun, NULL, SIGNER_CHANNELS);
	for (int i = 1; i < SIGNER_CHANNELS; i++) {
		if (pthread_create(&threads[i], NULL, channel_thread, (void *)(intptr_t)(SIGNER_FIRST_FD + i)) != 0)
			return "making threads";
	}
	(void)pthread_barrier_wait(&threads_begun);
	if (!process_limit())
		return "setting limits";
	return signer_confine(ret_lacks) ? NULL : "filtering system calls";
}

void signer_process(const int channels[SIGNER_CHANNELS])
{
	pthread_t threads[SIGNER_CHANNELS];
	struct buf ready = { NULL, 0, 0 };
	struct errtext err = { "" };
	uint8_t *request = xmalloc(SIGNER_REQUEST);
	const char *lacks = "", *failed = process_prepare(channels, threads, &lacks);

	if (failed)
		errtext_set(&err, "the process that signs cannot be confined: %s: %s", failed, strerror(errno));
	buf_add_u8(&ready, 1);
	buf_add_str(&ready, lacks);
	answer_send(SIGNER_FIRST_FD, &ready, !failed, &err);
	if (failed)
		_exit(1);
	channel_serve(SIGNER_FIRST_FD, request);
	for (int i = 1; i < SIGNER_CHANNELS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}
