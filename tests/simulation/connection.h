/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the database share: a connection and its commits. */
#ifndef MCMIG_SIMULATION_CONNECTION_H
#define MCMIG_SIMULATION_CONNECTION_H

#include "database.h"
#include "simulation.h"

/* A commit under way: copies, since it may outlive its server. */
struct commit {
	struct commit *next;
	struct database *database;
	struct user_record *records;
	enum store_item_status *statuses;
	size_t count;
	bool decided;	/* the disk has it, or never will */
	bool forgotten; /* nobody waits for it any more */
};

struct database {
	struct store_backend backend; /* first */
	struct sim *sim;
	unsigned system;
	struct tables *tables;
	struct store *store; /* NULL: no server */
	bool up;	     /* for this server */
	bool away;	     /* for everybody */
	uint64_t
	    epoch; /* of the connection: what older events speak of is over */
	struct store_item **loading;
	size_t loading_count;
	struct store_item **writing;
	size_t writing_count;
	struct commit *commit;	/* of `writing` */
	struct commit *commits; /* all of this run */
	unsigned after_service; /* of the search for live users */
	char after_primary_id[MCID_SIZE];
	size_t live_limit;
};

/* Of database->writing. */
struct commit *commit_create(struct database *database);
void commit_destroy(struct commit *commit);
/* The disk has it, or will never have it. */
void commit_decide(struct commit *commit);

#endif
