/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens when: a heap of events in virtual time, with ties broken by
 * chance, so that what is sent at one instant may arrive in any order.
 */
#ifndef MCMIG_SIMULATION_SCHEDULE_H
#define MCMIG_SIMULATION_SCHEDULE_H

#include <stddef.h>

#include "random.h"

struct schedule;
typedef void schedule_h(void *arg, uint64_t value);

/* Ends the process when out of memory, as all of the simulation does. */
struct schedule *schedule_create(void);
void schedule_destroy(struct schedule *schedule);
/* Forgets everything: time starts again. */
void schedule_reset(struct schedule *schedule, uint64_t seed);

void schedule_add(struct schedule *schedule, uint64_t at_us,
		  schedule_h *handler, void *arg, uint64_t value);
/* When the next one is; UINT64_MAX: never. */
uint64_t schedule_next_us(const struct schedule *schedule);
/* Takes the next one out and runs it; there must be one. */
void schedule_run_next(struct schedule *schedule);

#endif
