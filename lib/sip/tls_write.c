/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing: messages of one turn of the loop leave together when it ends, in as
 * few TLS records as they fit in.
 */
#include "sip/tls_connection.h"

#include "base/clock.h"

/* Answers to a peer who does not read them; requests of ours to one who is
 * slow. */
#define ACCEPTED_WAITING_MAX (1024 * 1024)
#define OWN_WAITING_MAX (4 * 1024 * 1024)

int tls_connection_reserve(struct tls_connection *connection, size_t bytes)
{
	bool was_empty = !tls_queue_bytes(&connection->queue);
	int err = tls_queue_reserve(&connection->queue, bytes,
				    connection->role == TLS_ACCEPTS
					? ACCEPTED_WAITING_MAX
					: OWN_WAITING_MAX);

	if (err)
		return err;
	if (was_empty)
		connection->progress_ms = clock_monotonic_ms();
	/* Blocked: the socket tells when it is not any more. */
	if (!(connection->events & EPOLLOUT))
		tls_connection_has_work(connection);
	return 0;
}

static void has_written(struct tls_connection *connection, size_t bytes)
{
	tls_queue_drop(&connection->queue, bytes);
	connection->active_ms = connection->progress_ms = clock_monotonic_ms();
}

bool tls_connection_flush(struct tls_connection *connection)
{
	struct tls_queue *queue = &connection->queue;
	enum tls_result result;
	size_t bytes;

	connection->write_wants_read = false;
	while (tls_queue_bytes(queue)) {
		result = tls_session_write(connection->session,
					   queue->data + queue->begin,
					   tls_queue_bytes(queue), &bytes);
		switch (result) {
		case TLS_DONE:
			has_written(connection, bytes);
			break;
		case TLS_WANT_READ:
			connection->write_wants_read = true;
			return true;
		case TLS_WANT_WRITE:
			return true;
		default:
			return false;
		}
	}
	return true;
}
