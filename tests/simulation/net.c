/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check.h"
#include "check_gateway.h"
#include "describe.h"
#include "message_name.h"
#include "simulation.h"

#define SILENCES 3 /* in a row: taken for down */
/* So often a silent peer is asked whether it is there. */
#define PROBE_US 5000000u

static struct party *find_party(struct net *net, const char *uri,
				enum sip_side *side)
{
	for (unsigned i = 0; i < 2 * PARTIES; i++) {
		*side = i % 2 ? SIP_OUTSIDE : SIP_INSIDE;
		if (!strcmp(net->parties[i / 2].addresses[*side].uri, uri))
			return &net->parties[i / 2];
	}
	return NULL;
}

static char *copy_bytes(const char *bytes, size_t count)
{
	char *copy = malloc(count + 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, count);
	copy[count] = 0;
	return copy;
}

static struct request *request_add(struct net *net)
{
	struct request *request = calloc(1, sizeof(*request));

	if (net->count == net->capacity) {
		net->capacity = net->capacity ? net->capacity * 2 : 256;
		net->requests =
		    realloc(net->requests, net->capacity * sizeof(request));
	}
	if (!request || !net->requests)
		abort();
	request->net = net;
	request->index = (uint32_t)net->count;
	net->requests[net->count++] = request;
	return request;
}

/* "<sip:a.example>" of a header P-Asserted-Identity. */
static void copy_asserted(struct request *request,
			  const struct sip_outbound *message)
{
	for (size_t i = 0; i < message->header_count; i++) {
		const char *value = message->headers[i].value;
		size_t length = strcspn(value + 1, ">");

		if (strcasecmp(message->headers[i].name,
			       "P-Asserted-Identity") ||
		    request->asserted_count == SIP_IDENTITIES_MAX)
			continue;
		request->asserted[request->asserted_count++] =
		    copy_bytes(value + 1, length);
	}
}

static void fill(struct request *request, const struct sip_outbound *message)
{
	request->request_uri =
	    copy_bytes(message->request_uri, strlen(message->request_uri));
	request->from_uri = copy_bytes(message->from, strlen(message->from));
	request->content_type =
	    copy_bytes(message->content_type, strlen(message->content_type));
	request->body = copy_bytes(message->body, message->body_bytes);
	request->body_bytes = message->body_bytes;
	request->max_forwards =
	    message->max_forwards ? message->max_forwards : SIP_MAX_FORWARDS;
	copy_asserted(request, message);
	if (party_is_of_system(request->from->index) &&
	    party_is_of_system(request->to->index))
		message_name_parse(&request->name, message->content_type,
				   message->body, message->body_bytes);
	if (request->name.has_token)
		sim_violation(request->net->sim, "%s sends a token onwards",
			      describe_party(request->from->index));
}

static int net_send(struct sip *sip, const struct sip_outbound *message,
		    sip_answer_h *handler, void *arg, handle_t handle)
{
	struct party *from = (struct party *)sip;
	struct net *net = from->net;
	enum sip_side to_side;
	struct party *to = find_party(net, message->next_hop, &to_side);
	struct request *request;

	if (!to)
		return EINVAL;
	if (party_is_of_system(from->index) &&
	    net_happens(net, net->sim->plan.busy))
		return EBUSY;
	request = request_add(net);
	request->from = from;
	request->asker =
	    net->acting_for < PARTIES ? net->acting_for : from->index;
	request->from_side = message->side;
	request->source_host = from->addresses[message->side].host;
	request->to = to;
	request->to_side = to_side;
	fill(request, message);
	request->from_incarnation = from->incarnation;
	request->answered = handler;
	request->arg = arg;
	request->handle = handle;
	if (party_is_gateway(from->index))
		check_gateway_send(request);
	flight_begin(request, message->deadline_ms * UINT64_C(1000));
	return 0;
}

