/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gateway is believed: nothing ties its 200 to what the next hop has done.
 * Most misbehaviour costs time only. Three lies do more, each by one message:
 *
 *   200 to a success response that is not delivered: the primary redirects to a
 *   partner that never stored the mapping;
 *   481 to one that was taken: the primary does not redirect to where the user
 *   is;
 *   200 to a de-authorization request that is not delivered: the primary goes
 *   on redirecting to a partner ID that may become somebody else's.
 *
 * So what does not hold is agreement (redirection included) on that user at that
 * partner system, and which of the user's migrations is current. It holds again
 * once a procedure of that user there, begun after the lie, has succeeded. All
 * else holds in spite of lies: what is durable, idempotence, order, that the
 * partner has what it has told the user, that a partner ID has one user, that
 * every request taken from a client is answered, and that all procedures end.
 * (A 200 to any other message that is not delivered is as good as silence: a
 * deadline of the partner decides.)
 */
#include "rogue.h"

#include "check.h"
#include "net_private.h"
#include "simulation.h"

static unsigned rogue_chance(const struct request *request)
{
	const struct sim *sim = request->net->sim;
	unsigned party = request->to->index;

	if (sim->healed || !party_is_gateway(party) || !request->name.is_known)
		return 0;
	return sim->plan.rogue[party - PARTY_GATEWAYS];
}

static bool is_confirmable(const struct message_name *name)
{
	return name->is_response && name->verb == MCINFO_AUTHORIZATION &&
	       name->result == MCINFO_SUCCESS;
}

static bool is_end(const struct message_name *name)
{
	return !name->is_response && name->verb == MCINFO_DEAUTHORIZATION;
}

enum rogue_mode rogue_draw(const struct request *request)
{
	struct sim *sim = request->net->sim;
	const struct message_name *name = &request->name;
	unsigned chance = rogue_chance(request);
	enum rogue_mode mode;

	if (!chance || !random_chance(&sim->random, chance))
		return ROGUE_NOT;
	mode = (enum rogue_mode)random_between(&sim->random, ROGUE_STATUS,
					       sim->plan.lies ? ROGUE_DENY
							      : ROGUE_AGAIN);
	if (mode == ROGUE_SWALLOW && (is_confirmable(name) || is_end(name)))
		check_lied(sim->check, name);
	return mode;
}

static int other_status(struct sim *sim, int status)
{
	static const int of_success[] = { 202, 408, 500, 503, 504 };
	static const int of_failure[] = { 500, 503, 504 };

	return status < 300 ? of_success[random_below(&sim->random, 5)]
			    : of_failure[random_below(&sim->random, 3)];
}

bool rogue_replaces(const struct request *request, struct sip_reply *reply)
{
	struct sim *sim = request->net->sim;

	if (request->rogue == ROGUE_STATUS)
		*reply =
		    (struct sip_reply){ .status =
					    other_status(sim, reply->status) };
	if (request->rogue == ROGUE_DENY && reply->status == 200) {
		*reply = (struct sip_reply){ .status = 481 };
		if (is_confirmable(&request->name))
			check_lied(sim->check, &request->name);
	}
	return request->rogue != ROGUE_SILENT;
}
