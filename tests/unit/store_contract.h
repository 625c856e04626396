/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract of store backends (lib/store/backend.h) as one suite that runs
 * on each of them. A test program says by a target how to come to a database,
 * links the backend's objects, and must not define store_up() and its kin: the
 * suite does (store_fixture.c), in place of lib/store's.
 */
#ifndef MCMIG_TESTS_STORE_CONTRACT_H
#define MCMIG_TESTS_STORE_CONTRACT_H

#include <CUnit/Basic.h>

#include "store/backend.h"

struct store_contract_target {
	/* An empty database with the schema of version 3; what was there before
	 * is gone. Called at the start of each test, with no backend alive. 0
	 * or an errno, having said why on stderr. */
	int (*reset)(void);
	/* A backend for this node on that database, not started: the suite
	 * calls ops->start() and ops->stop(). Several may be alive. */
	int (*create)(const char *node, struct store_backend **backendp);
	/* Only after ops->stop(). */
	void (*destroy)(struct store_backend *backend);
	/*
	 * Waits until this backend has something to do on its loop thread (the
	 * caller's), at most `timeout_ms`, and does it: watched descriptors,
	 * timers, completions. May return early with nothing done.
	 */
	void (*pump)(struct store_backend *backend, int timeout_ms);
	/*
	 * Runs statements separated by ";" on a connection of its own, as
	 * `psql -f` or `sqlite3 < ` would, with the tables' schema in the
	 * search path: 0, or EIO having said why on stderr.
	 */
	int (*execute)(const char *sql);
	/* Runs one SELECT likewise: an array of rows, each an array of texts
	 * (null for NULL), to be json_decref()ed; NULL as EIO above. */
	json_t *(*select)(const char *sql);
};

/* Defined by the test program. */
extern const struct store_contract_target store_contract_target;

/* For a row of unit_suites[]. Environment: STORE_CONTRACT_SEED replays the
 * random ones. */
extern CU_TestInfo store_contract_tests[];
/* Likewise, of bench_store.c: prints items a second. */
extern CU_TestInfo store_bench_tests[];

#endif
