/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store's tables of one MC system in memory, with the guards of
 * lib/store/backend.h: what the simulation and the tests of the rules keep
 * their durable state in.
 */
#ifndef MCMIG_SIMULATION_TABLES_H
#define MCMIG_SIMULATION_TABLES_H

#include "store/backend.h"

#define TABLES_USERS_MAX 8
#define TABLES_PROCEDURES_MAX 512
#define TABLES_MAPPINGS_MAX 16
#define TABLES_MIGRATIONS_MAX 32
#define TABLES_PROVISION_MAX 64
#define TABLES_PROFILES_MAX 4

struct tables_user {
	enum mc_service service;
	enum procedure_role role;
	char primary_id[MCID_SIZE];
	uint64_t version;
	uint64_t last_sequence;
	uint64_t last_order;
	uint64_t last_epoch;
	uint64_t confirmed_epoch;
};

struct tables_procedure {
	const struct tables_user *user;
	struct procedure procedure;
};

struct tables_mapping {
	enum mc_service service;
	struct mapping mapping;
};

struct tables_migration {
	const struct tables_user *user;
	struct migration migration;
};

struct tables_admission {
	char primary_system[SYSTEM_NAME_SIZE];
	char primary_id[MCID_SIZE]; /* "": any */
	char partner_id[MCID_SIZE]; /* "": any */
	bool withdrawn;
};

/* A user of our own: profiles 0 to profile_count - 1. */
struct tables_home_user {
	char primary_id[MCID_SIZE];
	bool enabled;
	unsigned profile_count;
	unsigned permitted_count; /* of them may migrate, anywhere */
};

struct tables {
	struct tables_user users[TABLES_USERS_MAX];
	size_t user_count;
	struct tables_procedure procedures[TABLES_PROCEDURES_MAX];
	size_t procedure_count;
	struct tables_mapping mappings[TABLES_MAPPINGS_MAX];
	size_t mapping_count;
	struct tables_migration migrations[TABLES_MIGRATIONS_MAX];
	size_t migration_count;

	struct tables_admission admissions[TABLES_PROVISION_MAX];
	size_t admission_count;
	struct tables_home_user home_users[TABLES_PROVISION_MAX];
	size_t home_user_count;
};

/* Rows only; what is provisioned stays. */
void tables_clear(struct tables *tables);

const struct tables_user *tables_find_user(const struct tables *tables,
					   enum mc_service service,
					   const char *primary_id);
const struct mapping *tables_find_mapping(const struct tables *tables,
					  enum mc_service service,
					  const char *partner_id);
/* Partner role: the user's active mapping, whatever its partner ID. */
const struct mapping *tables_find_active(const struct tables *tables,
					 enum mc_service service,
					 const char *primary_id);
/* NULL `user`, or none such: NULL. Any sequence if `sequence` is 0. */
const struct procedure *tables_find_procedure(const struct tables *tables,
					      const struct tables_user *user,
					      const struct uuid *id,
					      uint64_t sequence);
const struct migration *tables_find_migration(const struct tables *tables,
					      const struct tables_user *user,
					      const char *partner_system);

/* Fills in item->record as a backend's load does. 0 or ENOMEM. */
int tables_load(const struct tables *tables, struct store_item *item);

bool tables_guards_hold(const struct tables *tables,
			const struct user_record *record);
/*
 * Writes what is marked in the record, whose guards must hold. The record
 * itself stays as it is.
 */
void tables_write(struct tables *tables, const struct user_record *record);

/* Returns how many have gone. */
size_t tables_purge(struct tables *tables, uint64_t finished_before_us,
		    size_t limit);

#endif
