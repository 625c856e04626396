/* SPDX-License-Identifier: BSD-2-Clause */
/* Gets an access token from an identity management. */
#ifndef MCMIG_UE_LOGIN_H
#define MCMIG_UE_LOGIN_H

#include "mcinfo/service.h"

/*
 * A password grant (RFC 6749 4.3) without a password, for the lab. Waits for
 * the answer. `url` without a path: that of its /token. 0 with the token, the
 * caller's; EINVAL, ENOMEM or EIO with the reason on stderr.
 */
int ue_login(const char *url, const char *user, enum mc_service service,
	     char **tokenp);

#endif
