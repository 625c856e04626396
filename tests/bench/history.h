/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every procedure that a run has started: so a response flow that comes once
 * more is known, and the store can be compared at the end.
 */
#ifndef MCMIG_BENCH_HISTORY_H
#define MCMIG_BENCH_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum record_state {
	RECORD_UNDER_WAY,
	RECORD_SUCCESS,
	RECORD_FAILURE, /* a failure response flow */
	RECORD_REFUSED, /* a SIP error, or silence: outcome unknown */
};

struct record {
	uint8_t uuid[16]; /* its last four bytes are the record's number */
	uint32_t user;
	uint32_t due_ms;      /* since the start of the run */
	uint32_t answer_us;   /* from request to its 200; 0: not measured */
	uint32_t response_us; /* from request to response flow */
	uint8_t state;	      /* enum record_state */
	bool deauthorization;
	bool measured; /* started in the measured time */
};

struct history {
	struct record *records;
	uint32_t count, allocated;
	uint64_t random[2];
};

/* 0 or an errno. */
int history_init(struct history *history);
void history_free(struct history *history);

/* A new record with a random UUID (version 4). NULL: out of memory. */
struct record *history_add(struct history *history);
/* NULL if no procedure of this run has that UUID. */
struct record *history_find(const struct history *history,
			    const uint8_t uuid[16]);
static inline uint32_t history_number(const struct history *history,
				      const struct record *record)
{
	return (uint32_t)(record - history->records);
}

#define UUID_TEXT_SIZE 37
void uuid_text(const uint8_t uuid[16], char text[UUID_TEXT_SIZE]);
/* 0 or EINVAL. */
int uuid_parse(const char *text, uint8_t uuid[16]);

enum sample { SAMPLE_ANSWER, SAMPLE_RESPONSE };

struct quantiles {
	uint32_t count;
	double p50_ms, p99_ms, max_ms;
};

/* Over the measured procedures that have this sample. 0 or ENOMEM. */
int history_quantiles(const struct history *history, enum sample sample,
		      struct quantiles *quantiles);

/* One line a success: UUID,verb. 0 or an errno. */
int history_write_completed(const struct history *history, const char *path);

/* One line a procedure: due_ms,answer_us; 0 us: no 2xx. 0 or an errno. */
int history_write_times(const struct history *history, const char *path);

#endif
