/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check_gateway.h"
#include "describe.h"
#include "message_name.h"
#include "simulation.h"

#define T1_US 500000u
#define LIFETIME_US (64u * T1_US) /* of a server transaction (RFC 3261 17) */
/* Not longer: a finished procedure may be forgotten after 100 s. */
#define SLOW_MAX_US 40000000u
#define SILENCES 3 /* in a row: taken for down */
#define PROBE_US \
	5000000u /* so often a silent peer is asked whether it is there */

/* ----------------------------------------------------------------- chances */

static bool happens(const struct net *net, unsigned per_mille)
{
	return !net->sim->healed && per_mille &&
	       random_chance(&net->sim->random, per_mille);
}

/* A message crosses up to three hops, and a request may not live too long. */
static uint64_t draw_delay_us(const struct request *request)
{
	struct sim *sim = request->net->sim;
	uint64_t most_us = sim->plan.max_delay_us;

	if (party_is_gateway(request->from->index) ||
	    party_is_gateway(request->to->index))
		most_us /= 4;
	if (happens(request->net, sim->plan.late))
		return random_between(&sim->random, 1000, most_us);
	return random_between(&sim->random, 500, 20000);
}

static bool is_between_systems(const struct request *request)
{
	return party_is_of_system(request->from->index) &&
	       party_is_of_system(request->to->index);
}

static bool is_cut_off(const struct request *request)
{
	unsigned a = party_system(request->from->index);
	unsigned b = party_system(request->to->index);

	return is_between_systems(request) && a != b &&
	       request->net->sim->is_cut[SIM_SYSTEMS - a - b];
}

/* One message on its way: `arrive` runs once, never or twice. */
static void fly(struct net *net, struct request *request, schedule_h *arrive,
		uint64_t value)
{
	struct sim *sim = net->sim;

	if (is_cut_off(request) || happens(net, sim->plan.loss))
		sim_tell(sim, "   (lost)");
	else
		sim_after(sim, draw_delay_us(request), arrive, request, value);
	if (!is_cut_off(request) && happens(net, sim->plan.twice))
		sim_after(sim, draw_delay_us(request), arrive, request, value);
}

/* ----------------------------------------------------------------- answers */

static void end(struct request *request, int status)
{
	const struct sip_reply *reply = &request->reply;
	struct sip_answer answer = { .status = status };
	struct party *from = request->from;

	if (request->ended)
		return;
	request->ended = true;
	request->heard = status;
	if (!from->up || from->incarnation != request->from_incarnation)
		return;
	from->silent_us[request->to->index] = request->net->sim->now_us;
	if (status == SIP_NO_ANSWER)
		from->silences[request->to->index]++;
	else
		from->silences[request->to->index] = 0;
	if (status && reply->status == status) {
		answer.retry_after_s = reply->retry_after_s;
		answer.warn_code = reply->warn_code;
		answer.warning = reply->warn_code ? request->warning : NULL;
	}
	node_enter(request->net->sim, from->index);
	request->answered(request->arg, request->handle, &answer);
}

static void answer_arrives(void *arg, uint64_t status)
{
	struct request *request = arg;

	if (request->ended || !request->from->up)
		return;
	sim_tell(request->net->sim, "%s <- %s  %u to %s",
		 describe_party(request->from->index),
		 describe_party(request->to->index), (unsigned)status,
		 describe_body(request->content_type, request->body,
			       request->body_bytes));
	end(request, (int)status);
}

static void answer(struct request *request, const struct sip_reply *reply)
{
	request->reply = *reply;
	snprintf(request->warning, sizeof(request->warning), "%s",
		 reply->warn_text ? reply->warn_text : "");
	request->expires_us = request->net->sim->now_us + LIFETIME_US;
	if (reply->stateless)
		request->to_incarnation = 0;
	fly(request->net, request, answer_arrives, (uint64_t)reply->status);
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
	if (rogue_replaces(request, &replaced))
		answer(request, &replaced);
}

/* ---------------------------------------------------------------- requests */

