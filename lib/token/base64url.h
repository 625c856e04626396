/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64url without padding (RFC 7515 2), strictly: one text for each string of
 * bytes, so that a token cannot be rewritten into another that is as good.
 */
#ifndef MCMIG_TOKEN_BASE64URL_H
#define MCMIG_TOKEN_BASE64URL_H

#include <stddef.h>

/*
 * 0 with a NUL behind the bytes, the caller's; EINVAL: another character, an
 * impossible length, or bits set that carry nothing; ENOMEM.
 */
int base64url_decode(const char *text, size_t chars, unsigned char **bytesp,
		     size_t *countp);

#endif
