/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan for what a restart or an outage has left owed: users with live
 * procedures, page by page; each is loaded and shown to the role.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/engine.h"

#define PAGE_USERS 256
/* What fails once may fail again at once, and for ever. */
#define RETRY_MS 1000

static void retry(void *arg)
{
	struct store *store = arg;

	if (store->is_up) /* else the next store_up() scans */
		store_scan_live(store);
}

static void scan_failed(struct store *store)
{
	store->live.running = false;
	if (store->backend_up)
		timer_start(store->timers, &store->live.retry, RETRY_MS, retry,
			    store);
}

static void ask_page(struct store *store)
{
	struct store_backend *backend = store->backend;

	store->live.page_users = 0;
	if (backend->ops->find_live(backend, store->live.last.service,
				    store->live.last.primary_id, PAGE_USERS))
		scan_failed(store);
}

void store_scan_live(struct store *store)
{
	if (store->live.running) {
		store->live.wanted = true;
		return;
	}
	store->live.running = true;
	store->live.wanted = store->live.failed = false;
	store->live.last = (struct store_live_user){ 0 };
	ask_page(store);
}

static void page_ended(struct store *store)
{
	if (store->live.page_users == PAGE_USERS && store->backend_up) {
		ask_page(store);
		return;
	}
	store->live.running = false;
	if (store->live.wanted && store->backend_up)
		store_scan_live(store);
	else if (store->live.failed)
		scan_failed(store);
}

void live_look_done(struct store *store, struct work *work)
{
	if (!work->error && store->live_handler)
		store->live_handler(store->live_arg, &work->entry->record);
	else if (work->error)
		store->live.failed = true;
	if (!--store->live.outstanding)
		page_ended(store);
}

static int look(struct store *store, const struct store_live_user *user)
{
	struct work *work = calloc(1, sizeof(*work));
	int err;

	if (!work)
		return ENOMEM;
	work->is_live_look = true;
	err =
	    work_add(store, work, user->service, user->role, user->primary_id);
	if (err) {
		free(work);
		return err;
	}
	store->live.outstanding++;
	return 0;
}

void store_live_found(struct store *store, const struct store_live_user *users,
		      size_t count, int error)
{
	if (error) {
		scan_failed(store);
		return;
	}
	store->live.page_users = count;
	for (size_t i = 0; i < count; i++) {
		store->live.last = users[i];
		if (look(store, &users[i]))
			store->live.failed = true;
	}
	if (!store->live.outstanding)
		page_ended(store);
}
