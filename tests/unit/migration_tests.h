/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of the migration module that stand in other files. */
#ifndef MCMIG_TESTS_MIGRATION_TESTS_H
#define MCMIG_TESTS_MIGRATION_TESTS_H

#include <CUnit/Basic.h>

extern CU_TestInfo access_tests[];
extern CU_TestInfo delivery_tests[];
extern CU_TestInfo restart_tests[];
extern CU_TestInfo ims_tests[];
extern CU_TestInfo alloc_tests[];
int alloc_suite_init(void);

#endif
