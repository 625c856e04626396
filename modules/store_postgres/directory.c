/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the directory of MC systems from its tables. */
#include "directory/directory.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

static const struct statement systems = {
	"directory_systems",
	"SELECT name, enabled, path = 'gateway' FROM mc_system ORDER BY name",
};

static const struct statement domains = {
	"directory_domains",
	"SELECT system, domain FROM mc_system_domain ORDER BY domain",
};

static const struct statement servers = {
	"directory_servers",
	"SELECT system, uri, priority, weight FROM mc_server "
	"ORDER BY system, priority, uri",
};

static const struct statement gateways = {
	"directory_gateways",
	"SELECT uri, priority, weight FROM mc_gateway ORDER BY priority, uri",
};

static const struct statement sources = {
	"directory_sources",
	"SELECT system, source FROM mc_peer ORDER BY system, source",
};

enum directory_table {
	SYSTEMS, /* first: the others name them */
	DOMAINS,
	SERVERS,
	GATEWAYS,
	SOURCES,
	TABLES,
};

const struct statement *const directory_statements[] = {
	[SYSTEMS] = &systems,	[DOMAINS] = &domains, [SERVERS] = &servers,
	[GATEWAYS] = &gateways, [SOURCES] = &sources, [TABLES] = NULL,
};

static const char *const table_names[] = {
	[SYSTEMS] = "mc_system", [DOMAINS] = "mc_system_domain",
	[SERVERS] = "mc_server", [GATEWAYS] = "mc_gateway",
	[SOURCES] = "mc_peer",
};

static int add_row(const struct postgres *postgres, enum directory_table table,
		   const PGresult *result, int row)
{
	struct directory *directory = postgres->directory;
	const char *first = PQgetvalue(result, row, 0);
	const char *second = PQgetvalue(result, row, 1);

	switch (table) {
	case SYSTEMS:
		return directory_add_system(directory, first,
					    row_bool(result, row, 1),
					    row_bool(result, row, 2));
	case DOMAINS:
		return directory_add_domain(directory, first, second);
	case SERVERS:
		return directory_add_server(
		    directory, first, second,
		    (unsigned)row_integer(result, row, 2),
		    (unsigned)row_integer(result, row, 3));
	case GATEWAYS:
		return directory_add_gateway(
		    directory, first, (unsigned)row_integer(result, row, 1),
		    (unsigned)row_integer(result, row, 2));
	default:
		return directory_add_source(
		    directory, strcmp(first, postgres->system) ? first : NULL,
		    second);
	}
}

/* A row that is no good is left out: the other systems are still reached. */
static void directory_result(struct request *request, unsigned statement,
			     const PGresult *result)
{
	struct postgres *postgres = request->arg;

	for (int i = 0; postgres->directory && i < PQntuples(result); i++) {
		int err = add_row(postgres, statement, result, i);

		if (err == ENOMEM) {
			directory_destroy(postgres->directory);
			postgres->directory = NULL;
		} else if (err) {
			log_warning("store_postgres",
				    "msg=\"a provisioned row is left out\" "
				    "error=\"%s\" table=%s key=\"%s\" "
				    "value=\"%s\"",
				    strerror(err), table_names[statement],
				    PQgetvalue(result, i, 0),
				    PQgetvalue(result, i, 1));
		}
	}
}

static void directory_done(struct request *request,
			   enum request_outcome outcome)
{
	struct postgres *postgres = request->arg;
	struct directory *directory = postgres->directory;
	int err = outcome == REQUEST_DONE ? directory ? 0 : ENOMEM : EIO;

	postgres->directory = NULL;
	postgres->directory_loading = false;
	if (outcome == REQUEST_REFUSED)
		session_check(postgres, request);
	if (err || !postgres->store) {
		directory_destroy(directory);
		directory = NULL;
	}
	if (postgres->store)
		store_directory_loaded(postgres->store, directory, err);
}

int directory_load(struct store_backend *backend)
{
	struct postgres *postgres = (struct postgres *)backend;
	struct connection *reader = &postgres->connections[READER];
	int err;

	if (!session_is_up(postgres))
		return EAGAIN;
	if (postgres->directory_loading)
		return EBUSY;
	err = directory_create(&postgres->directory);
	if (err)
		return err;
	postgres->directory_loading = true;
	postgres->directory_load = (struct request){
		.result = directory_result,
		.done = directory_done,
		.arg = postgres,
	};
	for (size_t i = 0; directory_statements[i]; i++) {
		array_set_start(&postgres->parameters);
		connection_execute(reader, directory_statements[i],
				   &postgres->parameters);
	}
	connection_finish(reader, &postgres->directory_load);
	return 0;
}
