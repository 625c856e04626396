/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters, gauges and latency histograms, registered by name and read by ctl.
 * Updating one is an increment; only the loop thread may.
 */
#ifndef MCMIG_STATS_STATS_H
#define MCMIG_STATS_STATS_H

#include "base/export.h"

struct stats;

enum stats_kind { STATS_COUNTER, STATS_GAUGE, STATS_HISTOGRAM };

/* Histogram buckets: powers of two of microseconds, 1 us to 2^31 us. */
#define STATS_BUCKETS 32

struct statistic {
	const char *name; /* "sip.requests_received": subject.what */
	const char *help;
	enum stats_kind kind;
	uint64_t value; /* counter, gauge; histogram: samples */
	uint64_t sum;	/* histogram: microseconds */
	uint64_t buckets[STATS_BUCKETS];
	struct statistic *next;
};

MCMIG_API int stats_create(struct stats **statsp);
MCMIG_API void stats_destroy(struct stats *stats);

/* `stat` is the caller's, alive until stats_remove(). Order of adding stays. */
MCMIG_API void stats_add(struct stats *stats, struct statistic *stat);
MCMIG_API void stats_remove(struct stats *stats, struct statistic *stat);
MCMIG_API struct statistic *stats_first(const struct stats *stats);

static inline void stat_increment(struct statistic *stat)
{
	stat->value++;
}
static inline void stat_set(struct statistic *stat, uint64_t value)
{
	stat->value = value;
}
MCMIG_API void stat_observe_us(struct statistic *stat, uint64_t microseconds);
/* Upper bound of the bucket that holds quantile q (0..1), in us; 0: empty. */
MCMIG_API uint64_t stat_quantile_us(const struct statistic *stat, double q);

#endif
