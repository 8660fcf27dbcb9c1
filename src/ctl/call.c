/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "util/mem.h"

struct bytes ctl_bytes(const struct bewick_vici_message *m)
{
	struct bytes b;

	b.p = bewick_vici_data(m, &b.n);
	return b;
}

int ctl_call(struct ctl *ctl, const char *command, const struct bewick_vici_message *request,
	     struct bewick_vici_message **ret_reply)
{
	int err = bewick_vici_call(ctl->vici, command, request, ret_reply);

	if (err)
		fprintf(stderr, "%s request failed: %s\n", command, strerror(-err));
	return -err;
}

int ctl_register(struct ctl *ctl, const char *event, bewick_vici_event_fn *fn)
{
	int err = bewick_vici_register(ctl->vici, event, fn, ctl);

	if (err)
		fprintf(stderr, "registering for %s failed: %s\n", event, strerror(-err));
	return -err;
}

bool ctl_raw(const struct ctl *ctl, const char *label, struct bytes message)
{
	switch (ctl->format) {
	case CTL_PLAIN:
		return false;
	case CTL_RAW:
		ctl_print_raw(stdout, label, message);
		return true;
	case CTL_PRETTY:
		ctl_print_pretty(stdout, label, message);
		return true;
	}
	return false;
}

static bool ctl_raw_named(const struct ctl *ctl, const char *name, const char *what,
			  struct bytes message)
{
	char *label = xasprintf("%s %s", name, what);
	bool done = ctl_raw(ctl, label, message);

	free(label);
	return done;
}

bool ctl_raw_reply(const struct ctl *ctl, const char *command, struct bytes message)
{
	return ctl_raw_named(ctl, command, "reply", message);
}

bool ctl_raw_event(const struct ctl *ctl, const char *event, struct bytes message)
{
	return ctl_raw_named(ctl, event, "event", message);
}

void ctl_add_opt(const struct ctl *ctl, struct bewick_vici_message *m, const char *name)
{
	const char *value = ctl_opt(ctl, name);

	if (value)
		bewick_vici_str(m, name, value);
}

void ctl_add_flag(const struct ctl *ctl, struct bewick_vici_message *m, const char *name)
{
	if (ctl_flag(ctl, name))
		bewick_vici_str(m, name, "yes");
}

char *ctl_errmsg(struct bytes reply)
{
	struct bytes value;
	char *msg;

	if (vici_find_text(reply, "success", &value) && bytes_equal_str(value, "yes"))
		return NULL;
	msg = vici_find_str(reply, "errmsg");
	return msg ? msg : xstrdup("the daemon gave no reason");
}

int ctl_command(struct ctl *ctl, const char *command, struct bewick_vici_message *request,
		const char *what, bool quiet)
{
	struct bewick_vici_message *reply = NULL;
	int ret = ctl_call(ctl, command, request, &reply);
	char *errmsg;

	bewick_vici_message_free(request);
	if (ret)
		return ret;
	if (!ctl_raw_reply(ctl, command, ctl_bytes(reply))) {
		errmsg = ctl_errmsg(ctl_bytes(reply));
		if (errmsg)
			fprintf(stderr, "%s failed: %s\n", what, errmsg);
		else if (!quiet)
			printf("%s completed successfully\n", what);
		ret = errmsg ? 1 : 0;
		free(errmsg);
	}
	bewick_vici_message_free(reply);
	return ret;
}

int ctl_stream(struct ctl *ctl, const char *command, const char *event, bewick_vici_event_fn *fn,
	       struct bewick_vici_message *request)
{
	struct bewick_vici_message *reply = NULL;
	int ret = ctl_register(ctl, event, fn);

	if (!ret)
		ret = ctl_call(ctl, command, request, &reply);
	bewick_vici_message_free(request);
	if (!ret)
		ctl_raw_reply(ctl, command, ctl_bytes(reply));
	bewick_vici_message_free(reply);
	return ret;
}

int ctl_follow(struct ctl *ctl)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	sigset_t set;
	int err = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[0].fd = bewick_vici_fd(ctl->vici);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fds[1].fd < 0)
		return errno;
	/* what came together with the confirmations waits in the library already */
	while ((err = bewick_vici_dispatch(ctl->vici, 0)) >= 0) {
		fflush(stdout);
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return errno;
		if (fds[1].revents)
			break;
	}
	close(fds[1].fd);
	if (err < 0)
		fprintf(stderr, "connection closed: %s\n", strerror(-err));
	else
		fprintf(stderr, "disconnecting...\n");
	return err < 0 ? -err : 0;
}
