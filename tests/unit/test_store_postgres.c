/* SPDX-License-Identifier: BSD-2-Clause */
/* The PostgreSQL store: the contract of store backends, and what is its own. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "postgres_cluster.h"
#include "store_contract.h"
#include "store_fixture.h"
#include "store_postgres/postgres.h"

static const char *conninfo;

static int create(const char *node, struct store_backend **backendp)
{
	struct postgres_config config = {
		.conninfo = conninfo ? conninfo : cluster_conninfo(),
		.connect_timeout_ms = 2000,
		.lease_ms = 15000,
	};
	char why[256] = "";
	int err = postgres_create(backendp, NULL, test_timers, node, &config,
				  why, sizeof(why));

	if (err)
		fprintf(stderr, "%s\n", why);
	return err;
}

static void pump(struct store_backend *backend, int timeout_ms)
{
	(void)backend;
	test_loop_turn(timeout_ms);
}

const struct store_contract_target store_contract_target = {
	.reset = cluster_reset_schema,
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

CU_SuiteInfo unit_suites[] = {
	{ "store_postgres: contract", start_all, end_all, NULL, NULL,
	  store_contract_tests },
	CU_SUITE_INFO_NULL,
};
