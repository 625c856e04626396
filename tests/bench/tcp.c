/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP half, with TLS on it or without: connections with their buffers,
 * messages cut by length.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/sip_text.h"
#include "bench/tls.h"
#include "bench/transport_private.h"

#define CONNECTIONS_MAX 64
#define IN_BYTES (64 * 1024)
#define OUT_BYTES (4 << 20) /* more than any window has under way */

struct connection {
	int fd;
	SSL *session; /* NULL: no TLS */
	bool want_write;
	size_t in_bytes, out_bytes;
	char *in, *out;
};

struct tcp {
	SSL_CTX *context; /* NULL: no TLS */
	struct sockaddr_storage local;
	struct connection *to_server;
	struct connection *connections[CONNECTIONS_MAX];
};

static void connection_destroy(struct connection *connection)
{
	SSL_free(connection->session);
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection->in);
	free(connection->out);
	free(connection);
}

/* Takes `fd`, which is closed on failure too. */
static int connection_add(struct transport *transport, int fd,
			  struct connection **connectionp)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int one = 1, err = ENOMEM;
	unsigned slot = 0;

	if (!connection) {
		close(fd);
		return ENOMEM;
	}
	connection->fd = fd;
	connection->in = malloc(IN_BYTES + 1);
	connection->out = malloc(OUT_BYTES);
	while (slot < CONNECTIONS_MAX && transport->tcp->connections[slot])
		slot++;
	if (connection->in && connection->out && slot < CONNECTIONS_MAX)
		err = transport_watch(transport, fd, EPOLLIN, connection);
	if (err) {
		connection_destroy(connection);
		return err;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	transport->tcp->connections[slot] = connection;
	*connectionp = connection;
	return 0;
}

/* Waits for the handshake of a connection of ours: it is done once. */
static int connection_secure(struct transport *transport,
			     struct connection *connection, bool is_ours)
{
	SSL_CTX *context = transport->tcp->context;
	int flags = fcntl(connection->fd, F_GETFL);

	if (!context)
		return 0;
	connection->session = is_ours ? tls_connect(context, connection->fd)
				      : tls_accept(context, connection->fd);
	if (!connection->session)
		return EPROTO;
	/* Unlike recv(), reading has no flag for that. */
	return fcntl(connection->fd, F_SETFL, flags | O_NONBLOCK) ? errno : 0;
}

static void connection_remove(struct transport *transport,
			      struct connection *connection)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (transport->tcp->connections[i] == connection)
			transport->tcp->connections[i] = NULL;
	connection_destroy(connection);
}

