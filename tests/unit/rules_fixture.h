/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of the rules: a world, and steps of a procedure in it. */
#ifndef MCMIG_TESTS_RULES_FIXTURE_H
#define MCMIG_TESTS_RULES_FIXTURE_H

#include "unit.h"

#include "../simulation/world.h"

extern struct world *world;

#define ASK(name, number_, verb_, system_)           \
	struct world_ask name = { .number = number_, \
				  .verb = verb_,     \
				  .system = system_ }
#define AUTHORIZATION(name, number, system) \
	ASK(name, number, MCINFO_AUTHORIZATION, system)
#define DEAUTHORIZATION(name, number, system) \
	ASK(name, number, MCINFO_DEAUTHORIZATION, system)

#define TAKEN(expression) CU_ASSERT_EQUAL(expression, 200)
#define APPLIED(expression) CU_ASSERT_EQUAL(expression, TRANSITION_APPLIED)

int rules_suite_init(void);
int rules_suite_clean(void);
void rules_setup(void);
/* The partner has the mapping; the primary waits for the 200. */
void reach_unconfirmed(struct world_ask *ask);
void reach_confirmed(struct world_ask *ask);

#endif
