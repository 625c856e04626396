/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of the partner role: what a client asks (TS 23.280 10.6.3.3.1 steps
 * 1-3 and 10.6.3.3.2 steps 1-3), what the primary answers (steps 10-12), and
 * what happens when it does not.
 */
#include <errno.h>
#include <string.h>

#include "procedure/rules.h"

static bool is_undecided(const struct procedure *procedure)
{
	return procedure->state == PROCEDURE_FORWARDING ||
	       procedure->state == PROCEDURE_AWAITING_RESPONSE;
}

static bool mapping_is_of(const struct mapping *mapping,
			  const struct user_record *record)
{
	return !strcmp(mapping->primary_id, record->primary_id);
}

/* Decided: what remains is to tell the client, if one waits. */
static void decide(struct procedure *procedure, enum procedure_outcome outcome,
		   enum mcinfo_cause cause, const struct event *event)
{
	procedure->outcome = outcome;
	procedure->cause = cause;
	procedure->deadline_us = event->now_us + event->limits.response_us;
	procedure_change_state(procedure,
			       *procedure->client_uri ? PROCEDURE_ANSWERING
						      : PROCEDURE_DONE,
			       event->now_us);
}

/*
 * An ended mapping is reserved while the primary is still owed any
 * de-authorization of this user and partner ID: it may redirect to it.
 */
static void settle_mapping(struct user_record *record, const char *partner_id)
{
	struct mapping *mapping = record_find_mapping(record, partner_id);
	enum mapping_status status = MAPPING_ENDED;

	if (!mapping || !mapping_is_of(mapping, record) ||
	    mapping->status == MAPPING_ACTIVE)
		return;
	for (size_t i = 0; i < record->procedure_count; i++) {
		if (record->procedures[i].telling &&
		    !strcmp(record->procedures[i].partner_id, partner_id))
			status = MAPPING_RESERVED;
	}
	if (mapping->status != status) {
		mapping->status = status;
		mapping->changed = true;
	}
}

static void end_mapping(struct user_record *record, const char *partner_id,
			uint64_t now_us)
{
	struct mapping *mapping = record_find_mapping(record, partner_id);

	if (mapping && mapping_is_of(mapping, record) &&
	    mapping->status == MAPPING_ACTIVE) {
		mapping->status = MAPPING_ENDED;
		mapping->ended_us = now_us;
		mapping->changed = true;
	}
	settle_mapping(record, partner_id);
}

/* What a de-authorization tells the primary covers all that came before it. */
static void end_older_telling(struct user_record *record, uint64_t sequence)
{
	for (size_t i = 0; i < record->procedure_count; i++) {
		struct procedure *procedure = &record->procedures[i];

		if (procedure->telling && procedure->sequence < sequence) {
			procedure->telling = false;
			procedure->changed = true;
		}
	}
}

/*
 * The user leaves, whatever becomes of the primary. One that has not taken the
 * request yet goes on being told, without end.
 */
static void finish_deauthorization_locally(struct user_record *record,
					   struct procedure *procedure,
					   const struct event *event)
{
	procedure->telling = procedure->state == PROCEDURE_FORWARDING;
	if (event->notify_primary)
		end_older_telling(record, procedure->sequence);
	decide(procedure, OUTCOME_SUCCESS, CAUSE_NONE, event);
	end_mapping(record, procedure->partner_id, event->now_us);
}

static void set_telling_over(struct user_record *record,
			     struct procedure *procedure)
{
	procedure->telling = false;
	procedure->changed = true;
	settle_mapping(record, procedure->partner_id);
}

/* ------------------------------------------------------- a client's request */

static bool is_admitted(const struct user_record *record,
			const struct event *event)
{
	for (size_t i = 0; i < record->admission_count; i++) {
		const struct admission *row = &record->admissions[i];

		if (row->valid_from_us && event->now_us < row->valid_from_us)
			continue;
		if (row->valid_until_us && event->now_us >= row->valid_until_us)
			continue;
		/* Any token holder could claim anybody's primary ID otherwise. */
		if (!event->pinning_required || event->pair_pinned ||
		    (row->names_partner_id && row->names_primary_id))
			return true;
	}
	return false;
}

/* Held by another user, or not yet given back by one. */
static bool partner_id_is_in_use(const struct user_record *record,
				 const char *partner_id)
{
	const struct mapping *mapping = record_find_mapping(record, partner_id);

	return mapping && !mapping_is_of(mapping, record) &&
	       mapping->status != MAPPING_ENDED;
}

