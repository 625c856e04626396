/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of mcmig-load: procedures of many users, one at a time each. */
#ifndef MCMIG_BENCH_RUN_H
#define MCMIG_BENCH_RUN_H

#include "bench/history.h"
#include "bench/load.h"

/* Of the measured time only, except where said otherwise. */
struct run_result {
	uint64_t completed; /* response flow received and answered */
	uint64_t failures;  /* of these: <result>failure</result> */
	double seconds;
	double cpu_seconds; /* our own, user and system */
	/* Of the whole run: */
	uint64_t started;
	uint64_t refused_503, refused_other, silent;
	uint64_t retransmissions; /* of our requests */
	uint64_t repeated; /* response flows that we had answered before */
	uint64_t stray;	   /* response flows of no procedure of ours: 481 */
	uint64_t wrong;	   /* messages that break the protocol */
	uint64_t starved;  /* open loop: due, but no user was free */
	uint32_t migrated; /* users whose last procedure migrated them */
	uint32_t unknown;  /* users whose last procedure has no outcome */
	char last_wrong[200];
	char last_cause[64];
};

/* 0 or an errno; `history` holds every procedure afterwards. */
int run(const struct load_options *options, struct history *history,
	struct run_result *result);

#endif
