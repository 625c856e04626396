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

struct ask *ask_begin(struct clients *clients, struct sim_user *user,
		      unsigned system, enum mcinfo_verb verb, unsigned visitor)
{
	struct sim *sim = clients->sim;
	struct ask *ask = ask_create(clients, user);
	char label[8];

	if (!ask)
		return NULL;
	ask->system = system;
	ask->verb = verb;
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
	return ask;
}

static void act_new(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned system = draw_system(clients, user);
	unsigned visitor = user->index;
	enum mcinfo_verb verb;
	struct ask *ask;

	if (!go_to(clients, user, system))
		return;
	if (random_chance(&sim->random, sim->plan.disputes))
		visitor = 0;
	verb = random_chance(&sim->random, 600) ? MCINFO_AUTHORIZATION
						: MCINFO_DEAUTHORIZATION;
	ask = ask_begin(clients, user, system, verb, visitor);
	if (!ask)
		return;
	if (!random_chance(&sim->random, 900))
		ask->profile_index = (unsigned)random_below(&sim->random, 4);
	ask_transmit(ask);
}

static bool is_free(const struct mapping *mapping, const struct sim_user *user)
{
	return !mapping || mapping->status == MAPPING_ENDED ||
	       !strcmp(mapping->primary_id, user->primary_id);
}

/* Of those that the user may have: the one that it has, or a free one. */
static int find_visitor(const struct clients *clients,
			const struct sim_user *user, unsigned system)
{
	struct sim *sim = clients->sim;
	const struct tables *tables =
	    database_tables(sim->nodes[system].database);
	const struct mapping *active =
	    tables_find_active(tables, user->service, user->primary_id);
	char id[MCID_SIZE];

	for (unsigned i = 0; i < sim->plan.users; i++) {
		snprintf(id, sizeof(id), "sip:visitor%u@%s", i + 1,
			 sim->nodes[system].system);
		if (active ? !strcmp(active->partner_id, id)
			   : is_free(tables_find_mapping(tables, user->service,
							 id),
				     user))
			return (int)i;
	}
	return -1;
}

bool clients_authorize_anew(struct clients *clients, unsigned i,
			    unsigned system)
{
	struct sim_user *user = &clients->users[i];
	int visitor = find_visitor(clients, user, system);
	struct ask *ask = NULL;

	node_enter(clients->sim, party_of(user));
	if (visitor >= 0 && go_to(clients, user, system))
		ask = ask_begin(clients, user, system, MCINFO_AUTHORIZATION,
				(unsigned)visitor);
	if (!ask)
		return false;
	ask->has_id = true; /* without one it could not be asked again */
	ask_transmit(ask);
	return true;
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

void clients_act_as(struct clients *clients, struct sim_user *user)
{
	node_enter(clients->sim, party_of(user));
	if (clients->ask_count && random_chance(&clients->sim->random, 250))
		act_repeat(clients, user);
	else
		act_new(clients, user);
}

void clients_act(struct clients *clients)
{
	struct sim *sim = clients->sim;

	clients_act_as(
	    clients,
	    &clients->users[random_below(&sim->random, sim->plan.users)]);
}
