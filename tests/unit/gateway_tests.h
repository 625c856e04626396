/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of the gateway module that stand in other files. */
#ifndef MCMIG_TESTS_GATEWAY_TESTS_H
#define MCMIG_TESTS_GATEWAY_TESTS_H

#include <CUnit/Basic.h>

extern CU_TestInfo gateway_peer_tests[];
extern CU_TestInfo gateway_setting_tests[];
extern CU_TestInfo gateway_alloc_tests[];
int gateway_alloc_suite_init(void);

#endif
