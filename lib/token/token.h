/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access tokens of MC services: JWTs of TS 33.180 Annex B, signed (RFC 7515),
 * checked against what is believed of each identity management. Pure: no file,
 * no clock, no network; shared by the auth_token module and mcmigctl.
 */
#ifndef MCMIG_TOKEN_TOKEN_H
#define MCMIG_TOKEN_TOKEN_H

#include <jansson.h>

#include "module/authorizer.h"
#include "token/keys.h"

#define TOKEN_BYTES_MAX 16384
#define TOKEN_SKEW_MAX_S 300

struct token_names {
	const char *const *values;
	size_t count;
};

/* What is believed of one identity management. All of it is borrowed. */
struct token_issuer {
	const char *name; /* what iss says, to the letter; NULL: anything */
	struct token_names audiences;  /* one of them in aud; none: not asked */
	struct token_names clients;    /* allowed client_id; none: any */
	const struct token_keys *keys; /* NULL: not known yet */
};

struct token_policy {
	const struct token_issuer *issuers;
	size_t issuer_count;
	unsigned algorithms; /* 1 << enum token_algorithm of each allowed */
	uint32_t clock_skew_s;
	/* By mc_service: one of them is in the token's scope. */
	struct token_names scopes[MC_SERVICE_END];
	const char *primary_id_claim; /* NULL or "": none pins */
};

/* What a verified token says, as far as it is asked again. */
struct token_claims {
	const struct token_issuer *issuer;
	int64_t expires_s, not_before_s; /* since 1970 */
	unsigned scopes; /* 1 << mc_service of each that it is good for */
	/* Canonical; NULL: it has none; "": it is no MC service ID. */
	char *ids[MC_SERVICE_END];
	char *primary_id; /* of the claim that pins, likewise */
};

enum token_result {
	TOKEN_VERIFIED,
	TOKEN_REFUSED,
	TOKEN_KEY_UNKNOWN, /* its issuer may have it by now */
	TOKEN_NO_MEMORY,
};

struct token_unknown_key { /* for TOKEN_KEY_UNKNOWN */
	const struct token_issuer *issuer;
	uint64_t hash; /* of the key's ID */
};

/*
 * Form, header, signature and what does not depend on the time or the request.
 * `*claimsp` is the caller's, of TOKEN_VERIFIED alone. `*reasonp` is a constant
 * text, of all others; no byte of the token is in it.
 */
enum token_result token_read(const struct token_policy *policy,
			     const char *token, struct token_claims **claimsp,
			     const char **reasonp,
			     struct token_unknown_key *unknown);
void token_claims_destroy(struct token_claims *claims); /* NULL is fine */

/* Whether verified claims are good for this request at this time. */
enum authorizer_result token_use(const struct token_policy *policy,
				 const struct token_claims *claims,
				 const struct authorizer_request *request,
				 int64_t now_s, const char **reasonp);

/*
 * Every check with its outcome, for people: goes on after a failure as far as
 * there is something to check. True: the token would be taken.
 */
enum token_finding_result {
	TOKEN_PASSED,
	TOKEN_FAILED,
	TOKEN_NOT_CHECKED, /* what it needs has failed */
};
struct token_finding {
	const char *check; /* "signature" */
	enum token_finding_result result;
	const char *sentence;
};
typedef void token_finding_h(void *arg, const struct token_finding *finding);

struct token_inspection {
	json_t *header, *payload; /* NULL: not readable */
};

/*
 * Without a partner or primary ID in the request, that is not asked.
 * `inspection` is cleared by token_inspection_clear().
 */
bool token_inspect(const struct token_policy *policy, const char *token,
		   const struct authorizer_request *request, int64_t now_s,
		   struct token_inspection *inspection, token_finding_h *visit,
		   void *arg);
void token_inspection_clear(struct token_inspection *inspection);

#endif
