/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public keys and their signatures (RFC 7518 3.3 to 3.5) by OpenSSL. Not by
 * cjose: it parses a token once more in its own way, and version 0.6.2 crashes
 * when memory is short.
 */
#ifndef MCMIG_TOKEN_PUBLIC_H
#define MCMIG_TOKEN_PUBLIC_H

#include <openssl/types.h>
#include <stddef.h>

#include "token/keys.h"

/* 0 with EVP_PKEY_free()'s, EINVAL: they are no key, or ENOMEM. */
int token_public_rsa(EVP_PKEY **keyp, const unsigned char *modulus,
		     size_t modulus_bytes, const unsigned char *exponent,
		     size_t exponent_bytes);
int token_public_ec(EVP_PKEY **keyp, const char *curve, const unsigned char *x,
		    const unsigned char *y, size_t coordinate_bytes);

/* 0, EINVAL: the signature is wrong, or ENOMEM. It is of a length that fits. */
int token_public_verify(EVP_PKEY *key, enum token_algorithm algorithm,
			const char *text, size_t text_bytes,
			const unsigned char *signature, size_t signature_bytes);

#endif
