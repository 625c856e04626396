/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_US 1700000000000000u

/* ------------------------------------------------------------------ names */

const char *world_system(unsigned system)
{
	static const char *const names[] = { "a.example", "b.example",
					     "c.example" };

	return names[system];
}

const char *world_primary_id(unsigned user)
{
	return user == WORLD_ALICE ? "sip:alice@a.example"
				   : "sip:bob@a.example";
}

const char *world_partner_id(unsigned system, unsigned visitor)
{
	static const char *const ids[][2] = {
		[WORLD_B] = { "sip:visitor1@b.example",
			      "sip:visitor2@b.example" },
		[WORLD_C] = { "sip:visitor1@c.example",
			      "sip:visitor2@c.example" },
	};

	return ids[system][visitor];
}

struct uuid world_id(const struct world_ask *ask)
{
	return (struct uuid){ { 0, [15] = (uint8_t)ask->number } };
}

/* ------------------------------------------------------------------- life */

static void provision(struct world *world)
{
	for (unsigned user = 0; user < WORLD_USERS; user++) {
		struct tables *home = world->tables[WORLD_A];

		strcpy(home->home_users[user].primary_id,
		       world_primary_id(user));
		home->home_users[user].enabled = true;
		home->home_users[user].profile_count = 1;
		home->home_users[user].permitted_count = 1;
		home->home_user_count = WORLD_USERS;
	}
	for (unsigned system = WORLD_B; system < WORLD_SYSTEMS; system++) {
		struct tables *tables = world->tables[system];

		strcpy(tables->admissions[0].primary_system,
		       world_system(WORLD_A));
		tables->admission_count = 1;
	}
}

struct world *world_create(void)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		abort();
	world->now_us = START_US;
	world->notify_primary = true;
	world->client_identity = "";
	for (unsigned system = 0; system < WORLD_SYSTEMS; system++) {
		world->tables[system] = calloc(1, sizeof(struct tables));
		if (!world->tables[system])
			abort();
	}
	provision(world);
	return world;
}

void world_destroy(struct world *world)
{
	if (!world)
		return;
	for (unsigned system = 0; system < WORLD_SYSTEMS; system++)
		free(world->tables[system]);
	free(world);
}

void world_clear(struct world *world)
{
	for (unsigned system = 0; system < WORLD_SYSTEMS; system++)
		tables_clear(world->tables[system]);
}

void world_permit(struct world *world, unsigned user, bool permitted)
{
	world->tables[WORLD_A]->home_users[user].permitted_count = permitted;
}

/* ----------------------------------------------------------------- events */

static struct event make_event(const struct world *world,
			       const struct world_ask *ask,
			       enum event_kind kind, enum procedure_role role)
{
	struct event event = {
		.kind = kind,
		.service = MC_SERVICE_MCPTT,
		.role = role,
		.verb = ask->verb,
		.procedure_id = world_id(ask),
		.order = ask->order,
		.peer_enabled = true,
		.notify_primary = world->notify_primary,
		.now_us = world->now_us,
		.limits = { .authorization_us = 30000000,
			    .deauthorization_us = 15000000,
			    .response_us = 300000000,
			    .order_window_us = 60000000 },
	};

	strcpy(event.primary_id, world_primary_id(ask->user));
	strcpy(event.primary_id_given, event.primary_id);
	strcpy(event.partner_id, world_partner_id(ask->system, ask->visitor));
	strcpy(event.partner_id_given, event.partner_id);
	strcpy(event.peer_system,
	       world_system(role == ROLE_PARTNER ? WORLD_A : ask->system));
	return event;
}

static struct transition apply(struct world *world, const struct event *event,
			       unsigned system)
{
	struct user_record record;
	struct transition transition;
	struct store_item item = {
		.record = &record,
		.procedure_id = event->procedure_id,
		.partner_id = event->partner_id,
		.peer_system = event->peer_system,
	};

	record_init(&record, event->service, event->role, event->primary_id);
	if (tables_load(world->tables[system], &item) ||
	    transition_apply(&record, event, &transition))
		abort();
	if (transition.result == TRANSITION_APPLIED) {
		if (!tables_guards_hold(world->tables[system], &record))
			abort();
		tables_write(world->tables[system], &record);
	}
	record_clear(&record);
	return transition;
}

static void set_client(const struct world *world, struct event *event)
{
	strcpy(event->client_uri, WORLD_CLIENT_URI);
	strcpy(event->client_identity, world->client_identity);
}

int world_client(struct world *world, struct world_ask *ask)
{
	struct event event =
	    make_event(world, ask, EVENT_CLIENT_REQUEST, ROLE_PARTNER);
	const struct procedure *procedure;
	int status;

	set_client(world, &event);
	status = apply(world, &event, ask->system).status;
	procedure = world_at_partner(world, ask);
	if (procedure)
		ask->sequence = procedure->sequence;
	return status;
}

int world_request_copy(struct world *world, const struct world_ask *ask,
		       uint64_t sequence)
{
	struct event event =
	    make_event(world, ask, EVENT_PARTNER_REQUEST, ROLE_PRIMARY);

	event.sequence = sequence;
	return apply(world, &event, WORLD_A).status;
}

