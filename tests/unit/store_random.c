/* SPDX-License-Identifier: BSD-2-Clause */
/* Random records of the contract suite, and how two of them compare. */
#include "store_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SAME(field) (a->field == b->field)
#define SAME_TEXT(field) (!strcmp(a->field, b->field))

static uint64_t random_state;

static void seed(void)
{
	const char *given = getenv("STORE_CONTRACT_SEED");

	random_state = given ? strtoull(given, NULL, 0) : clock_utc_us();
	fprintf(stderr, "STORE_CONTRACT_SEED=%" PRIu64 "\n", random_state);
}

/* splitmix64 */
static uint64_t random_next(void)
{
	uint64_t z;

	if (!random_state)
		seed();
	z = random_state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t random_below(uint64_t bound)
{
	return random_next() % bound;
}

uint64_t random_counter(void)
{
	switch (random_below(6)) {
	case 0:
		return 0;
	case 1:
		return INT64_MAX;
	case 2:
		return random_below(1000);
	default:
		return random_next() >> 1;
	}
}

void random_text(char *text, size_t size)
{
	static const char *const pieces[] = {
		"a",	    "Z",
		"0",	    "'",
		"''",	    "\"",
		"\\",	    "%",
		"_",	    ";",
		" ",	    "--",
		"\xc3\xa9", "\xe6\xbc\xa2",
		"{",	    ",",
		"$1",	    "?",
		"NULL",	    "\xf0\x9f\x9a\x92",
	};
	size_t length = random_below(3) ? random_below(40) : size - 1;
	size_t used = 0;

	length = length < size ? length : size - 1;
	while (used < length) {
		const char *piece =
		    pieces[random_below(sizeof(pieces) / sizeof(*pieces))];

		if (used + strlen(piece) > length)
			piece = "x";
		memcpy(text + used, piece, strlen(piece));
		used += strlen(piece);
	}
	text[used] = '\0';
}

/* Likewise, but no two are equal. */
static void random_key(char *text, size_t size)
{
	int used = snprintf(text, size, "%016" PRIx64, random_next());

	random_text(text + used, size - (size_t)used);
}

/* As the client wrote it: nothing, the canonical form, or another. */
static void random_given(char *given, const char *canonical)
{
	switch (random_below(3)) {
	case 0:
		*given = '\0';
		break;
	case 1:
		memcpy(given, canonical, strlen(canonical) + 1);
		break;
	default:
		random_text(given, MCID_SIZE);
	}
}

static void random_uuid(struct uuid *uuid)
{
	uint64_t halves[2] = { random_next(), random_next() };

	memcpy(uuid, halves, sizeof(*uuid));
}

void random_procedure(struct procedure *procedure, const char *primary_id,
		      bool live)
{
	*procedure = (struct procedure){
		.sequence = random_counter(),
		.order = random_counter(),
		.epoch = random_counter(),
		.verb = 1 + random_below(2),
		.state = PROCEDURE_DONE,
		.outcome = random_below(3),
		.cause = random_below(CAUSE_END),
		.profile_index = random_below(MCINFO_PROFILE_INDEX_MAX + 1),
		.created_us = random_counter(),
		.deadline_us = random_counter(),
		.finished_us = random_counter(),
		.changed = true,
		.is_new = true,
	};
	random_uuid(&procedure->id);
	if (live && random_below(4))
		procedure->state = 1 + random_below(PROCEDURE_DONE - 1);
	else
		procedure->telling = live;
	random_text(procedure->partner_id, sizeof(procedure->partner_id));
	random_text(procedure->peer_system, sizeof(procedure->peer_system));
	random_text(procedure->client_uri, sizeof(procedure->client_uri));
	if (random_below(2))
		random_text(procedure->client_identity,
			    sizeof(procedure->client_identity));
	random_given(procedure->partner_id_given, procedure->partner_id);
	random_given(procedure->primary_id_given, primary_id);
}

void random_mapping(struct mapping *mapping, const char *primary_id)
{
	*mapping = (struct mapping){
		.status = 1 + random_below(MAPPING_ENDED),
		.sequence = random_counter(),
		.profile_index = random_below(MCINFO_PROFILE_INDEX_MAX + 1),
		.started_us = random_counter(),
		.ended_us = random_counter(),
		.changed = true,
	};
	random_uuid(&mapping->procedure_id);
	random_key(mapping->partner_id, sizeof(mapping->partner_id));
	random_text(mapping->primary_system, sizeof(mapping->primary_system));
	snprintf(mapping->primary_id, sizeof(mapping->primary_id), "%s",
		 primary_id);
}

void random_migration(struct migration *migration)
{
	*migration = (struct migration){
		.active = random_below(2),
		.sequence = random_counter(),
		.deauthorized_sequence = random_counter(),
		.epoch = random_counter(),
		.profile_index = random_below(MCINFO_PROFILE_INDEX_MAX + 1),
		.started_us = random_counter(),
		.ended_us = random_counter(),
		.changed = true,
	};
	random_uuid(&migration->procedure_id);
	random_key(migration->partner_system,
		   sizeof(migration->partner_system));
	random_text(migration->partner_id, sizeof(migration->partner_id));
}

static void random_counters(struct user_record *record)
{
	record->last_sequence = random_counter();
	record->last_order = random_counter();
	record->last_epoch = random_counter();
	record->confirmed_epoch = random_counter();
}

void random_record(struct user_record *record, enum procedure_role role,
		   const char *primary_id)
{
	struct mapping *mapping;

	record_init(record, 1 + random_below(3), role, primary_id);
	random_counters(record);
	random_procedure(record_add_procedure(record), primary_id, true);
	random_procedure(record_add_procedure(record), primary_id, true);
	if (role == ROLE_PRIMARY) {
		random_migration(record_add_migration(record));
		random_migration(record_add_migration(record));
		return;
	}
	mapping = record_add_mapping(record);
	random_mapping(mapping, primary_id);
	mapping->status = 1 + random_below(2);
}

/* --------------------------------------------------------------- comparing */

static bool procedures_equal(const struct procedure *a,
			     const struct procedure *b)
{
	return uuid_equal(&a->id, &b->id) && SAME(sequence) && SAME(order) &&
	       SAME(epoch) && SAME(verb) && SAME(state) && SAME(outcome) &&
	       SAME(cause) && SAME(profile_index) && SAME(telling) &&
	       SAME(created_us) && SAME(deadline_us) && SAME(finished_us) &&
	       SAME_TEXT(partner_id) && SAME_TEXT(partner_id_given) &&
	       SAME_TEXT(primary_id_given) && SAME_TEXT(peer_system) &&
	       SAME_TEXT(client_uri) && SAME_TEXT(client_identity);
}

static bool mappings_equal(const struct mapping *a, const struct mapping *b)
{
	return SAME_TEXT(partner_id) && SAME_TEXT(primary_id) &&
	       SAME_TEXT(primary_system) && SAME(version) && SAME(status) &&
	       uuid_equal(&a->procedure_id, &b->procedure_id) &&
	       SAME(sequence) && SAME(profile_index) && SAME(started_us) &&
	       SAME(ended_us);
}

static bool migrations_equal(const struct migration *a,
			     const struct migration *b)
{
	return SAME_TEXT(partner_system) && SAME_TEXT(partner_id) &&
	       SAME(active) && uuid_equal(&a->procedure_id, &b->procedure_id) &&
	       SAME(sequence) && SAME(deauthorized_sequence) && SAME(epoch) &&
	       SAME(profile_index) && SAME(started_us) && SAME(ended_us);
}

static bool rows_equal(const struct user_record *a, const struct user_record *b)
{
	bool same = SAME(service) && SAME(role) && SAME_TEXT(primary_id) &&
		    SAME(version) && SAME(last_sequence) && SAME(last_order) &&
		    SAME(last_epoch) && SAME(confirmed_epoch) &&
		    SAME(procedure_count) && SAME(mapping_count) &&
		    SAME(migration_count);

	if (!same)
		fprintf(stderr,
			"%s: version %" PRIu64 " / %" PRIu64
			", procedures %zu / %zu, mappings %zu / %zu, "
			"migrations %zu / %zu, or a counter\n",
			a->primary_id, a->version, b->version,
			a->procedure_count, b->procedure_count,
			a->mapping_count, b->mapping_count, a->migration_count,
			b->migration_count);
	return same;
}

static bool differs(const char *what, const char *name)
{
	fprintf(stderr, "%s of %s differs or is missing\n", what, name);
	return false;
}

bool records_equal(const struct user_record *expected,
		   const struct user_record *found)
{
	if (!rows_equal(expected, found))
		return false;
	for (size_t i = 0; i < expected->procedure_count; i++) {
		const struct procedure *a = &expected->procedures[i];
		bool same = false;

		for (size_t j = 0; j < found->procedure_count; j++)
			same |= procedures_equal(a, &found->procedures[j]);
		if (!same)
			return differs("procedure", expected->primary_id);
	}
	for (size_t i = 0; i < expected->mapping_count; i++) {
		const struct mapping *a = &expected->mappings[i];
		const struct mapping *b =
		    record_find_mapping(found, a->partner_id);

		if (!b || !mappings_equal(a, b))
			return differs("mapping", expected->primary_id);
	}
	for (size_t i = 0; i < expected->migration_count; i++) {
		const struct migration *a = &expected->migrations[i];
		const struct migration *b =
		    record_find_migration(found, a->partner_system);

		if (!b || !migrations_equal(a, b))
			return differs("migration", expected->primary_id);
	}
	return true;
}

void record_copy(const struct user_record *record, struct user_record *copy)
{
	*copy = *record;
	copy->procedures = NULL;
	copy->mappings = NULL;
	copy->migrations = NULL;
	copy->admissions = NULL;
	copy->profiles = NULL;
	copy->permissions = NULL;
	copy->procedure_count = copy->mapping_count = 0;
	copy->migration_count = copy->admission_count = 0;
	copy->profile_count = copy->permission_count = 0;
	for (size_t i = 0; i < record->procedure_count; i++)
		*record_add_procedure(copy) = record->procedures[i];
	for (size_t i = 0; i < record->mapping_count; i++)
		*record_add_mapping(copy) = record->mappings[i];
	for (size_t i = 0; i < record->migration_count; i++)
		*record_add_migration(copy) = record->migrations[i];
}
