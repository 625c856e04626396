/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who checks a client's credentials (TS 23.280 10.6.3.3.1 step 2, TS 33.180
 * Annex B): a module sets core.authorizer, the migration module asks it.
 */
#ifndef MCMIG_MODULE_AUTHORIZER_H
#define MCMIG_MODULE_AUTHORIZER_H

#include "base/export.h"
#include "mcinfo/service.h"

struct authorizer_request {
	enum mc_service service;
	const char *token;	/* NULL: the request has none */
	const char *partner_id; /* canonical: whom the token has to name */
	const char *primary_id; /* canonical: whom a claim of it may pin */
};

enum authorizer_result {
	AUTHORIZER_ALLOWED,
	AUTHORIZER_PINNED, /* allowed, and the token names the primary ID too */
	AUTHORIZER_REFUSED,
	/* Not to be decided now: keys are being fetched. The same again soon. */
	AUTHORIZER_LATER,
};

struct authorizer {
	/*
	 * Never blocks. `*reasonp` of a refusal is for log and audit alone, a
	 * constant text: the peer is told nothing of it.
	 */
	enum authorizer_result (*check)(
	    struct authorizer *authorizer,
	    const struct authorizer_request *request, const char **reasonp);
};

#endif
