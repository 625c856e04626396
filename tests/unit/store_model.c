/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store in memory, as simple as can be, and random batches on it and on the
 * backend: every load and every status has to be the same.
 */
#include "store_contract_tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS 24
#define PARTNER_IDS 16
#define ROUNDS 120
#define BATCH_MAX 8

struct model {
	struct user_record users[USERS];      /* every row, but for mappings */
	struct mapping mappings[PARTNER_IDS]; /* version 0: no row */
};

/* One of a batch: what was loaded, changed, and how it should end. */
struct attempt {
	unsigned user;
	unsigned partner; /* the partner ID that only this one may claim */
	struct user_record record;
	struct uuid asked;
	bool broken; /* a guard will fail */
	struct store_item item;
};

static const char *partner_id_of(unsigned partner, char id[MCID_SIZE])
{
	snprintf(id, MCID_SIZE, "sip:it's-%u@b.example", partner);
	return id;
}

static void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	for (unsigned i = 0; i < USERS; i++) {
		char id[MCID_SIZE];

		snprintf(id, sizeof(id), "sip:u%u\"%%@a.example", i);
		record_init(&model->users[i], MC_SERVICE_MCVIDEO, 1 + i % 2,
			    id);
	}
	for (unsigned i = 0; i < PARTNER_IDS; i++)
		partner_id_of(i, model->mappings[i].partner_id);
}

/* What a load of this attempt has to give. */
static void expect(const struct model *model, const struct attempt *attempt,
		   struct user_record *expected)
{
	const struct user_record *user = &model->users[attempt->user];

	record_copy(user, expected);
	expected->procedure_count = 0;
	for (size_t i = 0; i < user->procedure_count; i++) {
		const struct procedure *procedure = &user->procedures[i];

		if (procedure_is_live(procedure) ||
		    uuid_equal(&procedure->id, &attempt->asked))
			expected->procedures[expected->procedure_count++] =
			    *procedure;
	}
	for (unsigned i = 0; i < PARTNER_IDS; i++) {
		const struct mapping *mapping = &model->mappings[i];

		if (user->role == ROLE_PRIMARY)
			break;
		if (mapping->version &&
		    (i == attempt->partner ||
		     (!strcmp(mapping->primary_id, user->primary_id) &&
		      mapping->status != MAPPING_ENDED)))
			*record_add_mapping(expected) = *mapping;
	}
}

static void change_procedures(struct user_record *record)
{
	if (record->procedure_count && random_below(2)) {
		struct procedure *procedure =
		    &record->procedures[random_below(record->procedure_count)];
		struct procedure changed;

		/* What names the row stays. */
		random_procedure(&changed, record->primary_id, random_below(2));
		changed.id = procedure->id;
		changed.sequence = procedure->sequence;
		memcpy(changed.partner_id, procedure->partner_id, MCID_SIZE);
		changed.is_new = false;
		*procedure = changed;
	}
	if (random_below(3))
		random_procedure(record_add_procedure(record),
				 record->primary_id, random_below(2));
}

static void change_mapping(struct attempt *attempt)
{
	struct user_record *record = &attempt->record;
	char id[MCID_SIZE];
	struct mapping *mapping, changed;

	mapping =
	    record_find_mapping(record, partner_id_of(attempt->partner, id));
	random_mapping(&changed, record->primary_id);
	memcpy(changed.partner_id, id, MCID_SIZE);
	changed.version = mapping ? mapping->version : 0;
	if (!mapping)
		mapping = record_add_mapping(record);
	*mapping = changed;
	if (!random_below(8)) {
		mapping->version +=
		    mapping->version && random_below(2) ? -1ull : 1;
		attempt->broken = true;
	}
}

static void change(struct attempt *attempt)
{
	struct user_record *record = &attempt->record;

	record->last_sequence = random_counter();
	record->last_order = random_counter();
	record->last_epoch = random_counter();
	record->confirmed_epoch = random_counter();
	change_procedures(record);
	if (record->role == ROLE_PARTNER && random_below(2))
		change_mapping(attempt);
	if (record->migration_count && random_below(2)) {
		struct migration *migration =
		    &record->migrations[random_below(record->migration_count)];
		struct migration changed;

		random_migration(&changed);
		memcpy(changed.partner_system, migration->partner_system,
		       SYSTEM_NAME_SIZE);
		*migration = changed;
	}
	if (record->role == ROLE_PRIMARY && !random_below(4))
		random_migration(record_add_migration(record));
	if (!random_below(8)) {
		record->version += 1 + random_below(2);
		attempt->broken = true;
	}
}

