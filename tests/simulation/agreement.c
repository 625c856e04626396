/* SPDX-License-Identifier: BSD-2-Clause */
#include "agreement.h"

#include <string.h>

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

bool agreement_is_mapping_of(const struct mapping *mapping,
			     const struct uuid *procedure_id, uint64_t sequence)
{
	return mapping && mapping->sequence == sequence &&
	       uuid_equal(&mapping->procedure_id, procedure_id);
}

/* This migration, or a newer one that the primary waits to have confirmed. */
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

const char *agreement_of_row(const struct tables *primary,
			     const struct tables *partner,
			     const struct tables_user *user,
			     const struct migration *migration)
{
	const struct mapping *mapping =
	    tables_find_active(partner, user->service, user->primary_id);
	const struct mapping *held =
	    tables_find_mapping(partner, user->service, migration->partner_id);

	if (!migration->active)
		return NULL;
	if (!partner_has(primary, user, mapping, migration) &&
	    !end_is_owed(partner,
			 tables_find_user(partner, user->service,
					  user->primary_id),
			 migration))
		return mapping ? "the partner has another mapping, and owes "
				 "the primary nothing"
			       : "the partner has no mapping, and owes the "
				 "primary nothing";
	if (held && held->status == MAPPING_ACTIVE &&
	    strcmp(held->primary_id, user->primary_id))
		return "the partner ID belongs to somebody else now";
	return NULL;
}

static bool owes(const struct procedure *procedure, enum procedure_role role)
{
	if (role == ROLE_PARTNER)
		return is_undecided(procedure) || procedure->telling;
	return is_unconfirmed(procedure);
}

bool agreement_is_quiet(const struct tables *tables,
			const struct agreement_user *user)
{
	const struct tables_user *row =
	    tables_find_user(tables, user->service, user->primary_id);

	for (size_t i = 0; row && i < tables->procedure_count; i++) {
		if (tables->procedures[i].user == row &&
		    owes(&tables->procedures[i].procedure, row->role))
			return false;
	}
	return true;
}

static const struct migration *find_migration(const struct tables *primary,
					      const struct agreement_user *user,
					      const char *partner_system)
{
	const struct tables_user *row =
	    tables_find_user(primary, user->service, user->primary_id);

	return row ? tables_find_migration(primary, row, partner_system) : NULL;
}

const char *agreement_at_rest(const struct tables *primary,
			      const struct tables *partner,
			      const struct agreement_user *user,
			      const char *partner_system)
{
	const struct mapping *mapping =
	    tables_find_active(partner, user->service, user->primary_id);
	const struct migration *migration =
	    find_migration(primary, user, partner_system);

	if (migration && !migration->active)
		migration = NULL;
	if (!mapping && !migration)
		return NULL;
	if (!mapping)
		return "only the primary has a migration";
	if (!migration)
		return "only the partner has a mapping";
	if (!agreement_is_mapping_of(mapping, &migration->procedure_id,
				     migration->sequence))
		return "partner and primary have different ones";
	return NULL;
}

bool agreement_is_current(const struct tables *primary,
			  const struct agreement_user *user,
			  const char *partner_system)
{
	const struct migration *migration =
	    find_migration(primary, user, partner_system);

	return migration && migration->active &&
	       migration->epoch ==
		   tables_find_user(primary, user->service, user->primary_id)
		       ->confirmed_epoch;
}
