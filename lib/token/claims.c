/* SPDX-License-Identifier: BSD-2-Clause */
/* The claims of an access token (TS 33.180 B.2.2, RFC 7519 4.1). */
#include <stdlib.h>
#include <string.h>

#include "mcinfo/mcid.h"
#include "token/reading.h"

#define YEAR_9999_S INT64_C(253402300799)

/* TS 33.180 table B.2.2.3-1. */
static const char *const id_claims[MC_SERVICE_END] = {
	[MC_SERVICE_MCPTT] = "mcptt_id",
	[MC_SERVICE_MCVIDEO] = "mcvideo_id",
	[MC_SERVICE_MCDATA] = "mcdata_id",
};

bool token_names_have(const struct token_names *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!strcmp(names->values[i], text))
			return true;
	}
	return false;
}

static bool is_list_of_texts(const json_t *array)
{
	const json_t *each;
	size_t i;

	json_array_foreach(array, i, each)
	{
		if (!json_is_string(each))
			return false;
	}
	return json_is_array(array);
}

/* --- For whom, by whom -------------------------------------------------- */

static bool is_for_us(const json_t *audience, const struct token_names *ours)
{
	const json_t *each;
	size_t i;

	if (json_is_string(audience))
		return token_names_have(ours, json_string_value(audience));
	json_array_foreach(audience, i, each)
	{
		if (token_names_have(ours, json_string_value(each)))
			return true;
	}
	return false;
}

static const char *check_audience(struct token_reading *reading)
{
	const struct token_names *ours = &reading->claims->issuer->audiences;
	const json_t *audience = json_object_get(reading->payload, "aud");

	if (audience && !json_is_string(audience) &&
	    !is_list_of_texts(audience))
		return "its aud is neither a text nor a list of texts";
	if (!ours->count)
		return NULL;
	if (!audience)
		return "it has no aud";
	return is_for_us(audience, ours) ? NULL : "it is for another audience";
}

static const char *check_client(struct token_reading *reading)
{
	const struct token_names *allowed = &reading->claims->issuer->clients;
	const json_t *client = json_object_get(reading->payload, "client_id");

	if (!client)
		return "it has no client_id";
	if (!json_is_string(client))
		return "its client_id is no text";
	if (allowed->count &&
	    !token_names_have(allowed, json_string_value(client)))
		return "its client is not allowed";
	return NULL;
}

/* --- When --------------------------------------------------------------- */

struct time_faults {
	const char *no_number, *out_of_range;
};

static const char *read_time(const struct token_reading *reading,
			     const char *name, const struct time_faults *faults,
			     int64_t *time_s)
{
	const json_t *claim = json_object_get(reading->payload, name);

	if (!claim)
		return NULL;
	if (!json_is_integer(claim))
		return faults->no_number;
	*time_s = json_integer_value(claim);
	return *time_s < 0 || *time_s > YEAR_9999_S ? faults->out_of_range
						    : NULL;
}

static const char *check_times(struct token_reading *reading)
{
	static const struct time_faults expires = {
		"its exp is no whole number", "its exp is out of range"
	};
	static const struct time_faults not_before = {
		"its nbf is no whole number", "its nbf is out of range"
	};
	static const struct time_faults issued = { "its iat is no whole number",
						   "its iat is out of range" };
	struct token_claims *claims = reading->claims;
	int64_t issued_s = 0;
	const char *reason;

	if (!json_object_get(reading->payload, "exp"))
		return "it has no exp";
	reason = read_time(reading, "exp", &expires, &claims->expires_s);
	if (!reason)
		reason = read_time(reading, "nbf", &not_before,
				   &claims->not_before_s);
	if (!reason)
		reason = read_time(reading, "iat", &issued, &issued_s);
	/* What will be issued later is not valid now. */
	if (claims->not_before_s < issued_s)
		claims->not_before_s = issued_s;
	return reason;
}

/* --- For what ----------------------------------------------------------- */

static void take_scope(struct token_reading *reading, const char *name)
{
	for (unsigned i = 1; i < MC_SERVICE_END; i++) {
		if (token_names_have(&reading->policy->scopes[i], name))
			reading->claims->scopes |= 1u << i;
	}
}

static bool take_scopes(struct token_reading *reading, const char *list)
{
	char *copy = strdup(list), *rest = copy, *name;

	if (!copy)
		return false;
	while ((name = strsep(&rest, " ")))
		take_scope(reading, name);
	free(copy);
	return true;
}

/* A text of names with blanks (RFC 8693 4.2), or a list as in TS 33.180 C.1. */
static const char *check_scope(struct token_reading *reading)
{
	const json_t *scope = json_object_get(reading->payload, "scope");
	const json_t *each;
	size_t i;

	if (!scope)
		return "it has no scope";
	if (json_is_string(scope))
		return take_scopes(reading, json_string_value(scope))
			   ? NULL
			   : token_no_memory(reading);
	if (!is_list_of_texts(scope))
		return "its scope is neither a text nor a list of texts";
	json_array_foreach(scope, i, each)
	    take_scope(reading, json_string_value(each));
	return NULL;
}

/* --- Of whom ------------------------------------------------------------ */

static bool read_id(const struct token_reading *reading, const char *name,
		    char **idp)
{
	const json_t *claim = json_object_get(reading->payload, name);
	char canonical[MCID_SIZE];

	if (!claim)
		return true;
	if (!json_is_string(claim) ||
	    mcid_canonical(json_string_value(claim), canonical))
		canonical[0] = '\0';
	*idp = strdup(canonical);
	return *idp != NULL;
}

static const char *check_ids(struct token_reading *reading)
{
	struct token_claims *claims = reading->claims;
	const char *primary = reading->policy->primary_id_claim;

	for (int i = 1; i < MC_SERVICE_END; i++) {
		if (!read_id(reading, id_claims[i], &claims->ids[i]))
			return token_no_memory(reading);
	}
	if (primary && *primary &&
	    !read_id(reading, primary, &claims->primary_id))
		return token_no_memory(reading);
	return NULL;
}

const struct token_check token_claim_checks[] = {
	{ .name = "audience",
	  .passed = "It is for us, as far as we ask for that.",
	  .needs = HAVE_ISSUER,
	  .run = check_audience },
	{ .name = "client",
	  .passed = "It names the client that it was given to, and that one "
		    "is allowed.",
	  .needs = HAVE_ISSUER,
	  .run = check_client },
	{ .name = "times",
	  .passed = "It says when it ends, in whole seconds.",
	  .needs = HAVE_PAYLOAD,
	  .gives = HAVE_TIMES,
	  .run = check_times },
	{ .name = "scopes",
	  .passed = "It says what it is good for.",
	  .needs = HAVE_PAYLOAD,
	  .run = check_scope },
	{ .name = "identities",
	  .passed = "Its identities have been read.",
	  .needs = HAVE_PAYLOAD,
	  .run = check_ids },
	{ 0 },
};
