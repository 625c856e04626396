/* SPDX-License-Identifier: BSD-2-Clause */
/* Generation-checked handles: (generation << 32) | (slot + 1). */
#include "base/handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	void *object;
	uint32_t generation;
	uint32_t next_free; /* slot + 1; 0 ends the list */
};

struct handle_table {
	struct slot *slots;
	uint32_t size, max, count, first_free;
};

int handle_table_create(struct handle_table **tablep, uint32_t max)
{
	struct handle_table *table;

	if (!max)
		return EINVAL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return ENOMEM;
	table->max = max;
	*tablep = table;
	return 0;
}

void handle_table_destroy(struct handle_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

static int grow(struct handle_table *table)
{
	uint32_t size = table->size ? table->size * 2 : 64;
	struct slot *slots;

	if (table->size == table->max)
		return EBUSY;
	if (size > table->max || size < table->size)
		size = table->max;
	slots = realloc(table->slots, size * sizeof(*slots));
	if (!slots)
		return ENOMEM;
	memset(slots + table->size, 0, (size - table->size) * sizeof(*slots));
	for (uint32_t i = size; i > table->size; i--) {
		slots[i - 1].next_free = table->first_free;
		table->first_free = i;
	}
	table->slots = slots;
	table->size = size;
	return 0;
}

int handle_add(struct handle_table *table, void *object, handle_t *handlep)
{
	struct slot *slot;
	uint32_t number;

	if (!table->first_free) {
		int err = grow(table);

		if (err)
			return err;
	}
	number = table->first_free;
	slot = &table->slots[number - 1];
	table->first_free = slot->next_free;
	slot->object = object;
	table->count++;
	*handlep = (uint64_t)slot->generation << 32 | number;
	return 0;
}

static struct slot *find_slot(const struct handle_table *table, handle_t handle)
{
	uint32_t number = (uint32_t)handle;
	struct slot *slot;

	if (!number || number > table->size)
		return NULL;
	slot = &table->slots[number - 1];
	if (!slot->object || slot->generation != (uint32_t)(handle >> 32))
		return NULL;
	return slot;
}

void *handle_get(const struct handle_table *table, handle_t handle)
{
	const struct slot *slot = find_slot(table, handle);

	return slot ? slot->object : NULL;
}

void *handle_remove(struct handle_table *table, handle_t handle)
{
	struct slot *slot = find_slot(table, handle);
	void *object;

	if (!slot)
		return NULL;
	object = slot->object;
	slot->object = NULL;
	slot->generation++;
	slot->next_free = table->first_free;
	table->first_free = (uint32_t)handle;
	table->count--;
	return object;
}

uint32_t handle_count(const struct handle_table *table)
{
	return table->count;
}

void handle_drain(struct handle_table *table, void (*release)(void *object))
{
	for (uint32_t i = 0; i < table->size; i++) {
		struct slot *slot = &table->slots[i];
		void *object = slot->object;

		if (!object)
			continue;
		handle_remove(table,
			      (uint64_t)slot->generation << 32 | (i + 1));
		release(object);
	}
}
