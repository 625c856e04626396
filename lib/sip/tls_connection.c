/* SPDX-License-Identifier: BSD-2-Clause */
/* From the descriptor to the end: states and events. */
#include "sip/tls_connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"

/* A TLS record: a turn of the loop reads one of each connection. */
#define READ_BYTES (16 * 1024)
#define LINGER_BYTES_MAX (256 * 1024)

struct tls_side *tls_connection_side(const struct tls_connection *connection)
{
	return &connection->stack->tls->sides[connection->listener->side];
}

void tls_connection_watch_for(struct tls_connection *connection,
			      uint32_t events)
{
	if (connection->events == events)
		return;
	if (!loop_watch_events(connection->watch, events))
		connection->events = events;
}

static uint32_t *counted_by(struct tls_transport *tls,
			    enum connection_state state)
{
	static uint32_t uncounted;

	switch (state) {
	case CONNECTION_CONNECTING:
	case CONNECTION_HANDSHAKING:
		return &tls->under_way;
	case CONNECTION_OPEN:
		return &tls->open;
	default:
		return &uncounted;
	}
}

static void show_gauges(struct sip_stack *stack)
{
	sip_gauge(stack->counters, SIP_COUNT_tls_connections, stack->tls->open);
	sip_gauge(stack->counters, SIP_COUNT_tls_handshakes,
		  stack->tls->under_way);
}

void tls_connection_enter(struct tls_connection *connection,
			  enum connection_state state)
{
	struct sip_stack *stack = connection->stack;

	--*counted_by(stack->tls, connection->state);
	++*counted_by(stack->tls, state);
	connection->state = state;
	connection->since_ms = clock_monotonic_ms();
	show_gauges(stack);
}

/* --- The end -------------------------------------------------------------- */

void tls_connection_leave_side(struct tls_connection *connection)
{
	struct tls_side *side = tls_connection_side(connection);

	if (connection->role != TLS_ACCEPTS)
		return;
	if (connection->is_handshake) {
		connection->is_handshake = false;
		DL_DELETE2(side->handshaking, connection, older, newer);
		side->handshakes--;
	} else if (connection->opened_ms) {
		side->connections--;
	}
}

void tls_connection_end(struct tls_connection *connection, const char *why)
{
	struct sip_stack *stack = connection->stack;
	struct tls_transport *tls = stack->tls;

	if (connection->state == CONNECTION_ENDED)
		return;
	log_debug("sip", "msg=\"TLS connection ends\" peer=%s reason=\"%s\"",
		  connection->peer, why);
	tls_connection_leave_side(connection);
	tls_outbound_forget(connection);
	if (connection->state == CONNECTION_OPEN &&
	    !tls_queue_bytes(&connection->queue))
		tls_session_close(connection->session);
	tls_connection_enter(connection, CONNECTION_ENDED);
	handle_remove(tls->by_handle, connection->own);
	loop_unwatch(connection->watch);
	loop_work_cancel(stack->loop, &connection->work);
	timer_stop(stack->timers, &connection->timer);
	tls_source_give(stack, connection->source);
	DL_DELETE(tls->all, connection);
	DL_APPEND(tls->ended, connection);
	loop_work_queue(stack->loop, &tls->turn_ends);
	tls_outbound_fail(connection, why);
}

static void destroy(struct tls_connection *connection)
{
	tls_session_destroy(connection->session);
	close(connection->fd);
	msg_destroy(connection->msg);
	tls_queue_clear(&connection->queue);
	free(connection->next_hop);
	free(connection);
}

void tls_connections_reap(struct tls_transport *tls)
{
	struct tls_connection *each, *next;

	DL_FOREACH_SAFE(tls->ended, each, next)
	{
		DL_DELETE(tls->ended, each);
		destroy(each);
	}
}

void tls_connection_finish(struct tls_connection *connection)
{
	if (connection->state != CONNECTION_OPEN)
		return;
	msg_destroy(connection->msg);
	connection->msg = NULL;
	tls_connection_enter(connection, CONNECTION_FLUSHING);
	connection->progress_ms = connection->since_ms;
	tls_outbound_forget(connection);
	tls_outbound_fail(connection, "connection closed");
	/* What comes is not read, and must not wake us for that. */
	tls_connection_watch_for(connection, 0);
	tls_connection_watch_time(connection);
	tls_connection_has_work(connection);
}

static void end_failed(struct tls_connection *connection)
{
	static struct log_rate rate;

	sip_count(connection->stack->counters, SIP_COUNT_tls_broken);
	/* In TLS 1.3 a server refuses our certificate after the handshake. */
	log_write_limited(
	    &rate, connection->role == TLS_ACCEPTS ? LOG_INFO : LOG_WARNING,
	    "sip", "msg=\"TLS connection failed\" peer=%s error=\"%s\"",
	    connection->peer, tls_session_fault(connection->session));
	tls_connection_end(connection, "TLS connection failed");
}

/* --- Events --------------------------------------------------------------- */

/* TCP has come to an end of its own handshake. */
static void connected(struct tls_connection *connection)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes))
		error = errno;
	if (!error)
		error = tls_handshake_begin(connection);
	if (error) {
		tls_connection_end(connection, strerror(error));
		return;
	}
	tls_handshake_step(connection);
}

