/* SPDX-License-Identifier: BSD-2-Clause */
#include "packed.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ORDER_MS 1000000u

/* Sequences are UTC microseconds: small numbers count from world->now_us. */
static uint64_t widen(const struct world *world, uint8_t sequence)
{
	return sequence ? world->now_us + sequence - 1 : 0;
}

static uint8_t narrow(const struct world *world, uint64_t sequence)
{
	return sequence ? (uint8_t)(sequence - world->now_us + 1) : 0;
}

static uint64_t widen_order(uint8_t order)
{
	return order ? FIRST_ORDER_MS + order : 0;
}

static uint8_t narrow_order(uint64_t order)
{
	return order ? (uint8_t)(order - FIRST_ORDER_MS) : 0;
}

struct world_ask packed_ask(const struct packed *packed, unsigned i,
			    bool stamps_order)
{
	const struct packed_ask *ask = &packed->asks[i];

	return (struct world_ask){
		.number = i + 1,
		.verb = ask->verb,
		.system = ask->system,
		.user = ask->user,
		.visitor = ask->visitor,
		.order = stamps_order ? widen_order((uint8_t)(i + 1)) : 0,
		.sequence = 0,
	};
}

/* ------------------------------------------------------------- to a world */

static struct tables_user *add_user(struct tables *tables,
				    const struct packed_user *packed,
				    const struct world *world, unsigned user,
				    enum procedure_role role)
{
	struct tables_user *row = &tables->users[tables->user_count++];

	row->service = MC_SERVICE_MCPTT;
	row->role = role;
	strcpy(row->primary_id, world_primary_id(user));
	row->version = 1;
	row->last_sequence = widen(world, packed->last_sequence);
	row->last_order = widen_order(packed->last_order);
	row->last_epoch = packed->last_epoch;
	row->confirmed_epoch = packed->confirmed_epoch;
	return row;
}

static void add_procedure(struct tables *tables, const struct world *world,
			  const struct world_ask *ask,
			  const struct packed_ask *packed, bool partner)
{
	struct tables_procedure *row =
	    &tables->procedures[tables->procedure_count++];
	struct procedure *procedure = &row->procedure;

	row->user = tables_find_user(tables, MC_SERVICE_MCPTT,
				     world_primary_id(ask->user));
	memset(procedure, 0, sizeof(*procedure));
	procedure->id = world_id(ask);
	procedure->sequence = widen(world, packed->sequence);
	procedure->order = ask->order;
	procedure->verb = ask->verb;
	procedure->state =
	    partner ? packed->partner_state : packed->primary_state;
	procedure->outcome =
	    partner ? packed->partner_outcome : packed->primary_outcome;
	procedure->cause = procedure->outcome == OUTCOME_FAILURE
			       ? CAUSE_SUPERSEDED
			       : CAUSE_NONE;
	procedure->telling = partner && packed->telling;
	procedure->epoch = partner ? 0 : packed->epoch;
	strcpy(procedure->partner_id,
	       world_partner_id(ask->system, ask->visitor));
	strcpy(procedure->peer_system,
	       world_system(partner ? WORLD_A : ask->system));
	if (partner)
		strcpy(procedure->client_uri, WORLD_CLIENT_URI);
}

static struct uuid id_of(uint8_t number)
{
	const struct world_ask ask = { .number = number };

	return world_id(&ask);
}

static void add_mapping(struct world *world, unsigned system, unsigned visitor,
			const struct packed_mapping *packed)
{
	struct tables *tables = world->tables[system];
	struct tables_mapping *row = &tables->mappings[tables->mapping_count++];
	struct mapping *mapping = &row->mapping;

	row->service = MC_SERVICE_MCPTT;
	memset(mapping, 0, sizeof(*mapping));
	strcpy(mapping->partner_id, world_partner_id(system, visitor));
	strcpy(mapping->primary_id, world_primary_id(packed->user));
	strcpy(mapping->primary_system, world_system(WORLD_A));
	mapping->version = 1;
	mapping->status = packed->status;
	mapping->procedure_id = id_of(packed->number);
	mapping->sequence = widen(world, packed->sequence);
}

