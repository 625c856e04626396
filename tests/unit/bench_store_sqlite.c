/* SPDX-License-Identifier: BSD-2-Clause */
/* Throughput of the SQLite backend; its file lies in TMPDIR. */
#include "store_contract.h"
#include "store_sqlite_target.h"
#include "unit.h"

CU_SuiteInfo unit_suites[] = {
	{ "bench: sqlite", sqlite_target_init, sqlite_target_clean, NULL, NULL,
	  store_bench_tests },
	CU_SUITE_INFO_NULL,
};
