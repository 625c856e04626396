/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MC service IDs: SIP URIs that name a user in one MC system. Compared in one
 * canonical form (RFC 3261 19.1.4): scheme and host lower case, escapes of
 * characters that need none decoded, hex digits of the others upper case, no
 * parameters or headers, no password, no control characters.
 */
#ifndef MCMIG_MCINFO_MCID_H
#define MCMIG_MCINFO_MCID_H

#include "base/export.h"

#define MCID_SIZE 256 /* longest MC service ID, with the closing NUL */

/*
 * Puts the canonical form of `text` into `canonical`.
 * 0; EINVAL if it is no SIP URI with a user part and a host, or has what a
 * canonical form may not have; EMSGSIZE if it is too long.
 */
MCMIG_API int mcid_canonical(const char *text, char canonical[MCID_SIZE]);

/*
 * The same of a public user identity of an IMS (TS 23.003 13.4), which may end
 * in ";user=phone".
 */
MCMIG_API int public_identity_canonical(const char *text,
					char canonical[MCID_SIZE]);

/* The domain (host, with port if any) of a canonical MC service ID: inside it. */
MCMIG_API const char *mcid_domain(const char *canonical);

#endif
