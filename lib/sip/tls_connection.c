/* SPDX-License-Identifier: BSD-2-Clause */
/* From the descriptor to the end: states, events, deadlines. */
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
/* A step may cost a millisecond of signatures: the rest waits a turn. */
#define HANDSHAKE_STEPS_A_TURN 16
/* Ours end before those of a peer that counts as we do, who would end it while
 * a request of ours is on its way. */
#define OWN_IDLE_IN_T1 192
#define LINGER_IN_T1 4
#define LINGER_BYTES_MAX (256 * 1024)

static void on_timer(void *arg);

static struct tls_side *side_of(const struct tls_connection *connection)
{
	return &connection->stack->tls->sides[connection->listener->side];
}

static void count(const struct tls_connection *connection,
		  enum sip_counter counter)
{
	sip_count(connection->stack->counters, counter);
}

static void watch_for(struct tls_connection *connection, uint32_t events)
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

static void enter(struct tls_connection *connection,
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

static void leave_side(struct tls_connection *connection)
{
	struct tls_side *side = side_of(connection);

	if (connection->role != TLS_ACCEPTS)
		return;
	if (connection->state == CONNECTION_HANDSHAKING) {
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
	leave_side(connection);
	tls_outbound_forget(connection);
	if (connection->state == CONNECTION_OPEN &&
	    !tls_queue_bytes(&connection->queue))
		tls_session_close(connection->session);
	enter(connection, CONNECTION_ENDED);
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
	enter(connection, CONNECTION_FLUSHING);
	connection->progress_ms = connection->since_ms;
	tls_outbound_forget(connection);
	tls_outbound_fail(connection, "connection closed");
	/* What comes is not read, and must not wake us for that. */
	watch_for(connection, 0);
	tls_connection_watch_time(connection);
	tls_connection_has_work(connection);
}

static void end_failed(struct tls_connection *connection)
{
	static struct log_rate rate;

	log_write_limited(&rate, LOG_INFO, "sip",
			  "msg=\"TLS connection failed\" peer=%s error=\"%s\"",
			  connection->peer,
			  tls_session_fault(connection->session));
	tls_connection_end(connection, "TLS connection failed");
}

/* --- Handshake ------------------------------------------------------------ */

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
	tls_connection_end(connection, "TLS handshake failed");
}

static void handshake_is_done(struct tls_connection *connection)
{
	struct tls_side *side = side_of(connection);

	if (connection->role == TLS_ACCEPTS &&
	    side->connections >= side->limits.connections_max) {
		count(connection, SIP_COUNT_tls_refused_full);
		tls_connection_end(connection, "too many TLS connections");
		return;
	}
	/* Begun before a reload. */
	if (connection->context != side->context &&
	    !tls_session_is_valid(connection->session, side->context)) {
		count(connection, SIP_COUNT_tls_not_valid);
		tls_connection_end(connection, "not valid after a reload");
		return;
	}
	leave_side(connection);
	enter(connection, CONNECTION_OPEN);
	connection->opened_ms = connection->active_ms = connection->since_ms;
	side->connections += connection->role == TLS_ACCEPTS;
	count(connection, SIP_COUNT_tls_handshakes_done);
	log_debug("sip", "msg=\"TLS connection\" peer=%s cipher=\"%s\"",
		  connection->peer, tls_session_cipher(connection->session));
	watch_for(connection, EPOLLIN);
	tls_connection_watch_time(connection);
	/* What came with the end of the handshake. */
	tls_connection_has_work(connection);
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

static void shake(struct tls_connection *connection)
{
	struct sip_stack *stack = connection->stack;

	if (!may_step(stack->tls, stack->loop))
		return;
	switch (tls_session_handshake(connection->session)) {
	case TLS_DONE:
		handshake_is_done(connection);
		break;
	case TLS_WANT_READ:
		watch_for(connection, EPOLLIN);
		break;
	case TLS_WANT_WRITE:
		watch_for(connection, EPOLLOUT);
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

static int begin_handshake(struct tls_connection *connection)
{
	struct tls_side *side = side_of(connection);
	int err = tls_session_create(&connection->session, side->context,
				     connection->role, connection->fd);

	if (err)
		return err;
	connection->context = side->context;
	enter(connection, CONNECTION_HANDSHAKING);
	if (connection->role == TLS_ACCEPTS) {
		DL_APPEND2(side->handshaking, connection, older, newer);
		side->handshakes++;
	}
	return 0;
}

/* TCP has come to an end of its own handshake. */
static void connected(struct tls_connection *connection)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes))
		error = errno;
	if (!error)
		error = begin_handshake(connection);
	if (error) {
		tls_connection_end(connection, strerror(error));
		return;
	}
	shake(connection);
}

/* --- Events --------------------------------------------------------------- */

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

/* An answer that is still on its way would be lost by a reset when the peer has
 * sent what nobody has read. */
static void linger(struct tls_connection *connection)
{
	if (connection->peer_has_ended) {
		tls_connection_end(connection, "connection closed");
		return;
	}
	tls_session_close(connection->session);
	shutdown(connection->fd, SHUT_WR);
	enter(connection, CONNECTION_LINGERING);
	watch_for(connection, EPOLLIN);
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
		linger(connection);
		return;
	}
	watch_for(connection, wanted_events(connection));
	tls_connection_watch_time(connection);
}

