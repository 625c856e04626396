/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending, repeating and giving up. A request is kept as text, not as Sofia's
 * message: 2 kB instead of 8, and a repeat is rare.
 */
#include "sip/client_transaction.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/tport_tag.h>

#include "base/clock.h"
#include "sip/breaker.h"
#include "sip/tls_connection.h"

static void on_timer(void *arg);

uint64_t client_unique(struct client_transactions *client)
{
	struct siphash hash;

	client->sent++;
	siphash_start(&hash, &client->key);
	siphash_add(&hash, &client->sent, sizeof(client->sent));
	return siphash_end(&hash);
}

void client_transaction_count(const struct client_transaction *transaction,
			      enum sip_counter counter)
{
	if (!transaction->is_probe)
		sip_count(transaction->stack->counters, counter);
}

static void show_gauge(struct sip_stack *stack)
{
	sip_gauge(stack->counters, SIP_COUNT_client_transactions,
		  handle_count(stack->client->by_handle));
}

/* A handle says how much we send, to whomever: the branch shows none. */
static uint64_t veil(const struct client_transactions *client, uint64_t unique)
{
	struct siphash hash;

	siphash_start(&hash, &client->key);
	siphash_add(&hash, "branch", 6);
	siphash_add(&hash, &unique, sizeof(unique));
	return siphash_end(&hash);
}

static void make_branch(struct client_transaction *transaction)
{
	struct client_transactions *client = transaction->stack->client;
	uint64_t unique = client_unique(client);

	/* The magic cookie of RFC 3261 8.1.1.7, our handle, and a secret. */
	snprintf(transaction->branch, sizeof(transaction->branch),
		 "z9hG4bK%016llx.%016llx",
		 (unsigned long long)(transaction->own ^ veil(client, unique)),
		 (unsigned long long)unique);
}

int client_transaction_create(struct sip_stack *stack,
			      struct client_transaction **transactionp)
{
	struct client_transaction *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return ENOMEM;
	new->stack = stack;
	err = handle_add(stack->client->by_handle, new, &new->own);
	if (err) {
		free(new);
		return err;
	}
	DL_APPEND(stack->client->all, new);
	make_branch(new);
	show_gauge(stack);
	*transactionp = new;
	return 0;
}

struct client_transaction *
client_transaction_find(const struct sip_stack *stack, const char *branch)
{
	struct client_transaction *found;
	uint64_t veiled, unique;
	char *dot;

	if (strncmp(branch, "z9hG4bK", 7))
		return NULL;
	veiled = strtoull(branch + 7, &dot, 16);
	if (*dot != '.')
		return NULL;
	unique = strtoull(dot + 1, NULL, 16);
	found = handle_get(stack->client->by_handle,
			   veiled ^ veil(stack->client, unique));
	return found && !strcmp(found->branch, branch) ? found : NULL;
}

static void release_connection(struct client_transaction *transaction)
{
	tls_outbound_release(transaction);
	if (!transaction->connection)
		return;
	tport_release(transaction->connection, transaction->pending, NULL, NULL,
		      (tp_client_t *)transaction, 0);
	tport_unref(transaction->connection);
	transaction->connection = NULL;
}

void client_transaction_free(struct client_transaction *transaction)
{
	struct sip_stack *stack = transaction->stack;

	timer_stop(stack->timers, &transaction->timer);
	release_connection(transaction);
	handle_remove(stack->client->by_handle, transaction->own);
	DL_DELETE(stack->client->all, transaction);
	if (transaction->peer)
		peer_give(stack->client, transaction->peer);
	free(transaction->names);
	free(transaction->text);
	free(transaction);
	show_gauge(stack);
}

void client_transaction_finish(struct client_transaction *transaction,
			       const struct sip_answer *answer)
{
	sip_answer_h *handler = transaction->handler;
	void *arg = transaction->arg;
	handle_t handle = transaction->handle;

	client_transaction_free(transaction);
	handler(arg, handle, answer);
}

/* --- Sending ------------------------------------------------------------- */

void client_transaction_fail(struct client_transaction *transaction)
{
	transaction->failed = true;
	timer_start(transaction->stack->timers, &transaction->timer, 0,
		    on_timer, transaction);
}

/* Sofia may tell so inside a send of another request. */
static void on_connection_error(tp_stack_t *agent, tp_client_t *client,
				tport_t *tport, msg_t *msg, int error)
{
	struct client_transaction *transaction =
	    (struct client_transaction *)client;

	(void)agent;
	(void)tport;
	(void)msg;
	transaction->reason = error ? strerror(error) : "connection closed";
	client_transaction_fail(transaction);
}

static void watch_connection(struct client_transaction *transaction,
			     tport_t *tport)
{
	int pending;

	if (!tport_is_secondary(tport))
		return;
	pending = tport_pend(tport, NULL, on_connection_error,
			     (tp_client_t *)transaction);
	if (pending <= 0)
		return;
	transaction->pending = pending;
	transaction->connection = tport_ref(tport);
}

