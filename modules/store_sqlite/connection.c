/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection: open, check, lease, transactions, what its errors mean. */
#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define SCHEMA_VERSION 3
/* Statement LEASE_TAKE has the same 30 s. */
#define LEASE_TEXT "+30 seconds"
#define LEASE_RENEW_MS 10000
#define BUSY_TELL_MS 500

/* Why not, for people; gives `error`. */
#define REFUSE(connection, error, ...) \
	(snprintf((connection)->reason, REASON_SIZE, __VA_ARGS__), (error))

void connection_explain(struct connection *connection, int rc)
{
	const char *file = connection->file;
	const char *remedy = "";

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		snprintf(connection->reason, REASON_SIZE,
			 "another process holds the write lock of %.90s: end "
			 "its open transaction",
			 file);
		return;
	case SQLITE_FULL:
		remedy = ": make room on its file system";
		break;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		remedy = ": check owner and mode of file and folder";
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		remedy = ": restore a backup";
		break;
	default:
		break;
	}
	snprintf(connection->reason, REASON_SIZE, "%.90s: %s%s", file,
		 connection->db ? sqlite3_errmsg(connection->db)
				: sqlite3_errstr(rc),
		 remedy);
}

/* ------------------------------------------------------------- statements */

sqlite3_stmt *connection_statement(struct connection *connection,
				   enum statement statement)
{
	sqlite3_stmt *prepared = connection->statements[statement];

	sqlite3_reset(prepared);
	sqlite3_clear_bindings(prepared);
	return prepared;
}

int connection_run(sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_DONE || rc == SQLITE_ROW)
		return sqlite3_reset(statement);
	sqlite3_reset(statement);
	return rc;
}

int connection_begin(struct connection *connection, bool write)
{
	return connection_run(connection_statement(
	    connection, write ? STATEMENT_BEGIN_WRITE : STATEMENT_BEGIN));
}

int connection_commit(struct connection *connection)
{
	return connection_run(
	    connection_statement(connection, STATEMENT_COMMIT));
}

