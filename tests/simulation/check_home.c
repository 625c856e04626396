/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_home.h"

#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "simulation.h"

static void accept(struct check_home *home, const struct procedure *procedure)
{
	if (home->count == CHECK_ACCEPTED_MAX)
		abort();
	home->accepted[home->count].id = procedure->id;
	home->accepted[home->count].sequence = procedure->sequence;
	home->count++;
}

/* Another system than those with a row now counts as the last one. */
static bool is_return(const struct tables_user *old,
		      const struct user_record *record)
{
	if (!old || record->confirmed_epoch == old->confirmed_epoch)
		return false;
	for (size_t i = 0; i < record->migration_count; i++) {
		if (record->migrations[i].epoch == record->confirmed_epoch)
			return false;
	}
	return true;
}

static bool changes_rows(const struct user_record *record)
{
	bool changes = false;

	for (size_t i = 0; i < record->procedure_count; i++)
		changes |= record->procedures[i].changed;
	for (size_t i = 0; i < record->migration_count; i++)
		changes |= record->migrations[i].changed;
	return changes;
}

void check_home_change(struct sim *sim, struct check_home *home,
		       unsigned system, const struct user_record *record)
{
	const struct sim_user *user = clients_find_user(
	    sim->clients, record->service, record->primary_id);
	const struct tables_user *old =
	    tables_find_user(database_tables(sim->nodes[system].database),
			     record->service, record->primary_id);

	if (record->role != ROLE_PRIMARY)
		return;
	if (!user) {
		sim_violation(sim, "%s stores something of %s",
			      describe_party(system), record->primary_id);
		return;
	}
	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *procedure = &record->procedures[i];

		if (procedure->is_new && procedure->epoch)
			accept(home, procedure);
	}
	if (!is_return(old, record))
		return;
	sim_tell(sim, "%s     primary: %s has returned home",
		 describe_party(system), record->primary_id);
	home->returned[user->index] = home->count;
	if (changes_rows(record))
		sim_violation(sim, "the return of %s changes a row",
			      record->primary_id);
}

void check_home_answered(struct sim *sim, struct check_home *home,
			 const char *identity, unsigned accepted_before)
{
	for (unsigned i = 0; i < sim->plan.users; i++) {
		if (!strcmp(clients_user(sim->clients, i)->primary_id,
			    identity) &&
		    home->returned[i] < accepted_before)
			home->returned[i] = accepted_before;
	}
}

/* -1: never accepted. */
static int find_accepted(const struct check_home *home, const struct uuid *id,
			 uint64_t sequence)
{
	for (unsigned i = home->count; i-- > 0;) {
		if (home->accepted[i].sequence == sequence &&
		    uuid_equal(&home->accepted[i].id, id))
			return (int)i;
	}
	return -1;
}

bool check_home_is_left(const struct check_home *home, unsigned user,
			const struct uuid *id, uint64_t sequence)
{
	int i = find_accepted(home, id, sequence);

	return i >= 0 && (unsigned)i < home->returned[user];
}

static void check_user(struct sim *sim, const struct check_home *home,
		       const struct sim_user *user)
{
	const struct tables *tables =
	    database_tables(sim->nodes[user->home].database);
	const struct tables_user *row =
	    tables_find_user(tables, user->service, user->primary_id);

	for (size_t i = 0; row && i < tables->migration_count; i++) {
		const struct migration *migration =
		    &tables->migrations[i].migration;

		if (tables->migrations[i].user == row && migration->active &&
		    migration->epoch == row->confirmed_epoch &&
		    check_home_is_left(home, user->index,
				       &migration->procedure_id,
				       migration->sequence))
			sim_violation(
			    sim,
			    "%s is redirected by %s, and has returned home "
			    "since",
			    user->primary_id,
			    describe_procedure(&migration->procedure_id));
	}
}

void check_home_instant(struct sim *sim, const struct check_home *home)
{
	for (unsigned i = 0; i < sim->plan.users; i++)
		check_user(sim, home, clients_user(sim->clients, i));
}
