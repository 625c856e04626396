/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of an identity management: a JWKS (RFC 7517), parsed once and then
 * never changed, and the algorithms (RFC 7518) that each key is good for.
 */
#ifndef MCMIG_TOKEN_KEYS_H
#define MCMIG_TOKEN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_KEYS_MAX 64
#define TOKEN_JWKS_BYTES_MAX 262144

enum token_algorithm {
	TOKEN_RS256,
	TOKEN_RS384,
	TOKEN_RS512,
	TOKEN_PS256,
	TOKEN_PS384,
	TOKEN_PS512,
	TOKEN_ES256,
	TOKEN_ES384,
	TOKEN_ES512,
	TOKEN_ALGORITHM_END,
};

const char *token_algorithm_name(enum token_algorithm algorithm);
/* 0, or ENOENT. No name of a shared secret's algorithm, nor "none", is one. */
int token_algorithm_from_name(const char *name,
			      enum token_algorithm *algorithmp);

struct token_keys;
struct token_key;

/*
 * 0; EINVAL: it is no JWKS or has no key for us, with a constant text in
 * `*reasonp`; ENOMEM. A key that is not for us is passed over.
 */
int token_keys_parse(const char *text, size_t bytes, struct token_keys **keysp,
		     const char **reasonp);
void token_keys_destroy(struct token_keys *keys); /* NULL is fine */
size_t token_keys_count(const struct token_keys *keys);
bool token_keys_equal(const struct token_keys *a, const struct token_keys *b);

/*
 * Each key of the JWKS, also those passed over: then `reason` says why, a
 * constant text. `id` and `type` are NULL where there is none.
 */
typedef void token_keys_h(void *arg, const char *id, const char *type,
			  const char *reason);
void token_keys_visit(const struct token_keys *keys, token_keys_h *visit,
		      void *arg);

/*
 * The key of this ID that is for this algorithm; without an ID the only one
 * that is. ENOENT: no key of this ID; EINVAL with a constant text: what is
 * wrong with it.
 */
int token_keys_find(const struct token_keys *keys, const char *id,
		    enum token_algorithm algorithm,
		    const struct token_key **keyp, const char **reasonp);

/*
 * 0: the compact serialization is signed with the key; EINVAL with a constant
 * text; ENOMEM. Its form has been checked; `signature_bytes` is what its
 * signature has when it is decoded. For one thread at a time.
 */
int token_key_verify(const struct token_key *key,
		     enum token_algorithm algorithm, const char *token,
		     size_t token_bytes, size_t signature_bytes,
		     const char **reasonp);

#endif
