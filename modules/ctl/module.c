/* SPDX-License-Identifier: BSD-2-Clause */
/* The ctl module: its settings, its life, and taking clients. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/ctl.h"
#include "loop/loop.h"

#define ACCEPT_AGAIN_MS 1000
#define ACCEPTS_A_TURN 16

static const struct setting settings[] = {
	{ .name = "socket",
	  .type = SETTING_STRING,
	  .default_value = "/run/mcmig/ctl.sock",
	  .offset = offsetof(struct ctl_settings, socket),
	  .help = "Unix socket for mcmigctl; its group may use it, too." },
	{ .name = "clients_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "16",
	  .min = 1,
	  .max = 256,
	  .reloadable = true,
	  .offset = offsetof(struct ctl_settings, clients_max),
	  .help = "Clients at once; more are turned away." },
	{ .name = "idle_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "60s",
	  .min = 100,
	  .max = 3600000,
	  .reloadable = true,
	  .offset = offsetof(struct ctl_settings, idle_timeout_ms),
	  .help = "A client that sends no whole request for so long is "
		  "dropped." },
	{ .name = "command_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "30s",
	  .min = 100,
	  .max = 3600000,
	  .reloadable = true,
	  .offset = offsetof(struct ctl_settings, command_timeout_ms),
	  .help = "A command that has not ended by then is reported as "
		  "failed." },
	{ .name = "answer_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "10s",
	  .min = 100,
	  .max = 3600000,
	  .reloadable = true,
	  .offset = offsetof(struct ctl_settings, answer_timeout_ms),
	  .help = "A client that has not read its whole answer by then is "
		  "dropped." },
	{ 0 },
};

/* --- Clients ------------------------------------------------------------ */

static void turn_away(struct ctl *ctl, int fd)
{
	static const char busy[] =
	    "{\"error\":\"too many clients: see ctl.clients_max\"}\n";

	stat_increment(&ctl->refused);
	if (send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("ctl", "msg=\"a client left at once\"");
	close(fd);
}

static void watch_again(void *arg)
{
	struct ctl *ctl = arg;

	loop_watch_events(ctl->watch, EPOLLIN);
}

/* Out of descriptors: the waiting connection would wake us without end. */
static void pause_accepting(struct ctl *ctl, int err)
{
	log_warning("ctl", "msg=\"cannot take a client: %s\"", strerror(err));
	loop_watch_events(ctl->watch, 0);
	timer_start(ctl->core->timers, &ctl->accept_again, ACCEPT_AGAIN_MS,
		    watch_again, ctl);
}

static bool accept_one(struct ctl *ctl)
{
	int fd =
	    accept4(ctl->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			pause_accepting(ctl, errno);
		return errno == EINTR || errno == ECONNABORTED;
	}
	if (ctl->client_count >= ctl->settings->clients_max)
		turn_away(ctl, fd);
	else
		ctl_client_create(ctl, fd);
	return true;
}

static void take_clients(void *arg, uint32_t events)
{
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN && accept_one(arg); i++)
		;
}

/* --- Life --------------------------------------------------------------- */

static void add_counter(struct ctl *ctl, struct statistic *stat,
			const char *name, const char *help)
{
	*stat = (struct statistic){ .name = name,
				    .help = help,
				    .kind = STATS_COUNTER };
	stats_add(ctl->core->stats, stat);
}

static int init(struct core *core, const void *values, void **contextp)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));

	if (!ctl)
		return ENOMEM;
	ctl->core = core;
	ctl->settings = values;
	add_counter(ctl, &ctl->commands, "ctl.commands", "Requests received");
	add_counter(ctl, &ctl->failures, "ctl.failures",
		    "Requests answered with an error");
	add_counter(ctl, &ctl->refused, "ctl.clients_refused",
		    "Clients turned away: too many");
	add_counter(ctl, &ctl->dropped, "ctl.clients_dropped",
		    "Clients dropped: they did not read");
	*contextp = ctl;
	return 0;
}

static int start(void *context)
{
	struct ctl *ctl = context;
	int err = ctl_socket_open(&ctl->socket, ctl->settings->socket);

	if (!err)
		err = loop_watch(ctl->core->loop, ctl->socket.fd, EPOLLIN,
				 take_clients, ctl, &ctl->watch);
	return err;
}

static int reload(void *context, const void *values)
{
	struct ctl *ctl = context;

	ctl->settings = values;
	return 0;
}

static size_t pending(void *context)
{
	return ctl_clients_busy(context);
}

static void stop(void *context)
{
	struct ctl *ctl = context;

	timer_stop(ctl->core->timers, &ctl->accept_again);
	ctl_clients_destroy(ctl);
	loop_unwatch(ctl->watch);
	ctl_socket_close(&ctl->socket);
	stats_remove(ctl->core->stats, &ctl->commands);
	stats_remove(ctl->core->stats, &ctl->failures);
	stats_remove(ctl->core->stats, &ctl->refused);
	stats_remove(ctl->core->stats, &ctl->dropped);
	free(ctl);
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "ctl",
	.description = "Control over a unix socket, for mcmigctl",
	.settings = settings,
	.settings_bytes = sizeof(struct ctl_settings),
	.commands = ctl_commands,
	.init = init,
	.start = start,
	.reload = reload,
	.pending = pending,
	.stop = stop,
};
