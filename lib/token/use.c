/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a verified token is good for a request, now. */
#include <string.h>

#include "token/reading.h"

static const char *check_expiry(const struct token_policy *policy,
				const struct token_claims *claims,
				const struct authorizer_request *request,
				int64_t now_s)
{
	(void)request;
	return now_s >= claims->expires_s + policy->clock_skew_s
		   ? "it has expired"
		   : NULL;
}

static const char *check_beginning(const struct token_policy *policy,
				   const struct token_claims *claims,
				   const struct authorizer_request *request,
				   int64_t now_s)
{
	(void)request;
	return now_s < claims->not_before_s - policy->clock_skew_s
		   ? "it is not valid yet"
		   : NULL;
}

static const char *check_service(const struct token_policy *policy,
				 const struct token_claims *claims,
				 const struct authorizer_request *request,
				 int64_t now_s)
{
	(void)policy, (void)now_s;
	return claims->scopes & 1u << request->service
		   ? NULL
		   : "its scope has not the service";
}

static const char *check_partner(const struct token_policy *policy,
				 const struct token_claims *claims,
				 const struct authorizer_request *request,
				 int64_t now_s)
{
	const char *id = claims->ids[request->service];

	(void)policy, (void)now_s;
	if (!id)
		return "it has no ID for the service";
	if (!*id)
		return "its ID for the service is no MC service ID";
	return strcmp(id, request->partner_id) ? "it names another user" : NULL;
}

static const char *check_primary(const struct token_policy *policy,
				 const struct token_claims *claims,
				 const struct authorizer_request *request,
				 int64_t now_s)
{
	(void)policy, (void)now_s;
	if (!claims->primary_id)
		return NULL;
	if (!*claims->primary_id)
		return "its primary ID is no MC service ID";
	return strcmp(claims->primary_id, request->primary_id)
		   ? "it names another primary ID"
		   : NULL;
}

const struct token_use_check token_use_checks[] = {
	{ .name = "expiry",
	  .passed = "It has not expired.",
	  .run = check_expiry },
	{ .name = "beginning",
	  .passed = "It is valid already.",
	  .run = check_beginning },
	{ .name = "service",
	  .passed = "Its scope has the service.",
	  .run = check_service },
	{ .name = "partner-id",
	  .passed = "It names the partner MC service ID.",
	  .needs_partner_id = true,
	  .run = check_partner },
	{ .name = "primary-id",
	  .passed = "It names no other primary MC service ID.",
	  .needs_primary_id = true,
	  .run = check_primary },
	{ 0 },
};

enum authorizer_result token_use(const struct token_policy *policy,
				 const struct token_claims *claims,
				 const struct authorizer_request *request,
				 int64_t now_s, const char **reasonp)
{
	for (const struct token_use_check *check = token_use_checks;
	     check->name; check++) {
		*reasonp = check->run(policy, claims, request, now_s);
		if (*reasonp)
			return AUTHORIZER_REFUSED;
	}
	return claims->primary_id ? AUTHORIZER_PINNED : AUTHORIZER_ALLOWED;
}
