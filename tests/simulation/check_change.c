/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_change.h"

#include <string.h>

#include "describe.h"
#include "simulation.h"

/* As the user sees it; without an order arrival counts. */
static bool is_newer(const struct check_told *a, const struct check_told *b)
{
	return a->key != b->key ? a->key > b->key : a->sequence > b->sequence;
}

static void remember(struct sim *sim, struct check_history *history,
		     unsigned system, const struct user_record *record,
		     const struct procedure *procedure)
{
	const struct sim_user *user = clients_find_user(
	    sim->clients, record->service, record->primary_id);
	struct check_told told = {
		.verb = procedure->verb,
		.procedure_id = procedure->id,
		.sequence = procedure->sequence,
		/* A clock may be slow from the start. */
		.begun_us = procedure->created_us > NODE_START_UTC_US
				? procedure->created_us - NODE_START_UTC_US
				: 0,
	};
	struct check_told *best;
	struct check_lie *lie;

	if (!user) {
		sim_violation(sim, "unknown user %s", record->primary_id);
		return;
	}
	told.key = procedure->order ? procedure->order : user->visits;
	lie = &history->lies[system][user->index];
	if (lie->told_us && told.begun_us > lie->told_us + SKEW_MAX_US)
		lie->mended_from = told.sequence;
	best = &history->told[system][user->index];
	if (is_newer(&told, best))
		*best = told;
	best = &history->authorized[system][user->index];
	if (told.verb == MCINFO_AUTHORIZATION && is_newer(&told, best))
		*best = told;
}

static bool is_doubled(const struct tables *tables,
		       const struct tables_user *user,
		       const struct procedure *procedure)
{
	const struct procedure *other =
	    tables_find_procedure(tables, user, &procedure->id, 0);

	return other && !strcmp(other->partner_id, procedure->partner_id);
}

static void check_procedure(struct sim *sim, struct check_history *history,
			    unsigned system, const struct user_record *record,
			    const struct procedure *procedure)
{
	const struct tables *tables =
	    database_tables(sim->nodes[system].database);
	const struct tables_user *user =
	    tables_find_user(tables, record->service, record->primary_id);
	const struct procedure *old = NULL;

	if (user && !procedure->is_new)
		old = tables_find_procedure(tables, user, &procedure->id,
					    procedure->sequence);
	sim_tell(sim, "%s     %s: %s", describe_party(system),
		 procedure_role_name(record->role), describe_state(procedure));
	if (record->role != ROLE_PARTNER)
		return;
	if (procedure->is_new && sim->plan.token_life_us &&
	    !clients_were_allowed(sim->clients, &procedure->id))
		sim_violation(sim, "%s stores %s without a good token",
			      describe_party(system),
			      describe_procedure(&procedure->id));
	if (old && old->outcome &&
	    (old->outcome != procedure->outcome ||
	     old->cause != procedure->cause))
		sim_violation(sim, "the outcome of %s at %s changes to %s",
			      describe_procedure(&procedure->id),
			      describe_party(system),
			      procedure_outcome_name(procedure->outcome));
	if (user && procedure->is_new && is_doubled(tables, user, procedure))
		sim_violation(sim, "%s runs twice at %s",
			      describe_procedure(&procedure->id),
			      describe_party(system));
	if (procedure->outcome == OUTCOME_SUCCESS && (!old || !old->outcome))
		remember(sim, history, system, record, procedure);
}

