/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access tokens that expire: a client shows what it has until it is refused,
 * and logs in again then. A token says for which ask it is shown, so that what
 * is stored can be held against what was allowed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "describe.h"

const char *token_of(const struct ask *ask)
{
	static char token[64];
	struct clients *clients = ask->clients;
	uint64_t *until_us =
	    &clients->token_until_us[ask->user->index][ask->system];

	if (!clients->sim->plan.token_life_us)
		return NULL;
	if (!*until_us)
		token_renew(clients, ask->user, ask->system);
	snprintf(token, sizeof(token), "%u.%llu", ask->number,
		 (unsigned long long)*until_us);
	return token;
}

void token_renew(struct clients *clients, const struct sim_user *user,
		 unsigned system)
{
	struct sim *sim = clients->sim;

	clients->token_until_us[user->index][system] =
	    sim->now_us + random_between(&sim->random,
					 sim->plan.token_life_us / 2,
					 sim->plan.token_life_us);
}

static bool names(const struct ask *ask,
		  const struct authorizer_request *request)
{
	return ask->user->service == request->service &&
	       !strcmp(ask->partner_id, request->partner_id) &&
	       !strcmp(ask->user->primary_id, request->primary_id);
}

enum authorizer_result
clients_check_token(struct clients *clients,
		    const struct authorizer_request *request,
		    uint64_t node_now_us, const char **reasonp)
{
	struct sim *sim = clients->sim;
	struct ask *ask;
	char *end;
	unsigned long number =
	    request->token ? strtoul(request->token, &end, 10) : 0;

	if (!sim->healed && random_chance(&sim->random, sim->plan.token_later))
		return AUTHORIZER_LATER;
	*reasonp = "not one of ours";
	if (!number || number > clients->ask_count || *end != '.')
		return AUTHORIZER_REFUSED;
	ask = &clients->asks[number - 1];
	if (!names(ask, request))
		return AUTHORIZER_REFUSED;
	*reasonp = "expired";
	if (strtoull(end + 1, NULL, 10) < node_now_us)
		return AUTHORIZER_REFUSED;
	ask->was_allowed = true;
	return sim->plan.tokens_pin ? AUTHORIZER_PINNED : AUTHORIZER_ALLOWED;
}

bool clients_were_allowed(const struct clients *clients,
			  const struct uuid *procedure_id)
{
	for (unsigned i = 0; i < clients->ask_count; i++) {
		const struct ask *ask = &clients->asks[i];

		if (ask->has_id && uuid_equal(&ask->id, procedure_id))
			return ask->was_allowed;
	}
	return true; /* of one without a procedure ID */
}
