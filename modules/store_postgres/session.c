/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of the three connections. They go to one server and fall together, so
 * that what is read and what is written is never of two servers. Nothing is
 * torn down inside a callback of a connection: session_fail() leaves it to the
 * next turn of the loop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

#define SCHEMA_VERSION 3
#define LOOKUP_POLL_MS 20
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
/* A session that does not last so long counts as a failed attempt. */
#define STABLE_MS 5000

static void attempt(void *arg);
static void tear_down(void *arg);

static void start_timer(struct postgres *postgres, uint64_t delay_ms,
			timer_h *handler)
{
	/* The heap has room: the timer was in it before. */
	timer_start(postgres->timers, &postgres->timer, delay_ms, handler,
		    postgres);
}

void session_fail(struct postgres *postgres, const char *reason)
{
	if (postgres->state == SESSION_STOPPED ||
	    postgres->state == SESSION_FAILED)
		return;
	snprintf(postgres->reason, sizeof(postgres->reason), "%s", reason);
	if (postgres->state == SESSION_UP &&
	    clock_monotonic_ms() - postgres->up_since_ms >= STABLE_MS)
		postgres->attempts = 0;
	postgres->state = SESSION_FAILED;
	start_timer(postgres, 0, tear_down);
}

static void close_connections(struct postgres *postgres)
{
	node_close(postgres);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		connection_close(&postgres->connections[i]);
}

/* 0 for the first attempt and within a round over all servers. */
static uint64_t backoff_ms(const struct postgres *postgres)
{
	size_t servers = targets_count(postgres->targets);
	unsigned rounds = postgres->attempts / (servers ? servers : 1);
	uint64_t delay = BACKOFF_FIRST_MS;
	uint32_t random = 0;

	if (!postgres->attempts || (servers && postgres->attempts % servers))
		return 0;
	while (--rounds && delay < BACKOFF_MAX_MS)
		delay *= 2;
	if (delay > BACKOFF_MAX_MS)
		delay = BACKOFF_MAX_MS;
	/* Nodes that have lost the same server come back one by one. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_utc_us();
	return delay / 2 + random % (delay / 2 + 1);
}

static void tell_down(struct postgres *postgres)
{
	if (postgres->told_down && !strcmp(postgres->told, postgres->reason))
		return;
	postgres->told_down = true;
	snprintf(postgres->told, sizeof(postgres->told), "%s",
		 postgres->reason);
	log_warning("store_postgres",
		    "msg=\"database is not usable\" reason=\"%s\"",
		    postgres->reason);
	store_down(postgres->store, postgres->reason);
}

static void tear_down(void *arg)
{
	struct postgres *postgres = arg;
	uint64_t delay;

	tell_down(postgres);
	close_connections(postgres);
	if (postgres->state == SESSION_STOPPED)
		return; /* by a callback */
	delay = backoff_ms(postgres);
	postgres->attempts++;
	postgres->state = SESSION_WAITING;
	start_timer(postgres, delay, attempt);
}

static void attempt_failed(struct postgres *postgres, const char *reason)
{
	postgres->target++;
	session_fail(postgres, reason);
}

static void attempt_overdue(void *arg)
{
	attempt_failed(arg, "no connection within connect_timeout");
}

static void connect_to_target(struct postgres *postgres)
{
	const char *keywords[TARGET_PARAMETERS_MAX];
	const char *values[TARGET_PARAMETERS_MAX];
	size_t count = targets_count(postgres->targets);

	if (!count) {
		session_fail(postgres, targets_why(postgres->targets));
		return;
	}
	postgres->state = SESSION_CONNECTING;
	postgres->ready = 0;
	postgres->schema_version = 0;
	targets_parameters(postgres->targets, postgres->target % count,
			   keywords, values);
	start_timer(postgres, postgres->connect_timeout_ms, attempt_overdue);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		connection_open(&postgres->connections[i], keywords, values);
}

static void wait_for_lookup(void *arg)
{
	struct postgres *postgres = arg;

	if (!targets_poll(postgres->targets))
		connect_to_target(postgres);
	else if (clock_monotonic_ms() >= postgres->lookup_until_ms)
		session_fail(postgres,
			     "names of hosts in conninfo: no answer of the "
			     "name server within connect_timeout");
	else
		start_timer(postgres, LOOKUP_POLL_MS, wait_for_lookup);
}

static void attempt(void *arg)
{
	struct postgres *postgres = arg;

	postgres->state = SESSION_RESOLVING;
	postgres->lookup_until_ms =
	    clock_monotonic_ms() + postgres->connect_timeout_ms;
	if (targets_resolve(postgres->targets))
		start_timer(postgres, LOOKUP_POLL_MS, wait_for_lookup);
	else
		connect_to_target(postgres);
}

/* --- what is done on each fresh connection ------------------------------- */

/* synchronous_commit: what an administrator has chosen, but never off. */
static const char settings[] =
    "SELECT set_config('search_path', 'mcmig', false), "
    "set_config('plan_cache_mode', 'force_generic_plan', false), "
    "set_config('jit', 'off', false), "
    "set_config('client_connection_check_interval', '1s', false), "
    "set_config('synchronous_commit', "
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, false)";

/* One view of the tables for all statements of a load. */
static const char reader_settings[] =
    "SELECT set_config('default_transaction_isolation', 'repeatable read', "
    "false), set_config('default_transaction_read_only', 'on', false)";

/* The purge's plan is made when the tables are empty, and one statement may find
 * them grown. */
static const char watcher_settings[] =
    "SELECT set_config('enable_seqscan', 'off', false)";

enum setup_statement {
	SETUP_VERSION, /* first: without a schema this is what fails */
	SETUP_KEY,
};

