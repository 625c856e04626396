/* SPDX-License-Identifier: BSD-2-Clause */
/* The SQLite backend: the contract, and what only a file can suffer. */
#include "unit.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "store_fixture.h"
#include "store_sqlite_target.h"

/* ----------------------------------------------------- what a file suffers */

static void assert_serves(struct store *store)
{
	struct user_record record;

	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	record_clear(&record);
}

static void test_no_file(void)
{
	struct store *store;

	sqlite_target_remove();
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "does not exist"));
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "sqlite3 FILE <"));
	CU_ASSERT_NOT_EQUAL(access(sqlite_target_file, F_OK), 0);
	CU_ASSERT_EQUAL(fixture_load_directory(store), ENOTCONN);
	fixture_reset();
	CU_ASSERT(fixture_wait(store, &store->up));
	assert_serves(store);
	fixture_close(store);
}

static void test_not_our_file(void)
{
	struct store *store;
	FILE *out;

	sqlite_target_remove();
	out = fopen(sqlite_target_file, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fclose(out);
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "schema"));
	fixture_close(store);

	out = fopen(sqlite_target_file, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fprintf(out, "This is not a database, and it is long enough to see.\n");
	fclose(out);
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "not a database"));
	fixture_close(store);
}

static void test_file_is_replaced(void)
{
	struct store *store;
	unsigned ups;

	fixture_reset();
	store = fixture_open("n1", true);
	ups = store->ups;
	fixture_reset();
	CU_ASSERT(fixture_wait_count(store, &store->ups, ups));
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "replaced"));
	assert_serves(store);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 1);
	fixture_close(store);
}

static void test_locked_by_another(void)
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *store;
	sqlite3 *other;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(sqlite_target_file, &other),
			      SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL,
				     NULL),
			SQLITE_OK);
	/* Readers go on. */
	CU_ASSERT_EQUAL(fixture_load_directory(store), 0);
	CU_ASSERT_EQUAL(fixture_write(store, &items, 1), EIO);
	CU_ASSERT(fixture_wait_count(store, &store->downs, 0));
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "write lock"));
	CU_ASSERT_EQUAL(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL),
			SQLITE_OK);
	sqlite3_close(other);
	CU_ASSERT(fixture_wait(store, &store->up));
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
	fixture_close(store);
}

/* A lock that goes away in time is nothing but a wait. */
static void test_short_lock_is_waited_for(void)
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *store;
	sqlite3 *other;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(sqlite_target_file, &other),
			      SQLITE_OK);
	sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	fixture_begin(store);
	CU_ASSERT_EQUAL_FATAL(
	    store->backend->ops->write(store->backend, &items, 1), 0);
	store->in_call = false;
	store_contract_target.pump(store->backend, 50);
	CU_ASSERT_FALSE(store->ended);
	sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(other);
	CU_ASSERT_EQUAL(fixture_end(store, 0), 0);
	CU_ASSERT_EQUAL(item.status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(store->downs, 0);
	record_clear(&record);
	fixture_close(store);
}

/* An overdue batch is given up: it ends, once, and the store comes back. */
static void test_abandoned_batch(void)
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *store;
	sqlite3 *other;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(sqlite_target_file, &other),
			      SQLITE_OK);
	sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	fixture_begin(store);
	CU_ASSERT_EQUAL_FATAL(
	    store->backend->ops->write(store->backend, &items, 1), 0);
	store->in_call = false;
	store_contract_target.pump(store->backend, 20);
	store->backend->ops->abandon(store->backend);
	CU_ASSERT(fixture_wait_count(store, &store->downs, 0));
	CU_ASSERT_EQUAL(fixture_end(store, 0), EIO);
	sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(other);
	CU_ASSERT(fixture_wait(store, &store->up));
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
	fixture_close(store);
}

/* The file may not grow any more, as on a full disk: an error, and service
 * again when there is room. */
static void test_no_room(void)
{
	struct rlimit before, tight;
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *store;
	int err = 0;

	fixture_reset();
	store = fixture_open("n1", true);
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = 128 * 1024;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (unsigned i = 0; i < 200 && !err; i++) {
		char id[MCID_SIZE];

		snprintf(id, sizeof(id), "sip:user%u@a.example", i);
		random_record(&record, ROLE_PARTNER, id);
		err = fixture_write(store, &items, 1);
		if (!err)
			record_clear(&record);
	}
	CU_ASSERT_EQUAL(err, EIO);
	CU_ASSERT(fixture_wait_count(store, &store->downs, 0));
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
	CU_ASSERT(fixture_wait(store, &store->up));
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
	fixture_close(store);
}

