/* SPDX-License-Identifier: BSD-2-Clause */
/* The PostgreSQL store: how it comes to its database. */
#include "store_postgres_tests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "postgres_cluster.h"
#include "store_fixture.h"

static const char *password(void)
{
	return strstr(cluster_conninfo_tcp(), "password=") + 9;
}

static void open_and_write(void)
{
	struct store *store = fixture_open("n1", true);
	struct user_record record;

	random_record(&record, ROLE_PRIMARY, PRIMARY_ID);
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
	fixture_close(store);
}

void test_names_are_looked_up(void)
{
	char conninfo[256];

	fixture_reset();
	snprintf(conninfo, sizeof(conninfo),
		 "host=no-such-host.invalid,localhost port=%u user=mcmig "
		 "dbname=mcmig password=%s",
		 cluster_port(), password());
	test_config.conninfo = conninfo;
	open_and_write();
}

/* It takes connections, as a host behind a dead path seems to, and is silent. */
static int silent_server(unsigned *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 16), 0);
	CU_ASSERT_EQUAL_FATAL(
	    getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

void test_silent_host_is_left(void)
{
	char conninfo[256];
	unsigned port;
	int fd = silent_server(&port);

	fixture_reset();
	snprintf(conninfo, sizeof(conninfo),
		 "host=127.0.0.1,127.0.0.1 port=%u,%u user=mcmig dbname=mcmig "
		 "password=%s",
		 port, cluster_port(), password());
	test_config.conninfo = conninfo;
	test_config.connect_timeout_ms = 300;
	open_and_write();
	close(fd);
}

void test_bad_conninfo(void)
{
	static const char *const bad[] = {
		"host=127.0.0.1 passwort=geheim",
		"host=127.0.0.1 password='geheim",
		"service=mcmig",
		"host=a,b hostaddr=127.0.0.1",
	};
	struct postgres_config config = { .system = SYSTEM_B,
					  .connect_timeout_ms = 1000,
					  .lease_ms = 3000 };
	struct store_backend *backend = NULL;
	char why[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		config.conninfo = bad[i];
		why[0] = '\0';
		CU_ASSERT_EQUAL(postgres_create(&backend, NULL, test_timers,
						"n1", &config, why,
						sizeof(why)),
				EINVAL);
		CU_ASSERT(strstr(why, "conninfo") != NULL);
		CU_ASSERT_PTR_NULL(strstr(why, "geheim"));
		CU_ASSERT_PTR_NULL(backend);
	}
}

void test_password_is_not_shown(void)
{
	struct store *store;
	char conninfo[256];

	fixture_reset();
	snprintf(conninfo, sizeof(conninfo),
		 "host=127.0.0.1 port=%u user=mcmig dbname=mcmig "
		 "password=geheim",
		 cluster_port());
	test_config.conninfo = conninfo;
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "password"));
	CU_ASSERT_PTR_NULL(strstr(store->reason, "geheim"));
	fixture_close(store);
}

void test_start_without_database(void)
{
	struct store *store;

	fixture_reset();
	CU_ASSERT_FATAL(cluster_run("stop"));
	store = fixture_open("n1", false);
	CU_ASSERT(strlen(store->reason) > 0);
	CU_ASSERT_EQUAL(store->backend->ops->load_directory(store->backend),
			EAGAIN);
	CU_ASSERT_FATAL(cluster_run("start"));
	CU_ASSERT(fixture_wait(store, &store->up));
	fixture_close(store);
}

void test_missing_schema(void)
{
	struct store *store;

	fixture_reset();
	fixture_execute("DROP SCHEMA mcmig CASCADE");
	store = fixture_open("n1", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(store->reason, "schema.sql"));
	CU_ASSERT_EQUAL(cluster_reset_schema(), 0);
	CU_ASSERT(fixture_wait(store, &store->up));
	fixture_close(store);
}

