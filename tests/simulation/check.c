/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "check_change.h"
#include "describe.h"
#include "simulation.h"

struct check {
	struct sim *sim;
	struct check_history history;
};

struct check *check_create(struct sim *sim)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		abort();
	check->sim = sim;
	return check;
}

void check_destroy(struct check *check)
{
	free(check);
}

void check_reset(struct check *check)
{
	memset(&check->history, 0, sizeof(check->history));
}

void check_write(struct check *check, unsigned system,
		 const struct user_record *record)
{
	check_change(check->sim, &check->history, system, record);
}

static const struct tables *tables_of(const struct check *check,
				      unsigned system)
{
	return database_tables(check->sim->nodes[system].database);
}

static bool is_undecided(const struct procedure *procedure)
{
	return procedure->state == PROCEDURE_FORWARDING ||
	       procedure->state == PROCEDURE_AWAITING_RESPONSE;
}

static bool is_unconfirmed(const struct procedure *procedure)
{
	return procedure->state == PROCEDURE_ANSWERING &&
	       procedure->verb == MCINFO_AUTHORIZATION &&
	       procedure->outcome == OUTCOME_SUCCESS;
}

/* ------------------------------------------- each active row of a primary */

/* The partner has this migration, or a newer one that the primary still waits
 * to have confirmed. */
static bool partner_has(const struct tables *primary,
			const struct tables_user *user,
			const struct mapping *mapping,
			const struct migration *migration)
{
	const struct procedure *newer;

	if (!mapping)
		return false;
	if (mapping->sequence == migration->sequence)
		return uuid_equal(&mapping->procedure_id,
				  &migration->procedure_id) &&
		       !strcmp(mapping->partner_id, migration->partner_id);
	newer = tables_find_procedure(primary, user, &mapping->procedure_id,
				      mapping->sequence);
	return mapping->sequence > migration->sequence && newer &&
	       is_unconfirmed(newer);
}

/* The partner durably owes the primary its end. */
static bool end_is_owed(const struct tables *partner,
			const struct tables_user *user,
			const struct migration *migration)
{
	for (size_t i = 0; i < partner->procedure_count; i++) {
		const struct tables_procedure *row = &partner->procedures[i];
		const struct procedure *procedure = &row->procedure;

		if (row->user == user &&
		    procedure->verb == MCINFO_DEAUTHORIZATION &&
		    procedure->sequence > migration->sequence &&
		    procedure->sequence > migration->deauthorized_sequence &&
		    (is_undecided(procedure) || procedure->telling))
			return true;
	}
	return false;
}

static void check_migration(const struct check *check, unsigned home,
			    const struct tables_migration *row)
{
	const struct migration *migration = &row->migration;
	const struct tables_user *user = row->user;
	int system = node_find(check->sim, migration->partner_system);
	const struct mapping *mapping, *held;
	const struct tables *partner;

	if (!migration->active)
		return;
	if (system < 0 || (unsigned)system == home) {
		sim_violation(check->sim, "redirection into system %s",
			      migration->partner_system);
		return;
	}
	partner = tables_of(check, (unsigned)system);
	mapping = tables_find_active(partner, user->service, user->primary_id);
	if (!partner_has(tables_of(check, home), user, mapping, migration) &&
	    !end_is_owed(partner,
			 tables_find_user(partner, user->service,
					  user->primary_id),
			 migration))
		sim_violation(check->sim,
			      "%s redirects %s to %s by %s, but %s has %s and "
			      "owes it nothing",
			      describe_party(home), user->primary_id,
			      migration->partner_id,
			      describe_procedure(&migration->procedure_id),
			      describe_party((unsigned)system),
			      mapping
				  ? describe_procedure(&mapping->procedure_id)
				  : "no mapping");
	held =
	    tables_find_mapping(partner, user->service, migration->partner_id);
	if (held && held->status == MAPPING_ACTIVE &&
	    strcmp(held->primary_id, user->primary_id))
		sim_violation(check->sim,
			      "%s redirects %s to %s, which belongs to %s now",
			      describe_party(home), user->primary_id,
			      migration->partner_id, held->primary_id);
}

/* ------------------------------------------------------ agreement, at rest */

static bool owes(const struct procedure *procedure,
		 const struct tables_user *user)
{
	if (user->role == ROLE_PARTNER)
		return is_undecided(procedure) || procedure->telling;
	return is_unconfirmed(procedure);
}

static bool user_is_quiet(const struct check *check,
			  const struct sim_user *user)
{
	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		const struct tables *tables = tables_of(check, system);
		const struct tables_user *row =
		    tables_find_user(tables, user->service, user->primary_id);

		for (size_t i = 0; row && i < tables->procedure_count; i++) {
			if (tables->procedures[i].user == row &&
			    owes(&tables->procedures[i].procedure, row))
				return false;
		}
	}
	return true;
}