/* A constraint that one item breaks does not touch the others of its batch. */
static void test_item_that_breaks_a_constraint(void)
{
	struct user_record record[3];
	struct store_item item[3], *items[3];
	struct store *store;
	char id[MCID_SIZE];

	fixture_reset();
	fixture_execute("CREATE TRIGGER refused BEFORE INSERT ON procedure "
			"WHEN new.primary_id = 'sip:u1@a.example' BEGIN "
			"SELECT raise(ABORT, 'refused'); END");
	store = fixture_open("n1", true);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "sip:u%u@a.example", i);
		random_record(&record[i], ROLE_PARTNER, id);
		item[i] = (struct store_item){ .record = &record[i] };
		items[i] = &item[i];
	}
	CU_ASSERT_EQUAL(fixture_write(store, items, 3), 0);
	CU_ASSERT_EQUAL(item[0].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(item[1].status, STORE_ITEM_FAILED);
	CU_ASSERT_EQUAL(item[2].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 2);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM partner_mapping"),
			2);
	CU_ASSERT_EQUAL(store->downs, 0);
	for (unsigned i = 0; i < 3; i++)
		record_clear(&record[i]);
	fixture_close(store);
}

/* Two daemons of one name do not take the lease from each other for ever. */
static void test_lost_lease_is_waited_for(void)
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *one, *two;
	unsigned ups;

	fixture_reset();
	one = fixture_open("n1", true);
	two = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write(one, &items, 1), EPERM);
	CU_ASSERT(fixture_wait_count(one, &one->downs, 0));
	ups = one->ups;
	for (int i = 0; i < 5; i++)
		store_contract_target.pump(one->backend, 100);
	CU_ASSERT_EQUAL(one->ups, ups);
	CU_ASSERT_EQUAL(fixture_write_one(two, &record), STORE_ITEM_DONE);
	/* A stop gives the lease back. */
	fixture_close(two);
	CU_ASSERT(fixture_wait_count(one, &one->ups, ups));
	fixture_settle(&record);
	CU_ASSERT_EQUAL(fixture_write_one(one, &record), STORE_ITEM_DONE);
	record_clear(&record);
	fixture_close(one);
}

static void test_bad_provisioning_is_refused(void)
{
	static const char *const bad[] = {
		"INSERT INTO mc_system (name, enabled) VALUES ('x', 2)",
		"INSERT INTO mc_system (name) VALUES ('')",
		"INSERT INTO mc_system_domain (domain, system) "
		"VALUES ('A.example', 'a.example')",
		"INSERT INTO admission (primary_system, valid_from) "
		"VALUES ('a.example', 'tomorrow')",
		"INSERT INTO admission (primary_system, valid_until) "
		"VALUES ('a.example', '2026-13-45T00:00:00Z')",
		"INSERT INTO admission (primary_system, valid_until) "
		"VALUES ('a.example', 17)",
		"INSERT INTO user_profile (primary_id, service, profile_index) "
		"VALUES ('sip:a@a.example', 'mcptt', 256)",
	};
	sqlite3 *db;

	fixture_reset();
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(sqlite_target_file, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int rc = sqlite3_exec(db, bad[i], NULL, NULL, NULL);

		if (rc != SQLITE_CONSTRAINT)
			fprintf(stderr, "not refused: %s\n", bad[i]);
		CU_ASSERT_EQUAL(rc, SQLITE_CONSTRAINT);
	}
	sqlite3_close(db);
}

static CU_TestInfo file_tests[] = {
	{ "no file: said with the remedy, nothing is created", test_no_file },
	{ "not our file", test_not_our_file },
	{ "a replaced file is noticed", test_file_is_replaced },
	{ "another process keeps the write lock", test_locked_by_another },
	{ "a short lock is waited for", test_short_lock_is_waited_for },
	{ "an abandoned batch ends, the store comes back",
	  test_abandoned_batch },
	{ "no room for the file to grow", test_no_room },
	{ "an item that breaks a constraint fails alone",
	  test_item_that_breaks_a_constraint },
	{ "a lost lease is waited for", test_lost_lease_is_waited_for },
	{ "bad provisioning is refused by the schema",
	  test_bad_provisioning_is_refused },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "store contract: sqlite", sqlite_target_init, sqlite_target_clean,
	  NULL, NULL, store_contract_tests },
	{ "store_sqlite", sqlite_target_init, sqlite_target_clean, NULL, NULL,
	  file_tests },
	CU_SUITE_INFO_NULL,
};
