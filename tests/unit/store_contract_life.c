/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract, third part: what outlives a connection, a process, a node. */
#include "store_contract_tests.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

void test_schema_version_is_checked(void)
{
	struct store *store;

	fixture_reset();
	fixture_execute("UPDATE schema_version SET version = 9999");
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "9999"));
	CU_ASSERT_PTR_NULL(strstr(store->reason, "upgrade"));
	fixture_close(store);

	fixture_execute("UPDATE schema_version SET version = 2");
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "version 2,"));
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "upgrade-3.sql"));
	/* It comes up by itself when that is put right. */
	fixture_execute("UPDATE schema_version SET version = 3");
	CU_ASSERT(fixture_wait(store, &store->up));
	fixture_close(store);
}

void test_derivation_key_stays(void)
{
	static const struct uuid zero;
	struct store *one, *two;
	struct uuid key;

	fixture_reset();
	one = fixture_open("n1", true);
	two = fixture_open("n2", true);
	key = one->derivation_key;
	CU_ASSERT(uuid_equal(&key, &two->derivation_key));
	CU_ASSERT_FALSE(uuid_equal(&key, &zero));
	fixture_close(one);
	fixture_close(two);
	one = fixture_open("n1", true);
	CU_ASSERT(uuid_equal(&key, &one->derivation_key));
	fixture_close(one);
	fixture_reset();
	one = fixture_open("n1", true);
	CU_ASSERT_FALSE(uuid_equal(&key, &one->derivation_key));
	fixture_close(one);
}

void test_second_incarnation_takes_the_lease(void)
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *one, *two;

	fixture_reset();
	one = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(one, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	record.procedures[0].changed = true;
	record.procedures[0].deadline_us ^= 1;

	two = fixture_open("n1", true);
	CU_ASSERT_EQUAL(fixture_write(one, &items, 1), EPERM);
	CU_ASSERT(fixture_wait_count(one, &one->downs, 0));
	CU_ASSERT_PTR_NOT_NULL(strstr(one->reason, "n1"));
	record.procedures[0].deadline_us ^= 1;
	CU_ASSERT(fixture_loads_as(two, &record, NULL, ""));
	CU_ASSERT_EQUAL(fixture_write_one(two, &record), STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_count("SELECT incarnation FROM node "
				      "WHERE name = 'n1'"),
			2);
	record_clear(&record);
	fixture_close(one);
	fixture_close(two);
}

static void write_and_exit(const struct user_record *record)
{
	struct user_record copy;
	struct store *store = fixture_open("n1", true);

	record_copy(record, &copy);
	store->exit_when_written = true;
	fixture_write_one(store, &copy);
	_exit(2);
}

