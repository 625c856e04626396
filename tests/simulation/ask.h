/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the clients share. */
#ifndef MCMIG_SIMULATION_ASK_H
#define MCMIG_SIMULATION_ASK_H

#include "client.h"
#include "simulation.h"

#define REQUESTS_MAX 64
/* A stamped order counts for 60 s in all: the copies of a request and what
 * becomes of it must be over by then. */
#define RETRY_FOR_US 10000000u

/* What one client wants; the copies of it are SIP requests of their own. */
struct ask {
	struct clients *clients;
	unsigned number; /* from 1 */
	struct sim_user *user;
	unsigned system;
	enum mcinfo_verb verb;
	bool has_id;
	struct uuid id;
	uint64_t order;
	uint64_t visit;
	unsigned profile_index;
	char partner_id[MCID_SIZE];
	uint64_t begun_us;
	unsigned in_flight;
	bool acknowledged; /* a 200 */
	bool was_allowed;  /* its token was good, at least once */
	bool refused;	   /* a 4xx: nothing will come */
	bool retry_planned;
	unsigned answers;
	enum mcinfo_cause cause; /* of the answers; CAUSE_NONE: success */
};

struct clients {
	struct sim *sim;
	struct mcinfo_parser *parser;
	struct sim_user users[SIM_USERS_MAX];
	unsigned at[SIM_USERS_MAX]; /* system of the last visit */
	uint64_t last_order[SIM_USERS_MAX];
	/* Until when the user's token for that system is good; 0: none. */
	uint64_t token_until_us[SIM_USERS_MAX][SIM_SYSTEMS];
	struct ask asks[REQUESTS_MAX];
	unsigned ask_count;
};

static inline unsigned party_of(const struct sim_user *user)
{
	return PARTY_CLIENTS + user->index;
}

/* A copy more of it, by a SIP request of its own. */
void ask_transmit(struct ask *ask);

/* The user asks for something new there. NULL: too many asks. */
struct ask *ask_begin(struct clients *clients, struct sim_user *user,
		      unsigned system, enum mcinfo_verb verb, unsigned visitor);

/* The user does something, if anything is to be done. */
void clients_act_as(struct clients *clients, struct sim_user *user);

/* token.c: what the client shows; it logs in if it never has. */
const char *token_of(const struct ask *ask);
void token_renew(struct clients *clients, const struct sim_user *user,
		 unsigned system);

/* The user's account, and who may come to the other systems. */
void clients_provision(struct clients *clients, const struct sim_user *user);

#endif
