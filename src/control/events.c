/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* What clients registered for: events of SAs and lines of the log. */

static const char *const event_names[CONTROL_EVENTS] = {
#define EVENT_NAME(NAME, TEXT) [CONTROL_EVENT_##NAME] = TEXT,
	CONTROL_EVENT_LIST(EVENT_NAME)
#undef EVENT_NAME
};

const char *event_name(enum control_event event)
{
	return event_names[event];
}

bool event_parse(struct bytes name, enum control_event *ret)
{
	for (unsigned i = 0; i < CONTROL_EVENTS; i++) {
		if (bytes_equal_str(name, event_names[i])) {
			*ret = (enum control_event)i;
			return true;
		}
	}
	return false;
}

/* ---- registrations ---- */

void event_register(struct client *cl, enum control_event event)
{
	cl->events[event]++;
	cl->control->wanted[event]++;
	events_update(cl->control);
}

bool event_unregister(struct client *cl, enum control_event event)
{
	if (cl->events[event] == 0)
		return false;
	cl->events[event]--;
	cl->control->wanted[event]--;
	events_update(cl->control);
	return true;
}

void events_forget(struct client *cl)
{
	for (unsigned i = 0; i < CONTROL_EVENTS; i++) {
		cl->control->wanted[i] -= cl->events[i];
		cl->events[i] = 0;
	}
}

static void log_mail_drop(struct mail *m)
{
	free(container_of(m, struct log_mail, mail));
}

/* On whichever thread logs: copies, hands over. */
static void events_sink(void *arg, const struct log_event *ev)
{
	struct control *c = arg;
	size_t name_len = ev->sa.name ? strlen(ev->sa.name) : 0;
	struct log_mail *m;

	if (atomic_fetch_add(&c->log_waiting, 1) >= CONTROL_LOG_WAITING) {
		atomic_fetch_sub(&c->log_waiting, 1);
		atomic_fetch_add(&c->log_dropped, 1);
		return;
	}
	m = xmalloc(sizeof(*m) + name_len + ev->msg_len + 2);
	*m = (struct log_mail){ .mail.kind = CONTROL_MAIL_LOG,
				.mail.drop = log_mail_drop,
				.group = ev->group,
				.level = ev->level,
				.thread = ev->thread,
				.sa_id = ev->sa.id,
				.name_len = name_len,
				.msg_len = ev->msg_len };
	memcpy(m->text, ev->sa.name ? ev->sa.name : "", name_len + 1);
	memcpy(m->text + name_len + 1, ev->msg, ev->msg_len);
	m->text[name_len + 1 + ev->msg_len] = '\0';
	mailbox_post(c->box, &m->mail);
}

static void events_update_log(struct control *c)
{
	int level = c->wanted[CONTROL_EVENT_LOG] ? LOG_LEVEL_CONTROL : LOG_LEVEL_SILENT;
	int8_t levels[LOG_GROUPS];

	LIST_FOREACH(it, &c->logging) {
		struct command *cmd = list_entry(it, struct command, link);

		if (command_wants(cmd, CONTROL_EVENT_CONTROL_LOG) && cmd->log_level > level)
			level = cmd->log_level;
	}
	if (level == c->sink_level)
		return;
	c->sink_level = level;
	memset(levels, level, sizeof(levels));
	if (level == LOG_LEVEL_SILENT) {
		log_sink_remove(c->sink);
		c->sink = NULL;
	} else if (c->sink) {
		log_sink_set_levels(c->sink, levels);
	} else {
		c->sink = log_sink_add(levels, events_sink, c);
	}
}

void events_update(struct control *c)
{
	unsigned mask = hooks_events(c);

	if (c->wanted[CONTROL_EVENT_IKE_UPDOWN])
		mask |= 1u << SA_EVENT_IKE_UP | 1u << SA_EVENT_IKE_DOWN;
	if (c->wanted[CONTROL_EVENT_CHILD_UPDOWN])
		mask |= 1u << SA_EVENT_CHILD_UP | 1u << SA_EVENT_CHILD_DOWN;
	if (c->wanted[CONTROL_EVENT_IKE_REKEY])
		mask |= 1u << SA_EVENT_IKE_REKEY;
	if (c->wanted[CONTROL_EVENT_CHILD_REKEY])
		mask |= 1u << SA_EVENT_CHILD_REKEY;
	if (c->wanted[CONTROL_EVENT_IKE_UPDATE])
		mask |= 1u << SA_EVENT_IKE_UPDATE;
	if (c->workers)
		workers_want_events(c->workers, mask);
	events_update_log(c);
}

/* ---- broadcast ---- */

static void event_broadcast(struct control *c, enum control_event event, struct vici_writer *w)
{
	struct bytes segment;
	struct result r = vici_writer_done(w, &segment);

	if (result_is_ok(r)) {
		LIST_FOREACH_SAFE(it, &c->clients) {
			struct client *cl = list_entry(it, struct client, link);

			/* twice registered is twice sent; a client that loses events is not tried again */
			for (unsigned i = 0; i < cl->events[event]; i++) {
				uint64_t dropped = cl->dropped;

				client_send_event(cl, segment);
				if (cl->gone || cl->dropped != dropped)
					break;
			}
		}
	}
	vici_writer_clear(w);
}

