/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Sofia's agent does with a message before its owner sees it, for those
 * that come by TLS: the same is refused in the same way.
 */
#include "sip/tls_connection.h"

#include <stdio.h>
#include <string.h>

#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_util.h>

#include "sip/channel.h"

/* As the agent's default: errors in these are no reason to drop a response. */
#define RESPONSE_MASK                                                         \
	(~(unsigned)(sip_mask_request | sip_mask_proxy | sip_mask_registrar | \
		     sip_mask_pref | sip_mask_privacy))

static const char *name_of_bad(const sip_t *sip)
{
	for (const sip_header_t *h = (const sip_header_t *)sip->sip_error; h;
	     h = h->sh_next) {
		if (h->sh_class == sip_error_class) {
			if (h->sh_error->er_name)
				return h->sh_error->er_name;
		} else if (h->sh_class->hc_name) {
			return h->sh_class->hc_name;
		}
	}
	return NULL;
}

/* --- The top Via (RFC 3261 18.2.1, RFC 3581 4) ---------------------------- */

static void set_parameter(msg_t *msg, sip_via_t *via, const char *name,
			  const char *value)
{
	const char *parameter = su_sprintf(msg_home(msg), "%s=%s", name, value);

	if (parameter)
		msg_header_replace_param(msg_home(msg), via->v_common,
					 parameter);
}

static bool is_host(const char *sent_by, const char *host)
{
	size_t bytes = strlen(host);

	if (*sent_by != '[')
		return !strcasecmp(sent_by, host);
	return !strncasecmp(sent_by + 1, host, bytes) &&
	       !strcmp(sent_by + 1 + bytes, "]");
}

/* False: it names another transport. */
static bool mark_via(msg_t *msg, sip_via_t *via)
{
	char host[SIP_HOST_SIZE], port[6];
	uint16_t number;

	if (strcmp(via->v_protocol, "SIP/2.0/TLS"))
		return false;
	transport_source(msg, host, &number);
	snprintf(port, sizeof(port), "%u", number);
	if (via->v_received)
		msg_header_remove_param(via->v_common, "received");
	if (!is_host(via->v_host, host)) {
		/* The text that it came as is no longer what it says. */
		msg_fragment_clear_chain((msg_header_t *)via);
		set_parameter(msg, via, "received", host);
	}
	set_parameter(msg, via, "rport", port);
	return true;
}

/* --- Requests ------------------------------------------------------------- */

static struct channel channel_of(const struct tls_connection *connection)
{
	return (struct channel){
		.transport = SIP_TLS,
		.side = connection->listener->side,
		.connection = connection->own,
	};
}

/* Answers, and ends the connection. */
static void refuse(struct tls_connection *connection, msg_t *msg, int status,
		   const char *phrase)
{
	const struct answer answer = { .status = status, .phrase = phrase };
	const struct channel channel = channel_of(connection);

	if (sip_object(msg)->sip_via)
		reply_send(connection->stack, msg, &channel, NULL, &answer,
			   NULL);
	else
		msg_destroy(msg);
	tls_connection_finish(connection);
}

static void refuse_malformed(struct tls_connection *connection, msg_t *msg)
{
	sip_t *sip = sip_object(msg);
	const char *bad = name_of_bad(sip);
	char phrase[96] = "Bad Request";

	if (sip->sip_request->rq_method == sip_method_ack) {
		msg_destroy(msg);
		tls_connection_finish(connection);
		return;
	}
	if (bad)
		snprintf(phrase, sizeof(phrase), "Bad %s Header", bad);
	if (sip->sip_via)
		mark_via(msg, sip->sip_via);
	refuse(connection, msg, 400, phrase);
}

static void receive_request(struct tls_connection *connection, msg_t *msg,
			    sip_t *sip)
{
	const struct channel channel = channel_of(connection);

	if (sip->sip_flags & MSG_FLG_TOOLARGE)
		refuse(connection, msg, 413, NULL);
	else if (sip->sip_flags & MSG_FLG_ERROR || sip_sanity_check(sip) < 0)
		refuse_malformed(connection, msg);
	else if (strcasecmp(sip->sip_request->rq_version, "SIP/2.0"))
		refuse(connection, msg, 505, NULL);
	else if (!mark_via(msg, sip->sip_via))
		msg_destroy(msg);
	else
		server_receive(connection->stack, msg, sip, &channel);
}

/* --- Responses ------------------------------------------------------------ */

static void receive_response(struct sip_stack *stack, msg_t *msg, sip_t *sip)
{
	if (msg_extract_errors(msg) & RESPONSE_MASK ||
	    sip_sanity_check(sip) < 0 ||
	    strcasecmp(sip->sip_status->st_version, "SIP/2.0") ||
	    sip->sip_cseq->cs_method == sip_method_ack)
		msg_destroy(msg);
	else
		client_receive(stack, msg, sip);
}

void tls_receive(struct tls_connection *connection, msg_t *msg)
{
	sip_t *sip = sip_object(msg);

	if (sip && sip->sip_request)
		receive_request(connection, msg, sip);
	else if (sip && sip->sip_status)
		receive_response(connection->stack, msg, sip);
	else
		msg_destroy(msg);
}