/* With what roles.sql gives to a daemon, and not to others. */
void test_daemon_role_suffices(void)
{
	static const char users[] = "SELECT count(*) FROM user_state";
	struct store *store;
	char conninfo[256];

	fixture_reset();
	CU_ASSERT_EQUAL_FATAL(cluster_run_file("db/postgresql/roles.sql"), 0);
	fixture_execute("DROP ROLE IF EXISTS b1; "
			"CREATE ROLE b1 LOGIN IN ROLE mcmig_daemon");
	snprintf(conninfo, sizeof(conninfo), "%s user=b1", cluster_conninfo());
	test_config.conninfo = conninfo;
	open_and_write();
	store = fixture_open("n1", true);
	CU_ASSERT_EQUAL(fixture_load_directory(store), 0);
	CU_ASSERT_EQUAL(fixture_find_live(store, 0, "", 9), 0);
	CU_ASSERT_EQUAL(store->live_count, 1);
	for (int kind = 0; kind <= STORE_QUERY_NODES; kind++) {
		CU_ASSERT_EQUAL(fixture_query(store, kind, ""), 0);
		CU_ASSERT_EQUAL(fixture_query(store, kind, PRIMARY_ID), 0);
	}
	fixture_execute("INSERT INTO user_state VALUES "
			"(1, 'sip:idle@a.example', 2, 1, 1, 1, 1, 1, 1, '3')");
	CU_ASSERT_EQUAL(
	    store->backend->ops->purge(store->backend, INT64_MAX, 10), 0);
	for (int i = 0; i < 100 && fixture_count(users) != 1; i++)
		store_contract_target.pump(store->backend, 20);
	CU_ASSERT_EQUAL(fixture_count(users), 1);
	CU_ASSERT_EQUAL(fixture_load_directory(store), 0);
	CU_ASSERT_EQUAL(store->downs, 0);
	fixture_close(store);
	fixture_execute("DROP OWNED BY b1; DROP ROLE b1");
}

#define TOUCHED 64

/* Users of both roles, with everything that a load looks for. */
/* Few procedures are live: one each of the first users, who are touched. */
static const char big_tables[] =
    "INSERT INTO mc_system VALUES ('a.example'), ('c.example'); "
    "CREATE TEMP TABLE u AS SELECT i, format('sip:user%s@a.example', i) AS id, "
    "format('sip:visitor%s@b.example', i) AS visitor "
    "FROM generate_series(1, 20000) AS i; "
    "INSERT INTO mc_user SELECT id FROM u; "
    "INSERT INTO user_profile SELECT id, 'mcptt', 1 FROM u; "
    "INSERT INTO permission SELECT id, 'mcptt', 1, '*' FROM u; "
    "INSERT INTO admission (primary_system, primary_id, partner_id) "
    "SELECT 'c.example', CASE i % 2 WHEN 0 THEN id END, visitor FROM u; "
    "INSERT INTO user_state SELECT 1, id, 2, 1, 1, 1, 1, 1, 1, '3' FROM u; "
    "INSERT INTO procedure SELECT 1, id, gen_random_uuid(), visitor, n, 2, 1, "
    "CASE WHEN n = 1 AND i <= 448 THEN 3 ELSE 4 END, 1, 0, false, 1, 1, 1, "
    "NULL, NULL, 'b.example', '', i, 1, n, 'n1', 1, n = 1 AND i <= 448 "
    "FROM u, generate_series(1, 2) AS n; "
    "INSERT INTO partner_mapping SELECT 1, visitor, id, 'a.example', 1, "
    "1 + i % 3, gen_random_uuid(), 1, 1, 1, 0, '3' FROM u; "
    "INSERT INTO primary_migration SELECT 1, id, 'b.example', visitor, true, "
    "gen_random_uuid(), 1, 0, 1, 1, 1, 0 FROM u; ";

static void touch_users(struct store *store, enum procedure_role role)
{
	static struct user_record records[TOUCHED];
	static char visitors[TOUCHED][MCID_SIZE];
	struct store_item item[TOUCHED], *items[TOUCHED];
	char id[MCID_SIZE];

	for (int i = 0; i < TOUCHED; i++) {
		snprintf(id, sizeof(id), "sip:user%d@a.example", 7 * i + 1);
		snprintf(visitors[i], MCID_SIZE, "sip:visitor%d@b.example",
			 7 * i + 1);
		record_init(&records[i], MC_SERVICE_MCPTT, role, id);
		item[i] = (struct store_item){ .record = &records[i],
					       .partner_id = visitors[i],
					       .peer_system = "c.example" };
		items[i] = &item[i];
	}
	CU_ASSERT_EQUAL(fixture_load(store, items, TOUCHED), 0);
	for (int i = 0; i < TOUCHED; i++) {
		CU_ASSERT_FATAL(records[i].version > 0);
		for (size_t k = 0; k < records[i].procedure_count; k++)
			records[i].procedures[k].changed = true;
		random_procedure(record_add_procedure(&records[i]), id, true);
		for (size_t k = 0; k < records[i].mapping_count; k++)
			records[i].mappings[k].changed = true;
		for (size_t k = 0; k < records[i].migration_count; k++)
			records[i].migrations[k].changed = true;
	}
	CU_ASSERT_EQUAL(fixture_write(store, items, TOUCHED), 0);
	for (int i = 0; i < TOUCHED; i++) {
		CU_ASSERT_EQUAL(item[i].status, STORE_ITEM_DONE);
		record_clear(&records[i]);
	}
}

