/* SPDX-License-Identifier: BSD-2-Clause */
/* What the users do next. */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "base/clock.h"
#include "describe.h"

static struct ask *ask_create(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	struct ask *ask;

	if (clients->ask_count == REQUESTS_MAX)
		return NULL;
	ask = &clients->asks[clients->ask_count++];
	*ask = (struct ask){ .clients = clients,
			     .number = clients->ask_count,
			     .user = user,
			     .visit = user->visits,
			     .begun_us = sim->now_us };
	ask->has_id = random_chance(&sim->random, 850);
	for (size_t i = 0; i < sizeof(ask->id.bytes); i++)
		ask->id.bytes[i] = (uint8_t)random_next(&sim->random);
	ask->id.bytes[6] = (uint8_t)((ask->id.bytes[6] & 0x0f) | 0x40);
	ask->id.bytes[8] = (uint8_t)((ask->id.bytes[8] & 0x3f) | 0x80);
	if (user->stamps_order) {
		uint64_t now_ms = clock_utc_ms();

		ask->order = clients->last_order[user->index] + 1;
		if (ask->order < now_ms)
			ask->order = now_ms;
		clients->last_order[user->index] = ask->order;
	}
	return ask;
}

/* --------------------------------------------------------------- decisions */

static bool is_undecided(const struct procedure *procedure)
{
	return procedure->state == PROCEDURE_FORWARDING ||
	       procedure->state == PROCEDURE_AWAITING_RESPONSE;
}

/* Whether anything of the user runs, or may yet begin to, anywhere. */
static bool has_open_business(const struct clients *clients,
			      const struct sim_user *user)
{
	struct sim *sim = clients->sim;

	if (net_is_pending(sim->net, party_of(user)))
		return true;
	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		const struct database *database = sim->nodes[system].database;
		const struct tables *tables =
		    database_tables((struct database *)database);
		const struct tables_user *row =
		    tables_find_user(tables, user->service, user->primary_id);

		if (database_is_busy(database))
			return true;
		for (size_t i = 0; row && i < tables->procedure_count; i++) {
			if (tables->procedures[i].user == row &&
			    row->role == ROLE_PARTNER &&
			    is_undecided(&tables->procedures[i].procedure))
				return true;
		}
	}
	return false;
}

/* Another system than the last one, if the user may go there now. */
static bool go_to(struct clients *clients, struct sim_user *user,
		  unsigned system)
{
	unsigned *at = &clients->at[user->index];

	if (*at == system && user->visits)
		return true;
	if (!user->stamps_order) {
		if (has_open_business(clients, user))
			return false;
		for (unsigned i = 0; i < clients->ask_count; i++) {
			if (clients->asks[i].user == user &&
			    !clients->asks[i].acknowledged)
				clients->asks[i].refused = true;
		}
		net_void(clients->sim->net, party_of(user));
	}
	*at = system;
	user->visits++;
	return true;
}

static unsigned draw_system(struct clients *clients,
			    const struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned system = clients->at[user->index];

	if (user->visits && random_chance(&sim->random, 400))
		return system;
	system = (unsigned)random_below(&sim->random, sim->plan.partners);
	return (user->home + 1 + system % (SIM_SYSTEMS - 1)) % SIM_SYSTEMS;
}

static void act_new(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned system = draw_system(clients, user);
	unsigned visitor = user->index;
	char label[8];
	struct ask *ask;

	if (!go_to(clients, user, system))
		return;
	ask = ask_create(clients, user);
	if (!ask)
		return;
	if (random_chance(&sim->random, sim->plan.disputes))
		visitor = 0;
	ask->system = system;
	ask->verb = random_chance(&sim->random, 600) ? MCINFO_AUTHORIZATION
						     : MCINFO_DEAUTHORIZATION;
	ask->profile_index = random_chance(&sim->random, 900)
				 ? 0
				 : (unsigned)random_below(&sim->random, 4);
	snprintf(ask->partner_id, sizeof(ask->partner_id), "sip:visitor%u@%s",
		 visitor + 1, sim->nodes[system].system);
	snprintf(label, sizeof(label), "%c%u",
		 ask->verb == MCINFO_AUTHORIZATION ? 'p' : 'd', ask->number);
	describe_procedure_is(&ask->id, label);
	sim_tell(sim, "%s    %s: %s at %s as %s%s%s",
		 describe_party(party_of(user)), label,
		 mcinfo_verb_name(ask->verb), describe_party(system),
		 ask->partner_id, ask->order ? ", with order" : "",
		 ask->has_id ? "" : ", without a procedure ID");
	ask_transmit(ask);
}

/* The same procedure ID once more, by a request of its own. */
static void act_repeat(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned first =
	    (unsigned)random_below(&sim->random, clients->ask_count);

	for (unsigned i = 0; i < clients->ask_count; i++) {
		struct ask *ask =
		    &clients->asks[(first + i) % clients->ask_count];
		uint64_t age_us = sim->now_us - ask->begun_us;

		/* Of one that may be forgotten it would be another request. */
		if (ask->user != user || !ask->has_id || ask->refused ||
		    (age_us > RETRY_FOR_US &&
		     (!ask->acknowledged ||
		      age_us > sim->plan.retention_us / 2)))
			continue;
		if (!user->stamps_order && ask->visit != user->visits)
			continue;
		sim_tell(sim, "%s    %s again", describe_party(party_of(user)),
			 describe_procedure(&ask->id));
		ask_transmit(ask);
		return;
	}
}

void clients_act(struct clients *clients)
{
	struct sim *sim = clients->sim;
	struct sim_user *user =
	    &clients->users[random_below(&sim->random, sim->plan.users)];

	node_enter(sim, party_of(user));
	if (clients->ask_count && random_chance(&sim->random, 250))
		act_repeat(clients, user);
	else
		act_new(clients, user);
}
