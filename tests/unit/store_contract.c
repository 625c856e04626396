/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract, first half: loads, guarded writes, a model to compare with. */
#include "store_contract_tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct uuid no_id;

static void test_unknown_user(void)
{
	struct user_record record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	record_init(&record, MC_SERVICE_MCPTT, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, PARTNER_ID));
	record_init(&record, MC_SERVICE_MCDATA, ROLE_PRIMARY, "");
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	fixture_close(store);
}

static void test_what_is_written_is_loaded(void)
{
	struct user_record record, before;
	struct store *store;
	char primary_id[MCID_SIZE];

	fixture_reset();
	store = fixture_open("n1", true);
	for (int i = 0; i < 100; i++) {
		random_text(primary_id, sizeof(primary_id));
		random_record(&record, 1 + random_below(2), primary_id);
		record_copy(&record, &before);
		if (fixture_write_one(store, &record) == STORE_ITEM_CONFLICT)
			goto next; /* the same random text again */
		/* Raising versions is record_settle()'s. */
		CU_ASSERT(records_equal(&before, &record));
		fixture_settle(&record);
		CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	next:
		record_clear(&before);
		record_clear(&record);
	}
	fixture_close(store);
}

static void test_version_guard(void)
{
	struct user_record first, second, bystander;
	struct store_item a = { .record = &second };
	struct store_item b = { .record = &bystander };
	struct store_item *items[] = { &a, &b };
	struct store *one, *two;

	fixture_reset();
	one = fixture_open("n1", true);
	two = fixture_open("n2", true);
	random_record(&first, ROLE_PARTNER, PRIMARY_ID);
	record_copy(&first, &second);
	second.mappings[0].status = MAPPING_ENDED;
	random_procedure(record_add_procedure(&second), PRIMARY_ID, true);
	random_record(&bystander, ROLE_PARTNER, OTHER_PRIMARY_ID);

	CU_ASSERT_EQUAL(fixture_write_one(one, &first), STORE_ITEM_DONE);
	fixture_settle(&first);
	/* The second writer knows of no row: nothing of it is written. */
	CU_ASSERT_EQUAL(fixture_write(two, items, 2), 0);
	CU_ASSERT_EQUAL(a.status, STORE_ITEM_CONFLICT);
	CU_ASSERT_EQUAL(b.status, STORE_ITEM_DONE);
	fixture_settle(&bystander);
	CU_ASSERT(fixture_loads_as(two, &first, NULL, ""));
	CU_ASSERT(fixture_loads_as(two, &bystander, NULL, ""));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 4);

	/* An older version, and one that never was. */
	record_clear(&second);
	record_copy(&first, &second);
	second.last_sequence = 1;
	CU_ASSERT_EQUAL(fixture_write_one(two, &second), STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_write_one(one, &first), STORE_ITEM_CONFLICT);
	first.version = 3;
	CU_ASSERT_EQUAL(fixture_write_one(one, &first), STORE_ITEM_CONFLICT);
	fixture_settle(&second);
	CU_ASSERT(fixture_loads_as(one, &second, NULL, ""));

	record_clear(&first);
	record_clear(&second);
	record_clear(&bystander);
	fixture_close(one);
	fixture_close(two);
}

static void test_row_that_vanished_conflicts(void)
{
	struct user_record record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	record.version = 7;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_CONFLICT);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 0);
	record.version = 0;
	record.mappings[0].version = 7;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_CONFLICT);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 0);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM partner_mapping"),
			0);
	record_clear(&record);
	fixture_close(store);
}

static void test_new_procedure_guard(void)
{
	struct user_record record;
	struct procedure again;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PRIMARY, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);

	again = record.procedures[0];
	record.procedures[0].is_new = true;
	record.procedures[0].changed = true;
	record.procedures[0].deadline_us = 7777777777777;
	record.migrations[0].changed = true;
	record.migrations[0].epoch = 7878787878787;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_CONFLICT);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure "
				      "WHERE deadline_us = 7777777777777"),
			0);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM primary_migration "
				      "WHERE epoch = 7878787878787"),
			0);

	/* The same ID under another sequence is another procedure. */
	again.sequence ^= 1;
	again.changed = again.is_new = true;
	record.procedures[0] = again;
	record.migrations[0].changed = false;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 3);
	record_clear(&record);
	fixture_close(store);
}

