/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that make the daemon do something with SAs and policies. */
#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "util/mem.h"

static void control_log(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct bytes msg, body = ctl_bytes(m);
	struct ctl *ctl = arg;
	char *prefix;

	if (!ctl_raw(ctl, "log", body) && vici_find(body, VICI_KEY_VALUE, "msg", &msg)) {
		prefix = xasprintf("[%s] ", ctl_text(body, "group"));
		ctl_put_lines(prefix, msg);
		free(prefix);
	}
	fflush(stdout);
}

/* --timeout is in seconds, the protocol in milliseconds. */
static bool control_timeout(const struct ctl *ctl, struct bewick_vici_message *m)
{
	const char *text = ctl_opt(ctl, "timeout");
	char *end;
	long long s;

	if (!text)
		return true;
	errno = 0;
	s = strtoll(text, &end, 10);
	if (errno || *end || end == text || s > INT32_MAX || s < INT32_MIN) {
		fprintf(stderr, "invalid timeout: '%s' is not a number of seconds\n", text);
		return false;
	}
	bewick_vici_fmt(m, "timeout", "%lld", s * 1000);
	return true;
}

/* initiate and terminate: the log of what is done streams until it is. */
static int control_logged(struct ctl *ctl, const char *command, struct bewick_vici_message *m)
{
	const char *level = ctl_opt(ctl, "loglevel");
	int ret;

	if (!control_timeout(ctl, m)) {
		bewick_vici_message_free(m);
		return EINVAL;
	}
	bewick_vici_str(m, "loglevel", level ? level : "1");
	ret = ctl_register(ctl, "control-log", control_log);
	if (ret) {
		bewick_vici_message_free(m);
		return ret;
	}
	return ctl_command(ctl, command, m, command, false);
}

static int run_initiate(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "child");
	ctl_add_opt(ctl, m, "ike");
	return control_logged(ctl, "initiate", m);
}

static void control_add_selectors(struct ctl *ctl, struct bewick_vici_message *m)
{
	ctl_add_opt(ctl, m, "child");
	ctl_add_opt(ctl, m, "ike");
	ctl_add_opt(ctl, m, "child-id");
	ctl_add_opt(ctl, m, "ike-id");
}

static int run_terminate(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	control_add_selectors(ctl, m);
	ctl_add_flag(ctl, m, "force");
	return control_logged(ctl, "terminate", m);
}

static int run_rekey(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	control_add_selectors(ctl, m);
	ctl_add_flag(ctl, m, "reauth");
	return ctl_command(ctl, "rekey", m, "rekey", false);
}

static int run_sync_ids(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "ike");
	ctl_add_opt(ctl, m, "ike-id");
	ctl_add_opt(ctl, m, "replay-delta");
	return ctl_command(ctl, "sync-ids", m, "sync-ids", false);
}

static int run_redirect(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "ike");
	ctl_add_opt(ctl, m, "ike-id");
	ctl_add_opt(ctl, m, "peer-ip");
	ctl_add_opt(ctl, m, "peer-id");
	ctl_add_opt(ctl, m, "gateway");
	return ctl_command(ctl, "redirect", m, "redirect", false);
}

static int run_policy(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "child");
	ctl_add_opt(ctl, m, "ike");
	return ctl_command(ctl, ctl->verb->name, m, ctl->verb->name, false);
}

#define OPT_CHILD { "child", 'c', "name", "CHILD_SA configuration" }
#define OPT_IKE { "ike", 'i', "name", "IKE_SA configuration" }
#define OPT_CHILD_ID { "child-id", 'C', "id", "unique id of a CHILD_SA" }
#define OPT_IKE_ID { "ike-id", 'I', "id", "unique id of an IKE_SA" }
#define OPT_TIMEOUT { "timeout", 't', "seconds", "how long to wait, default: until done" }
#define OPT_LOGLEVEL { "loglevel", 'l', "level", "highest level of log lines to show, default: 1" }

const struct ctl_verb ctl_verbs_control[] = {
	{ "initiate", 'i', "initiate a connection", false, run_initiate,
	  { OPT_CHILD, OPT_IKE, OPT_TIMEOUT, OPT_LOGLEVEL } },
	{ "terminate", 't', "terminate a connection", false, run_terminate,
	  { OPT_CHILD, OPT_IKE, OPT_CHILD_ID, OPT_IKE_ID,
	    { "force", 'f', NULL, "do not wait for the peer" }, OPT_TIMEOUT, OPT_LOGLEVEL } },
	{ "rekey", 'R', "rekey an SA", false, run_rekey,
	  { OPT_CHILD, OPT_IKE, OPT_CHILD_ID, OPT_IKE_ID,
	    { "reauth", 'a', NULL, "reauthenticate instead of rekeying an IKE_SA" } } },
	{ "sync-ids", 'Y', "agree on message IDs with the peer anew", false, run_sync_ids,
	  { OPT_IKE, OPT_IKE_ID,
	    { "replay-delta", 'D', "number", "and its sequence numbers are to jump by this" } } },
	{ "redirect", 'd', "redirect an IKE_SA", false, run_redirect,
	  { OPT_IKE, OPT_IKE_ID,
	    { "peer-ip", 'p', "ip|subnet|range", "addresses of peers" },
	    { "peer-id", 'd', "id|wildcards", "identities of peers" },
	    { "gateway", 'g', "ip|fqdn", "the gateway to redirect to" } } },
	{ "install", 'p', "install a trap or shunt policy", false, run_policy, { OPT_CHILD, OPT_IKE } },
	{ "uninstall", 'u', "uninstall a trap or shunt policy", false, run_policy,
	  { OPT_CHILD, OPT_IKE } },
	{ 0 },
};
