/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What two systems' tables must say of one user, at every instant and at rest:
 * the same for the simulation and the exploration.
 */
#ifndef MCMIG_SIMULATION_AGREEMENT_H
#define MCMIG_SIMULATION_AGREEMENT_H

#include "tables.h"

struct agreement_user {
	enum mc_service service;
	const char *primary_id;
};

/*
 * An active row of the primary: the partner durably has that mapping, or a
 * newer one whose confirm the primary still owes, or owes the primary a higher
 * de-authorization; and the partner ID is nobody else's. NULL, or what is wrong.
 */
const char *agreement_of_row(const struct tables *primary,
			     const struct tables *partner,
			     const struct tables_user *user,
			     const struct migration *migration);

/* Whether this system owes another server nothing for the user. */
bool agreement_is_quiet(const struct tables *tables,
			const struct agreement_user *user);

/* Of a user who is quiet everywhere: both have the same. NULL, or what not. */
const char *agreement_at_rest(const struct tables *primary,
			      const struct tables *partner,
			      const struct agreement_user *user,
			      const char *partner_system);

/* Whether the primary redirects calls to that partner system. */
bool agreement_is_current(const struct tables *primary,
			  const struct agreement_user *user,
			  const char *partner_system);

bool agreement_is_mapping_of(const struct mapping *mapping,
			     const struct uuid *procedure_id,
			     uint64_t sequence);

#endif
