/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binary arrays as array_recv() of PostgreSQL reads them: dimensions (1), flag
 * "has NULLs", element type, length, lower bound, then each element with its
 * length in front. All numbers in network order.
 */
#include "store_postgres/array.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 20
#define COUNT_OFFSET 12

static char *reserve(struct array_set *set, struct array *array, size_t bytes)
{
	char *place;

	if (array->length + bytes > array->size) {
		size_t size = (array->length + bytes) * 2;
		char *grown = realloc(array->bytes, size);

		if (!grown) {
			set->failed = true;
			return NULL;
		}
		array->bytes = grown;
		array->size = size;
	}
	place = array->bytes + array->length;
	array->length += bytes;
	return place;
}

static void put_32(char *place, uint32_t value)
{
	value = htonl(value);
	memcpy(place, &value, sizeof(value));
}

static void put_64(char *place, uint64_t value)
{
	put_32(place, (uint32_t)(value >> 32));
	put_32(place + 4, (uint32_t)value);
}

/* The place of an element's bytes, its length written. */
static char *add_element(struct array_set *set, struct array *array,
			 size_t bytes)
{
	char *place = reserve(set, array, 4 + bytes);

	if (!place)
		return NULL;
	put_32(place, (uint32_t)bytes);
	array->count++;
	return place + 4;
}

void array_set_start(struct array_set *set)
{
	set->count = 0;
	set->failed = false;
}

void array_set_free(struct array_set *set)
{
	for (unsigned i = 0; i < ARRAY_PARAMETERS_MAX; i++)
		free(set->columns[i].bytes);
	memset(set, 0, sizeof(*set));
}

static struct array *next_column(struct array_set *set)
{
	struct array *array = &set->columns[set->count++];

	array->length = 0;
	array->count = 0;
	return array;
}

struct array *array_set_add(struct array_set *set, enum array_type type)
{
	struct array *array = next_column(set);
	char *header = reserve(set, array, HEADER_BYTES);

	if (header) {
		put_32(header, 1);
		put_32(header + 4, 0);
		put_32(header + 8, type);
		put_32(header + COUNT_OFFSET, 0);
		put_32(header + 16, 1);
	}
	return array;
}

static void add_plain(struct array_set *set, const void *bytes, size_t length)
{
	char *place = reserve(set, next_column(set), length);

	if (place)
		memcpy(place, bytes, length);
}

void array_set_add_int8(struct array_set *set, uint64_t value)
{
	char bytes[8];

	put_64(bytes, value);
	add_plain(set, bytes, sizeof(bytes));
}

void array_set_add_text(struct array_set *set, const char *text)
{
	add_plain(set, text, strlen(text) + 1);
	set->columns[set->count - 1].length--; /* an empty one is not NULL */
}

void array_set_add_uuid(struct array_set *set, const struct uuid *uuid)
{
	add_plain(set, uuid->bytes, sizeof(uuid->bytes));
}

int array_set_finish(struct array_set *set)
{
	if (set->failed)
		return ENOMEM;
	for (unsigned i = 0; i < set->count; i++) {
		struct array *array = &set->columns[i];

		if (array->count)
			put_32(array->bytes + COUNT_OFFSET, array->count);
		set->values[i] = array->bytes;
		set->lengths[i] = (int)array->length;
		set->formats[i] = 1;
	}
	return 0;
}

void array_add_bool(struct array_set *set, struct array *array, bool value)
{
	char *place = add_element(set, array, 1);

	if (place)
		*place = value;
}

void array_add_int2(struct array_set *set, struct array *array, unsigned value)
{
	char *place = add_element(set, array, 2);

	if (place) {
		place[0] = (char)(value >> 8);
		place[1] = (char)value;
	}
}

void array_add_int8(struct array_set *set, struct array *array, uint64_t value)
{
	char *place = add_element(set, array, 8);

	if (place)
		put_64(place, value);
}

void array_add_uuid(struct array_set *set, struct array *array,
		    const struct uuid *uuid)
{
	char *place = add_element(set, array, sizeof(uuid->bytes));

	if (place)
		memcpy(place, uuid->bytes, sizeof(uuid->bytes));
}

void array_add_text(struct array_set *set, struct array *array,
		    const char *text)
{
	size_t length = text ? strlen(text) : 0;
	char *place = add_element(set, array, length);

	if (!place)
		return;
	if (text)
		memcpy(place, text, length);
	else {
		put_32(place - 4, UINT32_MAX);
		put_32(array->bytes + 4, 1);
	}
}