static void test_changed_procedure_that_was_purged(void)
{
	struct user_record record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	fixture_execute("DELETE FROM procedure");
	record.procedures[0].changed = true;
	record.procedures[1].changed = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	record_clear(&record);
	fixture_close(store);
}

static void test_mapping_guard(void)
{
	struct user_record holder, claimer;
	struct mapping *claim;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&holder, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(store, &holder), STORE_ITEM_DONE);
	fixture_settle(&holder);

	/* The claimer looked before the holder came. */
	random_record(&claimer, ROLE_PARTNER, OTHER_PRIMARY_ID);
	claimer.service = holder.service;
	claim = &claimer.mappings[0];
	strcpy(claim->partner_id, holder.mappings[0].partner_id);
	CU_ASSERT_EQUAL(fixture_write_one(store, &claimer),
			STORE_ITEM_CONFLICT);
	CU_ASSERT(fixture_loads_as(store, &holder, NULL, ""));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 1);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 2);

	/* With the row that is there it takes over. */
	claim->version = holder.mappings[0].version;
	CU_ASSERT_EQUAL(fixture_write_one(store, &claimer), STORE_ITEM_DONE);
	fixture_settle(&claimer);
	CU_ASSERT(fixture_loads_as(store, &claimer, NULL, ""));
	holder.mappings[0].changed = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, &holder), STORE_ITEM_CONFLICT);

	/* In another service the same partner ID is another row. */
	holder.service = holder.service % 3 + 1;
	holder.version = holder.mappings[0].version = 0;
	CU_ASSERT_EQUAL(fixture_write_one(store, &holder), STORE_ITEM_DONE);
	record_clear(&holder);
	record_clear(&claimer);
	fixture_close(store);
}

static void test_two_claims_in_one_batch(void)
{
	struct user_record record[2];
	struct store_item item[2] = { { .record = &record[0] },
				      { .record = &record[1] } };
	struct store_item *items[] = { &item[0], &item[1] };
	struct store *store;
	int winner;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record[0], ROLE_PARTNER, PRIMARY_ID);
	random_record(&record[1], ROLE_PARTNER, OTHER_PRIMARY_ID);
	record[1].service = record[0].service;
	strcpy(record[1].mappings[0].partner_id,
	       record[0].mappings[0].partner_id);
	CU_ASSERT_EQUAL(fixture_write(store, items, 2), 0);
	winner = item[0].status == STORE_ITEM_DONE ? 0 : 1;
	CU_ASSERT_EQUAL(item[winner].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(item[!winner].status, STORE_ITEM_CONFLICT);
	fixture_settle(&record[winner]);
	CU_ASSERT(fixture_loads_as(store, &record[winner], NULL, ""));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 1);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 2);
	record_clear(&record[0]);
	record_clear(&record[1]);
	fixture_close(store);
}

static void test_load_gives_live_and_asked_procedures(void)
{
	struct user_record record, expected;
	struct store *store;
	struct procedure *procedure;
	struct uuid asked;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	for (int i = 0; i < 6; i++) {
		procedure = record_add_procedure(&record);
		random_procedure(procedure, PRIMARY_ID, i % 2);
	}
	/* Done, and asked for: two rows of one ID. */
	procedure = record_add_procedure(&record);
	random_procedure(procedure, PRIMARY_ID, false);
	asked = procedure->id;
	procedure = record_add_procedure(&record);
	random_procedure(procedure, PRIMARY_ID, false);
	procedure->id = asked;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);

	record_copy(&record, &expected);
	expected.procedure_count = 0;
	for (size_t i = 0; i < record.procedure_count; i++) {
		if (procedure_is_live(&record.procedures[i]) ||
		    uuid_equal(&record.procedures[i].id, &asked))
			expected.procedures[expected.procedure_count++] =
			    record.procedures[i];
	}
	CU_ASSERT_EQUAL(expected.procedure_count, 7);
	CU_ASSERT(fixture_loads_as(store, &expected, &asked, ""));
	expected.procedure_count -= 2;
	CU_ASSERT(fixture_loads_as(store, &expected, &no_id, ""));
	/* A live one that is asked for comes once. */
	CU_ASSERT(
	    fixture_loads_as(store, &expected, &expected.procedures[0].id, ""));
	record_clear(&record);
	record_clear(&expected);
	fixture_close(store);
}

