/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has returned home is redirected nowhere by what was accepted before. Told
 * apart by the order of the writes, not by epochs, which could be wrong.
 */
#ifndef MCMIG_SIMULATION_CHECK_HOME_H
#define MCMIG_SIMULATION_CHECK_HOME_H

#include "party.h"
#include "procedure/record.h"

#define CHECK_ACCEPTED_MAX 512

struct sim;

struct check_home {
	/* Authorizations, as their primaries have accepted them. */
	struct {
		struct uuid id;
		uint64_t sequence;
	} accepted[CHECK_ACCEPTED_MAX];
	unsigned count;
	unsigned
	    returned[SIM_USERS_MAX]; /* `count` at the user's last return */
};

/* Before the write, as check_write(). */
void check_home_change(struct sim *sim, struct check_home *home,
		       unsigned system, const struct user_record *record);
/* 200 to a registration that came when `count` was `accepted_before`. */
void check_home_answered(struct sim *sim, struct check_home *home,
			 const char *identity, unsigned accepted_before);
/* Whether the user has returned since that was accepted. */
bool check_home_is_left(const struct check_home *home, unsigned user,
			const struct uuid *id, uint64_t sequence);
void check_home_instant(struct sim *sim, const struct check_home *home);

#endif