static bool has_other_partner_id(const struct user_record *record,
				 const char *partner_id)
{
	for (size_t i = 0; i < record->mapping_count; i++) {
		const struct mapping *mapping = &record->mappings[i];

		if (mapping_is_of(mapping, record) &&
		    mapping->status == MAPPING_ACTIVE &&
		    strcmp(mapping->partner_id, partner_id))
			return true;
	}
	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *procedure = &record->procedures[i];

		if ((is_undecided(procedure) || procedure->telling) &&
		    strcmp(procedure->partner_id, partner_id))
			return true;
	}
	return false;
}

/* Something to leave: a mapping, an ended one, or a running authorization. */
static bool was_ever_here(const struct user_record *record,
			  const char *partner_id)
{
	const struct mapping *mapping = record_find_mapping(record, partner_id);

	if (mapping && mapping_is_of(mapping, record))
		return true;
	for (size_t i = 0; i < record->procedure_count; i++) {
		if (is_undecided(&record->procedures[i]))
			return true;
	}
	return false;
}

/* TS 23.280 10.6.3.3.1 step 2; a refusal touches and supersedes nothing. */
static enum mcinfo_cause initial_check(struct user_record *record,
				       const struct event *event,
				       struct transition *transition)
{
	bool authorization = event->verb == MCINFO_AUTHORIZATION;

	if (authorization && !event->peer_enabled)
		return CAUSE_SYSTEM_DISABLED;
	if (authorization && !is_admitted(record, event))
		return CAUSE_NOT_ADMITTED;
	if (order_is_older(record, event, transition))
		return CAUSE_SUPERSEDED;
	if (event->order)
		record->last_order = event->order;
	if (has_other_partner_id(record, event->partner_id))
		return CAUSE_OTHER_PARTNER_ID;
	if (authorization && partner_id_is_in_use(record, event->partner_id))
		return CAUSE_PARTNER_ID_IN_USE;
	if (!authorization && !was_ever_here(record, event->partner_id))
		return CAUSE_NOT_MIGRATED;
	return CAUSE_NONE;
}

/* Supersession is the partner's alone, and only while no outcome is set. */
static void supersede(struct user_record *record, const struct event *event)
{
	for (size_t i = 0; i < record->procedure_count; i++) {
		struct procedure *procedure = &record->procedures[i];

		if (!is_undecided(procedure))
			continue;
		if (procedure->verb == MCINFO_AUTHORIZATION)
			decide(procedure, OUTCOME_FAILURE, CAUSE_SUPERSEDED,
			       event);
		else
			finish_deauthorization_locally(record, procedure,
						       event);
	}
}

static bool is_full(const struct user_record *record)
{
	size_t live = 0;

	for (size_t i = 0; i < record->procedure_count; i++)
		live += procedure_is_live(&record->procedures[i]);
	return live >= RECORD_LIVE_MAX;
}

/* Who waits for the response is reached as before. */
static bool is_same_client(const struct procedure *procedure,
			   const struct event *event)
{
	return !strcmp(procedure->client_uri, event->client_uri) &&
	       !strcmp(procedure->client_identity, event->client_identity);
}

/* The procedure ID is known: nothing runs twice. */
static void repeat(const struct user_record *record,
		   struct procedure *procedure, const struct event *event,
		   struct transition *transition)
{
	bool moved = !is_same_client(procedure, event);

	if (procedure->verb != event->verb) {
		refuse_other_verb(transition);
		return;
	}
	if (!moved && procedure->state != PROCEDURE_DONE) {
		transition_set(transition, TRANSITION_ALREADY_APPLIED, 200,
			       NULL);
		return;
	}
	if (!procedure_is_live(procedure) && is_full(record)) {
		refuse_full(transition);
		return;
	}
	memcpy(procedure->client_uri, event->client_uri, CLIENT_URI_SIZE);
	memcpy(procedure->client_identity, event->client_identity,
	       CLIENT_IDENTITY_SIZE);
	procedure->changed = true;
	if (procedure->state == PROCEDURE_DONE) {
		procedure->deadline_us =
		    event->now_us + event->limits.response_us;
		procedure_change_state(procedure, PROCEDURE_ANSWERING,
				       event->now_us);
	}
	transition_set(transition, TRANSITION_APPLIED, 200, NULL);
}

