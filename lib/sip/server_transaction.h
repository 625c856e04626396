/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Server transactions, lean: a fingerprint of what identifies a request
 * (RFC 3261 17.2.3) -> the request that waits for its answer, or the answer
 * that was given. About 50 bytes each where Sofia's take 11 kB for 32 s.
 */
#ifndef MCMIG_SIP_SERVER_TRANSACTION_H
#define MCMIG_SIP_SERVER_TRANSACTION_H

#include "sip/answer.h"

struct timers;
struct server_request; /* the caller's: a request that waits */
struct server_transactions;

struct server_transaction {
	uint64_t fingerprint;
	union {
		struct server_request *request; /* while it waits */
		const struct answer *answer;	/* then, with a reference */
	};
	uint32_t due_ms; /* of the clock's low 32 bits */
	uint32_t next_in_bucket;
	uint32_t previous, next; /* in its queue; numbers from 1 */
	bool answered;
};

/* A transaction that waits has run out of time; it is removed afterwards. */
typedef void server_unanswered_h(void *arg, struct server_request *request);
/* Some have expired: for gauges. */
typedef void server_swept_h(void *arg);

/* `lifetime_ms` (64*T1) counts from the request, then from the answer. */
int server_transactions_create(struct server_transactions **tablep,
			       struct timers *timers, struct answers *answers,
			       uint32_t max, uint32_t lifetime_ms,
			       server_unanswered_h *unanswered,
			       server_swept_h *swept, void *arg);
/* Calls `unanswered` for each that still waits. NULL is fine. */
void server_transactions_destroy(struct server_transactions *table);

struct server_transaction *
server_transaction_find(struct server_transactions *table,
			uint64_t fingerprint);
/* NULL: the table is full. */
struct server_transaction *
server_transaction_add(struct server_transactions *table, uint64_t fingerprint,
		       struct server_request *request);
/* Takes the reference of `answer` over; the request is the caller's again. */
void server_transaction_answer(struct server_transactions *table,
			       struct server_transaction *transaction,
			       const struct answer *answer);
/* Nothing is left of one that waits; its request is the caller's. */
void server_transaction_forget(struct server_transactions *table,
			       struct server_transaction *transaction);
/* Milliseconds since the request arrived, while it waits. */
uint32_t
server_transaction_age_ms(const struct server_transactions *table,
			  const struct server_transaction *transaction);

uint32_t server_transactions_count(const struct server_transactions *table);
uint32_t server_transactions_waiting(const struct server_transactions *table);

#endif
