/* SPDX-License-Identifier: BSD-2-Clause */
/* What the role sees of a request: the parts of it as plain text. */
#include "sip/server_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>

#include "sip/names.h"

void inbound_source(const struct sip_stack *stack,
		    const struct incoming *incoming, struct sip_source *source)
{
	*source = (struct sip_source){
		.transport = incoming->channel.transport,
		.side = incoming->channel.side,
	};
	transport_source(incoming->msg, source->host, &source->port);
	channel_names(stack, &incoming->channel, source);
}

static const char *url_text(msg_t *msg, const url_t *url)
{
	const char *text = url_as_string(msg_home(msg), url);

	return text ? text : "";
}

/* The boundary of a multipart body is one of the parameters. */
const char *inbound_content_type(msg_t *msg, const sip_t *sip)
{
	const sip_content_type_t *type = sip->sip_content_type;

	if (!type)
		return NULL;
	if (!type->c_params)
		return type->c_type;
	return sip_header_as_string(msg_home(msg), (const sip_header_t *)type);
}

/* RFC 3261 18.2.2: the source's port of a connection is of no use to a new
 * one; the top Via's is where it listens. */
void inbound_sender_uri(const struct sip_source *source, const sip_via_t *via,
			char uri[SIP_URI_SIZE])
{
	static const char *const names[] = { "udp", "tcp", "tls" };
	bool v6 = strchr(source->host, ':') != NULL;
	unsigned long port = source->port;

	if (source->transport != SIP_UDP)
		port = source->transport == SIP_TLS ? 5061 : 5060;
	if (source->transport != SIP_UDP && via->v_port)
		port = strtoul(via->v_port, NULL, 10);
	snprintf(uri, SIP_URI_SIZE, "sip:%s%s%s:%lu;transport=%s",
		 v6 ? "[" : "", source->host, v6 ? "]" : "", port,
		 names[source->transport]);
}

struct sip_source_text sip_source_text(const struct sip_source *source)
{
	struct sip_source_text text;
	char names[sizeof(text.text) - SIP_HOST_SIZE - 40] = "";

	names_list(source->certificate_names, source->certificate_name_count,
		   names, sizeof(names));
	snprintf(text.text, sizeof(text.text), "source=%s port=%u%s%s%s",
		 source->host, source->port, *names ? " names=\"" : "", names,
		 *names ? "\"" : "");
	return text;
}

void inbound_deliver(struct sip_stack *stack, const struct incoming *incoming,
		     handle_t transaction)
{
	const sip_t *sip = incoming->sip;
	msg_t *msg = incoming->msg;
	char sender_uri[SIP_URI_SIZE];
	struct sip_inbound inbound = {
		.transaction = transaction,
		.sender_uri = sender_uri,
		.request_uri = url_text(msg, sip->sip_request->rq_url),
		.from_uri = url_text(msg, sip->sip_from->a_url),
		.from_tag = sip->sip_from->a_tag ? sip->sip_from->a_tag : "",
		.call_id = sip->sip_call_id->i_id,
		.cseq = sip->sip_cseq->cs_seq,
		.max_forwards = sip->sip_max_forwards
				    ? (unsigned)sip->sip_max_forwards->mf_count
				    : SIP_MAX_FORWARDS,
		.asserted_identity_count = incoming->identities.count,
		.network = incoming->network,
		.content_type = inbound_content_type(msg, sip),
	};

	inbound_source(stack, incoming, &inbound.source);
	inbound_sender_uri(&inbound.source, sip->sip_via, sender_uri);
	memcpy(inbound.asserted_identities, incoming->identities.uris,
	       sizeof(inbound.asserted_identities));
	if (sip->sip_payload) {
		inbound.body = sip->sip_payload->pl_data;
		inbound.body_bytes = sip->sip_payload->pl_len;
	}
	stack->message_handler(stack->message_arg, &inbound);
}
