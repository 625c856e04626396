/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store as roles see it: one asynchronous call a transition. Above the
 * backend (store/backend.h) it keeps at most one transition a user under way,
 * gathers them in batches (group commit), caches records, and applies the rules
 * of procedure/transition.h between load and guarded write; a lost guard loads
 * and applies again.
 */
#ifndef MCMIG_STORE_STORE_H
#define MCMIG_STORE_STORE_H

#include "base/handle.h"
#include "procedure/transition.h"
#include "store/backend.h"

struct loop;
struct stats;
struct timers;

struct store_config {
	uint32_t queue_max;	     /* transitions waiting or under way */
	uint32_t batch_max;	     /* transitions in one commit */
	uint32_t cache_max;	     /* records kept */
	uint32_t commit_deadline_ms; /* a batch; then its outcome is unknown */
	uint64_t retention_us;	     /* finished procedures are kept so long */
};

/* `loop` NULL: batches are sent by store_flush() (simulation, tests). */
MCMIG_API int store_create(struct store **storep, struct loop *loop,
			   struct timers *timers, struct stats *stats,
			   struct store_backend *backend,
			   const struct store_config *config);
MCMIG_API int store_start(struct store *store);
MCMIG_API void store_flush(struct store *store);
/* Stops the backend; nothing is called back any more. NULL is fine. */
MCMIG_API void store_destroy(struct store *store);

MCMIG_API bool store_is_up(const struct store *store);
/* Why it is down; "" when up. */
MCMIG_API const char *store_reason(const struct store *store);
MCMIG_API size_t store_pending(const struct store *store);
/* Never NULL after the first store_up(); swapped whole: do not keep it. */
MCMIG_API const struct directory *store_directory(const struct store *store);
MCMIG_API const struct uuid *store_derivation_key(const struct store *store);

/*
 * Called exactly once for each store_transition() that returned 0, never inside
 * it. error 0: durable (or nothing to write); `record` is the user's state, in
 * which the changed procedures are marked; valid during the call. EIO,
 * ETIMEDOUT: the outcome is unknown, ask again with the same event. ENOMEM.
 */
typedef void store_done_h(void *arg, handle_t handle, int error,
			  const struct transition *transition,
			  const struct user_record *record);

/*
 * Applies a copy of `event`. 0; EAGAIN: the store is down; EBUSY: the queue is
 * full; ENOMEM. For requests from the network all of them mean 503.
 */
MCMIG_API int store_transition(struct store *store, const struct event *event,
			       store_done_h *done, void *arg, handle_t handle);

/*
 * Called for each user that has live procedures after every store_up() and for
 * each store_scan_live(): what a restart or an outage has left owed.
 */
typedef void store_live_h(void *arg, const struct user_record *record);
MCMIG_API void store_set_live_handler(struct store *store, store_live_h *live,
				      void *arg);
MCMIG_API void store_scan_live(struct store *store);
/* Up, down, new directory: whoever shows or depends on it. */
typedef void store_changed_h(void *arg);
MCMIG_API void store_set_changed_handler(struct store *store,
					 store_changed_h *changed, void *arg);

/* For ctl: rows as objects. error: 0, EAGAIN, EBUSY, EIO. */
typedef void store_query_h(void *arg, json_t *rows, int error);
MCMIG_API int store_query(struct store *store, enum store_query_kind kind,
			  const char *argument, store_query_h *done, void *arg);
MCMIG_API int store_reload_directory(struct store *store);

#endif
