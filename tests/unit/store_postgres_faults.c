/* SPDX-License-Identifier: BSD-2-Clause */
/* The PostgreSQL store: faults of the database and of other sessions. */
#include "store_postgres_tests.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_cluster.h"
#include "store_fixture.h"

#define OURS "application_name = 'mcmig/n1'"

/* A session of somebody else. */
static PGconn *other_session(const char *sql)
{
	PGconn *pg = PQconnectdb(cluster_conninfo());
	PGresult *result = PQexec(pg, "SET search_path = mcmig");

	PQclear(result);
	result = PQexec(pg, sql);
	CU_ASSERT(PQresultStatus(result) == PGRES_COMMAND_OK ||
		  PQresultStatus(result) == PGRES_TUPLES_OK);
	PQclear(result);
	return pg;
}

/* Turns the loop until the SELECT gives that number. */
static bool await_number(const char *sql, long number)
{
	for (int i = 0; i < 1000; i++) {
		if (cluster_number(sql) == number)
			return true;
		test_loop_turn(10);
	}
	return false;
}

static void assert_writes(struct store *store, const char *primary_id)
{
	struct user_record record;

	random_record(&record, ROLE_PARTNER, primary_id);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	record_clear(&record);
}

void test_terminated_connections(void)
{
	struct store *store;
	char sql[200], id[MCID_SIZE];
	unsigned ups;

	fixture_reset();
	store = fixture_open("n1", true);
	CU_ASSERT_EQUAL(cluster_number("SELECT count(*) FROM pg_stat_activity "
				       "WHERE " OURS),
			3);
	for (int i = 0; i < 3; i++) {
		snprintf(sql, sizeof(sql),
			 "SELECT pg_terminate_backend(pid) FROM (SELECT pid "
			 "FROM pg_stat_activity WHERE " OURS
			 " ORDER BY backend_start, pid OFFSET %d LIMIT 1) AS p",
			 i);
		ups = store->ups;
		CU_ASSERT_EQUAL(cluster_execute(sql), 0);
		CU_ASSERT(fixture_wait_count(store, &store->ups, ups));
		CU_ASSERT_EQUAL(store->downs, ups);
		snprintf(id, sizeof(id), "sip:user%d@a.example", i);
		assert_writes(store, id);
	}
	/* The same daemon: the same incarnation. */
	CU_ASSERT_EQUAL(fixture_count("SELECT incarnation FROM node"), 1);
	fixture_close(store);
}

/* A write that waits for a table's lock, the writer's process then gone. */
static void lose_batch(struct store *store, void (*kill_it)(void))
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	PGconn *other = other_session("BEGIN; LOCK TABLE procedure "
				      "IN EXCLUSIVE MODE");
	unsigned ups = store->ups;

	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	fixture_begin(store);
	CU_ASSERT_EQUAL(store->backend->ops->write(store->backend, &items, 1),
			0);
	store->in_call = false;
	CU_ASSERT(await_number("SELECT count(*) FROM pg_stat_activity WHERE "
			       "wait_event_type = 'Lock' AND " OURS,
			       1));
	kill_it();
	CU_ASSERT_EQUAL(fixture_end(store, 0), EIO);
	PQfinish(other);
	CU_ASSERT(fixture_wait_count(store, &store->ups, ups));
	CU_ASSERT(store->up);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 0);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	fixture_settle(&record);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	record_clear(&record);
}

static void kill_writer(void)
{
	long pid = cluster_number("SELECT pid FROM pg_stat_activity WHERE "
				  "wait_event_type = 'Lock' AND " OURS);

	CU_ASSERT_FATAL(pid > 1);
	CU_ASSERT_EQUAL(kill((pid_t)pid, SIGKILL), 0);
}

void test_killed_backend(void)
{
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	lose_batch(store, kill_writer);
	fixture_close(store);
}

static void kill_postmaster(void)
{
	pid_t pid = cluster_postmaster();
	char path[64];

	CU_ASSERT_FATAL(pid > 1);
	/* Its children with it: else the new one waits for them. */
	snprintf(path, sizeof(path), "pkill -KILL -P %d", (int)pid);
	CU_ASSERT_EQUAL(kill(pid, SIGSTOP), 0);
	CU_ASSERT_EQUAL(system(path), 0);
	CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
	CU_ASSERT_FATAL(cluster_run("start"));
}

