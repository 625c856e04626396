/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cjose does for us: public keys of their numbers, and signatures (RFC
 * 7515, RFC 7518 3.3 to 3.5). It is looser than we are: what comes here has
 * passed all checks of the form, the header and the key's numbers.
 */
#ifndef MCMIG_TOKEN_JOSE_H
#define MCMIG_TOKEN_JOSE_H

#include <cjose/cjose.h>

/* 0 with cjose_jwk_release()'s, EINVAL: they are no key, or ENOMEM. */
int token_jose_rsa(cjose_jwk_t **keyp, const cjose_jwk_rsa_keyspec *numbers);
int token_jose_ec(cjose_jwk_t **keyp, const cjose_jwk_ec_keyspec *numbers);

/* 0, EINVAL: the signature is wrong, or ENOMEM. */
int token_jose_verify(const cjose_jwk_t *key, const char *token, size_t bytes);

#endif
