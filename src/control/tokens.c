/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"
#include "util/secret.h"

/*
 * Commands that need something of a token: helpers ask it, who may take their time; the command has an answer in the time that the
 * settings say, whatever the token does.
 */

#define TOKEN_TIDY_MS 1000 /* till workers have the configuration without the keys */

struct token_query {
	struct list link; /* control->token_queries */
	struct timer timer;
	struct control *control;
	struct command *cmd;
	struct token_job *question; /* and the answer, when it has come */
	struct token_job *work;	    /* a copy, on its way: of that only `query` is ours. NULL: it is back */
	token_done_fn *done;
};

/* A certificate that was asked for while the command was at work. */
struct token_cert_got {
	struct token_cert_got *next;
	struct token_job *answer; /* with its question */
};

struct token_certs {
	struct token_cert_got *got;
	struct token_job *wanted; /* one that is missing */
	command_fn *again;
};

/* ---- jobs ---- */

struct token_job *token_job_new(bool key, const struct token_ref *t)
{
	struct token_job *j = xcalloc(1, sizeof(*j));

	j->key = key;
	buf_add_bytes(&j->handle, t->handle);
	j->slot = t->slot;
	j->module = t->module ? xstrdup(t->module) : NULL;
	j->pin = t->pin ? xstrdup(t->pin) : NULL;
	return j;
}

void token_job_free(struct token_job *j)
{
	if (!j)
		return;
	private_key_unref(j->ret_key);
	buf_free(&j->ret_der);
	buf_free(&j->handle);
	free(j->module);
	if (j->pin)
		secret_wipe(j->pin, strlen(j->pin));
	free(j->pin);
	free(j);
}

static void token_compute(struct helper_job *helper)
{
	struct token_job *j = container_of(helper, struct token_job, helper);
	struct token_ref t = { .handle = buf_bytes(&j->handle), .slot = j->slot, .module = j->module, .pin = j->pin };

	if (j->key)
		j->ok = (j->ret_key = private_key_from_token(&t, &j->why)) != NULL;
	else
		j->ok = token_cert(&t, &j->ret_der, &j->why);
}

static void token_drop(struct mail *m)
{
	token_job_free(container_of(m, struct token_job, helper.mail));
}

/* ---- queries ---- */

static void query_free(struct token_query *q)
{
	timer_stop(loop_wheel(q->control->loop), &q->timer);
	list_del(&q->link);
	token_job_free(q->question);
	free(q);
}

/* Its question, answered, goes with what was asked for. */
static void query_end(struct token_query *q)
{
	struct token_job *answer = q->question;
	struct command *cmd = q->cmd;
	token_done_fn *done = q->done;

	q->question = NULL;
	query_free(q);
	done(cmd, answer);
}

/* What the helper has is the helper's, and is dropped when it comes. */
static void query_give_up(struct token_query *q, const char *why)
{
	if (q->work)
		q->work->query = NULL;
	q->work = NULL;
	errtext_set(&q->question->why, "%s", why);
	query_end(q);
}

static void query_is_late(struct token_query *q)
{
	const char *module = q->question->module;
	struct errtext why;

	errtext_set(&why, "PKCS#11 module%s%s has not answered for %u s", module ? " " : "", module ? module : "",
		    q->control->settings.token_ms / 1000);
	query_give_up(q, why.s);
}

static void query_late(struct timer *timer)
{
	query_is_late(container_of(timer, struct token_query, timer));
}

void token_ask(struct command *cmd, struct token_job *question, token_done_fn *done)
{
	struct control *c = cmd->control;
	struct token_query *q = xcalloc(1, sizeof(*q));
	struct token_ref t = { .handle = buf_bytes(&question->handle), .slot = question->slot, .module = question->module,
			       .pin = question->pin };

	q->control = c;
	q->cmd = cmd;
	q->done = done;
	q->question = question;
	list_add_tail(&c->token_queries, &q->link);
	q->work = token_job_new(question->key, &t);
	q->work->query = q;
	q->work->helper.mail.kind = CONTROL_MAIL_TOKEN;
	q->work->helper.mail.drop = token_drop;
	q->work->helper.compute = token_compute;
	q->work->helper.reply_to = c->box;
	q->work->helper.deadline_ms = loop_now(c->loop) + c->settings.token_ms;
	if (c->helpers && helper_submit(c->helpers, &q->work->helper)) {
		timer_start(loop_wheel(c->loop), &q->timer, loop_now(c->loop) + c->settings.token_ms, query_late);
		return;
	}
	token_job_free(q->work);
	q->work = NULL;
	query_give_up(q, c->helpers ? "too much waits for tokens" : "the daemon is shutting down");
}

