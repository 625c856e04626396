/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries for people and tools: each kind is a statement and a table of the
 * rows' keys, in the order of its columns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

#define ROWS_MAX_TEXT_(n) #n
#define ROWS_MAX_TEXT(n) ROWS_MAX_TEXT_(n)
#define LIMIT " LIMIT " ROWS_MAX_TEXT(STORE_QUERY_ROWS_MAX)

#define PROCEDURE_COLUMNS                                                    \
	"SELECT procedure_id, service, role, verb, state, outcome, cause, "  \
	"telling, primary_id, partner_id, peer_system, profile_index, "      \
	"sequence, \"order\", epoch, created_us, deadline_us, finished_us, " \
	"node, incarnation FROM procedure "

#define PROCEDURE_ORDER \
	" ORDER BY created_us DESC, procedure_id, sequence" LIMIT

static const struct statement live_procedures = {
	"query_live_procedures",
	PROCEDURE_COLUMNS "WHERE is_live" PROCEDURE_ORDER,
};

static const struct statement procedures = {
	"query_procedures",
	PROCEDURE_COLUMNS
	"WHERE procedure_id = ANY ($1::uuid[])" PROCEDURE_ORDER,
};

#define PRIMARY_MIGRATIONS                                               \
	"SELECT m.service, 2::int2 AS role, "                            \
	"CASE WHEN m.active THEN 1 ELSE 3 END AS status, "               \
	"m.active AND m.epoch = coalesce(u.confirmed_epoch, 0) "         \
	"AS current, m.primary_id, m.partner_id, "                       \
	"m.partner_system AS peer_system, m.profile_index, "             \
	"m.procedure_id, m.sequence, m.epoch, m.started_us, m.ended_us " \
	"FROM primary_migration m LEFT JOIN user_state u "               \
	"ON u.service = m.service AND u.primary_id = m.primary_id "      \
	"WHERE m.partner_id <> '' AND "

#define PARTNER_MIGRATIONS                                                \
	" UNION ALL SELECT m.service, 1::int2, m.status, m.status = 1, "  \
	"m.primary_id, m.partner_id, m.primary_system, m.profile_index, " \
	"m.procedure_id, m.sequence, 0::int8, m.started_us, m.ended_us "  \
	"FROM partner_mapping m WHERE "

/* Status 0: accepted, not confirmed. */
#define MIGRATING                                                        \
	" UNION ALL SELECT m.service, m.role, 0, false, m.primary_id, "  \
	"m.partner_id, m.peer_system, m.profile_index, m.procedure_id, " \
	"m.sequence, m.epoch, m.created_us, 0::int8 FROM procedure m "   \
	"WHERE m.is_live AND m.role = 2 AND m.verb = 1 AND m.state = 3 " \
	"AND m.outcome = 1"

#define MIGRATION_ORDER \
	" ORDER BY service, primary_id, role, started_us, partner_id" LIMIT

static const struct statement active_migrations = {
	"query_active_migrations",
	PRIMARY_MIGRATIONS "m.active" PARTNER_MIGRATIONS
			   "m.status = 1" MIGRATING MIGRATION_ORDER,
};

/* All services, so that the indexes on (service, ID) find the ID. */
#define FITS_ID                                                    \
	"m.service = ANY (ARRAY(SELECT service FROM mc_service)) " \
	"AND (m.primary_id = $1::text OR m.partner_id = $1::text)"

static const struct statement migrations = {
	"query_migrations",
	PRIMARY_MIGRATIONS FITS_ID PARTNER_MIGRATIONS FITS_ID MIGRATING
	" AND " FITS_ID MIGRATION_ORDER,
};

static const struct statement redirection = {
	"query_redirection",
	"SELECT s.service, r.mc_service_id, r.target_mc_service_id, "
	"r.direction, r.since_us FROM redirection r "
	"JOIN mc_service s ON s.name = r.service "
	"WHERE r.mc_service_id = $1::text "
	"ORDER BY s.service, direction, since_us, "
	"target_mc_service_id" LIMIT,
};

static const struct statement systems = {
	"query_systems",
	"SELECT name, enabled, path, "
	"(SELECT coalesce(json_agg(d.domain ORDER BY d.domain), '[]') "
	"FROM mc_system_domain d WHERE d.system = s.name)::text, "
	"(SELECT coalesce(json_agg(v.uri ORDER BY v.priority, v.uri), '[]') "
	"FROM mc_server v WHERE v.system = s.name)::text, "
	"(SELECT coalesce(json_agg(p.source ORDER BY p.source), '[]') "
	"FROM mc_peer p WHERE p.system = s.name)::text "
	"FROM mc_system s ORDER BY name" LIMIT,
};

