/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a transition goes: [load] -> apply the rules -> [guarded write] -> done.
 * At most one work a user is under way; loads and writes leave in batches, the
 * next one when the last has come back (group commit, no timer).
 */
#include "store/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"

/* A guard lost again and again means that nodes fight over a user. */
#define CONFLICTS_MAX 20

static void enqueue(struct work **queue, struct work *work)
{
	DL_APPEND2(*queue, work, queue_prev, queue_next);
}

static void finish(struct store *store, struct work *work, int error)
{
	work->error = error;
	enqueue(&store->finished, work);
	store_schedule_flush(store);
}

static void load_again(struct store *store, struct work *work)
{
	record_clear(&work->entry->record);
	work->entry->loaded = false;
	work->entry->outdated = false;
	enqueue(&store->to_load, work);
}

/* What goes against the event, or does nothing for it, is not taken from a cached
 * record, which another node may have overtaken. */
static bool must_look_again(const struct work *work)
{
	return !work->fresh && (work->transition.unfavourable ||
				work->transition.result == TRANSITION_REFUSED);
}

static void apply(struct store *store, struct work *work)
{
	struct user_record *record = &work->entry->record;
	int err = transition_apply(record, &work->event, &work->transition);

	if (err) {
		work->entry->loaded = false;
		finish(store, work, err);
	} else if (must_look_again(work)) {
		load_again(store, work);
	} else if (work->transition.result == TRANSITION_APPLIED) {
		/* Above all versions of a row that the purge has deleted: a
		 * record that a node has cached of it is not taken for this. */
		record->first_version = clock_utc_us();
		enqueue(&store->to_write, work);
	} else {
		finish(store, work, 0);
	}
}

/* The first work of an entry gets under way. */
static void begin(struct store *store, struct work *work)
{
	struct entry *entry = work->entry;
	bool fresh =
	    work->is_live_look || event_needs_fresh_record(&work->event);

	if (!entry->loaded || entry->outdated || fresh)
		load_again(store, work);
	else
		apply(store, work);
	store_schedule_flush(store);
}

int work_add(struct store *store, struct work *work, enum mc_service service,
	     enum procedure_role role, const char *primary_id)
{
	struct entry *entry =
	    cache_get(&store->cache, service, role, primary_id);
	bool idle;

	if (!entry)
		return ENOMEM;
	idle = !entry->works;
	if (idle)
		cache_use(&store->cache, entry);
	work->entry = entry;
	DL_APPEND(entry->works, work);
	store->work_count++;
	if (idle)
		begin(store, work);
	return 0;
}

static struct statistic *stat_of(struct store *store, const struct work *work)
{
	if (work->error)
		return &store->stat_failed;
	switch (work->transition.result) {
	case TRANSITION_APPLIED:
		return &store->stat_applied;
	case TRANSITION_ALREADY_APPLIED:
		return &store->stat_already;
	case TRANSITION_REFUSED:
		break;
	}
	return &store->stat_refused;
}

static void call_back(struct store *store, struct work *work)
{
	struct user_record *record = &work->entry->record;

	if (work->is_live_look) {
		live_look_done(store, work);
		return;
	}
	stat_increment(stat_of(store, work));
	work->done(work->arg, work->handle, work->error,
		   work->error ? NULL : &work->transition,
		   work->error ? NULL : record);
	if (!work->error && work->transition.result == TRANSITION_APPLIED)
		record_settle(record);
}

static void end(struct store *store, struct work *work)
{
	struct entry *entry = work->entry;

	call_back(store, work);
	DL_DELETE(entry->works, work);
	store->work_count--;
	free(work);
	if (entry->works)
		begin(store, entry->works);
	else
		cache_release(&store->cache, entry);
}

/* Only those of now: what they begin ends in the next flush. */
static void end_finished(struct store *store)
{
	struct work *finished = store->finished, *work, *next;

	store->finished = NULL;
	DL_FOREACH_SAFE2(finished, work, next, queue_next)
	end(store, work);
}

static void batch_overdue(void *arg)
{
	struct store *store = arg;

	log_error("store",
		  "msg=\"a batch is overdue: its outcome is unknown, "
		  "the connection is given up\" backend=%s",
		  store->backend->ops->name);
	store->backend->ops->abandon(store->backend);
}

static void fill(struct batch *batch, struct work **queue, size_t max)
{
	struct work *work, *next;

	DL_FOREACH_SAFE2(*queue, work, next, queue_next)
	{
		if (batch->count == max)
			break;
		DL_DELETE2(*queue, work, queue_prev, queue_next);
		work->item = (struct store_item){
			.record = &work->entry->record,
			.procedure_id = work->event.procedure_id,
			.partner_id = work->event.partner_id,
			.peer_system = work->event.peer_system,
		};
		batch->works[batch->count] = work;
		batch->items[batch->count++] = &work->item;
	}
}

static void batch_close(struct store *store, struct batch *batch)
{
	batch->count = 0;
	timer_stop(store->timers, &batch->deadline);
	store_schedule_flush(store);
}

static void fail_batch(struct store *store, struct batch *batch, int error)
{
	for (size_t i = 0; i < batch->count; i++) {
		batch->works[i]->entry->loaded = false;
		finish(store, batch->works[i], error);
	}
	batch_close(store, batch);
}

