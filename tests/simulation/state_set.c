/* SPDX-License-Identifier: BSD-2-Clause */
/* An open hash table of numbers into one growing array of states. */
#include "state_set.h"

#include <stdlib.h>
#include <string.h>

struct way {
	uint32_t parent;
	uint16_t label;
};

struct state_set {
	size_t state_bytes;
	char *states;
	struct way *ways;
	uint32_t count;
	uint32_t capacity;
	uint32_t *slots; /* number + 1; 0: free */
	uint64_t slot_count;
};

struct state_set *state_set_create(size_t state_bytes)
{
	struct state_set *set = calloc(1, sizeof(*set));

	if (!set)
		abort();
	set->state_bytes = state_bytes;
	return set;
}

void state_set_destroy(struct state_set *set)
{
	if (!set)
		return;
	free(set->states);
	free(set->ways);
	free(set->slots);
	free(set);
}

static uint64_t hash(const struct state_set *set, const char *state)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < set->state_bytes; i++)
		h = (h ^ (uint8_t)state[i]) * 0x100000001b3u;
	return h ^ (h >> 32);
}

static char *state_at(const struct state_set *set, uint32_t number)
{
	return set->states + (size_t)number * set->state_bytes;
}

/* The slot of this state, or the free one where it belongs. */
static uint32_t *find_slot(const struct state_set *set, const char *state)
{
	uint64_t i = hash(set, state) & (set->slot_count - 1);

	while (set->slots[i] && memcmp(state_at(set, set->slots[i] - 1), state,
				       set->state_bytes))
		i = (i + 1) & (set->slot_count - 1);
	return &set->slots[i];
}

static void grow(struct state_set *set)
{
	set->capacity = set->capacity ? set->capacity * 2 : 1u << 16;
	set->slot_count = (uint64_t)set->capacity * 2;
	free(set->slots);
	set->states =
	    realloc(set->states, (size_t)set->capacity * set->state_bytes);
	set->ways =
	    realloc(set->ways, (size_t)set->capacity * sizeof(*set->ways));
	set->slots = calloc(set->slot_count, sizeof(*set->slots));
	if (!set->states || !set->ways || !set->slots)
		abort();
	for (uint32_t i = 0; i < set->count; i++)
		*find_slot(set, state_at(set, i)) = i + 1;
}

uint32_t state_set_add(struct state_set *set, const void *state,
		       uint32_t parent, uint16_t label)
{
	uint32_t *slot;

	if (set->count == set->capacity)
		grow(set);
	slot = find_slot(set, state);
	if (*slot)
		return STATE_KNOWN;
	memcpy(state_at(set, set->count), state, set->state_bytes);
	set->ways[set->count] = (struct way){ parent, label };
	*slot = ++set->count;
	return set->count - 1;
}

uint32_t state_set_count(const struct state_set *set)
{
	return set->count;
}

const void *state_set_get(const struct state_set *set, uint32_t number)
{
	return state_at(set, number);
}

uint32_t state_set_parent(const struct state_set *set, uint32_t number,
			  uint16_t *label)
{
	*label = set->ways[number].label;
	return set->ways[number].parent;
}
