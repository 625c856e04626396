/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and counts what happens in lib/sip. */
#include "sip/counters.h"

#include <errno.h>
#include <stdlib.h>

#include "stats/stats.h"

struct sip_counters {
	struct stats *stats;
	struct statistic all[SIP_COUNT_END];
};

static const struct statistic templates[SIP_COUNT_END] = {
#define COUNTER(id, text) \
	[SIP_COUNT_##     \
	    id] = { .name = "sip." #id, .help = text, .kind = STATS_COUNTER },
#define GAUGE(id, text) \
	[SIP_COUNT_##   \
	    id] = { .name = "sip." #id, .help = text, .kind = STATS_GAUGE },
	SIP_COUNTERS(COUNTER, GAUGE)
};

int sip_counters_create(struct sip_counters **countersp, struct stats *stats)
{
	struct sip_counters *counters = calloc(1, sizeof(*counters));

	if (!counters)
		return ENOMEM;
	counters->stats = stats;
	for (int i = 0; i < SIP_COUNT_END; i++) {
		counters->all[i] = templates[i];
		if (stats)
			stats_add(stats, &counters->all[i]);
	}
	*countersp = counters;
	return 0;
}

void sip_counters_destroy(struct sip_counters *counters)
{
	if (!counters)
		return;
	for (int i = 0; i < SIP_COUNT_END && counters->stats; i++)
		stats_remove(counters->stats, &counters->all[i]);
	free(counters);
}

void sip_count(struct sip_counters *counters, enum sip_counter counter)
{
	stat_increment(&counters->all[counter]);
}

void sip_gauge(struct sip_counters *counters, enum sip_counter gauge,
	       uint64_t value)
{
	stat_set(&counters->all[gauge], value);
}
