/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Client transactions, lean: our own branch -> whom to tell, deadline, and on
 * UDP the request for timer E (RFC 3261 17.1.2.2). Bounded in all and per peer.
 */
#ifndef MCMIG_SIP_CLIENT_TRANSACTION_H
#define MCMIG_SIP_CLIENT_TRANSACTION_H

#include <utlist.h>

#include "base/keyed_hash.h"
#include "base/timer.h"
#include "sip/internal.h"
#include "sip/names.h"

#define BRANCH_SIZE 48

/* A next hop that requests are outstanding to; gone with the last of them. */
struct peer {
	/* Its side, then its URI: what one side has is never the other's. */
	char key[1 + SIP_URI_SIZE];
	enum sip_transport transport;
	const struct listener *listener;
	char host[SIP_HOST_SIZE + 2]; /* as in a URI: brackets around IPv6 */
	char port[6];
	uint32_t outstanding;
	UT_hash_handle hh;
};

struct client_transaction {
	struct sip_stack *stack;
	handle_t own;  /* in the branch: how an answer finds us */
	bool is_probe; /* OPTIONS, else MESSAGE */
	char branch[BRANCH_SIZE];
	struct peer *peer;
	sip_answer_h *handler;
	void *arg;
	handle_t handle;
	uint64_t sent_ms;     /* on clock_monotonic_ms(), as is */
	uint64_t deadline_ms; /* this */
	uint32_t interval_ms; /* timer E; 0: on a connection nothing repeats */
	struct timer timer;   /* the next repeat or the deadline */
	/* TCP: told when the connection fails. */
	tport_t *connection;
	int pending;
	/* TLS: the connection that it waits on, or for. */
	handle_t tls;
	struct names *names; /* one of which the peer has to prove */
	struct client_transaction *tls_prev, *tls_next;
	bool failed;
	const char *reason; /* why it failed: a literal, or of strerror() */
	char *text;	    /* the whole request */
	size_t bytes;
	struct client_transaction *prev, *next; /* of all */
};

struct client_transactions {
	struct handle_table *by_handle;
	struct client_transaction *all;
	struct peer *peers;
	uint32_t peer_outstanding_max;
	char *own_uri; /* our system's, for probes */
	uint64_t sent; /* distinguishes branches and Call-IDs */
	struct siphash_key key;
};

/* --- peer.c -------------------------------------------------------------- */

/* The peer with one more outstanding. 0, EINVAL, EBUSY, ENOMEM. */
int peer_take(struct sip_stack *stack, const char *next_hop, enum sip_side side,
	      struct peer **peerp);
void peer_give(struct client_transactions *client, struct peer *peer);

/* --- client_transaction.c ------------------------------------------------ */

/* 0, EBUSY, ENOMEM: a transaction with its branch, to be filled. */
int client_transaction_create(struct sip_stack *stack,
			      struct client_transaction **transactionp);
void client_transaction_free(struct client_transaction *transaction);
/* NULL: no request of ours is outstanding with this branch. */
struct client_transaction *
client_transaction_find(const struct sip_stack *stack, const char *branch);
/* Sends `text` for the first time; failures show as a missing answer. */
void client_transaction_start(struct client_transaction *transaction,
			      uint32_t deadline_ms);
/* Its connection is gone: the owner hears of it in the next turn. */
void client_transaction_fail(struct client_transaction *transaction);
/* Counted if it is a MESSAGE. */
void client_transaction_count(const struct client_transaction *transaction,
			      enum sip_counter counter);
/* A provisional answer: repeat at T2 from now on. */
void client_transaction_proceed(struct client_transaction *transaction);
/* Frees, then tells. */
void client_transaction_finish(struct client_transaction *transaction,
			       const struct sip_answer *answer);
/* Unique text for branch, tag, Call-ID. */
uint64_t client_unique(struct client_transactions *client);

#endif
