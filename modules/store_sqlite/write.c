/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes: a batch in one transaction. The guards of an item are looked at
 * before its first write, so that one that conflicts leaves the others alone;
 * should an item fail in spite of that, all is rolled back and each is written
 * in a transaction of its own.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "batch.h"

/* What the journal's own columns hold: one below INT64_MAX, one may be over. */
static bool fits(uint64_t number)
{
	return number <= INT64_MAX;
}

static bool procedure_fits(const struct procedure *p)
{
	return fits(p->sequence) && fits(p->order) && fits(p->epoch) &&
	       fits(p->created_us) && fits(p->deadline_us) &&
	       fits(p->finished_us);
}

static bool migration_fits(const struct migration *m)
{
	return fits(m->sequence) && fits(m->deauthorized_sequence) &&
	       fits(m->epoch) && fits(m->started_us) && fits(m->ended_us);
}

static bool mapping_fits(const struct mapping *m)
{
	return fits(m->sequence) && fits(m->started_us) && fits(m->ended_us) &&
	       fits(m->version + 1);
}

static bool record_fits(const struct user_record *record)
{
	bool all = fits(record_next_version(record)) &&
		   fits(record->last_sequence) && fits(record->last_order) &&
		   fits(record->last_epoch) && fits(record->confirmed_epoch);

	for (size_t i = 0; i < record->procedure_count; i++)
		all &= !record->procedures[i].changed ||
		       procedure_fits(&record->procedures[i]);
	for (size_t i = 0; i < record->mapping_count; i++)
		all &= !record->mappings[i].changed ||
		       mapping_fits(&record->mappings[i]);
	for (size_t i = 0; i < record->migration_count; i++)
		all &= !record->migrations[i].changed ||
		       migration_fits(&record->migrations[i]);
	return all;
}

/* ------------------------------------------------------------------ guards */

