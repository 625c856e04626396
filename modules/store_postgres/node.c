/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This node in the database, on the watcher: its lease, LISTEN, and the purge
 * of what is finished long since.
 *
 * A start takes the lease at once, with the next incarnation: the daemon before
 * it is dead or mistaken. Whoever finds the lease taken stops writing, and
 * takes it back only when it has run out (by the database's clock), so that two
 * daemons of one name do not push each other out for ever.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

#define RENEWALS_A_LEASE 3

/* Its commit also waits for the synchronous standbys, if there are any: what
 * was committed before, by a connection lost since, is on them as well. */
static const struct statement take_lease = {
	"take_lease",
	"INSERT INTO node AS n (name, incarnation, lease_until) "
	"VALUES ($1::text, $2::bigint + 1, clock_timestamp() + "
	"$3::bigint * interval '1 millisecond') "
	"ON CONFLICT (name) DO UPDATE SET "
	"incarnation = n.incarnation + (n.incarnation <> $2)::int, "
	"lease_until = EXCLUDED.lease_until "
	"WHERE n.incarnation = $2 OR $2 = 0 OR "
	"n.lease_until < clock_timestamp() "
	"RETURNING incarnation",
};

static const struct statement renew_lease = {
	"renew_lease",
	"UPDATE node SET lease_until = clock_timestamp() + "
	"$3::bigint * interval '1 millisecond' "
	"WHERE name = $1::text AND incarnation = $2::bigint "
	"RETURNING incarnation",
};

/*
 * A stretch of pages at a time, round and round: an index for it would cost more
 * than all the reading. Rows that a batch has locked are left for the next
 * round: no deadlock.
 */
#define PURGE(table, condition)                                        \
	"WITH gone AS (DELETE FROM " table " WHERE ctid = ANY (ARRAY(" \
	"SELECT ctid FROM " table " AS t "                             \
	"WHERE ctid >= $3::text::tid AND ctid < $4::text::tid "        \
	"AND " condition "LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) "  \
	"RETURNING 1) SELECT (SELECT count(*) FROM gone), "            \
	"pg_relation_size('" table "') / "                             \
	"current_setting('block_size')::bigint"

static const struct statement purge_procedures = {
	"purge_procedures",
	PURGE("procedure", "NOT is_live AND finished_us < $1::bigint "),
};

/* OFFSET 0 keeps each a look into an index: as a join it might read the other
 * table whole. */
#define HAS_NONE(table, condition)                        \
	"AND NOT EXISTS (SELECT FROM " table " AS o "     \
	"WHERE o.service = t.service AND o.primary_id = " \
	"t.primary_id " condition "OFFSET 0) "

static const struct statement purge_users = {
	"purge_users",
	PURGE("user_state",
	      "touched_us < $1::bigint " HAS_NONE("procedure", "AND o.is_live ")
		  HAS_NONE("partner_mapping", "")
		      HAS_NONE("primary_migration", "")),
};

/* Looking for what a user still has costs more than looking at a procedure. */
static const struct {
	const struct statement *statement;
	unsigned pages; /* at a time */
} purges[PURGES] = {
	[PURGE_PROCEDURES] = { &purge_procedures, 4096 },
	[PURGE_USERS] = { &purge_users, 1024 },
};

const struct statement *const node_statements[] = { &take_lease, &renew_lease,
						    &purge_procedures,
						    &purge_users, NULL };

static struct connection *watcher(struct postgres *postgres)
{
	return &postgres->connections[WATCHER];
}

static void send_lease(struct postgres *postgres,
		       const struct statement *statement)
{
	struct array_set *parameters = &postgres->parameters;

	postgres->lease_held = false;
	array_set_start(parameters);
	array_set_add_text(parameters, postgres->node);
	array_set_add_int8(parameters, postgres->incarnation);
	array_set_add_int8(parameters, postgres->lease_ms);
	connection_execute(watcher(postgres), statement, parameters);
	connection_finish(watcher(postgres), &postgres->renewal);
}

void node_lease_lost(struct postgres *postgres)
{
	char reason[200];

	snprintf(reason, sizeof(reason),
		 "another daemon holds the lease of node %s: give each daemon "
		 "a node name of its own",
		 postgres->node);
	session_fail(postgres, reason);
}

static void start_renewal_timer(struct postgres *postgres);

static void renewed(struct request *request, enum request_outcome outcome)
{
	struct postgres *postgres = request->arg;

	if (outcome == REQUEST_LOST)
		return;
	if (outcome == REQUEST_REFUSED)
		session_fail(postgres, request->error);
	else if (!postgres->lease_held)
		node_lease_lost(postgres);
	else
		start_renewal_timer(postgres);
}

static void lease_result(struct request *request, unsigned statement,
			 const PGresult *result)
{
	struct postgres *postgres = request->arg;

	(void)statement;
	if (!PQntuples(result))
		return;
	postgres->lease_held = true;
	postgres->incarnation = row_integer(result, 0, 0);
}

static void renewal_overdue(void *arg)
{
	session_fail(arg, "no answer of the database to the lease's renewal");
}

static void renew(void *arg)
{
	struct postgres *postgres = arg;

	postgres->renewal = (struct request){ .result = lease_result,
					      .done = renewed,
					      .arg = postgres };
	timer_start(postgres->timers, &postgres->renewal_timer,
		    postgres->lease_ms / RENEWALS_A_LEASE, renewal_overdue,
		    postgres);
	send_lease(postgres, &renew_lease);
}

static void start_renewal_timer(struct postgres *postgres)
{
	timer_start(postgres->timers, &postgres->renewal_timer,
		    postgres->lease_ms / RENEWALS_A_LEASE, renew, postgres);
}

static void taken(struct request *request, enum request_outcome outcome)
{
	struct postgres *postgres = request->arg;

	renewed(request, outcome);
	if (outcome == REQUEST_DONE && postgres->lease_held)
		session_ready(postgres);
}

void node_open(struct postgres *postgres)
{
	postgres->renewal = (struct request){ .result = lease_result,
					      .done = taken,
					      .arg = postgres };
	connection_query(watcher(postgres), "LISTEN mcmig_provisioning");
	send_lease(postgres, &take_lease);
}

void node_close(struct postgres *postgres)
{
	timer_stop(postgres->timers, &postgres->renewal_timer);
}

/* On to the next stretch, unless this one has more that is to go. */
static void purge_result(struct request *request, unsigned statement,
			 const PGresult *result)
{
	struct postgres *postgres = request->arg;
	uint64_t *page = &postgres->purge_pages[statement];

	if (row_integer(result, 0, 0) >= postgres->purge_limit)
		return;
	*page += purges[statement].pages;
	if (*page >= row_integer(result, 0, 1))
		*page = 0;
}

static void add_tid(struct array_set *parameters, uint64_t page)
{
	char tid[32];

	snprintf(tid, sizeof(tid), "(%llu,0)", (unsigned long long)page);
	array_set_add_text(parameters, tid);
}

static void purged(struct request *request, enum request_outcome outcome)
{
	static struct log_rate rate;
	struct postgres *postgres = request->arg;

	postgres->purging = false;
	if (outcome == REQUEST_REFUSED)
		log_write_limited(&rate, LOG_WARNING, "store_postgres",
				  "msg=\"purge was refused\" error=\"%s\"",
				  request->error);
}

static void send_purge(struct postgres *postgres, enum purge purge,
		       uint64_t before_us)
{
	struct array_set *parameters = &postgres->parameters;
	uint64_t page = postgres->purge_pages[purge];

	array_set_start(parameters);
	array_set_add_int8(parameters, before_us);
	array_set_add_int8(parameters, postgres->purge_limit);
	add_tid(parameters, page);
	add_tid(parameters, page + purges[purge].pages);
	connection_execute(watcher(postgres), purges[purge].statement,
			   parameters);
}

int node_purge(struct store_backend *backend, uint64_t finished_before_us,
	       size_t limit)
{
	struct postgres *postgres = (struct postgres *)backend;

	if (!session_is_up(postgres))
		return EAGAIN;
	if (postgres->purging)
		return EBUSY;
	postgres->purging = true;
	postgres->purge_limit = limit;
	postgres->purge = (struct request){ .result = purge_result,
					    .done = purged,
					    .arg = postgres };
	send_purge(postgres, PURGE_PROCEDURES, finished_before_us);
	send_purge(postgres, PURGE_USERS, finished_before_us);
	connection_finish(watcher(postgres), &postgres->purge);
	return 0;
}
