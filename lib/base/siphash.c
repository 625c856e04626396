/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4, fed piece by piece. */
#include "base/siphash.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void round_once(struct siphash *h)
{
	h->v0 += h->v1;
	h->v1 = rotate(h->v1, 13) ^ h->v0;
	h->v0 = rotate(h->v0, 32);
	h->v2 += h->v3;
	h->v3 = rotate(h->v3, 16) ^ h->v2;
	h->v0 += h->v3;
	h->v3 = rotate(h->v3, 21) ^ h->v0;
	h->v2 += h->v1;
	h->v1 = rotate(h->v1, 17) ^ h->v2;
	h->v2 = rotate(h->v2, 32);
}

static void compress(struct siphash *h, uint64_t word)
{
	h->v3 ^= word;
	round_once(h);
	round_once(h);
	h->v0 ^= word;
}

void siphash_start(struct siphash *hash, const struct siphash_key *key)
{
	*hash = (struct siphash){
		.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->k1 ^ UINT64_C(0x7465646279746573),
	};
}

void siphash_add(struct siphash *hash, const void *data, size_t bytes)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < bytes; i++) {
		hash->tail |= (uint64_t)byte[i] << (hash->bytes % 8 * 8);
		if (++hash->bytes % 8 == 0) {
			compress(hash, hash->tail);
			hash->tail = 0;
		}
	}
}

uint64_t siphash_end(struct siphash *hash)
{
	compress(hash, hash->tail | hash->bytes << 56);
	hash->v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		round_once(hash);
	return hash->v0 ^ hash->v1 ^ hash->v2 ^ hash->v3;
}
