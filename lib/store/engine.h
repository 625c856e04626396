/* SPDX-License-Identifier: BSD-2-Clause */
/* The insides of the store, shared by its files; private. */
#ifndef MCMIG_STORE_ENGINE_H
#define MCMIG_STORE_ENGINE_H

#include "base/keyed_hash.h"
#include "base/timer.h"
#include "loop/loop.h"
#include "stats/stats.h"
#include "store/store.h"

/* One transition under way, or one look at a user's live procedures. */
struct work {
	struct work *prev, *next;	      /* in its entry, oldest first */
	struct work *queue_prev, *queue_next; /* in one of the store's queues */
	struct entry *entry;
	struct event event;
	bool is_live_look; /* no event: load and show */
	bool fresh;	   /* the record was loaded for this very work */
	unsigned conflicts;
	store_done_h *done;
	void *arg;
	handle_t handle;
	int error;
	struct transition transition;
	struct store_item item;
};

/* A user's record in memory; busy while it has works, else cached. */
struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next; /* idle ones, oldest first */
	struct user_record record;
	struct work *works; /* the first one is under way */
	bool loaded;	    /* the record is what the store has */
	bool outdated;	    /* provisioning has changed since it was loaded */
	size_t key_bytes;
	char key[]; /* service, primary ID */
};

struct cache {
	struct entry *entries; /* uthash */
	struct entry *idle;
	size_t idle_count;
	size_t idle_max;
};

/* What was given to the backend in one call. */
struct batch {
	struct work **works;
	struct store_item **items;
	size_t count; /* 0: none is under way */
	struct timer deadline;
	uint64_t begun_us; /* UTC */
};

enum { QUERY_MAX = 16 };
struct query {
	handle_t handle;
	store_query_h *done;
	void *arg;
};

struct store {
	struct store_backend *backend;
	struct store_config config;
	struct loop *loop;
	struct timers *timers;
	struct stats *stats;
	struct loop_work flush_work;

	bool is_up;
	bool backend_up;
	char reason[160];
	struct directory *directory;
	struct uuid derivation_key;

	struct cache cache;
	struct work *to_load, *to_write, *finished; /* queues */
	size_t work_count;
	struct batch loading, writing;

	struct {
		bool running;
		bool wanted; /* once more when the running one has ended */
		bool failed; /* somebody was not shown: again, a bit later */
		size_t outstanding; /* looks of the current page */
		size_t page_users;
		struct store_live_user last;
		struct timer retry;
	} live;
	store_live_h *live_handler;
	void *live_arg;
	store_changed_h *changed_handler;
	void *changed_arg;

	struct handle_table *queries;
	struct timer retry, purge, late_commits;

	struct statistic stat_applied, stat_already, stat_refused, stat_failed;
	struct statistic stat_conflicts, stat_batches, stat_pending,
	    stat_cached;
	struct statistic stat_commit;
};

/* cache.c: NULL only when out of memory. */
struct entry *cache_get(struct cache *cache, enum mc_service service,
			enum procedure_role role, const char *primary_id);
/* It has no works any more: kept if worth it, or freed. */
void cache_release(struct cache *cache, struct entry *entry);
void cache_use(struct cache *cache, struct entry *entry);
/* Drops the idle ones; busy ones are loaded again by their next work. */
void cache_outdate(struct cache *cache);
void cache_destroy(struct cache *cache);

/* batch.c */
int work_add(struct store *store, struct work *work, enum mc_service service,
	     enum procedure_role role, const char *primary_id);
void store_schedule_flush(struct store *store);
/* Ends all works that are not with the backend. */
void work_fail_queued(struct store *store, int error);
void work_free_all(struct store *store);
/* live.c */
void live_look_done(struct store *store, struct work *work);

#endif
