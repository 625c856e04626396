/* SPDX-License-Identifier: BSD-2-Clause */
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "party.h"

#define LABELS_MAX 64

static struct {
	struct uuid id;
	char text[8];
} labels[LABELS_MAX];
static unsigned label_count;

const char *describe_party(unsigned party)
{
	static const char *const names[PARTIES] = {
		"A",   "B",   "C",   "Ag1", "Ag2", "Bg1", "Bg2",
		"Cg1", "Cg2", "ue1", "ue2", "ue3", "ue4", "eve",
		"As1", "As2", "Bs1", "Bs2", "Cs1", "Cs2"
	};

	return party < PARTIES ? names[party] : "?";
}

void describe_reset(void)
{
	label_count = 0;
}

void describe_procedure_is(const struct uuid *id, const char *label)
{
	if (label_count == LABELS_MAX)
		return;
	labels[label_count].id = *id;
	snprintf(labels[label_count].text, sizeof(labels[label_count].text),
		 "%s", label);
	label_count++;
}

const char *describe_procedure(const struct uuid *id)
{
	static char texts[4][UUID_TEXT_SIZE];
	static unsigned next;
	char *text = texts[next++ % 4];

	for (unsigned i = 0; i < label_count; i++) {
		if (uuid_equal(&labels[i].id, id))
			return labels[i].text;
	}
	uuid_to_text(id, text);
	text[4] = '\0';
	return text;
}

const char *describe_body(const char *content_type, const char *body,
			  size_t body_bytes)
{
	static struct mcinfo_parser *parser;
	static char text[160];
	struct mcinfo info;
	struct mcinfo_error error;

	if (!parser && mcinfo_parser_create(&parser))
		abort();
	if (mcinfo_parse(parser, content_type, body, body_bytes, &info,
			 &error)) {
		snprintf(text, sizeof(text), "(%s)", error.text);
		return text;
	}
	snprintf(text, sizeof(text), "%s-%s %s%s%s%s",
		 mcinfo_verb_name(info.verb),
		 info.is_response ? "response" : "request",
		 info.has_procedure_id ? describe_procedure(&info.procedure_id)
				       : "(no id)",
		 !info.is_response		 ? ""
		 : info.result == MCINFO_SUCCESS ? " success"
						 : " failure ",
		 info.is_response && info.result == MCINFO_FAILURE
		     ? mcinfo_cause_name(info.cause)
		     : "",
		 "");
	mcinfo_clear(&info);
	return text;
}

const char *describe_state(const struct procedure *procedure)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s #%llu %s%s%s%s%s%s",
		 describe_procedure(&procedure->id),
		 (unsigned long long)(procedure->sequence % 1000000000),
		 procedure_state_name(procedure->state),
		 procedure->outcome ? " " : "",
		 procedure->outcome ? procedure_outcome_name(procedure->outcome)
				    : "",
		 procedure->cause ? " " : "",
		 procedure->cause ? mcinfo_cause_name(procedure->cause) : "",
		 procedure->telling ? ", still telling" : "");
	return text;
}
