/* SPDX-License-Identifier: BSD-2-Clause */
/* Handshakes of both directions: a few steps a turn, and who passes. */
#include "sip/tls_connection.h"

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"

/* A step may cost a millisecond of signatures: the rest waits a turn. */
#define HANDSHAKE_STEPS_A_TURN 16

static void count(const struct tls_connection *connection,
		  enum sip_counter counter)
{
	sip_count(connection->stack->counters, counter);
}

static void end_unshaken(struct tls_connection *connection, const char *fault)
{
	static struct log_rate rate;

	count(connection, SIP_COUNT_tls_handshakes_failed);
	log_write_limited(&rate, LOG_WARNING, "sip",
			  "msg=\"TLS handshake failed\" peer=%s %s=%s "
			  "error=\"%s\"",
			  connection->peer,
			  connection->role == TLS_ACCEPTS ? "listener" : "from",
			  connection->listener->address, fault);
	/* A client of TLS 1.3 sends at once: the alert that tells why is behind
	 * that. Until it is there it counts as a handshake. */
	if (connection->role == TLS_ACCEPTS)
		tls_connection_linger(connection);
	else
		tls_connection_end(connection, "TLS handshake failed");
}

static void handshake_is_done(struct tls_connection *connection)
{
	struct tls_side *side = tls_connection_side(connection);
	/* Begun before a reload. */
	bool is_old = connection->context != side->context;

	if (connection->role == TLS_ACCEPTS &&
	    side->connections >= side->limits.connections_max) {
		count(connection, SIP_COUNT_tls_refused_full);
		tls_connection_end(connection, "too many TLS connections");
		return;
	}
	if (is_old &&
	    !tls_session_is_valid(connection->session, side->context)) {
		count(connection, SIP_COUNT_tls_not_valid);
		tls_connection_end(connection, "not valid after a reload");
		return;
	}
	tls_connection_leave_side(connection);
	tls_connection_enter(connection, CONNECTION_OPEN);
	connection->opened_ms = connection->active_ms = connection->since_ms;
	side->connections += connection->role == TLS_ACCEPTS;
	count(connection, SIP_COUNT_tls_handshakes_done);
	log_debug("sip", "msg=\"TLS connection\" peer=%s cipher=\"%s\"",
		  connection->peer, tls_session_cipher(connection->session));
	tls_connection_watch_for(connection, EPOLLIN);
	tls_connection_watch_time(connection);
	/* What came with the end of the handshake. */
	tls_connection_has_work(connection);
	/* It has shown our old certificate: what waits is its last. */
	if (is_old)
		tls_outbound_forget(connection);
	tls_outbound_is_open(connection);
}

static bool may_step(struct tls_transport *tls, struct loop *loop)
{
	if (tls->handshake_steps >= HANDSHAKE_STEPS_A_TURN)
		return false;
	tls->handshake_steps++;
	loop_work_queue(loop, &tls->turn_ends);
	return true;
}

void tls_handshake_step(struct tls_connection *connection)
{
	struct sip_stack *stack = connection->stack;

	if (!may_step(stack->tls, stack->loop))
		return;
	switch (tls_session_handshake(connection->session)) {
	case TLS_DONE:
		handshake_is_done(connection);
		break;
	case TLS_WANT_READ:
		tls_connection_watch_for(connection, EPOLLIN);
		break;
	case TLS_WANT_WRITE:
		tls_connection_watch_for(connection, EPOLLOUT);
		break;
	case TLS_ENDED:
		end_unshaken(connection, "the peer has closed it");
		break;
	case TLS_FAILED:
		end_unshaken(connection,
			     tls_session_fault(connection->session));
		break;
	}
}

int tls_handshake_begin(struct tls_connection *connection)
{
	struct tls_side *side = tls_connection_side(connection);
	int err = tls_session_create(&connection->session, side->context,
				     connection->role, connection->fd);

	if (err)
		return err;
	connection->context = side->context;
	tls_connection_enter(connection, CONNECTION_HANDSHAKING);
	if (connection->role == TLS_ACCEPTS) {
		DL_APPEND2(side->handshaking, connection, older, newer);
		side->handshakes++;
		connection->is_handshake = true;
	}
	return 0;
}
