/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_gateway.h"

#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "message_name.h"
#include "simulation.h"

/* The previous hop must not give up before (design: each hop in its time). */
#define SLACK_US 50000u
/* Nobody is asked with less time left. */
#define ATTEMPT_LEAST_US 100000u

static bool goes_where_it_belongs(const struct sim *sim,
				  const struct request *sent)
{
	unsigned own = party_system(sent->from->index);
	int speaker = message_name_speaker(sim, &sent->name);
	int listener = message_name_listener(sim, &sent->name);

	if (sent->from_side == SIP_INSIDE)
		return listener == (int)own && speaker != listener &&
		       sent->to->index == own;
	return speaker == (int)own && listener >= 0 && listener != speaker &&
	       party_is_of_system(sent->to->index) &&
	       party_system(sent->to->index) == (unsigned)listener;
}

/* From our own server, or from the system that it speaks for. */
static bool may_say(const struct sim *sim, const struct request *received)
{
	unsigned own = party_system(received->to->index);

	if (received->to_side == SIP_INSIDE)
		return received->from->index == own;
	return party_is_of_system(received->from->index) &&
	       message_name_speaker(sim, &received->name) ==
		   (int)party_system(received->from->index);
}

static bool is_relay_of(const struct sim *sim, const struct request *sent,
			const struct request *received)
{
	return received->to == sent->from &&
	       received->to_incarnation == sent->from_incarnation &&
	       (!received->reply.status || received->rogue) &&
	       received->may_pass && received->to_side != sent->from_side &&
	       received->max_forwards == sent->max_forwards + 1 &&
	       message_name_equal(&received->name, &sent->name) &&
	       may_say(sim, received);
}

static bool was_received(const struct request *sent)
{
	const struct net *net = sent->net;

	for (uint32_t i = sent->index; i-- > 0;) {
		if (is_relay_of(net->sim, sent, net->requests[i]))
			return true;
	}
	return false;
}

/* Nobody else's: who stands behind it is nobody's business. */
static bool is_in_its_own_name(const struct sim *sim,
			       const struct request *sent)
{
	char identity[SYSTEM_NAME_SIZE + 16];

	snprintf(identity, sizeof(identity), "sip:mcgateway@%s",
		 sim->nodes[party_system(sent->from->index)].system);
	return !strcmp(sent->from_uri, identity) && sent->asserted_count == 1 &&
	       !strcmp(sent->asserted[0], identity);
}

void check_gateway_send(const struct request *request)
{
	struct sim *sim = request->net->sim;
	unsigned party = request->from->index;

	if (!is_in_its_own_name(sim, request))
		sim_violation(sim, "%s speaks as %s", describe_party(party),
			      request->from_uri);
	else if (!goes_where_it_belongs(sim, request))
		sim_violation(sim, "%s sends %s to %s", describe_party(party),
			      describe_body(request->content_type,
					    request->body, request->body_bytes),
			      describe_party(request->to->index));
	else if (!was_received(request))
		sim_violation(sim,
			      "%s sends %s, which nobody has given it, "
			      "or its policy forbids",
			      describe_party(party),
			      describe_body(request->content_type,
					    request->body,
					    request->body_bytes));
}

/* A response belongs to a request that was let through. */
static bool may_pass(const struct gateway_node *gateway,
		     const struct request *received, int other)
{
	const struct message_name *name = &received->name;

	return name->is_response ||
	       gateway_node_allows(gateway, (unsigned)other,
				   received->to_side == SIP_INSIDE,
				   name->service, name->verb);
}

void check_gateway_take(struct request *request)
{
	struct sim *sim = request->net->sim;
	const struct gateway_node *gateway =
	    sim->gateways[request->to->index - PARTY_GATEWAYS];
	const struct party *intruder = &request->net->parties[PARTY_INTRUDER];
	int listener = message_name_listener(sim, &request->name);
	int speaker = message_name_speaker(sim, &request->name);
	unsigned hops;

	/* Whoever is unknown is refused before that. */
	if (request->source_host == intruder->addresses[SIP_INSIDE].host)
		sim_violation(sim, "%s listens to anybody",
			      describe_party(request->to->index));
	if (listener < 0 || speaker < 0)
		return;
	/* A rogue may look twice, under settings that differ. */
	hops = gateway_node_hops(gateway, (unsigned)listener);
	if (!request->hops || hops < request->hops)
		request->hops = hops;
	request->may_pass |=
	    may_pass(gateway, request,
		     request->to_side == SIP_INSIDE ? listener : speaker);
}

/* ------------------------------------------------------------- the answer */

static bool is_attempt(const struct request *sent,
		       const struct request *received)
{
	return sent->from == received->to &&
	       sent->from_incarnation == received->to_incarnation &&
	       message_name_equal(&sent->name, &received->name);
}

static bool was_heard(const struct request *received, int status)
{
	const struct net *net = received->net;

	for (size_t i = received->index + 1; i < net->count; i++) {
		if (net->requests[i]->heard == status &&
		    is_attempt(net->requests[i], received))
			return true;
	}
	return false;
}

/* Refused by us, or all have been asked that there was time for. */
static bool has_tried_enough(const struct request *received, uint64_t left_us)
{
	const struct net *net = received->net;
	bool asked[PARTIES] = { false };
	unsigned count = 0;

	for (size_t i = received->index + 1; i < net->count; i++) {
		unsigned to = net->requests[i]->to->index;

		if (!is_attempt(net->requests[i], received))
			continue;
		count += !asked[to];
		asked[to] = true;
	}
	return !count || count >= received->hops || left_us < ATTEMPT_LEAST_US;
}

void check_gateway_reply(const struct request *request, int status)
{
	struct sim *sim = request->net->sim;
	uint64_t most_us =
	    request->to_side == SIP_INSIDE ? GATEWAY_EXIT_US : GATEWAY_ENTRY_US;
	uint64_t took_us = sim->now_us - request->looked_at_us;
	bool is_decisive = status < 300 || status == 481;

	if (is_decisive && !was_heard(request, status))
		sim_violation(sim, "%s answers %d, which its next hop did not",
			      describe_party(request->to->index), status);
	if (took_us > most_us + SLACK_US)
		sim_violation(sim, "%s answers %d after %.1f s",
			      describe_party(request->to->index), status,
			      (double)took_us / 1e6);
	else if (status >= 500 && status < 600 && !sim->plan.busy &&
		 !has_tried_enough(request,
				   took_us < most_us ? most_us - took_us : 0))
		sim_violation(sim, "%s answers %d and has not asked everybody",
			      describe_party(request->to->index), status);
}
