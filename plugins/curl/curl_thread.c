/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_thread.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#include "curl_file.h"
#include "loop/helper.h"
#include "loop/loop.h"
#include "loop/thread.h"
#include "util/list.h"

#define CURL_UNDER_WAY 4096
#define CURL_CONNECTIONS 256L
#define CURL_PER_HOST 8L
#define CURL_FILES_WAITING 256
#define CURL_LOOK_MS 1000

struct transfer {
	struct helper_job job; /* first; of a file */
	struct list link;
	struct curl_thread *t;
	struct fetch *f;
	CURL *easy;
	struct curl_slist *headers;
	struct buf data;
	bool too_long, is_read;
	struct errtext why; /* of a file */
	char error[CURL_ERROR_SIZE];
};

struct curl_thread {
	long redirects;
	CURLM *multi;
	atomic_uint under_way;
	struct list active; /* the thread's */
	/* Guards what follows. */
	pthread_mutex_t lock;
	struct list queue;
	struct helper_pool *files;
	pthread_t thread;
	bool running, stop;
};

/* Takes the transfer out of the world, and tells. */
static void transfer_end(struct transfer *tr, bool ok, const char *why)
{
	struct fetch *f = tr->f;

	if (tr->easy)
		curl_easy_cleanup(tr->easy);
	curl_slist_free_all(tr->headers);
	atomic_fetch_sub(&tr->t->under_way, 1);
	f->done(f, ok, ok ? buf_bytes(&tr->data) : BYTES_NONE, why);
	buf_free(&tr->data);
	free(tr);
}

static size_t transfer_write(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *tr = arg;

	if (size * n > tr->f->max - tr->data.n) {
		tr->too_long = true;
		return CURL_WRITEFUNC_ERROR;
	}
	buf_add(&tr->data, p, size * n);
	return size * n;
}

static int transfer_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)purpose;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* not for scripts that we run */
	return CURL_SOCKOPT_OK;
}

static void transfer_limit_schemes(CURL *e)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* else the end of a transfer waits for a name server that does not answer */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static void transfer_set_post(struct transfer *tr)
{
	struct buf header = { 0 };

	if (!tr->f->post.n)
		return;
	curl_easy_setopt(tr->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(tr->easy, CURLOPT_POSTFIELDS, (const char *)tr->f->post.p);
	curl_easy_setopt(tr->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)tr->f->post.n);
	if (tr->f->content_type) {
		buf_printf(&header, "Content-Type: %s", tr->f->content_type);
		tr->headers = curl_slist_append(tr->headers, buf_str(&header));
		buf_free(&header);
	}
	tr->headers = curl_slist_append(tr->headers, "Expect:");
	curl_easy_setopt(tr->easy, CURLOPT_HTTPHEADER, tr->headers);
}

static bool transfer_prepare(struct transfer *tr)
{
	CURL *e = tr->easy = curl_easy_init();

	if (!e)
		return false;
	curl_easy_setopt(e, CURLOPT_PRIVATE, tr);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, tr->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	transfer_limit_schemes(e);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, tr->t->redirects ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_MAXREDIRS, tr->t->redirects);
	curl_easy_setopt(e, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)tr->f->max);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, transfer_write);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, tr);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, transfer_sockopt);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "bewick");
	transfer_set_post(tr);
	return curl_easy_setopt(e, CURLOPT_URL, tr->f->url) == CURLE_OK;
}

static void transfer_finish(struct transfer *tr, CURLcode code)
{
	struct errtext why = { "" };
	long status = 0;

	curl_easy_getinfo(tr->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && status != 200)
		errtext_set(&why, "the server answers with status %ld", status);
	else if (tr->too_long || code == CURLE_FILESIZE_EXCEEDED)
		errtext_set(&why, "the answer has more than %zu bytes", tr->f->max);
	else if (code != CURLE_OK)
		errtext_set(&why, "%s", *tr->error ? tr->error : curl_easy_strerror(code));
	transfer_end(tr, !*why.s, why.s);
}

/* ---- the thread ---- */

static void thread_remove(struct curl_thread *t, struct transfer *tr)
{
	curl_multi_remove_handle(t->multi, tr->easy);
	list_del(&tr->link);
}

static void thread_begin(struct curl_thread *t, struct transfer *tr)
{
	if (clock_monotonic_ms() >= tr->f->deadline_ms) {
		transfer_end(tr, false, "no answer in time");
	} else if (!transfer_prepare(tr) || curl_multi_add_handle(t->multi, tr->easy) != CURLM_OK) {
		transfer_end(tr, false, "the transfer cannot be begun: is it a URL?");
	} else {
		list_add_tail(&t->active, &tr->link);
	}
}

