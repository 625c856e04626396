/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed 64-bit hash, so that nobody
 * who does not know the key can make two requests collide.
 */
#ifndef MCMIG_BASE_SIPHASH_H
#define MCMIG_BASE_SIPHASH_H

#include "base/export.h"

struct siphash_key {
	uint64_t k0, k1;
};

struct siphash {
	uint64_t v0, v1, v2, v3;
	uint64_t tail; /* bytes that do not make a word yet */
	uint64_t bytes;
};

void siphash_start(struct siphash *hash, const struct siphash_key *key);
void siphash_add(struct siphash *hash, const void *data, size_t bytes);
uint64_t siphash_end(struct siphash *hash);

#endif