static const struct statement gateways = {
	"query_gateways",
	"SELECT uri, priority, weight FROM mc_gateway "
	"ORDER BY priority, uri" LIMIT,
};

static const struct statement nodes = {
	"query_nodes",
	"SELECT name, incarnation, "
	"(extract(epoch FROM lease_until) * 1000000)::int8, "
	"lease_until > clock_timestamp() FROM node ORDER BY name" LIMIT,
};

const struct statement *const query_statements[] = {
	&live_procedures, &procedures,	&active_migrations,
	&migrations,	  &redirection, &systems,
	&gateways,	  &nodes,	NULL
};

/* --- values ----------------------------------------------------------------- */

typedef json_t *value_h(const PGresult *result, int row, int column);

static json_t *integer(const PGresult *result, int row, int column)
{
	return json_integer((json_int_t)row_integer(result, row, column));
}

static json_t *boolean(const PGresult *result, int row, int column)
{
	return json_boolean(row_bool(result, row, column));
}

static json_t *text(const PGresult *result, int row, int column)
{
	return json_string(PQgetvalue(result, row, column));
}

static json_t *json(const PGresult *result, int row, int column)
{
	return json_loads(PQgetvalue(result, row, column), 0, NULL);
}

static json_t *uuid(const PGresult *result, int row, int column)
{
	struct uuid value;
	char id[UUID_TEXT_SIZE];

	row_uuid(result, row, column, &value);
	return json_string(uuid_to_text(&value, id));
}

static json_t *moment(const PGresult *result, int row, int column)
{
	uint64_t us = row_integer(result, row, column);
	time_t seconds = (time_t)(us / 1000000);
	char date[32], whole[48];
	struct tm tm;

	if (!us || !gmtime_r(&seconds, &tm))
		return json_null();
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%06uZ", date,
		 (unsigned)(us % 1000000));
	return json_string(whole);
}

static json_t *service(const PGresult *result, int row, int column)
{
	const struct mc_service_info *info =
	    mc_service_info((enum mc_service)row_integer(result, row, column));

	return json_string(info ? info->name : "?");
}

#define NAMED(name, type, function)                                         \
	static json_t *name(const PGresult *result, int row, int column)    \
	{                                                                   \
		return json_string(                                         \
		    function((enum type)row_integer(result, row, column))); \
	}
NAMED(role, procedure_role, procedure_role_name)
NAMED(verb, mcinfo_verb, mcinfo_verb_name)
NAMED(state, procedure_state, procedure_state_name)
NAMED(outcome, procedure_outcome, procedure_outcome_name)
NAMED(cause, mcinfo_cause, mcinfo_cause_name)

static const char *status_name(enum mapping_status status)
{
	return status ? mapping_status_name(status) : "migrating";
}
NAMED(status, mapping_status, status_name)

struct key {
	const char *name; /* NULL closes a table */
	value_h *value;
};

static const struct key procedure_keys[] = {
	{ "procedure_id", uuid }, { "service", service },
	{ "role", role },	  { "verb", verb },
	{ "state", state },	  { "outcome", outcome },
	{ "cause", cause },	  { "telling", boolean },
	{ "primary_id", text },	  { "partner_id", text },
	{ "peer_system", text },  { "profile_index", integer },
	{ "sequence", integer },  { "order", integer },
	{ "epoch", integer },	  { "created", moment },
	{ "deadline", moment },	  { "finished", moment },
	{ "node", text },	  { "incarnation", integer },
	{ NULL, NULL },
};

static const struct key migration_keys[] = {
	{ "service", service },	  { "role", role },
	{ "status", status },	  { "current", boolean },
	{ "primary_id", text },	  { "partner_id", text },
	{ "peer_system", text },  { "profile_index", integer },
	{ "procedure_id", uuid }, { "sequence", integer },
	{ "epoch", integer },	  { "started", moment },
	{ "ended", moment },	  { NULL, NULL },
};

static const struct key redirection_keys[] = {
	{ "service", service },
	{ "mc_service_id", text },
	{ "target_mc_service_id", text },
	{ "direction", text },
	{ "since", moment },
	{ NULL, NULL },
};