void test_written_is_durable(void)
{
	struct user_record record;
	struct store *store;
	int status = 0;
	pid_t child;

	fixture_reset();
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	child = fork();
	CU_ASSERT_FATAL(child >= 0);
	if (!child)
		write_and_exit(&record);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_FATAL(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	store = fixture_open("n1", true);
	fixture_settle(&record);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	record_clear(&record);
	fixture_close(store);
}

/* Writes user after user, each said on `fd` when it is durable. */
static void write_until_killed(int fd)
{
	struct store *store = fixture_open("n1", true);

	for (unsigned i = 0;; i++) {
		struct user_record record;
		char id[MCID_SIZE];

		snprintf(id, sizeof(id), "sip:user%u@a.example", i);
		random_record(&record, ROLE_PARTNER, id);
		record.service = MC_SERVICE_MCPTT;
		if (fixture_write_one(store, &record) != STORE_ITEM_DONE ||
		    write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(2);
		record_clear(&record);
	}
}

void test_killed_writer_loses_nothing(void)
{
	unsigned last = 0;
	int fds[2], status = 0;
	long users;
	pid_t child;
	struct store *store;

	fixture_reset();
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	child = fork();
	CU_ASSERT_FATAL(child >= 0);
	if (!child) {
		close(fds[0]);
		write_until_killed(fds[1]);
	}
	close(fds[1]);
	while (last < 60 && read(fds[0], &last, sizeof(last)) == sizeof(last))
		;
	kill(child, SIGKILL);
	/* What it acknowledged until it was gone counts as well. */
	while (read(fds[0], &last, sizeof(last)) == sizeof(last))
		;
	close(fds[0]);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_FATAL(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	store = fixture_open("n1", true);
	users = fixture_count("SELECT count(*) FROM user_state");
	CU_ASSERT(users >= (long)last + 1);
	CU_ASSERT(users <= (long)last + 2);
	/* Each user whole. */
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"),
			2 * users);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM partner_mapping"),
			users);
	fixture_close(store);
}

#define LIVE_USERS 40
static bool user_is_live(unsigned i)
{
	return i % 4 != 3;
}

static void write_live_users(struct store *store)
{
	for (unsigned i = 0; i < LIVE_USERS; i++) {
		struct user_record record;
		char id[MCID_SIZE];

		snprintf(id, sizeof(id), "sip:user%02u@a.example", i);
		record_init(&record, 1 + i % 3, 1 + i % 2, id);
		random_procedure(record_add_procedure(&record), id, false);
		if (user_is_live(i)) {
			random_procedure(record_add_procedure(&record), id,
					 true);
			random_procedure(record_add_procedure(&record), id,
					 true);
		}
		CU_ASSERT_EQUAL(fixture_write_one(store, &record),
				STORE_ITEM_DONE);
		record_clear(&record);
	}
}

void test_find_live(void)
{
	struct store_live_user last = { 0 };
	bool seen[LIVE_USERS] = { false };
	unsigned number, found = 0;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	CU_ASSERT_EQUAL(fixture_find_live(store, 0, "", 10), 0);
	CU_ASSERT_EQUAL(store->live_count, 0);
	write_live_users(store);
	/* As after a restart. */
	fixture_close(store);
	store = fixture_open("n1", true);
	for (;;) {
		CU_ASSERT_EQUAL_FATAL(fixture_find_live(store, last.service,
							last.primary_id, 7),
				      0);
		if (!store->live_count || found > LIVE_USERS)
			break;
		CU_ASSERT(store->live_count <= 7);
		for (size_t i = 0; i < store->live_count; i++) {
			struct store_live_user *user = &store->live[i];

			CU_ASSERT(
			    user->service > last.service ||
			    (user->service == last.service &&
			     strcmp(user->primary_id, last.primary_id) > 0));
			CU_ASSERT_EQUAL_FATAL(sscanf(user->primary_id,
						     "sip:user%u@", &number),
					      1);
			CU_ASSERT_EQUAL(user->service, 1 + number % 3);
			CU_ASSERT_EQUAL(user->role, 1 + number % 2);
			seen[number] = true;
			found++;
			last = *user;
		}
	}
	for (unsigned i = 0; i < LIVE_USERS; i++)
		CU_ASSERT_EQUAL(seen[i], user_is_live(i));
	CU_ASSERT_EQUAL(found, 30);
	fixture_close(store);
}

/* A purge may still be under way when what it has done is to be seen. */
static int start_purge(struct store *store, uint64_t before_us, size_t limit)
{
	const struct store_backend_ops *ops = store->backend->ops;
	int err = ops->purge(store->backend, before_us, limit);

	for (int i = 0; i < 100 && err == EBUSY; i++) {
		store_contract_target.pump(store->backend, 20);
		err = ops->purge(store->backend, before_us, limit);
	}
	return err;
}

/* A purge does not report: what it leaves is awaited. */
static bool purge_leaves(struct store *store, uint64_t before_us, size_t limit,
			 long rows)
{
	static const char sql[] = "SELECT count(*) FROM procedure";

	CU_ASSERT_EQUAL(start_purge(store, before_us, limit), 0);
	for (int i = 0; i < 100 && fixture_count(sql) != rows; i++)
		store_contract_target.pump(store->backend, 20);
	/* Nothing more goes, whatever is still under way. */
	CU_ASSERT_EQUAL(fixture_find_live(store, 0, "", 1), 0);
	return fixture_count(sql) == rows;
}

void test_purge(void)
{
	struct user_record record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	record_init(&record, MC_SERVICE_MCPTT, ROLE_PARTNER, PRIMARY_ID);
	for (unsigned i = 0; i < 12; i++) {
		struct procedure *procedure = record_add_procedure(&record);

		random_procedure(procedure, PRIMARY_ID, false);
		procedure->finished_us = 100 + i;
	}
	/* Live: owed to the client; and told in the background. */
	record.procedures[0].state = PROCEDURE_ANSWERING;
	record.procedures[1].telling = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	CU_ASSERT(purge_leaves(store, 102, 100, 12)); /* exclusive */
	CU_ASSERT(purge_leaves(store, 110, 3, 9));
	CU_ASSERT(purge_leaves(store, 110, 100, 4));
	CU_ASSERT(purge_leaves(store, INT64_MAX, 100, 2));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure "
				      "WHERE finished_us IN (100, 101)"),
			2);
	record_clear(&record);
	fixture_close(store);
}

/* A purge goes through the users in stretches: several see them all. */
static bool purge_leaves_users(struct store *store, uint64_t before_us,
			       size_t limit, long rows)
{
	static const char sql[] = "SELECT count(*) FROM user_state";
	const struct store_backend_ops *ops = store->backend->ops;

	for (int i = 0; i < 100; i++) {
		int err = ops->purge(store->backend, before_us, limit);

		CU_ASSERT(!err || err == EBUSY);
		store_contract_target.pump(store->backend, 5);
		/* Two more rounds: nothing else goes. */
		if (fixture_count(sql) == rows && i < 90)
			i = 90;
	}
	CU_ASSERT_EQUAL(fixture_find_live(store, 0, "", 1), 0);
	return fixture_count(sql) == rows;
}

