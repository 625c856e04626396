/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of the server side: as they come in, and while they wait. */
#ifndef MCMIG_SIP_SERVER_REQUEST_H
#define MCMIG_SIP_SERVER_REQUEST_H

#include "sip/channel.h"
#include "sip/identity.h"

#define TAG_SIZE 17

/* A request that has just come in. */
struct incoming {
	msg_t *msg; /* consumed by whoever handles it */
	sip_t *sip;
	struct channel channel;
	uint64_t fingerprint;
	char tag[TAG_SIZE]; /* RFC 3261 8.2.7: the same for each repeat */
	struct identities identities;
	struct sip_network_headers network;
};

/* One that waits for its answer. */
struct server_request {
	handle_t handle;
	struct server_transaction *transaction;
	msg_t *msg;
	struct channel channel; /* held */
	char tag[TAG_SIZE];
};

/* A transaction for `incoming`; 0: out of memory or full. */
handle_t server_request_create(struct sip_stack *stack,
			       const struct incoming *incoming);
/* Forgets what the answer does not need, if it still waits and is large. */
void server_request_shrink(const struct sip_stack *stack, handle_t transaction,
			   const struct incoming *incoming);
/* For the table: it has run out of time. */
void server_request_expire(void *arg, struct server_request *request);
void server_show_gauges(void *arg);

/* --- inbound.c ----------------------------------------------------------- */

void inbound_source(const struct sip_stack *stack,
		    const struct incoming *incoming, struct sip_source *source);
/* sip:HOST:PORT;transport=... of who sent it (RFC 3261 18.2.2). */
void inbound_sender_uri(const struct sip_source *source, const sip_via_t *via,
			char uri[SIP_URI_SIZE]);
/* With its parameters; NULL: there is no body. */
const char *inbound_content_type(msg_t *msg, const sip_t *sip);
/* Calls the role. */
void inbound_deliver(struct sip_stack *stack, const struct incoming *incoming,
		     handle_t transaction);

/* --- register.c: REGISTER of third parties ------------------------------- */

/* Calls the handler. */
void register_deliver(struct sip_stack *stack, const struct incoming *incoming,
		      handle_t transaction);
#define REGISTER_LINES_SIZE 512
/* Header lines for a final answer to `request`; NULL: none. */
const char *register_answer_lines(msg_t *request, const struct answer *answer,
				  char lines[REGISTER_LINES_SIZE]);

#endif
