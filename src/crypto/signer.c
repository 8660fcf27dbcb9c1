/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/signer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/signer_process.h"
#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/reader.h"
#include "util/secret.h"
#include "util/writer.h"

#define SIGNER_ANSWER_S 20 /* the longest keys need some seconds */
#define SIGNER_PARTS 8

/* Our side. Keys hold references: it is freed with the last one. */
struct signer {
	atomic_uint refs;
	/* Guards what follows; `changed` when a channel becomes free, or all are broken. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fds[SIGNER_CHANNELS];
	bool busy[SIGNER_CHANNELS], broken[SIGNER_CHANNELS];
	pid_t pid; /* 0: reaped */
	bool stopped;
};

struct signer_key {
	struct private_key base;
	struct signer *signer;
	uint64_t number;
};

static void signer_unref(struct signer *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- channels ---- */

/* The lock is held; its end of a channel is closed, so that it is ending. Says once that it is gone, and how. */
static void signer_reap(struct signer *s)
{
	int status = 0;

	if (!s->pid || s->stopped || waitpid(s->pid, &status, 0) != s->pid)
		return;
	s->pid = 0;
	LOG(LIB, LOG_LEVEL_AUDIT,
	    "the process that signs has ended (%s %d): the private keys in it are lost; bewickd must be started anew and given its keys",
	    WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* A channel of our own; -1: there is none any more. */
static int channel_take(struct signer *s)
{
	int found = -1;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		bool any = false;

		for (int i = 0; i < SIGNER_CHANNELS; i++) {
			any |= !s->broken[i];
			if (!s->broken[i] && !s->busy[i] && found < 0)
				found = i;
		}
		if (s->stopped || !any)
			found = -1;
		if (s->stopped || !any || found >= 0)
			break;
		pthread_cond_wait(&s->changed, &s->lock);
	}
	if (found >= 0)
		s->busy[found] = true;
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* n: of the answer. Without one the channel is out of step and not used again. */
static void channel_give(struct signer *s, int channel, ssize_t n)
{
	pthread_mutex_lock(&s->lock);
	s->busy[channel] = false;
	if (n <= 0) {
		s->broken[channel] = true;
		(void)shutdown(s->fds[channel], SHUT_RDWR);
	}
	if (n == 0)
		signer_reap(s);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* A whole message or nothing: -1, or 0 if nobody is there. */
static int channel_send(int fd, const struct iovec *iov, size_t n_iov)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n_iov };
	ssize_t n;

	do {
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
	return 1;
}

/* Into ret, of SIGNER_ANSWER bytes; 0: the end, -1: nothing in time. */
static ssize_t channel_receive(int fd, uint8_t *ret)
{
	ssize_t n;

	do {
		n = recv(fd, ret, SIGNER_ANSWER, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

/* The answer's content in ret when it was done. */
static bool answer_read(struct bytes answer, struct buf *ret, struct errtext *err)
{
	struct reader r = reader_of(answer);
	bool done = reader_u8(&r);
	struct bytes content = reader_rest(&r);

	if (done)
		buf_add_bytes(ret, content);
	else
		errtext_set(err, "%.*s", (int)content.n, (const char *)content.p);
	return done;
}

static bool signer_ask(struct signer *s, struct bytes head, const struct bytes *parts, size_t n_parts, struct buf *ret, struct errtext *err)
{
	struct iovec iov[1 + SIGNER_PARTS] = { { (void *)(uintptr_t)head.p, head.n } };
	uint8_t answer[SIGNER_ANSWER];
	size_t total = head.n;
	ssize_t n;
	int channel;

	for (size_t i = 0; i < n_parts && i < SIGNER_PARTS; i++) {
		iov[i + 1] = (struct iovec){ (void *)(uintptr_t)parts[i].p, parts[i].n };
		total += parts[i].n;
	}
	if (n_parts > SIGNER_PARTS || total > SIGNER_REQUEST) {
		errtext_set(err, "that is too long for the process that signs");
		return false;
	}
	channel = channel_take(s);
	if (channel < 0) {
		errtext_set(err, "the process that signs has ended, and the private keys in it are lost: see the log");
		return false;
	}
	n = channel_send(s->fds[channel], iov, n_parts + 1);
	if (n > 0)
		n = channel_receive(s->fds[channel], answer);
	channel_give(s, channel, n);
	if (n > 0)
		return answer_read(bytes_of(answer, (size_t)n), ret, err);
	errtext_set(err, "the process that signs does not answer, or has ended: see the log");
	return false;
}

/* ---- keys ---- */

static bool signer_key_sign(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
			    struct buf *ret, struct errtext *err)
{
	const struct signer_key *key = (const struct signer_key *)k;
	uint8_t head[12];
	struct writer w = writer_of(head, sizeof(head));

	writer_u8(&w, SIGNER_SIGN);
	writer_u64(&w, key->number);
	writer_u8(&w, scheme->kind);
	writer_u8(&w, scheme->hash);
	writer_u8(&w, scheme->salt_len);
	return signer_ask(key->signer, writer_done(&w), parts, n_parts, ret, err);
}

/* Without an answer, and without waiting: the last reference may go on any thread. */
static void signer_drop(struct signer *s, uint64_t number)
{
	uint8_t head[9];
	struct writer w = writer_of(head, sizeof(head));

	writer_u8(&w, SIGNER_DROP);
	writer_u64(&w, number);
	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		if (send(s->fds[i], head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			break; /* else, with all full or closed, it goes with the process */
	}
}

static void signer_key_free(struct private_key *k)
{
	struct signer_key *key = (struct signer_key *)k;

	signer_drop(key->signer, key->number);
	public_key_unref(k->public);
	signer_unref(key->signer);
	free(key);
}

static const struct private_key_ops signer_key_ops = {
	.sign = signer_key_sign,
	.free = signer_key_free,
	.quick = false,
};

static struct private_key *signer_key_make(struct signer *s, struct bytes answer, struct errtext *err)
{
	struct reader r = reader_of(answer);
	uint64_t number = reader_u64(&r);
	struct public_key *public = public_key_parse(reader_rest(&r), KEY_ANY, err);
	struct signer_key *k;

	if (!public) {
		signer_drop(s, number);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	atomic_init(&k->base.refs, 1);
	k->base.ops = &signer_key_ops;
	k->base.public = public;
	k->number = number;
	k->signer = s;
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return &k->base;
}

struct private_key *signer_key_parse(struct signer *s, struct bytes data, enum key_type expected, struct errtext *err)
{
	uint8_t head[2] = { SIGNER_ADD, (uint8_t)expected };
	struct buf answer = { NULL, 0, 0 };
	struct private_key *k = NULL;

	if (!s)
		return private_key_parse(data, expected, err);
	if (signer_ask(s, bytes_of(head, sizeof(head)), &data, 1, &answer, err))
		k = signer_key_make(s, buf_bytes(&answer), err);
	buf_free(&answer);
	return k;
}

pid_t signer_pid(struct signer *s)
{
	pid_t pid;

	pthread_mutex_lock(&s->lock);
	pid = s->pid;
	pthread_mutex_unlock(&s->lock);
	return pid;
}

/* ---- start and stop ---- */

static bool channels_open(struct signer *s, int theirs[SIGNER_CHANNELS])
{
	struct timeval limit = { .tv_sec = SIGNER_ANSWER_S };
	int size = 2 * SIGNER_REQUEST;

	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return false;
		s->fds[i] = pair[0];
		theirs[i] = pair[1];
		if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
		    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
		    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
			return false;
	}
	return true;
}

static bool signer_fork(struct signer *s, struct errtext *err)
{
	int theirs[SIGNER_CHANNELS] = { -1, -1, -1, -1 };
	bool ok = channels_open(s, theirs);

	s->pid = ok ? fork() : -1;
	if (s->pid == 0)
		signer_process(theirs);
	if (s->pid < 0) {
		errtext_set(err, "the process that signs cannot be made: %s", strerror(errno));
		s->pid = 0;
	}
	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		if (theirs[i] >= 0)
			close(theirs[i]);
	}
	return s->pid > 0;
}

struct signer *signer_start(struct errtext *err)
{
	struct signer *s = xcalloc(1, sizeof(*s));
	struct buf nothing = { NULL, 0, 0 };
	uint8_t answer[SIGNER_ANSWER];
	bool ready;
	ssize_t n;

	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	for (size_t i = 0; i < SIGNER_CHANNELS; i++)
		s->fds[i] = -1;
	ready = signer_fork(s, err);
	if (ready) {
		n = channel_receive(s->fds[0], answer);
		ready = n > 0 && answer_read(bytes_of(answer, (size_t)n), &nothing, err);
		if (n <= 0)
			errtext_set(err, "the process that signs ended at once");
	}
	buf_free(&nothing);
	if (ready)
		return s;
	signer_stop(s);
	return NULL;
}

/* What it is at may be finished; then it is killed: nobody waits for the result any more. */
static void signer_wait(pid_t pid)
{
	static const struct timespec pause = { 0, 5000000 };

	for (int i = 0; i < 200; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		nanosleep(&pause, NULL);
	}
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

void signer_stop(struct signer *s)
{
	pid_t pid;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	pid = s->pid;
	s->pid = 0;
	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		if (s->fds[i] >= 0)
			(void)shutdown(s->fds[i], SHUT_RDWR);
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (pid)
		signer_wait(pid);
	signer_unref(s);
}
