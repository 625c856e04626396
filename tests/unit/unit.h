/* SPDX-License-Identifier: BSD-2-Clause */
/* What every unit test program gives to unit.c's main(). */
#ifndef MCMIG_TESTS_UNIT_H
#define MCMIG_TESTS_UNIT_H

#include <CUnit/Basic.h>

/* Closed by CU_SUITE_INFO_NULL. */
extern CU_SuiteInfo unit_suites[];

#endif
