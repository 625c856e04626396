/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables in memory: linear searches, for there are a few rows. */
#include "tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tables_clear(struct tables *tables)
{
	tables->user_count = 0;
	tables->procedure_count = 0;
	tables->mapping_count = 0;
	tables->migration_count = 0;
}

const struct tables_user *tables_find_user(const struct tables *tables,
					   enum mc_service service,
					   const char *primary_id)
{
	for (size_t i = 0; i < tables->user_count; i++) {
		if (tables->users[i].service == service &&
		    !strcmp(tables->users[i].primary_id, primary_id))
			return &tables->users[i];
	}
	return NULL;
}

const struct mapping *tables_find_mapping(const struct tables *tables,
					  enum mc_service service,
					  const char *partner_id)
{
	for (size_t i = 0; i < tables->mapping_count; i++) {
		const struct tables_mapping *row = &tables->mappings[i];

		if (row->service == service &&
		    !strcmp(row->mapping.partner_id, partner_id))
			return &row->mapping;
	}
	return NULL;
}

const struct mapping *tables_find_active(const struct tables *tables,
					 enum mc_service service,
					 const char *primary_id)
{
	for (size_t i = 0; i < tables->mapping_count; i++) {
		const struct tables_mapping *row = &tables->mappings[i];

		if (row->service == service &&
		    row->mapping.status == MAPPING_ACTIVE &&
		    !strcmp(row->mapping.primary_id, primary_id))
			return &row->mapping;
	}
	return NULL;
}

const struct procedure *tables_find_procedure(const struct tables *tables,
					      const struct tables_user *user,
					      const struct uuid *id,
					      uint64_t sequence)
{
	for (size_t i = 0; i < tables->procedure_count; i++) {
		const struct tables_procedure *row = &tables->procedures[i];

		if (row->user == user && uuid_equal(&row->procedure.id, id) &&
		    (!sequence || row->procedure.sequence == sequence))
			return &row->procedure;
	}
	return NULL;
}

const struct migration *tables_find_migration(const struct tables *tables,
					      const struct tables_user *user,
					      const char *partner_system)
{
	for (size_t i = 0; i < tables->migration_count; i++) {
		const struct tables_migration *row = &tables->migrations[i];

		if (row->user == user &&
		    !strcmp(row->migration.partner_system, partner_system))
			return &row->migration;
	}
	return NULL;
}

/* ------------------------------------------------------------------- load */

static int load_procedures(const struct tables *tables,
			   const struct tables_user *user,
			   struct store_item *item)
{
	for (size_t i = 0; i < tables->procedure_count; i++) {
		const struct tables_procedure *row = &tables->procedures[i];
		struct procedure *copy;

		if (row->user != user ||
		    (!procedure_is_live(&row->procedure) &&
		     !uuid_equal(&row->procedure.id, &item->procedure_id)))
			continue;
		copy = record_add_procedure(item->record);
		if (!copy)
			return ENOMEM;
		*copy = row->procedure;
	}
	return 0;
}

static int load_mappings(const struct tables *tables, struct store_item *item)
{
	const struct user_record *record = item->record;

	for (size_t i = 0; i < tables->mapping_count; i++) {
		const struct tables_mapping *row = &tables->mappings[i];
		bool held =
		    row->mapping.status != MAPPING_ENDED &&
		    !strcmp(row->mapping.primary_id, record->primary_id);
		struct mapping *copy;

		if (row->service != record->service ||
		    (!held &&
		     (!item->partner_id ||
		      strcmp(row->mapping.partner_id, item->partner_id))))
			continue;
		copy = record_add_mapping(item->record);
		if (!copy)
			return ENOMEM;
		*copy = row->mapping;
	}
	return 0;
}

static int load_migrations(const struct tables *tables,
			   const struct tables_user *user,
			   struct user_record *record)
{
	for (size_t i = 0; i < tables->migration_count; i++) {
		struct migration *copy;

		if (tables->migrations[i].user != user)
			continue;
		copy = record_add_migration(record);
		if (!copy)
			return ENOMEM;
		*copy = tables->migrations[i].migration;
	}
	return 0;
}

static int load_admissions(const struct tables *tables, struct store_item *item)
{
	for (size_t i = 0; i < tables->admission_count; i++) {
		const struct tables_admission *row = &tables->admissions[i];
		struct admission *copy;

		if (row->withdrawn || !item->peer_system || !item->partner_id ||
		    strcmp(row->primary_system, item->peer_system) ||
		    (*row->primary_id &&
		     strcmp(row->primary_id, item->record->primary_id)) ||
		    (*row->partner_id &&
		     strcmp(row->partner_id, item->partner_id)))
			continue;
		copy = record_add_admission(item->record);
		if (!copy)
			return ENOMEM;
		copy->names_primary_id = *row->primary_id;
		copy->names_partner_id = *row->partner_id;
	}
	return 0;
}

static int load_home_user(const struct tables *tables,
			  struct user_record *record)
{
	for (size_t i = 0; i < tables->home_user_count; i++) {
		const struct tables_home_user *row = &tables->home_users[i];

		if (strcmp(row->primary_id, record->primary_id))
			continue;
		record->user_known = true;
		record->user_enabled = row->enabled;
		for (unsigned p = 0; p < row->profile_count; p++) {
			unsigned *profile = record_add_profile(record);

			if (!profile)
				return ENOMEM;
			*profile = p;
		}
		for (unsigned p = 0; p < row->permitted_count; p++) {
			struct permission *permission =
			    record_add_permission(record);

			if (!permission)
				return ENOMEM;
			permission->profile_index = p;
			strcpy(permission->partner_system, "*");
		}
	}
	return 0;
}

