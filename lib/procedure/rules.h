/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the rules of both roles (partner.c, primary.c); private. */
#ifndef MCMIG_PROCEDURE_RULES_H
#define MCMIG_PROCEDURE_RULES_H

#include "procedure/transition.h"

/*
 * Live procedures of one user: at the partner in all, at the primary of each
 * verb and partner system, so that none can lock the user out of another and a
 * de-authorization finds room. No honest client comes near it, and it bounds
 * what one record can grow to. Beyond it 503, which refuses nothing for good.
 */
#define RECORD_LIVE_MAX 32

/* The one place where a procedure's state changes. false: not a legal change,
 * nothing has changed. */
bool procedure_change_state(struct procedure *procedure,
			    enum procedure_state state, uint64_t now_us);

/* Whether the client's order says that the event is older than what counts. */
bool order_is_older(const struct user_record *record, const struct event *event,
		    struct transition *transition);

/* A procedure of the event, appended and marked new. NULL: out of memory. */
struct procedure *procedure_begin(struct user_record *record,
				  const struct event *event);

/* A repeated request has given it more time since. */
bool deadline_was_moved(const struct procedure *procedure,
			const struct event *event);

/* Each returns 0 or ENOMEM. */
int partner_client_request(struct user_record *record,
			   const struct event *event,
			   struct transition *transition);
void partner_request_answered(struct user_record *record,
			      const struct event *event,
			      struct transition *transition);
int partner_response(struct user_record *record, const struct event *event,
		     struct transition *transition);
void partner_deadline(struct user_record *record, const struct event *event,
		      struct transition *transition);
void partner_client_answered(struct user_record *record,
			     const struct event *event,
			     struct transition *transition);
int primary_partner_request(struct user_record *record,
			    const struct event *event,
			    struct transition *transition);
void primary_returned_home(struct user_record *record,
			   struct transition *transition);
int primary_response_answered(struct user_record *record,
			      const struct event *event,
			      struct transition *transition);

static inline void transition_set(struct transition *transition,
				  enum transition_result result, int status,
				  const char *warning)
{
	transition->result = result;
	transition->status = status;
	transition->warning = warning;
}

static inline void refuse_full(struct transition *transition)
{
	transition_set(transition, TRANSITION_REFUSED, 503,
		       "too many procedures of this user");
}

static inline void refuse_other_verb(struct transition *transition)
{
	transition_set(transition, TRANSITION_REFUSED, 400,
		       "procedure ID already used for another procedure");
}

#endif
