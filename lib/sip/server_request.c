/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that wait for their answer, and the answer. */
#include "sip/server_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/sip_header.h>

#define KEPT_WHOLE_BYTES 4096

void server_show_gauges(void *arg)
{
	struct sip_stack *stack = arg;

	sip_gauge(stack->counters, SIP_COUNT_server_pending,
		  server_transactions_waiting(stack->server_transactions));
	sip_gauge(stack->counters, SIP_COUNT_server_transactions,
		  server_transactions_count(stack->server_transactions));
	sip_gauge(stack->counters, SIP_COUNT_answer_templates,
		  answers_count(stack->answers));
}

static void free_request(struct sip_stack *stack,
			 struct server_request *request)
{
	handle_remove(stack->server_requests, request->handle);
	msg_destroy(request->msg);
	channel_release(&request->channel);
	free(request);
}

void server_request_expire(void *arg, struct server_request *request)
{
	struct sip_stack *stack = arg;

	sip_count(stack->counters, SIP_COUNT_dropped_unanswered);
	free_request(stack, request);
}

static int add_transaction(struct sip_stack *stack,
			   struct server_request *request,
			   const struct incoming *incoming)
{
	int err = handle_add(stack->server_requests, request, &request->handle);

	if (err)
		return err;
	request->transaction = server_transaction_add(
	    stack->server_transactions, incoming->fingerprint, request);
	if (request->transaction)
		return 0;
	handle_remove(stack->server_requests, request->handle);
	return EBUSY;
}

handle_t server_request_create(struct sip_stack *stack,
			       const struct incoming *incoming)
{
	struct server_request *request = calloc(1, sizeof(*request));

	if (!request)
		return 0;
	if (add_transaction(stack, request, incoming)) {
		free(request);
		return 0;
	}
	request->msg = msg_ref(incoming->msg);
	request->channel = channel_hold(&incoming->channel);
	memcpy(request->tag, incoming->tag, TAG_SIZE);
	server_show_gauges(stack);
	return request->handle;
}

/* What an answer is made of, without the rest; NULL: out of memory. */
static msg_t *copy_headers(const struct sip_stack *stack, const sip_t *sip)
{
	const void *const needed[] = { sip->sip_request,      sip->sip_via,
				       sip->sip_from,	      sip->sip_to,
				       sip->sip_call_id,      sip->sip_cseq,
				       sip->sip_record_route, sip->sip_contact,
				       sip->sip_expires };
	msg_t *copy = nta_msg_create(stack->agent, 0);

	for (size_t i = 0; copy && i < sizeof(needed) / sizeof(*needed); i++) {
		if (sip_add_dup(copy, NULL, needed[i]) < 0) {
			msg_destroy(copy);
			copy = NULL;
		}
	}
	return copy;
}

/* Large ones must not fill the memory while the store is slow. */
void server_request_shrink(const struct sip_stack *stack, handle_t transaction,
			   const struct incoming *incoming)
{
	struct server_request *request =
	    handle_get(stack->server_requests, transaction);
	const sip_payload_t *body = incoming->sip->sip_payload;
	msg_t *small;

	if (!request || !body || body->pl_len < KEPT_WHOLE_BYTES)
		return;
	small = copy_headers(stack, incoming->sip);
	if (!small)
		return;
	msg_destroy(request->msg);
	request->msg = small;
}

void server_reply(struct sip *base, handle_t transaction,
		  const struct sip_reply *reply)
{
	struct sip_stack *stack = (struct sip_stack *)base;
	struct server_request *request =
	    handle_get(stack->server_requests, transaction);
	char lines[REGISTER_LINES_SIZE];
	const struct answer *answer;

	if (!request)
		return;
	answer = answer_get(stack->answers, stack->domain, reply);
	/* Out of memory: it expires unanswered, the peer asks again. */
	if (!answer)
		return;
	reply_send(stack, msg_ref(request->msg), &request->channel,
		   request->tag, answer,
		   register_answer_lines(request->msg, answer, lines));
	if (reply->stateless) {
		server_transaction_forget(stack->server_transactions,
					  request->transaction);
		answer_put(stack->answers, answer);
	} else {
		server_transaction_answer(stack->server_transactions,
					  request->transaction, answer);
	}
	free_request(stack, request);
	server_show_gauges(stack);
}
