/* SPDX-License-Identifier: BSD-2-Clause */
#include "database.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "describe.h"

#define RECONNECT_MAX_US 3000000u

/* ------------------------------------------------------------- connection */

static void decide_old_commits(struct database *database)
{
	for (struct commit *commit = database->commits; commit;
	     commit = commit->next) {
		if (!commit->decided)
			commit_decide(commit);
	}
}

static void come_up(void *arg, uint64_t epoch)
{
	struct database *database = arg;
	struct uuid key = { { 0x5f, (uint8_t)database->system } };

	if (!database->store || epoch != database->epoch || database->away)
		return;
	if (!(database->sim->options.faults & FAULT_LATE_COMMIT))
		decide_old_commits(database);
	database->up = true;
	node_enter(database->sim, database->system);
	store_up(database->store, &key);
}

static void reconnect(struct database *database)
{
	sim_after(database->sim,
		  random_between(&database->sim->random, 100, RECONNECT_MAX_US),
		  come_up, database, database->epoch);
}

static void report_load(struct database *database, int error)
{
	database->loading = NULL;
	node_enter(database->sim, database->system);
	store_loaded(database->store, error);
}

static void report_write(struct database *database, int error)
{
	struct commit *commit = database->commit;

	for (size_t i = 0; !error && i < database->writing_count; i++)
		database->writing[i]->status = commit->statuses[i];
	database->writing = NULL;
	database->commit = NULL;
	commit->forgotten = true;
	node_enter(database->sim, database->system);
	store_written(database->store, error);
}

/* What is under way ends with an unknown outcome. */
static void lose_connection(struct database *database, const char *reason)
{
	database->epoch++;
	if (!database->up)
		return;
	database->up = false;
	sim_tell(database->sim, "%s     database: %s",
		 describe_party(database->system), reason);
	if (database->writing)
		report_write(database, EIO);
	if (database->loading)
		report_load(database, EIO);
	store_down(database->store, reason);
	if (!database->away)
		reconnect(database);
}

void database_leave(struct database *database)
{
	database->away = true;
	if (database->store)
		lose_connection(database, "away");
}

void database_return(struct database *database)
{
	database->away = false;
	if (database->store && !database->up)
		reconnect(database);
}

void database_provisioning_changed(struct database *database)
{
	if (!database->up)
		return;
	node_enter(database->sim, database->system);
	store_provisioning_changed(database->store);
}

static int database_start(struct store_backend *backend, struct store *store)
{
	struct database *database = (struct database *)backend;

	database->store = store;
	database->epoch++;
	reconnect(database);
	return 0;
}

/* The end of the server, orderly or not: a commit on its way goes its way. */
static void database_stop(struct store_backend *backend)
{
	struct database *database = (struct database *)backend;

	if (database->commit)
		database->commit->forgotten = true;
	database->commit = NULL;
	database->writing = NULL;
	database->loading = NULL;
	database->store = NULL;
	database->up = false;
	database->epoch++;
}

static void connection_breaks(void *arg, uint64_t epoch)
{
	struct database *database = arg;

	if (epoch == database->epoch)
		lose_connection(database, "connection lost");
}

static void database_abandon(struct store_backend *backend)
{
	struct database *database = (struct database *)backend;

	sim_after(database->sim, 0, connection_breaks, database,
		  database->epoch);
}

/* ------------------------------------------------------------------- load */

static void load_ends(void *arg, uint64_t epoch)
{
	struct database *database = arg;

	if (epoch == database->epoch && database->loading)
		report_load(database, 0);
}

static void load_reads(void *arg, uint64_t epoch)
{
	struct database *database = arg;

	if (epoch != database->epoch || !database->loading)
		return;
	for (size_t i = 0; i < database->loading_count; i++) {
		if (tables_load(database->tables, database->loading[i]))
			abort();
	}
	sim_after(database->sim,
		  random_between(&database->sim->random, 10, 2000), load_ends,
		  database, epoch);
}

static int database_load(struct store_backend *backend,
			 struct store_item **items, size_t count)
{
	struct database *database = (struct database *)backend;

	if (!database->up)
		return EIO;
	database->loading = items;
	database->loading_count = count;
	sim_after(database->sim,
		  random_between(&database->sim->random, 10, 2000), load_reads,
		  database, database->epoch);
	return 0;
}

/* ------------------------------------------------------------------ write */

static void commit_ends(void *arg, uint64_t epoch)
{
	struct commit *commit = arg;

	if (!commit->forgotten && epoch == commit->database->epoch)
		report_write(commit->database, 0);
}

static void commit_decides(void *arg, uint64_t epoch)
{
	struct commit *commit = arg;
	struct sim *sim = commit->database->sim;

	if (commit->decided)
		return;
	commit_decide(commit);
	sim_after(sim, random_between(&sim->random, 10, 2000), commit_ends,
		  commit, epoch);
}

static int database_write(struct store_backend *backend,
			  struct store_item **items, size_t count)
{
	struct database *database = (struct database *)backend;
	struct sim *sim = database->sim;
	uint64_t delay_us = random_between(&sim->random, 100, 4000);

	if (!database->up)
		return EIO;
	database->writing = items;
	database->writing_count = count;
	database->commit = commit_create(database);
	if (!sim->healed && random_chance(&sim->random, sim->plan.commit_slow))
		delay_us = random_between(&sim->random, 100000, 8000000);
	if (!sim->healed &&
	    random_chance(&sim->random, sim->plan.commit_unknown))
		sim_after(sim, random_between(&sim->random, 10, 8000),
			  connection_breaks, database, database->epoch);
	sim_after(sim, delay_us, commit_decides, database->commit,
		  database->epoch);
	return 0;
}

