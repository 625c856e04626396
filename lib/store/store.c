/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's life: up and down, directory, queries, purging. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/engine.h"

#define DIRECTORY_RETRY_MS 1000
#define PURGE_INTERVAL_MS 10000
#define PURGE_ROWS 20000

static void add_stat(struct store *store, struct statistic *stat,
		     const char *name, enum stats_kind kind, const char *help)
{
	stat->name = name;
	stat->kind = kind;
	stat->help = help;
	stats_add(store->stats, stat);
}

static void add_stats(struct store *store)
{
	add_stat(store, &store->stat_applied, "store.applied", STATS_COUNTER,
		 "Transitions that were made durable");
	add_stat(store, &store->stat_already, "store.already_applied",
		 STATS_COUNTER, "Events that had been applied before");
	add_stat(store, &store->stat_refused, "store.refused", STATS_COUNTER,
		 "Events that did not fit the state");
	add_stat(store, &store->stat_failed, "store.failed", STATS_COUNTER,
		 "Transitions that failed or whose outcome is unknown");
	add_stat(store, &store->stat_conflicts, "store.conflicts",
		 STATS_COUNTER, "Guards lost to another writer, tried again");
	add_stat(store, &store->stat_batches, "store.batches", STATS_COUNTER,
		 "Batches of loads and writes");
	add_stat(store, &store->stat_pending, "store.pending", STATS_GAUGE,
		 "Transitions waiting or under way");
	add_stat(store, &store->stat_cached, "store.records", STATS_GAUGE,
		 "Users' records in memory");
	add_stat(store, &store->stat_commit, "store.commit", STATS_HISTOGRAM,
		 "Duration of a write batch");
}

