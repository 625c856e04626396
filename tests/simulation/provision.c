/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts, permissions and admissions, and their changes. */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "describe.h"

static void provision_user(struct clients *clients, const struct sim_user *user)
{
	struct sim *sim = clients->sim;
	struct tables *home = database_tables(sim->nodes[user->home].database);
	struct tables_home_user *row =
	    &home->home_users[home->home_user_count++];

	*row = (struct tables_home_user){ .enabled = true,
					  .profile_count = 3,
					  .permitted_count = 2 };
	memcpy(row->primary_id, user->primary_id, MCID_SIZE);
}

/* Everybody may come as anybody: the pairs are all named. */
static void admit(struct clients *clients, unsigned system,
		  const struct sim_user *user)
{
	struct sim *sim = clients->sim;
	struct tables *tables = database_tables(sim->nodes[system].database);

	for (unsigned visitor = 0; visitor < sim->plan.users; visitor++) {
		struct tables_admission *row =
		    &tables->admissions[tables->admission_count++];

		row->withdrawn = false;
		/* Where tokens pin the pair, a system is admitted whole. */
		snprintf(row->primary_id, sizeof(row->primary_id), "%s",
			 sim->plan.tokens_pin ? "" : user->primary_id);
		snprintf(row->partner_id, sizeof(row->partner_id),
			 "sip:visitor%u@%s", visitor + 1,
			 sim->nodes[system].system);
		memcpy(row->primary_system, sim->nodes[user->home].system,
		       SYSTEM_NAME_SIZE);
	}
}

void clients_provision(struct clients *clients, const struct sim_user *user)
{
	provision_user(clients, user);
	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		if (system != user->home)
			admit(clients, system, user);
	}
}

void clients_restore_provisioning(struct clients *clients)
{
	struct sim *sim = clients->sim;

	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		struct database *database = sim->nodes[system].database;
		struct tables *tables = database_tables(database);

		for (size_t i = 0; i < tables->admission_count; i++)
			tables->admissions[i].withdrawn = false;
		for (size_t i = 0; i < tables->home_user_count; i++) {
			tables->home_users[i].enabled = true;
			tables->home_users[i].permitted_count = 2;
		}
		database_provisioning_changed(database);
	}
}

void clients_change_provisioning(struct clients *clients)
{
	struct sim *sim = clients->sim;
	unsigned system = (unsigned)random_below(&sim->random, SIM_SYSTEMS);
	struct tables *tables = database_tables(sim->nodes[system].database);
	size_t i = random_below(&sim->random, tables->admission_count);
	size_t j = random_below(&sim->random, tables->home_user_count);

	if (tables->admission_count && random_chance(&sim->random, 400))
		tables->admissions[i].withdrawn ^= true;
	else if (tables->home_user_count && random_chance(&sim->random, 500))
		tables->home_users[j].enabled ^= true;
	else if (tables->home_user_count)
		tables->home_users[j].permitted_count =
		    (unsigned)random_below(&sim->random, 3);
	sim_tell(sim, "%s     provisioning changes", describe_party(system));
	database_provisioning_changed(sim->nodes[system].database);
}