void token_mail(struct control *c, struct mail *m)
{
	struct token_job *j = container_of(m, struct token_job, helper.mail);
	struct token_query *q = j->query;

	(void)c;
	if (!q)
		return;
	j->query = NULL;
	q->work = NULL;
	if (j->helper.late) {
		query_is_late(q);
		return;
	}
	q->question->ok = j->ok;
	q->question->why = j->why;
	q->question->ret_key = j->ret_key;
	q->question->ret_der = j->ret_der;
	j->ret_key = NULL;
	j->ret_der = (struct buf){ 0 };
	query_end(q);
}

void token_queries_end(struct control *c)
{
	LIST_FOREACH_SAFE(it, &c->token_queries)
		query_give_up(list_entry(it, struct token_query, link), "the daemon is shutting down");
}

void token_queries_free(struct control *c)
{
	timer_stop(loop_wheel(c->loop), &c->token_tidy);
	LIST_FOREACH_SAFE(it, &c->token_queries) {
		struct token_query *q = list_entry(it, struct token_query, link);

		command_abandon(q->cmd);
		query_free(q);
	}
}

/* ---- keys that are gone ---- */

static void tidy_compute(struct helper_job *helper)
{
	(void)helper;
	tokens_tidy();
}

static void tidy_drop(struct mail *m)
{
	free(container_of(m, struct helper_job, mail));
}

static void tidy_now(struct timer *timer)
{
	struct control *c = container_of(timer, struct control, token_tidy);
	struct helper_job *job = xcalloc(1, sizeof(*job));

	job->mail.drop = tidy_drop;
	job->compute = tidy_compute;
	if (!c->helpers || !helper_submit(c->helpers, job))
		free(job);
}

void token_keys_gone(struct control *c)
{
	if (c->helpers)
		timer_start(loop_wheel(c->loop), &c->token_tidy, loop_now(c->loop) + TOKEN_TIDY_MS, tidy_now);
}

/* ---- certificates that commands need ---- */

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool token_cert_find(void *arg, const struct token_ref *t, struct buf *ret, struct errtext *err)
{
	struct command *cmd = arg;
	struct token_certs *certs = cmd->certs;

	for (const struct token_cert_got *g = certs ? certs->got : NULL; g; g = g->next) {
		const struct token_job *a = g->answer;

		if (a->slot != t->slot || !text_equal(a->module, t->module) || !bytes_equal(buf_bytes(&a->handle), t->handle))
			continue;
		if (a->ok)
			buf_add_bytes(ret, buf_bytes(&a->ret_der));
		else
			*err = a->why;
		return a->ok;
	}
	if (!certs)
		certs = cmd->certs = xcalloc(1, sizeof(*certs));
	if (!certs->wanted)
		certs->wanted = token_job_new(false, t);
	errtext_set(err, "the certificate has yet to come from its token");
	return false;
}

static void cert_came(struct command *cmd, struct token_job *answer)
{
	struct token_cert_got *g = xcalloc(1, sizeof(*g));

	g->answer = answer;
	g->next = cmd->certs->got;
	cmd->certs->got = g;
	cmd->certs->again(cmd);
}

bool token_certs_ask(struct command *cmd, command_fn *again)
{
	struct token_job *wanted = cmd->certs ? cmd->certs->wanted : NULL;

	if (!wanted)
		return false;
	cmd->certs->wanted = NULL;
	cmd->certs->again = again;
	token_ask(cmd, wanted, cert_came);
	return true;
}

void token_certs_free(struct command *cmd)
{
	struct token_certs *certs = cmd->certs;

	if (!certs)
		return;
	for (struct token_cert_got *g = certs->got, *next; g; g = next) {
		next = g->next;
		token_job_free(g->answer);
		free(g);
	}
	token_job_free(certs->wanted);
	free(certs);
	cmd->certs = NULL;
}
