/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters, gauges and histograms in a list, in the order of adding. */
#include "stats/stats.h"

#include <errno.h>
#include <stdlib.h>

struct stats {
	struct statistic *first;
};

int stats_create(struct stats **statsp)
{
	struct stats *stats = calloc(1, sizeof(*stats));

	if (!stats)
		return ENOMEM;
	*statsp = stats;
	return 0;
}

void stats_destroy(struct stats *stats)
{
	free(stats);
}

void stats_add(struct stats *stats, struct statistic *stat)
{
	struct statistic **link = &stats->first;

	while (*link)
		link = &(*link)->next;
	stat->next = NULL;
	*link = stat;
}

void stats_remove(struct stats *stats, struct statistic *stat)
{
	for (struct statistic **link = &stats->first; *link;
	     link = &(*link)->next) {
		if (*link == stat) {
			*link = stat->next;
			return;
		}
	}
}

struct statistic *stats_first(const struct stats *stats)
{
	return stats->first;
}

static unsigned bucket_of(uint64_t microseconds)
{
	unsigned bucket;

	if (microseconds <= 1)
		return 0;
	bucket = 64 - (unsigned)__builtin_clzll(microseconds - 1);
	return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

void stat_observe_us(struct statistic *stat, uint64_t microseconds)
{
	stat->value++;
	stat->sum += microseconds;
	stat->buckets[bucket_of(microseconds)]++;
}

uint64_t stat_quantile_us(const struct statistic *stat, double q)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		seen += stat->buckets[i];
		if (seen && (double)seen >= q * (double)stat->value)
			return UINT64_C(1) << i;
	}
	return 0;
}
