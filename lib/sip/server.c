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
#include <sofia-sip/url.h>

#include "loop/loop.h"
#include "sip/check.h"
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
	uint32_t age_ms;

	sip_count(stack->counters, SIP_COUNT_retransmissions);
	if (transaction->answered) {
		reply_send(stack, incoming->msg, incoming->tport, incoming->tag,
			   transaction->answer, NULL);
		return;
	}
	age_ms =
	    server_transaction_age_ms(stack->server_transactions, transaction);
	/* RFC 4320 4.1: no provisional answer before the client's timer E
	 * has grown to T2, none at all on a reliable transport. */
	if (tport_is_udp(incoming->tport) &&
	    age_ms >= T2_IN_T1 * stack->t1_ms) {
		reply_send(stack, incoming->msg, incoming->tport, NULL, &trying,
			   NULL);
		return;
	}
	sip_count(stack->counters, SIP_COUNT_retransmissions_absorbed);
	msg_destroy(incoming->msg);
}

/* --- New requests -------------------------------------------------------- */

static const char *url_text(msg_t *msg, const url_t *url)
{
	const char *text = url_as_string(msg_home(msg), url);

	return text ? text : "";
}

/* With its parameters: the boundary of a multipart body is one. */
static const char *content_type_text(msg_t *msg, const sip_t *sip)
{
	const sip_content_type_t *type = sip->sip_content_type;

	if (!type)
		return NULL;
	if (!type->c_params)
		return type->c_type;
	return sip_header_as_string(msg_home(msg), (const sip_header_t *)type);
}

/* RFC 3261 18.2.2: on TCP the source's port is of no use to a new connection;
 * the top Via's is where it listens. */
static void make_sender_uri(const struct sip_inbound *inbound,
			    const sip_via_t *via, char uri[SIP_URI_SIZE])
{
	bool v6 = strchr(inbound->source.host, ':') != NULL;
	unsigned long port = inbound->source.port;

	if (inbound->source.transport == SIP_TCP)
		port = via->v_port ? strtoul(via->v_port, NULL, 10) : 5060;
	snprintf(uri, SIP_URI_SIZE, "sip:%s%s%s:%lu;transport=%s",
		 v6 ? "[" : "", inbound->source.host, v6 ? "]" : "", port,
		 inbound->source.transport == SIP_TCP ? "tcp" : "udp");
}

static void call_role(struct sip_stack *stack, const struct incoming *incoming,
		      handle_t transaction)
{
	const sip_t *sip = incoming->sip;
	msg_t *msg = incoming->msg;
	char sender_uri[SIP_URI_SIZE];
	struct sip_inbound inbound = {
		.transaction = transaction,
		.source.transport =
		    tport_is_udp(incoming->tport) ? SIP_UDP : SIP_TCP,
		.sender_uri = sender_uri,
		.request_uri = url_text(msg, sip->sip_request->rq_url),
		.from_uri = url_text(msg, sip->sip_from->a_url),
		.from_tag = sip->sip_from->a_tag ? sip->sip_from->a_tag : "",
		.call_id = sip->sip_call_id->i_id,
		.cseq = sip->sip_cseq->cs_seq,
		.max_forwards = sip->sip_max_forwards
				    ? (unsigned)sip->sip_max_forwards->mf_count
				    : SIP_MAX_FORWARDS,
		.content_type = content_type_text(msg, sip),
	};

	transport_source(msg, inbound.source.host, &inbound.source.port);
	make_sender_uri(&inbound, sip->sip_via, sender_uri);
	if (sip->sip_payload) {
		inbound.body = sip->sip_payload->pl_data;
		inbound.body_bytes = sip->sip_payload->pl_len;
	}
	stack->message_handler(stack->message_arg, &inbound);
}

static void refuse_overload(struct sip_stack *stack,
			    const struct incoming *incoming,
			    enum sip_counter counter)
{
	const struct answer answer = { .status = 503,
				       .retry_after_s =
					   OVERLOAD_RETRY_AFTER_S };

	sip_count(stack->counters, counter);
	reply_send(stack, incoming->msg, incoming->tport, incoming->tag,
		   &answer, NULL);
}

static void receive_message(struct sip_stack *stack,
			    const struct incoming *incoming)
{
	struct server_transaction *known = server_transaction_find(
	    stack->server_transactions, incoming->fingerprint);
	handle_t transaction;

	if (known) {
		receive_repeat(stack, incoming, known);
		return;
	}
	sip_count(stack->counters, SIP_COUNT_requests_message);
	if (stack->draining || !stack->message_handler) {
		refuse_overload(stack, incoming, SIP_COUNT_refused_draining);
		return;
	}
	transaction = server_request_create(stack, incoming);
	if (!transaction) {
		refuse_overload(stack, incoming, SIP_COUNT_refused_table_full);
		return;
	}
	call_role(stack, incoming, transaction);
	server_request_shrink(stack, transaction, incoming);
	msg_destroy(incoming->msg);
}

static void receive_options(struct sip_stack *stack,
			    const struct incoming *incoming)
{
	const struct answer answer = { .status = 200 };

	sip_count(stack->counters, SIP_COUNT_requests_options);
	if (stack->draining)
		refuse_overload(stack, incoming, SIP_COUNT_refused_draining);
	else
		reply_send(stack, incoming->msg, incoming->tport, incoming->tag,
			   &answer, CHECK_ALLOW);
}

static void receive_request(struct sip_stack *stack,
			    const struct incoming *incoming)
{
	struct check_result result;

	if (check_request(incoming->sip, stack->domain, &result))
		reply_send(stack, incoming->msg, incoming->tport, incoming->tag,
			   &result.answer, result.extra);
	else if (incoming->sip->sip_request->rq_method == sip_method_options)
		receive_options(stack, incoming);
	else
		receive_message(stack, incoming);
}

void server_receive(struct sip_stack *stack, msg_t *msg, sip_t *sip)
{
	sip_method_t method = sip->sip_request->rq_method;
	struct incoming incoming = { .msg = msg, .sip = sip };

	if (method != sip_method_message && method != sip_method_options)
		sip_count(stack->counters, SIP_COUNT_requests_other);
	/* With maddr answers go wherever the sender of a datagram likes. */
	if (sip->sip_via->v_maddr)
		sip_count(stack->counters, SIP_COUNT_dropped_maddr);
	if (sip->sip_via->v_maddr || method == sip_method_ack) {
		msg_destroy(msg);
		return;
	}
	incoming.tport =
	    tport_delivered_by(nta_agent_tports(stack->agent), msg);
	incoming.fingerprint = fingerprint_of(stack, sip);
	make_tag(stack, incoming.fingerprint, incoming.tag);
	receive_request(stack, &incoming);
}

/* --- Life ---------------------------------------------------------------- */

static int make_keys(struct sip_stack *stack)
{
	struct siphash_key keys[2];

	if (getrandom(keys, sizeof(keys), 0) != sizeof(keys))
		return EIO;
	stack->fingerprint_key = keys[0];
	stack->tag_key = keys[1];
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