static void give_up_early(void *arg, uint64_t incarnation)
{
	struct request *request = arg;
	const struct sip_reply reply = { .status = 504 };

	if (request->to->up && request->to->incarnation == incarnation &&
	    request->to_incarnation == incarnation && !request->reply.status)
		answer(request, &reply);
}

static void handle_message(struct request *request)
{
	struct party *to = request->to;
	char call_id[32], tag[32];
	struct sip_inbound inbound = {
		.transaction =
		    (uint64_t)to->incarnation << 32 | (request->index + 1),
		.source.port = 5060,
		.source.transport =
		    request->net->sim->plan.reliable ? SIP_TCP : SIP_UDP,
		.source.side = request->to_side,
		.sender_uri = request->from->addresses[request->from_side].uri,
		.request_uri = request->request_uri,
		.from_uri = request->from_uri,
		.from_tag = tag,
		.call_id = call_id,
		.cseq = 1,
		.max_forwards = request->max_forwards,
		.asserted_identity_count = request->asserted_count,
		.content_type = request->content_type,
		.body = request->body,
		.body_bytes = request->body_bytes,
	};

	snprintf(call_id, sizeof(call_id), "call-%u", request->index);
	snprintf(tag, sizeof(tag), "tag-%u", request->index);
	memcpy(inbound.source.host, request->source_host, SIP_HOST_SIZE);
	for (size_t i = 0; i < request->asserted_count; i++)
		inbound.asserted_identities[i] = request->asserted[i];
	to->handler(to->arg, &inbound);
}

static void look_at(void *arg, uint64_t incarnation)
{
	struct request *request = arg;

	if (!request->to->up || request->to->incarnation != incarnation)
		return;
	request->looked_at_us = request->net->sim->now_us;
	if (party_is_gateway(request->to->index))
		check_gateway_take(request);
	node_enter(request->net->sim, request->to->index);
	handle_message(request);
}

static void take(struct request *request)
{
	static const struct sip_reply ok = { .status = 200 };
	struct party *to = request->to;
	struct sim *sim = request->net->sim;

	request->to_incarnation = to->incarnation;
	request->expires_us = UINT64_MAX;
	request->reply = (struct sip_reply){ 0 };
	request->rogue = rogue_draw(request);
	if (request->rogue == ROGUE_SWALLOW) {
		answer(request, &ok);
		return;
	}
	if (request->rogue == ROGUE_EARLY)
		sim_after(sim, random_between(&sim->random, 1000, 2000000),
			  give_up_early, request, to->incarnation);
	if (request->rogue == ROGUE_SLOW)
		sim_after(sim, random_between(&sim->random, 1000, SLOW_MAX_US),
			  look_at, request, to->incarnation);
	else
		look_at(request, to->incarnation);
}

/* As lib/sip does before anybody is asked: nothing is kept of it. */
static bool is_refused(struct request *request)
{
	struct party *to = request->to;
	struct sip_source source = {
		.port = 5060,
		.transport =
		    request->net->sim->plan.reliable ? SIP_TCP : SIP_UDP,
		.side = request->to_side,
	};
	struct sip_reply refusal = { .status = 483, .stateless = true };

	memcpy(source.host, request->source_host, SIP_HOST_SIZE);
	node_enter(request->net->sim, to->index);
	if (to->source_handler &&
	    !to->source_handler(to->source_arg, &source, &refusal)) {
		refusal.stateless = true;
		answer(request, &refusal);
		return true;
	}
	if (!request->max_forwards)
		answer(request, &refusal);
	return !request->max_forwards;
}

static void request_arrives(void *arg, uint64_t copy)
{
	struct request *request = arg;
	struct party *to = request->to;
	struct sim *sim = request->net->sim;
	bool known = request->to_incarnation == to->incarnation &&
		     sim->now_us < request->expires_us;

	if (!to->up || !to->handler)
		return;
	if (known && request->reply.status)
		fly(request->net, request, answer_arrives,
		    (uint64_t)request->reply.status);
	if (known || request->voided || is_refused(request))
		return;
	sim_tell(sim, "%s -> %s  %s%s", describe_party(request->from->index),
		 describe_party(to->index),
		 describe_body(request->content_type, request->body,
			       request->body_bytes),
		 copy ? "  (copy)" : "");
	take(request);
}