static void check_mapping(struct sim *sim, unsigned system,
			  const struct user_record *record,
			  const struct mapping *mapping)
{
	const struct tables *tables =
	    database_tables(sim->nodes[system].database);
	const struct mapping *old =
	    tables_find_mapping(tables, record->service, mapping->partner_id);
	const struct mapping *active =
	    tables_find_active(tables, record->service, record->primary_id);
	bool same_user = old && !strcmp(old->primary_id, mapping->primary_id);

	sim_tell(sim, "%s     partner: %s is %s's by %s, %s",
		 describe_party(system), mapping->partner_id,
		 mapping->primary_id,
		 describe_procedure(&mapping->procedure_id),
		 mapping_status_name(mapping->status));
	if (strcmp(mapping->primary_id, record->primary_id))
		sim_violation(sim, "%s writes a mapping of %s",
			      record->primary_id, mapping->primary_id);
	if (old && !same_user && old->status != MAPPING_ENDED)
		sim_violation(sim, "%s takes %s from %s", mapping->primary_id,
			      mapping->partner_id, old->primary_id);
	if (same_user && mapping->sequence < old->sequence)
		sim_violation(sim, "%s puts an older mapping of %s back",
			      describe_procedure(&mapping->procedure_id),
			      mapping->primary_id);
	if (same_user && mapping->status == MAPPING_ACTIVE &&
	    old->status != MAPPING_ACTIVE && mapping->sequence <= old->sequence)
		sim_violation(sim, "an ended mapping of %s is revived",
			      mapping->primary_id);
	if (mapping->status == MAPPING_ACTIVE && active &&
	    strcmp(active->partner_id, mapping->partner_id))
		sim_violation(sim, "%s has two partner IDs at %s",
			      mapping->primary_id, describe_party(system));
}

static void check_migration(struct sim *sim, unsigned system,
			    const struct user_record *record,
			    const struct migration *new)
{
	static const struct migration none;
	const struct tables *tables =
	    database_tables(sim->nodes[system].database);
	const struct tables_user *user =
	    tables_find_user(tables, record->service, record->primary_id);
	const struct migration *old =
	    user ? tables_find_migration(tables, user, new->partner_system)
		 : NULL;
	const char *what = NULL;

	sim_tell(sim, "%s     primary: %s is %s %s by %s",
		 describe_party(system), record->primary_id,
		 new->active ? "redirected to" : "no more at",
		 new->active ? new->partner_id : new->partner_system,
		 describe_procedure(&new->procedure_id));
	if (!old)
		old = &none;
	if (new->deauthorized_sequence < old->deauthorized_sequence)
		what = "forgets a de-authorization";
	else if (new->sequence < old->sequence)
		what = "goes back to an older authorization";
	else if (new->active && !old->active &&new->sequence == old->sequence)
		what = "revives an ended migration";
	else if (new->active &&new->sequence < new->deauthorized_sequence)
		what = "goes on in spite of a newer de-authorization";
	else if (!new->active &&
		 old->active &&new->deauthorized_sequence < old->sequence)
		what = "ends by an older de-authorization";
	else if (new->epoch < old->epoch)
		what = "falls back to an older epoch";
	if (what)
		sim_violation(sim, "the primary's row of %s at %s %s",
			      record->primary_id, new->partner_system, what);
}

static void check_counters(struct sim *sim, unsigned system,
			   const struct user_record *record)
{
	const struct tables_user *old =
	    tables_find_user(database_tables(sim->nodes[system].database),
			     record->service, record->primary_id);

	if (!old)
		return;
	if (record->role != old->role)
		sim_violation(sim, "%s changes its role", record->primary_id);
	if (record->last_sequence < old->last_sequence ||
	    record->last_epoch < old->last_epoch ||
	    record->confirmed_epoch < old->confirmed_epoch)
		sim_violation(sim, "a counter of %s goes back",
			      record->primary_id);
}

void check_change(struct sim *sim, struct check_history *history,
		  unsigned system, const struct user_record *record)
{
	check_counters(sim, system, record);
	for (size_t i = 0; i < record->procedure_count; i++) {
		if (record->procedures[i].changed)
			check_procedure(sim, history, system, record,
					&record->procedures[i]);
	}
	for (size_t i = 0; i < record->mapping_count; i++) {
		if (record->mappings[i].changed)
			check_mapping(sim, system, record,
				      &record->mappings[i]);
	}
	for (size_t i = 0; i < record->migration_count; i++) {
		if (record->migrations[i].changed)
			check_migration(sim, system, record,
					&record->migrations[i]);
	}
}
