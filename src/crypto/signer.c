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
#include <unistd.h>

#include "crypto/signer_keeper.h"
#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/reader.h"
#include "util/secret.h"
#include "util/writer.h"

#define SIGNER_ANSWER_S 20 /* the longest keys need some seconds */
#define SIGNER_PARTS 8

/* One process that signs, of several that may have come one after the other. */
struct signer_life {
	unsigned refs; /* of who uses a channel, and of the signer's present one */
	uint64_t number; /* from 1 */
	pid_t pid;
	int fds[SIGNER_CHANNELS];
	bool busy[SIGNER_CHANNELS], broken[SIGNER_CHANNELS];
};

/* Our side. Keys hold references: it is freed with the last one. */
struct signer {
	atomic_uint refs;
	int news; /* of the keeper */
	pid_t keeper;
	struct text lacks; /* of its confinement; constant */
	/* Guards what follows, and is held for a moment only; `changed` when a channel becomes free, or the life is another one. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct signer_life *life; /* NULL: there is none any more */
	bool renewing; /* a thread is at it, without the lock */
	bool alone;    /* the keeper has ended */
	bool stopped;
};

struct signer_key {
	struct private_key base;
	struct signer *signer;
	uint64_t life;
	uint64_t number;
};

/* ---- lives ---- */

static struct signer_life *life_new(uint64_t number, pid_t pid, const int fds[SIGNER_CHANNELS])
{
	struct signer_life *l = xcalloc(1, sizeof(*l));
	struct timeval limit = { .tv_sec = SIGNER_ANSWER_S };

	l->refs = 1;
	l->number = number;
	l->pid = pid;
	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		l->fds[i] = fds[i];
		(void)setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	}
	return l;
}

/* The lock is held. */
static void life_unref(struct signer_life *l)
{
	if (!l || --l->refs)
		return;
	for (size_t i = 0; i < SIGNER_CHANNELS; i++)
		close(l->fds[i]);
	free(l);
}

/* The lock is held: nothing goes on in it. */
static void life_shut(struct signer_life *l)
{
	for (size_t i = 0; l && i < SIGNER_CHANNELS; i++)
		(void)shutdown(l->fds[i], SHUT_RDWR);
}