/* ------------------------------------------- what is owed, who is reached */

static int compare_live(const void *a, const void *b)
{
	const struct store_live_user *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	return strcmp(x->primary_id, y->primary_id);
}

static bool has_live(const struct tables *tables,
		     const struct tables_user *user)
{
	for (size_t i = 0; i < tables->procedure_count; i++) {
		if (tables->procedures[i].user == user &&
		    procedure_is_live(&tables->procedures[i].procedure))
			return true;
	}
	return false;
}

static size_t list_live(const struct tables *tables, unsigned after_service,
			const char *after_primary_id,
			struct store_live_user *users)
{
	struct store_live_user after = { .service = after_service };
	size_t count = 0;

	strcpy(after.primary_id, after_primary_id);
	for (size_t i = 0; i < tables->user_count; i++) {
		const struct tables_user *row = &tables->users[i];
		struct store_live_user *user = &users[count];

		user->service = row->service;
		user->role = row->role;
		memcpy(user->primary_id, row->primary_id, MCID_SIZE);
		if (compare_live(user, &after) > 0 && has_live(tables, row))
			count++;
	}
	qsort(users, count, sizeof(*users), compare_live);
	return count;
}

static void live_found(void *arg, uint64_t epoch)
{
	struct database *database = arg;
	struct store_live_user users[TABLES_USERS_MAX + 1];
	size_t count;

	if (epoch != database->epoch || !database->store)
		return;
	count = list_live(database->tables, database->after_service,
			  database->after_primary_id, users);
	if (count > database->live_limit)
		count = database->live_limit;
	node_enter(database->sim, database->system);
	store_live_found(database->store, users, count, 0);
}

static int database_find_live(struct store_backend *backend,
			      unsigned after_service,
			      const char *after_primary_id, size_t limit)
{
	struct database *database = (struct database *)backend;

	if (!database->up)
		return EIO;
	database->after_service = after_service;
	strcpy(database->after_primary_id, after_primary_id);
	database->live_limit = limit;
	sim_after(database->sim, 1000, live_found, database, database->epoch);
	return 0;
}

static void directory_loaded(void *arg, uint64_t epoch)
{
	struct database *database = arg;

	if (epoch != database->epoch || !database->store)
		return;
	node_enter(database->sim, database->system);
	store_directory_loaded(
	    database->store,
	    node_make_directory(database->sim, database->system), 0);
}

static int database_load_directory(struct store_backend *backend)
{
	struct database *database = (struct database *)backend;

	if (!database->up)
		return EIO;
	sim_after(database->sim, 1000, directory_loaded, database,
		  database->epoch);
	return 0;
}

static void query_done(void *arg, uint64_t query)
{
	struct database *database = arg;

	if (database->store)
		store_query_done(database->store, query, NULL, EIO);
}

/* Nobody asks here. */
static int database_query(struct store_backend *backend, uint64_t query,
			  enum store_query_kind kind, const char *argument)
{
	struct database *database = (struct database *)backend;

	(void)kind;
	(void)argument;
	sim_after(database->sim, 1000, query_done, database, query);
	return 0;
}

static int database_purge(struct store_backend *backend,
			  uint64_t finished_before_us, size_t limit)
{
	struct database *database = (struct database *)backend;
	size_t purged;

	if (!database->up)
		return EIO;
	purged = tables_purge(database->tables, finished_before_us, limit);
	if (purged)
		sim_tell(database->sim, "%s    purged %zu finished procedures",
			 describe_party(database->system), purged);
	return 0;
}

/* -------------------------------------------------------------- the whole */

static const struct store_backend_ops database_ops = {
	.name = "simulated",
	.start = database_start,
	.stop = database_stop,
	.load = database_load,
	.write = database_write,
	.abandon = database_abandon,
	.find_live = database_find_live,
	.load_directory = database_load_directory,
	.query = database_query,
	.purge = database_purge,
};

struct database *database_create(struct sim *sim, unsigned system)
{
	struct database *database = calloc(1, sizeof(*database));

	if (!database)
		abort();
	database->tables = calloc(1, sizeof(*database->tables));
	if (!database->tables)
		abort();
	database->backend.ops = &database_ops;
	database->sim = sim;
	database->system = system;
	return database;
}

void database_reset(struct database *database)
{
	while (database->commits) {
		struct commit *commit = database->commits;

		database->commits = commit->next;
		commit_destroy(commit);
	}
	tables_clear(database->tables);
	database->tables->admission_count = 0;
	database->tables->home_user_count = 0;
	database->store = NULL;
	database->up = false;
	database->away = false;
	database->epoch = 0;
	database->loading = NULL;
	database->writing = NULL;
	database->commit = NULL;
}

void database_destroy(struct database *database)
{
	if (!database)
		return;
	database_reset(database);
	free(database->tables);
	free(database);
}

struct tables *database_tables(struct database *database)
{
	return database->tables;
}

struct store_backend *database_backend(struct database *database)
{
	return &database->backend;
}

bool database_is_busy(const struct database *database)
{
	for (const struct commit *commit = database->commits; commit;
	     commit = commit->next) {
		if (!commit->decided)
			return true;
	}
	return false;
}