/*
 * Sofia sends a header that has its text as it is: here the first "header" is
 * the whole request. Parsed into headers, and those written again, it would
 * cost a fifth more of all that a relayed message costs.
 */
static msg_t *make_message(const struct client_transaction *transaction)
{
	msg_t *msg = msg_create(parser_class(), 0);
	msg_header_t *whole;

	if (!msg)
		return NULL;
	whole = msg_header_alloc(msg_home(msg), sip_request_class,
				 transaction->bytes);
	if (!whole)
		goto out;
	whole->sh_data = msg_header_data(whole->sh_common);
	whole->sh_len = transaction->bytes;
	memcpy(msg_header_data(whole->sh_common), transaction->text,
	       transaction->bytes);
	if (!msg_header_insert(msg, NULL, whole) && !msg_serialize(msg, NULL))
		return msg;
out:
	msg_destroy(msg);
	return NULL;
}

/* 0, or -1: it did not leave. */
static int send_by_sofia(struct client_transaction *transaction)
{
	const struct peer *peer = transaction->peer;
	tp_name_t name = {
		.tpn_proto = peer->transport == SIP_UDP ? "udp" : "tcp",
		.tpn_canon = peer->host,
		.tpn_host = peer->host,
		.tpn_port = peer->port,
	};
	msg_t *msg = make_message(transaction);
	tport_t *used;

	transaction->reason = strerror(ENOMEM);
	if (!msg)
		return -1;
	/* The transport is the next hop's: no change to TCP by size. */
	used = tport_tsend(peer->listener->tport, msg, &name,
			   TPTAG_MTU(INT_MAX), TAG_END());
	msg_destroy(msg);
	if (used)
		watch_connection(transaction, used);
	if (!used)
		transaction->reason = strerror(EPIPE);
	return used ? 0 : -1;
}

static int send_text(struct client_transaction *transaction)
{
	if (transaction->peer->transport == SIP_TLS)
		return tls_outbound_send(transaction);
	return send_by_sofia(transaction);
}

/* --- Time ---------------------------------------------------------------- */

static void wait_for_next(struct client_transaction *transaction)
{
	uint64_t now_ms = clock_monotonic_ms(), left_ms = 0;

	if (transaction->deadline_ms > now_ms)
		left_ms = transaction->deadline_ms - now_ms;
	if (transaction->interval_ms && transaction->interval_ms < left_ms)
		left_ms = transaction->interval_ms;
	timer_start(transaction->stack->timers, &transaction->timer, left_ms,
		    on_timer, transaction);
}

static void fail(struct client_transaction *transaction, const char *why)
{
	static const struct sip_answer silence = { .status = SIP_NO_ANSWER };
	const struct peer *peer = transaction->peer;

	breaker_failed(transaction->stack, peer->key + 1, peer->listener->side,
		       transaction->sent_ms, transaction->names, why);
	client_transaction_finish(transaction, &silence);
}

/* A peer that has lost its state never tells: TCP alone would go on for a
 * quarter of an hour with a connection that is dead. */
static void end_dead_connection(const struct client_transaction *transaction)
{
	if (!transaction->is_probe)
		return;
	tls_outbound_give_up(transaction);
	if (transaction->connection)
		tport_shutdown(transaction->connection, 2);
}

static void on_timer(void *arg)
{
	struct client_transaction *transaction = arg;
	uint32_t t2_ms = T2_IN_T1 * transaction->stack->t1_ms;

	if (transaction->failed) {
		client_transaction_count(transaction,
					 SIP_COUNT_client_transport_failed);
		fail(transaction, transaction->reason);
		return;
	}
	if (clock_monotonic_ms() >= transaction->deadline_ms) {
		client_transaction_count(transaction,
					 SIP_COUNT_client_timed_out);
		end_dead_connection(transaction);
		fail(transaction, "silence");
		return;
	}
	client_transaction_count(transaction, SIP_COUNT_client_retransmitted);
	send_text(transaction);
	transaction->interval_ms *= 2;
	if (transaction->interval_ms > t2_ms)
		transaction->interval_ms = t2_ms;
	wait_for_next(transaction);
}

void client_transaction_start(struct client_transaction *transaction,
			      uint32_t deadline_ms)
{
	bool is_udp = transaction->peer->transport == SIP_UDP;

	transaction->sent_ms = clock_monotonic_ms();
	transaction->deadline_ms = transaction->sent_ms + deadline_ms;
	transaction->interval_ms = is_udp ? transaction->stack->t1_ms : 0;
	wait_for_next(transaction);
	/* On UDP the next repeat may get through; on a connection nothing
	 * will. */
	if (send_text(transaction) && !is_udp)
		client_transaction_fail(transaction);
}

void client_transaction_proceed(struct client_transaction *transaction)
{
	if (!transaction->interval_ms)
		return;
	transaction->interval_ms = T2_IN_T1 * transaction->stack->t1_ms;
	wait_for_next(transaction);
}
