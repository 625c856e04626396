/* SPDX-License-Identifier: BSD-2-Clause */
/* One public key of a JWKS, for lib/token alone. */
#ifndef MCMIG_TOKEN_KEY_H
#define MCMIG_TOKEN_KEY_H

#include <cjose/cjose.h>
#include <jansson.h>

#include "token/keys.h"

struct token_key {
	char *id;	    /* kid; may be NULL */
	char *type;	    /* kty and curve or size: "EC P-256"; may be NULL */
	const char *reason; /* NULL; or why it is not for us */
	unsigned algorithms; /* 1 << enum token_algorithm */
	size_t signature_bytes;
	cjose_jwk_t *jwk;
};

/*
 * 0 also for a key that is not for us; ENOMEM. `key` is zeroed before and
 * cleared by token_key_clear() in any case.
 */
int token_key_read(struct token_key *key, const json_t *object);
void token_key_clear(struct token_key *key);

#endif
