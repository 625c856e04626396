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

void test_schema_version_is_checked(void)
{
	struct store *store;

	fixture_reset();
	fixture_execute("UPDATE schema_version SET version = 9999");
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "9999"));
	/* It comes up by itself when that is put right. */
	fixture_execute("UPDATE schema_version SET version = 1");
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

/* A purge does not report: what it leaves is awaited. */
static bool purge_leaves(struct store *store, uint64_t before_us, size_t limit,
			 long rows)
{
	static const char sql[] = "SELECT count(*) FROM procedure";

	CU_ASSERT_EQUAL(
	    store->backend->ops->purge(store->backend, before_us, limit), 0);
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
