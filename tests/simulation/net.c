/* SPDX-License-Identifier: BSD-2-Clause */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "simulation.h"

#define T1_US 500000u
#define LIFETIME_US (64u * T1_US) /* of a server transaction (RFC 3261 17) */

struct party {
	struct sip sip; /* first */
	struct net *net;
	unsigned index;
	char host[SIP_HOST_SIZE];
	char uri[SIP_URI_SIZE];
	bool up;
	unsigned incarnation;
	sip_message_h *handler;
	void *arg;
	sip_source_h *source_handler;
	void *source_arg;
};

/* A request with its client transaction and its server transaction. */
struct request {
	struct net *net;
	uint32_t index;
	struct party *from;
	struct party *to;
	char *request_uri;
	char *from_uri;
	char *content_type;
	char *body;
	size_t body_bytes;

	unsigned from_incarnation;
	sip_answer_h *answered;
	void *arg;
	handle_t handle;
	bool ended; /* the sender has had its answer */
	bool voided;
	unsigned sent; /* times */

	unsigned to_incarnation; /* that has taken it; 0: none */
	uint64_t expires_us;	 /* of the server transaction */
	struct sip_reply reply;	 /* status 0: pending */
	char warning[128];
};

struct net {
	struct sim *sim;
	struct party parties[NET_PARTIES_MAX];
	struct request **requests;
	size_t count;
	size_t capacity;
};

/* ----------------------------------------------------------------- chances */

static bool happens(const struct net *net, unsigned per_mille)
{
	return !net->sim->healed && per_mille &&
	       random_chance(&net->sim->random, per_mille);
}

static uint64_t draw_delay_us(struct net *net)
{
	struct sim *sim = net->sim;

	if (happens(net, sim->plan.late))
		return random_between(&sim->random, 1000,
				      sim->plan.max_delay_us);
	return random_between(&sim->random, 500, 20000);
}

static bool is_cut_off(const struct net *net, const struct request *request)
{
	unsigned a = request->from->index, b = request->to->index;

	return a < SIM_SYSTEMS && b < SIM_SYSTEMS &&
	       net->sim->is_cut[SIM_SYSTEMS - a - b];
}

/* One message on its way: `arrive` runs once, never or twice. */
static void fly(struct net *net, struct request *request, schedule_h *arrive,
		uint64_t value)
{
	struct sim *sim = net->sim;

	if (is_cut_off(net, request) || happens(net, sim->plan.loss))
		sim_tell(sim, "   (lost)");
	else
		sim_after(sim, draw_delay_us(net), arrive, request, value);
	if (!is_cut_off(net, request) && happens(net, sim->plan.twice))
		sim_after(sim, draw_delay_us(net), arrive, request, value);
}

/* ----------------------------------------------------------------- answers */

static void end(struct request *request, int status, unsigned retry_after_s,
		const char *warning)
{
	struct sip_answer answer = { .status = status,
				     .retry_after_s = retry_after_s,
				     .warning = warning };

	if (request->ended)
		return;
	request->ended = true;
	if (!request->from->up ||
	    request->from->incarnation != request->from_incarnation)
		return;
	node_enter(request->net->sim, request->from->index);
	request->answered(request->arg, request->handle, &answer);
}

static void answer_arrives(void *arg, uint64_t status)
{
	struct request *request = arg;
	const struct sip_reply *reply = &request->reply;

	if (request->ended || !request->from->up)
		return;
	sim_tell(request->net->sim, "%s <- %s  %u to %s",
		 describe_party(request->from->index),
		 describe_party(request->to->index), (unsigned)status,
		 describe_body(request->content_type, request->body,
			       request->body_bytes));
	end(request, (int)status,
	    reply->status == (int)status ? reply->retry_after_s : 0,
	    reply->status == (int)status && reply->warn_code ? request->warning
							     : NULL);
}

static void net_reply(struct sip *sip, handle_t transaction,
		      const struct sip_reply *reply)
{
	struct party *party = (struct party *)sip;
	struct net *net = party->net;
	size_t index = (size_t)(transaction & UINT32_MAX) - 1;
	struct request *request;

	if (index >= net->count)
		return;
	request = net->requests[index];
	if (request->to_incarnation != transaction >> 32 ||
	    request->reply.status)
		return;
	request->reply = *reply;
	snprintf(request->warning, sizeof(request->warning), "%s",
		 reply->warn_text ? reply->warn_text : "");
	request->expires_us = net->sim->now_us + LIFETIME_US;
	fly(net, request, answer_arrives, (uint64_t)reply->status);
}

/* ---------------------------------------------------------------- requests */

