/* SPDX-License-Identifier: BSD-2-Clause */
/* The flows that mcmig-load sends (doc/protocol.md). */
#ifndef MCMIG_BENCH_REQUEST_H
#define MCMIG_BENCH_REQUEST_H

#include "bench/history.h"
#include "bench/load.h"
#include "bench/sip_text.h"

struct request {
	const struct record *record;
	uint32_t number; /* of the record */
	uint64_t sequence;
	uint64_t order;
};

/* What is the same in all requests of a run. */
struct request_maker {
	const struct load_options *options;
	char local[64]; /* HOST:PORT, for the Via */
	uint64_t run;	/* keeps branches of two runs apart */
};

void request_maker_init(struct request_maker *maker,
			const struct load_options *options);
/* The same bytes each time, so that nothing is kept for retransmission.
 * The bytes written, or 0: did not fit. */
size_t request_write(const struct request_maker *maker,
		     const struct request *request, char *out, size_t size);
/* The successful response flow to a request flow between servers.
 * The bytes written, or 0: did not fit. */
size_t response_write(const struct request_maker *maker,
		      const struct sip_view *request, uint32_t number,
		      char *out, size_t size);
/* The number in the branch of one of our requests. 0 or ENOENT. */
int request_number(const struct request_maker *maker, const char *branch,
		   uint32_t *numberp);

#endif