static void put_procedure(struct user_record *user,
			  const struct procedure *procedure)
{
	for (size_t i = 0; i < user->procedure_count; i++) {
		struct procedure *stored = &user->procedures[i];

		if (uuid_equal(&stored->id, &procedure->id) &&
		    stored->sequence == procedure->sequence &&
		    !strcmp(stored->partner_id, procedure->partner_id)) {
			*stored = *procedure;
			return;
		}
	}
	*record_add_procedure(user) = *procedure;
}

static void apply(struct model *model, const struct attempt *attempt)
{
	const struct user_record *record = &attempt->record;
	struct user_record *user = &model->users[attempt->user];
	struct migration *migration;

	user->version++;
	user->last_sequence = record->last_sequence;
	user->last_order = record->last_order;
	user->last_epoch = record->last_epoch;
	user->confirmed_epoch = record->confirmed_epoch;
	for (size_t i = 0; i < record->procedure_count; i++) {
		if (record->procedures[i].changed)
			put_procedure(user, &record->procedures[i]);
	}
	for (size_t i = 0; i < record->migration_count; i++) {
		migration = record_find_migration(
		    user, record->migrations[i].partner_system);
		if (!migration)
			migration = record_add_migration(user);
		*migration = record->migrations[i];
	}
	for (size_t i = 0; i < record->mapping_count; i++) {
		if (!record->mappings[i].changed)
			continue;
		model->mappings[attempt->partner] = record->mappings[i];
		model->mappings[attempt->partner].version++;
	}
}

static void choose(struct model *model, struct attempt *attempts, size_t count)
{
	unsigned first_user = random_below(USERS);
	unsigned first_partner = random_below(PARTNER_IDS);

	for (size_t i = 0; i < count; i++) {
		struct attempt *attempt = &attempts[i];
		struct user_record *user;

		*attempt = (struct attempt){
			.user = (first_user + i * 5) % USERS,
			.partner = (first_partner + i) % PARTNER_IDS,
		};
		user = &model->users[attempt->user];
		if (user->procedure_count)
			attempt->asked =
			    user->procedures[random_below(
						 user->procedure_count)]
				.id;
		record_init(&attempt->record, user->service, user->role,
			    user->primary_id);
	}
}

static void load_and_compare(struct store *store, const struct model *model,
			     struct attempt *attempts,
			     struct store_item **items, size_t count)
{
	char ids[BATCH_MAX][MCID_SIZE];

	for (size_t i = 0; i < count; i++) {
		attempts[i].item = (struct store_item){
			.record = &attempts[i].record,
			.procedure_id = attempts[i].asked,
			.partner_id =
			    partner_id_of(attempts[i].partner, ids[i]),
			.peer_system = SYSTEM_A,
		};
		items[i] = &attempts[i].item;
	}
	CU_ASSERT_EQUAL_FATAL(fixture_load(store, items, count), 0);
	for (size_t i = 0; i < count; i++) {
		struct user_record expected;

		expect(model, &attempts[i], &expected);
		CU_ASSERT(records_equal(&expected, &attempts[i].record));
		record_clear(&expected);
	}
}

static void round_of(struct store *reader, struct store *writer,
		     struct model *model)
{
	struct attempt attempts[BATCH_MAX];
	struct store_item *items[BATCH_MAX];
	size_t count = 1 + random_below(BATCH_MAX);

	choose(model, attempts, count);
	load_and_compare(reader, model, attempts, items, count);
	for (size_t i = 0; i < count; i++)
		change(&attempts[i]);
	CU_ASSERT_EQUAL_FATAL(fixture_write(writer, items, count), 0);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(attempts[i].item.status,
				attempts[i].broken ? STORE_ITEM_CONFLICT
						   : STORE_ITEM_DONE);
		if (!attempts[i].broken)
			apply(model, &attempts[i]);
		record_clear(&attempts[i].record);
	}
}

void test_random_operations_against_a_model(void)
{
	static struct model model;
	struct store *stores[2];

	fixture_reset();
	model_init(&model);
	stores[0] = fixture_open("n1", true);
	stores[1] = fixture_open("n2", true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		round_of(stores[random_below(2)], stores[random_below(2)],
			 &model);
		if (random_below(20))
			continue;
		fixture_close(stores[0]);
		stores[0] = fixture_open("n1", true);
	}
	for (unsigned i = 0; i < USERS; i++)
		record_clear(&model.users[i]);
	fixture_close(stores[0]);
	fixture_close(stores[1]);
}
