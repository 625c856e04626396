/* SPDX-License-Identifier: BSD-2-Clause */
/* What one write may change, and what it tells the user. */
#ifndef MCMIG_SIMULATION_CHECK_CHANGE_H
#define MCMIG_SIMULATION_CHECK_CHANGE_H

#include "client.h"
#include "tables.h"

/* By how much two servers' clocks may differ. */
#define SKEW_MAX_US 1000000u

/* A success that a partner has decided: the user may have heard of it. */
struct check_told {
	enum mcinfo_verb verb; /* 0: none yet */
	struct uuid procedure_id;
	uint64_t sequence;
	uint64_t key;	   /* grows with what the user does: order, or visits */
	uint64_t begun_us; /* by the simulation's clock, but for the skew */
};

/* Of one user and partner system. */
struct check_lie {
	uint64_t told_us;     /* the last one; 0: none that counts any more */
	uint64_t mended_from; /* sequence of what was begun later; 0: nothing */
};

struct check_history {
	/* By system and user: the newest. */
	struct check_told told[3][SIM_USERS_MAX];
	struct check_told authorized[3][SIM_USERS_MAX];
	struct check_lie lies[3][SIM_USERS_MAX];
	uint64_t lied_us[SIM_USERS_MAX]; /* the last one at all; 0: none */
};

struct sim;

void check_change(struct sim *sim, struct check_history *history,
		  unsigned system, const struct user_record *record);

#endif