static int tcp_listen(struct transport *transport)
{
	struct sockaddr_storage address = transport->tcp->local;
	int one = 1;

	transport->socket_fd = socket(
	    address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (transport->socket_fd < 0)
		return errno;
	if (setsockopt(transport->socket_fd, SOL_SOCKET, SO_REUSEADDR, &one,
		       sizeof(one)) ||
	    bind(transport->socket_fd, address_any(&address),
		 address_bytes(&address)) ||
	    listen(transport->socket_fd, CONNECTIONS_MAX))
		return errno;
	return transport_watch(transport, transport->socket_fd, EPOLLIN, NULL);
}

static void address_clear_port(struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = 0;
	else
		((struct sockaddr_in *)address)->sin_port = 0;
}

/* Blocks: it is done once, with the first message. */
static int tcp_connect(struct transport *transport)
{
	struct sockaddr_storage from = transport->tcp->local;
	int fd =
	    socket(transport->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return errno;
	/* The server knows its peers by their addresses. */
	address_clear_port(&from);
	if (bind(fd, address_any(&from), address_bytes(&from)) ||
	    connect(fd, address_any(&transport->server),
		    address_bytes(&transport->server))) {
		err = errno;
		close(fd);
		return err;
	}
	err = connection_add(transport, fd, &transport->tcp->to_server);
	if (!err)
		err = connection_secure(transport, transport->tcp->to_server,
					true);
	return err;
}

int tcp_open(struct transport *transport, const struct sockaddr_storage *local,
	     const struct load_tls *tls)
{
	transport->tcp = calloc(1, sizeof(*transport->tcp));
	if (!transport->tcp)
		return ENOMEM;
	if (tls) {
		transport->tcp->context = tls_context(tls);
		if (!transport->tcp->context)
			return EINVAL;
	}
	transport->tcp->local = *local;
	return tcp_listen(transport);
}

void tcp_close(struct transport *transport)
{
	if (!transport->tcp)
		return;
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (transport->tcp->connections[i])
			connection_destroy(transport->tcp->connections[i]);
	SSL_CTX_free(transport->tcp->context);
	free(transport->tcp);
}

int tcp_queue(struct transport *transport, const struct path *path,
	      const char *text, size_t bytes)
{
	struct connection *connection;
	int err = 0;

	if (!path && !transport->tcp->to_server)
		err = tcp_connect(transport);
	if (err)
		return transport->server_may_restart ? 0 : err;
	connection = path ? path->connection : transport->tcp->to_server;
	if (!connection || connection->out_bytes + bytes > OUT_BYTES)
		return ENOBUFS;
	memcpy(connection->out + connection->out_bytes, text, bytes);
	connection->out_bytes += bytes;
	return 0;
}

static ssize_t connection_send(struct connection *connection)
{
	if (connection->session)
		return tls_send(connection->session, connection->out,
				connection->out_bytes);
	return send(connection->fd, connection->out, connection->out_bytes,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int connection_write(struct transport *transport,
			    struct connection *connection)
{
	ssize_t count = connection_send(connection);
	bool want_write;

	if (count < 0 && errno != EAGAIN && errno != EINTR)
		return errno;
	if (count > 0) {
		connection->out_bytes -= (size_t)count;
		memmove(connection->out, connection->out + count,
			connection->out_bytes);
	}
	want_write = connection->out_bytes > 0;
	if (want_write == connection->want_write)
		return 0;
	connection->want_write = want_write;
	return transport_watch(transport, connection->fd,
			       EPOLLIN | (want_write ? EPOLLOUT : 0),
			       connection);
}

/* The server may close its own connections; ours to it only if it may restart.
 */
static int connection_lost(struct transport *transport,
			   struct connection *connection, int err)
{
	if (connection == transport->tcp->to_server) {
		if (!transport->server_may_restart)
			return err;
		transport->tcp->to_server = NULL;
	}
	connection_remove(transport, connection);
	return 0;
}

int tcp_flush(struct transport *transport)
{
	int err = 0;

	for (unsigned i = 0; i < CONNECTIONS_MAX && !err; i++) {
		struct connection *connection = transport->tcp->connections[i];

		if (!connection || !connection->out_bytes ||
		    connection->want_write)
			continue;
		err = connection_write(transport, connection);
		if (err)
			err = connection_lost(transport, connection, err);
	}
	return err;
}

/* Gives every whole message to the handler; 0 or EBADMSG. */
static int connection_cut(struct transport *transport,
			  struct connection *connection)
{
	struct path path = { .connection = connection };
	size_t done = 0;

	while (done < connection->in_bytes) {
		char *text = connection->in + done;
		size_t bytes;
		char saved;
		int err;

		err = sip_message_bytes(text, connection->in_bytes - done,
					&bytes);
		if (err == EAGAIN)
			break;
		if (err)
			return err;
		saved = text[bytes];
		text[bytes] = '\0';
		transport->handler(&path, text, bytes, transport->arg);
		text[bytes] = saved;
		done += bytes;
	}
	connection->in_bytes -= done;
	memmove(connection->in, connection->in + done, connection->in_bytes);
	return connection->in_bytes < IN_BYTES ? 0 : EBADMSG;
}

static ssize_t connection_receive(struct connection *connection)
{
	char *end = connection->in + connection->in_bytes;
	size_t room = IN_BYTES - connection->in_bytes;

	if (connection->session)
		return tls_recv(connection->session, end, room);
	return recv(connection->fd, end, room, MSG_DONTWAIT);
}

static int connection_read_once(struct transport *transport,
				struct connection *connection)
{
	ssize_t count = connection_receive(connection);

	if (!count)
		return ECONNRESET;
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno;
	connection->in_bytes += (size_t)count;
	connection->in[connection->in_bytes] = '\0';
	return connection_cut(transport, connection);
}

static int connection_read(struct transport *transport,
			   struct connection *connection)
{
	int err;

	do
		err = connection_read_once(transport, connection);
	while (!err && connection->session &&
	       SSL_pending(connection->session)); /* epoll knows it not */
	return err;
}

static int tcp_accept(struct transport *transport)
{
	struct connection *connection;
	int fd = accept4(transport->socket_fd, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	int err;

	if (fd < 0)
		return 0;
	err = connection_add(transport, fd, &connection);
	if (!err)
		err = connection_secure(transport, connection, false);
	return err;
}

int tcp_event(struct transport *transport, struct connection *owner,
	      uint32_t events)
{
	int err = 0;

	if (!owner)
		return tcp_accept(transport);
	if (events & EPOLLOUT)
		err = connection_write(transport, owner);
	if (!err && events & ~(uint32_t)EPOLLOUT)
		err = connection_read(transport, owner);
	return err ? connection_lost(transport, owner, err) : 0;
}
