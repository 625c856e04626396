/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigd: the migration daemon of one node, in the foreground. */
#define _GNU_SOURCE
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon.h"
#include "loop/loop.h"

static int run(struct daemon *daemon)
{
	int err;

	daemon_hold_signals();
	err = daemon_load(daemon);
	if (!err)
		err = daemon_init(daemon);
	if (!err)
		err = daemon_take_signals(daemon);
	if (!err)
		err = daemon_start(daemon);
	if (!err) {
		daemon_watch_memory(daemon);
		loop_run(daemon->loop);
		daemon_unwatch_memory(daemon);
	}
	daemon_stop(daemon);
	daemon_unload(daemon);
	if (!err && daemon->recycle.wanted)
		err = daemon_start_anew(daemon);
	return err;
}

/* All but what binds, connects and opens. */
static int check(struct daemon *daemon)
{
	int err = daemon_load(daemon);

	if (!err)
		err = daemon_init(daemon);
	daemon_stop(daemon);
	daemon_unload(daemon);
	if (!err)
		printf("%s: valid\n", daemon->file);
	return err;
}

static int dump_config(struct daemon *daemon)
{
	int err = daemon_load(daemon);

	if (!err)
		conf_dump(daemon->conf, stdout);
	daemon_unload(daemon);
	return err;
}

static int print_help(struct daemon *daemon)
{
	(void)daemon;
	daemon_print_usage(stdout);
	return 0;
}

static int print_version(struct daemon *daemon)
{
	(void)daemon;
	printf("mcmigd %s\n", PACKAGE_VERSION);
	return 0;
}

int main(int argc, char **argv)
{
	static int (*const modes[])(struct daemon *) = {
		[MODE_RUN] = run,
		[MODE_CHECK] = check,
		[MODE_DUMP_CONFIG] = dump_config,
		[MODE_HELP_CONFIG] = daemon_help_config,
		[MODE_HELP] = print_help,
		[MODE_VERSION] = print_version,
	};
	struct daemon daemon = {
		.started_ms = clock_monotonic_ms(),
		.recycle.arguments = argv,
		.recycle.environment = environ,
	};

	/* Sofia changes its behaviour by a dozen environment variables. */
	clearenv();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* whatever a parent has left */
	if (daemon_read_options(&daemon, argc, argv))
		return 2;
	return modes[daemon.mode](&daemon) ? EXIT_FAILURE : EXIT_SUCCESS;
}