static const struct key system_keys[] = {
	{ "name", text },    { "enabled", boolean }, { "path", text },
	{ "domains", json }, { "servers", json },    { "sources", json },
	{ NULL, NULL },
};

static const struct key gateway_keys[] = {
	{ "uri", text },
	{ "priority", integer },
	{ "weight", integer },
	{ NULL, NULL },
};

static const struct key node_keys[] = {
	{ "name", text },
	{ "incarnation", integer },
	{ "lease_until", moment },
	{ "alive", boolean },
	{ NULL, NULL },
};

/* --- a query under way ------------------------------------------------------ */

struct query {
	struct request request;
	struct postgres *postgres;
	uint64_t number;
	const struct key *keys;
	json_t *rows; /* NULL: out of memory */
};

static json_t *row_object(const struct key *keys, const PGresult *result,
			  int row)
{
	json_t *object = json_object();

	for (int column = 0; keys[column].name; column++) {
		if (json_object_set_new(object, keys[column].name,
					keys[column].value(result, row,
							   column))) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static void query_result(struct request *request, unsigned statement,
			 const PGresult *result)
{
	struct query *query = (struct query *)request;

	(void)statement;
	query->rows = json_array();
	for (int i = 0; query->rows && i < PQntuples(result); i++) {
		if (json_array_append_new(query->rows,
					  row_object(query->keys, result, i))) {
			json_decref(query->rows);
			query->rows = NULL;
		}
	}
}

static void query_done(struct request *request, enum request_outcome outcome)
{
	struct query *query = (struct query *)request;
	struct store *store = query->postgres->store;
	int err = outcome == REQUEST_DONE ? query->rows ? 0 : ENOMEM : EIO;

	if (outcome == REQUEST_REFUSED)
		session_check(query->postgres, request);
	if (err || !store) {
		json_decref(query->rows);
		query->rows = NULL;
	}
	if (store)
		store_query_done(store, query->number, query->rows, err);
	free(query);
}

/* What is no UUID names no procedure. */
static void add_id(struct array_set *parameters, const char *argument)
{
	struct array *ids = array_set_add(parameters, ARRAY_UUID);
	struct uuid id;

	if (!uuid_from_text(argument, &id))
		array_add_uuid(parameters, ids, &id);
}

static const struct statement *choose(struct array_set *parameters,
				      enum store_query_kind kind,
				      const char *argument,
				      const struct key **keys)
{
	static const struct key *const keys_of[] = {
		[STORE_QUERY_PROCEDURES] = procedure_keys,
		[STORE_QUERY_MIGRATIONS] = migration_keys,
		[STORE_QUERY_REDIRECTION] = redirection_keys,
		[STORE_QUERY_SYSTEMS] = system_keys,
		[STORE_QUERY_GATEWAYS] = gateway_keys,
		[STORE_QUERY_NODES] = node_keys,
	};

	*keys = keys_of[kind];
	switch (kind) {
	case STORE_QUERY_PROCEDURES:
		if (!*argument)
			return &live_procedures;
		add_id(parameters, argument);
		return &procedures;
	case STORE_QUERY_MIGRATIONS:
		if (!*argument)
			return &active_migrations;
		array_set_add_text(parameters, argument);
		return &migrations;
	case STORE_QUERY_REDIRECTION:
		array_set_add_text(parameters, argument);
		return &redirection;
	case STORE_QUERY_SYSTEMS:
		return &systems;
	case STORE_QUERY_GATEWAYS:
		return &gateways;
	case STORE_QUERY_NODES:
		break;
	}
	return &nodes;
}

int query_start(struct store_backend *backend, uint64_t number,
		enum store_query_kind kind, const char *argument)
{
	struct postgres *postgres = (struct postgres *)backend;
	struct connection *reader = &postgres->connections[READER];
	const struct statement *statement;
	struct query *query;

	if (!session_is_up(postgres))
		return EAGAIN;
	query = calloc(1, sizeof(*query));
	if (!query)
		return ENOMEM;
	query->request =
	    (struct request){ .result = query_result, .done = query_done };
	query->postgres = postgres;
	query->number = number;
	array_set_start(&postgres->parameters);
	statement = choose(&postgres->parameters, kind, argument, &query->keys);
	connection_execute(reader, statement, &postgres->parameters);
	connection_finish(reader, &query->request);
	return 0;
}