static void read_some(struct tls_connection *connection)
{
	char data[READ_BYTES];
	size_t bytes = 0;

	connection->read_wants_write = false;
	switch (
	    tls_session_read(connection->session, data, sizeof(data), &bytes)) {
	case TLS_DONE:
		connection->active_ms = clock_monotonic_ms();
		tls_stream_receive(connection, data, bytes);
		if (connection->state == CONNECTION_OPEN &&
		    tls_session_has_pending(connection->session))
			tls_connection_has_work(connection);
		break;
	case TLS_WANT_READ:
		break;
	case TLS_WANT_WRITE:
		connection->read_wants_write = true;
		break;
	case TLS_ENDED:
		connection->peer_has_ended = true;
		tls_stream_end(connection);
		tls_connection_finish(connection);
		break;
	case TLS_FAILED:
		end_failed(connection);
		break;
	}
}

static uint32_t wanted_events(const struct tls_connection *connection)
{
	uint32_t events = 0;

	if (connection->state == CONNECTION_OPEN ||
	    connection->write_wants_read)
		events |= EPOLLIN;
	if (tls_queue_bytes(&connection->queue) || connection->read_wants_write)
		events |= EPOLLOUT;
	return events;
}

void tls_connection_linger(struct tls_connection *connection)
{
	if (connection->peer_has_ended) {
		tls_connection_end(connection, "connection closed");
		return;
	}
	tls_session_close(connection->session);
	shutdown(connection->fd, SHUT_WR);
	tls_connection_enter(connection, CONNECTION_LINGERING);
	tls_connection_watch_for(connection, EPOLLIN);
	tls_connection_watch_time(connection);
}

static void discard(struct tls_connection *connection)
{
	char data[READ_BYTES];
	ssize_t n = recv(connection->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		connection->lingered_bytes += (size_t)n;
	if (n <= 0 || connection->lingered_bytes > LINGER_BYTES_MAX)
		tls_connection_end(connection, "connection closed");
}

static void write_some(struct tls_connection *connection)
{
	if (!tls_connection_flush(connection)) {
		end_failed(connection);
		return;
	}
	if (connection->state == CONNECTION_FLUSHING &&
	    !tls_queue_bytes(&connection->queue)) {
		tls_connection_linger(connection);
		return;
	}
	tls_connection_watch_for(connection, wanted_events(connection));
	tls_connection_watch_time(connection);
}

static void on_event(void *arg, uint32_t events)
{
	struct tls_connection *connection = arg;

	tls_connection_check(connection);
	switch (connection->state) {
	case CONNECTION_CONNECTING:
		connected(connection);
		break;
	case CONNECTION_HANDSHAKING:
		tls_handshake_step(connection);
		break;
	case CONNECTION_OPEN:
		if (events & ~(uint32_t)EPOLLOUT ||
		    connection->read_wants_write)
			read_some(connection);
		if (connection->state == CONNECTION_OPEN &&
		    (events & EPOLLOUT || connection->read_wants_write ||
		     connection->write_wants_read))
			write_some(connection);
		break;
	case CONNECTION_FLUSHING:
		write_some(connection);
		break;
	case CONNECTION_LINGERING:
		discard(connection);
		break;
	case CONNECTION_ENDED:
		break;
	}
}

static void work(void *arg)
{
	struct tls_connection *connection = arg;

	tls_connection_check(connection);
	if (connection->state == CONNECTION_OPEN &&
	    tls_session_has_pending(connection->session))
		read_some(connection);
	if (connection->state == CONNECTION_OPEN ||
	    connection->state == CONNECTION_FLUSHING)
		write_some(connection);
}

void tls_connection_has_work(struct tls_connection *connection)
{
	loop_work_queue(connection->stack->loop, &connection->work);
}

/* --- The beginning -------------------------------------------------------- */

/* A peer that has gone without a word would be sent to for a quarter of an
 * hour. */
static void set_options(int fd, unsigned unacknowledged_ms)
{
	int no_delay = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
		   sizeof(unacknowledged_ms));
}

static int start(struct tls_connection *connection)
{
	struct sip_stack *stack = connection->stack;
	bool connects = connection->role == TLS_CONNECTS;
	int err;

	set_options(connection->fd, LIFETIME_IN_T1 * stack->t1_ms);
	connection->events = connects ? EPOLLOUT : EPOLLIN;
	err = loop_watch(stack->loop, connection->fd, connection->events,
			 on_event, connection, &connection->watch);
	if (!err && !connects)
		err = tls_handshake_begin(connection);
	if (!err)
		err = handle_add(stack->tls->by_handle, connection,
				 &connection->own);
	return err;
}

int tls_connection_create(struct sip_stack *stack,
			  const struct listener *listener, enum tls_role role,
			  int fd, const su_sockaddr_t *address,
			  struct tls_connection **connectionp)
{
	struct tls_connection *new = calloc(1, sizeof(*new));
	int err;

	if (!new) {
		close(fd);
		return ENOMEM;
	}
	new->stack = stack;
	new->listener = listener;
	new->role = role;
	new->fd = fd;
	new->address = *address;
	transport_describe(address, new->peer, sizeof(new->peer));
	new->work = (struct loop_work){ .handler = work, .arg = new };
	new->since_ms = clock_monotonic_ms();
	new->generation = stack->tls->generation;
	stack->tls->under_way++;
	err = start(new);
	if (err) {
		tls_connection_leave_side(new);
		tls_connection_enter(new, CONNECTION_ENDED);
		loop_unwatch(new->watch);
		destroy(new);
		return err;
	}
	DL_APPEND(stack->tls->all, new);
	tls_connection_watch_time(new);
	show_gauges(stack);
	*connectionp = new;
	return 0;
}

struct tls_connection *tls_connection_get(const struct sip_stack *stack,
					  handle_t handle)
{
	return handle_get(stack->tls->by_handle, handle);
}