/* What a request without a procedure ID asks for already runs: it joins it. */
static struct procedure *find_running(const struct user_record *record,
				      const struct event *event)
{
	if (!event->derived_id)
		return NULL;
	for (size_t i = 0; i < record->procedure_count; i++) {
		struct procedure *procedure = &record->procedures[i];

		if (is_undecided(procedure) && procedure->verb == event->verb &&
		    procedure->profile_index == event->profile_index &&
		    !strcmp(procedure->partner_id, event->partner_id))
			return procedure;
	}
	return NULL;
}

static int forward(struct user_record *record, const struct event *event)
{
	struct procedure *procedure = procedure_begin(record, event);
	bool authorization = event->verb == MCINFO_AUTHORIZATION;

	if (!procedure)
		return ENOMEM;
	record->last_sequence = record->last_sequence + 1 > event->now_us
				    ? record->last_sequence + 1
				    : event->now_us;
	procedure->sequence = record->last_sequence;
	procedure->deadline_us =
	    event->now_us + (authorization ? event->limits.authorization_us
					   : event->limits.deauthorization_us);
	procedure_change_state(procedure, PROCEDURE_FORWARDING, event->now_us);
	if (!authorization && !event->notify_primary) {
		finish_deauthorization_locally(record, procedure, event);
		set_telling_over(record, procedure);
	}
	return 0;
}

static int refuse(struct user_record *record, const struct event *event,
		  enum mcinfo_cause cause, struct transition *transition)
{
	struct procedure *procedure = procedure_begin(record, event);

	if (!procedure)
		return ENOMEM;
	decide(procedure, OUTCOME_FAILURE, cause, event);
	transition->unfavourable = true;
	return 0;
}

int partner_client_request(struct user_record *record,
			   const struct event *event,
			   struct transition *transition)
{
	struct procedure *known = record_find_procedure(
	    record, &event->procedure_id, event->partner_id, 0);
	enum mcinfo_cause cause;

	if (!known)
		known = find_running(record, event);
	if (known) {
		repeat(record, known, event, transition);
		return 0;
	}
	if (is_full(record)) {
		refuse_full(transition);
		return 0;
	}
	transition_set(transition, TRANSITION_APPLIED, 200, NULL);
	cause = initial_check(record, event, transition);
	if (cause)
		return refuse(record, event, cause, transition);
	supersede(record, event);
	return forward(record, event);
}

/* ------------------------------------- the primary's answer to our request */

/* Of this procedure and request: an older request's answer finds nothing. */
static struct procedure *find_sent(const struct user_record *record,
				   const struct event *event)
{
	struct procedure *procedure = record_find_procedure(
	    record, &event->procedure_id, event->partner_id, 0);

	if (!procedure || procedure->verb != event->verb ||
	    procedure->sequence != event->sequence)
		return NULL;
	return procedure;
}

static void request_refused(struct user_record *record,
			    struct procedure *procedure,
			    const struct event *event)
{
	if (procedure->verb == MCINFO_AUTHORIZATION)
		decide(procedure, OUTCOME_FAILURE, CAUSE_PRIMARY_REFUSED,
		       event);
	else
		finish_deauthorization_locally(record, procedure, event);
}

void partner_request_answered(struct user_record *record,
			      const struct event *event,
			      struct transition *transition)
{
	struct procedure *procedure = find_sent(record, event);
	bool taken = event->status == 200;
	bool system_left = event->status == 0;

	if (!procedure)
		return;
	transition->result = TRANSITION_APPLIED;
	if (procedure->telling && (taken || system_left))
		set_telling_over(record, procedure);
	else if (procedure->state == PROCEDURE_FORWARDING && taken)
		procedure_change_state(procedure, PROCEDURE_AWAITING_RESPONSE,
				       event->now_us);
	else if (procedure->state == PROCEDURE_FORWARDING)
		request_refused(record, procedure, event);
	else /* the telling goes on */
		transition->result = TRANSITION_ALREADY_APPLIED;
}

/* --------------------------------------------------- the primary's response */

/* Step 11: the mapping, in one transition with the outcome. */
static int store_mapping(struct user_record *record,
			 struct procedure *procedure, const struct event *event)
{
	struct mapping *mapping =
	    record_find_mapping(record, procedure->partner_id);

