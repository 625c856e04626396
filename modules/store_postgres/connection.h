/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One libpq connection in pipeline mode on the loop, and its queue of requests.
 * A request is one transaction: some statements and a Sync.
 */
#ifndef MCMIG_STORE_POSTGRES_CONNECTION_H
#define MCMIG_STORE_POSTGRES_CONNECTION_H

#include <libpq-fe.h>

#include "loop/loop.h"
#include "store_postgres/array.h"

enum request_outcome {
	REQUEST_DONE,	 /* committed, durable as the server is set */
	REQUEST_REFUSED, /* an SQL error: rolled back */
	REQUEST_LOST,	 /* the connection broke: outcome unknown */
};

/* A member of the caller's; lives until done() has been called. */
struct request {
	/* Rows of the statement with this number, from 0. NULL: ignored. */
	void (*result)(struct request *request, unsigned statement,
		       const PGresult *result);
	void (*done)(struct request *request, enum request_outcome outcome);
	void *arg;
	char sqlstate[6]; /* refused: the first error */
	char error[200];
	struct request *prev, *next;
};

struct statement {
	const char *name;
	const char *sql;
};

struct connection;

struct connection_handler {
	void (*opened)(struct connection *connection);
	/* Once; then only connection_close() may follow. */
	void (*broken)(struct connection *connection, const char *reason);
	void (*notified)(struct connection *connection);
};

struct connection {
	struct loop *loop;
	const struct connection_handler *handler;
	void *arg;
	PGconn *pg; /* NULL: closed */
	struct loop_watch *watch;
	uint32_t events;
	struct request *requests; /* sent, oldest first */
	unsigned statement;	  /* of the oldest one */
	bool is_open;
	bool is_broken;
	bool warned; /* a WARNING came with the oldest one */

	struct request replan;
	bool replanning;
	uint64_t items, replan_at;
};

/* Begins to connect; opened() or broken() follows, maybe inside the call. */
void connection_open(struct connection *connection, const char *const *keywords,
		     const char *const *values);
/* Calls done() of what is under way. */
void connection_close(struct connection *connection);

/* Statements of a request, then connection_finish(). Errors come by broken(). */
void connection_prepare(struct connection *connection,
			const struct statement *statement);
void connection_query(struct connection *connection, const char *sql);
void connection_execute(struct connection *connection,
			const struct statement *statement,
			struct array_set *parameters);
void connection_finish(struct connection *connection, struct request *request);

/*
 * Counts what was loaded or written. Plans are made for the tables' sizes of
 * that moment and kept; a table that was tiny then would be read whole for each
 * item, so they are made anew at each doubling.
 */
void connection_count(struct connection *connection, size_t items);

#endif
