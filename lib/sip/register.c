/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REGISTER of a third party (TS 24.229 5.4.1.7): what the handler sees of it,
 * and what its 200 says (RFC 3261 10.3 step 8).
 */
#include <stdio.h>
#include <string.h>

#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>

#include "sip/server_request.h"

#define EXPIRES_DEFAULT_S 3600 /* RFC 3261 10.2.1.1, where nothing is said */
/* TS 24.229 5.1.1.2 has a week; what is beyond any use is cut, and the answer
 * says so. */
#define EXPIRES_MAX_S (30 * 24 * 3600)

static uint32_t expires_of(const sip_t *sip)
{
	sip_time_t expires_s =
	    sip_contact_expires(sip->sip_contact, sip->sip_expires,
				sip->sip_date, EXPIRES_DEFAULT_S, sip_now());

	return expires_s < EXPIRES_MAX_S ? (uint32_t)expires_s : EXPIRES_MAX_S;
}

/* NULL: there is none that says where. */
static const char *contact_of(msg_t *msg, const sip_t *sip)
{
	const sip_contact_t *contact = sip->sip_contact;

	if (!contact || contact->m_url->url_type == url_any)
		return NULL;
	return url_as_string(msg_home(msg), contact->m_url);
}

void register_deliver(struct sip_stack *stack, const struct incoming *incoming,
		      handle_t transaction)
{
	const sip_t *sip = incoming->sip;
	msg_t *msg = incoming->msg;
	char sender_uri[SIP_URI_SIZE];
	struct sip_registration registration = {
		.transaction = transaction,
		.sender_uri = sender_uri,
		.identity = url_as_string(msg_home(msg), sip->sip_to->a_url),
		.registrar = url_as_string(msg_home(msg), sip->sip_from->a_url),
		.contact = contact_of(msg, sip),
		.call_id = sip->sip_call_id->i_id,
		.cseq = sip->sip_cseq->cs_seq,
		.expires_s = expires_of(sip),
		.network = incoming->network,
		.content_type = inbound_content_type(msg, sip),
	};

	/* Out of memory: it expires unanswered, and comes again. */
	if (!registration.identity || !registration.registrar)
		return;
	inbound_source(stack, incoming, &registration.source);
	inbound_sender_uri(&registration.source, sip->sip_via, sender_uri);
	if (sip->sip_payload) {
		registration.body = sip->sip_payload->pl_data;
		registration.body_bytes = sip->sip_payload->pl_len;
	}
	stack->register_handler(stack->register_arg, &registration);
}

const char *register_answer_lines(msg_t *request, const struct answer *answer,
				  char lines[REGISTER_LINES_SIZE])
{
	const sip_t *sip = sip_object(request);
	const char *contact;
	uint32_t expires_s;

	if (sip->sip_request->rq_method != sip_method_register ||
	    answer->status / 100 != 2)
		return NULL;
	contact = contact_of(request, sip);
	expires_s = expires_of(sip);
	if (!contact || !expires_s ||
	    (size_t)snprintf(lines, REGISTER_LINES_SIZE,
			     "Contact: <%s>;expires=%u\r\nExpires: %u\r\n",
			     contact, expires_s,
			     expires_s) >= REGISTER_LINES_SIZE)
		snprintf(lines, REGISTER_LINES_SIZE, "Expires: %u\r\n",
			 expires_s);
	return lines;
}
