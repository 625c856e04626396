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
#define PURGE_PAGES 4096

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
static const struct statement purge = {
	"purge",
	"WITH gone AS (DELETE FROM procedure WHERE ctid = ANY (ARRAY("
	"SELECT ctid FROM procedure "
	"WHERE ctid >= $3::text::tid AND ctid < $4::text::tid "
	"AND NOT is_live AND finished_us < $1::bigint LIMIT $2::bigint "
	"FOR UPDATE SKIP LOCKED)) RETURNING 1) "
	"SELECT (SELECT count(*) FROM gone), pg_relation_size('procedure') / "
	"current_setting('block_size')::bigint",
};

const struct statement *const node_statements[] = { &take_lease, &renew_lease,
						    &purge, NULL };

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

	(void)statement;
	if (row_integer(result, 0, 0) >= postgres->purge_limit)
		return;
	postgres->purge_page += PURGE_PAGES;
	if (postgres->purge_page >= row_integer(result, 0, 1))
		postgres->purge_page = 0;
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

int node_purge(struct store_backend *backend, uint64_t finished_before_us,
	       size_t limit)
{
	struct postgres *postgres = (struct postgres *)backend;
	struct array_set *parameters = &postgres->parameters;

	if (!session_is_up(postgres))
		return EAGAIN;
	if (postgres->purging)
		return EBUSY;
	postgres->purging = true;
	postgres->purge_limit = limit;
	postgres->purge = (struct request){ .result = purge_result,
					    .done = purged,
					    .arg = postgres };
	array_set_start(parameters);
	array_set_add_int8(parameters, finished_before_us);
	array_set_add_int8(parameters, limit);
	add_tid(parameters, postgres->purge_page);
	add_tid(parameters, postgres->purge_page + PURGE_PAGES);
	connection_execute(watcher(postgres), &purge, parameters);
	connection_finish(watcher(postgres), &postgres->purge);
	return 0;
}
