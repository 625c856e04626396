/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server: the real roles on the real store engine, with a fake network and
 * database below. A crash forgets all but the tables.
 */
#ifndef MCMIG_SIMULATION_NODE_H
#define MCMIG_SIMULATION_NODE_H

#include "database.h"
#include "module/authorizer.h"
#include "module/core.h"
#include "net.h"
#include "party.h"
#include "server_ims.h"
#include "store/store.h"

#define NODE_START_UTC_US UINT64_C(1700000000000000)

struct node {
	struct sim *sim;
	unsigned index;
	char system[SYSTEM_NAME_SIZE]; /* "a.example" */
	struct database *database;
	int64_t skew_us; /* of its UTC clock */
	bool up;
	struct timers *timers;
	struct stats *stats;
	struct store *store;
	struct authorizer authorizer;
	struct server_ims ims;
	struct core core;
	struct migration_settings *settings;
	void *migration;
	uint64_t flush_due_us;	 /* 0: no flush is planned */
	uint64_t flush_number;	 /* of the planned one */
	uint64_t flush_pause_us; /* grows while there is nothing to do */
};

/* Clocks of the process are this simulation's from now on; NULL: the system's
 * again. */
void node_use_clock(struct sim *sim);

void node_init(struct node *node, struct sim *sim, unsigned index);
void node_fini(struct node *node);

void node_start(struct node *node);
void node_crash(struct node *node);
/* Whether it is up and has no work under way. */
bool node_is_idle(const struct node *node);

/* When its next timer is due, on sim->now_us; UINT64_MAX: never. */
uint64_t node_next_us(const struct node *node);
void node_run_timers(struct node *node);

/* Before anything of party `party` is called: its UTC clock, and a flush of its
 * store soon after. Only servers have one. */
void node_enter(struct sim *sim, unsigned party);

/* -1: no such system. */
int node_find(const struct sim *sim, const char *system);
/* As that system sees the others. */
struct directory *node_make_directory(struct sim *sim, unsigned own);

#endif
