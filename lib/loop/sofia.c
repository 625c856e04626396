/* SPDX-License-Identifier: BSD-2-Clause */
/* Sofia-SIP's global state: environment, log, clock, and a root to wait on. */
#include "loop/sofia.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sofia-sip/su.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_time.h>

#include "base/log.h"

#define EVENTPOLL_MAX 64

/* Sofia reads these; a service does not change with who started it. */
static const char *const environment[] = {
	"GAI",
	"HOSTADDR6",
	"HOSTADDRESS",
	"IPTSEC_DEBUG",
	"LOCALDOMAIN",
	"MSG_DUMP",
	"MSG_STREAM_LOG",
	"NEA_DEBUG",
	"NTA_DEBUG",
	"NTH_DEBUG",
	"NUA_DEBUG",
	"RES_OPTIONS",
	"SHOW_DEBUG_LEVELS",
	"SIGCOMP_ALGORITHM",
	"SIPCOMPACT",
	"SIP_UDP_CONNECT",
	"SOA_DEBUG",
	"SOFIA_DEBUG",
	"SRESOLV_CONF",
	"SRESOLV_DEBUG",
	"SRES_OPTIONS",
	"STUN_DEBUG",
	"STUN_SERVER",
	"SU_DEBUG",
	"SU_PORT",
	"TPORT_DEBUG",
	"TPORT_DUMP",
	"TPORT_LOG",
	"TPORT_SSL",
};

/* The hook that configure has probed for: su_time() ends in it. */
extern void (*_su_time)(su_time_t *tv);

static struct timespec started;
static su_time_t started_at;

static void monotonic_su_time(su_time_t *tv)
{
	struct timespec now;
	int64_t us;

	if (!tv)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (int64_t)(now.tv_sec - started.tv_sec) * 1000000 +
	     (now.tv_nsec - started.tv_nsec) / 1000 +
	     (int64_t)started_at.tv_usec;
	tv->tv_sec = started_at.tv_sec + (unsigned long)(us / 1000000);
	tv->tv_usec = (unsigned long)(us % 1000000);
}

/* Every refused connection and bad datagram ends here: bounded. */
__attribute__((format(printf, 2, 0))) static void
log_sofia(void *stream, char const *format, va_list args)
{
	static struct log_rate rate;
	char line[512];

	(void)stream;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\r\n")] = '\0';
	if (*line)
		log_write_limited(&rate, LOG_WARNING, "loop",
				  "msg=\"Sofia: %s\"", line);
}

int sofia_init(void)
{
	for (size_t i = 0; i < sizeof(environment) / sizeof(*environment); i++)
		unsetenv(environment[i]);
	if (_su_time != monotonic_su_time) {
		clock_gettime(CLOCK_MONOTONIC, &started);
		su_time(&started_at);
		_su_time = monotonic_su_time;
	}
	if (su_init() != 0)
		return EIO;
	su_log_redirect(NULL, log_sofia, NULL);
	su_log_set_level(NULL, 1);
	return 0;
}

void sofia_deinit(void)
{
	su_deinit();
}

static bool is_eventpoll(const char *name)
{
	char path[sizeof("/proc/self/fd/") + 256], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%s", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, "anon_inode:[eventpoll]");
}

/* The process's epoll descriptors; -1 when there is no /proc. */
static int list_eventpolls(int fds[EVENTPOLL_MAX])
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	if (!folder)
		return -1;
	while (count < EVENTPOLL_MAX && (entry = readdir(folder)))
		if (is_eventpoll(entry->d_name))
			fds[count++] = atoi(entry->d_name);
	closedir(folder);
	return count;
}

static bool contains(const int *fds, int count, int fd)
{
	for (int i = 0; i < count; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

/*
 * Sofia does not tell the descriptor: it is the one epoll that was not there
 * before. More than one (another thread made one) is not guessed at.
 */
int sofia_root_create(su_root_t **rootp, int *epoll_fd)
{
	int before[EVENTPOLL_MAX], after[EVENTPOLL_MAX], found = 0;
	int before_count = list_eventpolls(before), after_count;
	su_root_t *root = su_root_create(NULL);

	if (!root)
		return EIO;
	after_count = list_eventpolls(after);
	for (int i = 0; i < after_count; i++) {
		if (!contains(before, before_count, after[i])) {
			*epoll_fd = after[i];
			found++;
		}
	}
	if (before_count < 0 || found != 1) {
		log_error("loop",
			  "msg=\"cannot tell Sofia's epoll descriptor: "
			  "is /proc mounted?\" found=%d",
			  found);
		su_root_destroy(root);
		return EIO;
	}
	su_root_threading(root, 0);
	*rootp = root;
	return 0;
}