static void take(struct request *request)
{
	struct party *to = request->to;
	char call_id[32], tag[32];
	struct sip_inbound inbound = {
		.transaction =
		    (uint64_t)to->incarnation << 32 | (request->index + 1),
		.source.port = 5060,
		.source.transport =
		    request->net->sim->plan.reliable ? SIP_TCP : SIP_UDP,
		.sender_uri = request->from->uri,
		.request_uri = request->request_uri,
		.from_uri = request->from_uri,
		.from_tag = tag,
		.call_id = call_id,
		.cseq = 1,
		.content_type = request->content_type,
		.body = request->body,
		.body_bytes = request->body_bytes,
	};

	snprintf(call_id, sizeof(call_id), "call-%u", request->index);
	snprintf(tag, sizeof(tag), "tag-%u", request->index);
	memcpy(inbound.source.host, request->from->host, SIP_HOST_SIZE);
	request->to_incarnation = to->incarnation;
	request->expires_us = UINT64_MAX;
	request->reply = (struct sip_reply){ 0 };
	node_enter(request->net->sim, to->index);
	to->handler(to->arg, &inbound);
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
	if (known || request->voided)
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

	if (request->from->index >= SIM_SYSTEMS ||
	    request->to->index >= SIM_SYSTEMS ||
	    !happens(net, sim->plan.between))
		return false;
	status = statuses[random_below(&sim->random,
				       sizeof(statuses) / sizeof(*statuses))];
	sim_after(sim, draw_delay_us(net), answer_arrives, request,
		  (uint64_t)status);
	return random_chance(&sim->random, 500);
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
}

static void deadline_passes(void *arg, uint64_t incarnation)
{
	struct request *request = arg;

	if (request->from->up && request->from->incarnation == incarnation)
		end(request, SIP_NO_ANSWER, 0, NULL);
}

static struct party *find_party(struct net *net, const char *uri)
{
	for (unsigned i = 0; i < NET_PARTIES_MAX; i++) {
		if (!strcmp(net->parties[i].uri, uri))
			return &net->parties[i];
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

static int net_send(struct sip *sip, const struct sip_outbound *message,
		    sip_answer_h *handler, void *arg, handle_t handle)
{
	struct party *from = (struct party *)sip;
	struct net *net = from->net;
	struct party *to = find_party(net, message->next_hop);
	struct request *request;

	if (!to)
		return EINVAL;
	request = request_add(net);
	request->from = from;
	request->to = to;
	request->request_uri =
	    copy_bytes(message->request_uri, strlen(message->request_uri));
	request->from_uri = copy_bytes(message->from, strlen(message->from));
	request->content_type =
	    copy_bytes(message->content_type, strlen(message->content_type));
	request->body = copy_bytes(message->body, message->body_bytes);
	request->body_bytes = message->body_bytes;
	request->from_incarnation = from->incarnation;
	request->answered = handler;
	request->arg = arg;
	request->handle = handle;
	sim_after(net->sim, 0, transmit, request, from->incarnation);
	sim_after(net->sim, message->deadline_ms * 1000ull, deadline_passes,
		  request, from->incarnation);
	return 0;
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

static bool net_is_down(struct sip *sip, const char *next_hop)
{
	(void)sip;
	(void)next_hop;
	return false;
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
	for (unsigned i = 0; i < NET_PARTIES_MAX; i++) {
		struct party *party = &net->parties[i];

		party->sip.ops = &net_ops;
		party->net = net;
		party->index = i;
		snprintf(party->host, sizeof(party->host), "192.0.2.%u", i + 1);
	}
	return net;
}

static void request_destroy(struct request *request)
{
	free(request->request_uri);
	free(request->from_uri);
	free(request->content_type);
	free(request->body);
	free(request);
}

void net_reset(struct net *net)
{
	for (size_t i = 0; i < net->count; i++)
		request_destroy(net->requests[i]);
	net->count = 0;
	for (unsigned i = 0; i < NET_PARTIES_MAX; i++) {
		struct party *party = &net->parties[i];

		party->up = false;
		party->incarnation = 0;
		snprintf(party->uri, sizeof(party->uri),
			 "sip:%s:5060;transport=%s", party->host,
			 net->sim->plan.reliable ? "tcp" : "udp");
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

const char *net_uri(const struct net *net, unsigned party)
{
	return net->parties[party].uri;
}

void net_up(struct net *net, unsigned party)
{
	net->parties[party].up = true;
	net->parties[party].incarnation++;
}

void net_down(struct net *net, unsigned party)
{
	net->parties[party].up = false;
	net->parties[party].handler = NULL;
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