static void on_event(void *arg, uint32_t events)
{
	struct tls_connection *connection = arg;

	switch (connection->state) {
	case CONNECTION_CONNECTING:
		connected(connection);
		break;
	case CONNECTION_HANDSHAKING:
		shake(connection);
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

/* --- Deadlines ------------------------------------------------------------ */

struct deadline {
	uint64_t due_ms;
	enum sip_counter counter;
	const char *why;
};

static void consider(struct deadline *first, uint64_t due_ms,
		     enum sip_counter counter, const char *why)
{
	if (due_ms < first->due_ms)
		*first = (struct deadline){ due_ms, counter, why };
}

static uint64_t expires_ms(const struct tls_connection *connection)
{
	int64_t left_s = tls_session_expires(connection->session) -
			 (int64_t)(clock_utc_us() / 1000000);

	return clock_monotonic_ms() +
	       (left_s > 0 ? (uint64_t)left_s * 1000 : 0);
}

static void open_deadlines(const struct tls_connection *connection,
			   struct deadline *first)
{
	uint32_t t1_ms = connection->stack->t1_ms;
	bool accepted = connection->role == TLS_ACCEPTS;
	uint32_t idle_ms = (accepted ? IDLE_IN_T1 : OWN_IDLE_IN_T1) * t1_ms;
	bool busy = connection->waiting || tls_queue_bytes(&connection->queue);

	consider(first,
		 (busy ? clock_monotonic_ms() + 1 : connection->active_ms) +
		     idle_ms,
		 SIP_COUNT_tls_idle, "idle TLS connection");
	consider(first, expires_ms(connection), SIP_COUNT_tls_expired,
		 "the peer's certificate has expired");
	if (connection->msg)
		consider(first,
			 connection->msg_since_ms + LIFETIME_IN_T1 * t1_ms,
			 SIP_COUNT_tls_unfinished, "message not whole in time");
	if (tls_queue_bytes(&connection->queue))
		consider(first,
			 connection->progress_ms + LIFETIME_IN_T1 * t1_ms,
			 SIP_COUNT_tls_not_reading, "the peer does not read");
}

static struct deadline next_deadline(const struct tls_connection *connection)
{
	struct deadline first = { .due_ms = UINT64_MAX };
	uint32_t t1_ms = connection->stack->t1_ms;

	switch (connection->state) {
	case CONNECTION_CONNECTING:
	case CONNECTION_HANDSHAKING:
		consider(&first,
			 connection->since_ms +
			     side_of(connection)->limits.handshake_timeout_ms,
			 SIP_COUNT_tls_handshakes_timed_out,
			 "TLS handshake not done in time");
		break;
	case CONNECTION_OPEN:
		open_deadlines(connection, &first);
		break;
	case CONNECTION_FLUSHING:
		consider(&first,
			 connection->progress_ms + LIFETIME_IN_T1 * t1_ms,
			 SIP_COUNT_tls_not_reading, "the peer does not read");
		break;
	case CONNECTION_LINGERING:
		/* As good as ended: nothing to count. */
		consider(&first, connection->since_ms + LINGER_IN_T1 * t1_ms,
			 SIP_COUNT_END, "connection closed");
		break;
	case CONNECTION_ENDED:
		break;
	}
	return first;
}

static void start_timer(struct tls_connection *connection, uint64_t due_ms)
{
	struct sip_stack *stack = connection->stack;
	uint64_t now_ms = clock_monotonic_ms();

	timer_start(stack->timers, &connection->timer,
		    due_ms > now_ms ? due_ms - now_ms : 0, on_timer,
		    connection);
}

/* Deadlines move away with each byte: the timer then finds that out. */
static void on_timer(void *arg)
{
	static struct log_rate rate;
	struct tls_connection *connection = arg;
	struct deadline first = next_deadline(connection);

	if (first.due_ms > clock_monotonic_ms()) {
		start_timer(connection, first.due_ms);
		return;
	}
	if (first.counter != SIP_COUNT_END) {
		count(connection, first.counter);
		log_write_limited(&rate, LOG_INFO, "sip",
				  "msg=\"TLS connection ended\" peer=%s "
				  "reason=\"%s\"",
				  connection->peer, first.why);
	}
	tls_connection_end(connection, first.why);
}

void tls_connection_watch_time(struct tls_connection *connection)
{
	uint64_t due_ms = next_deadline(connection).due_ms;

	if (timer_is_running(&connection->timer) &&
	    connection->timer.due_ms <= due_ms)
		return;
	start_timer(connection, due_ms);
}

/* --- The beginning -------------------------------------------------------- */

static int start(struct tls_connection *connection)
{
	struct sip_stack *stack = connection->stack;
	bool connects = connection->role == TLS_CONNECTS;
	int no_delay = 1, err;

	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay,
		   sizeof(no_delay));
	connection->events = connects ? EPOLLOUT : EPOLLIN;
	err = loop_watch(stack->loop, connection->fd, connection->events,
			 on_event, connection, &connection->watch);
	if (!err && !connects)
		err = begin_handshake(connection);
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
	stack->tls->under_way++;
	err = start(new);
	if (err) {
		leave_side(new);
		enter(new, CONNECTION_ENDED);
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
