/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of the procedures (doc/protocol.md): one event, applied to one
 * user's record, in memory, without any side effect. The store makes the change
 * durable; the roles act on it afterwards.
 */
#ifndef MCMIG_PROCEDURE_TRANSITION_H
#define MCMIG_PROCEDURE_TRANSITION_H

#include "procedure/record.h"

enum event_kind {
	/* Partner */
	EVENT_CLIENT_REQUEST,	/* a client asks (step 1) */
	EVENT_REQUEST_ANSWERED, /* the primary's final answer to our request */
	EVENT_RESPONSE,		/* the primary's response flow (step 10) */
	EVENT_DEADLINE,		/* the procedure was not decided in time */
	EVENT_CLIENT_ANSWERED,	/* the client took the response; or expiry */
	/* Primary */
	EVENT_PARTNER_REQUEST,	 /* a partner's request (step 5) */
	EVENT_RESPONSE_ANSWERED, /* the partner's final answer; or expiry */
	EVENT_RETURNED_HOME,	 /* the user is registered at home again */
};

/* How long requests, responses and their acceptance last; all UTC us. */
struct event_limits {
	uint64_t authorization_us;   /* partner: until the outcome */
	uint64_t deauthorization_us; /* partner: until it is finished locally */
	uint64_t response_us;	  /* delivery of a response that may expire */
	uint64_t order_window_us; /* orders further apart: clock was set */
};

struct event {
	enum event_kind kind;
	enum mc_service service;
	enum procedure_role role;
	enum mcinfo_verb verb;
	struct uuid procedure_id;
	uint64_t sequence; /* between servers */
	uint64_t order;	   /* 0: none */
	unsigned profile_index;
	enum procedure_outcome outcome; /* EVENT_RESPONSE */
	enum mcinfo_cause cause;
	/* *_ANSWERED: the final SIP status; 0: given up, for the time of a
	 * response has run out or the other MC system has left the directory */
	int status;
	char primary_id[MCID_SIZE]; /* canonical */
	char partner_id[MCID_SIZE]; /* canonical */
	char primary_id_given[MCID_SIZE];
	char partner_id_given[MCID_SIZE];
	char peer_system[SYSTEM_NAME_SIZE]; /* the other MC system */
	char client_uri[CLIENT_URI_SIZE];   /* who asks, or who has answered */
	char client_identity[CLIENT_IDENTITY_SIZE]; /* of a client; of both */
	/* A deadline or expiry: the one that has passed; 0: none has. */
	uint64_t deadline_us;
	bool peer_enabled;   /* the other MC system is enabled */
	bool derived_id;     /* the client sent no procedure ID: it may join */
	bool notify_primary; /* deauthorization.notify_primary */
	bool pair_pinned;    /* the token has tied the IDs together */
	bool pinning_required; /* else an admission of a system is enough */
	uint64_t now_us;
	struct event_limits limits;
};

enum transition_result {
	TRANSITION_APPLIED,	    /* the record has changed */
	TRANSITION_ALREADY_APPLIED, /* nothing to write: a replay */
	TRANSITION_REFUSED, /* nothing to write: the event does not fit */
};

struct transition {
	enum transition_result result;
	/*
	 * For an event that is a SIP request: its answer (200, 400, 481, 503);
	 * the Warning text is static.
	 */
	int status;
	const char *warning;
	/*
	 * The decision went against the request, or that there is nothing to
	 * do, and rests on what may be provisioned or written elsewhere: not to
	 * be taken from a cache.
	 */
	bool unfavourable;
	/* For the log: something an operator may want to know; NULL: nothing. */
	const char *remark;
};

/*
 * Applies `event`. What changed is marked `changed` (and `is_new`) in the
 * record, and the record's own counters are to be written whenever the result
 * is TRANSITION_APPLIED. 0, or ENOMEM with the record in an unusable state.
 */
MCMIG_API int transition_apply(struct user_record *record,
			       const struct event *event,
			       struct transition *transition);

/* Whether the event looks at rows that a cached record may not have: those of
 * another user's partner ID, and the admission list. */
MCMIG_API bool event_needs_fresh_record(const struct event *event);

/* What a response flow says now: a success whose migration has ended is a
 * failure "ended". */
MCMIG_API enum mcinfo_cause
procedure_answer_cause(const struct user_record *record,
		       const struct procedure *procedure);

/* After the write is durable: raises the versions, forgets the marks and what
 * need not stay in memory (procedures that are not live, ended mappings). */
MCMIG_API void record_settle(struct user_record *record);

#endif
