/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has issued a token, with which key, and whether it was so. */
#include <errno.h>
#include <string.h>

#include "token/reading.h"

static const char *check_issuer(struct token_reading *reading)
{
	const struct token_policy *policy = reading->policy;
	const json_t *claim = json_object_get(reading->payload, "iss");

	if (!claim)
		return "it has no iss";
	if (!json_is_string(claim))
		return "its iss is no text";
	for (size_t i = 0; i < policy->issuer_count; i++) {
		const char *name = policy->issuers[i].name;

		if (!name || !strcmp(json_string_value(claim), name)) {
			reading->claims->issuer = &policy->issuers[i];
			return NULL;
		}
	}
	return "its issuer is not known";
}

/* FNV-1a: to recognise a key ID that was asked for before. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

static const char *key_unknown(struct token_reading *reading, const char *id,
			       const char *reason)
{
	reading->failure = TOKEN_KEY_UNKNOWN;
	reading->unknown = (struct token_unknown_key){
		.issuer = reading->claims->issuer,
		.hash = hash_of(id ? id : ""),
	};
	return reason;
}

static const char *check_key(struct token_reading *reading)
{
	const struct token_keys *keys = reading->claims->issuer->keys;
	const json_t *member = json_object_get(reading->header, "kid");
	const char *id = json_string_value(member);
	const char *reason = NULL;

	if (member && !id)
		return "its kid is no text";
	if (!keys)
		return key_unknown(reading, id,
				   "the keys of its issuer are not here");
	switch (token_keys_find(keys, id, reading->algorithm, &reading->key,
				&reason)) {
	case 0:
		return NULL;
	case ENOENT:
		return key_unknown(reading, id, "its issuer has no such key");
	default:
		return reason;
	}
}

static const char *check_signature(struct token_reading *reading)
{
	const char *reason = NULL;
	int err =
	    token_key_verify(reading->key, reading->algorithm, reading->token,
			     reading->bytes, reading->parts[2].count, &reason);

	return err == ENOMEM ? token_no_memory(reading) : reason;
}

const struct token_check token_key_checks[] = {
	{ .name = "issuer",
	  .passed = "It says that it comes from an identity management that "
		    "may issue it.",
	  .needs = HAVE_PAYLOAD,
	  .gives = HAVE_ISSUER,
	  .run = check_issuer },
	{ .name = "key",
	  .passed = "That identity management has a key for it.",
	  .needs = HAVE_HEADER | HAVE_ISSUER | HAVE_ALGORITHM,
	  .gives = HAVE_KEY,
	  .run = check_key },
	{ .name = "signature",
	  .passed = "It is signed with that key, and nothing was changed.",
	  .needs = HAVE_KEY,
	  .run = check_signature },
	{ 0 },
};