static void test_load_gives_own_and_asked_mappings(void)
{
	struct user_record record, other, expected;
	struct mapping *mapping;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	for (unsigned status = 1; status <= MAPPING_ENDED; status++) {
		mapping = record_add_mapping(&record);
		random_mapping(mapping, PRIMARY_ID);
		mapping->status = status;
	}
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	random_record(&other, ROLE_PARTNER, OTHER_PRIMARY_ID);
	other.service = record.service;
	CU_ASSERT_EQUAL(fixture_write_one(store, &other), STORE_ITEM_DONE);
	fixture_settle(&other);

	/* Not the ended one, unless it is asked for. */
	CU_ASSERT(fixture_loads_as(store, &record, NULL,
				   record.mappings[3].partner_id));
	record_copy(&record, &expected);
	expected.mapping_count = 3;
	CU_ASSERT(fixture_loads_as(store, &expected, NULL, ""));
	CU_ASSERT(fixture_loads_as(store, &expected, NULL,
				   record.mappings[0].partner_id));
	*record_add_mapping(&expected) = other.mappings[0];
	CU_ASSERT(fixture_loads_as(store, &expected, NULL,
				   other.mappings[0].partner_id));
	record_clear(&record);
	record_clear(&other);
	record_clear(&expected);
	fixture_close(store);
}

static void change_one_procedure(enum procedure_role role)
{
	struct user_record record, expected;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, role, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	record_copy(&record, &expected);
	record.procedures[0].deadline_us ^= 1;
	if (role == ROLE_PARTNER)
		record.mappings[0].ended_us ^= 1;
	else
		record.migrations[0].ended_us ^= 1;
	record.procedures[1].changed = true;
	record.procedures[1].order ^= 1;
	expected.procedures[1].order ^= 1;
	record.last_order ^= 1;
	expected.last_order ^= 1;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	expected.version++;
	CU_ASSERT(fixture_loads_as(store, &expected, NULL, ""));
	record_clear(&record);
	record_clear(&expected);
	fixture_close(store);
}

static void test_only_what_changed_is_written(void)
{
	change_one_procedure(ROLE_PARTNER);
	change_one_procedure(ROLE_PRIMARY);
}

static void test_counter_that_is_too_big(void)
{
	struct user_record bad, good;
	struct store_item a = { .record = &bad }, b = { .record = &good };
	struct store_item *items[] = { &a, &b };
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&bad, ROLE_PARTNER, PRIMARY_ID);
	random_record(&good, ROLE_PARTNER, OTHER_PRIMARY_ID);
	bad.procedures[1].sequence = (uint64_t)INT64_MAX + 1;
	CU_ASSERT_EQUAL(fixture_write(store, items, 2), 0);
	CU_ASSERT_EQUAL(a.status, STORE_ITEM_FAILED);
	CU_ASSERT_EQUAL(b.status, STORE_ITEM_DONE);
	fixture_settle(&good);
	CU_ASSERT(fixture_loads_as(store, &good, NULL, ""));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 2);
	record_clear(&bad);
	record_clear(&good);
	fixture_close(store);
}

/* ----------------------------------------------------------------- batches */

static void batch_of(size_t count)
{
	struct user_record *records = calloc(count, sizeof(*records));
	struct user_record *found = calloc(count, sizeof(*found));
	struct store_item *item = calloc(count, sizeof(*item));
	struct store_item **items = calloc(count, sizeof(struct store_item *));
	struct store *store = fixture_open("n1", true);
	char id[MCID_SIZE];

	CU_ASSERT_FATAL(records && found && item && items);
	for (size_t i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "sip:user%zu@a.example", i);
		random_record(&records[i], 1 + i % 2, id);
		item[i].record = &records[i];
		items[i] = &item[i];
	}
	CU_ASSERT_EQUAL(fixture_write(store, items, count), 0);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(item[i].status, STORE_ITEM_DONE);
		fixture_settle(&records[i]);
		record_init(&found[i], records[i].service, records[i].role,
			    records[i].primary_id);
		item[i].record = &found[i];
		item[i].partner_id = "";
		item[i].peer_system = SYSTEM_A;
	}
	CU_ASSERT_EQUAL(fixture_load(store, items, count), 0);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(item[i].status, STORE_ITEM_DONE);
		CU_ASSERT(records_equal(&records[i], &found[i]));
		record_clear(&records[i]);
		record_clear(&found[i]);
	}
	fixture_close(store);
	free(records);
	free(found);
	free(item);
	free(items);
}

