/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_gateway.h"

#include "describe.h"
#include "message_name.h"
#include "simulation.h"

/* The previous hop must not give up before (design: each hop in its time). */
#define SLACK_US 50000u

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
	       received->to_side != sent->from_side &&
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

/* A response belongs to a request that was let through. */
static bool is_let_through(const struct sim *sim, const struct request *sent)
{
	const struct message_name *name = &sent->name;
	bool to = sent->from_side == SIP_OUTSIDE;
	int other = to ? message_name_listener(sim, name)
		       : message_name_speaker(sim, name);

	return name->is_response ||
	       gateway_node_allows(
		   sim->gateways[sent->from->index - PARTY_GATEWAYS],
		   (unsigned)other, to, name->service, name->verb);
}

void check_gateway_send(const struct request *request)
{
	struct sim *sim = request->net->sim;
	unsigned party = request->from->index;

	if (!goes_where_it_belongs(sim, request))
		sim_violation(sim, "%s sends %s to %s", describe_party(party),
			      describe_body(request->content_type,
					    request->body, request->body_bytes),
			      describe_party(request->to->index));
	else if (!is_let_through(sim, request))
		sim_violation(sim, "%s sends %s in spite of its policy",
			      describe_party(party),
			      describe_body(request->content_type,
					    request->body,
					    request->body_bytes));
	else if (!was_received(request))
		sim_violation(sim, "%s sends %s, which nobody has given it",
			      describe_party(party),
			      describe_body(request->content_type,
					    request->body,
					    request->body_bytes));
}

static bool was_heard(const struct request *received, int status)
{
	const struct net *net = received->net;

	for (size_t i = received->index + 1; i < net->count; i++) {
		const struct request *sent = net->requests[i];

		if (sent->from == received->to && sent->heard == status &&
		    sent->from_incarnation == received->to_incarnation &&
		    message_name_equal(&sent->name, &received->name))
			return true;
	}
	return false;
}

void check_gateway_reply(const struct request *request, int status)
{
	struct sim *sim = request->net->sim;
	uint64_t most_us =
	    request->to_side == SIP_INSIDE ? GATEWAY_EXIT_US : GATEWAY_ENTRY_US;
	bool is_decisive = status < 300 || status == 481;

	if (is_decisive && !was_heard(request, status))
		sim_violation(sim, "%s answers %d, which its next hop did not",
			      describe_party(request->to->index), status);
	if (request->rogue != ROGUE_SLOW &&
	    sim->now_us - request->taken_us > most_us + SLACK_US)
		sim_violation(sim, "%s answers %d after %.1f s",
			      describe_party(request->to->index), status,
			      (double)(sim->now_us - request->taken_us) / 1e6);
}