void test_killed_postmaster(void)
{
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	lose_batch(store, kill_postmaster);
	fixture_close(store);
}

void test_immediate_shutdown(void)
{
	struct user_record record;
	struct store *store;
	char id[MCID_SIZE];
	long written = 0;

	fixture_reset();
	store = fixture_open("n1", true);
	for (int i = 0; i < 60; i++) {
		struct store_item item = { .record = &record };
		struct store_item *items = &item;

		snprintf(id, sizeof(id), "sip:user%d@a.example", i);
		random_record(&record, ROLE_PARTNER, id);
		if (i == 20)
			CU_ASSERT_FATAL(cluster_run("stop --immediate"));
		if (i == 40) {
			CU_ASSERT_FATAL(cluster_run("start"));
			CU_ASSERT(fixture_wait(store, &store->up));
		}
		if (!fixture_write(store, &items, 1)) {
			CU_ASSERT_EQUAL(item.status, STORE_ITEM_DONE);
			written++;
		}
		record_clear(&record);
	}
	CU_ASSERT_EQUAL(written, 40);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"),
			written);
	fixture_close(store);
}

static struct store *hanging;
static void abandon(void)
{
	hanging->backend->ops->abandon(hanging->backend);
	/* The server notices that nobody waits any more: nothing is written
	 * when the lock is free at last. */
	CU_ASSERT(await_number("SELECT count(*) FROM pg_stat_activity WHERE "
			       "wait_event_type = 'Lock' AND " OURS,
			       0));
}

void test_abandoned_batch(void)
{
	fixture_reset();
	hanging = fixture_open("n1", true);
	lose_batch(hanging, abandon);
	fixture_close(hanging);
}

