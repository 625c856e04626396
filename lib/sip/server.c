/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Server side: a MESSAGE that passed the checks becomes a transaction and goes
 * to the role once; repeats get what the first got (RFC 3261 17.2.2).
 */
#include "sip/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <sofia-sip/sip_header.h>

#include "base/log.h"
#include "loop/loop.h"
#include "sip/check.h"
#include "sip/mark.h"
#include "sip/network.h"
#include "sip/server_request.h"

#define OVERLOAD_RETRY_AFTER_S 5

/* --- What identifies a transaction --------------------------------------- */

static void add_text(struct siphash *hash, const char *text)
{
	/* With the NUL: "ab" "c" is not "a" "bc". */
	siphash_add(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

static uint64_t fingerprint_of(const struct sip_stack *stack, const sip_t *sip)
{
	struct siphash hash;

	siphash_start(&hash, &stack->fingerprint_key);
	add_text(&hash, sip->sip_via->v_branch);
	add_text(&hash, sip->sip_via->v_host);
	add_text(&hash, sip->sip_via->v_port);
	add_text(&hash, sip->sip_request->rq_method_name);
	add_text(&hash, sip->sip_call_id->i_id);
	siphash_add(&hash, &sip->sip_cseq->cs_seq,
		    sizeof(sip->sip_cseq->cs_seq));
	add_text(&hash, sip->sip_from->a_tag);
	return siphash_end(&hash);
}

/* Another key: the tag must not give the fingerprint away. */
static void make_tag(const struct sip_stack *stack, uint64_t fingerprint,
		     char tag[TAG_SIZE])
{
	struct siphash hash;

	siphash_start(&hash, &stack->tag_key);
	siphash_add(&hash, &fingerprint, sizeof(fingerprint));
	snprintf(tag, TAG_SIZE, "%016llx",
		 (unsigned long long)siphash_end(&hash));
}

/* --- Repeats ------------------------------------------------------------- */

static void receive_repeat(struct sip_stack *stack,
			   const struct incoming *incoming,
			   const struct server_transaction *transaction)
{
	static const struct answer trying = { .status = 100 };
	char lines[REGISTER_LINES_SIZE];
	uint32_t age_ms;

	sip_count(stack->counters, SIP_COUNT_retransmissions);
	if (transaction->answered) {
		reply_send(stack, incoming->msg, &incoming->channel,
			   incoming->tag, transaction->answer,
			   register_answer_lines(incoming->msg,
						 transaction->answer, lines));
		return;
	}
	age_ms =
	    server_transaction_age_ms(stack->server_transactions, transaction);
	/* RFC 4320 4.1: no provisional answer before the client's timer E
	 * has grown to T2, none at all on a reliable transport. */
	if (incoming->channel.transport == SIP_UDP &&
	    age_ms >= T2_IN_T1 * stack->t1_ms) {
		reply_send(stack, incoming->msg, &incoming->channel, NULL,
			   &trying, NULL);
		return;
	}
	sip_count(stack->counters, SIP_COUNT_retransmissions_absorbed);
	msg_destroy(incoming->msg);
}

/* --- New requests -------------------------------------------------------- */

static void refuse_overload(struct sip_stack *stack,
			    const struct incoming *incoming,
			    enum sip_counter counter)
{
	const struct answer answer = { .status = 503,
				       .retry_after_s =
					   OVERLOAD_RETRY_AFTER_S };

	sip_count(stack->counters, counter);
	reply_send(stack, incoming->msg, &incoming->channel, incoming->tag,
		   &answer, NULL);
}

/* Nothing is kept: a repeat is asked about again. */
static void refuse_statelessly(struct sip_stack *stack,
			       const struct incoming *incoming,
			       const struct sip_reply *refusal,
			       enum sip_counter counter)
{
	const struct answer *answer =
	    answer_get(stack->answers, stack->domain, refusal);

	sip_count(stack->counters, counter);
	if (!answer) { /* out of memory */
		msg_destroy(incoming->msg);
		return;
	}
	reply_send(stack, incoming->msg, &incoming->channel, incoming->tag,
		   answer, NULL);
	answer_put(stack->answers, answer);
}

/* True: answered. */
static bool refuse_identities(struct sip_stack *stack,
			      struct incoming *incoming)
{
	static const struct sip_reply malformed = {
		.status = 400,
		.warn_code = 399,
		.warn_text = "header P-Asserted-Identity is malformed or "
			     "has more than two identities",
	};

	if (!identities_read(incoming->msg, incoming->sip,
			     &incoming->identities))
		return false;
	refuse_statelessly(stack, incoming, &malformed,
			   SIP_COUNT_refused_identity);
	return true;
}

/* True: answered. */
static bool refuse_network(struct sip_stack *stack, struct incoming *incoming)
{
	const char *bad = "";
	char text[96];
	const struct sip_reply malformed = {
		.status = 400,
		.warn_code = 399,
		.warn_text = text,
	};

	if (!network_read(incoming->msg, incoming->sip, &incoming->network,
			  &bad))
		return false;
	snprintf(text, sizeof(text), "header %s is malformed or given twice",
		 bad);
	refuse_statelessly(stack, incoming, &malformed,
			   SIP_COUNT_refused_network);
	return true;
}

static void log_loop(struct sip_stack *stack, const struct incoming *incoming)
{
	static struct log_rate rate;
	struct sip_source source;

	inbound_source(stack, incoming, &source);
	log_write_limited(&rate, LOG_WARNING, "sip",
			  "msg=\"a request of ours has come back: a next hop "
			  "leads here, or initial filter criteria trigger in "
			  "the terminating case\" %s",
			  sip_source_text(&source).text);
}

static bool refuse_loop(struct sip_stack *stack,
			const struct incoming *incoming)
{
	static const struct sip_reply loop = {
		.status = 482,
		.warn_code = 399,
		.warn_text = "loop detected",
	};
	const char *tag = incoming->sip->sip_from->a_tag;

	if (!tag || !mark_is_ours(&stack->mark_key, tag))
		return false;
	log_loop(stack, incoming);
	refuse_statelessly(stack, incoming, &loop, SIP_COUNT_refused_loop);
	return true;
}

static bool refuse_source(struct sip_stack *stack,
			  const struct incoming *incoming)
{
	struct sip_reply refusal = { .status = 403 };
	struct sip_source source;

	if (!stack->source_handler)
		return false;
	inbound_source(stack, incoming, &source);
	if (stack->source_handler(stack->source_arg, &source, &refusal))
		return false;
	refuse_statelessly(stack, incoming, &refusal, SIP_COUNT_refused_source);
	return true;
}

static bool is_register(const struct incoming *incoming)
{
	return incoming->sip->sip_request->rq_method == sip_method_register;
}

/* A MESSAGE, or a REGISTER of a third party. */
static void receive_message(struct sip_stack *stack, struct incoming *incoming)
{
	struct server_transaction *known = server_transaction_find(
	    stack->server_transactions, incoming->fingerprint);
	handle_t transaction;

	if (known) {
		receive_repeat(stack, incoming, known);
		return;
	}
	sip_count(stack->counters, is_register(incoming)
				       ? SIP_COUNT_requests_register
				       : SIP_COUNT_requests_message);
	if (refuse_identities(stack, incoming) ||
	    refuse_network(stack, incoming) || refuse_loop(stack, incoming) ||
	    refuse_source(stack, incoming))
		return;
	if (stack->draining || !stack->message_handler) {
		refuse_overload(stack, incoming, SIP_COUNT_refused_draining);
		return;
	}
	transaction = server_request_create(stack, incoming);
	if (!transaction) {
		refuse_overload(stack, incoming, SIP_COUNT_refused_table_full);
		return;
	}
	if (is_register(incoming))
		register_deliver(stack, incoming, transaction);
	else
		inbound_deliver(stack, incoming, transaction);
	server_request_shrink(stack, transaction, incoming);
	msg_destroy(incoming->msg);
}

static void receive_options(struct sip_stack *stack,
			    const struct incoming *incoming)
{
	const struct answer answer = { .status = 200 };

	sip_count(stack->counters, SIP_COUNT_requests_options);
	if (refuse_source(stack, incoming))
		return;
	if (stack->draining)
		refuse_overload(stack, incoming, SIP_COUNT_refused_draining);
	else
		reply_send(stack, incoming->msg, &incoming->channel,
			   incoming->tag, &answer,
			   check_allow(stack->register_handler != NULL));
}

static void receive_request(struct sip_stack *stack, struct incoming *incoming)
{
	struct check_result result;

	if (check_request(incoming->sip, stack->domain,
			  stack->register_handler != NULL, &result))
		reply_send(stack, incoming->msg, &incoming->channel,
			   incoming->tag, &result.answer, result.extra);
	else if (incoming->sip->sip_request->rq_method == sip_method_options)
		receive_options(stack, incoming);
	else
		receive_message(stack, incoming);
}

void server_receive(struct sip_stack *stack, msg_t *msg, sip_t *sip,
		    const struct channel *channel)
{
	sip_method_t method = sip->sip_request->rq_method;
	struct incoming incoming = { .msg = msg,
				     .sip = sip,
				     .channel = *channel };

	if (method != sip_method_message && method != sip_method_options &&
	    (method != sip_method_register || !stack->register_handler))
		sip_count(stack->counters, SIP_COUNT_requests_other);
	/* With maddr answers go wherever the sender of a datagram likes. */
	if (sip->sip_via->v_maddr)
		sip_count(stack->counters, SIP_COUNT_dropped_maddr);
	if (sip->sip_via->v_maddr || method == sip_method_ack) {
		msg_destroy(msg);
		return;
	}
	incoming.fingerprint = fingerprint_of(stack, sip);
	make_tag(stack, incoming.fingerprint, incoming.tag);
	receive_request(stack, &incoming);
}

/* --- Life ---------------------------------------------------------------- */

static int make_keys(struct sip_stack *stack)
{
	struct siphash_key keys[3];

	if (getrandom(keys, sizeof(keys), 0) != sizeof(keys))
		return EIO;
	stack->fingerprint_key = keys[0];
	stack->tag_key = keys[1];
	stack->mark_key = keys[2];
	return 0;
}

int server_create(struct sip_stack *stack)
{
	int err = make_keys(stack);

	if (!err)
		err = answers_create(&stack->answers);
	if (!err)
		err = handle_table_create(&stack->server_requests,
					  stack->server_transactions_max);
	if (!err)
		err = server_transactions_create(&stack->server_transactions,
						 stack->timers, stack->answers,
						 stack->server_transactions_max,
						 LIFETIME_IN_T1 * stack->t1_ms,
						 server_request_expire,
						 server_show_gauges, stack);
	return err;
}

void server_destroy(struct sip_stack *stack)
{
	server_transactions_destroy(stack->server_transactions);
	handle_table_destroy(stack->server_requests);
	answers_destroy(stack->answers);
}