static void signer_unref(struct signer *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	life_unref(s->life);
	if (s->news >= 0)
		close(s->news);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static ssize_t channel_receive(int fd, uint8_t *ret);
static bool answer_read(struct bytes answer, struct buf *ret, struct errtext *err);

/* A process that has begun says whether it is ready. */
static bool life_is_ready(const int fds[SIGNER_CHANNELS], struct text *ret_lacks, struct errtext *err)
{
	struct buf lacks = { NULL, 0, 0 };
	uint8_t answer[SIGNER_ANSWER];
	ssize_t n = channel_receive(fds[0], answer);
	bool ready = n > 0 && answer_read(bytes_of(answer, (size_t)n), &lacks, err);

	if (n <= 0)
		errtext_set(err, "the process that signs ended at once");
	snprintf(ret_lacks->s, sizeof(ret_lacks->s), "%s", buf_str(&lacks));
	buf_free(&lacks);
	return ready;
}

static void renewal_log(const struct keeper_news *news, bool ready, const struct errtext *why)
{
	const char *how = WIFSIGNALED(news->status) ? "signal" : "status";
	int number = WIFSIGNALED(news->status) ? WTERMSIG(news->status) : WEXITSTATUS(news->status);

	if (ready)
		LOG(LIB, LOG_LEVEL_AUDIT,
		    "the process that signs has ended (%s %d): the private keys in it are lost. Another one runs, %d: load them again (swanctl --load-creds)",
		    how, number, (int)news->pid);
	else
		LOG(LIB, LOG_LEVEL_AUDIT, "the process that signs has ended (%s %d), the private keys in it are lost, and another one does not begin: %s",
		    how, number, why->s);
}

/* The lock is held, and given up meanwhile. Takes what the keeper has started; flags as of recv. */
static void signer_renew(struct signer *s, int flags)
{
	int fds[SIGNER_CHANNELS], got;
	struct keeper_news news;
	struct signer_life *old = s->life, *life = NULL;
	uint64_t number = old ? old->number + 1 : 1;
	struct errtext why;
	struct text lacks;
	bool ready = false;

	s->renewing = true;
	pthread_mutex_unlock(&s->lock);
	got = keeper_receive(s->news, flags, &news, fds);
	if (got > 0) {
		ready = life_is_ready(fds, &lacks, &why);
		life = life_new(number, news.pid, fds);
		renewal_log(&news, ready, &why);
	}
	pthread_mutex_lock(&s->lock);
	s->renewing = false;
	if (got == 0 && !s->stopped && !s->alone) {
		s->alone = true;
		LOG(LIB, LOG_LEVEL_AUDIT, "what keeps the process that signs has ended: when that ends, too, bewickd must be started anew");
	}
	if (life && !s->stopped) {
		life_shut(old);
		life_unref(old);
		s->life = life;
		if (!ready)
			life_shut(life);
	} else {
		life_unref(life);
	}
	pthread_cond_broadcast(&s->changed);
}

/* ---- channels ---- */

/* The lock is held. A free channel of the life; -1: none is free, -2: and none will be. */
static int life_channel(const struct signer_life *l)
{
	int found = -2;

	for (int i = 0; i < SIGNER_CHANNELS; i++) {
		if (l->broken[i])
			continue;
		if (!l->busy[i])
			return i;
		found = -1;
	}
	return found;
}

/* A channel of our own, of that life (0: the present one), with a reference to it; -1: err says why there is none. */
static int channel_take(struct signer *s, uint64_t wanted, struct signer_life **ret, struct errtext *err)
{
	int found = -1;

	pthread_mutex_lock(&s->lock);
	while (found < 0) {
		if (s->renewing) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		if (s->stopped) {
			errtext_set(err, "the process that signs has ended");
			break;
		}
		if (wanted && s->life->number != wanted) {
			errtext_set(err, "the process that signs was begun anew, and does not have this key: load the private keys again (swanctl "
					 "--load-creds)");
			break;
		}
		found = life_channel(s->life);
		if (found == -1)
			pthread_cond_wait(&s->changed, &s->lock);
		if (found != -2)
			continue;
		errtext_set(err, "the process that signs has ended, and another one has not begun: see the log");
		break;
	}
	if (found >= 0) {
		s->life->busy[found] = true;
		s->life->refs++;
		*ret = s->life;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* n: of the answer. Without one the channel is out of step and not used again; a process that has ended, or answers on none, is
 * renewed. */
static void channel_give(struct signer *s, struct signer_life *l, int channel, ssize_t n)
{
	pthread_mutex_lock(&s->lock);
	l->busy[channel] = false;
	if (n <= 0) {
		l->broken[channel] = true;
		(void)shutdown(l->fds[channel], SHUT_RDWR);
	}
	if (n < 0 && l == s->life && life_channel(l) == -2) {
		kill(l->pid, SIGKILL);
		n = 0;
	}
	if (n == 0 && l == s->life && !s->renewing && !s->stopped)
		signer_renew(s, 0);
	life_unref(l);
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

/* *life: 0 is the present one, and becomes its number. */
static bool signer_ask(struct signer *s, uint64_t *life, struct bytes head, const struct bytes *parts, size_t n_parts, struct buf *ret,
		       struct errtext *err)
{
	struct iovec iov[1 + SIGNER_PARTS] = { { (void *)(uintptr_t)head.p, head.n } };
	uint8_t answer[SIGNER_ANSWER];
	struct signer_life *l;
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
	channel = channel_take(s, *life, &l, err);
	if (channel < 0)
		return false;
	*life = l->number;
	n = channel_send(l->fds[channel], iov, n_parts + 1);
	if (n > 0)
		n = channel_receive(l->fds[channel], answer);
	channel_give(s, l, channel, n);
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
	uint64_t life = key->life;

	writer_u8(&w, SIGNER_SIGN);
	writer_u64(&w, key->number);
	writer_u8(&w, scheme->kind);
	writer_u8(&w, scheme->hash);
	writer_u8(&w, scheme->salt_len);
	return signer_ask(key->signer, &life, writer_done(&w), parts, n_parts, ret, err);
}

/* Without an answer, and without waiting: the last reference may go on any thread. */
static void signer_drop(struct signer *s, uint64_t life, uint64_t number)
{
	uint8_t head[9];
	struct writer w = writer_of(head, sizeof(head));

	writer_u8(&w, SIGNER_DROP);
	writer_u64(&w, number);
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; s->life && s->life->number == life && i < SIGNER_CHANNELS; i++) {
		if (send(s->life->fds[i], head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			break; /* else, with all full or closed, it goes with the process */
	}
	pthread_mutex_unlock(&s->lock);
}

static void signer_key_free(struct private_key *k)
{
	struct signer_key *key = (struct signer_key *)k;

	signer_drop(key->signer, key->life, key->number);
	public_key_unref(k->public);
	signer_unref(key->signer);
	free(key);
}

static const struct private_key_ops signer_key_ops = {
	.sign = signer_key_sign,
	.free = signer_key_free,
	.quick = false,
};

static struct private_key *signer_key_make(struct signer *s, uint64_t life, struct bytes answer, struct errtext *err)
{
	struct reader r = reader_of(answer);
	uint64_t number = reader_u64(&r);
	struct public_key *public = public_key_parse(reader_rest(&r), KEY_ANY, err);
	struct signer_key *k;

	if (!public) {
		signer_drop(s, life, number);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	atomic_init(&k->base.refs, 1);
	k->base.ops = &signer_key_ops;
	k->base.public = public;
	k->number = number;
	k->life = life;
	k->signer = s;
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return &k->base;
}

struct private_key *signer_key_parse(struct signer *s, struct bytes data, enum key_type expected, struct errtext *err)
{
	uint8_t head[2] = { SIGNER_ADD, (uint8_t)expected };
	struct buf answer = { NULL, 0, 0 };
	struct private_key *k = NULL;
	uint64_t life = 0;

	if (!s)
		return private_key_parse(data, expected, err);
	if (signer_ask(s, &life, bytes_of(head, sizeof(head)), &data, 1, &answer, err))
		k = signer_key_make(s, life, buf_bytes(&answer), err);
	buf_free(&answer);
	return k;
}

pid_t signer_pid(struct signer *s)
{
	pid_t pid;

	pthread_mutex_lock(&s->lock);
	pid = s->life ? s->life->pid : 0;
	pthread_mutex_unlock(&s->lock);
	return pid;
}

const char *signer_lacks(const struct signer *s)
{
	return s->lacks.s;
}

int signer_fd(struct signer *s)
{
	return s->news;
}

bool signer_look(struct signer *s)
{
	bool more;

	pthread_mutex_lock(&s->lock);
	if (!s->renewing && !s->stopped && !s->alone)
		signer_renew(s, MSG_DONTWAIT);
	more = !s->alone;
	pthread_mutex_unlock(&s->lock);
	return more;
}

/* ---- start and stop ---- */

static bool keeper_begin(struct signer *s, struct errtext *err)
{
	struct timeval limit = { .tv_sec = SIGNER_ANSWER_S };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		errtext_set(err, "the process that signs cannot be made: %s", strerror(errno));
		return false;
	}
	s->keeper = fork();
	if (s->keeper == 0) {
		close(pair[0]);
		signer_keeper(pair[1]);
	}
	if (s->keeper < 0)
		errtext_set(err, "the process that signs cannot be made: %s", strerror(errno));
	close(pair[1]);
	s->news = pair[0];
	(void)setsockopt(s->news, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return s->keeper > 0;
}

static bool signer_begin(struct signer *s, struct errtext *err)
{
	int fds[SIGNER_CHANNELS];
	struct keeper_news news;

	if (!keeper_begin(s, err))
		return false;
	if (keeper_receive(s->news, 0, &news, fds) <= 0) {
		errtext_set(err, "the process that signs cannot be made");
		return false;
	}
	s->life = life_new(1, news.pid, fds);
	return life_is_ready(fds, &s->lacks, err);
}

struct signer *signer_start(struct errtext *err)
{
	struct signer *s = xcalloc(1, sizeof(*s));

	atomic_init(&s->refs, 1);
	s->news = -1;
	s->keeper = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (signer_begin(s, err))
		return s;
	signer_stop(s);
	return NULL;
}

void signer_stop(struct signer *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	life_shut(s->life);
	if (s->news >= 0)
		(void)shutdown(s->news, SHUT_RDWR);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (s->keeper > 0)
		(void)waitpid(s->keeper, NULL, 0); /* it gives the process a second */
	signer_unref(s);
}
