/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the exploration share. */
#ifndef MCMIG_SIMULATION_EXPLORE_H
#define MCMIG_SIMULATION_EXPLORE_H

#include "packed.h"

struct options {
	unsigned actions;
	unsigned users;
	unsigned visitors;
	bool stamps_order; /* and does not wait; else the clients wait for the
			    * outcome before they go to another system */
	bool purges;	   /* the primary forgets what is done, at any time */
	unsigned returns;  /* registrations at home, at any time */
};

struct explorer {
	struct options options;
	struct world *world;
	struct state_set *states;
};

/*
 * What is wrong after a step, looked at in explorer->world as it is now; NULL:
 * nothing.
 */
const char *explore_check(const struct explorer *explorer,
			  const struct packed *before,
			  const struct packed *after);

#endif
