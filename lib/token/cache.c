/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of small sets: a digest has one set, known by its first bytes, and
 * may lie anywhere in it. No chains, no growth, and nobody can aim at a set
 * without tokens that are valid.
 */
#include "token/cache.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 4

struct entry {
	unsigned char digest[TOKEN_DIGEST_BYTES];
	struct token_claims *claims; /* NULL: free */
	uint64_t used;
};

struct token_cache {
	EVP_MD
	*algorithm; /* fetched once: by name it costs more than to hash */
	EVP_MD_CTX *hash;
	struct entry *entries;
	size_t set_count;
	uint64_t uses;
};

int token_cache_create(struct token_cache **cachep, size_t entries)
{
	struct token_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return ENOMEM;
	cache->set_count = (entries + WAYS - 1) / WAYS;
	cache->entries =
	    calloc(cache->set_count * WAYS, sizeof(*cache->entries));
	cache->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	cache->hash = EVP_MD_CTX_new();
	if (!cache->entries || !cache->algorithm || !cache->hash) {
		token_cache_destroy(cache);
		return ENOMEM;
	}
	*cachep = cache;
	return 0;
}

void token_cache_flush(struct token_cache *cache)
{
	for (size_t i = 0; i < cache->set_count * WAYS; i++) {
		token_claims_destroy(cache->entries[i].claims);
		cache->entries[i].claims = NULL;
	}
}

void token_cache_destroy(struct token_cache *cache)
{
	if (!cache)
		return;
	if (cache->entries)
		token_cache_flush(cache);
	free(cache->entries);
	EVP_MD_CTX_free(cache->hash);
	EVP_MD_free(cache->algorithm);
	free(cache);
}

int token_cache_digest(struct token_cache *cache, const char *token,
		       unsigned char digest[TOKEN_DIGEST_BYTES])
{
	if (EVP_DigestInit_ex2(cache->hash, cache->algorithm, NULL) != 1 ||
	    EVP_DigestUpdate(cache->hash, token, strlen(token)) != 1 ||
	    EVP_DigestFinal_ex(cache->hash, digest, NULL) != 1)
		return ENOMEM;
	return 0;
}

static struct entry *set_of(struct token_cache *cache,
			    const unsigned char digest[TOKEN_DIGEST_BYTES])
{
	uint64_t number;

	memcpy(&number, digest, sizeof(number));
	return &cache->entries[number % cache->set_count * WAYS];
}

const struct token_claims *
token_cache_find(struct token_cache *cache,
		 const unsigned char digest[TOKEN_DIGEST_BYTES])
{
	struct entry *set = set_of(cache, digest);

	for (int i = 0; i < WAYS; i++) {
		if (!set[i].claims ||
		    memcmp(set[i].digest, digest, TOKEN_DIGEST_BYTES) != 0)
			continue;
		set[i].used = ++cache->uses;
		return set[i].claims;
	}
	return NULL;
}

void token_cache_put(struct token_cache *cache,
		     const unsigned char digest[TOKEN_DIGEST_BYTES],
		     struct token_claims *claims)
{
	struct entry *set = set_of(cache, digest), *place = set;

	for (int i = 0; i < WAYS && place->claims; i++) {
		if (!set[i].claims || set[i].used < place->used)
			place = &set[i];
	}
	token_claims_destroy(place->claims);
	memcpy(place->digest, digest, TOKEN_DIGEST_BYTES);
	place->claims = claims;
	place->used = ++cache->uses;
}
