/* SPDX-License-Identifier: BSD-2-Clause */
/* A user's record: growing lists of plain values, and how to find in them. */
#include "procedure/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void record_init(struct user_record *record, enum mc_service service,
		 enum procedure_role role, const char *primary_id)
{
	*record = (struct user_record){ .service = service, .role = role };
	snprintf(record->primary_id, sizeof(record->primary_id), "%s",
		 primary_id);
}

void record_clear(struct user_record *record)
{
	char primary_id[MCID_SIZE];

	free(record->procedures);
	free(record->mappings);
	free(record->migrations);
	free(record->admissions);
	free(record->profiles);
	free(record->permissions);
	memcpy(primary_id, record->primary_id, sizeof(primary_id));
	record_init(record, record->service, record->role, primary_id);
}

/* Grows by one, in powers of two; the lists are short. */
static void *append(void **list, size_t *count, size_t size)
{
	char *entry;

	if (!(*count & (*count - 1))) {
		size_t capacity = *count ? *count * 2 : 1;
		void *grown = realloc(*list, capacity * size);

		if (!grown)
			return NULL;
		*list = grown;
	}
	entry = (char *)*list + *count * size;
	memset(entry, 0, size);
	++*count;
	return entry;
}

#define APPEND(record, list, count)                        \
	append((void **)&(record)->list, &(record)->count, \
	       sizeof(*(record)->list))

struct procedure *record_add_procedure(struct user_record *record)
{
	return APPEND(record, procedures, procedure_count);
}

struct mapping *record_add_mapping(struct user_record *record)
{
	return APPEND(record, mappings, mapping_count);
}

struct migration *record_add_migration(struct user_record *record)
{
	return APPEND(record, migrations, migration_count);
}

struct admission *record_add_admission(struct user_record *record)
{
	return APPEND(record, admissions, admission_count);
}

unsigned *record_add_profile(struct user_record *record)
{
	return APPEND(record, profiles, profile_count);
}

struct permission *record_add_permission(struct user_record *record)
{
	return APPEND(record, permissions, permission_count);
}

struct procedure *record_find_procedure(const struct user_record *record,
					const struct uuid *id,
					const char *partner_id,
					uint64_t sequence)
{
	for (size_t i = 0; i < record->procedure_count; i++) {
		struct procedure *procedure = &record->procedures[i];

		if (!uuid_equal(&procedure->id, id) ||
		    strcmp(procedure->partner_id, partner_id))
			continue;
		if (record->role == ROLE_PARTNER ||
		    procedure->sequence == sequence)
			return procedure;
	}
	return NULL;
}

struct mapping *record_find_mapping(const struct user_record *record,
				    const char *partner_id)
{
	for (size_t i = 0; i < record->mapping_count; i++) {
		if (!strcmp(record->mappings[i].partner_id, partner_id))
			return &record->mappings[i];
	}
	return NULL;
}

struct migration *record_find_migration(const struct user_record *record,
					const char *partner_system)
{
	for (size_t i = 0; i < record->migration_count; i++) {
		if (!strcmp(record->migrations[i].partner_system,
			    partner_system))
			return &record->migrations[i];
	}
	return NULL;
}

bool procedure_is_live(const struct procedure *procedure)
{
	return procedure->state != PROCEDURE_DONE || procedure->telling;
}

/* What a store brings back may be of no version that we know. */
static const char *name_of(const char *const *names, size_t count,
			   unsigned value)
{
	return value < count && names[value] ? names[value] : "?";
}

#define NAME_OF(names, value) \
	name_of(names, sizeof(names) / sizeof(*(names)), (unsigned)(value))

const char *procedure_state_name(enum procedure_state state)
{
	static const char *const names[] = {
		[PROCEDURE_FORWARDING] = "forwarding",
		[PROCEDURE_AWAITING_RESPONSE] = "awaiting response",
		[PROCEDURE_ANSWERING] = "answering",
		[PROCEDURE_DONE] = "done",
	};

	return NAME_OF(names, state);
}

const char *procedure_role_name(enum procedure_role role)
{
	static const char *const names[] = {
		[ROLE_PARTNER] = "partner",
		[ROLE_PRIMARY] = "primary",
	};

	return NAME_OF(names, role);
}

const char *procedure_outcome_name(enum procedure_outcome outcome)
{
	static const char *const names[] = {
		[OUTCOME_NONE] = "none",
		[OUTCOME_SUCCESS] = "success",
		[OUTCOME_FAILURE] = "failure",
	};

	return NAME_OF(names, outcome);
}

const char *mapping_status_name(enum mapping_status status)
{
	static const char *const names[] = {
		[MAPPING_ACTIVE] = "active",
		[MAPPING_RESERVED] = "reserved",
		[MAPPING_ENDED] = "ended",
	};

	return NAME_OF(names, status);
}

const char *mcinfo_verb_name(enum mcinfo_verb verb)
{
	static const char *const names[] = {
		[MCINFO_AUTHORIZATION] = "authorization",
		[MCINFO_DEAUTHORIZATION] = "de-authorization",
	};

	return NAME_OF(names, verb);
}