void test_refused_input(void)
{
	struct user_record records[3];
	struct store_item item[3], *items[3];
	struct store *store;
	char id[MCID_SIZE];

	fixture_reset();
	store = fixture_open("n1", true);
	for (int i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "sip:user%d@a.example", i);
		random_record(&records[i], ROLE_PARTNER, id);
		item[i] = (struct store_item){ .record = &records[i],
					       .partner_id = "",
					       .peer_system = "" };
		items[i] = &item[i];
	}
	strcpy(records[1].procedures[0].client_uri, "sip:\xff\xfe");
	CU_ASSERT_EQUAL(fixture_write(store, items, 3), 0);
	CU_ASSERT_EQUAL(item[0].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(item[1].status, STORE_ITEM_FAILED);
	CU_ASSERT_EQUAL(item[2].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM user_state"), 2);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"), 4);

	/* A load likewise. */
	item[1].partner_id = "\xff";
	CU_ASSERT_EQUAL(fixture_load(store, items, 3), 0);
	CU_ASSERT_EQUAL(item[0].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(records[0].version, 1);
	CU_ASSERT_EQUAL(item[1].status, STORE_ITEM_FAILED);
	CU_ASSERT_EQUAL(item[2].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(records[2].procedure_count, 2);
	CU_ASSERT_EQUAL(store->downs, 0);
	for (int i = 0; i < 3; i++)
		record_clear(&records[i]);
	fixture_close(store);
}

/* We hold alice and wait for bob; somebody holds bob and waits for alice. */
/* The loader must not stumble over what is a good timestamp. */
void test_infinite_admissions(void)
{
	struct user_record record;
	struct store *store;
	unsigned never = 0, for_ever = 0, over = 0;

	fixture_reset();
	fixture_execute(
	    "INSERT INTO mc_system (name) VALUES ('z.example');"
	    "INSERT INTO admission (primary_system, valid_from, valid_until) "
	    "VALUES ('z.example', '-infinity', 'infinity'), "
	    "('z.example', 'infinity', NULL), "
	    "('z.example', NULL, '-infinity'), "
	    "('z.example', NULL, '290000-01-01')");
	store = fixture_open("n1", true);
	record_init(&record, MC_SERVICE_MCPTT, ROLE_PARTNER, "sip:z@z.example");
	CU_ASSERT_EQUAL(fixture_load_one(store, &record, NULL,
					 "sip:v@b.example", "z.example"),
			0);
	CU_ASSERT_EQUAL(record.admission_count, 4);
	for (size_t i = 0; i < record.admission_count; i++) {
		const struct admission *row = &record.admissions[i];

		never += row->valid_from_us > 4102444800000000;
		for_ever += !row->valid_from_us && !row->valid_until_us;
		over += row->valid_until_us == 1;
	}
	CU_ASSERT_EQUAL(never, 1);
	CU_ASSERT_EQUAL(for_ever, 1);
	CU_ASSERT_EQUAL(over, 1);
	record_clear(&record);
	fixture_close(store);
}

void test_deadlock(void)
{
	struct user_record records[2];
	struct store_item item[2] = { { .record = &records[0] },
				      { .record = &records[1] } };
	struct store_item *items[2] = { &item[0], &item[1] };
	struct store *store;
	PGconn *other;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&records[0], ROLE_PARTNER, PRIMARY_ID);
	random_record(&records[1], ROLE_PARTNER, OTHER_PRIMARY_ID);
	records[1].service = records[0].service;
	CU_ASSERT_EQUAL(fixture_write(store, items, 2), 0);
	fixture_settle(&records[0]);
	fixture_settle(&records[1]);

	other = other_session("SET deadlock_timeout = '1min'; BEGIN; "
			      "UPDATE user_state SET role = role "
			      "WHERE primary_id = '" OTHER_PRIMARY_ID "'");
	fixture_begin(store);
	CU_ASSERT_EQUAL(store->backend->ops->write(store->backend, items, 2),
			0);
	store->in_call = false;
	CU_ASSERT(await_number("SELECT count(*) FROM pg_stat_activity WHERE "
			       "wait_event_type = 'Lock' AND " OURS,
			       1));
	CU_ASSERT(PQsendQuery(other, "UPDATE user_state SET role = role "
				     "WHERE primary_id = '" PRIMARY_ID "'; "
				     "COMMIT"));
	CU_ASSERT_EQUAL(fixture_end(store, 0), 0);
	CU_ASSERT_EQUAL(item[0].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(item[1].status, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(fixture_count("SELECT sum(deadlocks) FROM "
				      "pg_stat_database") > 0,
			true);
	CU_ASSERT_EQUAL(fixture_count("SELECT min(version) FROM user_state"),
			2);
	PQfinish(other);
	record_clear(&records[0]);
	record_clear(&records[1]);
	fixture_close(store);
}

#define SHARED_USERS 16
#define ROUNDS 25

struct side {
	struct store *store;
	struct user_record records[SHARED_USERS];
	struct store_item item[SHARED_USERS], *items[SHARED_USERS];
	long done;
};

/* The second side names the users in the opposite order. */
static void prepare_side(struct side *side, const char *node, bool reverse)
{
	char id[MCID_SIZE];

	side->store = fixture_open(node, true);
	for (int i = 0; i < SHARED_USERS; i++) {
		snprintf(id, sizeof(id), "sip:user%02d@a.example",
			 reverse ? SHARED_USERS - 1 - i : i);
		record_init(&side->records[i], MC_SERVICE_MCPTT, ROLE_PRIMARY,
			    id);
		side->item[i] = (struct store_item){
			.record = &side->records[i],
			.partner_id = "",
			.peer_system = "",
		};
		side->items[i] = &side->item[i];
	}
}

static void begin_writes(struct side *side)
{
	struct store *store = side->store;

	for (int i = 0; i < SHARED_USERS; i++)
		random_procedure(record_add_procedure(&side->records[i]),
				 side->records[i].primary_id, true);
	fixture_begin(store);
	CU_ASSERT_EQUAL(store->backend->ops->write(store->backend, side->items,
						   SHARED_USERS),
			0);
	store->in_call = false;
}

static void end_writes(struct side *side)
{
	CU_ASSERT_EQUAL(fixture_end(side->store, 0), 0);
	for (int i = 0; i < SHARED_USERS; i++) {
		CU_ASSERT_NOT_EQUAL(side->item[i].status, STORE_ITEM_FAILED);
		side->done += side->item[i].status == STORE_ITEM_DONE;
	}
	CU_ASSERT_EQUAL(fixture_load(side->store, side->items, SHARED_USERS),
			0);
}

void test_overlapping_writers(void)
{
	static struct side sides[2];

	fixture_reset();
	memset(sides, 0, sizeof(sides));
	prepare_side(&sides[0], "n1", false);
	prepare_side(&sides[1], "n2", true);
	for (int round = 0; round < ROUNDS; round++) {
		begin_writes(&sides[0]);
		begin_writes(&sides[1]);
		end_writes(&sides[0]);
		end_writes(&sides[1]);
	}
	/* Each version is one write that was done, with its procedure. */
	CU_ASSERT(sides[0].done + sides[1].done >= ROUNDS * SHARED_USERS);
	CU_ASSERT_EQUAL(fixture_count("SELECT sum(version) FROM user_state"),
			sides[0].done + sides[1].done);
	CU_ASSERT_EQUAL(fixture_count("SELECT count(*) FROM procedure"),
			sides[0].done + sides[1].done);
	for (int s = 0; s < 2; s++) {
		for (int i = 0; i < SHARED_USERS; i++)
			record_clear(&sides[s].records[i]);
		fixture_close(sides[s].store);
	}
}

static void set_standbys(const char *names)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
		 "ALTER SYSTEM SET synchronous_standby_names = '%s'", names);
	CU_ASSERT_EQUAL(cluster_execute(sql), 0);
	CU_ASSERT_EQUAL(cluster_execute("SELECT pg_reload_conf()"), 0);
}