	if (!mapping)
		mapping = record_add_mapping(record);
	if (!mapping)
		return ENOMEM;
	memcpy(mapping->partner_id, procedure->partner_id, MCID_SIZE);
	memcpy(mapping->primary_id, record->primary_id, MCID_SIZE);
	memcpy(mapping->primary_system, procedure->peer_system,
	       SYSTEM_NAME_SIZE);
	mapping->status = MAPPING_ACTIVE;
	mapping->procedure_id = procedure->id;
	mapping->sequence = procedure->sequence;
	mapping->profile_index = procedure->profile_index;
	mapping->started_us = event->now_us;
	mapping->ended_us = 0;
	mapping->changed = true;
	decide(procedure, OUTCOME_SUCCESS, CAUSE_NONE, event);
	return 0;
}

static bool mapping_is_of_procedure(const struct user_record *record,
				    const struct event *event)
{
	const struct mapping *mapping =
	    record_find_mapping(record, event->partner_id);

	return mapping && mapping->status == MAPPING_ACTIVE &&
	       mapping_is_of(mapping, record) &&
	       uuid_equal(&mapping->procedure_id, &event->procedure_id) &&
	       mapping->sequence == event->sequence;
}

static int authorization_success(struct user_record *record,
				 struct procedure *procedure,
				 const struct event *event,
				 struct transition *transition)
{
	if (!procedure || !is_undecided(procedure)) {
		if (mapping_is_of_procedure(record, event))
			transition_set(transition, TRANSITION_ALREADY_APPLIED,
				       200, NULL);
		return 0;
	}
	transition->result = TRANSITION_APPLIED;
	if (partner_id_is_in_use(record, event->partner_id)) {
		decide(procedure, OUTCOME_FAILURE, CAUSE_PARTNER_ID_IN_USE,
		       event);
		return 0;
	}
	transition_set(transition, TRANSITION_APPLIED, 200, NULL);
	return store_mapping(record, procedure, event);
}

static void authorization_failure(struct procedure *procedure,
				  const struct event *event,
				  struct transition *transition)
{
	if (!procedure)
		return;
	transition_set(transition, TRANSITION_ALREADY_APPLIED, 200, NULL);
	if (is_undecided(procedure)) {
		transition->result = TRANSITION_APPLIED;
		decide(procedure, OUTCOME_FAILURE, event->cause, event);
	}
}

/* Whatever it says, the primary has spoken and the user has left. */
static void deauthorization_response(struct user_record *record,
				     struct procedure *procedure,
				     const struct event *event,
				     struct transition *transition)
{
	if (!procedure)
		return;
	transition_set(transition, TRANSITION_ALREADY_APPLIED, 200, NULL);
	if (event->outcome != OUTCOME_SUCCESS)
		transition->remark = "the primary answers failure to a "
				     "de-authorization: it must not";
	if (!is_undecided(procedure) && !procedure->telling)
		return;
	transition->result = TRANSITION_APPLIED;
	if (is_undecided(procedure))
		finish_deauthorization_locally(record, procedure, event);
	if (procedure->telling)
		set_telling_over(record, procedure);
}

int partner_response(struct user_record *record, const struct event *event,
		     struct transition *transition)
{
	struct procedure *procedure = find_sent(record, event);

	transition_set(transition, TRANSITION_REFUSED, 481,
		       "procedure not awaited");
	if (event->verb == MCINFO_DEAUTHORIZATION)
		deauthorization_response(record, procedure, event, transition);
	else if (event->outcome == OUTCOME_SUCCESS)
		return authorization_success(record, procedure, event,
					     transition);
	else
		authorization_failure(procedure, event, transition);
	return 0;
}

/* ------------------------------------------------------- time, and the client */

void partner_deadline(struct user_record *record, const struct event *event,
		      struct transition *transition)
{
	struct procedure *procedure = find_sent(record, event);

	if (!procedure || !is_undecided(procedure) ||
	    deadline_was_moved(procedure, event))
		return;
	transition->result = TRANSITION_APPLIED;
	if (procedure->verb == MCINFO_AUTHORIZATION)
		decide(procedure, OUTCOME_FAILURE, CAUSE_PRIMARY_UNREACHABLE,
		       event);
	else
		finish_deauthorization_locally(record, procedure, event);
}

void partner_client_answered(struct user_record *record,
			     const struct event *event,
			     struct transition *transition)
{
	struct procedure *procedure = find_sent(record, event);

	if (!procedure || procedure->state != PROCEDURE_ANSWERING ||
	    deadline_was_moved(procedure, event))
		return;
	/* It has asked again from elsewhere, and was answered 200 there. */
	if (event->status && !is_same_client(procedure, event))
		return;
	transition->result = TRANSITION_APPLIED;
	procedure_change_state(procedure, PROCEDURE_DONE, event->now_us);
}
