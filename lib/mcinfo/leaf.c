/* SPDX-License-Identifier: BSD-2-Clause */
/* The values in a document: texts of leaves, and attributes of ours. */
#include "mcinfo/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mcinfo/screen.h"

#define CAUSE_NAME_MAX 64

static const struct {
	const char *name;
	size_t bytes_max;
} leaves[PLACE_END] = {
	[PLACE_TOKEN_STRING] = { "access token", MCINFO_TOKEN_MAX },
	[PLACE_PARTNER_ID] = { "partner-mc-service-id", MCID_SIZE - 1 },
	[PLACE_PRIMARY_ID] = { "primary-mc-service-id", MCID_SIZE - 1 },
	[PLACE_PROFILE_INDEX] = { "profile-index", 3 },
	[PLACE_RESULT] = { "result", 7 },
	[PLACE_CAUSE] = { "cause", CAUSE_NAME_MAX },
	[PLACE_TEXT] = { "text", MCINFO_TEXT_SIZE - 1 },
};

const char *leaf_name(enum place place)
{
	return leaves[place].name;
}

size_t leaf_bytes_max(enum place place)
{
	return leaves[place].bytes_max;
}

/* Digits alone: no sign, no blanks, no leading zeros. */
static int decimal(const char *text, uint64_t max, uint64_t *valuep)
{
	uint64_t value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return EINVAL;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit > 9 || value > (max - digit) / 10)
			return EINVAL;
		value = value * 10 + digit;
	}
	*valuep = value;
	return 0;
}

static void take_token(struct mcinfo_parser *parser)
{
	if (!parser->text_bytes) {
		document_refuse(parser, "access token is empty");
		return;
	}
	for (size_t i = 0; i < parser->text_bytes; i++) {
		if (parser->text[i] <= ' ' || parser->text[i] >= 0x7f) {
			document_refuse(parser,
					"character in the access token that "
					"is not printable ASCII");
			return;
		}
	}
	parser->info->access_token = strdup(parser->text);
	if (!parser->info->access_token)
		parser->err = ENOMEM;
}

static void take_id(struct mcinfo_parser *parser, enum place place, char *id,
		    char *canonical)
{
	if (mcid_canonical(parser->text, canonical))
		document_refuse(parser, "%s is not a SIP URI that names a user",
				leaf_name(place));
	else
		memcpy(id, parser->text, parser->text_bytes + 1);
}

static void take_profile_index(struct mcinfo_parser *parser)
{
	uint64_t value;

	if (decimal(parser->text, MCINFO_PROFILE_INDEX_MAX, &value)) {
		document_refuse(parser,
				"profile-index is not a number from 0 to %d",
				MCINFO_PROFILE_INDEX_MAX);
		return;
	}
	parser->info->profile_index = (unsigned)value;
	parser->info->has_profile_index = true;
}

static void take_result(struct mcinfo_parser *parser)
{
	if (!strcmp(parser->text, "success"))
		parser->info->result = MCINFO_SUCCESS;
	else if (!strcmp(parser->text, "failure"))
		parser->info->result = MCINFO_FAILURE;
	else
		document_refuse(parser,
				"result is neither success nor failure");
}

/* A later version may know more causes: any name of that form is one. */
static void take_cause(struct mcinfo_parser *parser)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (!strspn(parser->text, letters) ||
	    parser->text[strspn(parser->text, all)])
		document_refuse(parser, "cause is not the name of a cause");
	else
		parser->info->cause = mcinfo_cause_from_name(parser->text);
}

static void take_text(struct mcinfo_parser *parser)
{
	if (!screen_is_plain_text(parser->text))
		document_refuse(parser, "control character in text");
	else
		memcpy(parser->info->text, parser->text,
		       parser->text_bytes + 1);
}

void leaf_take(struct mcinfo_parser *parser, enum place place)
{
	struct mcinfo *info = parser->info;

	switch (place) {
	case PLACE_TOKEN_STRING:
		take_token(parser);
		explicit_bzero(parser->text, parser->text_bytes);
		break;
	case PLACE_PARTNER_ID:
		take_id(parser, place, info->partner_id,
			info->partner_id_canonical);
		break;
	case PLACE_PRIMARY_ID:
		take_id(parser, place, info->primary_id,
			info->primary_id_canonical);
		break;
	case PLACE_PROFILE_INDEX:
		take_profile_index(parser);
		break;
	case PLACE_RESULT:
		take_result(parser);
		break;
	case PLACE_CAUSE:
		take_cause(parser);
		break;
	case PLACE_TEXT:
		take_text(parser);
		break;
	default:
		break;
	}
}

static void take_number(struct mcinfo_parser *parser, const char *name,
			const char *value, uint64_t *number)
{
	if (decimal(value, INT64_MAX, number) || !*number)
		document_refuse(parser, "%s is not a number from 1 to 2^63-1",
				name);
}

void leaf_take_attribute(struct mcinfo_parser *parser,
			 const struct attribute *attribute)
{
	struct mcinfo *info = parser->info;
	char value[64];

	if (attribute->uri[0] || (strcmp(attribute->name, "procedure") &&
				  strcmp(attribute->name, "sequence") &&
				  strcmp(attribute->name, "order"))) {
		document_refuse(parser, "unknown attribute in %s",
				parser->verb->name);
		return;
	}
	/* All that fits is short; what is cut stays too long to be valid. */
	value[0] = '\0';
	strncat(value, attribute->value,
		attribute->bytes < sizeof(value) ? attribute->bytes
						 : sizeof(value) - 1);

	if (!strcmp(attribute->name, "sequence")) {
		take_number(parser, "sequence", value, &info->sequence);
	} else if (!strcmp(attribute->name, "order")) {
		take_number(parser, "order", value, &info->order);
	} else if (uuid_from_text(value, &info->procedure_id)) {
		document_refuse(parser, "procedure is not a UUID");
	} else {
		info->has_procedure_id = true;
	}
}