void test_unreplicated_commit(void)
{
	struct user_record record;
	struct store_item item = { .record = &record };
	struct store_item *items = &item;
	struct store *store;
	long pid;

	fixture_reset();
	store = fixture_open("n1", true);
	random_record(&record, ROLE_PARTNER, PRIMARY_ID);
	set_standbys("away");
	CU_ASSERT(await_number("SELECT (current_setting("
			       "'synchronous_standby_names') = 'away')::int",
			       1));
	fixture_begin(store);
	CU_ASSERT_EQUAL(store->backend->ops->write(store->backend, &items, 1),
			0);
	store->in_call = false;
	CU_ASSERT(await_number("SELECT count(*) FROM pg_stat_activity WHERE "
			       "wait_event = 'SyncRep' AND " OURS,
			       1));
	pid = cluster_number("SELECT pid FROM pg_stat_activity WHERE "
			     "wait_event = 'SyncRep' AND " OURS);
	/* As an administrator would, to get rid of what hangs. */
	CU_ASSERT_EQUAL(kill((pid_t)pid, SIGINT), 0);
	CU_ASSERT_EQUAL(fixture_end(store, 0), EIO);
	CU_ASSERT_EQUAL(store->downs, 1);
	/* Up again only when a commit is replicated. */
	set_standbys("");
	CU_ASSERT(fixture_wait(store, &store->up));
	fixture_settle(&record);
	CU_ASSERT(fixture_loads_as(store, &record, NULL, ""));
	record_clear(&record);
	fixture_close(store);
}

void test_lease_comes_back(void)
{
	struct store *store;
	unsigned downs;

	fixture_reset();
	test_config.lease_ms = 900;
	store = fixture_open("n1", true);
	downs = store->downs;
	/* Somebody else is node n1 now: the renewal notices. */
	fixture_execute("UPDATE node SET incarnation = 7, "
			"lease_until = now() + interval '1 hour'");
	CU_ASSERT(fixture_wait_count(store, &store->downs, downs));
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "n1"));
	fixture_execute("UPDATE node SET lease_until = now()");
	CU_ASSERT(fixture_wait(store, &store->up));
	CU_ASSERT_EQUAL(fixture_count("SELECT incarnation FROM node"), 8);
	assert_writes(store, PRIMARY_ID);
	/* It lives on by renewing. */
	CU_ASSERT(await_number("SELECT (lease_until > now() + "
			       "interval '800 milliseconds')::int FROM "
			       "mcmig.node",
			       1));
	fixture_close(store);
}