static void
send_batch(struct store *store, struct batch *batch, struct work **queue,
	   int (*send)(struct store_backend *, struct store_item **, size_t))
{
	int err;

	if (batch->count || !*queue)
		return;
	fill(batch, queue, store->config.batch_max);
	batch->begun_us = clock_utc_us();
	stat_increment(&store->stat_batches);
	/* No batch leaves without its deadline. */
	err =
	    timer_start(store->timers, &batch->deadline,
			store->config.commit_deadline_ms, batch_overdue, store);
	if (!err)
		err = send(store->backend, batch->items, batch->count);
	if (err)
		fail_batch(store, batch, err);
}

static void send_batches(struct store *store)
{
	const struct store_backend_ops *ops = store->backend->ops;

	if (!store->backend_up)
		work_fail_queued(store, EAGAIN);
	send_batch(store, &store->loading, &store->to_load, ops->load);
	send_batch(store, &store->writing, &store->to_write, ops->write);
}

/* What waits leaves first: the database works while we answer what it did. */
void store_flush(struct store *store)
{
	send_batches(store);
	end_finished(store);
	send_batches(store);
	stat_set(&store->stat_pending, store->work_count);
	stat_set(&store->stat_cached, HASH_COUNT(store->cache.entries));
}

static void flush_work(void *arg)
{
	store_flush(arg);
}

void store_schedule_flush(struct store *store)
{
	if (!store->loop)
		return;
	store->flush_work.handler = flush_work;
	store->flush_work.arg = store;
	loop_work_queue(store->loop, &store->flush_work);
}

#define WITHIN(value, first, last) \
	((unsigned)(value) >= (first) && (unsigned)(value) <= (last))

/* Values that this program has not written must not become an index. */
static bool record_is_sane(const struct user_record *record)
{
	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *p = &record->procedures[i];

		if (!WITHIN(p->verb, MCINFO_AUTHORIZATION,
			    MCINFO_DEAUTHORIZATION) ||
		    !WITHIN(p->state, PROCEDURE_FORWARDING, PROCEDURE_DONE) ||
		    !WITHIN(p->outcome, OUTCOME_NONE, OUTCOME_FAILURE) ||
		    !WITHIN(p->cause, CAUSE_NONE, CAUSE_END - 1))
			return false;
	}
	for (size_t i = 0; i < record->mapping_count; i++) {
		if (!WITHIN(record->mappings[i].status, MAPPING_ACTIVE,
			    MAPPING_ENDED))
			return false;
	}
	return true;
}

static bool is_loaded(const struct work *work)
{
	static struct log_rate rate;
	const struct user_record *record = &work->entry->record;

	if (work->item.status != STORE_ITEM_DONE)
		return false;
	if (record_is_sane(record))
		return true;
	log_write_limited(&rate, LOG_ERROR, "store",
			  "msg=\"a row of this user has a value that mcmig "
			  "never writes\" user=%s",
			  record->primary_id);
	return false;
}

static void one_loaded(struct store *store, struct work *work)
{
	if (!is_loaded(work)) {
		finish(store, work, EIO);
		return;
	}
	work->entry->loaded = true;
	work->fresh = true;
	if (work->is_live_look)
		finish(store, work, 0);
	else
		apply(store, work);
}

void store_loaded(struct store *store, int error)
{
	struct batch *batch = &store->loading;

	if (error) {
		fail_batch(store, batch, error);
		return;
	}
	for (size_t i = 0; i < batch->count; i++)
		one_loaded(store, batch->works[i]);
	batch_close(store, batch);
}

static void one_written(struct store *store, struct work *work)
{
	switch (work->item.status) {
	case STORE_ITEM_DONE:
		finish(store, work, 0);
		return;
	case STORE_ITEM_CONFLICT:
		stat_increment(&store->stat_conflicts);
		if (work->conflicts++ < CONFLICTS_MAX) {
			load_again(store, work);
			return;
		}
		break;
	case STORE_ITEM_FAILED:
		break;
	}
	work->entry->loaded = false;
	finish(store, work, EIO);
}

static void observe_commit(struct store *store, const struct batch *batch)
{
	uint64_t now_us = clock_utc_us();

	if (now_us >= batch->begun_us) /* else the clock was set back */
		stat_observe_us(&store->stat_commit, now_us - batch->begun_us);
}

void store_written(struct store *store, int error)
{
	struct batch *batch = &store->writing;

	if (error) {
		fail_batch(store, batch, error);
		return;
	}
	observe_commit(store, batch);
	for (size_t i = 0; i < batch->count; i++)
		one_written(store, batch->works[i]);
	batch_close(store, batch);
}

static void fail_queue(struct store *store, struct work **queue, int error)
{
	struct work *work, *next;

	DL_FOREACH_SAFE2(*queue, work, next, queue_next)
	{
		DL_DELETE2(*queue, work, queue_prev, queue_next);
		work->entry->loaded = false;
		finish(store, work, error);
	}
}

void work_fail_queued(struct store *store, int error)
{
	fail_queue(store, &store->to_load, error);
	fail_queue(store, &store->to_write, error);
}

void work_free_all(struct store *store)
{
	struct entry *entry, *next_entry;
	struct work *work, *next;

	HASH_ITER(hh, store->cache.entries, entry, next_entry)
	{
		DL_FOREACH_SAFE(entry->works, work, next)
		free(work);
		entry->works = NULL;
	}
}
