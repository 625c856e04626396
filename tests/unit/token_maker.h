/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes keys, JWKs and tokens for tests: good ones, and any broken one. */
#ifndef MCMIG_TESTS_TOKEN_MAKER_H
#define MCMIG_TESTS_TOKEN_MAKER_H

#include <stddef.h>

/* Aborts on any failure: nothing here is under test. */
struct maker_key;

/* "RSA" with a size, or "EC" with 256, 384 or 521. */
struct maker_key *maker_key_create(const char *type, unsigned bits);
void maker_key_destroy(struct maker_key *key);

/* The public key as a JWK with these further members ("\"kid\":\"a\""). */
char *maker_jwk(const struct maker_key *key, const char *members);
/* The JWKS of these JWKs, which it frees; NULL ends them. */
char *maker_jwks(char *jwk, ...);

char *maker_base64url(const void *bytes, size_t count);
/* Signed as `algorithm` says, whatever header and payload are. */
char *maker_token(const struct maker_key *key, const char *algorithm,
		  const char *header, const char *payload);
/* HEADER.PAYLOAD.SIGNATURE of any three texts, of which it encodes two. */
char *maker_unsigned(const char *header, const char *payload,
		     const char *signature);

#endif