/* The number in the first row's first column; 0: no row. */
static int read_number(sqlite3_stmt *statement, uint64_t *numberp)
{
	int rc = sqlite3_step(statement);

	*numberp = rc == SQLITE_ROW ? column_number(statement, 0) : 0;
	sqlite3_reset(statement);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int check_mapping(struct connection *connection,
			 const struct user_record *record,
			 const struct mapping *mapping, bool *hold)
{
	sqlite3_stmt *stored =
	    connection_statement(connection, STATEMENT_MAPPING_VERSION);
	uint64_t version;
	int rc;

	bind_number(stored, 1, record->service);
	bind_text(stored, 2, mapping->partner_id);
	rc = read_number(stored, &version);
	*hold &= version == mapping->version;
	return rc;
}

static int check_new(struct connection *connection,
		     const struct user_record *record,
		     const struct procedure *procedure, bool *hold)
{
	sqlite3_stmt *stored =
	    connection_statement(connection, STATEMENT_PROCEDURE_EXISTS);
	uint64_t exists;
	int rc;

	bind_number(stored, 1, record->service);
	bind_text(stored, 2, record->primary_id);
	bind_uuid(stored, 3, &procedure->id);
	bind_text(stored, 4, procedure->partner_id);
	bind_number(stored, 5, procedure->sequence);
	rc = read_number(stored, &exists);
	*hold &= !exists;
	return rc;
}

static int check_guards(struct connection *connection,
			const struct user_record *record, bool *hold)
{
	sqlite3_stmt *stored =
	    connection_statement(connection, STATEMENT_VERSION);
	uint64_t version;
	int rc;

	bind_number(stored, 1, record->service);
	bind_text(stored, 2, record->primary_id);
	rc = read_number(stored, &version);
	*hold = version == record->version;
	for (size_t i = 0; i < record->mapping_count && !rc && *hold; i++) {
		if (record->mappings[i].changed)
			rc = check_mapping(connection, record,
					   &record->mappings[i], hold);
	}
	for (size_t i = 0; i < record->procedure_count && !rc && *hold; i++) {
		if (record->procedures[i].changed &&
		    record->procedures[i].is_new)
			rc = check_new(connection, record,
				       &record->procedures[i], hold);
	}
	return rc;
}

/* ------------------------------------------------------------------ writes */

static int put_user_state(struct connection *connection,
			  const struct user_record *record)
{
	sqlite3_stmt *put =
	    connection_statement(connection, STATEMENT_PUT_USER_STATE);

	bind_number(put, 1, record->service);
	bind_text(put, 2, record->primary_id);
	bind_number(put, 3, record->role);
	bind_number(put, 4, record_next_version(record));
	bind_number(put, 5, record->last_sequence);
	bind_number(put, 6, record->last_order);
	bind_number(put, 7, record->last_epoch);
	bind_number(put, 8, record->confirmed_epoch);
	bind_number(put, 9, clock_utc_us());
	return connection_run(put);
}

static int put_procedure(struct connection *connection,
			 const struct user_record *record,
			 const struct procedure *p)
{
	sqlite3_stmt *put =
	    connection_statement(connection, STATEMENT_PUT_PROCEDURE);

	bind_number(put, 1, record->service);
	bind_text(put, 2, record->primary_id);
	bind_uuid(put, 3, &p->id);
	bind_text(put, 4, p->partner_id);
	bind_number(put, 5, p->sequence);
	bind_number(put, 6, record->role);
	bind_number(put, 7, p->verb);
	bind_number(put, 8, p->state);
	bind_number(put, 9, p->outcome);
	bind_number(put, 10, p->cause);
	bind_number(put, 11, p->telling);
	bind_number(put, 12, p->profile_index);
	bind_number(put, 13, p->order);
	bind_number(put, 14, p->epoch);
	bind_text(put, 15, p->partner_id_given);
	bind_text(put, 16, p->primary_id_given);
	bind_text(put, 17, p->peer_system);
	bind_text(put, 18, p->client_uri);
	bind_number(put, 19, p->created_us);
	bind_number(put, 20, p->deadline_us);
	bind_number(put, 21, p->finished_us);
	bind_text(put, 22, connection->node);
	bind_number(put, 23, connection->incarnation);
	bind_text(put, 24, p->client_identity);
	return connection_run(put);
}

static int put_mapping(struct connection *connection,
		       const struct user_record *record,
		       const struct mapping *m)
{
	sqlite3_stmt *put =
	    connection_statement(connection, STATEMENT_PUT_MAPPING);

	bind_number(put, 1, record->service);
	bind_text(put, 2, m->partner_id);
	bind_text(put, 3, m->primary_id);
	bind_text(put, 4, m->primary_system);
	bind_number(put, 5, m->version + 1);
	bind_number(put, 6, m->status);
	bind_uuid(put, 7, &m->procedure_id);
	bind_number(put, 8, m->sequence);
	bind_number(put, 9, m->profile_index);
	bind_number(put, 10, m->started_us);
	bind_number(put, 11, m->ended_us);
	return connection_run(put);
}

static int put_migration(struct connection *connection,
			 const struct user_record *record,
			 const struct migration *m)
{
	sqlite3_stmt *put =
	    connection_statement(connection, STATEMENT_PUT_MIGRATION);

	bind_number(put, 1, record->service);
	bind_text(put, 2, record->primary_id);
	bind_text(put, 3, m->partner_system);
	bind_text(put, 4, m->partner_id);
	bind_number(put, 5, m->active);
	bind_uuid(put, 6, &m->procedure_id);
	bind_number(put, 7, m->sequence);
	bind_number(put, 8, m->deauthorized_sequence);
	bind_number(put, 9, m->epoch);
	bind_number(put, 10, m->profile_index);
	bind_number(put, 11, m->started_us);
	bind_number(put, 12, m->ended_us);
	return connection_run(put);
}

static int put_record(struct connection *connection,
		      const struct user_record *record)
{
	int rc = put_user_state(connection, record);

	for (size_t i = 0; i < record->procedure_count && !rc; i++) {
		if (record->procedures[i].changed)
			rc = put_procedure(connection, record,
					   &record->procedures[i]);
	}
	for (size_t i = 0; i < record->mapping_count && !rc; i++) {
		if (record->mappings[i].changed)
			rc = put_mapping(connection, record,
					 &record->mappings[i]);
	}
	for (size_t i = 0; i < record->migration_count && !rc; i++) {
		if (record->migrations[i].changed)
			rc = put_migration(connection, record,
					   &record->migrations[i]);
	}
	return rc;
}

/* ----------------------------------------------------------------- batches */

static int write_item(struct connection *connection, struct store_item *item)
{
	bool hold = false;
	int rc;

	if (!record_fits(item->record)) {
		log_error("store_sqlite",
			  "msg=\"a counter is too big to be stored\" "
			  "service=%d primary_id=\"%s\"",
			  (int)item->record->service, item->record->primary_id);
		item->status = STORE_ITEM_FAILED;
		return SQLITE_OK;
	}
	rc = check_guards(connection, item->record, &hold);
	item->status = hold ? STORE_ITEM_DONE : STORE_ITEM_CONFLICT;
	if (!rc && hold)
		rc = put_record(connection, item->record);
	return rc;
}

static int write_all(struct connection *connection, struct store_item **items,
		     size_t count, bool *heldp)
{
	int rc = connection_begin(connection, true);

	if (!rc)
		rc = connection_lease_held(connection, heldp);
	if (!*heldp)
		return rc;
	for (size_t i = 0; i < count && !rc; i++)
		rc = write_item(connection, items[i]);
	if (!rc)
		rc = connection_commit(connection);
	return rc;
}

/* Whether it is the item's fault, and not the file's or the machine's. */
static bool is_of_item(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
	case SQLITE_TOOBIG:
		return true;
	default:
		return false;
	}
}

static int write_singly(struct connection *connection,
			struct store_item **items, size_t count, bool *heldp)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < count && !rc; i++) {
		rc = write_all(connection, &items[i], 1, heldp);
		if (!*heldp)
			break;
		if (!is_of_item(rc))
			continue;
		log_error("store_sqlite",
			  "msg=\"a user cannot be written: %s\" service=%d "
			  "primary_id=\"%s\"",
			  sqlite3_errmsg(connection->db),
			  (int)items[i]->record->service,
			  items[i]->record->primary_id);
		connection_rollback(connection);
		items[i]->status = STORE_ITEM_FAILED;
		rc = SQLITE_OK;
	}
	return rc;
}

int batch_write(struct connection *connection, struct store_item **items,
		size_t count)
{
	bool held = false;
	int rc = write_all(connection, items, count, &held);

	if (held && is_of_item(rc)) {
		connection_rollback(connection);
		rc = write_singly(connection, items, count, &held);
	}
	if (!rc && !held) {
		connection_rollback(connection);
		return EPERM;
	}
	return batch_failed(connection, rc);
}
