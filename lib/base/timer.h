/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-shot timers on the monotonic clock: a binary heap, so that starting and
 * stopping one is O(log n). A timer is a member of what it belongs to and must
 * be stopped before its owner is freed.
 */
#ifndef MCMIG_BASE_TIMER_H
#define MCMIG_BASE_TIMER_H

#include "base/export.h"

struct timers;
typedef void timer_h(void *arg);

struct timer {
	uint64_t due_ms; /* on clock_monotonic_ms() */
	size_t position; /* in the heap, from 1; 0: not running */
	timer_h *handler;
	void *arg;
};

/* 0 or ENOMEM. */
MCMIG_API int timers_create(struct timers **timersp);
/* Running timers are forgotten, not called. NULL is fine. */
MCMIG_API void timers_destroy(struct timers *timers);

/* Starts or restarts. 0 or ENOMEM (only when the heap has to grow). */
MCMIG_API int timer_start(struct timers *timers, struct timer *timer,
			  uint64_t delay_ms, timer_h *handler, void *arg);
MCMIG_API void timer_stop(struct timers *timers, struct timer *timer);
static inline bool timer_is_running(const struct timer *timer)
{
	return timer->position != 0;
}

/* Calls what is due. A timer may start or stop any timer, itself included. */
MCMIG_API void timers_run(struct timers *timers);
/* Milliseconds until the next one is due: 0 overdue, -1 none is running. */
MCMIG_API int timers_next_ms(const struct timers *timers);
MCMIG_API size_t timers_count(const struct timers *timers);

#endif
