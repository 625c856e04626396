/* SPDX-License-Identifier: BSD-2-Clause */
/* One-shot timers: a binary heap ordered by due time. */
#include "base/timer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"

struct timers {
	struct timer **heap; /* from 1; the children of i are 2i and 2i + 1 */
	size_t count;
	size_t capacity;
};

int timers_create(struct timers **timersp)
{
	struct timers *timers = calloc(1, sizeof(*timers));

	if (!timers)
		return ENOMEM;
	*timersp = timers;
	return 0;
}

void timers_destroy(struct timers *timers)
{
	if (!timers)
		return;
	for (size_t i = 1; i <= timers->count; i++)
		timers->heap[i]->position = 0;
	free(timers->heap);
	free(timers);
}

static void place(struct timers *timers, size_t position, struct timer *timer)
{
	timers->heap[position] = timer;
	timer->position = position;
}

static void sift_up(struct timers *timers, size_t position, struct timer *timer)
{
	while (position > 1 &&
	       timers->heap[position / 2]->due_ms > timer->due_ms) {
		place(timers, position, timers->heap[position / 2]);
		position /= 2;
	}
	place(timers, position, timer);
}

static void sift_down(struct timers *timers, size_t position,
		      struct timer *timer)
{
	for (size_t child = position * 2; child <= timers->count;
	     child = position * 2) {
		if (child < timers->count && timers->heap[child + 1]->due_ms <
						 timers->heap[child]->due_ms)
			child++;
		if (timers->heap[child]->due_ms >= timer->due_ms)
			break;
		place(timers, position, timers->heap[child]);
		position = child;
	}
	place(timers, position, timer);
}

static int grow(struct timers *timers)
{
	size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
	struct timer **heap =
	    realloc(timers->heap, (capacity + 1) * sizeof(*heap));

	if (!heap)
		return ENOMEM;
	timers->heap = heap;
	timers->capacity = capacity;
	return 0;
}

int timer_start(struct timers *timers, struct timer *timer, uint64_t delay_ms,
		timer_h *handler, void *arg)
{
	timer_stop(timers, timer);
	if (timers->count == timers->capacity && grow(timers))
		return ENOMEM;
	timer->due_ms = clock_monotonic_ms() + delay_ms;
	timer->handler = handler;
	timer->arg = arg;
	sift_up(timers, ++timers->count, timer);
	return 0;
}

void timer_stop(struct timers *timers, struct timer *timer)
{
	size_t hole = timer->position;
	struct timer *last;

	if (!hole)
		return;
	timer->position = 0;
	last = timers->heap[timers->count--];
	if (last == timer)
		return;
	if (hole > 1 && timers->heap[hole / 2]->due_ms > last->due_ms)
		sift_up(timers, hole, last);
	else
		sift_down(timers, hole, last);
}

void timers_run(struct timers *timers)
{
	uint64_t now_ms = clock_monotonic_ms();

	/* `now` stays: a timer restarted with 0 ms waits for the next run. */
	while (timers->count && timers->heap[1]->due_ms <= now_ms) {
		struct timer *timer = timers->heap[1];

		timer_stop(timers, timer);
		timer->handler(timer->arg);
	}
}

int timers_next_ms(const struct timers *timers)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (!timers->count)
		return -1;
	if (timers->heap[1]->due_ms <= now_ms)
		return 0;
	if (timers->heap[1]->due_ms - now_ms > INT_MAX)
		return INT_MAX;
	return (int)(timers->heap[1]->due_ms - now_ms);
}

size_t timers_count(const struct timers *timers)
{
	return timers->count;
}