void connection_rollback(struct connection *connection)
{
	/* Some errors have rolled back already. */
	if (!sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
}

int bind_text(sqlite3_stmt *statement, int i, const char *text)
{
	return sqlite3_bind_text(statement, i, text, (int)strlen(text),
				 SQLITE_STATIC);
}

int bind_number(sqlite3_stmt *statement, int i, uint64_t number)
{
	return sqlite3_bind_int64(statement, i, (sqlite3_int64)number);
}

int bind_uuid(sqlite3_stmt *statement, int i, const struct uuid *uuid)
{
	char text[UUID_TEXT_SIZE];

	return sqlite3_bind_text(statement, i, uuid_to_text(uuid, text),
				 UUID_TEXT_SIZE - 1, SQLITE_TRANSIENT);
}

bool column_text(sqlite3_stmt *statement, int i, char *text, size_t size)
{
	const void *value = sqlite3_column_text(statement, i);
	size_t bytes = (size_t)sqlite3_column_bytes(statement, i);

	if (!value || bytes >= size)
		return false;
	memcpy(text, value, bytes);
	text[bytes] = '\0';
	return true;
}

bool column_uuid(sqlite3_stmt *statement, int i, struct uuid *uuid)
{
	const char *text = (const char *)sqlite3_column_text(statement, i);

	return text && !uuid_from_text(text, uuid);
}

uint64_t column_number(sqlite3_stmt *statement, int i)
{
	sqlite3_int64 number = sqlite3_column_int64(statement, i);

	return number < 0 ? 0 : (uint64_t)number;
}

/* ------------------------------------------------------------------- lease */

static int read_lease(struct connection *connection, uint64_t *incarnationp,
		      bool *alivep)
{
	sqlite3_stmt *lease = connection_statement(connection, STATEMENT_LEASE);
	int rc;

	*incarnationp = 0;
	*alivep = false;
	bind_text(lease, 1, connection->node);
	rc = sqlite3_step(lease);
	if (rc == SQLITE_ROW) {
		*incarnationp = column_number(lease, 0);
		*alivep = sqlite3_column_int(lease, 1);
	}
	sqlite3_reset(lease);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int lease_lost(struct connection *connection)
{
	return REFUSE(connection, EPERM,
		      "another mcmigd runs as node %.60s on %.60s: stop it, or "
		      "give it a node name of its own",
		      connection->node, connection->file);
}

/*
 * A process that starts takes the node over from whoever ran before it. One
 * that has lost it to another waits until that one's lease has run out: two
 * daemons of one name must not take it from each other for ever.
 */
static int take_lease(struct connection *connection)
{
	sqlite3_stmt *take;
	uint64_t incarnation;
	bool alive;
	int rc = connection_begin(connection, true);

	if (!rc)
		rc = read_lease(connection, &incarnation, &alive);
	if (rc)
		goto out;
	if (connection->incarnation && alive &&
	    incarnation != connection->incarnation) {
		connection_rollback(connection);
		return lease_lost(connection);
	}
	take = connection_statement(connection, STATEMENT_LEASE_TAKE);
	bind_text(take, 1, connection->node);
	bind_number(take, 2, incarnation + 1);
	rc = connection_run(take);
	if (!rc)
		rc = connection_commit(connection);
out:
	if (rc) {
		connection_explain(connection, rc);
		connection_rollback(connection);
		return EAGAIN;
	}
	connection->incarnation = incarnation + 1;
	connection->renew_ms = clock_monotonic_ms() + LEASE_RENEW_MS;
	return 0;
}

static int renew_lease(struct connection *connection, const char *lease)
{
	sqlite3_stmt *renew =
	    connection_statement(connection, STATEMENT_LEASE_RENEW);
	int rc;

	bind_text(renew, 1, connection->node);
	bind_number(renew, 2, connection->incarnation);
	bind_text(renew, 3, lease);
	rc = connection_run(renew);
	if (rc) {
		connection_explain(connection, rc);
		return EAGAIN;
	}
	connection->renew_ms = clock_monotonic_ms() + LEASE_RENEW_MS;
	return sqlite3_changes(connection->db) ? 0 : lease_lost(connection);
}

int connection_lease_held(struct connection *connection, bool *heldp)
{
	sqlite3_stmt *held =
	    connection_statement(connection, STATEMENT_LEASE_HELD);
	int rc;

	bind_text(held, 1, connection->node);
	bind_number(held, 2, connection->incarnation);
	rc = sqlite3_step(held);
	*heldp = rc == SQLITE_ROW;
	if (rc == SQLITE_DONE)
		lease_lost(connection);
	sqlite3_reset(held);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* -------------------------------------------------------------------- open */

static int on_busy(void *arg, int count)
{
	struct connection *connection = arg;
	uint64_t now_ms = clock_monotonic_ms();
	struct timespec pause = { .tv_nsec = 1000000 };

	if (!count) {
		connection->busy_since_ms = now_ms;
		connection->busy_told = false;
	}
	if (*connection->hurry ||
	    now_ms - connection->busy_since_ms >= connection->busy_timeout_ms)
		return 0;
	if (!connection->busy_told &&
	    now_ms - connection->busy_since_ms >= BUSY_TELL_MS) {
		connection->busy_told = true;
		log_warning("store_sqlite",
			    "msg=\"waiting: another process holds the write "
			    "lock, end its open transaction\" file=\"%s\"",
			    connection->file);
	}
	pause.tv_nsec *= count < 20 ? count + 1 : 20;
	nanosleep(&pause, NULL);
	return 1;
}

static int open_file(struct connection *connection)
{
	struct stat status;
	int rc;

	if (stat(connection->file, &status)) {
		if (errno == ENOENT)
			return REFUSE(connection, EAGAIN,
				      "%.60s does not exist: sqlite3 FILE < "
				      "%s/schema.sql",
				      connection->file, SCHEMA_FOLDER);
		return REFUSE(connection, EAGAIN, "%.90s: %s", connection->file,
			      strerror(errno));
	}
	connection->device = status.st_dev;
	connection->inode = status.st_ino;
	rc = sqlite3_open_v2(connection->file, &connection->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				 SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (!rc)
		rc = sqlite3_busy_handler(connection->db, on_busy, connection);
	/*
	 * FULL: a commit is on the disk when it returns. A WAL that a long
	 * reader let grow is cut at the next checkpoint.
	 */
	if (!rc)
		rc = sqlite3_exec(connection->db,
				  "PRAGMA synchronous = FULL;"
				  "PRAGMA journal_size_limit = 67108864;"
				  "PRAGMA cache_size = -16000;"
				  "PRAGMA temp_store = MEMORY",
				  NULL, NULL, NULL);
	if (rc) {
		connection_explain(connection, rc);
		return EAGAIN;
	}
	return 0;
}

/* One text of one row, or why there is none. */
static int read_text(struct connection *connection, const char *sql, char *text,
		     size_t size)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);

	if (!rc)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW && column_text(statement, 0, text, size))
		rc = SQLITE_OK;
	else if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		rc = SQLITE_NOTFOUND;
	sqlite3_finalize(statement);
	return rc;
}

static int refuse_version(struct connection *connection, const char *found)
{
	long version = strtol(found, NULL, 10);

	if (version > SCHEMA_VERSION)
		return REFUSE(connection, EAGAIN,
			      "%.90s has schema version %ld, this mcmigd needs "
			      "%d: use the mcmigd of that version",
			      connection->file, version, SCHEMA_VERSION);
	return REFUSE(connection, EAGAIN,
		      "%.60s has schema version %ld, this mcmigd needs %d: "
		      "sqlite3 -bail FILE < %s/upgrade-%ld.sql",
		      connection->file, version, SCHEMA_VERSION, SCHEMA_FOLDER,
		      version + 1);
}

static int check_schema(struct connection *connection)
{
	char text[32];
	int rc;

	rc = read_text(connection, "SELECT max(version) FROM schema_version",
		       text, sizeof(text));
	if (rc == SQLITE_ERROR || rc == SQLITE_NOTFOUND)
		return REFUSE(
		    connection, EAGAIN,
		    "%.60s has no mcmig schema: sqlite3 FILE < %s/schema.sql",
		    connection->file, SCHEMA_FOLDER);
	if (rc) {
		connection_explain(connection, rc);
		return EAGAIN;
	}
	if (strtol(text, NULL, 10) != SCHEMA_VERSION)
		return refuse_version(connection, text);
	rc = read_text(connection, "PRAGMA journal_mode = WAL", text,
		       sizeof(text));
	if (rc) {
		connection_explain(connection, rc);
		return EAGAIN;
	}
	if (strcmp(text, "wal"))
		return REFUSE(connection, EAGAIN,
			      "%.90s is in journal mode %s and does not take "
			      "WAL: put it on a local file system",
			      connection->file, text);
	return 0;
}

static int prepare_all(struct connection *connection)
{
	for (int i = 0; i < STATEMENT_END; i++) {
		int rc = sqlite3_prepare_v3(connection->db, statement_sql[i],
					    -1, SQLITE_PREPARE_PERSISTENT,
					    &connection->statements[i], NULL);

		if (rc) {
			connection_explain(connection, rc);
			return EAGAIN;
		}
	}
	return 0;
}

static int read_data_version(struct connection *connection, int64_t *version)
{
	sqlite3_stmt *statement =
	    connection_statement(connection, STATEMENT_DATA_VERSION);
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int read_secret(struct connection *connection)
{
	sqlite3_stmt *secret =
	    connection_statement(connection, STATEMENT_SECRET);
	int rc = sqlite3_step(secret);
	bool found = rc == SQLITE_ROW &&
		     column_uuid(secret, 0, &connection->derivation_key);

	sqlite3_reset(secret);
	if (found)
		return 0;
	return REFUSE(connection, EAGAIN,
		      "%.60s has no procedure-id-key: restore the row of "
		      "table secret from a backup",
		      connection->file);
}

int connection_open(struct connection *connection)
{
	int err = open_file(connection);

	if (!err)
		err = check_schema(connection);
	if (!err)
		err = prepare_all(connection);
	if (!err)
		err = read_secret(connection);
	if (!err)
		err = take_lease(connection);
	if (!err && read_data_version(connection, &connection->data_version)) {
		connection_explain(connection, sqlite3_errcode(connection->db));
		err = EAGAIN;
	}
	if (err)
		connection_close(connection, false);
	return err;
}

void connection_close(struct connection *connection, bool release)
{
	if (connection->db && release)
		renew_lease(connection, "+0 seconds");
	for (int i = 0; i < STATEMENT_END; i++) {
		sqlite3_finalize(connection->statements[i]);
		connection->statements[i] = NULL;
	}
	sqlite3_close(connection->db);
	connection->db = NULL;
}

static bool file_is_there(struct connection *connection)
{
	struct stat status;

	return !stat(connection->file, &status) &&
	       status.st_dev == connection->device &&
	       status.st_ino == connection->inode;
}

int connection_tick(struct connection *connection, bool *changed)
{
	int64_t version = connection->data_version;
	int rc;

	*changed = false;
	if (!file_is_there(connection))
		return REFUSE(connection, EAGAIN,
			      "%.90s was removed or replaced while in use",
			      connection->file);
	rc = read_data_version(connection, &version);
	if (rc) {
		connection_explain(connection, rc);
		return EAGAIN;
	}
	*changed = version != connection->data_version;
	connection->data_version = version;
	if (clock_monotonic_ms() >= connection->renew_ms)
		return renew_lease(connection, LEASE_TEXT);
	return 0;
}
