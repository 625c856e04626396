/* SPDX-License-Identifier: BSD-2-Clause */
/* The PostgreSQL store: the contract of store backends, and what is its own. */
#include "unit.h"

#include <stdio.h>

#include "postgres_cluster.h"
#include "store_fixture.h"
#include "store_postgres/postgres.h"
#include "store_postgres_tests.h"

struct postgres_config test_config;

static int create(const char *node, struct store_backend **backendp)
{
	char why[256] = "";
	int err = postgres_create(backendp, NULL, test_timers, node,
				  &test_config, why, sizeof(why));

	if (err)
		fprintf(stderr, "%s\n", why);
	return err;
}

static void pump(struct store_backend *backend, int timeout_ms)
{
	(void)backend;
	test_loop_turn(timeout_ms);
}

static int reset(void)
{
	test_config = (struct postgres_config){
		.conninfo = cluster_conninfo(),
		.system = SYSTEM_B,
		.connect_timeout_ms = 2000,
		.lease_ms = 15000,
	};
	return cluster_reset_schema();
}

const struct store_contract_target store_contract_target = {
	.reset = reset,
	.create = create,
	.destroy = postgres_destroy,
	.pump = pump,
	.execute = cluster_execute,
	.select = cluster_select,
};

static int start_all(void)
{
	int err = timers_create(&test_timers);

	return err ? err : cluster_start();
}

static int end_all(void)
{
	timers_destroy(test_timers);
	return cluster_remove();
}

static CU_TestInfo connect_tests[] = {
	{ "host names are looked up, bad ones passed over",
	  test_names_are_looked_up },
	{ "a host that does not answer is left", test_silent_host_is_left },
	{ "a conninfo that cannot work is refused", test_bad_conninfo },
	{ "a wrong password is not shown", test_password_is_not_shown },
	{ "it starts without a database", test_start_without_database },
	{ "a missing schema is told, and awaited", test_missing_schema },
	{ "the role of roles.sql suffices", test_daemon_role_suffices },
	{ "big tables are never read whole", test_no_sequential_scans },
	{ "plans follow tables that grow", test_plans_follow_growth },
	CU_TEST_INFO_NULL,
};

static CU_TestInfo fault_tests[] = {
	{ "each connection may be terminated", test_terminated_connections },
	{ "a killed server process in mid batch", test_killed_backend },
	{ "a killed postmaster", test_killed_postmaster },
	{ "immediate shutdown while writing", test_immediate_shutdown },
	{ "a batch that hangs is given up", test_abandoned_batch },
	{ "an input that SQL refuses fails alone", test_refused_input },
	{ "an admission from or until infinity", test_infinite_admissions },
	{ "a deadlock is survived", test_deadlock },
	{ "two writers of the same users", test_overlapping_writers },
	{ "a commit that is not replicated is no success",
	  test_unreplicated_commit },
	{ "a lease is lost and comes back", test_lease_comes_back },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "store_postgres: contract", start_all, NULL, NULL, NULL,
	  store_contract_tests },
	{ "store_postgres: connecting", NULL, NULL, NULL, NULL, connect_tests },
	{ "store_postgres: faults", NULL, end_all, NULL, NULL, fault_tests },
	CU_SUITE_INFO_NULL,
};
