/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer on TLS: completed as Sofia's agent does it, then text to write. */
#include "sip/tls_connection.h"

#include <errno.h>

#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_util.h>

#include "sip/channel.h"

/* RFC 3261 8.2.6.2; what a malformed request has not is left out. */
static void complete(struct sip_stack *stack, msg_t *reply, sip_t *sip,
		     const sip_t *request, int status, const char *phrase)
{
	su_home_t *home = msg_home(reply);
	const char *tag;

	sip->sip_status =
	    sip_status_create(home, (unsigned)status, phrase, NULL);
	sip->sip_via = sip_via_dup(home, request->sip_via);
	sip->sip_from = sip_from_dup(home, request->sip_from);
	if (!sip->sip_to)
		sip->sip_to = sip_to_dup(home, request->sip_to);
	sip->sip_call_id = sip_call_id_dup(home, request->sip_call_id);
	sip->sip_cseq = sip_cseq_dup(home, request->sip_cseq);
	sip->sip_record_route =
	    sip_record_route_dup(home, request->sip_record_route);
	if (!sip->sip_to || sip->sip_to->a_tag)
		return;
	tag = nta_agent_newtag(home, NULL, stack->agent);
	if (tag)
		sip_to_tag(home, sip->sip_to, tag);
}

/* Its size; -1: out of memory. */
static int serialize(msg_t *reply, sip_t *sip)
{
	su_home_t *home = msg_home(reply);

	sip->sip_content_length = sip_content_length_create(home, 0);
	sip->sip_separator = sip_separator_create(home);
	if (!sip->sip_status || !sip->sip_via || !sip->sip_content_length ||
	    !sip->sip_separator || msg_serialize(reply, (msg_pub_t *)sip) < 0)
		return -1;
	return msg_prepare(reply);
}

static int enqueue(struct tls_connection *connection, msg_t *reply)
{
	int bytes = serialize(reply, sip_object(reply));

	if (bytes < 0)
		return -1;
	switch (tls_connection_reserve(connection, (size_t)bytes)) {
	case 0:
		break;
	case ENOBUFS:
		sip_count(connection->stack->counters,
			  SIP_COUNT_tls_not_reading);
		tls_connection_end(connection, "the peer does not read");
		return -1;
	default:
		return -1;
	}
	for (const msg_header_t *h = *msg_chain_head(reply); h; h = h->sh_succ)
		tls_queue_add(&connection->queue, h->sh_data, h->sh_len);
	return 0;
}

int tls_reply(struct sip_stack *stack, const struct channel *channel,
	      msg_t *reply, int status, const char *phrase, msg_t *request)
{
	struct tls_connection *connection =
	    tls_connection_get(stack, channel->connection);
	int result = -1;

	if (connection) {
		complete(stack, reply, sip_object(reply), sip_object(request),
			 status, phrase);
		result = enqueue(connection, reply);
	}
	msg_destroy(reply);
	msg_destroy(request);
	return result;
}
