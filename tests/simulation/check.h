/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold (doc/architecture.md, "What must hold"): looked at against the
 * tables of all systems after each commit, and once more when all is quiet.
 */
#ifndef MCMIG_SIMULATION_CHECK_H
#define MCMIG_SIMULATION_CHECK_H

#include "procedure/record.h"

struct check;
struct sim;

struct check *check_create(struct sim *sim);
void check_destroy(struct check *check);
void check_reset(struct check *check);

/* Before `record` is written to the tables of `system`: what may change. */
void check_write(struct check *check, unsigned system,
		 const struct user_record *record);
struct message_name;
/*
 * A gateway lies to the sender of this message (rogue.c): of this user and
 * partner system nothing is agreed on until a procedure begun later has
 * succeeded, and is known at both.
 */
void check_lied(struct check *check, const struct message_name *name);
bool check_is_doubtful(const struct check *check, unsigned system,
		       unsigned user);

/* How many authorizations have been accepted. */
unsigned check_accepted(const struct check *check);
/* A registration that came when there were so many is answered 200. */
void check_registered(struct check *check, const char *identity,
		      unsigned accepted_before);

/* After a commit: redirection and, for quiet users, agreement. */
void check_instant(struct check *check);

/* Whether nobody owes anything to anybody. */
bool check_is_quiet(const struct check *check);
/* A violation that says what is left. */
void check_report_unrest(struct check *check);

#endif
