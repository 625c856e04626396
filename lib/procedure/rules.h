/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the rules of both roles (partner.c, primary.c); private. */
#ifndef MCMIG_PROCEDURE_RULES_H
#define MCMIG_PROCEDURE_RULES_H

#include "procedure/transition.h"

/*
 * Live procedures of one user: no honest client comes near it, and it bounds
 * what one record can grow to.
 */
#define RECORD_LIVE_MAX 32
/* Of which de-authorizations at the primary, which have room of their own, for
 * none is refused: a 503 is no refusal, the partner tells again. */
#define RECORD_ENDS_MAX 32

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

bool record_is_full(const struct user_record *record);

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

#endif
