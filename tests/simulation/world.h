/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partner and primary side by side, without network or time: each call is one
 * message or timer, applied with the real rules (lib/procedure/transition.h) to
 * tables in memory. A is the home of alice and bob, B and C host visitors.
 */
#ifndef MCMIG_SIMULATION_WORLD_H
#define MCMIG_SIMULATION_WORLD_H

#include "procedure/transition.h"
#include "tables.h"

#define WORLD_CLIENT_URI "sip:192.0.2.1:5060;transport=udp"

enum { WORLD_A, WORLD_B, WORLD_C, WORLD_SYSTEMS };
enum { WORLD_ALICE, WORLD_BOB, WORLD_USERS };

struct world {
	struct tables *tables[WORLD_SYSTEMS];
	uint64_t now_us;
	bool notify_primary;
	const char *client_identity; /* of who asks and answers; "": no IMS */
};

/* What a client asks: p1, d2, ... of the model's traces. */
struct world_ask {
	unsigned number; /* from 1: makes the procedure ID */
	enum mcinfo_verb verb;
	unsigned system; /* WORLD_B or WORLD_C */
	unsigned user;
	unsigned visitor;  /* 0 or 1: which partner ID */
	uint64_t order;	   /* ms; 0: none */
	uint64_t sequence; /* out: that the partner has stamped last */
};

/* Ends the process when out of memory. */
struct world *world_create(void);
void world_destroy(struct world *world);
/* No rows. */
void world_clear(struct world *world);
void world_permit(struct world *world, unsigned user, bool permitted);

/*
 * Each applies one event and returns the transition's SIP status, or for
 * answers and timers its enum transition_result. The record must be writable.
 */

/* The client's request reaches the partner. */
int world_client(struct world *world, struct world_ask *ask);
/* The partner's request, a copy with this sequence, reaches the primary. */
int world_request_copy(struct world *world, const struct world_ask *ask,
		       uint64_t sequence);
/* A final answer to the partner's request reaches it. */
int world_request_answered(struct world *world, const struct world_ask *ask,
			   int status);
/* The primary's response with this sequence and cause reaches the partner. */
int world_response_copy(struct world *world, const struct world_ask *ask,
			uint64_t sequence, enum mcinfo_cause cause);
/* A final answer to the primary's response reaches it; 0: it gave up. */
int world_response_answered(struct world *world, const struct world_ask *ask,
			    uint64_t sequence, int status);
/* The partner's deadline fires. */
int world_deadline(struct world *world, const struct world_ask *ask);
/* The user has registered at home again. */
int world_returned_home(struct world *world, unsigned user);
/* The client takes the partner's response. */
int world_client_answered(struct world *world, const struct world_ask *ask);
/* Finished procedures are forgotten. */
void world_purge(struct world *world, unsigned system);

/* As it stands now. */
static inline int world_request(struct world *world,
				const struct world_ask *ask)
{
	return world_request_copy(world, ask, ask->sequence);
}
/* The cause is what the primary's row says; 481 if it has none. */
int world_response(struct world *world, const struct world_ask *ask);
static inline int world_answered(struct world *world,
				 const struct world_ask *ask, int status)
{
	return world_response_answered(world, ask, ask->sequence, status);
}

struct uuid world_id(const struct world_ask *ask);
const char *world_primary_id(unsigned user);
const char *world_partner_id(unsigned system, unsigned visitor);
const char *world_system(unsigned system);

/* NULL: no row. */
const struct procedure *world_at_partner(const struct world *world,
					 const struct world_ask *ask);
const struct procedure *world_at_primary(const struct world *world,
					 const struct world_ask *ask);
/* Whether the partner's active mapping of that user is of this ask. */
bool world_is_mapped(const struct world *world, const struct world_ask *ask);
/* Whether the primary's active row is. */
bool world_is_redirected(const struct world *world,
			 const struct world_ask *ask);
/* Whether calls to the user go there by it. */
bool world_is_current(const struct world *world, const struct world_ask *ask);
/* Whether they stay at home. */
bool world_is_at_home(const struct world *world, unsigned user);

#endif