/* What clients know an event of an SA as. */
static const enum control_event events_of_sas[] = {
	[SA_EVENT_IKE_UP] = CONTROL_EVENT_IKE_UPDOWN,	  [SA_EVENT_IKE_DOWN] = CONTROL_EVENT_IKE_UPDOWN,
	[SA_EVENT_CHILD_UP] = CONTROL_EVENT_CHILD_UPDOWN, [SA_EVENT_CHILD_DOWN] = CONTROL_EVENT_CHILD_UPDOWN,
	[SA_EVENT_IKE_REKEY] = CONTROL_EVENT_IKE_REKEY,	  [SA_EVENT_CHILD_REKEY] = CONTROL_EVENT_CHILD_REKEY,
	[SA_EVENT_IKE_UPDATE] = CONTROL_EVENT_IKE_UPDATE,
};

void events_sa(struct control *c, const struct worker_reply *r)
{
	enum control_event event = events_of_sas[r->event];
	struct vici_writer w;

	if (!c->wanted[event] || !r->info)
		return;
	if (event == CONTROL_EVENT_IKE_REKEY && !expect(r->info_new))
		return;
	if (event == CONTROL_EVENT_CHILD_REKEY &&
	    !expect(r->info_new && r->info->n_children == 1 && r->info_new->n_children == 1))
		return;
	command_event_begin(&w, event);
	switch (r->event) {
	case SA_EVENT_IKE_UP:
	case SA_EVENT_CHILD_UP:
		vici_write_str(&w, "up", "yes");
		sa_message_ike(&w, r->info, event == CONTROL_EVENT_CHILD_UPDOWN);
		break;
	case SA_EVENT_IKE_DOWN:
	case SA_EVENT_CHILD_DOWN:
		sa_message_ike(&w, r->info, event == CONTROL_EVENT_CHILD_UPDOWN);
		break;
	case SA_EVENT_IKE_REKEY:
		sa_message_ike_rekey(&w, r->info, r->info_new);
		break;
	case SA_EVENT_IKE_UPDATE:
		sa_message_ike_update(&w, r->info, &r->local, &r->remote);
		break;
	case SA_EVENT_CHILD_REKEY:
		sa_message_child_rekey(&w, r->info, r->info_new);
		break;
	}
	event_broadcast(c, event, &w);
}

static void event_log_body(struct vici_writer *w, const struct log_mail *m, bool thread)
{
	size_t max = 65535;

	vici_write_str(w, "group", log_group_name(m->group));
	vici_write_fmt(w, "level", "%d", m->level);
	if (thread)
		vici_write_fmt(w, "thread", "%u", m->thread);
	if (m->name_len) {
		vici_write_str(w, "ikesa-name", m->text);
		vici_write_fmt(w, "ikesa-uniqueid", "%u", m->sa_id);
	}
	vici_write_value(w, "msg", bytes_of(m->text + m->name_len + 1, m->msg_len < max ? m->msg_len : max));
}

static bool event_log_concerns(const struct command *cmd, const struct log_mail *m)
{
	if (m->level > cmd->log_level || !command_wants(cmd, CONTROL_EVENT_CONTROL_LOG))
		return false;
	if (cmd->log_name && m->name_len && strcmp(cmd->log_name, m->text) == 0)
		return true;
	for (size_t i = 0; i < cmd->n_log_ids; i++) {
		if (m->name_len && cmd->log_ids[i] == m->sa_id)
			return true;
	}
	return false;
}

void events_log(struct control *c, const struct log_mail *m)
{
	struct vici_writer w;
	unsigned dropped;

	atomic_fetch_sub(&c->log_waiting, 1);
	if (c->wanted[CONTROL_EVENT_LOG] && m->level <= LOG_LEVEL_CONTROL) {
		command_event_begin(&w, CONTROL_EVENT_LOG);
		event_log_body(&w, m, true);
		event_broadcast(c, CONTROL_EVENT_LOG, &w);
	}
	LIST_FOREACH_SAFE(it, &c->logging) {
		struct command *cmd = list_entry(it, struct command, link);
		struct bytes segment;

		if (!event_log_concerns(cmd, m))
			continue;
		command_event_begin(&w, CONTROL_EVENT_CONTROL_LOG);
		event_log_body(&w, m, false);
		if (result_is_ok(vici_writer_done(&w, &segment)))
			client_send_event(cmd->client, segment);
		vici_writer_clear(&w);
	}
	dropped = atomic_load(&c->log_waiting) ? 0 : atomic_exchange(&c->log_dropped, 0);
	if (dropped)
		LOG(CFG, 1, "vici: clients missed %u lines of the log", dropped);
}
