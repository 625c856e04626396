/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of cjose: what was no fault of a token or a key is told apart. */
#include "token/jose.h"

#include <errno.h>
#include <openssl/ecerr.h>
#include <openssl/err.h>

#include "token/memory.h"

/* --- Errors ------------------------------------------------------------- */

/* cjose's own codes say less than OpenSSL's queue of the thread does. */
struct reasons {
	bool no_memory, beside_curve;
};

static void begin(void)
{
	ERR_clear_error();
	token_memory_begin();
}

static struct reasons take_reasons(void)
{
	struct reasons reasons = { .no_memory = token_memory_failed() };
	unsigned long code;

	while ((code = ERR_get_error())) {
		int reason = ERR_GET_REASON(code);

		reasons.no_memory |= reason == ERR_R_MALLOC_FAILURE;
		reasons.beside_curve |= ERR_GET_LIB(code) == ERR_LIB_EC &&
					reason == EC_R_POINT_IS_NOT_ON_CURVE;
	}
	ERR_clear_error(); /* what was read is kept until then */
	return reasons;
}

/* --- Keys --------------------------------------------------------------- */

/*
 * Numbers of the right size that are no key are points beside their curve;
 * whatever else fails here is no fault of theirs.
 */
static int finish(cjose_jwk_t *key, cjose_jwk_t **keyp)
{
	struct reasons reasons = take_reasons();

	if (key && !reasons.no_memory) {
		*keyp = key;
		return 0;
	}
	cjose_jwk_release(key);
	return reasons.beside_curve && !reasons.no_memory ? EINVAL : ENOMEM;
}

int token_jose_rsa(cjose_jwk_t **keyp, const cjose_jwk_rsa_keyspec *numbers)
{
	begin();
	return finish(cjose_jwk_create_RSA_spec(numbers, NULL), keyp);
}

int token_jose_ec(cjose_jwk_t **keyp, const cjose_jwk_ec_keyspec *numbers)
{
	begin();
	return finish(cjose_jwk_create_EC_spec(numbers, NULL), keyp);
}

/* --- Signatures --------------------------------------------------------- */

int token_jose_verify(const cjose_jwk_t *key, const char *token, size_t bytes)
{
	cjose_jws_t *jws;
	bool good;

	begin();
	jws = cjose_jws_import(token, bytes, NULL);
	good = jws && cjose_jws_verify(jws, key, NULL);
	cjose_jws_release(jws);
	/* Whatever cjose said: without memory it may have read another token. */
	if (take_reasons().no_memory)
		return ENOMEM;
	return good ? 0 : EINVAL;
}
