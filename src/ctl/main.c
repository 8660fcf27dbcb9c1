/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <errno.h>

#include "util/log.h"

const struct ctl_verb *const ctl_verb_groups[] = {
	ctl_verbs_control, ctl_verbs_sas, ctl_verbs_list, ctl_verbs_load, ctl_verbs_daemon, NULL,
};

/* Lines of the library (the parser of configuration files) are messages to the user. */
static void log_to_user(void *arg, const struct log_event *ev)
{
	fprintf(stderr, "%.*s\n", (int)ev->msg_len, ev->msg);
}

static int ctl_run(struct ctl *ctl)
{
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;
	int ret = 0;

	for (int i = 0; i < LOG_GROUPS; i++)
		levels[i] = (int8_t)ctl->debug;
	sink = log_sink_add(levels, log_to_user, NULL);
	if (!ctl->verb->offline)
		ret = ctl_connect(ctl);
	if (!ret)
		ret = ctl->verb->run(ctl);
	bewick_vici_free(ctl->vici);
	log_sink_remove(sink);
	return ret;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .debug = LOG_LEVEL_CONTROL };
	int ret;

	if (!ctl_parse(&ctl, argc, argv)) {
		ctl_usage(&ctl, stderr);
		ret = 1;
	} else if (!ctl.verb || ctl.help) {
		ctl_usage(&ctl, stdout);
		ret = 0;
	} else {
		ret = ctl_run(&ctl);
	}
	ctl_parse_free(&ctl);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		ret = ret ? ret : errno;
		fprintf(stderr, "writing the output failed\n");
	}
	return ret;
}
