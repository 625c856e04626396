/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects without blocking, sends requests and hands out their results. Every
 * fault ends in broken(), once, after which nothing is read or sent any more.
 */
#include "store_postgres/connection.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define REPLAN_FIRST 256

static void handle_events(void *arg, uint32_t events);

/* The first line, with quotes that do not end a value in the log. */
static void copy_line(char *line, size_t size, const char *message)
{
	snprintf(line, size, "%s", message);
	line[strcspn(line, "\n")] = '\0';
	while ((line = strchr(line, '"')))
		*line = '\'';
}

static void break_off(struct connection *connection, const char *message)
{
	char reason[256];

	if (connection->is_broken)
		return;
	connection->is_broken = true;
	loop_unwatch(connection->watch);
	connection->watch = NULL;
	copy_line(reason, sizeof(reason), message);
	connection->handler->broken(connection,
				    *reason ? reason : "connection closed");
}

static void watch(struct connection *connection, uint32_t events)
{
	int err;

	if (connection->is_broken)
		return;
	if (!connection->watch) {
		err = loop_watch(connection->loop, PQsocket(connection->pg),
				 events, handle_events, connection,
				 &connection->watch);
	} else if (connection->events != events) {
		err = loop_watch_events(connection->watch, events);
	} else {
		return;
	}
	connection->events = events;
	if (err)
		break_off(connection, strerror(err));
}

/*
 * A commit whose wait for the synchronous standby was given up is reported as a
 * success with a WARNING: it is not durable. Nothing else of ours warns.
 */
static void receive_notice(void *arg, const PGresult *result)
{
	struct connection *connection = arg;
	const char *severity =
	    PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (severity && !strcmp(severity, "WARNING") && connection->requests)
		connection->warned = true;
}

static void become_open(struct connection *connection)
{
	PQsetNoticeReceiver(connection->pg, receive_notice, connection);
	if (PQsetnonblocking(connection->pg, 1) ||
	    !PQenterPipelineMode(connection->pg)) {
		break_off(connection, PQerrorMessage(connection->pg));
		return;
	}
	connection->is_open = true;
	watch(connection, EPOLLIN);
	if (!connection->is_broken)
		connection->handler->opened(connection);
}

/*
 * PQconnectPoll() may close its socket and open another one with the same
 * number, which epoll has then forgotten: so a fresh watch after every call.
 */
static void go_on_connecting(struct connection *connection)
{
	loop_unwatch(connection->watch);
	connection->watch = NULL;
	switch (PQconnectPoll(connection->pg)) {
	case PGRES_POLLING_READING:
		watch(connection, EPOLLIN);
		break;
	case PGRES_POLLING_WRITING:
		watch(connection, EPOLLOUT);
		break;
	case PGRES_POLLING_OK:
		become_open(connection);
		break;
	default:
		break_off(connection, PQerrorMessage(connection->pg));
		break;
	}
}

void connection_open(struct connection *connection, const char *const *keywords,
		     const char *const *values)
{
	connection->is_open = false;
	connection->is_broken = false;
	connection->warned = false;
	connection->statement = 0;
	connection->items = 0;
	connection->replan_at = REPLAN_FIRST;
	connection->pg = PQconnectStartParams(keywords, values, 0);
	if (!connection->pg)
		break_off(connection, "out of memory");
	else if (PQstatus(connection->pg) == CONNECTION_BAD)
		break_off(connection, PQerrorMessage(connection->pg));
	else
		watch(connection, EPOLLOUT);
}

void connection_close(struct connection *connection)
{
	struct request *request;

	loop_unwatch(connection->watch);
	connection->watch = NULL;
	connection->is_broken = true;
	connection->is_open = false;
	PQfinish(connection->pg);
	connection->pg = NULL;
	while ((request = connection->requests)) {
		DL_DELETE(connection->requests, request);
		if (request->done)
			request->done(request, REQUEST_LOST);
	}
}