static void remove_stats(struct store *store)
{
	struct statistic *const all[] = {
		&store->stat_applied,	&store->stat_already,
		&store->stat_refused,	&store->stat_failed,
		&store->stat_conflicts, &store->stat_batches,
		&store->stat_pending,	&store->stat_cached,
		&store->stat_commit,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		stats_remove(store->stats, all[i]);
}

static int batch_init(struct batch *batch, size_t max)
{
	batch->works = calloc(max, sizeof(*batch->works));
	batch->items = calloc(max, sizeof(*batch->items));
	return batch->works && batch->items ? 0 : ENOMEM;
}

static void batch_free(struct batch *batch)
{
	free(batch->works);
	free(batch->items);
}

int store_create(struct store **storep, struct loop *loop,
		 struct timers *timers, struct stats *stats,
		 struct store_backend *backend,
		 const struct store_config *config)
{
	struct store *store;

	if (!backend || !config->batch_max || !config->queue_max)
		return EINVAL;
	store = calloc(1, sizeof(*store));
	if (!store)
		return ENOMEM;
	store->backend = backend;
	store->config = *config;
	store->loop = loop;
	store->timers = timers;
	store->stats = stats;
	store->cache.idle_max = config->cache_max;
	snprintf(store->reason, sizeof(store->reason), "not connected yet");
	add_stats(store);
	if (batch_init(&store->loading, config->batch_max) ||
	    batch_init(&store->writing, config->batch_max) ||
	    handle_table_create(&store->queries, QUERY_MAX)) {
		store_destroy(store);
		return ENOMEM;
	}
	*storep = store;
	return 0;
}

static void purge(void *arg)
{
	struct store *store = arg;
	uint64_t now_us = clock_utc_us();

	timer_start(store->timers, &store->purge, PURGE_INTERVAL_MS, purge,
		    store);
	if (store->is_up && now_us > store->config.retention_us)
		store->backend->ops->purge(store->backend,
					   now_us - store->config.retention_us,
					   PURGE_ROWS);
}

int store_start(struct store *store)
{
	int err = timer_start(store->timers, &store->purge, PURGE_INTERVAL_MS,
			      purge, store);

	if (err)
		return err;
	return store->backend->ops->start(store->backend, store);
}

static void queries_free(struct store *store);

void store_destroy(struct store *store)
{
	if (!store)
		return;
	store->backend_up = store->is_up = false;
	store->backend->ops->stop(store->backend);
	timer_stop(store->timers, &store->purge);
	timer_stop(store->timers, &store->retry);
	timer_stop(store->timers, &store->late_commits);
	timer_stop(store->timers, &store->live.retry);
	timer_stop(store->timers, &store->loading.deadline);
	timer_stop(store->timers, &store->writing.deadline);
	if (store->loop)
		loop_work_cancel(store->loop, &store->flush_work);
	work_free_all(store);
	cache_destroy(&store->cache);
	batch_free(&store->loading);
	batch_free(&store->writing);
	queries_free(store);
	remove_stats(store);
	directory_destroy(store->directory);
	free(store);
}

/* ------------------------------------------------------------- up and down */

bool store_is_up(const struct store *store)
{
	return store->is_up;
}

const char *store_reason(const struct store *store)
{
	return store->reason;
}

size_t store_pending(const struct store *store)
{
	return store->work_count;
}

const struct directory *store_directory(const struct store *store)
{
	return store->directory;
}

const struct uuid *store_derivation_key(const struct store *store)
{
	return &store->derivation_key;
}

void store_set_live_handler(struct store *store, store_live_h *live, void *arg)
{
	store->live_handler = live;
	store->live_arg = arg;
}

void store_set_changed_handler(struct store *store, store_changed_h *changed,
			       void *arg)
{
	store->changed_handler = changed;
	store->changed_arg = arg;
}

static void tell_changed(struct store *store)
{
	if (store->changed_handler)
		store->changed_handler(store->changed_arg);
}

static void retry_directory(void *arg)
{
	store_reload_directory(arg);
}

int store_reload_directory(struct store *store)
{
	int err = EAGAIN;

	if (store->backend_up)
		err = store->backend->ops->load_directory(store->backend);
	if (err && store->backend_up)
		timer_start(store->timers, &store->retry, DIRECTORY_RETRY_MS,
			    retry_directory, store);
	return err;
}

void store_up(struct store *store, const struct uuid *derivation_key)
{
	store->backend_up = true;
	store->derivation_key = *derivation_key;
	cache_outdate(&store->cache);
	store_reload_directory(store);
}

void store_down(struct store *store, const char *reason)
{
	bool was_up = store->is_up;
	bool is_news = strcmp(store->reason, reason) != 0;

	store->backend_up = store->is_up = false;
	store->live.running = false;
	snprintf(store->reason, sizeof(store->reason), "%s", reason);
	if (was_up || is_news)
		log_error("store",
			  "msg=\"the store is away: new requests get 503 until "
			  "it is back\" backend=%s reason=\"%s\"",
			  store->backend->ops->name, reason);
	cache_outdate(&store->cache);
	work_fail_queued(store, EAGAIN);
	tell_changed(store);
}

static void scan_again(void *arg)
{
	store_scan_live(arg);
}

static void set_up(struct store *store)
{
	store->is_up = true;
	store->reason[0] = '\0';
	log_info("store", "msg=\"the store is up\" backend=%s",
		 store->backend->ops->name);
	store_scan_live(store);
	/* A batch of the connection before may commit after this scan. */
	timer_start(store->timers, &store->late_commits,
		    2 * (uint64_t)store->config.commit_deadline_ms, scan_again,
		    store);
}

void store_directory_loaded(struct store *store, struct directory *directory,
			    int error)
{
	bool was_up = store->is_up;

	if (error) {
		timer_start(store->timers, &store->retry, DIRECTORY_RETRY_MS,
			    retry_directory, store);
		return;
	}
	directory_destroy(store->directory);
	store->directory = directory;
	if (!store->backend_up)
		return;
	if (!was_up)
		set_up(store);
	tell_changed(store);
}

void store_provisioning_changed(struct store *store)
{
	cache_outdate(&store->cache);
	store_reload_directory(store);
}

/* ------------------------------------------------------------- transitions */

int store_transition(struct store *store, const struct event *event,
		     store_done_h *done, void *arg, handle_t handle)
{
	struct work *work;
	int err;

	if (!store->is_up)
		return EAGAIN;
	if (store->work_count >= store->config.queue_max)
		return EBUSY;
	work = calloc(1, sizeof(*work));
	if (!work)
		return ENOMEM;
	work->event = *event;
	work->done = done;
	work->arg = arg;
	work->handle = handle;
	err = work_add(store, work, event->service, event->role,
		       event->primary_id);
	if (err)
		free(work);
	return err;
}

/* ----------------------------------------------------------------- queries */

int store_query(struct store *store, enum store_query_kind kind,
		const char *argument, store_query_h *done, void *arg)
{
	struct query *query;
	int err;

	if (!store->backend_up)
		return EAGAIN;
	query = calloc(1, sizeof(*query));
	if (!query)
		return ENOMEM;
	query->done = done;
	query->arg = arg;
	err = handle_add(store->queries, query, &query->handle);
	if (err)
		goto out;
	err = store->backend->ops->query(store->backend, query->handle, kind,
					 argument);
	if (err)
		handle_remove(store->queries, query->handle);
out:
	if (err)
		free(query);
	return err;
}

void store_query_done(struct store *store, uint64_t handle, json_t *rows,
		      int error)
{
	struct query *query = handle_remove(store->queries, handle);

	if (!query) {
		json_decref(rows);
		return;
	}
	query->done(query->arg, rows, error);
	free(query);
}

static void queries_free(struct store *store)
{
	if (!store->queries)
		return;
	handle_drain(store->queries, free);
	handle_table_destroy(store->queries);
}