static bool is_mapping_of(const struct mapping *mapping,
			  const struct uuid *procedure_id, uint64_t sequence)
{
	return mapping && mapping->sequence == sequence &&
	       uuid_equal(&mapping->procedure_id, procedure_id);
}

static void check_agreement(const struct check *check,
			    const struct sim_user *user, unsigned system)
{
	const struct tables *home = tables_of(check, user->home);
	const struct mapping *mapping = tables_find_active(
	    tables_of(check, system), user->service, user->primary_id);
	const struct tables_user *row =
	    tables_find_user(home, user->service, user->primary_id);
	const struct migration *migration =
	    row ? tables_find_migration(home, row,
					check->sim->nodes[system].system)
		: NULL;
	const struct check_told *told =
	    &check->history.told[system][user->index];

	if (migration && !migration->active)
		migration = NULL;
	if (!mapping != !migration ||
	    (mapping && !is_mapping_of(mapping, &migration->procedure_id,
				       migration->sequence)))
		sim_violation(
		    check->sim, "at rest %s has %s of %s, its primary has %s",
		    describe_party(system),
		    mapping ? describe_procedure(&mapping->procedure_id)
			    : "nothing",
		    user->primary_id,
		    migration ? describe_procedure(&migration->procedure_id)
			      : "nothing");
	if (told->verb == MCINFO_AUTHORIZATION
		? !is_mapping_of(mapping, &told->procedure_id, told->sequence)
		: mapping != NULL)
		sim_violation(
		    check->sim,
		    "at rest %s has %s of %s, who was told %s of %s",
		    describe_party(system),
		    mapping ? describe_procedure(&mapping->procedure_id)
			    : "nothing",
		    user->primary_id,
		    told->verb ? mcinfo_verb_name(told->verb) : "nothing",
		    describe_procedure(&told->procedure_id));
}

/* Where the user confirmed last, the primary redirects to. */
static void check_current(const struct check *check,
			  const struct sim_user *user)
{
	const struct tables *home = tables_of(check, user->home);
	const struct tables_user *row =
	    tables_find_user(home, user->service, user->primary_id);
	const struct check_told *last = NULL;
	const struct migration *migration;
	const struct mapping *mapping;
	unsigned at = 0;

	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		const struct check_told *authorized =
		    &check->history.authorized[system][user->index];

		if (authorized->sequence &&
		    (!last || authorized->key > last->key)) {
			last = authorized;
			at = system;
		}
	}
	if (!last)
		return;
	mapping = tables_find_active(tables_of(check, at), user->service,
				     user->primary_id);
	if (!is_mapping_of(mapping, &last->procedure_id, last->sequence))
		return;
	migration =
	    row ? tables_find_migration(home, row, check->sim->nodes[at].system)
		: NULL;
	if (!migration || !migration->active ||
	    migration->epoch != row->confirmed_epoch)
		sim_violation(check->sim,
			      "at rest %s is at %s by %s, but the primary does "
			      "not redirect there",
			      user->primary_id, describe_party(at),
			      describe_procedure(&last->procedure_id));
}

void check_instant(struct check *check)
{
	struct sim *sim = check->sim;

	for (unsigned home = 0; home < SIM_SYSTEMS; home++) {
		const struct tables *tables = tables_of(check, home);

		for (size_t i = 0; i < tables->migration_count; i++)
			check_migration(check, home, &tables->migrations[i]);
	}
	for (unsigned i = 0; i < sim->plan.users; i++) {
		const struct sim_user *user = clients_user(sim->clients, i);

		if (!user_is_quiet(check, user))
			continue;
		for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
			if (system != user->home)
				check_agreement(check, user, system);
		}
		check_current(check, user);
	}
}

/* ----------------------------------------------------------------- the end */

static const struct tables_procedure *find_live(const struct check *check,
						unsigned *systemp)
{
	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		const struct tables *tables = tables_of(check, system);

		for (size_t i = 0; i < tables->procedure_count; i++) {
			if (procedure_is_live(
				&tables->procedures[i].procedure)) {
				*systemp = system;
				return &tables->procedures[i];
			}
		}
	}
	return NULL;
}

bool check_is_quiet(const struct check *check)
{
	unsigned system;

	return !find_live(check, &system);
}

void check_report_unrest(struct check *check)
{
	unsigned system = 0;
	const struct tables_procedure *row = find_live(check, &system);

	if (row)
		sim_violation(check->sim, "never quiet: %s still has %s of %s",
			      describe_party(system),
			      describe_state(&row->procedure),
			      row->user->primary_id);
	else
		sim_violation(check->sim, "never quiet: work in a store");
}
