/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scripts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/program.h"
#include "loop/loop.h"
#include "loop/thread.h"
#include "util/log.h"
#include "util/mem.h"

struct script {
	struct script *next;
	char *name, *command;
};

/* ---- the list ---- */

struct script_list {
	const struct settings *settings;
	const char *section;
	struct script *first, **last;
};

static void script_add(void *arg, const char *name)
{
	struct script_list *list = arg;
	char *key = xasprintf("%s.%s", list->section, name);
	const char *command = settings_str(list->settings, key, NULL);
	struct script *script;

	free(key);
	if (!command)
		return;
	script = xcalloc(1, sizeof(*script));
	script->name = xstrdup(name);
	script->command = xstrdup(command);
	*list->last = script;
	list->last = &script->next;
}

static struct script *script_list_read(const struct settings *s, const char *section)
{
	struct script_list list = { .settings = s, .section = section };

	list.last = &list.first;
	settings_each(s, section, false, script_add, &list);
	return list.first;
}

static void script_list_free(struct script *first)
{
	while (first) {
		struct script *next = first->next;

		free(first->name);
		free(first->command);
		free(first);
		first = next;
	}
}

/* ---- one script ---- */

static void script_line(void *arg, const char *line, size_t n)
{
	const struct script *script = arg;

	LOG(DMN, LOG_LEVEL_CONTROL, "%s: %.*s", script->name, (int)n, line);
}

/* False: cancelled, or out of time. */
static bool script_run(struct script *script, int cancel_fd, uint64_t deadline_ms)
{
	const char *const argv[] = { "sh", "-c", script->command, NULL };
	struct program_run run = { .path = "/bin/sh",
				   .argv = argv,
				   .deadline_ms = deadline_ms,
				   .cancel_fd = cancel_fd,
				   .line = script_line,
				   .arg = script };
	struct program_result result;
	struct text how;

	LOG(DMN, LOG_LEVEL_CONTROL, "running script '%s' (%s)", script->name, script->command);
	result = program_run(&run);
	how = program_result_format(result);
	if (*how.s)
		LOG(DMN, LOG_LEVEL_AUDIT, "script '%s'%s", script->name, how.s);
	else
		LOG(DMN, LOG_LEVEL_DETAIL, "script '%s' is done", script->name);
	return result.end != PROGRAM_LATE;
}

static void script_list_run(struct script *first, int cancel_fd, unsigned limit_ms)
{
	uint64_t deadline = clock_monotonic_ms() + limit_ms;

	while (first && script_run(first, cancel_fd, deadline))
		first = first->next;
}

void scripts_run(const struct settings *s, const char *section, int cancel_fd, unsigned limit_ms)
{
	struct script *first = script_list_read(s, section);

	script_list_run(first, cancel_fd, limit_ms);
	script_list_free(first);
}

/* ---- on a thread ---- */

struct scripts {
	struct script *first;
	unsigned limit_ms;
	int cancel_fd;
	pthread_t thread;
};

static void *scripts_main(void *arg)
{
	struct scripts *scripts = arg;

	script_list_run(scripts->first, scripts->cancel_fd, scripts->limit_ms);
	return NULL;
}

static void scripts_free(struct scripts *scripts)
{
	if (scripts->cancel_fd >= 0)
		close(scripts->cancel_fd);
	script_list_free(scripts->first);
	free(scripts);
}

struct scripts *scripts_start(const struct settings *s, const char *section, unsigned limit_ms)
{
	struct script *first = script_list_read(s, section);
	struct scripts *scripts;
	int e;

	if (!first)
		return NULL;
	scripts = xcalloc(1, sizeof(*scripts));
	scripts->first = first;
	scripts->limit_ms = limit_ms;
	scripts->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = scripts->cancel_fd < 0 ? errno : thread_start(&scripts->thread, NULL, scripts_main, scripts);
	if (!e)
		return scripts;
	LOG(DMN, LOG_LEVEL_AUDIT, "cannot run the %s: %s", section, strerror(e));
	scripts_free(scripts);
	return NULL;
}

void scripts_end(struct scripts *scripts)
{
	if (!scripts)
		return;
	(void)eventfd_write(scripts->cancel_fd, 1);
	pthread_join(scripts->thread, NULL);
	scripts_free(scripts);
}
