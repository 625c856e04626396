/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of a token (RFC 7515 3.1, RFC 7519 7.2) and what its header asks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "token/base64url.h"
#include "token/memory.h"
#include "token/reading.h"

static const char *check_size(struct token_reading *reading)
{
	if (!reading->bytes)
		return "it is empty";
	return reading->bytes > TOKEN_BYTES_MAX ? "it is too long" : NULL;
}

/* --- Three parts of base64url ------------------------------------------- */

static bool split(struct token_reading *reading)
{
	const char *from = reading->token;
	const char *end = from + reading->bytes;

	for (int i = 0; i < 3; i++) {
		const char *dot = memchr(from, '.', (size_t)(end - from));

		if (!dot == (i < 2)) /* two dots, no more */
			return false;
		reading->parts[i].text = from;
		reading->parts[i].chars = (size_t)((dot ? dot : end) - from);
		from = dot ? dot + 1 : end;
	}
	return true;
}

static const char *check_parts(struct token_reading *reading)
{
	static const char *const faults[] = {
		"its header is no base64url",
		"its payload is no base64url",
		"its signature is no base64url",
	};

	if (!split(reading))
		return "it has not the three parts of a signed token";
	if (!reading->parts[2].chars)
		return "it is not signed";
	for (int i = 0; i < 3; i++) {
		struct token_part *part = &reading->parts[i];
		int err = base64url_decode(part->text, part->chars,
					   &part->bytes, &part->count);

		if (err == ENOMEM)
			return token_no_memory(reading);
		if (err)
			return faults[i];
	}
	return NULL;
}

/* --- JSON --------------------------------------------------------------- */

struct json_faults {
	const char *twice, *nul, *none, *no_object;
};

static const char *parse(struct token_reading *reading, int part,
			 const struct json_faults *faults, json_t **objectp)
{
	json_error_t error;
	json_t *value;

	token_memory_begin();
	value = json_loadb((const char *)reading->parts[part].bytes,
			   reading->parts[part].count,
			   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (token_memory_failed()) {
		json_decref(value);
		return token_no_memory(reading);
	}
	if (json_is_object(value)) {
		*objectp = value;
		return NULL;
	}
	if (value) {
		json_decref(value);
		return faults->no_object;
	}
	switch (json_error_code(&error)) {
	case json_error_duplicate_key:
		return faults->twice;
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return faults->nul;
	default:
		return faults->none;
	}
}

static const char *check_header(struct token_reading *reading)
{
	static const struct json_faults faults = {
		.twice = "its header has a name twice",
		.nul = "its header has a NUL character",
		.none = "its header is no JSON",
		.no_object = "its header is no JSON object",
	};

	return parse(reading, 0, &faults, &reading->header);
}

static const char *check_payload(struct token_reading *reading)
{
	static const struct json_faults faults = {
		.twice = "its payload has a claim twice",
		.nul = "its payload has a NUL character",
		.none = "its payload is no JSON",
		.no_object = "its payload is no JSON object",
	};

	return parse(reading, 1, &faults, &reading->payload);
}

/* --- The header's demands ----------------------------------------------- */

static const char *check_type(struct token_reading *reading)
{
	/* RFC 7519 5.1; RFC 9068 2.1 for access tokens. */
	static const char *const known[] = { "JWT", "at+jwt", "application/jwt",
					     "application/at+jwt" };
	const json_t *type = json_object_get(reading->header, "typ");

	if (!type)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (json_is_string(type) &&
		    !strcasecmp(json_string_value(type), known[i]))
			return NULL;
	}
	return "its typ is of no access token";
}

/* We know no extension, so none may be critical (RFC 7515 4.1.11). */
static const char *check_critical(struct token_reading *reading)
{
	return json_object_get(reading->header, "crit")
		   ? "its header has crit: an extension that we do not know"
		   : NULL;
}

/* A key that the token brings, or a place for one, proves nothing. */
static const char *check_embedded(struct token_reading *reading)
{
	static const struct {
		const char *name, *fault;
	} refused[] = {
		{ "jku", "its header has jku: a place for keys" },
		{ "jwk", "its header has jwk: a key of its own" },
		{ "x5u", "its header has x5u: a place for certificates" },
		{ "x5c", "its header has x5c: certificates of its own" },
		{ "b64", "its header has b64: another form of the payload" },
		{ "zip", "its header has zip: a compressed payload" },
		{ "enc", "its header has enc: it is encrypted" },
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		if (json_object_get(reading->header, refused[i].name))
			return refused[i].fault;
	}
	return NULL;
}

static const char *check_algorithm(struct token_reading *reading)
{
	const json_t *member = json_object_get(reading->header, "alg");
	const char *name = json_string_value(member);

	if (!member)
		return "its header has no alg";
	if (!name)
		return "its alg is no text";
	if (!strcasecmp(name, "none"))
		return "its alg is none: it is not signed";
	if (!strncasecmp(name, "HS", 2))
		return "its alg is an HMAC: a shared secret";
	if (token_algorithm_from_name(name, &reading->algorithm))
		return "its alg is not known";
	if (!(reading->policy->algorithms & 1u << reading->algorithm))
		return "its alg is not allowed";
	return NULL;
}

const struct token_check token_form_checks[] = {
	{ .name = "size",
	  .passed = "It is not empty and not too long.",
	  .run = check_size },
	{ .name = "parts",
	  .passed = "It has three parts of base64url.",
	  .gives = HAVE_PARTS,
	  .run = check_parts },
	{ .name = "header",
	  .passed = "Its header is a JSON object.",
	  .needs = HAVE_PARTS,
	  .gives = HAVE_HEADER,
	  .run = check_header },
	{ .name = "payload",
	  .passed = "Its payload is a JSON object.",
	  .needs = HAVE_PARTS,
	  .gives = HAVE_PAYLOAD,
	  .run = check_payload },
	{ .name = "type",
	  .passed = "Its header allows it to be an access token.",
	  .needs = HAVE_HEADER,
	  .run = check_type },
	{ .name = "critical",
	  .passed = "Its header asks for no extension.",
	  .needs = HAVE_HEADER,
	  .run = check_critical },
	{ .name = "embedded",
	  .passed = "Its header brings no key.",
	  .needs = HAVE_HEADER,
	  .run = check_embedded },
	{ .name = "algorithm",
	  .passed = "It is signed in a way that is allowed.",
	  .needs = HAVE_HEADER,
	  .gives = HAVE_ALGORITHM,
	  .run = check_algorithm },
	{ 0 },
};