/* False: the end. */
static bool thread_take(struct curl_thread *t)
{
	struct list mine;
	bool stop;

	list_init(&mine);
	pthread_mutex_lock(&t->lock);
	stop = t->stop;
	LIST_FOREACH_SAFE(it, &t->queue) {
		list_del(it);
		list_add_tail(&mine, it);
	}
	pthread_mutex_unlock(&t->lock);
	LIST_FOREACH_SAFE(it, &mine) {
		list_del(it);
		thread_begin(t, list_entry(it, struct transfer, link));
	}
	return !stop;
}

static void thread_finish(struct curl_thread *t)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(t->multi, &left))) {
		struct transfer *tr;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &tr);
		thread_remove(t, tr);
		transfer_finish(tr, code);
	}
}

/* Ends those that are late; ms until the next may be. */
static int thread_expire(struct curl_thread *t)
{
	uint64_t now = clock_monotonic_ms(), next = now + CURL_LOOK_MS;

	LIST_FOREACH_SAFE(it, &t->active) {
		struct transfer *tr = list_entry(it, struct transfer, link);

		if (tr->f->deadline_ms <= now) {
			thread_remove(t, tr);
			transfer_end(tr, false, "no answer in time");
		} else if (tr->f->deadline_ms < next) {
			next = tr->f->deadline_ms;
		}
	}
	return (int)(next - now);
}

static void *thread_main(void *arg)
{
	struct curl_thread *t = arg;
	int running;

	while (thread_take(t)) {
		int wait_ms;

		curl_multi_perform(t->multi, &running);
		thread_finish(t);
		wait_ms = thread_expire(t);
		curl_multi_poll(t->multi, NULL, 0, list_empty(&t->active) ? 3600000 : wait_ms, NULL);
	}
	while (!list_empty(&t->active)) {
		struct transfer *tr = list_entry(t->active.next, struct transfer, link);

		thread_remove(t, tr);
		transfer_end(tr, false, "the daemon ends");
	}
	return NULL;
}

/* ---- files ---- */

static void file_compute(struct helper_job *job)
{
	struct transfer *tr = container_of(job, struct transfer, job);

	tr->is_read = curl_file_read(tr->f->url, tr->f->max, &tr->data, &tr->why);
}

/* Read, or not to be read any more. */
static void file_end(struct mail *m)
{
	struct transfer *tr = container_of(m, struct transfer, job.mail);

	transfer_end(tr, tr->is_read, tr->why.s);
}

/* ---- outside ---- */

struct curl_thread *curl_thread_new(long redirects)
{
	struct curl_thread *t = xcalloc(1, sizeof(*t));

	t->redirects = redirects;
	t->multi = curl_multi_init();
	pthread_mutex_init(&t->lock, NULL);
	list_init(&t->queue);
	list_init(&t->active);
	if (!t->multi) {
		curl_thread_free(t);
		return NULL;
	}
	curl_multi_setopt(t->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CURL_CONNECTIONS);
	curl_multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CURL_PER_HOST);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, 16L);
	return t;
}

/* With the lock held. */
static bool thread_queue(struct curl_thread *t, struct transfer *tr, struct errtext *err)
{
	if (t->stop) {
		errtext_set(err, "the daemon ends");
		return false;
	}
	if (strncasecmp(tr->f->url, "file:", 5) == 0) {
		if (!t->files)
			t->files = helper_pool_new(1, CURL_FILES_WAITING);
		errtext_set(&tr->why, "the daemon ends");
		tr->job = (struct helper_job){ .mail = { .drop = file_end }, .compute = file_compute };
		if (helper_submit(t->files, &tr->job))
			return true;
		errtext_set(err, "too many files are being read");
		return false;
	}
	if (!t->running && thread_start(&t->thread, "fetch", thread_main, t) != 0) {
		errtext_set(err, "no thread could be made");
		return false;
	}
	t->running = true;
	list_add_tail(&t->queue, &tr->link);
	curl_multi_wakeup(t->multi);
	return true;
}

bool curl_thread_fetch(void *arg, struct fetch *f, struct errtext *err)
{
	struct curl_thread *t = arg;
	struct transfer *tr;
	bool taken;

	if (atomic_fetch_add(&t->under_way, 1) >= CURL_UNDER_WAY) {
		atomic_fetch_sub(&t->under_way, 1);
		errtext_set(err, "too much is being fetched");
		return false;
	}
	tr = xcalloc(1, sizeof(*tr));
	tr->t = t;
	tr->f = f;
	list_init(&tr->link);
	pthread_mutex_lock(&t->lock);
	taken = thread_queue(t, tr, err);
	pthread_mutex_unlock(&t->lock);
	if (!taken) {
		atomic_fetch_sub(&t->under_way, 1);
		free(tr);
	}
	return taken;
}

void curl_thread_free(struct curl_thread *t)
{
	bool running;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	running = t->running;
	if (running)
		curl_multi_wakeup(t->multi);
	pthread_mutex_unlock(&t->lock);
	if (running)
		pthread_join(t->thread, NULL);
	helper_pool_free(t->files);
	if (t->multi)
		curl_multi_cleanup(t->multi);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
