/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of server transactions: one array with room for all, hash chains
 * and two queues (waiting, answered) of numbers in it. Each queue has one
 * lifetime, so the oldest is its head and expiring is O(1).
 */
#include "sip/server_transaction.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/timer.h"

#define SWEEP_MIN_MS 50
/* Freed in one go; a burst that expires must not hold the loop up. */
#define SWEEP_MAX 4096

struct queue {
	uint32_t first, last, count;
};

struct server_transactions {
	struct timers *timers;
	struct timer sweep;
	struct answers *answers;
	server_unanswered_h *unanswered;
	server_swept_h *swept;
	void *arg;
	uint32_t max, lifetime_ms, bucket_mask;
	uint32_t used;	     /* numbers 1..used have been given out */
	uint32_t first_free; /* of those, by next_in_bucket */
	struct queue waiting, answered;
	uint32_t *buckets;
	/* Untouched pages cost nothing: the memory is what a peak has used. */
	struct server_transaction *array; /* from 1 */
};

static void run_sweep(void *arg);

static uint32_t now_ms(void)
{
	return (uint32_t)clock_monotonic_ms();
}

static uint32_t bucket_count(uint32_t max)
{
	uint32_t count = 64;

	while (count < max && count < UINT32_C(1) << 31)
		count *= 2;
	return count;
}

int server_transactions_create(struct server_transactions **tablep,
			       struct timers *timers, struct answers *answers,
			       uint32_t max, uint32_t lifetime_ms,
			       server_unanswered_h *unanswered,
			       server_swept_h *swept, void *arg)
{
	struct server_transactions *table = calloc(1, sizeof(*table));
	uint32_t buckets = bucket_count(max);

	if (!table)
		return ENOMEM;
	*table = (struct server_transactions){ .timers = timers,
					       .answers = answers,
					       .unanswered = unanswered,
					       .swept = swept,
					       .arg = arg,
					       .max = max,
					       .lifetime_ms = lifetime_ms,
					       .bucket_mask = buckets - 1 };
	table->buckets = calloc(buckets, sizeof(*table->buckets));
	table->array = calloc((size_t)max + 1, sizeof(*table->array));
	if (!table->buckets || !table->array) {
		server_transactions_destroy(table);
		return ENOMEM;
	}
	*tablep = table;
	return 0;
}

/* --- Queues -------------------------------------------------------------- */

static void start_sweep(struct server_transactions *table)
{
	uint32_t waiting = table->waiting.first;
	uint32_t answered = table->answered.first;
	int32_t left_ms = (int32_t)table->lifetime_ms, ms;

	if (!waiting && !answered)
		return;
	if (waiting) {
		ms = (int32_t)(table->array[waiting].due_ms - now_ms());
		left_ms = ms < left_ms ? ms : left_ms;
	}
	if (answered) {
		ms = (int32_t)(table->array[answered].due_ms - now_ms());
		left_ms = ms < left_ms ? ms : left_ms;
	}
	/* ENOMEM: the next transaction tries again. */
	timer_start(table->timers, &table->sweep,
		    (uint64_t)(left_ms > SWEEP_MIN_MS ? left_ms : SWEEP_MIN_MS),
		    run_sweep, table);
}

static void enqueue(struct server_transactions *table, struct queue *queue,
		    uint32_t number)
{
	struct server_transaction *transaction = &table->array[number];

	transaction->due_ms = now_ms() + table->lifetime_ms;
	transaction->next = 0;
	transaction->previous = queue->last;
	if (queue->last)
		table->array[queue->last].next = number;
	else
		queue->first = number;
	queue->last = number;
	queue->count++;
	if (!timer_is_running(&table->sweep))
		start_sweep(table);
}

static void dequeue(struct server_transactions *table, struct queue *queue,
		    uint32_t number)
{
	struct server_transaction *transaction = &table->array[number];

	if (transaction->previous)
		table->array[transaction->previous].next = transaction->next;
	else
		queue->first = transaction->next;
	if (transaction->next)
		table->array[transaction->next].previous =
		    transaction->previous;
	else
		queue->last = transaction->previous;
	queue->count--;
}

