/* SPDX-License-Identifier: BSD-2-Clause */
/* When certificates and revocation lists end: warnings ahead, and gauges. */
#ifndef MCMIG_SRC_DAEMON_EXPIRY_H
#define MCMIG_SRC_DAEMON_EXPIRY_H

#include "sip/sip.h"
#include "stats/stats.h"

/* Which gauge. */
enum expiry_kind { EXPIRY_OWN, EXPIRY_CRL, EXPIRY_PEER, EXPIRY_KINDS };

struct expiry; /* all that is watched, of one process */

/* 0 or ENOMEM. Gauges are in `stats` while there is something to tell. */
int expiry_create(struct expiry **expiryp, struct stats *stats);
void expiry_destroy(struct expiry *expiry); /* NULL is fine */

/* `kind` of `name` ends at `ends` (UTC seconds; INT64_MAX: never). */
void expiry_see(struct expiry *expiry, enum expiry_kind kind, const char *name,
		int64_t ends);
/*
 * After all that there is has been seen: warns of each threshold once, until it
 * ends at another time; gauges; and forgets what is gone.
 */
void expiry_show(struct expiry *expiry);

/* "2026-01-31T23:59:59Z" */
struct expiry_time {
	char text[32];
};
struct expiry_time expiry_time_of(int64_t seconds);

#endif