static void add_migration(struct world *world, unsigned system, unsigned user,
			  const struct packed_migration *packed)
{
	struct tables *tables = world->tables[WORLD_A];
	struct tables_migration *row =
	    &tables->migrations[tables->migration_count++];
	struct migration *migration = &row->migration;

	row->user =
	    tables_find_user(tables, MC_SERVICE_MCPTT, world_primary_id(user));
	memset(migration, 0, sizeof(*migration));
	strcpy(migration->partner_system, world_system(system));
	if (packed->sequence)
		strcpy(migration->partner_id,
		       world_partner_id(system, packed->visitor));
	migration->active = packed->active;
	migration->procedure_id = id_of(packed->number);
	migration->sequence = widen(world, packed->sequence);
	migration->deauthorized_sequence =
	    widen(world, packed->deauthorized_sequence);
	migration->epoch = packed->epoch;
}

void packed_to_world(const struct packed *packed, bool stamps_order,
		     struct world *world)
{
	world_clear(world);
	for (unsigned system = 0; system < WORLD_SYSTEMS; system++) {
		for (unsigned user = 0; user < WORLD_USERS; user++) {
			if (packed->users[system][user].exists)
				add_user(world->tables[system],
					 &packed->users[system][user], world,
					 user,
					 system == WORLD_A ? ROLE_PRIMARY
							   : ROLE_PARTNER);
		}
	}
	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		const struct packed_ask *from = &packed->asks[i];
		const struct world_ask ask =
		    packed_ask(packed, i, stamps_order);

		if (from->partner_state)
			add_procedure(world->tables[ask.system], world, &ask,
				      from, true);
		if (from->primary_state)
			add_procedure(world->tables[WORLD_A], world, &ask, from,
				      false);
	}
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < 2; j++) {
			if (packed->mappings[i][j].status)
				add_mapping(world, WORLD_B + i, j,
					    &packed->mappings[i][j]);
			if (packed->migrations[i][j].exists)
				add_migration(world, WORLD_B + i, j,
					      &packed->migrations[i][j]);
		}
	}
}

/* ----------------------------------------------------------- from a world */

static void take_user(const struct world *world, unsigned system, unsigned user,
		      struct packed_user *packed)
{
	const struct tables_user *row = tables_find_user(
	    world->tables[system], MC_SERVICE_MCPTT, world_primary_id(user));

	*packed = (struct packed_user){ 0 };
	if (!row)
		return;
	packed->exists = 1;
	packed->last_sequence = narrow(world, row->last_sequence);
	packed->last_order = narrow_order(row->last_order);
	packed->last_epoch = (uint8_t)row->last_epoch;
	packed->confirmed_epoch = (uint8_t)row->confirmed_epoch;
}

static void take_partner_row(const struct world *world,
			     struct packed_ask *packed,
			     const struct world_ask *ask)
{
	const struct procedure *row = world_at_partner(world, ask);

	packed->partner_state = row ? (uint8_t)row->state : 0;
	packed->partner_outcome = row ? (uint8_t)row->outcome : 0;
	packed->telling = row && row->telling;
	packed->sequence = row ? narrow(world, row->sequence) : 0;
}

/* What the primary owes without being able to change its mind by the answer
 * needs not be told from what it has delivered. */
static void take_primary_row(const struct world *world,
			     struct packed_ask *packed, struct world_ask *ask)
{
	const struct procedure *row;

	ask->sequence = widen(world, packed->sequence);
	row = ask->sequence ? world_at_primary(world, ask) : NULL;
	packed->primary_state = row ? (uint8_t)row->state : 0;
	packed->primary_outcome = row ? (uint8_t)row->outcome : 0;
	packed->epoch = row ? (uint8_t)row->epoch : 0;
	if (row && (row->verb == MCINFO_DEAUTHORIZATION ||
		    row->outcome == OUTCOME_FAILURE))
		packed->primary_state = PROCEDURE_DONE;
	if (packed->primary_state == PROCEDURE_DONE) {
		packed->epoch = 0;
		packed->primary_outcome = OUTCOME_FAILURE;
	}
}

