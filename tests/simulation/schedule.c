/* SPDX-License-Identifier: BSD-2-Clause */
#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>

struct happening {
	uint64_t at_us;
	uint64_t tie;
	schedule_h *handler;
	void *arg;
	uint64_t value;
};

struct schedule {
	struct happening *heap; /* from 0; the children of i: 2i + 1, 2i + 2 */
	size_t count;
	size_t capacity;
	struct sim_random random;
};

struct schedule *schedule_create(void)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));

	if (!schedule)
		abort();
	return schedule;
}

void schedule_destroy(struct schedule *schedule)
{
	if (!schedule)
		return;
	free(schedule->heap);
	free(schedule);
}

void schedule_reset(struct schedule *schedule, uint64_t seed)
{
	schedule->count = 0;
	schedule->random.state = seed;
}

static bool is_before(const struct happening *a, const struct happening *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->tie < b->tie;
}

static void grow(struct schedule *schedule)
{
	size_t capacity = schedule->capacity ? schedule->capacity * 2 : 256;
	struct happening *heap =
	    realloc(schedule->heap, capacity * sizeof(*heap));

	if (!heap)
		abort();
	schedule->heap = heap;
	schedule->capacity = capacity;
}

void schedule_add(struct schedule *schedule, uint64_t at_us,
		  schedule_h *handler, void *arg, uint64_t value)
{
	struct happening new = { at_us, random_next(&schedule->random), handler,
				 arg, value };
	size_t i;

	if (schedule->count == schedule->capacity)
		grow(schedule);
	i = schedule->count++;
	while (i && is_before(&new, &schedule->heap[(i - 1) / 2])) {
		schedule->heap[i] = schedule->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	schedule->heap[i] = new;
}

uint64_t schedule_next_us(const struct schedule *schedule)
{
	return schedule->count ? schedule->heap[0].at_us : UINT64_MAX;
}

static void sift_down(struct schedule *schedule, struct happening last)
{
	struct happening *heap = schedule->heap;
	size_t i = 0;

	for (size_t child = 1; child < schedule->count; child = 2 * i + 1) {
		if (child + 1 < schedule->count &&
		    is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
}

void schedule_run_next(struct schedule *schedule)
{
	struct happening next = schedule->heap[0];

	schedule->count--;
	if (schedule->count)
		sift_down(schedule, schedule->heap[schedule->count]);
	next.handler(next.arg, next.value);
}
