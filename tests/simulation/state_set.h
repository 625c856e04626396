/* SPDX-License-Identifier: BSD-2-Clause */
/* The states that a search has found, with the way to each. */
#ifndef MCMIG_SIMULATION_STATE_SET_H
#define MCMIG_SIMULATION_STATE_SET_H

#include <stddef.h>
#include <stdint.h>

#define STATE_KNOWN UINT32_MAX

struct state_set;

struct state_set *state_set_create(size_t state_bytes);
void state_set_destroy(struct state_set *set);

/* The new state's number, from 0; or STATE_KNOWN. */
uint32_t state_set_add(struct state_set *set, const void *state,
		       uint32_t parent, uint16_t label);
uint32_t state_set_count(const struct state_set *set);
/* Valid until the next state_set_add(). */
const void *state_set_get(const struct state_set *set, uint32_t number);
uint32_t state_set_parent(const struct state_set *set, uint32_t number,
			  uint16_t *label);

#endif
