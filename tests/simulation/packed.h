/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small world as a few bytes, so that millions of them fit in memory: tables,
 * what the clients asked, and what has been sent and may arrive at any time.
 * Worlds that differ in nothing that can matter have the same bytes.
 */
#ifndef MCMIG_SIMULATION_PACKED_H
#define MCMIG_SIMULATION_PACKED_H

#include "world.h"

#define PACKED_ASKS 5

enum packed_sent { ASK_NONE, ASK_SENT, ASK_VOID };

struct packed_ask {
	uint8_t sent; /* enum packed_sent */
	uint8_t verb, system, user, visitor;
	uint8_t forwarded;   /* the primary has taken its request once */
	uint8_t accepted;    /* and permitted it: a success response flies */
	uint8_t stored_200;  /* the partner has answered 200 to that, */
	uint8_t refused_481; /* or 481 */
	uint8_t left_behind; /* the user returned home after it was accepted */
	/* rows, as in lib/procedure/record.h; state 0: none */
	uint8_t sequence;
	uint8_t partner_state, partner_outcome, telling;
	uint8_t primary_state, primary_outcome, epoch;
};

struct packed_mapping {
	uint8_t status, user, number, sequence; /* status 0: no row */
};

struct packed_migration {
	uint8_t exists, active, visitor, number;
	uint8_t sequence, deauthorized_sequence, epoch;
};

struct packed_user {
	uint8_t exists, last_sequence, last_order, last_epoch, confirmed_epoch;
};

struct packed {
	uint8_t returns; /* home, of all users */
	struct packed_ask asks[PACKED_ASKS];
	struct packed_mapping mappings[2][2];	  /* by B, C; visitor */
	struct packed_migration migrations[2][2]; /* by B, C; user */
	struct packed_user users[WORLD_SYSTEMS][WORLD_USERS];
};

/* Rules for the conversion: whether clients stamp an order. */
void packed_to_world(const struct packed *packed, bool stamps_order,
		     struct world *world);
/* The tables; what was asked and sent is the caller's and stays. */
void packed_from_world(const struct world *world, struct packed *packed);
/* The primary has purged the row of ask `i`. */
void packed_forget_primary_row(struct packed *packed, unsigned i);
/* Ask number `i` from 0, as unpacked. */
struct world_ask packed_ask(const struct packed *packed, unsigned i,
			    bool stamps_order);

#endif
