/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of a connection, as they come, into messages: Sofia's parser does it. */
#include "sip/tls_connection.h"

#include <errno.h>
#include <string.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_buffer.h>

#include "base/clock.h"

/* Headers that are longer, by far, than those that get an answer. */
#define HEADERS_BYTES_MAX (64 * 1024)

static bool is_space(char byte)
{
	return byte == '\r' || byte == '\n' || byte == ' ' || byte == '\t';
}

static bool is_line_end(char byte)
{
	return byte == '\r' || byte == '\n';
}

static msg_t *create_message(const struct tls_connection *connection)
{
	msg_t *msg = nta_msg_create(connection->stack->agent, 0);

	if (!msg)
		return NULL;
	msg_maxsize(msg, AGENT_BYTES_MAX);
	msg_set_address(msg, &connection->address,
			su_sockaddr_size(&connection->address));
	return msg;
}

static bool has_headers(msg_t *msg)
{
	return msg_get_flags(msg, MSG_FLG_BODY) != 0;
}

/* What is too long to be looked at again and again, as it grows. */
static bool is_endless(msg_t *msg)
{
	return !has_headers(msg) &&
	       msg_size(msg) + msg_buf_committed(msg) > HEADERS_BYTES_MAX;
}

/* Into the parser's own memory. How many; 0: out of memory, or too large. */
static size_t put(msg_t *msg, const char *data, size_t bytes)
{
	msg_iovec_t pieces[msg_n_fragments];
	issize_t count = msg_recv_iovec(msg, pieces, msg_n_fragments, bytes, 0);
	size_t done = 0;

	for (issize_t i = 0; i < count && i < msg_n_fragments; i++) {
		size_t part = pieces[i].mv_len;

		if (part > bytes - done)
			part = bytes - done;
		memcpy(pieces[i].mv_base, data + done, part);
		done += part;
	}
	msg_recv_commit(msg, done, 0);
	return done;
}

/* The rest of the memory is the next message's. False: it could not be had. */
static bool take_next(msg_t *msg, msg_t **nextp)
{
	bool has_rest = msg_buf_committed(msg) > 0;

	*nextp = msg_next(msg);
	return *nextp || !has_rest;
}

/* A keep-alive (RFC 5626 3.5.1), or what stands between two messages. */
static bool is_blank(msg_t *msg)
{
	const char *data = msg_buf_committed_data(msg);
	size_t bytes = msg_buf_committed(msg), i = 0;

	if (msg_get_flags(msg, MSG_FLG_HEADERS))
		return false;
	while (i < bytes && is_space(data[i]))
		i++;
	return i == bytes;
}

static void end_damaged(struct tls_connection *connection)
{
	sip_count(connection->stack->counters, SIP_COUNT_tls_damaged);
	tls_connection_finish(connection);
}

/* As Sofia's transports do: nothing is read after something damaged. */
static void parse(struct tls_connection *connection, bool at_end)
{
	msg_t *msg = connection->msg, *next;
	bool damaged;

	connection->msg = NULL;
	for (; msg && !is_blank(msg); msg = next) {
		int result = msg_extract(msg);

		if (!result && !at_end && !is_endless(msg))
			break;
		if (result <= 0)
			msg_mark_as_complete(msg, MSG_FLG_ERROR);
		damaged = result <= 0 ||
			  msg_get_flags(msg, MSG_FLG_TOOLARGE | MSG_FLG_ERROR);
		next = NULL;
		if (!damaged)
			damaged = !take_next(msg, &next);
		connection->msg_since_ms = clock_monotonic_ms();
		tls_receive(connection, msg);
		if (damaged)
			end_damaged(connection);
		if (connection->state != CONNECTION_OPEN) {
			msg_destroy(next);
			return;
		}
	}
	if (msg && is_blank(msg)) {
		msg_destroy(msg);
		msg = NULL;
	}
	connection->msg = msg;
}

/* Nothing new can be found before a line of the headers ends: a peer who sends
 * one byte at a time has no line looked at for each of them. */
static bool is_worth_parsing(struct tls_connection *connection,
			     const char *data, size_t bytes)
{
	bool worth = connection->line_ends || has_headers(connection->msg) ||
		     is_endless(connection->msg) || memchr(data, '\n', bytes) ||
		     memchr(data, '\r', bytes);

	connection->line_ends = is_line_end(data[bytes - 1]);
	return worth;
}

static size_t skip_space(const char *data, size_t bytes)
{
	size_t i = 0;

	while (i < bytes && is_space(data[i]))
		i++;
	return i;
}

static int begin_message(struct tls_connection *connection)
{
	connection->msg = create_message(connection);
	connection->msg_since_ms = clock_monotonic_ms();
	connection->line_ends = false;
	return connection->msg ? 0 : ENOMEM;
}

void tls_stream_receive(struct tls_connection *connection, const char *data,
			size_t bytes)
{
	size_t done;

	while (connection->state == CONNECTION_OPEN) {
		done = connection->msg ? 0 : skip_space(data, bytes);
		data += done;
		bytes -= done;
		if (!bytes)
			break;
		if (!connection->msg && begin_message(connection)) {
			tls_connection_end(connection, "out of memory");
			break;
		}
		done = put(connection->msg, data, bytes);
		if (!done)
			end_damaged(connection);
		else if (is_worth_parsing(connection, data, done))
			parse(connection, false);
		data += done;
		bytes -= done;
	}
	if (connection->state == CONNECTION_OPEN && connection->msg)
		tls_connection_watch_time(connection);
}

void tls_stream_end(struct tls_connection *connection)
{
	if (!connection->msg)
		return;
	msg_recv_commit(connection->msg, 0, 1);
	parse(connection, true);
}
