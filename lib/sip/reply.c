/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends an answer to a request, statelessly, on the request's own transport. */
#include "sip/channel.h"

#include <stdio.h>

#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>

static void count_reply(struct sip_counters *counters, int status)
{
	static const enum sip_counter by_class[] = {
		[1] = SIP_COUNT_replies_1xx, [2] = SIP_COUNT_replies_2xx,
		[3] = SIP_COUNT_replies_3xx, [4] = SIP_COUNT_replies_4xx,
		[5] = SIP_COUNT_replies_5xx, [6] = SIP_COUNT_replies_6xx,
	};

	if (status >= 100 && status < 700)
		sip_count(counters, by_class[status / 100]);
}

static const char *phrase_of(const struct answer *answer)
{
	const char *phrase = answer->phrase;

	if (!phrase)
		phrase = sip_status_phrase(answer->status);
	return phrase ? phrase : "Answer";
}

/* RFC 3261 8.2.6.2: the same tag in every answer to the same request. */
static void add_to_tag(msg_t *reply, sip_t *sip, const sip_t *request,
		       const char *to_tag)
{
	if (!to_tag || !request->sip_to)
		return;
	sip->sip_to = sip_to_dup(msg_home(reply), request->sip_to);
	if (sip->sip_to && !sip->sip_to->a_tag)
		sip_to_tag(msg_home(reply), sip->sip_to, to_tag);
}

static int add_headers(msg_t *reply, sip_t *sip, const struct answer *answer,
		       const char *extra)
{
	char retry_after[16];

	snprintf(retry_after, sizeof(retry_after), "%u", answer->retry_after_s);
	return sip_add_tl(
	    reply, sip, SIPTAG_WARNING_STR(answer->warning),
	    SIPTAG_RETRY_AFTER_STR(answer->retry_after_s ? retry_after : NULL),
	    SIPTAG_ACCEPT_STR(answer->accept), SIPTAG_HEADER_STR(extra),
	    TAG_END());
}

/* Takes both messages over. 0, or -1. */
static int send_reply(struct sip_stack *stack, msg_t *reply, msg_t *request,
		      const struct channel *channel,
		      const struct answer *answer)
{
	if (channel->transport == SIP_TLS)
		return tls_reply(stack, channel, reply, answer->status,
				 phrase_of(answer), request);
	return nta_msg_mreply(stack->agent, reply, sip_object(reply),
			      answer->status, phrase_of(answer), request,
			      NTATAG_TPORT(channel->tport), TAG_END());
}

void reply_send(struct sip_stack *stack, msg_t *request,
		const struct channel *channel, const char *to_tag,
		const struct answer *answer, const char *extra)
{
	msg_t *reply;
	sip_t *sip;

	/* Sofia would answer on a new connection to wherever Via points. */
	if (!channel_is_open(stack, channel)) {
		sip_count(stack->counters, SIP_COUNT_dropped_connection_gone);
		msg_destroy(request);
		return;
	}
	reply = nta_msg_create(stack->agent, 0);
	sip = sip_object(reply);
	if (!sip || add_headers(reply, sip, answer, extra) < 0) {
		sip_count(stack->counters, SIP_COUNT_dropped_send_failed);
		msg_destroy(reply);
		msg_destroy(request);
		return;
	}
	add_to_tag(reply, sip, sip_object(request), to_tag);
	if (send_reply(stack, reply, request, channel, answer) < 0)
		sip_count(stack->counters, SIP_COUNT_dropped_send_failed);
	else
		count_reply(stack->counters, answer->status);
}