/* Somebody between answers; the request itself may still arrive. */
static bool is_answered_between(struct net *net, struct request *request)
{
	static const int statuses[] = { 400, 403, 404, 408, 480, 202,
					500, 503, 504, 600, 603 };
	struct sim *sim = net->sim;
	int status;

	if (!is_between_systems(request) || !happens(net, sim->plan.between))
		return false;
	status = statuses[random_below(&sim->random,
				       sizeof(statuses) / sizeof(*statuses))];
	sim_after(sim, draw_delay_us(request), answer_arrives, request,
		  (uint64_t)status);
	return random_chance(&sim->random, 500);
}

static void connection_refused(void *arg, uint64_t incarnation)
{
	struct request *request = arg;

	if (request->from->incarnation == incarnation)
		end(request, SIP_NO_ANSWER);
}

static void transmit(void *arg, uint64_t incarnation)
{
	struct request *request = arg;
	struct net *net = request->net;
	uint64_t interval_us = T1_US << (request->sent < 3 ? request->sent : 3);

	if (request->ended || request->voided || !request->from->up ||
	    request->from->incarnation != incarnation)
		return;
	if (!is_answered_between(net, request))
		fly(net, request, request_arrives, request->sent);
	request->sent++;
	if (!net->sim->plan.reliable)
		sim_after(net->sim, interval_us, transmit, request,
			  incarnation);
	else if (net->sim->plan.refuses && !request->to->up)
		sim_after(net->sim, draw_delay_us(request), connection_refused,
			  request, incarnation);
}

static void deadline_passes(void *arg, uint64_t incarnation)
{
	struct request *request = arg;

	if (request->from->up && request->from->incarnation == incarnation)
		end(request, SIP_NO_ANSWER);
}

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
	request = request_add(net);
	request->from = from;
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
	sim_after(net->sim, 0, transmit, request, from->incarnation);
	sim_after(net->sim, message->deadline_ms * 1000ull, deadline_passes,
		  request, from->incarnation);
	return 0;
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
	request->source_host = address->host;
	request->to = to;
	request->to_side = to_side;
	fill(request, &message);
	request->from_incarnation = from->incarnation;
	request->answered = answered;
	request->arg = net;
	request->handle = request->index + 1;
	sim_after(net->sim, 0, transmit, request, from->incarnation);
	sim_after(net->sim, LIFETIME_US, deadline_passes, request,
		  from->incarnation);
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

/* By silence until a probe is answered; by seed, sometimes without reason. */
static bool net_is_down(struct sip *sip, const char *next_hop)
{
	struct party *from = (struct party *)sip;
	struct net *net = from->net;
	enum sip_side side;
	const struct party *to = find_party(net, next_hop, &side);

	if (happens(net, net->sim->plan.doubts))
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
	for (unsigned i = 0; i < PARTIES; i++) {
		struct party *party = &net->parties[i];

		party->up = false;
		party->incarnation = 0;
		party->handler = NULL;
		party->source_handler = NULL;
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

void net_down(struct net *net, unsigned party)
{
	net->parties[party].up = false;
	net->parties[party].handler = NULL;
	net->parties[party].source_handler = NULL;
}

void net_void(struct net *net, unsigned from)
{
	for (size_t i = 0; i < net->count; i++) {
		if (net->requests[i]->from->index == from)
			net->requests[i]->voided = true;
	}
}

bool net_is_pending(const struct net *net, unsigned from)
{
	for (size_t i = 0; i < net->count; i++) {
		const struct request *request = net->requests[i];

		if (request->from->index == from && request->to_incarnation &&
		    request->to_incarnation == request->to->incarnation &&
		    request->to->up && !request->reply.status)
			return true;
	}
	return false;
}
