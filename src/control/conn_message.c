/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/internal.h"

/* A connection as list-conns prints it. */

static void message_endpoints(struct vici_writer *w, const char *key, const struct endpoint *e, size_t n)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < n; i++)
		vici_write_item_str(w, e[i].kind == ENDPOINT_ANY || !e[i].text ? "%any" : e[i].text);
	vici_write_list_end(w);
}

static const char *message_unique(enum conn_unique unique)
{
	switch (unique) {
	case UNIQUE_NO:
		return "UNIQUE_NO";
	case UNIQUE_REPLACE:
		return "UNIQUE_REPLACE";
	case UNIQUE_KEEP:
		return "UNIQUE_KEEP";
	case UNIQUE_NEVER:
		return "UNIQUE_NEVER";
	}
	return "";
}

static const char *message_class(enum conn_auth auth)
{
	switch (auth) {
	case CONN_AUTH_ANY:
		return "any";
	case CONN_AUTH_PUBKEY:
		return "public key";
	case CONN_AUTH_PSK:
		return "pre-shared key";
	case CONN_AUTH_EAP:
		return "EAP";
	}
	return "";
}

static void message_texts(struct vici_writer *w, const char *key, const char *const *texts, size_t n)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < n; i++)
		vici_write_item_str(w, texts[i]);
	vici_write_list_end(w);
}

static void message_subjects(struct vici_writer *w, const char *key, struct cert *const *certs, size_t n)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < n; i++) {
		struct buf subject = { 0 };

		id_format(&subject, &certs[i]->subject);
		vici_write_item_str(w, buf_str(&subject));
		buf_free(&subject);
	}
	vici_write_list_end(w);
}

static void message_id(struct vici_writer *w, const char *key, const struct id *id)
{
	struct buf text = { 0 };

	if (id_is_any(id))
		return;
	id_format(&text, id);
	vici_write_str(w, key, buf_str(&text));
	buf_free(&text);
}

/* As far as it is a demand. */
static const char *message_revocation(enum conn_revocation revocation)
{
	switch (revocation) {
	case REVOCATION_STRICT:
		return "GOOD";
	case REVOCATION_IFURI:
		return "SKIPPED";
	case REVOCATION_RELAXED:
		return NULL;
	}
	return NULL;
}

static void message_round(struct vici_writer *w, const char *side, size_t number, const struct conn_round *r)
{
	const char *revocation = message_revocation(r->revocation);
	char name[32];

	snprintf(name, sizeof(name), "%s-%zu", side, number);
	vici_write_section(w, name);
	message_id(w, "id", &r->id);
	message_id(w, "ca_id", &r->ca_id);
	if (r->auth != CONN_AUTH_ANY || r->auth_text)
		vici_write_str(w, "class", message_class(r->auth));
	if (revocation)
		vici_write_str(w, "revocation", revocation);
	message_texts(w, "groups", r->groups, r->n_groups);
	message_texts(w, "cert_policy", r->policies, r->n_policies);
	message_subjects(w, "certs", r->certs, r->n_certs);
	message_subjects(w, "cacerts", r->cacerts, r->n_cacerts);
	vici_write_section_end(w);
}

static const char *message_mode(enum ipsec_mode_conf mode)
{
	switch (mode) {
	case CHILD_TUNNEL:
		return "TUNNEL";
	case CHILD_TRANSPORT:
		return "TRANSPORT";
	case CHILD_BEET:
		return "BEET";
	case CHILD_PASS:
		return "PASS";
	case CHILD_DROP:
		return "DROP";
	}
	return "";
}

static const char *message_action(unsigned bits)
{
	static const char *const names[] = { "none", "trap", "start", "trap | start" };

	return names[bits & 3];
}

static void message_selectors(struct vici_writer *w, const char *key, struct ts_list list)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < list.count; i++)
		vici_write_item_str(w, ts_format(&list.p[i]).s);
	vici_write_list_end(w);
}

static void message_number(struct vici_writer *w, const char *key, uint64_t v)
{
	vici_write_fmt(w, key, "%llu", (unsigned long long)v);
}

static void message_child(struct vici_writer *w, const struct child_conf *c)
{
	vici_write_section(w, c->name);
	vici_write_str(w, "mode", message_mode(c->mode));
	message_number(w, "rekey_time", c->rekey_time);
	message_number(w, "rekey_bytes", c->rekey_bytes);
	message_number(w, "rekey_packets", c->rekey_packets);
	vici_write_str(w, "dpd_action", message_action(c->dpd_action));
	vici_write_str(w, "close_action", message_action(c->close_action));
	message_selectors(w, "local-ts", c->local_ts);
	message_selectors(w, "remote-ts", c->remote_ts);
	if (c->interface)
		vici_write_str(w, "interface", c->interface);
	if (c->priority)
		message_number(w, "priority", c->priority);
	vici_write_section_end(w);
}

void conn_message(struct vici_writer *w, const struct conn *conn)
{
	vici_write_section(w, conn->name);
	message_endpoints(w, "local_addrs", conn->local_addrs, conn->n_local);
	message_endpoints(w, "remote_addrs", conn->remote_addrs, conn->n_remote);
	message_number(w, "local_port", conn->local_port);
	message_number(w, "remote_port", conn->remote_port);
	vici_write_str(w, "version", conn->version == 2 ? "IKEv2" : "IKEv1/2");
	message_number(w, "reauth_time", conn->reauth_time);
	message_number(w, "rekey_time", conn->rekey_time);
	vici_write_str(w, "unique", message_unique(conn->unique));
	if (conn->dpd_delay)
		message_number(w, "dpd_delay", conn->dpd_delay);
	if (conn->dpd_timeout)
		message_number(w, "dpd_timeout", conn->dpd_timeout);
	for (size_t i = 0; i < conn->n_local_rounds; i++)
		message_round(w, "local", i + 1, &conn->local_rounds[i]);
	for (size_t i = 0; i < conn->n_remote_rounds; i++)
		message_round(w, "remote", i + 1, &conn->remote_rounds[i]);
	vici_write_section(w, "children");
	for (size_t i = 0; i < conn->n_children; i++)
		message_child(w, &conn->children[i]);
	vici_write_section_end(w);
	vici_write_section_end(w);
}
