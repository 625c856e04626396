/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that grows beyond memory_max: the successor's start is tried (--check),
 * work is drained, everything stops in order, and the program is executed anew
 * under the same process ID, so that whoever watches over it sees no end.
 */
#define _GNU_SOURCE
#include "daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 1000
#define CHECK_LOOK_MS 20
#define CHECK_MS 30000
/* Between two complaints, and after a check that failed. */
#define COMPLAIN_MS 60000

/* --- What is seen ------------------------------------------------------- */

static int read_rss(int fd, uint64_t *rss_bytesp)
{
	char text[256];
	ssize_t bytes = pread(fd, text, sizeof(text) - 1, 0);

	if (bytes < 0)
		return errno;
	text[bytes] = '\0';
	return recycle_read_statm(text, (uint64_t)sysconf(_SC_PAGESIZE),
				  rss_bytesp);
}

static struct recycle_bound bound_of(const struct daemon *daemon)
{
	const struct daemon_settings *settings = daemon_settings(daemon);

	return (struct recycle_bound){
		.memory_max_bytes =
		    settings->memory_max_mib * UINT64_C(1048576),
		.interval_ms = settings->memory_recycle_interval_ms,
	};
}

static bool may_complain(struct daemon_recycle *recycle, uint64_t now_ms)
{
	if (now_ms < recycle->quiet_until_ms)
		return false;
	recycle->quiet_until_ms = now_ms + COMPLAIN_MS;
	return true;
}

static void complain_too_soon(struct daemon *daemon, uint64_t now_ms)
{
	struct daemon_recycle *recycle = &daemon->recycle;

	if (!may_complain(recycle, now_ms))
		return;
	log_warning("mcmigd",
		    "msg=\"memory is above memory_max again, too soon to start "
		    "anew: memory_max may be too low for this load\" "
		    "rss_bytes=%" PRIu64 " memory_max_bytes=%" PRIu64
		    " recycled=%" PRIu64 " seconds_ago=%" PRIu64
		    " memory_recycle_interval_s=%" PRIu64,
		    recycle->rss.value, bound_of(daemon).memory_max_bytes,
		    recycle->history.times,
		    (now_ms - recycle->history.closed_ms) / 1000,
		    bound_of(daemon).interval_ms / 1000);
}

/* --- Whether a successor would start ------------------------------------ */

/*
 * A configuration that has become wrong, or a program file that is gone, would
 * make an outage of what is only a warning.
 */
