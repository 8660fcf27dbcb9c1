/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the daemon itself. */
#include "config.h"
#include "ctl/ctl.h"

#include <stdlib.h>

#include "util/mem.h"

/* Daemons of the charon family do not say whose they are. */
static const char *product_of(const char *daemon)
{
	return strncmp(daemon, "charon", strlen("charon")) == 0 ? "strongSwan" : "Bewick";
}

static int run_version(struct ctl *ctl)
{
	struct bewick_vici_message *reply;
	struct bytes r;
	int ret;

	if (!ctl_flag(ctl, "daemon")) {
		printf("Bewick swanctl %s\n", PACKAGE_VERSION);
		return 0;
	}
	ret = ctl_connect(ctl);
	if (!ret)
		ret = ctl_call(ctl, "version", NULL, &reply);
	if (ret)
		return ret;
	r = ctl_bytes(reply);
	if (!ctl_raw_reply(ctl, "version", r)) {
		printf("%s %s %s (%s, %s, %s)\n", product_of(ctl_text(r, "daemon")),
		       ctl_text(r, "version"), ctl_text(r, "daemon"), ctl_text(r, "sysname"),
		       ctl_text(r, "release"), ctl_text(r, "machine"));
	}
	bewick_vici_message_free(reply);
	return 0;
}

/* A subsection, empty if there is none. */
static struct bytes section_of(struct bytes message, const char *name)
{
	struct bytes section = BYTES_NONE;

	(void)vici_find(message, VICI_SECTION_START, name, &section);
	return section;
}

static void stats_print(struct bytes r)
{
	struct bytes uptime = section_of(r, "uptime"), workers = section_of(r, "workers");
	struct bytes active = section_of(workers, "active"), queues = section_of(r, "queues");
	struct bytes ikesas = section_of(r, "ikesas"), heap;

	printf("uptime: %s, since %s\n", ctl_text(uptime, "running"), ctl_text(uptime, "since"));
	printf("worker threads: %s total, %s idle, working: %s/%s/%s/%s\n",
	       ctl_text(workers, "total"), ctl_text(workers, "idle"), ctl_text(active, "critical"),
	       ctl_text(active, "high"), ctl_text(active, "medium"), ctl_text(active, "low"));
	printf("job queues: %s/%s/%s/%s\n", ctl_text(queues, "critical"), ctl_text(queues, "high"),
	       ctl_text(queues, "medium"), ctl_text(queues, "low"));
	printf("jobs scheduled: %s\n", ctl_text(r, "scheduled"));
	printf("IKE_SAs: %s total, %s half-open\n", ctl_text(ikesas, "total"),
	       ctl_text(ikesas, "half-open"));
	if (vici_find(r, VICI_SECTION_START, "mem", &heap))
		printf("memory usage: %s bytes, %s allocations\n", ctl_text(heap, "total"),
		       ctl_text(heap, "allocs"));
	if (vici_find(r, VICI_SECTION_START, "mallinfo", &heap))
		printf("mallinfo: sbrk %s, mmap %s, used %s, free %s\n", ctl_text(heap, "sbrk"),
		       ctl_text(heap, "mmap"), ctl_text(heap, "used"), ctl_text(heap, "free"));
	printf("loaded plugins:");
	ctl_put_list(stdout, r, "plugins");
	putchar('\n');
	if (vici_find(r, VICI_SECTION_START, "backend", &heap))
		printf("IPsec backend: %s, because %s\n", ctl_text(heap, "name"), ctl_text(heap, "reason"));
}

static int run_stats(struct ctl *ctl)
{
	struct bewick_vici_message *reply;
	int ret = ctl_call(ctl, "stats", NULL, &reply);

	if (ret)
		return ret;
	if (!ctl_raw_reply(ctl, "stats", ctl_bytes(reply)))
		stats_print(ctl_bytes(reply));
	bewick_vici_message_free(reply);
	return 0;
}

static int run_reload(struct ctl *ctl)
{
	return ctl_command(ctl, "reload-settings", NULL, "reload-settings", true);
}

static int run_flush_certs(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	ctl_add_opt(ctl, m, "type");
	return ctl_command(ctl, "flush-certs", m, "flush-certs", true);
}

static int run_help(struct ctl *ctl)
{
	ctl->verb = NULL;
	ctl_usage(ctl, stdout);
	return 0;
}

static void log_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct bytes msg, body = ctl_bytes(m);
	struct ctl *ctl = arg;
	char *prefix;

	if (ctl_raw(ctl, "log", body) || !vici_find(body, VICI_KEY_VALUE, "msg", &msg))
		return;
	prefix = xasprintf("%02d[%s] ", (int)vici_find_int(body, "thread", 0), ctl_text(body, "group"));
	ctl_put_lines(prefix, msg);
	free(prefix);
}

static int run_log(struct ctl *ctl)
{
	int ret = ctl_register(ctl, "log", log_event);

	return ret ? ret : ctl_follow(ctl);
}

const struct ctl_verb ctl_verbs_daemon[] = {
	{ "log", 'T', "follow the log", false, run_log },
	{ "version", 'v', "show the version", true, run_version,
	  { { "daemon", 'd', NULL, "of the daemon instead of swanctl" } } },
	{ "stats", 'S', "show the daemon's statistics", false, run_stats },
	{ "reload-settings", 'r', "let the daemon read its settings again", false, run_reload },
	{ "flush-certs", 'f', "drop cached certificates", false, run_flush_certs,
	  { { "type", 't', "type", "only of this type" } } },
	{ "help", 'h', "show this usage", true, run_help },
	{ 0 },
};
