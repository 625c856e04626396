/* SPDX-License-Identifier: BSD-2-Clause */
/* A request from its first copy to the answer that its sender hears. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "check_gateway.h"
#include "describe.h"
#include "net_private.h"
#include "simulation.h"

#define T1_US 500000u
/* Not longer: a finished procedure may be forgotten after 100 s. */
#define SLOW_MAX_US 40000000u

/* ----------------------------------------------------------------- chances */

bool net_happens(const struct net *net, unsigned per_mille)
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
	if (net_happens(request->net, sim->plan.late))
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

	if (is_cut_off(request) || net_happens(net, sim->plan.loss))
		sim_tell(sim, "   (lost)");
	else
		sim_after(sim, draw_delay_us(request), arrive, request, value);
	if (!is_cut_off(request) && net_happens(net, sim->plan.twice))
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

static const char *describe(const struct request *request)
{
	static char text[MCID_SIZE + 16];

	if (!request->is_register)
		return describe_body(request->content_type, request->body,
				     request->body_bytes);
	snprintf(text, sizeof(text), "REGISTER of %s", request->request_uri);
	return text;
}

static void answer_arrives(void *arg, uint64_t status)
{
	struct request *request = arg;

	if (request->ended || !request->from->up)
		return;
	sim_tell(request->net->sim, "%s <- %s  %u to %s",
		 describe_party(request->from->index),
		 describe_party(request->to->index), (unsigned)status,
		 describe(request));
	end(request, (int)status);
}

void flight_answer(struct request *request, const struct sip_reply *reply)
{
	request->reply = *reply;
	snprintf(request->warning, sizeof(request->warning), "%s",
		 reply->warn_text ? reply->warn_text : "");
	request->expires_us = request->net->sim->now_us + LIFETIME_US;
	if (reply->stateless)
		request->to_incarnation = 0;
	fly(request->net, request, answer_arrives, (uint64_t)reply->status);
}

/* ---------------------------------------------------------------- requests */

static void give_up_early(void *arg, uint64_t incarnation)
{
	struct request *request = arg;
	const struct sip_reply reply = { .status = 504 };

	if (request->to->up && request->to->incarnation == incarnation &&
	    request->to_incarnation == incarnation && !request->reply.status)
		flight_answer(request, &reply);
}

static handle_t transaction_of(const struct request *request)
{
	return (uint64_t)request->to->incarnation << 32 | (request->index + 1);
}

static void handle_registration(struct request *request)
{
	struct party *to = request->to;
	const char *sender_uri = request->from->addresses[SIP_INSIDE].uri;
	const struct sip_registration registration = {
		.transaction = transaction_of(request),
		.sender_uri = sender_uri,
		.identity = request->request_uri,
		.registrar = sender_uri,
		.call_id = "registration",
		.cseq = request->index,
		.expires_s = 3600,
	};

	request->accepted_before = check_accepted(request->net->sim->check);
	to->register_handler(to->register_arg, &registration);
}

static void handle_message(struct request *request)
{
	struct party *to = request->to;
	char call_id[32], tag[32];
	struct sip_inbound inbound = {
		.transaction = transaction_of(request),
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

	if (!request->to->up || request->to->incarnation != incarnation ||
	    request->to_incarnation != incarnation)
		return;
	request->looked_at_us = request->net->sim->now_us;
	if (party_is_gateway(request->to->index))
		check_gateway_take(request);
	node_enter(request->net->sim, request->to->index);
	if (request->is_register)
		handle_registration(request);
	else
		handle_message(request);
}

/* Unless it was refused, and a copy of it taken by the same, not rogue now. */
static void look_late(void *arg, uint64_t incarnation)
{
	const struct request *request = arg;

	if (request->rogue)
		look_at(arg, incarnation);
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
		flight_answer(request, &ok);
		return;
	}
	if (request->rogue == ROGUE_EARLY)
		sim_after(sim, random_between(&sim->random, 1000, 2000000),
			  give_up_early, request, to->incarnation);
	if (request->rogue == ROGUE_SLOW || request->rogue == ROGUE_AGAIN)
		sim_after(sim, random_between(&sim->random, 1000, SLOW_MAX_US),
			  look_late, request, to->incarnation);
	if (request->rogue != ROGUE_SLOW)
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
		flight_answer(request, &refusal);
		return true;
	}
	if (!request->max_forwards)
		flight_answer(request, &refusal);
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
		 describe_party(to->index), describe(request),
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

	if (!is_between_systems(request) ||
	    !net_happens(net, sim->plan.between))
		return false;
	status = statuses[random_below(&sim->random,
				       sizeof(statuses) / sizeof(*statuses))];
	sim_after(sim, draw_delay_us(request), answer_arrives, request,
		  (uint64_t)status);
	return random_chance(&sim->random, 500);
}

static void connection_ends(void *arg, uint64_t incarnation)
{
	struct request *request = arg;

	if (request->from->incarnation == incarnation)
		end(request, SIP_NO_ANSWER);
}

void flight_reset(struct request *request)
{
	sim_after(request->net->sim, draw_delay_us(request), connection_ends,
		  request, request->from_incarnation);
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
		flight_reset(request);
}

static void deadline_passes(void *arg, uint64_t incarnation)
{
	struct request *request = arg;

	if (request->from->up && request->from->incarnation == incarnation)
		end(request, SIP_NO_ANSWER);
}

void flight_begin(struct request *request, uint64_t deadline_us)
{
	struct sim *sim = request->net->sim;
	unsigned incarnation = request->from->incarnation;

	sim_after(sim, 0, transmit, request, incarnation);
	sim_after(sim, deadline_us, deadline_passes, request, incarnation);
}
