/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "agreement.h"
#include "check_change.h"
#include "check_home.h"
#include "describe.h"
#include "mcinfo/mcid.h"
#include "message_name.h"
#include "simulation.h"

struct check {
	struct sim *sim;
	struct check_history history;
	struct check_home home;
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
	memset(&check->home, 0, sizeof(check->home));
}

void check_write(struct check *check, unsigned system,
		 const struct user_record *record)
{
	check_change(check->sim, &check->history, system, record);
	check_home_change(check->sim, &check->home, system, record);
}

unsigned check_accepted(const struct check *check)
{
	return check->home.count;
}

void check_registered(struct check *check, const char *identity,
		      unsigned accepted_before)
{
	check_home_answered(check->sim, &check->home, identity,
			    accepted_before);
}

static const struct tables *tables_of(const struct check *check,
				      unsigned system)
{
	return database_tables(check->sim->nodes[system].database);
}

/* -------------------------------------------------------- what a lie breaks */

void check_lied(struct check *check, const struct message_name *name)
{
	const struct sim_user *user = clients_find_user(
	    check->sim->clients, name->service, name->primary_id);
	int system = node_find(check->sim, mcid_domain(name->partner_id));
	uint64_t now_us = check->sim->now_us + 1;

	if (!user || system < 0)
		return;
	sim_tell(check->sim, "       a gateway lies about %s",
		 describe_procedure(&name->procedure_id));
	check->history.lies[system][user->index] =
	    (struct check_lie){ .told_us = now_us };
	check->history.lied_us[user->index] = now_us;
}

bool check_is_doubtful(const struct check *check, unsigned system,
		       unsigned user)
{
	return check->history.lies[system][user].told_us != 0;
}

/* Both know a procedure that was begun after the lie. */
static void mend(struct check *check, const struct sim_user *user,
		 unsigned system)
{
	const struct tables *home = tables_of(check, user->home);
	const struct tables_user *row =
	    tables_find_user(home, user->service, user->primary_id);
	const struct migration *migration =
	    row ? tables_find_migration(home, row,
					check->sim->nodes[system].system)
		: NULL;
	struct check_lie *lie = &check->history.lies[system][user->index];

	if (!lie->mended_from || !migration)
		return;
	if (migration->sequence >= lie->mended_from ||
	    migration->deauthorized_sequence >= lie->mended_from)
		*lie = (struct check_lie){ 0 };
}

/* ------------------------------------------- each active row of a primary */

static bool row_is_doubtful(const struct check *check, int system,
			    const struct tables_migration *row)
{
	const struct sim_user *user = clients_find_user(
	    check->sim->clients, row->user->service, row->user->primary_id);

	return system >= 0 && user &&
	       check_is_doubtful(check, (unsigned)system, user->index);
}

static void check_migration(const struct check *check, unsigned home,
			    const struct tables_migration *row)
{
	const struct migration *migration = &row->migration;
	int system = node_find(check->sim, migration->partner_system);
	const char *wrong;

	if (row_is_doubtful(check, system, row))
		return;
	if (system < 0 || (unsigned)system == home)
		wrong = "no other system";
	else
		wrong = agreement_of_row(tables_of(check, home),
					 tables_of(check, (unsigned)system),
					 row->user, migration);
	if (wrong)
		sim_violation(check->sim, "%s redirects %s to %s by %s: %s",
			      describe_party(home), row->user->primary_id,
			      migration->partner_id,
			      describe_procedure(&migration->procedure_id),
			      wrong);
}

/* ------------------------------------------------------ agreement, at rest */

static struct agreement_user key_of(const struct sim_user *user)
{
	return (struct agreement_user){ user->service, user->primary_id };
}

static bool user_is_quiet(const struct check *check,
			  const struct sim_user *user)
{
	const struct agreement_user key = key_of(user);

	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		if (!agreement_is_quiet(tables_of(check, system), &key))
			return false;
	}
	return true;
}

static void check_agreement(const struct check *check,
			    const struct sim_user *user, unsigned system)
{
	const struct agreement_user key = key_of(user);
	const char *wrong = agreement_at_rest(tables_of(check, user->home),
					      tables_of(check, system), &key,
					      check->sim->nodes[system].system);

	if (wrong && !check_is_doubtful(check, system, user->index))
		sim_violation(check->sim, "at rest, %s at %s: %s",
			      user->primary_id, describe_party(system), wrong);
}

/* The mapping is what the user was told last. */
static void check_told(const struct check *check, const struct sim_user *user,
		       unsigned system)
{
	const struct mapping *mapping = tables_find_active(
	    tables_of(check, system), user->service, user->primary_id);
	const struct check_told *told =
	    &check->history.told[system][user->index];
	bool is_right = told->verb == MCINFO_AUTHORIZATION
			    ? agreement_is_mapping_of(
				  mapping, &told->procedure_id, told->sequence)
			    : mapping == NULL;

	if (!is_right)
		sim_violation(
		    check->sim,
		    "at rest %s has %s of %s, who was told of %s last",
		    describe_party(system),
		    mapping ? describe_procedure(&mapping->procedure_id)
			    : "nothing",
		    user->primary_id,
		    told->verb ? describe_procedure(&told->procedure_id)
			       : "nothing");
}

/* Where the user confirmed last, the primary redirects to; unless the user has
 * returned home since. */
static void check_current(const struct check *check,
			  const struct sim_user *user)
{
	const struct agreement_user key = key_of(user);
	uint64_t lied_us = check->history.lied_us[user->index];
	const struct check_told *last = NULL;
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
	/* An authorization that a lie has confirmed may count as newer. */
	if (!last || (lied_us && last->begun_us < lied_us + SKEW_MAX_US) ||
	    check_home_is_left(&check->home, user->index, &last->procedure_id,
			       last->sequence))
		return;
	mapping = tables_find_active(tables_of(check, at), user->service,
				     user->primary_id);
	if (agreement_is_mapping_of(mapping, &last->procedure_id,
				    last->sequence) &&
	    !agreement_is_current(tables_of(check, user->home), &key,
				  check->sim->nodes[at].system))
		sim_violation(check->sim,
			      "at rest %s is at %s by %s, but the primary does "
			      "not redirect there",
			      user->primary_id, describe_party(at),
			      describe_procedure(&last->procedure_id));
}

void check_instant(struct check *check)
{
	struct sim *sim = check->sim;

	for (unsigned i = 0; i < sim->plan.users && sim->plan.lies; i++) {
		for (unsigned system = 0; system < SIM_SYSTEMS; system++)
			mend(check, clients_user(sim->clients, i), system);
	}
	for (unsigned home = 0; home < SIM_SYSTEMS; home++) {
		const struct tables *tables = tables_of(check, home);

		for (size_t i = 0; i < tables->migration_count; i++)
			check_migration(check, home, &tables->migrations[i]);
	}
	check_home_instant(sim, &check->home);
	for (unsigned i = 0; i < sim->plan.users; i++) {
		const struct sim_user *user = clients_user(sim->clients, i);

		if (!user_is_quiet(check, user))
			continue;
		for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
			if (system == user->home)
				continue;
			check_agreement(check, user, system);
			check_told(check, user, system);
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
