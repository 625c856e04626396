/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mcmig-load as the next hop behind a relay: takes each request flow with 200
 * and sends its response flow, until it is told to end.
 */
#ifndef MCMIG_BENCH_SINK_H
#define MCMIG_BENCH_SINK_H

#include "bench/load.h"

struct sink_result {
	uint64_t taken;	    /* request flows */
	uint64_t delivered; /* response flows that got a 2xx */
	uint64_t refused;   /* those that got another final answer */
	uint64_t wrong;	    /* messages that break the protocol */
	uint64_t others;    /* requests that are no MESSAGE */
	char last_refused[200];
};

/* Returns after SIGTERM or SIGINT. 0 or an errno. */
int sink(const struct load_options *options, struct sink_result *result);

#endif
