/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accept() as Sofia-SIP calls it, an override like those of src/overrides.c:
 * connections never take all descriptors, nor strangers all of theirs.
 */
#define _GNU_SOURCE
#include "accept.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/loop.h"

/* Kept from those who connect to us, for the store and our own connections:
 * so many descriptors, or a quarter of all. */
#define DESCRIPTORS_KEPT_MAX 256

static int spare_descriptor = -1;
static struct sip_stack *stack; /* who knows our peers */

MCMIG_API int accept(int fd, struct sockaddr *address, socklen_t *bytes);
typedef int accept_f(int, struct sockaddr *, socklen_t *);

static void __attribute__((constructor)) keep_descriptor(void)
{
	spare_descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int accept_spare_descriptor(void)
{
	return spare_descriptor;
}

void accept_ask(struct sip_stack *who)
{
	stack = who;
}

/* The kernel gives the lowest free number: it tells how many are in use. */
static int first_kept_descriptor(void)
{
	struct rlimit limit;
	rlim_t kept;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	kept = limit.rlim_cur / 4;
	if (kept > DESCRIPTORS_KEPT_MAX)
		kept = DESCRIPTORS_KEPT_MAX;
	return (int)(limit.rlim_cur - kept);
}

/*
 * Half of the room is for everybody, the other half for those alone whose
 * messages we take: else any stranger could shut our peers out.
 */
static bool may_stay(int accepted)
{
	int end = first_kept_descriptor();

	return accepted < end / 2 ||
	       (accepted < end &&
		(!stack || sip_stack_admits(stack, accepted)));
}

static void log_turned_away(void)
{
	static struct log_rate rate;

	log_write_limited(&rate, LOG_WARNING, "sip",
			  "msg=\"connection turned away: too many open files: "
			  "raise their limit (LimitNOFILE)\"");
}

/* With no descriptor left, the spare one's place is used. */
static void turn_away(accept_f *real, int fd, int accepted)
{
	if (accepted < 0) {
		close(spare_descriptor);
		accepted = real(fd, NULL, NULL);
		if (accepted >= 0)
			close(accepted);
		spare_descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else {
		close(accepted);
	}
	log_turned_away();
}

/*
 * Sofia leaves a connection that there is no descriptor for in the queue, and
 * is woken by it without end: we take it and close it.
 */
int accept(int fd, struct sockaddr *address, socklen_t *bytes)
{
	static accept_f *real;
	int accepted;

	if (!real)
		real = (accept_f *)dlsym(RTLD_NEXT, "accept");
	if (!real) {
		errno = ENOSYS;
		return -1;
	}
	accepted = real(fd, address, bytes);
	if (!loop_is_current_thread() ||
	    (accepted >= 0 && may_stay(accepted)) ||
	    (accepted < 0 && errno != EMFILE && errno != ENFILE))
		return accepted;
	turn_away(real, fd, accepted);
	errno = 0; /* Sofia has nothing to report */
	return -1;
}
