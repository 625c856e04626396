/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two clocks. Deadlines use the monotonic one; what is stored or compared
 * with another server's stamp uses UTC. The simulation puts its own in place.
 */
#ifndef MCMIG_BASE_CLOCK_H
#define MCMIG_BASE_CLOCK_H

#include "base/export.h"

struct clock_source {
	uint64_t (*monotonic_ms)(void);
	uint64_t (*utc_us)(void); /* microseconds since 1970 */
};

MCMIG_API uint64_t clock_monotonic_ms(void);
MCMIG_API uint64_t clock_utc_us(void);
static inline uint64_t clock_utc_ms(void)
{
	return clock_utc_us() / 1000;
}

/* NULL puts the system's clocks back. The source must outlive its use. */
MCMIG_API void clock_override(const struct clock_source *source);

#endif
