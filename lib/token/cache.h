/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verified tokens, remembered by the SHA-256 of their text: who comes again
 * with the same one (every client does, to leave) costs no signature. Bounded;
 * no token is in it. Whoever changes keys or policy flushes it.
 */
#ifndef MCMIG_TOKEN_CACHE_H
#define MCMIG_TOKEN_CACHE_H

#include "token/token.h"

#define TOKEN_DIGEST_BYTES 32

struct token_cache;

/* For about `entries` tokens; at least one. 0 or ENOMEM. */
int token_cache_create(struct token_cache **cachep, size_t entries);
void token_cache_destroy(struct token_cache *cache); /* NULL is fine */
void token_cache_flush(struct token_cache *cache);

/* 0 or ENOMEM. */
int token_cache_digest(struct token_cache *cache, const char *token,
		       unsigned char digest[TOKEN_DIGEST_BYTES]);
/* Borrowed until the next put or flush; NULL: not there. */
const struct token_claims *
token_cache_find(struct token_cache *cache,
		 const unsigned char digest[TOKEN_DIGEST_BYTES]);
/* Takes the claims over; of a full place the one unused for longest goes. */
void token_cache_put(struct token_cache *cache,
		     const unsigned char digest[TOKEN_DIGEST_BYTES],
		     struct token_claims *claims);

#endif
