/* SPDX-License-Identifier: BSD-2-Clause */
/* The four elements of <migration>: which leaves each of them must have. */
#include "mcinfo/document.h"

#include <string.h>

#define BIT(place) (1u << (place))
#define BOTH_IDS (BIT(PLACE_PARTNER_ID) | BIT(PLACE_PRIMARY_ID))
#define OUTCOME (BIT(PLACE_RESULT) | BIT(PLACE_CAUSE) | BIT(PLACE_TEXT))
#define REASON (BIT(PLACE_CAUSE) | BIT(PLACE_TEXT))

static const struct verb verbs[] = {
	{ "authorization-request", MCINFO_AUTHORIZATION, false,
	  BOTH_IDS | BIT(PLACE_PROFILE_INDEX), 0 },
	{ "authorization-response", MCINFO_AUTHORIZATION, true,
	  BOTH_IDS | OUTCOME, REASON },
	{ "deauthorization-request", MCINFO_DEAUTHORIZATION, false, BOTH_IDS,
	  0 },
	{ "deauthorization-response", MCINFO_DEAUTHORIZATION, true,
	  BOTH_IDS | OUTCOME, REASON },
};

const char *mcinfo_flow_name(enum mcinfo_verb verb, bool is_response)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb == verb &&
		    verbs[i].is_response == is_response)
			return verbs[i].name;
	}
	return "-";
}

void verb_open(struct mcinfo_parser *parser, const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(name, verbs[i].name)) {
			parser->verb = &verbs[i];
			parser->info->verb = verbs[i].verb;
			parser->info->is_response = verbs[i].is_response;
			return;
		}
	}
	document_refuse(parser, "unknown element in migration");
}

static void check_outcome(struct mcinfo_parser *parser)
{
	bool failed = parser->info->result == MCINFO_FAILURE;
	bool has_cause = parser->seen & BIT(PLACE_CAUSE);

	if (failed && !has_cause)
		document_refuse(parser, "cause missing with result failure");
	else if (!failed && has_cause)
		document_refuse(parser, "cause given with result success");
	else if (!failed && (parser->seen & BIT(PLACE_TEXT)))
		document_refuse(parser, "text given with result success");
}

void verb_check(struct mcinfo_parser *parser)
{
	const struct verb *verb = parser->verb;
	unsigned missing = verb->leaves & ~verb->optional & ~parser->seen;

	for (int place = PLACE_LEAF; place < PLACE_END; place++) {
		if (missing & BIT(place)) {
			document_refuse(parser, "%s missing in %s",
					leaf_name((enum place)place),
					verb->name);
			return;
		}
	}
	if (!strcmp(parser->info->partner_id_canonical,
		    parser->info->primary_id_canonical))
		document_refuse(parser,
				"partner and primary MC service ID are equal");
	if (verb->is_response)
		check_outcome(parser);
}
