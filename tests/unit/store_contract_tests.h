/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of the contract by file; store_contract_tests[] lists them. */
#ifndef MCMIG_TESTS_STORE_CONTRACT_TESTS_H
#define MCMIG_TESTS_STORE_CONTRACT_TESTS_H

#include "store_fixture.h"

/* store_contract_provisioned.c */
void test_admissions(void);
void test_users_profiles_permissions(void);
void test_provisioning_change_is_noticed(void);
void test_query_rows(void);
void test_query_gateways(void);
void test_query_arguments(void);
void test_query_migrating(void);
void test_redirection_to_partner(void);
void test_redirection_to_primary(void);

/* store_contract_directory.c */
/* Systems a.example and b.example, and off.example, which is disabled. */
extern const char contract_systems_sql[];
void test_directory(void);
void test_sources(void);
void test_path_is_switched(void);
void test_gateway_changes_are_noticed(void);

/* store_contract_life.c */
void test_schema_version_is_checked(void);
void test_derivation_key_stays(void);
void test_second_incarnation_takes_the_lease(void);
void test_written_is_durable(void);
void test_killed_writer_loses_nothing(void);
void test_find_live(void);
void test_purge(void);
void test_purge_of_users(void);
void test_write_touches_the_user(void);
void test_row_that_was_made_again_conflicts(void);

/* store_model.c */
void test_random_operations_against_a_model(void);

#endif
