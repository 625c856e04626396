/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a connection may do nothing, or not enough: one timer each. */
#include "sip/tls_connection.h"

#include "base/clock.h"
#include "base/log.h"

/* Ours end before those of a peer that counts as we do, who would end it while
 * a request of ours is on its way. */
#define OWN_IDLE_IN_T1 192
#define LINGER_IN_T1 4
/* The clock may be set while a certificate's end is waited for. */
#define LOOKED_AT_S 3600

static void on_timer(void *arg);

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

	if (left_s > LOOKED_AT_S)
		left_s = LOOKED_AT_S;
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
			     tls_connection_side(connection)
				 ->limits.handshake_timeout_ms,
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
	if (first.counter != SIP_COUNT_END)
		sip_count(connection->stack->counters, first.counter);
	/* What is usual is told by tls_connection_end() to who wants to know. */
	if (first.counter != SIP_COUNT_END &&
	    first.counter != SIP_COUNT_tls_idle)
		log_write_limited(&rate, LOG_INFO, "sip",
				  "msg=\"TLS connection ended\" peer=%s "
				  "reason=\"%s\"",
				  connection->peer, first.why);
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
