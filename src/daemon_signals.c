/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads. */
#include "daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"

#define DRAIN_LOOK_MS 20

size_t daemon_pending(const struct daemon *daemon)
{
	return loader_pending(daemon->loader) + sip_stack_pending(daemon->sip) +
	       (daemon->store ? store_pending(daemon->store) : 0);
}

static void look_at_drain(void *arg)
{
	struct daemon *daemon = arg;
	size_t pending = daemon_pending(daemon);

	if (pending && clock_monotonic_ms() < daemon->drain_until_ms) {
		timer_start(daemon->core.timers, &daemon->drain_timer,
			    DRAIN_LOOK_MS, look_at_drain, daemon);
		return;
	}
	if (pending)
		log_warning("mcmigd",
			    "msg=\"drain_timeout is over: the store remembers "
			    "what is left\" pending=%zu",
			    pending);
	else
		log_info("mcmigd", "msg=\"drained\"");
	loop_stop(daemon->loop);
}

void daemon_drain(struct daemon *daemon)
{
	uint32_t timeout_ms = daemon_settings(daemon)->drain_timeout_ms;

	daemon->draining = true;
	daemon->drain_until_ms = clock_monotonic_ms() + timeout_ms;
	log_info("mcmigd", "msg=\"draining\" pending=%zu at_most_ms=%u",
		 daemon_pending(daemon), (unsigned)timeout_ms);
	loader_drain(daemon->loader);
	sip_stack_drain(daemon->sip);
	look_at_drain(daemon);
}

static void take_end(void *arg, int signal_number)
{
	struct daemon *daemon = arg;

	if (daemon->draining && daemon->recycle.wanted) {
		daemon->recycle.wanted = false;
		log_info("mcmigd", "msg=\"%s: ending after this drain\"",
			 strsignal(signal_number));
		return;
	}
	if (daemon->draining) {
		log_warning("mcmigd", "msg=\"%s again: ending at once\"",
			    strsignal(signal_number));
		_exit(EXIT_FAILURE);
	}
	daemon_drain(daemon);
}

static void take_reload(void *arg, int signal_number)
{
	char why[256];

	(void)signal_number;
	if (daemon_reload(arg, why, sizeof(why)))
		log_error("mcmigd", "msg=\"not reloaded: %s\"", why);
}

void daemon_hold_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

int daemon_take_signals(struct daemon *daemon)
{
	int err = loop_signal(daemon->loop, SIGTERM, take_end, daemon);

	if (!err)
		err = loop_signal(daemon->loop, SIGINT, take_end, daemon);
	if (!err)
		err = loop_signal(daemon->loop, SIGHUP, take_reload, daemon);
	return err;
}
