/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The users of a run: each is idle, or has one procedure under way, so that no
 * procedure supersedes another. Idle ones wait in a ring, the longest first.
 */
#ifndef MCMIG_BENCH_USERS_H
#define MCMIG_BENCH_USERS_H

#include <stdbool.h>
#include <stdint.h>

enum user_state {
	USER_IDLE,
	USER_ASKING,  /* request sent, no final answer yet */
	USER_WAITING, /* request taken, response flow to come */
	USER_RESTING, /* was refused: keeps its place for a moment */
};

struct user {
	enum user_state state;
	uint32_t record; /* number of the procedure under way */
	bool migrated;
	bool unknown;	   /* the last procedure's outcome */
	uint64_t order;	   /* of the last procedure */
	uint64_t sequence; /* likewise */
	uint64_t sent_us;  /* when its request was due */
	uint64_t retransmit_us;
	uint64_t interval_us; /* RFC 3261 17.1.2.2 timer E */
	uint64_t deadline_us; /* timer F; of the response flow; of the rest */
};

struct users {
	struct user *all;
	uint32_t count;
	uint32_t *ring; /* indices of the idle ones */
	uint32_t first, idle;
};

/* 0 or ENOMEM. */
int users_init(struct users *users, uint32_t count);
void users_free(struct users *users);
/* The user that has been idle longest. NULL: none is. */
struct user *users_take(struct users *users);
void users_give_back(struct users *users, struct user *user);

#endif
