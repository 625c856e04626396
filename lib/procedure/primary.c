/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of the primary role: a partner's request (TS 23.280 10.6.3.3.1
 * steps 6-8, 10.6.3.3.2 steps 5-8) and the partner's answer to our response.
 * The primary never supersedes: a newer authorization leaves older unconfirmed
 * ones until their own 200 or 481.
 */
#include <errno.h>
#include <string.h>

#include "procedure/rules.h"

static bool is_unconfirmed(const struct procedure *procedure)
{
	return procedure->verb == MCINFO_AUTHORIZATION &&
	       procedure->state == PROCEDURE_ANSWERING &&
	       procedure->outcome == OUTCOME_SUCCESS;
}

static struct migration *find_or_add(struct user_record *record,
				     const char *partner_system)
{
	struct migration *migration =
	    record_find_migration(record, partner_system);

	if (migration)
		return migration;
	migration = record_add_migration(record);
	if (migration)
		memcpy(migration->partner_system, partner_system,
		       SYSTEM_NAME_SIZE);
	return migration;
}

/* It will never be confirmed. */
static void drop(struct procedure *procedure, uint64_t now_us)
{
	procedure->outcome = OUTCOME_FAILURE;
	procedure->cause = CAUSE_SUPERSEDED;
	procedure_change_state(procedure, PROCEDURE_DONE, now_us);
}

static void drop_older(struct user_record *record, const char *partner_system,
		       uint64_t sequence, uint64_t now_us)
{
	for (size_t i = 0; i < record->procedure_count; i++) {
		struct procedure *procedure = &record->procedures[i];

		if (is_unconfirmed(procedure) &&
		    procedure->sequence < sequence &&
		    !strcmp(procedure->peer_system, partner_system))
			drop(procedure, now_us);
	}
}

/* ----------------------------------------------------- a partner's request */

static bool is_full(const struct user_record *record, const struct event *event)
{
	size_t live = 0;

	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *procedure = &record->procedures[i];

		live += procedure_is_live(procedure) &&
			procedure->verb == event->verb &&
			!strcmp(procedure->peer_system, event->peer_system);
	}
	return live >= RECORD_LIVE_MAX;
}

static bool is_confirmed(const struct procedure *procedure)
{
	return procedure->verb == MCINFO_AUTHORIZATION &&
	       procedure->outcome == OUTCOME_SUCCESS &&
	       procedure->state == PROCEDURE_DONE;
}

/* Taken before; a partner that asks again has not had the response. What was
 * confirmed it has. */
static void repeat(const struct user_record *record,
		   struct procedure *procedure, const struct event *event,
		   struct transition *transition)
{
	if (procedure->verb != event->verb) {
		refuse_other_verb(transition);
		return;
	}
	transition_set(transition, TRANSITION_ALREADY_APPLIED, 200, NULL);
	if (procedure_is_live(procedure) || is_confirmed(procedure))
		return;
	if (is_full(record, event)) {
		refuse_full(transition);
		return;
	}
	procedure->deadline_us = event->now_us + event->limits.response_us;
	procedure_change_state(procedure, PROCEDURE_ANSWERING, event->now_us);
	transition->result = TRANSITION_APPLIED;
}

static bool has_profile(const struct user_record *record, unsigned index)
{
	for (size_t i = 0; i < record->profile_count; i++) {
		if (record->profiles[i] == index)
			return true;
	}
	return false;
}

static bool has_permission(const struct user_record *record,
			   const struct event *event)
{
	for (size_t i = 0; i < record->permission_count; i++) {
		const struct permission *permission = &record->permissions[i];

		if (permission->profile_index == event->profile_index &&
		    (!strcmp(permission->partner_system, "*") ||
		     !strcmp(permission->partner_system, event->peer_system)))
			return true;
	}
	return false;
}

/* Whether what this partner system has told us since is newer. */
static bool sequence_is_older(const struct user_record *record,
			      const struct event *event)
{
	const struct migration *migration =
	    record_find_migration(record, event->peer_system);

	return migration &&
	       (event->sequence <= migration->sequence ||
		event->sequence < migration->deauthorized_sequence);
}

/* TS 23.280 10.6.3.3.1 step 6. */
static enum mcinfo_cause authorization_check(const struct user_record *record,
					     const struct event *event,
					     struct transition *transition)
{
	if (sequence_is_older(record, event) ||
	    order_is_older(record, event, transition))
		return CAUSE_SUPERSEDED;
	if (!event->peer_enabled)
		return CAUSE_SYSTEM_DISABLED;
	if (!record->user_known)
		return CAUSE_USER_UNKNOWN;
	if (!record->user_enabled)
		return CAUSE_USER_DISABLED;
	if (!has_profile(record, event->profile_index))
		return CAUSE_PROFILE_UNKNOWN;
	if (!has_permission(record, event))
		return CAUSE_NOT_PERMITTED;
	return CAUSE_NONE;
}

/* Step 7: recorded, but not used for redirection until confirmed (NOTE 3). */
static void accept_authorization(struct user_record *record,
				 struct procedure *procedure,
				 const struct event *event)
{
	procedure->outcome = OUTCOME_SUCCESS;
	procedure->deadline_us = 0; /* goes on until 200, 481 or a newer one */
	procedure->epoch = ++record->last_epoch;
	if (event->order)
		record->last_order = event->order;
}

