/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rules of both roles share, and the table of events. */
#include "procedure/transition.h"

#include <string.h>

#include "procedure/rules.h"

/* From which states a state may be entered, as bits. */
static const unsigned entered_from[] = {
	[PROCEDURE_AWAITING_RESPONSE] = 1u << PROCEDURE_FORWARDING,
	[PROCEDURE_ANSWERING] =
	    1u << PROCEDURE_FORWARDING | 1u << PROCEDURE_AWAITING_RESPONSE |
	    1u << PROCEDURE_DONE, /* the client asks again */
	[PROCEDURE_DONE] = 1u << PROCEDURE_FORWARDING |
			   1u << PROCEDURE_AWAITING_RESPONSE |
			   1u << PROCEDURE_ANSWERING,
};

bool procedure_change_state(struct procedure *procedure,
			    enum procedure_state state, uint64_t now_us)
{
	/* A new procedure has no state yet (0) and enters any. */
	if (procedure->state && !(entered_from[state] & 1u << procedure->state))
		return false;
	procedure->state = state;
	procedure->finished_us = state == PROCEDURE_DONE ? now_us : 0;
	procedure->changed = true;
	return true;
}

bool order_is_older(const struct user_record *record, const struct event *event,
		    struct transition *transition)
{
	if (!event->order || event->order >= record->last_order)
		return false;
	if (record->last_order - event->order <=
	    event->limits.order_window_us / 1000)
		return true;
	/* No request lives that long: the client's clock was set back. */
	transition->remark = "the client's order is far behind its last one: "
			     "taken, its clock was probably set";
	return false;
}

struct procedure *procedure_begin(struct user_record *record,
				  const struct event *event)
{
	struct procedure *procedure = record_add_procedure(record);

	if (!procedure)
		return NULL;
	procedure->id = event->procedure_id;
	procedure->sequence = event->sequence;
	procedure->order = event->order;
	procedure->verb = event->verb;
	procedure->profile_index = event->profile_index;
	memcpy(procedure->partner_id, event->partner_id, MCID_SIZE);
	memcpy(procedure->partner_id_given, event->partner_id_given, MCID_SIZE);
	memcpy(procedure->primary_id_given, event->primary_id_given, MCID_SIZE);
	memcpy(procedure->peer_system, event->peer_system, SYSTEM_NAME_SIZE);
	memcpy(procedure->client_uri, event->client_uri, CLIENT_URI_SIZE);
	memcpy(procedure->client_identity, event->client_identity,
	       CLIENT_IDENTITY_SIZE);
	procedure->created_us = event->now_us;
	procedure->changed = true;
	procedure->is_new = true;
	return procedure;
}

bool deadline_was_moved(const struct procedure *procedure,
			const struct event *event)
{
	return event->deadline_us &&
	       event->deadline_us != procedure->deadline_us;
}

bool event_needs_fresh_record(const struct event *event)
{
	/*
	 * Both look at admissions or at a partner ID that may be another
	 * user's; neither belongs to this user's record.
	 */
	return event->kind == EVENT_CLIENT_REQUEST ||
	       event->kind == EVENT_RESPONSE;
}

int transition_apply(struct user_record *record, const struct event *event,
		     struct transition *transition)
{
	*transition = (struct transition){ .result = TRANSITION_REFUSED };

	switch (event->kind) {
	case EVENT_CLIENT_REQUEST:
		return partner_client_request(record, event, transition);
	case EVENT_REQUEST_ANSWERED:
		partner_request_answered(record, event, transition);
		return 0;
	case EVENT_RESPONSE:
		return partner_response(record, event, transition);
	case EVENT_DEADLINE:
		partner_deadline(record, event, transition);
		return 0;
	case EVENT_CLIENT_ANSWERED:
		partner_client_answered(record, event, transition);
		return 0;
	case EVENT_PARTNER_REQUEST:
		return primary_partner_request(record, event, transition);
	case EVENT_RESPONSE_ANSWERED:
		return primary_response_answered(record, event, transition);
	case EVENT_RETURNED_HOME:
		primary_returned_home(record, transition);
		return 0;
	}
	return 0;
}

enum mcinfo_cause procedure_answer_cause(const struct user_record *record,
					 const struct procedure *procedure)
{
	const struct mapping *mapping;

	if (procedure->outcome != OUTCOME_SUCCESS ||
	    procedure->verb != MCINFO_AUTHORIZATION ||
	    record->role != ROLE_PARTNER)
		return procedure->cause;
	mapping = record_find_mapping(record, procedure->partner_id);
	if (mapping && mapping->status == MAPPING_ACTIVE &&
	    !strcmp(mapping->primary_id, record->primary_id))
		return CAUSE_NONE;
	return CAUSE_ENDED;
}

static bool mapping_is_remembered(const struct user_record *record,
				  const struct mapping *mapping)
{
	return mapping->status != MAPPING_ENDED &&
	       !strcmp(mapping->primary_id, record->primary_id);
}

void record_settle(struct user_record *record)
{
	size_t kept = 0;

	record->version = record_next_version(record);
	for (size_t i = 0; i < record->procedure_count; i++) {
		record->procedures[i].changed = false;
		record->procedures[i].is_new = false;
		if (procedure_is_live(&record->procedures[i]))
			record->procedures[kept++] = record->procedures[i];
	}
	record->procedure_count = kept;

	kept = 0;
	for (size_t i = 0; i < record->mapping_count; i++) {
		struct mapping *mapping = &record->mappings[i];

		mapping->version += mapping->changed;
		mapping->changed = false;
		if (mapping_is_remembered(record, mapping))
			record->mappings[kept++] = *mapping;
	}
	record->mapping_count = kept;

	for (size_t i = 0; i < record->migration_count; i++)
		record->migrations[i].changed = false;
}