static void test_batches(void)
{
	static const size_t counts[] = { 1, 2, 500 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		fixture_reset();
		batch_of(counts[i]);
	}
}

static void test_load_and_write_at_once(void)
{
	struct user_record written, loaded;
	struct store_item a = { .record = &loaded,
				.partner_id = "",
				.peer_system = SYSTEM_A };
	struct store_item b = { .record = &written };
	struct store_item *load = &a, *write = &b;
	const struct store_backend_ops *ops;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	ops = store->backend->ops;
	random_record(&written, ROLE_PARTNER, PRIMARY_ID);
	record_init(&loaded, MC_SERVICE_MCPTT, ROLE_PRIMARY, OTHER_PRIMARY_ID);
	for (int i = 0; i < 20; i++) {
		fixture_begin(store);
		CU_ASSERT_EQUAL_FATAL(ops->load(store->backend, &load, 1), 0);
		store->in_call = false;
		CU_ASSERT_EQUAL(fixture_write(store, &write, 1), 0);
		CU_ASSERT_EQUAL(a.status, STORE_ITEM_DONE);
		CU_ASSERT_EQUAL(b.status, STORE_ITEM_DONE);
		fixture_settle(&written);
	}
	CU_ASSERT(fixture_loads_as(store, &written, NULL, ""));
	record_clear(&written);
	fixture_close(store);
}

CU_TestInfo store_contract_tests[] = {
	{ "a user that is not stored", test_unknown_user },
	{ "what is written is loaded", test_what_is_written_is_loaded },
	{ "the first writer of a version wins", test_version_guard },
	{ "a row that vanished conflicts", test_row_that_vanished_conflicts },
	{ "a new procedure that exists conflicts", test_new_procedure_guard },
	{ "a purged procedure that changes is written",
	  test_changed_procedure_that_was_purged },
	{ "a mapping claimed meanwhile conflicts", test_mapping_guard },
	{ "two claims in one batch: one wins", test_two_claims_in_one_batch },
	{ "live procedures and the asked one are loaded",
	  test_load_gives_live_and_asked_procedures },
	{ "own mappings and the asked one are loaded",
	  test_load_gives_own_and_asked_mappings },
	{ "only what changed is written", test_only_what_changed_is_written },
	{ "a counter that is too big fails alone",
	  test_counter_that_is_too_big },
	{ "batches of 1, 2 and 500", test_batches },
	{ "a load and a write at once", test_load_and_write_at_once },
	{ "admissions that fit", test_admissions },
	{ "users, profiles, permissions", test_users_profiles_permissions },
	{ "the directory", test_directory },
	{ "sources of systems and of our gateways", test_sources },
	{ "direct or by gateway, switched at run time", test_path_is_switched },
	{ "changes of gateways and sources are noticed",
	  test_gateway_changes_are_noticed },
	{ "a change of provisioning is noticed",
	  test_provisioning_change_is_noticed },
	{ "rows of queries", test_query_rows },
	{ "gateways, sources and paths of queries", test_query_gateways },
	{ "arguments of queries", test_query_arguments },
	{ "who is migrating", test_query_migrating },
	{ "redirection to the partner", test_redirection_to_partner },
	{ "redirection to the primary", test_redirection_to_primary },
	{ "another schema version is refused", test_schema_version_is_checked },
	{ "the derivation key stays", test_derivation_key_stays },
	{ "the second incarnation takes the lease",
	  test_second_incarnation_takes_the_lease },
	{ "what is written outlives the process", test_written_is_durable },
	{ "a killed writer loses nothing", test_killed_writer_loses_nothing },
	{ "users with live procedures are found", test_find_live },
	{ "only old finished procedures are purged", test_purge },
	{ "users with nothing left are purged", test_purge_of_users },
	{ "a write touches the user", test_write_touches_the_user },
	{ "a row that was made again conflicts",
	  test_row_that_was_made_again_conflicts },
	{ "random operations against a model",
	  test_random_operations_against_a_model },
	CU_TEST_INFO_NULL,
};
