/* SPDX-License-Identifier: BSD-2-Clause */
/* The slow path: who is live, the directory, purging, rows for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "batch.h"

int batch_failed(struct connection *connection, int rc)
{
	if (!rc)
		return 0;
	connection_explain(connection, rc);
	connection_rollback(connection);
	return rc == SQLITE_NOMEM ? ENOMEM : EIO;
}

int find_live(struct connection *connection, unsigned after_service,
	      const char *after_primary_id, size_t limit,
	      struct store_live_user **usersp, size_t *countp)
{
	sqlite3_stmt *find =
	    connection_statement(connection, STATEMENT_FIND_LIVE);
	struct store_live_user *users = calloc(limit + 1, sizeof(*users));
	size_t count = 0;
	int rc;

	if (!users)
		return ENOMEM;
	bind_number(find, 1, after_service);
	bind_text(find, 2, after_primary_id);
	bind_number(find, 3, limit);
	while ((rc = sqlite3_step(find)) == SQLITE_ROW && count < limit) {
		users[count].service = column_number(find, 0);
		users[count].role = column_number(find, 2);
		if (column_text(find, 1, users[count].primary_id, MCID_SIZE))
			count++;
	}
	sqlite3_reset(find);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		free(users);
		return batch_failed(connection, rc);
	}
	*usersp = users;
	*countp = count;
	return 0;
}

static int purge_procedures(struct connection *connection, uint64_t before_us,
			    size_t limit)
{
	sqlite3_stmt *statement =
	    connection_statement(connection, STATEMENT_PURGE);

	bind_number(statement, 1, before_us);
	bind_number(statement, 2, limit);
	return connection_run(statement);
}

/* Up to which user a stretch of so many goes; the last one: all that follow. */
static int find_purge_end(struct connection *connection, size_t limit,
			  unsigned *servicep, char *primary_id, bool *lastp)
{
	sqlite3_stmt *find =
	    connection_statement(connection, STATEMENT_PURGE_END);
	int rc;

	bind_number(find, 1, connection->purged_service);
	bind_text(find, 2, connection->purged_id);
	bind_number(find, 3, limit);
	rc = sqlite3_step(find);
	*lastp =
	    rc != SQLITE_ROW || !column_text(find, 1, primary_id, MCID_SIZE);
	if (*lastp)
		*primary_id = '\0';
	*servicep = *lastp ? INT32_MAX : column_number(find, 0);
	sqlite3_reset(find);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int purge_users(struct connection *connection, uint64_t before_us,
		       size_t limit)
{
	sqlite3_stmt *statement;
	unsigned service = 0;
	char primary_id[MCID_SIZE] = "";
	bool last = false;
	int rc = find_purge_end(connection, limit, &service, primary_id, &last);

	if (rc)
		return rc;
	statement = connection_statement(connection, STATEMENT_PURGE_USERS);
	bind_number(statement, 1, before_us);
	bind_number(statement, 2, connection->purged_service);
	bind_text(statement, 3, connection->purged_id);
	bind_number(statement, 4, service);
	bind_text(statement, 5, primary_id);
	rc = connection_run(statement);
	connection->purged_service = last ? 0 : service;
	memcpy(connection->purged_id, primary_id, MCID_SIZE);
	return rc;
}

int purge(struct connection *connection, uint64_t finished_before_us,
	  size_t limit)
{
	int rc;

	if (finished_before_us > INT64_MAX)
		finished_before_us = INT64_MAX;
	rc = purge_procedures(connection, finished_before_us, limit);
	if (!rc)
		rc = purge_users(connection, finished_before_us, limit);
	return batch_failed(connection, rc);
}

/* --------------------------------------------------------------- directory */

static const char *text_of(sqlite3_stmt *row, int i)
{
	const void *text = sqlite3_column_text(row, i);

	return text ? text : "";
}

/* Systems first: the others name them. */
static const enum statement directory_tables[] = {
	STATEMENT_SYSTEMS,  STATEMENT_DOMAINS, STATEMENT_SERVERS,
	STATEMENT_GATEWAYS, STATEMENT_SOURCES,
};
#define TABLES (sizeof(directory_tables) / sizeof(*directory_tables))

static int add_row(struct directory *directory, enum statement table,
		   sqlite3_stmt *row, const char *own_system)
{
	const char *first = text_of(row, 0), *second = text_of(row, 1);

	switch (table) {
	case STATEMENT_SYSTEMS:
		return directory_add_system(directory, first,
					    column_number(row, 1),
					    column_number(row, 2));
	case STATEMENT_DOMAINS:
		return directory_add_domain(directory, first, second);
	case STATEMENT_SERVERS:
		return directory_add_server(directory, first, second,
					    column_number(row, 2),
					    column_number(row, 3));
	case STATEMENT_GATEWAYS:
		return directory_add_gateway(directory, first,
					     column_number(row, 1),
					     column_number(row, 2));
	default:
		return directory_add_source(
		    directory, strcmp(first, own_system) ? first : NULL,
		    second);
	}
}

/* A row that does not fit is passed over: one slip must not take away all. */
static int add_each(struct connection *connection, enum statement table,
		    struct directory *directory, int *errorp)
{
	sqlite3_stmt *rows = connection_statement(connection, table);
	int rc;

	while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
		int err = add_row(directory, table, rows, connection->system);

		if (err == ENOMEM) {
			*errorp = err;
			break;
		}
		if (err)
			log_warning("store_sqlite",
				    "msg=\"a row of the directory is passed "
				    "over: %s\" table=%s key=\"%s\" "
				    "value=\"%s\"",
				    strerror(err),
				    sqlite3_column_table_name(rows, 0),
				    text_of(rows, 0), text_of(rows, 1));
	}
	sqlite3_reset(rows);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int load_directory(struct connection *connection, struct directory **directoryp)
{
	struct directory *directory = NULL;
	int err = directory_create(&directory), rc;

	if (err)
		return err;
	rc = connection_begin(connection, false);
	for (size_t i = 0; i < TABLES && !rc && !err; i++)
		rc = add_each(connection, directory_tables[i], directory, &err);
	if (!rc)
		rc = connection_commit(connection);
	if (rc)
		err = batch_failed(connection, rc);
	if (err) {
		directory_destroy(directory);
		return err;
	}
	*directoryp = directory;
	return 0;
}

/* -------------------------------------------------------- rows for people */

static json_t *as_text(sqlite3_stmt *row, int i)
{
	json_t *text = json_string(text_of(row, i));

	return text ? text : json_string("?"); /* not UTF-8 */
}

static json_t *as_number(sqlite3_stmt *row, int i)
{
	return json_integer(sqlite3_column_int64(row, i));
}

static json_t *as_boolean(sqlite3_stmt *row, int i)
{
	return json_boolean(sqlite3_column_int(row, i));
}

static json_t *as_list(sqlite3_stmt *row, int i)
{
	return json_loads(text_of(row, i), 0, NULL);
}

static json_t *as_time(sqlite3_stmt *row, int i)
{
	uint64_t time_us = column_number(row, i);
	time_t seconds = (time_t)(time_us / 1000000);
	char text[32];
	struct tm utc;

	if (!time_us || !gmtime_r(&seconds, &utc) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc))
		return json_null();
	return json_sprintf("%s.%06uZ", text, (unsigned)(time_us % 1000000));
}

