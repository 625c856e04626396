/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS of a stack: contexts of its sides, their reload, and who is connected. */
#include "sip/tls_transport.h"

#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "base/clock.h"
#include "sip/tls_connection.h"

#define HANDLES_MAX (1024 * 1024)
#define RATED_SOURCES_MAX 10000
/* A chain costs 60 us: those of thousands would hold up the loop. */
#define CHECKS_A_TURN 32

/* --- Sides ---------------------------------------------------------------- */

static void set_side(struct tls_side *side, const struct sip_tls *settings)
{
	struct tls_context *old = side->context;

	side->context =
	    settings->context ? tls_context_hold(settings->context) : NULL;
	tls_context_release(old);
	if (!settings->context)
		return;
	side->limits = (struct tls_limits){
		.handshake_timeout_ms =
		    settings->settings->handshake_timeout_ms,
		.handshakes_max = settings->settings->handshakes_max,
		.connections_max = settings->settings->connections_max,
		.source_connections_max =
		    settings->settings->source_connections_max,
		.source_rate = settings->settings->source_rate,
	};
	quota_set(side->rates, side->limits.source_rate,
		  side->limits.source_rate);
}

static bool is_whole(const struct sip_tls *settings)
{
	return !settings->context || settings->settings;
}

/* Without a context of its own the outside has that of the inside. */
static int set_sides(struct tls_transport *tls, const struct sip_tls *inside,
		     const struct sip_tls *outside)
{
	if (!is_whole(inside) || !is_whole(outside))
		return EINVAL;
	set_side(&tls->sides[SIP_INSIDE], inside);
	set_side(&tls->sides[SIP_OUTSIDE], outside->context ? outside : inside);
	return 0;
}

/* --- Reload --------------------------------------------------------------- */

static void hold_against_new(struct tls_connection *connection)
{
	struct sip_stack *stack = connection->stack;
	struct tls_context *context =
	    stack->tls->sides[connection->listener->side].context;

	if (connection->state != CONNECTION_OPEN)
		return;
	if (!tls_session_is_valid(connection->session, context)) {
		sip_count(stack->counters, SIP_COUNT_tls_not_valid);
		tls_connection_end(connection, "not valid after a reload");
	} else {
		/* The next request shows our new certificate. */
		tls_outbound_retire(connection);
	}
}

void tls_connection_check(struct tls_connection *connection)
{
	struct tls_transport *tls = connection->stack->tls;

	if (connection->generation == tls->generation)
		return;
	connection->generation = tls->generation;
	DL_DELETE(tls->all, connection);
	DL_APPEND(tls->all, connection);
	hold_against_new(connection);
}

static bool has_unchecked(const struct tls_transport *tls)
{
	return tls->all && tls->all->generation != tls->generation;
}

static void check_some(void *arg)
{
	struct sip_stack *stack = arg;
	struct tls_transport *tls = stack->tls;

	for (int i = 0; i < CHECKS_A_TURN && has_unchecked(tls); i++)
		tls_connection_check(tls->all);
	if (has_unchecked(tls))
		loop_work_queue(stack->loop, &tls->checks);
}

static bool has_listener(const struct sip_stack *stack, enum sip_side side)
{
	const struct tls_listener *each;

	LL_FOREACH(stack->tls->listeners, each)
	{
		if (each->listener->side == side)
			return true;
	}
	return false;
}

int sip_stack_set_tls(struct sip_stack *stack, const struct sip_tls *inside,
		      const struct sip_tls *outside)
{
	struct tls_transport *tls = stack->tls;
	int err;

	if ((!inside->context && has_listener(stack, SIP_INSIDE)) ||
	    (!inside->context && !outside->context &&
	     has_listener(stack, SIP_OUTSIDE)))
		return EINVAL;
	err = set_sides(tls, inside, outside);
	if (err)
		return err;
	tls->generation++;
	loop_work_queue(stack->loop, &tls->checks);
	return 0;
}

/* --- Who is connected ----------------------------------------------------- */

void sip_stack_visit_tls(const struct sip_stack *stack, sip_tls_peer_h *handler,
			 void *arg)
{
	const struct tls_connection *each;

	DL_FOREACH(stack->tls->all, each)
	{
		struct sip_tls_peer peer = {
			.side = each->listener->side,
			.accepted = each->role == TLS_ACCEPTS,
			.address = each->peer,
		};

		if (each->state != CONNECTION_OPEN)
			continue;
		peer.names = tls_session_names(each->session, &peer.name_count);
		peer.cipher = tls_session_cipher(each->session);
		peer.expires = tls_session_expires(each->session);
		peer.connected_ms = clock_monotonic_ms() - each->opened_ms;
		handler(arg, &peer);
	}
}

/* --- Life ----------------------------------------------------------------- */

static void turn_ends(void *arg)
{
	struct tls_transport *tls = arg;

	tls->handshake_steps = 0;
	tls_connections_reap(tls);
}

int tls_transport_create(struct sip_stack *stack,
			 const struct sip_stack_config *config)
{
	struct tls_transport *tls = calloc(1, sizeof(*tls));
	int err;

	if (!tls)
		return ENOMEM;
	stack->tls = tls;
	tls->turn_ends = (struct loop_work){ .handler = turn_ends, .arg = tls };
	tls->checks = (struct loop_work){ .handler = check_some, .arg = stack };
	err = handle_table_create(&tls->by_handle, HANDLES_MAX);
	for (int i = SIP_INSIDE; !err && i <= SIP_OUTSIDE; i++)
		err =
		    quota_create(&tls->sides[i].rates, 0, 1, RATED_SOURCES_MAX);
	if (!err)
		err = set_sides(tls, &config->tls, &config->tls_outside);
	return err;
}

/* Answers of the last turn have not left yet. */
static void end_last(struct tls_connection *connection)
{
	if (connection->state == CONNECTION_OPEN ||
	    connection->state == CONNECTION_FLUSHING)
		tls_connection_flush(connection);
	tls_connection_end(connection, "stopping");
}

void tls_transport_destroy(struct sip_stack *stack)
{
	struct tls_transport *tls = stack->tls;

	if (!tls)
		return;
	tls_listeners_close(stack);
	while (tls->all)
		end_last(tls->all);
	tls_connections_reap(tls);
	loop_work_cancel(stack->loop, &tls->turn_ends);
	loop_work_cancel(stack->loop, &tls->checks);
	for (int i = SIP_INSIDE; i <= SIP_OUTSIDE; i++) {
		quota_destroy(tls->sides[i].rates);
		tls_context_release(tls->sides[i].context);
	}
	handle_table_destroy(tls->by_handle);
	free(tls);
	stack->tls = NULL;
}
