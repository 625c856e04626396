/* SPDX-License-Identifier: BSD-2-Clause */
/* The PostgreSQL store's own tests, by file. */
#ifndef MCMIG_TESTS_STORE_POSTGRES_TESTS_H
#define MCMIG_TESTS_STORE_POSTGRES_TESTS_H

#include "store_postgres/postgres.h"

/* Of the backends made from here on; fixture_reset() puts it back. */
extern struct postgres_config test_config;

/* store_postgres_connect.c */
void test_names_are_looked_up(void);
void test_silent_host_is_left(void);
void test_bad_conninfo(void);
void test_password_is_not_shown(void);
void test_start_without_database(void);
void test_missing_schema(void);
void test_daemon_role_suffices(void);
void test_no_sequential_scans(void);
void test_plans_follow_growth(void);

/* store_postgres_faults.c */
void test_terminated_connections(void);
void test_killed_backend(void);
void test_killed_postmaster(void);
void test_immediate_shutdown(void);
void test_abandoned_batch(void);
void test_refused_input(void);
void test_infinite_admissions(void);
void test_deadlock(void);
void test_overlapping_writers(void);
void test_unreplicated_commit(void);
void test_lease_comes_back(void);

#endif