#define NAME(function, type)                                            \
	static json_t *function##_json(sqlite3_stmt *row, int i)        \
	{                                                               \
		return json_string(                                     \
		    function((enum type)sqlite3_column_int64(row, i))); \
	}

static const char *service_name(enum mc_service service)
{
	const struct mc_service_info *info = mc_service_info(service);

	return info ? info->name : "?";
}

NAME(service_name, mc_service)
NAME(procedure_role_name, procedure_role)
NAME(mcinfo_verb_name, mcinfo_verb)
NAME(procedure_state_name, procedure_state)
NAME(procedure_outcome_name, procedure_outcome)
NAME(mcinfo_cause_name, mcinfo_cause)

/* 0: accepted, not confirmed. */
static const char *status_name(enum mapping_status status)
{
	return status ? mapping_status_name(status) : "migrating";
}
NAME(status_name, mapping_status)

struct column { /* in the order of the statement's columns */
	const char *key;
	json_t *(*value)(sqlite3_stmt *row, int i);
};

static const struct column procedure_columns[] = {
	{ "procedure_id", as_text },
	{ "service", service_name_json },
	{ "role", procedure_role_name_json },
	{ "verb", mcinfo_verb_name_json },
	{ "state", procedure_state_name_json },
	{ "outcome", procedure_outcome_name_json },
	{ "cause", mcinfo_cause_name_json },
	{ "telling", as_boolean },
	{ "primary_id", as_text },
	{ "partner_id", as_text },
	{ "peer_system", as_text },
	{ "profile_index", as_number },
	{ "sequence", as_number },
	{ "order", as_number },
	{ "epoch", as_number },
	{ "created", as_time },
	{ "deadline", as_time },
	{ "finished", as_time },
	{ "node", as_text },
	{ "incarnation", as_number },
	{ NULL, NULL },
};
static const struct column migration_columns[] = {
	{ "service", service_name_json },
	{ "role", procedure_role_name_json },
	{ "status", status_name_json },
	{ "current", as_boolean },
	{ "primary_id", as_text },
	{ "partner_id", as_text },
	{ "peer_system", as_text },
	{ "profile_index", as_number },
	{ "procedure_id", as_text },
	{ "sequence", as_number },
	{ "epoch", as_number },
	{ "started", as_time },
	{ "ended", as_time },
	{ NULL, NULL },
};
static const struct column redirection_columns[] = {
	{ "service", as_text },
	{ "mc_service_id", as_text },
	{ "target_mc_service_id", as_text },
	{ "direction", as_text },
	{ "since", as_time },
	{ NULL, NULL },
};
static const struct column system_columns[] = {
	{ "name", as_text },	{ "enabled", as_boolean },
	{ "path", as_text },	{ "domains", as_list },
	{ "servers", as_list }, { "sources", as_list },
	{ NULL, NULL },
};
static const struct column gateway_columns[] = {
	{ "uri", as_text },
	{ "priority", as_number },
	{ "weight", as_number },
	{ NULL, NULL },
};
static const struct column node_columns[] = {
	{ "name", as_text },
	{ "incarnation", as_number },
	{ "lease_until", as_time },
	{ "alive", as_boolean },
	{ NULL, NULL },
};

