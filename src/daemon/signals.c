/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "util/log.h"

static void signals_read(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(d->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			LOG(DMN, LOG_LEVEL_CONTROL, "SIGHUP: reading the settings again");
			daemon_reload(d);
			continue;
		}
		LOG(DMN, LOG_LEVEL_CONTROL, "%s: shutting down", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
		loop_stop(d->loop);
		return; /* another one cuts the stop scripts short */
	}
}

static void signals_woken(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	eventfd_t value;

	(void)events;
	(void)eventfd_read(d->wake_fd, &value);
	if (atomic_exchange(&d->backend_dead, false)) {
		LOG(KNL, LOG_LEVEL_AUDIT, "the IPsec backend %s cannot go on: shutting down", d->kernel_ops->name);
		d->failed = true;
		loop_stop(d->loop);
	}
	if (atomic_exchange(&d->reload_asked, false))
		daemon_reload(d);
}

static void signals_signer(void *arg, uint32_t events)
{
	struct daemon *d = arg;

	(void)events;
	if (signer_look(d->signer))
		return;
	loop_remove(d->signer_watch);
	d->signer_watch = NULL;
}

/* SIGHUP stays blocked. */
void daemon_ignore_hup(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)expect(signalfd(d->signal_fd, &set, SFD_CLOEXEC | SFD_NONBLOCK) >= 0);
}

void daemon_wake(struct daemon *d)
{
	(void)eventfd_write(d->wake_fd, 1);
}

bool daemon_open_loop(struct daemon *d, struct errtext *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* who started us may ignore it: then nobody could tell how a script ended */
	d->loop = loop_new();
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->loop && d->signal_fd >= 0 && d->wake_fd >= 0 &&
	    loop_add(d->loop, d->signal_fd, EPOLLIN, signals_read, d) &&
	    loop_add(d->loop, d->wake_fd, EPOLLIN, signals_woken, d) &&
	    (!d->signer || (d->signer_watch = loop_add(d->loop, signer_fd(d->signer), EPOLLIN, signals_signer, d))))
		return true;
	errtext_set(err, "cannot make the main loop: %s", strerror(errno));
	return false;
}

void daemon_close_loop(struct daemon *d)
{
	loop_free(d->loop);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
	d->loop = NULL;
	d->signal_fd = d->wake_fd = -1;
}
