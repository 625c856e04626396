/* SPDX-License-Identifier: BSD-2-Clause */
#include "intruder.h"

#include "describe.h"
#include "message_name.h"
#include "simulation.h"

/* Nobody may say that it was taken, or that it is not awaited. */
static void answered(void *arg, handle_t handle,
		     const struct sip_answer *answer)
{
	struct net *net = arg;
	const struct request *forged = net->requests[handle - 1];

	if (answer->status && (answer->status < 300 || answer->status == 481))
		sim_violation(net->sim, "%s answers the intruder's %s with %d",
			      describe_party(forged->to->index),
			      describe_body(forged->content_type, forged->body,
					    forged->body_bytes),
			      answer->status);
}

static const struct request *draw_request(struct net *net)
{
	size_t first = random_below(&net->sim->random, net->count);

	for (size_t i = 0; i < net->count; i++) {
		const struct request *request =
		    net->requests[(first + i) % net->count];

		if (request->name.is_known)
			return request;
	}
	return NULL;
}

/* Any that is there. */
static struct party *draw_party(struct net *net)
{
	unsigned first =
	    (unsigned)random_below(&net->sim->random, PARTY_CLIENTS);

	for (unsigned i = 0; i < PARTY_CLIENTS; i++) {
		struct party *party =
		    &net->parties[(first + i) % PARTY_CLIENTS];

		if (party->up)
			return party;
	}
	return &net->parties[PARTY_INTRUDER];
}

static enum sip_side draw_side(struct net *net, const struct party *party)
{
	return party_is_gateway(party->index) &&
		       random_chance(&net->sim->random, 500)
		   ? SIP_OUTSIDE
		   : SIP_INSIDE;
}

void intruder_act(struct sim *sim)
{
	struct net *net = sim->net;
	const struct request *heard = draw_request(net);
	struct party *to = draw_party(net), *as = draw_party(net);
	enum sip_side to_side = draw_side(net, to);
	const char *identity = NULL;
	const struct address *address =
	    &as->addresses[party_is_gateway(as->index) ? SIP_OUTSIDE
						       : SIP_INSIDE];

	if (!heard || !party_is_of_system(to->index))
		return;
	/* Of the same system it would be a gateway's or a server's word. */
	if (random_chance(&sim->random, 300) ||
	    party_system(as->index) == party_system(to->index))
		address = &net->parties[PARTY_INTRUDER].addresses[SIP_INSIDE];
	/* Who may say it says it to others, or in the name of others. */
	else if ((int)party_system(as->index) ==
		     message_name_speaker(sim, &heard->name) &&
		 ((int)party_system(to->index) ==
		      message_name_listener(sim, &heard->name) ||
		  random_chance(&sim->random, 500)))
		identity = "sip:mcgateway@elsewhere.example";
	sim_tell(sim, "%s as %s to %s: %s", describe_party(PARTY_INTRUDER),
		 address->host, describe_party(to->index),
		 describe_body(heard->content_type, heard->body,
			       heard->body_bytes));
	net_forge(net, heard, address, identity, to, to_side, answered);
}