static const struct {
	enum statement all;  /* argument "" */
	enum statement some; /* of the argument */
	const struct column *columns;
} queries[] = {
	[STORE_QUERY_PROCEDURES] = { STATEMENT_QUERY_LIVE,
				     STATEMENT_QUERY_PROCEDURE,
				     procedure_columns },
	[STORE_QUERY_MIGRATIONS] = { STATEMENT_QUERY_ACTIVE,
				     STATEMENT_QUERY_MIGRATIONS,
				     migration_columns },
	[STORE_QUERY_REDIRECTION] = { STATEMENT_QUERY_REDIRECTION,
				      STATEMENT_QUERY_REDIRECTION,
				      redirection_columns },
	[STORE_QUERY_SYSTEMS] = { STATEMENT_QUERY_SYSTEMS,
				  STATEMENT_QUERY_SYSTEMS, system_columns },
	[STORE_QUERY_GATEWAYS] = { STATEMENT_QUERY_GATEWAYS,
				   STATEMENT_QUERY_GATEWAYS, gateway_columns },
	[STORE_QUERY_NODES] = { STATEMENT_QUERY_NODES, STATEMENT_QUERY_NODES,
				node_columns },
};

static json_t *row_object(sqlite3_stmt *row, const struct column *column)
{
	json_t *object = json_object();

	for (int i = 0; column[i].key; i++) {
		if (json_object_set_new(object, column[i].key,
					column[i].value(row, i))) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

int query_rows(struct connection *connection, enum store_query_kind kind,
	       const char *argument, json_t **rowsp)
{
	sqlite3_stmt *statement = connection_statement(
	    connection, *argument ? queries[kind].some : queries[kind].all);
	json_t *rows = json_array();
	int rc;

	if (sqlite3_bind_parameter_count(statement))
		bind_text(statement, 1, argument);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (json_array_append_new(
			rows, row_object(statement, queries[kind].columns)))
			break;
	}
	sqlite3_reset(statement);
	if (rc == SQLITE_DONE) {
		*rowsp = rows;
		return rows ? 0 : ENOMEM;
	}
	json_decref(rows);
	return rc == SQLITE_ROW ? ENOMEM : batch_failed(connection, rc);
}