static void flush(struct connection *connection)
{
	int left;

	if (connection->is_broken)
		return;
	left = PQflush(connection->pg);
	if (left < 0)
		break_off(connection, PQerrorMessage(connection->pg));
	else
		watch(connection, left ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void note_error(struct request *request, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message =
	    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (*request->sqlstate)
		return; /* the first one is the cause */
	snprintf(request->sqlstate, sizeof(request->sqlstate), "%s",
		 sqlstate ? sqlstate : "08000");
	copy_line(request->error, sizeof(request->error),
		  message ? message : PQresultErrorMessage(result));
}

static void end_request(struct connection *connection, struct request *request)
{
	enum request_outcome outcome =
	    *request->sqlstate ? REQUEST_REFUSED : REQUEST_DONE;

	if (connection->warned && outcome == REQUEST_DONE) {
		outcome = REQUEST_LOST;
		break_off(connection, "the server has warned that a commit is "
				      "not replicated");
	}
	connection->warned = false;
	connection->statement = 0;
	DL_DELETE(connection->requests, request);
	if (request->done)
		request->done(request, outcome);
}

static void take_result(struct connection *connection, const PGresult *result)
{
	struct request *request = connection->requests;

	switch (PQresultStatus(result)) {
	case PGRES_PIPELINE_SYNC:
		end_request(connection, request);
		break;
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		if (request->result)
			request->result(request, connection->statement, result);
		break;
	case PGRES_PIPELINE_ABORTED:
		break;
	default:
		note_error(request, result);
		break;
	}
}

static void take_results(struct connection *connection)
{
	bool statement_ended = false;

	while (connection->requests && !connection->is_broken &&
	       !PQisBusy(connection->pg)) {
		PGresult *result = PQgetResult(connection->pg);

		if (!result && statement_ended)
			break;
		statement_ended = !result;
		if (result)
			take_result(connection, result);
		else
			connection->statement++;
		PQclear(result);
	}
}

static void take_notifications(struct connection *connection)
{
	PGnotify *notification;
	bool any = false;

	while ((notification = PQnotifies(connection->pg))) {
		any = true;
		PQfreemem(notification);
	}
	if (any && connection->handler->notified)
		connection->handler->notified(connection);
}

static void handle_events(void *arg, uint32_t events)
{
	struct connection *connection = arg;

	if (!connection->is_open) {
		go_on_connecting(connection);
		return;
	}
	if (events & ~(uint32_t)EPOLLOUT) {
		/* What came before the end still counts: an answer, or why. */
		bool alive = PQconsumeInput(connection->pg);

		take_results(connection);
		if (!alive)
			break_off(connection, PQerrorMessage(connection->pg));
	}
	if (!connection->is_broken)
		take_notifications(connection);
	flush(connection);
}

static void check_sent(struct connection *connection, int sent)
{
	if (!sent)
		break_off(connection, PQerrorMessage(connection->pg));
}

void connection_prepare(struct connection *connection,
			const struct statement *statement)
{
	if (!connection->is_broken)
		check_sent(connection,
			   PQsendPrepare(connection->pg, statement->name,
					 statement->sql, 0, NULL));
}

void connection_query(struct connection *connection, const char *sql)
{
	if (!connection->is_broken)
		check_sent(connection,
			   PQsendQueryParams(connection->pg, sql, 0, NULL, NULL,
					     NULL, NULL, 1));
}

void connection_execute(struct connection *connection,
			const struct statement *statement,
			struct array_set *parameters)
{
	if (connection->is_broken)
		return;
	if (array_set_finish(parameters)) {
		break_off(connection, "out of memory");
		return;
	}
	check_sent(connection,
		   PQsendQueryPrepared(connection->pg, statement->name,
				       (int)parameters->count,
				       parameters->values, parameters->lengths,
				       parameters->formats, 1));
}

void connection_finish(struct connection *connection, struct request *request)
{
	request->sqlstate[0] = '\0';
	request->error[0] = '\0';
	DL_APPEND(connection->requests, request);
	if (connection->is_broken)
		return;
	check_sent(connection, PQpipelineSync(connection->pg));
	flush(connection);
}

static void replanned(struct request *request, enum request_outcome outcome)
{
	struct connection *connection =
	    (struct connection *)((char *)request -
				  offsetof(struct connection, replan));

	(void)outcome;
	connection->replanning = false;
}

void connection_count(struct connection *connection, size_t items)
{
	connection->items += items;
	if (connection->items < connection->replan_at || connection->replanning)
		return;
	connection->replan_at = connection->items * 2;
	connection->replanning = true;
	connection->replan = (struct request){ .done = replanned };
	connection_query(connection, "DISCARD PLANS");
	connection_finish(connection, &connection->replan);
}