int world_request_answered(struct world *world, const struct world_ask *ask,
			   int status)
{
	struct event event =
	    make_event(world, ask, EVENT_REQUEST_ANSWERED, ROLE_PARTNER);

	event.sequence = ask->sequence;
	event.status = status;
	return (int)apply(world, &event, ask->system).result;
}

int world_response_copy(struct world *world, const struct world_ask *ask,
			uint64_t sequence, enum mcinfo_cause cause)
{
	struct event event =
	    make_event(world, ask, EVENT_RESPONSE, ROLE_PARTNER);

	event.sequence = sequence;
	event.outcome = cause ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
	event.cause = cause;
	return apply(world, &event, ask->system).status;
}

int world_response(struct world *world, const struct world_ask *ask)
{
	const struct procedure *procedure = world_at_primary(world, ask);

	return procedure ? world_response_copy(world, ask, ask->sequence,
					       procedure->cause)
			 : 481;
}

int world_response_answered(struct world *world, const struct world_ask *ask,
			    uint64_t sequence, int status)
{
	struct event event =
	    make_event(world, ask, EVENT_RESPONSE_ANSWERED, ROLE_PRIMARY);

	event.sequence = sequence;
	event.status = status;
	return (int)apply(world, &event, WORLD_A).result;
}

int world_deadline(struct world *world, const struct world_ask *ask)
{
	struct event event =
	    make_event(world, ask, EVENT_DEADLINE, ROLE_PARTNER);

	event.sequence = ask->sequence;
	return (int)apply(world, &event, ask->system).result;
}

int world_returned_home(struct world *world, unsigned user)
{
	struct event event = { .kind = EVENT_RETURNED_HOME,
			       .service = MC_SERVICE_MCPTT,
			       .role = ROLE_PRIMARY,
			       .now_us = world->now_us };

	strcpy(event.primary_id, world_primary_id(user));
	return (int)apply(world, &event, WORLD_A).result;
}

int world_client_answered(struct world *world, const struct world_ask *ask)
{
	struct event event =
	    make_event(world, ask, EVENT_CLIENT_ANSWERED, ROLE_PARTNER);

	event.sequence = ask->sequence;
	event.status = 200;
	set_client(world, &event);
	return (int)apply(world, &event, ask->system).result;
}

void world_purge(struct world *world, unsigned system)
{
	tables_purge(world->tables[system], UINT64_MAX, SIZE_MAX);
}

/* ------------------------------------------------------------------ state */

static const struct tables_user *find_user(const struct world *world,
					   unsigned system, unsigned user)
{
	return tables_find_user(world->tables[system], MC_SERVICE_MCPTT,
				world_primary_id(user));
}

const struct procedure *world_at_partner(const struct world *world,
					 const struct world_ask *ask)
{
	const struct uuid id = world_id(ask);

	return tables_find_procedure(world->tables[ask->system],
				     find_user(world, ask->system, ask->user),
				     &id, 0);
}

const struct procedure *world_at_primary(const struct world *world,
					 const struct world_ask *ask)
{
	const struct uuid id = world_id(ask);

	return tables_find_procedure(world->tables[WORLD_A],
				     find_user(world, WORLD_A, ask->user), &id,
				     ask->sequence);
}

bool world_is_mapped(const struct world *world, const struct world_ask *ask)
{
	const struct uuid id = world_id(ask);
	const struct mapping *mapping =
	    tables_find_active(world->tables[ask->system], MC_SERVICE_MCPTT,
			       world_primary_id(ask->user));

	return mapping && uuid_equal(&mapping->procedure_id, &id) &&
	       mapping->sequence == ask->sequence;
}

static const struct migration *find_migration(const struct world *world,
					      const struct world_ask *ask)
{
	const struct tables_user *user = find_user(world, WORLD_A, ask->user);

	return user ? tables_find_migration(world->tables[WORLD_A], user,
					    world_system(ask->system))
		    : NULL;
}

bool world_is_redirected(const struct world *world, const struct world_ask *ask)
{
	const struct uuid id = world_id(ask);
	const struct migration *migration = find_migration(world, ask);

	return migration && migration->active &&
	       uuid_equal(&migration->procedure_id, &id) &&
	       migration->sequence == ask->sequence;
}

bool world_is_current(const struct world *world, const struct world_ask *ask)
{
	const struct migration *migration = find_migration(world, ask);

	return world_is_redirected(world, ask) &&
	       migration->epoch ==
		   find_user(world, WORLD_A, ask->user)->confirmed_epoch;
}

bool world_is_at_home(const struct world *world, unsigned user)
{
	const struct tables *home = world->tables[WORLD_A];
	const struct tables_user *row = find_user(world, WORLD_A, user);

	for (size_t i = 0; row && i < home->migration_count; i++) {
		const struct migration *migration =
		    &home->migrations[i].migration;

		if (home->migrations[i].user == row && migration->active &&
		    migration->epoch == row->confirmed_epoch)
			return false;
	}
	return true;
}