/* --- The table ----------------------------------------------------------- */

static uint32_t *bucket_of(struct server_transactions *table,
			   uint64_t fingerprint)
{
	return &table->buckets[fingerprint & table->bucket_mask];
}

struct server_transaction *
server_transaction_find(struct server_transactions *table, uint64_t fingerprint)
{
	uint32_t number = *bucket_of(table, fingerprint);

	while (number && table->array[number].fingerprint != fingerprint)
		number = table->array[number].next_in_bucket;
	return number ? &table->array[number] : NULL;
}

static uint32_t take_number(struct server_transactions *table)
{
	uint32_t number = table->first_free;

	if (number) {
		table->first_free = table->array[number].next_in_bucket;
		return number;
	}
	return table->used < table->max ? ++table->used : 0;
}

struct server_transaction *
server_transaction_add(struct server_transactions *table, uint64_t fingerprint,
		       struct server_request *request)
{
	uint32_t *bucket = bucket_of(table, fingerprint);
	uint32_t number = take_number(table);

	if (!number)
		return NULL;
	table->array[number] =
	    (struct server_transaction){ .fingerprint = fingerprint,
					 .request = request,
					 .next_in_bucket = *bucket };
	*bucket = number;
	enqueue(table, &table->waiting, number);
	return &table->array[number];
}

void server_transaction_answer(struct server_transactions *table,
			       struct server_transaction *transaction,
			       const struct answer *answer)
{
	uint32_t number = (uint32_t)(transaction - table->array);

	dequeue(table, &table->waiting, number);
	transaction->answered = true;
	transaction->answer = answer;
	enqueue(table, &table->answered, number);
}

uint32_t server_transaction_age_ms(const struct server_transactions *table,
				   const struct server_transaction *transaction)
{
	return now_ms() - (transaction->due_ms - table->lifetime_ms);
}

static void unlink_transaction(struct server_transactions *table,
			       uint32_t number)
{
	struct server_transaction *transaction = &table->array[number];
	uint32_t *link = bucket_of(table, transaction->fingerprint);

	dequeue(table,
		transaction->answered ? &table->answered : &table->waiting,
		number);
	while (*link != number)
		link = &table->array[*link].next_in_bucket;
	*link = transaction->next_in_bucket;
	transaction->next_in_bucket = table->first_free;
	table->first_free = number;
}

void server_transaction_forget(struct server_transactions *table,
			       struct server_transaction *transaction)
{
	unlink_transaction(table, (uint32_t)(transaction - table->array));
}

static void remove_transaction(struct server_transactions *table,
			       uint32_t number)
{
	struct server_transaction *transaction = &table->array[number];

	if (transaction->answered)
		answer_put(table->answers, transaction->answer);
	else
		table->unanswered(table->arg, transaction->request);
	unlink_transaction(table, number);
}

static bool is_due(const struct server_transactions *table, uint32_t number)
{
	return number && (int32_t)(now_ms() - table->array[number].due_ms) >= 0;
}

static void run_sweep(void *arg)
{
	struct server_transactions *table = arg;
	unsigned done = 0;

	while (done < SWEEP_MAX && is_due(table, table->answered.first)) {
		remove_transaction(table, table->answered.first);
		done++;
	}
	while (done < SWEEP_MAX && is_due(table, table->waiting.first)) {
		remove_transaction(table, table->waiting.first);
		done++;
	}
	start_sweep(table);
	if (done)
		table->swept(table->arg);
}

uint32_t server_transactions_count(const struct server_transactions *table)
{
	return table->waiting.count + table->answered.count;
}

uint32_t server_transactions_waiting(const struct server_transactions *table)
{
	return table->waiting.count;
}

void server_transactions_destroy(struct server_transactions *table)
{
	if (!table)
		return;
	timer_stop(table->timers, &table->sweep);
	while (table->waiting.first)
		remove_transaction(table, table->waiting.first);
	while (table->answered.first)
		remove_transaction(table, table->answered.first);
	free(table->buckets);
	free(table->array);
	free(table);
}
