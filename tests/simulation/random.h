/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulation's only source of chance: splitmix64, one state a stream. */
#ifndef MCMIG_SIMULATION_RANDOM_H
#define MCMIG_SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
	uint64_t state;
};

static inline uint64_t random_next(struct sim_random *random)
{
	uint64_t z = random->state += 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* 0 <= result < n */
static inline uint64_t random_below(struct sim_random *random, uint64_t n)
{
	return n ? random_next(random) % n : 0;
}

static inline uint64_t random_between(struct sim_random *random, uint64_t low,
				      uint64_t high)
{
	return low + random_below(random, high - low + 1);
}

static inline bool random_chance(struct sim_random *random, unsigned per_mille)
{
	return random_below(random, 1000) < per_mille;
}

#endif