static const char setup_version[] =
    "SELECT max(version) FROM mcmig.schema_version";
static const char setup_key[] =
    "SELECT value FROM mcmig.secret WHERE name = 'procedure-id-key'";

static unsigned role_of_setup(const struct postgres *postgres,
			      const struct request *request)
{
	return (unsigned)(request - postgres->setups);
}

static void setup_result(struct request *request, unsigned statement,
			 const PGresult *result)
{
	struct postgres *postgres = request->arg;

	if (statement == SETUP_VERSION && PQntuples(result))
		postgres->schema_version = row_integer(result, 0, 0);
	else if (statement == SETUP_KEY && PQntuples(result))
		row_uuid(result, 0, 0, &postgres->derivation_key);
}

static void setup_refused(struct postgres *postgres,
			  const struct request *request)
{
	char reason[320];

	/* Undefined table or schema. */
	if (!strcmp(request->sqlstate, "42P01") ||
	    !strcmp(request->sqlstate, "3F000"))
		snprintf(reason, sizeof(reason),
			 "the schema is missing (%s): run "
			 "db/postgresql/schema.sql in this database",
			 request->error);
	else
		snprintf(reason, sizeof(reason), "%s (sqlstate %s)",
			 request->error, request->sqlstate);
	attempt_failed(postgres, reason);
}

static void refuse_version(struct postgres *postgres)
{
	unsigned long long version = postgres->schema_version;
	char reason[160], remedy[64] = "use the mcmigd of that version";

	if (version < SCHEMA_VERSION)
		snprintf(remedy, sizeof(remedy),
			 "run db/postgresql/upgrade-%llu.sql in it",
			 version + 1);
	snprintf(reason, sizeof(reason),
		 "the database has schema version %llu, this mcmigd needs %d: "
		 "%s",
		 version, SCHEMA_VERSION, remedy);
	attempt_failed(postgres, reason);
}

static void setup_done(struct request *request, enum request_outcome outcome)
{
	struct postgres *postgres = request->arg;
	uint64_t version = postgres->schema_version;

	if (outcome == REQUEST_LOST)
		return;
	/* Statements that another version's schema refuses are not the point. */
	if (outcome == REQUEST_REFUSED &&
	    (!version || version == SCHEMA_VERSION)) {
		setup_refused(postgres, request);
	} else if (version != SCHEMA_VERSION) {
		refuse_version(postgres);
	} else if (role_of_setup(postgres, request) == WATCHER) {
		node_open(postgres);
	} else {
		session_ready(postgres);
	}
}

static const struct statement *const *const statements_of[CONNECTIONS][4] = {
	[WRITER] = { write_statements },
	[READER] = { load_statements, live_statements, query_statements,
		     directory_statements },
	[WATCHER] = { node_statements },
};

static void connection_opened(struct connection *connection)
{
	struct postgres *postgres = connection->arg;
	unsigned role = (unsigned)(connection - postgres->connections);
	struct request *setup = &postgres->setups[role];

	*setup = (struct request){ .result = setup_result,
				   .done = setup_done,
				   .arg = postgres };
	connection_query(connection, setup_version);
	connection_query(connection, setup_key);
	connection_query(connection, settings);
	if (role == READER)
		connection_query(connection, reader_settings);
	if (role == WATCHER)
		connection_query(connection, watcher_settings);
	for (unsigned i = 0; i < 4 && statements_of[role][i]; i++)
		for (const struct statement *const *s = statements_of[role][i];
		     *s; s++)
			connection_prepare(connection, *s);
	connection_finish(connection, setup);
}

static void connection_broken(struct connection *connection, const char *reason)
{
	struct postgres *postgres = connection->arg;

	if (postgres->state == SESSION_CONNECTING)
		attempt_failed(postgres, reason);
	else
		session_fail(postgres, reason);
}

static void provisioning_notified(struct connection *connection)
{
	struct postgres *postgres = connection->arg;

	if (session_is_up(postgres))
		store_provisioning_changed(postgres->store);
}

static const struct connection_handler handler = {
	.opened = connection_opened,
	.broken = connection_broken,
	.notified = provisioning_notified,
};

void session_ready(struct postgres *postgres)
{
	if (postgres->state != SESSION_CONNECTING ||
	    ++postgres->ready < CONNECTIONS)
		return;
	timer_stop(postgres->timers, &postgres->timer);
	postgres->state = SESSION_UP;
	postgres->up_since_ms = clock_monotonic_ms();
	postgres->told_down = false;
	log_info("store_postgres",
		 "msg=\"database is usable\" incarnation=%llu",
		 (unsigned long long)postgres->incarnation);
	store_up(postgres->store, &postgres->derivation_key);
}

bool session_check(struct postgres *postgres, const struct request *request)
{
	/* Data, constraint, conflict, limit (an ID too long for an index). */
	static const char *const of_input[] = { "22", "23", "40", "54" };

	for (size_t i = 0; i < sizeof(of_input) / sizeof(*of_input); i++)
		if (!strncmp(request->sqlstate, of_input[i], 2))
			return false;
	session_fail(postgres, request->error);
	return true;
}

int session_start(struct postgres *postgres)
{
	int err;

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		postgres->connections[i].loop = postgres->loop;
		postgres->connections[i].handler = &handler;
		postgres->connections[i].arg = postgres;
	}
	err = timer_start(postgres->timers, &postgres->timer, 0, attempt,
			  postgres);
	if (!err)
		postgres->state = SESSION_WAITING;
	return err;
}

void session_stop(struct postgres *postgres)
{
	postgres->state = SESSION_STOPPED;
	timer_stop(postgres->timers, &postgres->timer);
	close_connections(postgres);
}