int tables_load(const struct tables *tables, struct store_item *item)
{
	struct user_record *record = item->record;
	const struct tables_user *user =
	    tables_find_user(tables, record->service, record->primary_id);
	int err = 0;

	item->status = STORE_ITEM_DONE;
	if (user) {
		record->version = user->version;
		record->last_sequence = user->last_sequence;
		record->last_order = user->last_order;
		record->last_epoch = user->last_epoch;
		record->confirmed_epoch = user->confirmed_epoch;
		err = load_procedures(tables, user, item);
	}
	if (!err && user && record->role == ROLE_PRIMARY)
		err = load_migrations(tables, user, record);
	if (!err && record->role == ROLE_PRIMARY)
		err = load_home_user(tables, record);
	if (!err && record->role == ROLE_PARTNER)
		err = load_mappings(tables, item);
	if (!err && record->role == ROLE_PARTNER)
		err = load_admissions(tables, item);
	return err;
}

/* ------------------------------------------------------------------ write */

static struct procedure *find_row(const struct tables *tables,
				  const struct tables_user *user,
				  const struct procedure *key)
{
	for (size_t i = 0; i < tables->procedure_count; i++) {
		const struct tables_procedure *row = &tables->procedures[i];

		if (row->user == user &&
		    row->procedure.sequence == key->sequence &&
		    uuid_equal(&row->procedure.id, &key->id) &&
		    !strcmp(row->procedure.partner_id, key->partner_id))
			return (struct procedure *)&row->procedure;
	}
	return NULL;
}

bool tables_guards_hold(const struct tables *tables,
			const struct user_record *record)
{
	const struct tables_user *user =
	    tables_find_user(tables, record->service, record->primary_id);

	if ((user ? user->version : 0) != record->version)
		return false;
	for (size_t i = 0; i < record->mapping_count; i++) {
		const struct mapping *mapping = &record->mappings[i];
		const struct mapping *row = tables_find_mapping(
		    tables, record->service, mapping->partner_id);

		if (mapping->changed &&
		    (row ? row->version : 0) != mapping->version)
			return false;
	}
	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *procedure = &record->procedures[i];

		if (procedure->is_new && user &&
		    find_row(tables, user, procedure))
			return false;
	}
	return true;
}

/* The simulation's worlds are small: more is a mistake of the test. */
static size_t next_row(size_t *count, size_t max)
{
	if (*count >= max) {
		fprintf(stderr, "tables: full\n");
		abort();
	}
	return (*count)++;
}

static struct tables_user *write_user(struct tables *tables,
				      const struct user_record *record)
{
	struct tables_user *row = (struct tables_user *)tables_find_user(
	    tables, record->service, record->primary_id);

	if (!row)
		row = &tables->users[next_row(&tables->user_count,
					      TABLES_USERS_MAX)];
	row->service = record->service;
	row->role = record->role;
	memcpy(row->primary_id, record->primary_id, MCID_SIZE);
	row->version = record_next_version(record);
	row->last_sequence = record->last_sequence;
	row->last_order = record->last_order;
	row->last_epoch = record->last_epoch;
	row->confirmed_epoch = record->confirmed_epoch;
	return row;
}

static void write_procedure(struct tables *tables,
			    const struct tables_user *user,
			    const struct procedure *procedure)
{
	struct procedure *row = find_row(tables, user, procedure);

	if (!row) {
		size_t i =
		    next_row(&tables->procedure_count, TABLES_PROCEDURES_MAX);

		tables->procedures[i].user = user;
		row = &tables->procedures[i].procedure;
	}
	*row = *procedure;
	row->changed = false;
	row->is_new = false;
}

static void write_mapping(struct tables *tables, enum mc_service service,
			  const struct mapping *mapping)
{
	struct mapping *row = (struct mapping *)tables_find_mapping(
	    tables, service, mapping->partner_id);

	if (!row) {
		size_t i =
		    next_row(&tables->mapping_count, TABLES_MAPPINGS_MAX);

		tables->mappings[i].service = service;
		row = &tables->mappings[i].mapping;
	}
	*row = *mapping;
	row->version = mapping->version + 1;
	row->changed = false;
}

static void write_migration(struct tables *tables,
			    const struct tables_user *user,
			    const struct migration *migration)
{
	struct migration *row = (struct migration *)tables_find_migration(
	    tables, user, migration->partner_system);

	if (!row) {
		size_t i =
		    next_row(&tables->migration_count, TABLES_MIGRATIONS_MAX);

		tables->migrations[i].user = user;
		row = &tables->migrations[i].migration;
	}
	*row = *migration;
	row->changed = false;
}

void tables_write(struct tables *tables, const struct user_record *record)
{
	const struct tables_user *user = write_user(tables, record);

	for (size_t i = 0; i < record->procedure_count; i++) {
		if (record->procedures[i].changed)
			write_procedure(tables, user, &record->procedures[i]);
	}
	for (size_t i = 0; i < record->mapping_count; i++) {
		if (record->mappings[i].changed)
			write_mapping(tables, record->service,
				      &record->mappings[i]);
	}
	for (size_t i = 0; i < record->migration_count; i++) {
		if (record->migrations[i].changed)
			write_migration(tables, user, &record->migrations[i]);
	}
}

size_t tables_purge(struct tables *tables, uint64_t finished_before_us,
		    size_t limit)
{
	size_t kept = 0, purged = 0;

	for (size_t i = 0; i < tables->procedure_count; i++) {
		const struct procedure *procedure =
		    &tables->procedures[i].procedure;

		if (purged < limit && !procedure_is_live(procedure) &&
		    procedure->finished_us < finished_before_us)
			purged++;
		else
			tables->procedures[kept++] = tables->procedures[i];
	}
	tables->procedure_count = kept;
	return purged;
}
