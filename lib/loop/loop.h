/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: one thread, Sofia's su_root and our timers and file
 * descriptors on one epoll. Nothing on it may block.
 *
 * Sofia's own su_root_run() spins when one of its timers is under 1 ms away
 * (su_duration() truncates): so su_root_step(root, 0) until idle, then our
 * epoll_wait. Sofia's clock hook is set to start time + CLOCK_MONOTONIC, so
 * that a stepped wall clock does not stop its timers.
 */
#ifndef MCMIG_LOOP_LOOP_H
#define MCMIG_LOOP_LOOP_H

#include <sys/epoll.h>

#include "base/export.h"
#include "base/timer.h"

struct loop;
struct loop_watch;

/* `events`: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. */
typedef void loop_watch_h(void *arg, uint32_t events);
typedef void loop_signal_h(void *arg, int signal_number);
typedef void loop_work_h(void *arg);

/* One loop a process: Sofia's state is global. 0 or an errno. */
MCMIG_API int loop_create(struct loop **loopp);
MCMIG_API void loop_destroy(struct loop *loop);

MCMIG_API struct timers *loop_timers(struct loop *loop);
/* The su_root_t of the loop, for lib/sip only. */
MCMIG_API void *loop_su_root(struct loop *loop);

/* Runs until loop_stop(). */
MCMIG_API void loop_run(struct loop *loop);
MCMIG_API void loop_stop(struct loop *loop);

/* Watches `fd` (the caller's, closed by the caller after loop_unwatch()). */
MCMIG_API int loop_watch(struct loop *loop, int fd, uint32_t events,
			 loop_watch_h *handler, void *arg,
			 struct loop_watch **watchp);
MCMIG_API int loop_watch_events(struct loop_watch *watch, uint32_t events);
/* Safe inside any handler: a pending event of it is dropped. NULL is fine. */
MCMIG_API void loop_unwatch(struct loop_watch *watch);

/* Signals arrive on the loop (signalfd). 0 or an errno. */
MCMIG_API int loop_signal(struct loop *loop, int signal_number,
			  loop_signal_h *handler, void *arg);

/*
 * Work at the end of this turn of the loop, once: how stores send what a turn
 * has queued as one batch. `work` is a member of the caller's; cancelling an
 * idle one is fine.
 */
struct loop_work {
	loop_work_h *handler;
	void *arg;
	struct loop_work *prev, *next;
	bool queued;
};
MCMIG_API void loop_work_queue(struct loop *loop, struct loop_work *work);
MCMIG_API void loop_work_cancel(struct loop *loop, struct loop_work *work);

/* True on the thread that runs the loop: blocking calls check it. */
MCMIG_API bool loop_is_current_thread(void);

#endif
