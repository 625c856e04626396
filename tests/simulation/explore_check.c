/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold in each state of the exploration. */
#include <string.h>

#include "agreement.h"
#include "explore.h"

/* Grows each time the user goes to another system. */
static unsigned visit_of(const struct packed *packed, unsigned i)
{
	unsigned visit = 0, last = 0;

	for (unsigned k = 0; k <= i; k++) {
		if (packed->asks[k].user != packed->asks[i].user)
			continue;
		visit += packed->asks[k].system != last;
		last = packed->asks[k].system;
	}
	return visit;
}

/* Whether ask `a` is what counts rather than `b`, for the user. */
static bool is_newer(const struct explorer *explorer,
		     const struct packed *packed, unsigned a, unsigned b)
{
	unsigned visit_a = visit_of(packed, a), visit_b = visit_of(packed, b);

	if (explorer->options.stamps_order)
		return a > b;
	if (visit_a != visit_b)
		return visit_a > visit_b;
	return packed->asks[a].sequence > packed->asks[b].sequence;
}

/* The user's newest success, at `system` or (0) anywhere; -1: none. */
static int newest_success(const struct explorer *explorer,
			  const struct packed *packed, unsigned user,
			  unsigned system, bool only_authorizations)
{
	int best = -1;

	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		const struct packed_ask *ask = &packed->asks[i];

		if (!ask->sent || ask->user != user ||
		    (system && ask->system != system) ||
		    ask->partner_outcome != OUTCOME_SUCCESS ||
		    (only_authorizations && ask->verb != MCINFO_AUTHORIZATION))
			continue;
		if (best < 0 || is_newer(explorer, packed, i, (unsigned)best))
			best = (int)i;
	}
	return best;
}

static bool is_mapped(const struct packed *packed, unsigned i)
{
	const struct packed_ask *ask = &packed->asks[i];

	for (unsigned visitor = 0; visitor < 2; visitor++) {
		const struct packed_mapping *mapping =
		    &packed->mappings[ask->system - WORLD_B][visitor];

		if (mapping->status == MAPPING_ACTIVE &&
		    mapping->number == i + 1)
			return true;
	}
	return false;
}

static bool has_mapping(const struct packed *packed, unsigned system,
			unsigned user)
{
	for (unsigned visitor = 0; visitor < 2; visitor++) {
		const struct packed_mapping *mapping =
		    &packed->mappings[system - WORLD_B][visitor];

		if (mapping->status == MAPPING_ACTIVE && mapping->user == user)
			return true;
	}
	return false;
}

/* Calls follow nothing that was accepted before the last return. */
static const char *check_left_behind(const struct packed *packed, unsigned user)
{
	for (unsigned system = 0; system < 2; system++) {
		const struct packed_migration *row =
		    &packed->migrations[system][user];

		if (row->active && packed->asks[row->number - 1].left_behind &&
		    row->epoch == packed->users[WORLD_A][user].confirmed_epoch)
			return "a user who has returned home is redirected";
	}
	return NULL;
}

static const char *check_current(const struct explorer *explorer,
				 const struct packed *packed, unsigned user)
{
	const struct agreement_user key = { MC_SERVICE_MCPTT,
					    world_primary_id(user) };
	int last = newest_success(explorer, packed, user, 0, true);

	if (last < 0 || !is_mapped(packed, (unsigned)last))
		return NULL;
	if (packed->asks[last].left_behind)
		return world_is_at_home(explorer->world, user)
			   ? NULL
			   : "at rest: calls do not go home";
	return agreement_is_current(explorer->world->tables[WORLD_A], &key,
				    world_system(packed->asks[last].system))
		   ? NULL
		   : "at rest: calls do not go where the user went last";
}

static const char *check_rest(const struct explorer *explorer,
			      const struct packed *packed, unsigned user)
{
	struct tables *const *tables = explorer->world->tables;
	const struct agreement_user key = { MC_SERVICE_MCPTT,
					    world_primary_id(user) };
	const char *wrong = NULL;
	int told;

	for (unsigned system = 0; system < WORLD_SYSTEMS; system++) {
		if (!agreement_is_quiet(tables[system], &key))
			return NULL;
	}
	for (unsigned system = WORLD_B; system <= WORLD_C && !wrong; system++) {
		wrong = agreement_at_rest(tables[WORLD_A], tables[system], &key,
					  world_system(system));
		told = newest_success(explorer, packed, user, system, false);
		if (told >= 0 && packed->asks[told].verb == MCINFO_AUTHORIZATION
			? !is_mapped(packed, (unsigned)told)
			: has_mapping(packed, system, user))
			wrong = "at rest: not what the user was told last";
	}
	return wrong ? wrong : check_current(explorer, packed, user);
}

const char *explore_check(const struct explorer *explorer,
			  const struct packed *before,
			  const struct packed *after)
{
	struct tables *const *tables = explorer->world->tables;
	const struct tables *home = tables[WORLD_A];
	const char *wrong = NULL;

	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		if (before->asks[i].partner_outcome &&
		    before->asks[i].partner_outcome !=
			after->asks[i].partner_outcome)
			return "an outcome changes that may be known";
	}
	for (size_t i = 0; i < home->migration_count && !wrong; i++) {
		const struct tables_migration *row = &home->migrations[i];
		bool at_b = !strcmp(row->migration.partner_system,
				    world_system(WORLD_B));

		wrong = agreement_of_row(home, tables[at_b ? WORLD_B : WORLD_C],
					 row->user, &row->migration);
	}
	for (unsigned user = 0; user < explorer->options.users && !wrong;
	     user++) {
		wrong = check_left_behind(after, user);
		if (!wrong)
			wrong = check_rest(explorer, after, user);
	}
	return wrong;
}
