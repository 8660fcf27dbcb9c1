/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_TCP_STREAM_H
#define BEWICK_NET_TCP_STREAM_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop/loop.h"
#include "loop/mailbox.h"
#include "net/tcp.h"
#include "net/tcp_frame.h"
#include "util/hash.h"
#include "util/list.h"
#include "util/ratelimit.h"

/* Inside of net/: the streams, on their thread. tcp.c has the thread and what others call. */

#define TCP_READ_MAX (256u << 10) /* bytes read at once, behind what is left of a message */

/* Mail to the thread. */
enum tcp_mail_kind { TCP_MAIL_CONNECT, TCP_MAIL_HOLD, TCP_MAIL_RELEASE, TCP_MAIL_RECONNECT, TCP_MAIL_SEND, TCP_MAIL_STOP };

struct tcp_mail {
	struct mail mail;
	uint32_t stream;
	uint64_t owner;
	/* CONNECT */
	int fd;
	struct addr local, remote;
	bool bound;
};

/* One or more messages, framed. */
struct tcp_out {
	struct mail mail;
	struct tcp_out *next; /* in the stream's queue */
	struct tcp *tcp;
	uint32_t stream;
	bool esp;
	size_t count, n, done; /* messages; bytes; of these written */
	uint8_t data[];
};

/* Who has connected to us from one address. */
struct tcp_source {
	struct hashnode node;
	struct addr addr;
	unsigned total, waiting; /* waiting: without an SA */
};

enum tcp_state {
	TCP_STATE_CONNECTING, /* ours: under way */
	TCP_STATE_BROKEN,     /* ours: will be connected again */
	TCP_STATE_PREFIX,     /* the peer's: its first bytes are awaited */
	TCP_STATE_OPEN,
};

struct tcp_stream {
	struct tcp *tcp;
	struct hashnode by_id;
	struct list link, flush; /* flush: there is something new to write */
	uint32_t id;
	enum tcp_state state;
	int fd;
	struct loop_fd *lfd;
	struct addr local, remote; /* remote with our id */
	struct timer timer;        /* of connecting, or without an SA */
	unsigned holds;
	uint64_t owner;
	struct tcp_source *source; /* NULL: we opened it */
	struct buf in;             /* the beginning of a message */
	struct tcp_out *out, **out_tail;
	size_t out_bytes;
	unsigned bad;     /* messages in a row that were nothing */
	unsigned retries; /* to connect, in a row */
	bool bound, was_up, wants_out, ending;
	bool fresh; /* ours: who asked for it has had no time to hold it */
};

struct tcp {
	struct tcp_options options;
	struct tcp_user user;
	struct loop *loop;
	struct mailbox *box;
	pthread_t thread;
	bool runs;
	int listen_fds[2];
	struct loop_fd *listen_lfds[2];
	struct timer listen_timer;
	struct ratelimit log_limit;
	struct hash_key hash;
	struct hashtab streams, sources;
	struct list list, to_flush;
	unsigned accepted, waiting; /* streams of peers; those without an SA */
	uint8_t *rx;                /* TCP_READ_MAX behind room for the beginning of a message */
	atomic_uint next_id;
	atomic_size_t mailed; /* bytes in mail that were not taken yet */
	struct {
		_Atomic uint64_t accepted, refused, connected, broken, streams;
		_Atomic uint64_t ike_in, ike_out, esp_in, esp_out, dropped_in, dropped_out;
	} counters;
};

#define TCP_COUNT(T, WHAT, N) atomic_fetch_add_explicit(&(T)->counters.WHAT, N, memory_order_relaxed)

void tcp_stream_connect(struct tcp *t, const struct tcp_mail *m);
void tcp_stream_hold(struct tcp *t, uint32_t id, uint64_t owner);
void tcp_stream_release(struct tcp *t, uint32_t id);
void tcp_stream_reconnect(struct tcp *t, uint32_t id);
void tcp_stream_send(struct tcp *t, struct tcp_out *out); /* takes it */
void tcp_streams_flush(struct tcp *t);
void tcp_streams_close(struct tcp *t);
/* A connection from outside; takes the descriptor. */
void tcp_stream_accept(struct tcp *t, int fd, const struct addr *remote);

/* Between tcp_stream.c, tcp_stream_out.c and tcp_stream_in.c. "Frees": the stream may be gone afterwards. */
struct tcp_stream *tcp_stream_find(struct tcp *t, uint32_t id);
void tcp_stream_free(struct tcp_stream *s);
/* The connection is of no use any more. A peer's stream ends with it, ours is connected again. Frees. */
void tcp_stream_broken(struct tcp_stream *s, const char *why);
bool tcp_stream_can_write(const struct tcp_stream *s);
void tcp_stream_flush(struct tcp_stream *s); /* writes what can be written, watches for the rest; frees */
void tcp_stream_drop_out(struct tcp_stream *s);
void tcp_stream_send_prefix(struct tcp_stream *s); /* before all that waits */
void tcp_stream_read(struct tcp_stream *s);        /* frees */

/* tcp_accept.c: who may come. NULL: nobody more. */
struct tcp_source *tcp_source_take(struct tcp *t, const struct addr *remote);
void tcp_source_give(struct tcp *t, struct tcp_source *source, bool waiting);
void tcp_source_waits(struct tcp *t, struct tcp_source *source, bool waiting);
MUST_CHECK bool tcp_listen(struct tcp *t, struct errtext *err);
MUST_CHECK bool tcp_listen_watch(struct tcp *t);
void tcp_listen_close(struct tcp *t);
/* Options of every connection. */
void tcp_socket_prepare(const struct tcp *t, int fd, int family);
void tcp_refuse(struct tcp *t, int fd);
bool tcp_socket_name(int fd, struct addr *ret_local);

#endif