static void write_user(struct store *store, const char *id,
		       enum procedure_role role, enum mapping_status status,
		       const struct migration *migration, bool live)
{
	struct user_record record;

	record_init(&record, MC_SERVICE_MCPTT, role, id);
	random_procedure(record_add_procedure(&record), id, live);
	if (!live)
		record.procedures[0].finished_us = 5;
	if (status) {
		struct mapping *mapping = record_add_mapping(&record);

		random_mapping(mapping, id);
		mapping->status = status;
	}
	if (migration)
		*record_add_migration(&record) = *migration;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
}

static void write_users_who_stay(struct store *store)
{
	struct migration migration;

	write_user(store, "sip:live@a.example", ROLE_PARTNER, 0, NULL, true);
	write_user(store, "sip:active@a.example", ROLE_PARTNER, MAPPING_ACTIVE,
		   NULL, false);
	write_user(store, "sip:reserved@a.example", ROLE_PARTNER,
		   MAPPING_RESERVED, NULL, false);
	write_user(store, "sip:ended@a.example", ROLE_PARTNER, MAPPING_ENDED,
		   NULL, false);
	random_migration(&migration);
	migration.active = true;
	write_user(store, "sip:away@a.example", ROLE_PRIMARY, 0, &migration,
		   false);
	migration.active = false;
	write_user(store, "sip:back@a.example", ROLE_PRIMARY, 0, &migration,
		   false);
	migration =
	    (struct migration){ .changed = true, .deauthorized_sequence = 7 };
	strcpy(migration.partner_system, "b.example");
	write_user(store, "sip:left@a.example", ROLE_PRIMARY, 0, &migration,
		   false);
}

void test_purge_of_users(void)
{
	struct store *store;
	uint64_t begun_us = clock_utc_us();

	fixture_reset();
	store = fixture_open("n1", true);
	write_users_who_stay(store);
	for (int i = 0; i < 10; i++) {
		char id[MCID_SIZE];

		snprintf(id, sizeof(id), "sip:%d@a.example", i);
		write_user(store, id, 1 + i % 2, 0, NULL, false);
	}
	/* Touched just now: none goes, though the procedures do. */
	CU_ASSERT(purge_leaves_users(store, begun_us, 100, 17));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 1);
	fixture_execute("UPDATE user_state SET touched_us = 100 "
			"WHERE primary_id <> 'sip:3@a.example'");
	CU_ASSERT(purge_leaves_users(store, 100, 100, 17)); /* exclusive */
	CU_ASSERT(purge_leaves_users(store, 101, 3, 8));
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state "
				      "WHERE primary_id = 'sip:3@a.example'"),
			1);
	CU_ASSERT(purge_leaves_users(store, clock_utc_us() + 1000000, 100, 7));
	/* All who have something left, though touched long since. */
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state "
				      "WHERE touched_us = 100"),
			7);
	fixture_close(store);
}

void test_write_touches_the_user(void)
{
	struct user_record record;
	struct store *store;
	char sql[100];

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	for (int i = 0; i < 2; i++) {
		snprintf(sql, sizeof(sql),
			 "SELECT count(*) FROM user_state "
			 "WHERE touched_us >= %llu",
			 (unsigned long long)clock_utc_us());
		CU_ASSERT_EQUAL(fixture_write_one(store, &record),
				STORE_ITEM_DONE);
		CU_ASSERT_EQUAL(fixture_count(sql), 1);
		fixture_settle(&record);
	}
	record_clear(&record);
	fixture_close(store);
}

/* Of a row that was purged a node may have a record left: the row that another
 * has made since is not the one it knows. */
void test_row_that_was_made_again_conflicts(void)
{
	struct user_record stale, record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&stale, ROLE_PARTNER, PRIMARY_ID);
	stale.first_version = 1000;
	CU_ASSERT_EQUAL(fixture_write_one(store, &stale), STORE_ITEM_DONE);
	fixture_settle(&stale);
	CU_ASSERT_EQUAL(stale.version, 1000);
	CU_ASSERT(fixture_loads_as(store, &stale, NULL, ""));
	fixture_execute("DELETE FROM procedure; DELETE FROM partner_mapping; "
			"DELETE FROM user_state");
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	record.service = stale.service;
	record.first_version = 2000;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	CU_ASSERT_EQUAL(fixture_write_one(store, &stale), STORE_ITEM_CONFLICT);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	/* A row that is there goes on by one. */
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_count("SELECT version FROM user_state"), 2001);
	record_clear(&stale);
	record_clear(&record);
	fixture_close(store);
}