static void await_end_of_sessions(void)
{
	static const char sessions[] = "SELECT count(*) FROM pg_stat_activity "
				       "WHERE application_name LIKE 'mcmig/%'";

	for (int i = 0; i < 200 && cluster_number(sessions); i++)
		usleep(10000);
}

void test_no_sequential_scans(void)
{
	static const char read_whole[] =
	    "SELECT sum(seq_tup_read) FROM pg_stat_user_tables "
	    "WHERE schemaname = 'mcmig' AND n_live_tup >= 20000";
	struct store *store;
	long before;

	fixture_reset();
	CU_ASSERT_EQUAL_FATAL(cluster_execute(big_tables), 0);
	CU_ASSERT_EQUAL_FATAL(cluster_execute("ANALYZE"), 0);
	before = cluster_number(read_whole);
	CU_ASSERT(before >= 0);
	store = fixture_open("n1", true);
	touch_users(store, ROLE_PRIMARY);
	touch_users(store, ROLE_PARTNER);
	CU_ASSERT_EQUAL(fixture_find_live(store, 0, "", 10), 0);
	CU_ASSERT_EQUAL(store->live_count, 10);
	CU_ASSERT_EQUAL(fixture_query(store, STORE_QUERY_PROCEDURES,
				      "0b8a4c1e-7f2d-4a55-9c3b-1d2e3f405167"),
			0);
	CU_ASSERT_EQUAL(fixture_query(store, STORE_QUERY_MIGRATIONS,
				      "sip:user9@a.example"),
			0);
	CU_ASSERT_EQUAL(json_array_size(store->rows), 3);
	CU_ASSERT_EQUAL(fixture_query(store, STORE_QUERY_MIGRATIONS,
				      "sip:visitor9@b.example"),
			0);
	CU_ASSERT_EQUAL(json_array_size(store->rows), 3);
	CU_ASSERT_EQUAL(fixture_query(store, STORE_QUERY_REDIRECTION,
				      "sip:user9@a.example"),
			0);
	CU_ASSERT_EQUAL(json_array_size(store->rows), 1);
	/* The counters of a session are there when it has ended. */
	fixture_close(store);
	for (int i = 0;
	     i < 200 && cluster_number("SELECT count(*) FROM pg_stat_activity "
				       "WHERE application_name LIKE 'mcmig/%'");
	     i++)
		usleep(10000);
	CU_ASSERT_EQUAL(cluster_number(read_whole), before);
}

/* The first plans are made for tables of one page. */
void test_plans_follow_growth(void)
{
	static const char read_whole[] =
	    "SELECT seq_tup_read FROM pg_stat_user_tables "
	    "WHERE schemaname = 'mcmig' AND relname = 'user_state'";
	static const char grow[] =
	    "INSERT INTO user_state SELECT 1, format('sip:user%s@a.example', "
	    "i), 2, 1, 1, 1, 1, 1, 1, '3' FROM generate_series(65, 20000) AS i";
	struct user_record records[TOUCHED];
	struct store_item item[TOUCHED], *items[TOUCHED];
	struct store *store;
	char id[MCID_SIZE];

	fixture_reset();
	store = fixture_open("n1", true);
	for (int i = 0; i < TOUCHED; i++) {
		snprintf(id, sizeof(id), "sip:user%d@a.example", i + 1);
		record_init(&records[i], MC_SERVICE_MCPTT, ROLE_PRIMARY, id);
		item[i] = (struct store_item){ .record = &records[i],
					       .partner_id = "",
					       .peer_system = "" };
		items[i] = &item[i];
	}
	CU_ASSERT_EQUAL(fixture_write(store, items, TOUCHED), 0);
	CU_ASSERT_EQUAL(cluster_execute("VACUUM ANALYZE user_state"), 0);
	CU_ASSERT_EQUAL(fixture_load(store, items, TOUCHED), 0);
	fixture_execute(grow);
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(fixture_load(store, items, TOUCHED), 0);
	for (int i = 0; i < TOUCHED; i++) {
		CU_ASSERT_EQUAL(records[i].version, 1);
		record_clear(&records[i]);
	}
	fixture_close(store);
	await_end_of_sessions();
	/* With the first plan each of the 20 reads 20000 rows. */
	CU_ASSERT(cluster_number(read_whole) < 6 * 20000);
}