void net_act_for(struct net *net, unsigned party)
{
	net->acting_for = party;
}

void net_register(struct net *net, unsigned from, unsigned system,
		  const char *identity, sip_answer_h *answered)
{
	struct request *request = request_add(net);
	const struct sip_outbound message = { .request_uri = identity,
					      .from = identity,
					      .content_type = "",
					      .body = "" };

	request->from = &net->parties[from];
	request->asker = from;
	request->source_host = request->from->addresses[SIP_INSIDE].host;
	request->to = &net->parties[system];
	request->is_register = true;
	fill(request, &message);
	request->from_incarnation = request->from->incarnation;
	request->answered = answered;
	flight_begin(request, LIFETIME_US);
}

void net_forge(struct net *net, const struct request *like,
	       const struct address *address, const char *identity,
	       struct party *to, enum sip_side to_side, sip_answer_h *answered)
{
	struct party *from = &net->parties[PARTY_INTRUDER];
	struct request *request = request_add(net);
	char asserted[MCID_SIZE + 2];
	const struct sip_header header = { "P-Asserted-Identity", asserted };
	const struct sip_outbound message = {
		.request_uri = like->request_uri,
		.from = like->from_uri,
		.headers = &header,
		.header_count = identity || like->asserted_count,
		.content_type = like->content_type,
		.body = like->body,
		.body_bytes = like->body_bytes,
	};

	snprintf(asserted, sizeof(asserted), "<%s>",
		 identity		? identity
		 : like->asserted_count ? like->asserted[0]
					: "");
	request->from = from;
	request->asker = from->index;
	request->source_host = address->host;
	request->to = to;
	request->to_side = to_side;
	fill(request, &message);
	request->from_incarnation = from->incarnation;
	request->answered = answered;
	request->arg = net;
	request->handle = request->index + 1;
	flight_begin(request, LIFETIME_US);
}

static void net_reply(struct sip *sip, handle_t transaction,
		      const struct sip_reply *reply)
{
	struct party *party = (struct party *)sip;
	struct net *net = party->net;
	size_t index = (size_t)(transaction & UINT32_MAX) - 1;
	struct sip_reply replaced = *reply;
	struct request *request;

	if (index >= net->count)
		return;
	request = net->requests[index];
	if (request->to_incarnation != transaction >> 32 ||
	    request->reply.status)
		return;
	if (party_is_gateway(party->index))
		check_gateway_reply(request, reply->status);
	if (request->is_register && reply->status == 200)
		check_registered(net->sim->check, request->request_uri,
				 request->accepted_before);
	if (rogue_replaces(request, &replaced))
		flight_answer(request, &replaced);
}

static void net_set_message_handler(struct sip *sip, sip_message_h *handler,
				    void *arg)
{
	struct party *party = (struct party *)sip;

	party->handler = handler;
	party->arg = arg;
}

static void net_set_source_handler(struct sip *sip, sip_source_h *handler,
				   void *arg)
{
	struct party *party = (struct party *)sip;

	party->source_handler = handler;
	party->source_arg = arg;
}

static void net_set_register_handler(struct sip *sip, sip_register_h *handler,
				     void *arg)
{
	struct party *party = (struct party *)sip;

	party->register_handler = handler;
	party->register_arg = arg;
}

/* By silence until a probe is answered; by seed, sometimes without reason. */
static bool net_is_down(struct sip *sip, const char *next_hop)
{
	struct party *from = (struct party *)sip;
	struct net *net = from->net;
	enum sip_side side;
	const struct party *to = find_party(net, next_hop, &side);

	if (net_happens(net, net->sim->plan.doubts))
		return true;
	if (!to || !net->sim->plan.probes)
		return false;
	if (to->up && net->sim->now_us > from->silent_us[to->index] + PROBE_US)
		from->silences[to->index] = 0;
	return from->silences[to->index] >= SILENCES;
}