static int accept_deauthorization(struct user_record *record,
				  const struct event *event)
{
	struct migration *migration = find_or_add(record, event->peer_system);

	if (!migration)
		return ENOMEM;
	if (event->sequence > migration->deauthorized_sequence) {
		migration->deauthorized_sequence = event->sequence;
		migration->changed = true;
	}
	if (migration->active && migration->sequence < event->sequence) {
		migration->active = false;
		migration->ended_us = event->now_us;
		migration->changed = true;
	}
	drop_older(record, event->peer_system, event->sequence, event->now_us);
	return 0;
}

int primary_partner_request(struct user_record *record,
			    const struct event *event,
			    struct transition *transition)
{
	struct procedure *procedure = record_find_procedure(
	    record, &event->procedure_id, event->partner_id, event->sequence);
	enum mcinfo_cause cause = CAUSE_NONE;

	if (procedure) {
		repeat(record, procedure, event, transition);
		return 0;
	}
	if (is_full(record, event)) {
		refuse_full(transition);
		return 0;
	}
	if (event->verb == MCINFO_AUTHORIZATION) {
		cause = authorization_check(record, event, transition);
	} else if (accept_deauthorization(record, event)) {
		return ENOMEM; /* a de-authorization is never refused */
	}
	procedure = procedure_begin(record, event);
	if (!procedure)
		return ENOMEM;
	procedure->deadline_us = event->now_us + event->limits.response_us;
	procedure->outcome = cause ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
	procedure->cause = cause;
	if (event->verb == MCINFO_AUTHORIZATION && !cause)
		accept_authorization(record, procedure, event);
	procedure_change_state(procedure, PROCEDURE_ANSWERING, event->now_us);
	transition->unfavourable = cause != CAUSE_NONE;
	transition_set(transition, TRANSITION_APPLIED, 200, NULL);
	return 0;
}

/* ------------------------------------ the partner's answer to our response */

/* The partner has it durably (its step 11): from now on calls are redirected. */
static int confirm(struct user_record *record, struct procedure *procedure,
		   uint64_t now_us)
{
	struct migration *migration =
	    find_or_add(record, procedure->peer_system);

	if (!migration)
		return ENOMEM;
	procedure_change_state(procedure, PROCEDURE_DONE, now_us);
	if (migration->sequence > procedure->sequence ||
	    migration->deauthorized_sequence > procedure->sequence)
		return 0; /* never over what is newer */
	memcpy(migration->partner_id, procedure->partner_id, MCID_SIZE);
	migration->active = true;
	migration->procedure_id = procedure->id;
	migration->sequence = procedure->sequence;
	migration->profile_index = procedure->profile_index;
	if (migration->epoch < procedure->epoch)
		migration->epoch = procedure->epoch;
	migration->started_us = now_us;
	migration->ended_us = 0;
	migration->changed = true;
	if (record->confirmed_epoch < migration->epoch)
		record->confirmed_epoch = migration->epoch;
	drop_older(record, procedure->peer_system, procedure->sequence, now_us);
	return 0;
}

int primary_response_answered(struct user_record *record,
			      const struct event *event,
			      struct transition *transition)
{
	struct procedure *procedure = record_find_procedure(
	    record, &event->procedure_id, event->partner_id, event->sequence);

	if (!procedure || procedure->verb != event->verb ||
	    procedure->state != PROCEDURE_ANSWERING ||
	    deadline_was_moved(procedure, event))
		return 0;
	transition->result = TRANSITION_APPLIED;
	if (!is_unconfirmed(procedure)) {
		procedure_change_state(procedure, PROCEDURE_DONE,
				       event->now_us);
		return 0;
	}
	if (event->status == 200)
		return confirm(record, procedure, event->now_us);
	/* 481: not awaited; 0: the partner system has left the directory. Any
	 * other answer means: try again later. */
	if (event->status == 481 || event->status == 0)
		drop(procedure, event->now_us);
	else
		transition->result = TRANSITION_REFUSED;
	return 0;
}

/* ------------------------------------------------------- at home once more */

static bool is_away(const struct user_record *record)
{
	for (size_t i = 0; i < record->migration_count; i++) {
		const struct migration *migration = &record->migrations[i];

		if (migration->active &&
		    migration->epoch == record->confirmed_epoch)
			return true;
	}
	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *procedure = &record->procedures[i];

		if (is_unconfirmed(procedure) &&
		    procedure->epoch > record->confirmed_epoch)
			return true;
	}
	return false;
}

/*
 * Home counts as one more system that has confirmed an authorization: no older
 * migration is followed any more, and none that is still to be confirmed. The
 * rows end with the de-authorizations of the partners: no flow of TS 23.280
 * 10.6.3 goes from the primary to them.
 */
void primary_returned_home(struct user_record *record,
			   struct transition *transition)
{
	if (!is_away(record)) {
		/* As far as this node knows: another may have sent the user on
		 * his way since. */
		transition->unfavourable = true;
		transition_set(transition, TRANSITION_ALREADY_APPLIED, 200,
			       NULL);
		return;
	}
	record->confirmed_epoch = ++record->last_epoch;
	transition_set(transition, TRANSITION_APPLIED, 200, NULL);
}
