/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to the file: opened, checked, with the node's lease and all
 * statements prepared. Used by the backend's thread alone. Functions that
 * return `int rc` give SQLite's result codes; any but SQLITE_OK means that the
 * connection is to be closed, connection_explain() says why.
 */
#ifndef MCMIG_STORE_SQLITE_CONNECTION_H
#define MCMIG_STORE_SQLITE_CONNECTION_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/uuid.h"
#include "mcinfo/mcid.h"
#include "statements.h"

#define REASON_SIZE 256

struct connection {
	char *file, *system, *node; /* the owner's */
	uint32_t busy_timeout_ms;
	const atomic_bool *hurry; /* busy waits end at once */

	sqlite3 *db; /* NULL: closed */
	sqlite3_stmt *statements[STATEMENT_END];
	dev_t device;
	ino_t inode;
	uint64_t incarnation; /* held last; 0: never held one */
	uint64_t renew_ms;    /* when to renew the lease */
	int64_t data_version;
	/* The last user that the purge has looked at. */
	unsigned purged_service;
	char purged_id[MCID_SIZE];
	uint64_t busy_since_ms;
	bool busy_told;
	struct uuid derivation_key;
	char reason[REASON_SIZE];
};

/* 0; else closed again with `reason` set: EAGAIN, or EPERM when another
 * incarnation holds the node's lease. */
int connection_open(struct connection *connection);
/* `release`: gives the lease back. */
void connection_close(struct connection *connection, bool release);
/* Puts what SQLite says about `rc`, and the remedy, into `reason`. */
void connection_explain(struct connection *connection, int rc);

/* Ready to be bound: reset, values of the last use cleared. */
sqlite3_stmt *connection_statement(struct connection *connection,
				   enum statement statement);
/* Steps a statement that gives no row, and resets it. */
int connection_run(sqlite3_stmt *statement);
int connection_begin(struct connection *connection, bool write);
int connection_commit(struct connection *connection);
void connection_rollback(struct connection *connection);

/* Inside a write transaction. */
int connection_lease_held(struct connection *connection, bool *heldp);
/* Once a second: file still there, lease, other writers. `changed`: somebody
 * else has committed. 0, or as connection_open() but still open. */
int connection_tick(struct connection *connection, bool *changed);

/* Values: lengths explicit, never part of the SQL. */
int bind_text(sqlite3_stmt *statement, int i, const char *text);
int bind_number(sqlite3_stmt *statement, int i, uint64_t number);
int bind_uuid(sqlite3_stmt *statement, int i, const struct uuid *uuid);
/* False: too long for `size`, or no such UUID, or negative. */
bool column_text(sqlite3_stmt *statement, int i, char *text, size_t size);
bool column_uuid(sqlite3_stmt *statement, int i, struct uuid *uuid);
uint64_t column_number(sqlite3_stmt *statement, int i);

#endif