static int spawn_check(struct daemon_recycle *recycle, const char *file)
{
	char *arguments[] = { recycle->program, (char *)"--check", (char *)"-c",
			      (char *)file, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int err;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	err = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
					       "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(
		    &actions, STDERR_FILENO + 1);
	if (!err)
		err = posix_spawn(&recycle->checker, recycle->program, &actions,
				  &attributes, arguments, recycle->environment);
	if (err)
		recycle->checker = 0;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static void check_failed(struct daemon_recycle *recycle, const char *why)
{
	recycle->check_not_before_ms = clock_monotonic_ms() + COMPLAIN_MS;
	log_error("mcmigd",
		  "msg=\"memory is above memory_max, and starting anew would "
		  "fail: %s\" rss_bytes=%" PRIu64,
		  why, recycle->rss.value);
}

static void end_checker(struct daemon_recycle *recycle)
{
	if (recycle->checker <= 0)
		return;
	kill(recycle->checker, SIGKILL);
	waitpid(recycle->checker, NULL, 0);
	recycle->checker = 0;
}

static void begin(struct daemon *daemon)
{
	struct daemon_recycle *recycle = &daemon->recycle;

	recycle->wanted = true;
	log_warning("mcmigd",
		    "msg=\"memory is above memory_max: draining, then starting "
		    "anew\" rss_bytes=%" PRIu64 " memory_max_bytes=%" PRIu64
		    " recycled=%" PRIu64,
		    recycle->rss.value, bound_of(daemon).memory_max_bytes,
		    recycle->history.times);
	daemon_drain(daemon);
}

static void look_at_checker(void *arg)
{
	struct daemon *daemon = arg;
	struct daemon_recycle *recycle = &daemon->recycle;
	int status = 0;
	pid_t ended = waitpid(recycle->checker, &status, WNOHANG);

	if (!ended && clock_monotonic_ms() < recycle->check_until_ms) {
		timer_start(daemon->core.timers, &recycle->check_timer,
			    CHECK_LOOK_MS, look_at_checker, daemon);
		return;
	}
	if (!ended)
		end_checker(recycle);
	recycle->checker = 0;
	if (!ended)
		check_failed(recycle, "mcmigd --check does not end");
	else if (ended < 0 || status)
		check_failed(recycle, "mcmigd --check says no, see above");
	else if (!daemon->draining)
		begin(daemon);
}

static void start_check(struct daemon *daemon, uint64_t now_ms)
{
	struct daemon_recycle *recycle = &daemon->recycle;
	int err;

	if (now_ms < recycle->check_not_before_ms)
		return;
	err = spawn_check(recycle, daemon->file);
	if (err) {
		check_failed(recycle, strerror(err));
		return;
	}
	recycle->check_until_ms = now_ms + CHECK_MS;
	look_at_checker(daemon);
}

/* --- Life --------------------------------------------------------------- */

static void judge(struct daemon *daemon, uint64_t now_ms)
{
	struct daemon_recycle *recycle = &daemon->recycle;
	struct recycle_bound bound = bound_of(daemon);

	switch (recycle_judge(&bound, &recycle->history, recycle->rss.value,
			      now_ms)) {
	case RECYCLE_NO:
		break;
	case RECYCLE_TOO_SOON:
		complain_too_soon(daemon, now_ms);
		break;
	case RECYCLE_NOW:
		start_check(daemon, now_ms);
		break;
	}
}

static void look(void *arg)
{
	struct daemon *daemon = arg;
	struct daemon_recycle *recycle = &daemon->recycle;
	uint64_t now_ms = clock_monotonic_ms(), rss_bytes;

	timer_start(daemon->core.timers, &recycle->timer, LOOK_MS, look,
		    daemon);
	stat_set(&recycle->uptime, (now_ms - daemon->started_ms) / 1000);
	if (read_rss(recycle->statm_fd, &rss_bytes))
		return;
	stat_set(&recycle->rss, rss_bytes);
	if (!daemon->draining && !recycle->checker)
		judge(daemon, now_ms);
}

static void add_stats(struct daemon *daemon)
{
	struct daemon_recycle *recycle = &daemon->recycle;

	recycle->rss = (struct statistic){
		.name = "process.rss_bytes",
		.kind = STATS_GAUGE,
		.help = "Resident memory; memory_max is its bound",
	};
	recycle->times = (struct statistic){
		.name = "process.recycled",
		.kind = STATS_COUNTER,
		.help = "Times that this process has started anew because of "
			"memory_max",
		.value = recycle->history.times,
	};
	recycle->uptime = (struct statistic){
		.name = "process.uptime",
		.kind = STATS_GAUGE,
		.help = "Seconds since the program has started (anew)",
	};
	stats_add(daemon->stats, &recycle->rss);
	stats_add(daemon->stats, &recycle->times);
	stats_add(daemon->stats, &recycle->uptime);
}

/* By name: a program file that was replaced meanwhile fits its modules. */
static int find_program(struct daemon_recycle *recycle)
{
	ssize_t bytes = readlink("/proc/self/exe", recycle->program,
				 sizeof(recycle->program) - 1);

	if (bytes < 0)
		return errno;
	recycle->program[bytes] = '\0';
	recycle->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	return recycle->statm_fd < 0 ? errno : 0;
}

void daemon_watch_memory(struct daemon *daemon)
{
	struct daemon_recycle *recycle = &daemon->recycle;
	uint64_t now_ms = clock_monotonic_ms();
	int err;

	add_stats(daemon);
	recycle->statm_fd = -1;
	err = find_program(recycle);
	if (err) {
		log_warning("mcmigd",
			    "msg=\"cannot see our own memory: memory_max has "
			    "no effect\" error=\"/proc/self: %s\"",
			    strerror(err));
		return;
	}
	if (recycle->history.times)
		log_info("mcmigd",
			 "msg=\"started anew\" recycled=%" PRIu64
			 " closed_ms=%" PRIu64,
			 recycle->history.times,
			 now_ms - recycle->history.closed_ms);
	/* On the loop: what ends a drain stops that. */
	timer_start(daemon->core.timers, &recycle->timer, 0, look, daemon);
}

void daemon_unwatch_memory(struct daemon *daemon)
{
	struct daemon_recycle *recycle = &daemon->recycle;

	if (daemon->core.timers) {
		timer_stop(daemon->core.timers, &recycle->timer);
		timer_stop(daemon->core.timers, &recycle->check_timer);
	}
	end_checker(recycle);
	if (recycle->statm_fd > 0)
		close(recycle->statm_fd);
	recycle->closed_ms = clock_monotonic_ms();
}

/* --- The successor ------------------------------------------------------ */

/* Whatever a library has opened without O_CLOEXEC, or left open. */
static void close_others_on_exec(void)
{
	struct dirent *entry;
	DIR *folder = opendir("/proc/self/fd");

	while (folder && (entry = readdir(folder)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	if (folder)
		closedir(folder);
}

int daemon_start_anew(struct daemon *daemon)
{
	struct daemon_recycle *recycle = &daemon->recycle;
	struct recycle_history history = {
		.times = recycle->history.times + 1,
		.closed_ms = recycle->closed_ms,
	};
	char **arguments = recycle_arguments(recycle->arguments, &history);
	int err = ENOMEM;

	if (arguments) {
		close_others_on_exec();
		execve(recycle->program, arguments, recycle->environment);
		err = errno;
	}
	log_error("mcmigd",
		  "msg=\"cannot start anew: ending, for the service manager to "
		  "start it\" program=\"%s\" error=\"%s\"",
		  recycle->program, strerror(err));
	recycle_free_arguments(arguments);
	return err;
}