static void take_mapping(const struct world *world, unsigned system,
			 unsigned visitor, struct packed_mapping *packed)
{
	const struct mapping *row =
	    tables_find_mapping(world->tables[system], MC_SERVICE_MCPTT,
				world_partner_id(system, visitor));

	*packed = (struct packed_mapping){ 0 };
	if (!row)
		return;
	packed->status = (uint8_t)row->status;
	packed->user =
	    strcmp(row->primary_id, world_primary_id(WORLD_ALICE)) != 0;
	packed->number = row->procedure_id.bytes[15];
	packed->sequence = narrow(world, row->sequence);
}

static void take_migration(const struct world *world, unsigned system,
			   unsigned user, struct packed_migration *packed)
{
	const struct tables *tables = world->tables[WORLD_A];
	const struct tables_user *owner =
	    tables_find_user(tables, MC_SERVICE_MCPTT, world_primary_id(user));
	const struct migration *row =
	    owner ? tables_find_migration(tables, owner, world_system(system))
		  : NULL;

	*packed = (struct packed_migration){ 0 };
	if (!row)
		return;
	packed->exists = 1;
	packed->active = row->active;
	packed->visitor =
	    strcmp(row->partner_id, world_partner_id(system, 1)) == 0;
	packed->number = row->procedure_id.bytes[15];
	packed->sequence = narrow(world, row->sequence);
	packed->deauthorized_sequence =
	    narrow(world, row->deauthorized_sequence);
	packed->epoch = (uint8_t)row->epoch;
}

/* ------------------------------------------ epochs matter by their order */

static void mark_epochs(const struct packed *packed, unsigned user, bool *used)
{
	used[packed->users[WORLD_A][user].confirmed_epoch] = true;
	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		if (packed->asks[i].user == user)
			used[packed->asks[i].epoch] = true;
	}
	for (unsigned i = 0; i < 2; i++)
		used[packed->migrations[i][user].epoch] = true;
}

static void renumber_epochs(struct packed *packed, unsigned user)
{
	struct packed_user *row = &packed->users[WORLD_A][user];
	uint8_t rank[256] = { 0 }, last = 0;
	bool used[256] = { false };

	mark_epochs(packed, user, used);
	for (unsigned i = 1; i < 256; i++) {
		if (used[i])
			rank[i] = ++last;
	}
	row->last_epoch = last;
	row->confirmed_epoch = rank[row->confirmed_epoch];
	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		if (packed->asks[i].user == user)
			packed->asks[i].epoch = rank[packed->asks[i].epoch];
	}
	for (unsigned i = 0; i < 2; i++)
		packed->migrations[i][user].epoch =
		    rank[packed->migrations[i][user].epoch];
}

void packed_from_world(const struct world *world, struct packed *packed)
{
	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		struct world_ask ask = packed_ask(packed, i, false);

		if (!packed->asks[i].sent)
			continue;
		take_partner_row(world, &packed->asks[i], &ask);
		take_primary_row(world, &packed->asks[i], &ask);
	}
	for (unsigned system = 0; system < WORLD_SYSTEMS; system++) {
		for (unsigned user = 0; user < WORLD_USERS; user++)
			take_user(world, system, user,
				  &packed->users[system][user]);
	}
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < 2; j++) {
			take_mapping(world, WORLD_B + i, j,
				     &packed->mappings[i][j]);
			take_migration(world, WORLD_B + i, j,
				       &packed->migrations[i][j]);
		}
	}
	for (unsigned user = 0; user < WORLD_USERS; user++)
		renumber_epochs(packed, user);
}

void packed_forget_primary_row(struct packed *packed, unsigned i)
{
	/* An answer finds only the SIP transaction that it is of. */
	packed->asks[i].stored_200 = 0;
	packed->asks[i].refused_481 = 0;
	packed->asks[i].primary_state = 0;
	packed->asks[i].primary_outcome = 0;
	packed->asks[i].epoch = 0;
}
