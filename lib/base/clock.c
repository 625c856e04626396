/* SPDX-License-Identifier: BSD-2-Clause */
/* The monotonic clock and UTC, or what the simulation gives instead. */
#include "base/clock.h"

#include <time.h>

static uint64_t system_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t system_utc_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static const struct clock_source system_clock = {
	.monotonic_ms = system_monotonic_ms,
	.utc_us = system_utc_us,
};
static const struct clock_source *current = &system_clock;

uint64_t clock_monotonic_ms(void)
{
	return current->monotonic_ms();
}

uint64_t clock_utc_us(void)
{
	return current->utc_us();
}

void clock_override(const struct clock_source *source)
{
	current = source ? source : &system_clock;
}
