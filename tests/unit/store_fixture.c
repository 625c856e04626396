/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's side of the contract: notes reports, waits for them. */
#include "store_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* ------------------------------------------------------- what is reported */

static void end(struct store *store, int error)
{
	CU_ASSERT_FALSE(store->in_call);
	CU_ASSERT_FATAL(store->under_way > 0); /* exactly once each */
	store->under_way--;
	store->ended = !store->under_way;
	store->error = store->error ? store->error : error;
}

void store_up(struct store *store, const struct uuid *derivation_key)
{
	store->up = true;
	store->ups++;
	store->derivation_key = *derivation_key;
}

void store_down(struct store *store, const char *reason)
{
	store->up = false;
	store->downs++;
	snprintf(store->reason, sizeof(store->reason), "%s", reason);
}

void store_loaded(struct store *store, int error)
{
	end(store, error);
}

void store_written(struct store *store, int error)
{
	if (store->exit_when_written)
		_exit(error ? 1 : 0);
	end(store, error);
}

void store_live_found(struct store *store, const struct store_live_user *users,
		      size_t count, int error)
{
	free(store->live);
	store->live = calloc(count + 1, sizeof(*users));
	store->live_count = count;
	if (store->live && count)
		memcpy(store->live, users, count * sizeof(*users));
	end(store, error);
}

void store_directory_loaded(struct store *store, struct directory *directory,
			    int error)
{
	directory_destroy(store->directory);
	store->directory = directory;
	CU_ASSERT_EQUAL(!directory, error != 0);
	end(store, error);
}

void store_query_done(struct store *store, uint64_t query, json_t *rows,
		      int error)
{
	json_decref(store->rows);
	store->rows = rows;
	CU_ASSERT_EQUAL(query, store->query);
	CU_ASSERT_EQUAL(!rows, error != 0);
	end(store, error);
}

void store_provisioning_changed(struct store *store)
{
	store->provisioning_changes++;
}

/* -------------------------------------------------------- calls that wait */

void fixture_reset(void)
{
	CU_ASSERT_EQUAL_FATAL(store_contract_target.reset(), 0);
}

bool fixture_wait_count(struct store *store, const unsigned *counter,
			unsigned seen)
{
	uint64_t end_ms = clock_monotonic_ms() + FIXTURE_WAIT_MS;

	while (*counter <= seen && clock_monotonic_ms() < end_ms)
		store_contract_target.pump(store->backend, 100);
	return *counter > seen;
}

bool fixture_wait(struct store *store, const bool *flag)
{
	uint64_t end_ms = clock_monotonic_ms() + FIXTURE_WAIT_MS;

	while (!*flag && clock_monotonic_ms() < end_ms)
		store_contract_target.pump(store->backend, 100);
	return *flag;
}

struct store *fixture_open(const char *node, bool up)
{
	struct store *store = calloc(1, sizeof(*store));

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT_EQUAL_FATAL(
	    store_contract_target.create(node, &store->backend), 0);
	CU_ASSERT_EQUAL_FATAL(store->backend->ops->start(store->backend, store),
			      0);
	CU_ASSERT_FATAL(
	    fixture_wait_count(store, up ? &store->ups : &store->downs, 0));
	CU_ASSERT_EQUAL(store->up, up);
	return store;
}

void fixture_close(struct store *store)
{
	store->backend->ops->stop(store->backend);
	store_contract_target.destroy(store->backend);
	directory_destroy(store->directory);
	json_decref(store->rows);
	free(store->live);
	free(store);
}

void fixture_begin(struct store *store)
{
	if (!store->under_way)
		store->error = 0;
	store->ended = false;
	store->under_way++;
	store->in_call = true;
}

int fixture_end(struct store *store, int call_error)
{
	store->in_call = false;
	if (call_error) {
		store->under_way--;
		return call_error;
	}
	return fixture_wait(store, &store->ended) ? store->error : ETIMEDOUT;
}

int fixture_load(struct store *store, struct store_item **items, size_t count)
{
	fixture_begin(store);
	return fixture_end(store, store->backend->ops->load(store->backend,
							    items, count));
}

int fixture_write(struct store *store, struct store_item **items, size_t count)
{
	fixture_begin(store);
	return fixture_end(store, store->backend->ops->write(store->backend,
							     items, count));
}

int fixture_find_live(struct store *store, unsigned after_service,
		      const char *after_primary_id, size_t limit)
{
	fixture_begin(store);
	return fixture_end(
	    store, store->backend->ops->find_live(store->backend, after_service,
						  after_primary_id, limit));
}

int fixture_load_directory(struct store *store)
{
	fixture_begin(store);
	return fixture_end(store,
			   store->backend->ops->load_directory(store->backend));
}

int fixture_query(struct store *store, enum store_query_kind kind,
		  const char *argument)
{
	fixture_begin(store);
	store->query++;
	return fixture_end(store, store->backend->ops->query(store->backend,
							     store->query, kind,
							     argument));
}

int fixture_load_one(struct store *store, struct user_record *record,
		     const struct uuid *procedure_id, const char *partner_id,
		     const char *peer_system)
{
	struct store_item item = { .record = record,
				   .partner_id = partner_id,
				   .peer_system = peer_system };
	struct store_item *items = &item;
	int err;

	if (procedure_id)
		item.procedure_id = *procedure_id;
	err = fixture_load(store, &items, 1);
	if (!err)
		CU_ASSERT_EQUAL(item.status, STORE_ITEM_DONE);
	return err;
}

enum store_item_status fixture_write_one(struct store *store,
					 struct user_record *record)
{
	struct store_item item = { .record = record,
				   .status = STORE_ITEM_FAILED };
	struct store_item *items = &item;

	CU_ASSERT_EQUAL(fixture_write(store, &items, 1), 0);
	return item.status;
}

void fixture_settle(struct user_record *record)
{
	record->version = record_next_version(record);
	for (size_t i = 0; i < record->procedure_count; i++) {
		record->procedures[i].changed = false;
		record->procedures[i].is_new = false;
	}
	for (size_t i = 0; i < record->mapping_count; i++) {
		record->mappings[i].version += record->mappings[i].changed;
		record->mappings[i].changed = false;
	}
	for (size_t i = 0; i < record->migration_count; i++)
		record->migrations[i].changed = false;
}

bool fixture_loads_as(struct store *store, const struct user_record *expected,
		      const struct uuid *procedure_id, const char *partner_id)
{
	struct user_record found;
	bool same;

	record_init(&found, expected->service, expected->role,
		    expected->primary_id);
	CU_ASSERT_EQUAL_FATAL(fixture_load_one(store, &found, procedure_id,
					       partner_id, SYSTEM_A),
			      0);
	same = records_equal(expected, &found);
	record_clear(&found);
	return same;
}

long fixture_count(const char *select)
{
	json_t *rows = store_contract_target.select(select);
	const char *text =
	    json_string_value(json_array_get(json_array_get(rows, 0), 0));
	long count = text ? atol(text) : -1;

	json_decref(rows);
	return count;
}

void fixture_execute(const char *sql)
{
	CU_ASSERT_EQUAL_FATAL(store_contract_target.execute(sql), 0);
}