static const struct sip_ops net_ops = {
	.set_source_handler = net_set_source_handler,
	.is_down = net_is_down,
	.set_message_handler = net_set_message_handler,
	.set_register_handler = net_set_register_handler,
	.reply = net_reply,
	.send = net_send,
};

/* --------------------------------------------------------------- the whole */

struct net *net_create(struct sim *sim)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		abort();
	net->sim = sim;
	for (unsigned i = 0; i < PARTIES; i++) {
		struct party *party = &net->parties[i];
		char *inside = party->addresses[SIP_INSIDE].host;
		char *outside = party->addresses[SIP_OUTSIDE].host;

		party->sip.ops = &net_ops;
		party->net = net;
		party->index = i;
		snprintf(inside, SIP_HOST_SIZE, "192.0.2.%u", i + 1);
		if (party_is_gateway(i))
			snprintf(outside, SIP_HOST_SIZE, "198.51.100.%u",
				 i + 1);
	}
	return net;
}

static void request_destroy(struct request *request)
{
	free(request->request_uri);
	free(request->from_uri);
	free(request->content_type);
	free(request->body);
	for (size_t i = 0; i < request->asserted_count; i++)
		free(request->asserted[i]);
	free(request);
}

static void set_uri(const struct net *net, struct address *address)
{
	if (*address->host)
		snprintf(address->uri, sizeof(address->uri),
			 "sip:%s:5060;transport=%s", address->host,
			 net->sim->plan.reliable ? "tcp" : "udp");
}

void net_reset(struct net *net)
{
	for (size_t i = 0; i < net->count; i++)
		request_destroy(net->requests[i]);
	net->count = 0;
	net->acting_for = PARTIES;
	for (unsigned i = 0; i < PARTIES; i++) {
		struct party *party = &net->parties[i];

		party->up = false;
		party->incarnation = 0;
		party->handler = NULL;
		party->source_handler = NULL;
		party->register_handler = NULL;
		set_uri(net, &party->addresses[SIP_INSIDE]);
		set_uri(net, &party->addresses[SIP_OUTSIDE]);
	}
}

void net_destroy(struct net *net)
{
	if (!net)
		return;
	net_reset(net);
	free(net->requests);
	free(net);
}

struct sip *net_sip(struct net *net, unsigned party)
{
	return &net->parties[party].sip;
}

const char *net_uri(const struct net *net, unsigned party, enum sip_side side)
{
	return net->parties[party].addresses[side].uri;
}

void net_up(struct net *net, unsigned party)
{
	net->parties[party].up = true;
	net->parties[party].incarnation++;
	memset(net->parties[party].silences, 0,
	       sizeof(net->parties[party].silences));
}

/* Whoever still waits for its answers sees the connection closed. */
static void reset_connections(struct net *net, const struct party *party)
{
	for (size_t i = 0; i < net->count; i++) {
		struct request *request = net->requests[i];

		if (request->to == party && !request->ended &&
		    request->to_incarnation == party->incarnation)
			flight_reset(request);
	}
}

void net_down(struct net *net, unsigned party)
{
	if (net->sim->plan.refuses && net->sim->plan.reliable)
		reset_connections(net, &net->parties[party]);
	net->parties[party].up = false;
	net->parties[party].handler = NULL;
	net->parties[party].source_handler = NULL;
	net->parties[party].register_handler = NULL;
}

void net_void(struct net *net, unsigned from)
{
	for (size_t i = 0; i < net->count; i++) {
		if (net->requests[i]->asker == from)
			net->requests[i]->voided = true;
	}
}

bool net_is_pending(const struct net *net, unsigned from)
{
	for (size_t i = 0; i < net->count; i++) {
		const struct request *request = net->requests[i];

		if (request->asker == from && request->to_incarnation &&
		    request->to_incarnation == request->to->incarnation &&
		    request->to->up && !request->reply.status)
			return true;
	}
	return false;
}
