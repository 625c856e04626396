/* SPDX-License-Identifier: BSD-2-Clause */
/* The procedures of a run, their UUIDs and latencies. */
#include "bench/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int history_init(struct history *history)
{
	memset(history, 0, sizeof(*history));
	if (getrandom(history->random, sizeof(history->random), 0) !=
	    sizeof(history->random))
		return EIO;
	return 0;
}

void history_free(struct history *history)
{
	free(history->records);
}

/* splitmix64: a system call a UUID would show in our own CPU time. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void uuid_make(struct history *history, uint32_t number,
		      uint8_t uuid[16])
{
	uint64_t words[2] = { next_random(&history->random[0]),
			      next_random(&history->random[1]) };

	memcpy(uuid, words, sizeof(words));
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	memcpy(uuid + 12, &number, sizeof(number));
}

struct record *history_add(struct history *history)
{
	struct record *record;

	if (history->count == history->allocated) {
		uint32_t allocated =
		    history->allocated ? history->allocated * 2 : 65536;
		struct record *records =
		    realloc(history->records, allocated * sizeof(*records));

		if (!records)
			return NULL;
		history->records = records;
		history->allocated = allocated;
	}
	record = &history->records[history->count];
	memset(record, 0, sizeof(*record));
	uuid_make(history, history->count++, record->uuid);
	return record;
}

struct record *history_find(const struct history *history,
			    const uint8_t uuid[16])
{
	uint32_t number;

	memcpy(&number, uuid + 12, sizeof(number));
	if (number >= history->count ||
	    memcmp(history->records[number].uuid, uuid, 16))
		return NULL;
	return &history->records[number];
}

void uuid_text(const uint8_t uuid[16], char text[UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[uuid[i] >> 4];
		*text++ = digits[uuid[i] & 15];
	}
	*text = '\0';
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

int uuid_parse(const char *text, uint8_t uuid[16])
{
	for (unsigned i = 0; i < 16; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return EINVAL;
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0)
			return EINVAL;
		uuid[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text ? EINVAL : 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int history_quantiles(const struct history *history, enum sample sample,
		      struct quantiles *quantiles)
{
	uint32_t *values = calloc(history->count + 1, sizeof(*values));
	uint32_t count = 0;

	memset(quantiles, 0, sizeof(*quantiles));
	if (!values)
		return ENOMEM;
	for (uint32_t i = 0; i < history->count; i++) {
		const struct record *record = &history->records[i];
		uint32_t value = sample == SAMPLE_ANSWER ? record->answer_us
							 : record->response_us;

		if (record->measured && value)
			values[count++] = value;
	}
	qsort(values, count, sizeof(*values), compare);
	quantiles->count = count;
	if (count) {
		quantiles->p50_ms = values[count / 2] / 1e3;
		quantiles->p99_ms = values[(uint64_t)count * 99 / 100] / 1e3;
		quantiles->max_ms = values[count - 1] / 1e3;
	}
	free(values);
	return 0;
}

static int close_written(FILE *file)
{
	int err = ferror(file) ? EIO : 0;

	if (fclose(file) && !err)
		err = errno;
	return err;
}

int history_write_completed(const struct history *history, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return errno;
	for (uint32_t i = 0; i < history->count; i++) {
		const struct record *record = &history->records[i];
		char text[UUID_TEXT_SIZE];

		if (record->state != RECORD_SUCCESS)
			continue;
		uuid_text(record->uuid, text);
		fprintf(file, "%s,%s\n", text,
			record->deauthorization ? "deauthorization"
						: "authorization");
	}
	return close_written(file);
}

int history_write_times(const struct history *history, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return errno;
	for (uint32_t i = 0; i < history->count; i++)
		fprintf(file, "%" PRIu32 ",%" PRIu32 "\n",
			history->records[i].due_ms,
			history->records[i].answer_us);
	return close_written(file);
}
