/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of ours on TLS: one kept connection a side and next hop, opened when
 * it is needed. Whether its peer is whom a request is meant for is looked at for
 * each request, not once a connection.
 */
#include "sip/tls_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/log.h"
#include "sip/client_transaction.h"

/* More than any directory has of next hops; and of these, descriptors. */
#define OUTBOUND_MAX 1024
#define LISTED_NAMES_BYTES 512

/* --- Opening -------------------------------------------------------------- */

static int parse_address(const struct peer *peer, su_sockaddr_t *address)
{
	char bare[SIP_HOST_SIZE];
	size_t bytes = strlen(peer->host);

	*address = (su_sockaddr_t){ 0 };
	address->su_family = (sa_family_t)peer->listener->family;
	address->su_port = htons((uint16_t)strtoul(peer->port, NULL, 10));
	if (peer->listener->family == AF_INET)
		return inet_pton(AF_INET, peer->host,
				 &address->su_sin.sin_addr) == 1
			   ? 0
			   : EINVAL;
	memcpy(bare, peer->host + 1, bytes - 2);
	bare[bytes - 2] = '\0';
	return inet_pton(AF_INET6, bare, &address->su_sin6.sin6_addr) == 1
		   ? 0
		   : EINVAL;
}

/* From the listener's address: it says which side this is. */
static int bind_to_side(int fd, const struct listener *listener)
{
	su_sockaddr_t own = listener->tls->address;

	own.su_port = 0;
	return bind(fd, &own.su_sa, su_sockaddr_size(&own)) ? errno : 0;
}

static int connect_to(const struct peer *peer, const su_sockaddr_t *address,
		      int *fdp)
{
	int fd = socket(address->su_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return errno;
	err = bind_to_side(fd, peer->listener);
	if (!err && connect(fd, &address->su_sa, su_sockaddr_size(address)) &&
	    errno != EINPROGRESS)
		err = errno;
	if (err)
		close(fd);
	else
		*fdp = fd;
	return err;
}

/* One that nobody waits for goes. */
static int make_room(struct tls_transport *tls)
{
	struct tls_connection *each, *next;

	if (HASH_COUNT(tls->outbound) < OUTBOUND_MAX)
		return 0;
	HASH_ITER(hh, tls->outbound, each, next)
	{
		if (each->waiting)
			continue;
		tls_connection_end(each, "too many next hops on TLS");
		return 0;
	}
	return EMFILE;
}

static int keep(struct tls_connection *connection, const char *next_hop)
{
	struct tls_transport *tls = connection->stack->tls;

	connection->next_hop = strdup(next_hop);
	if (!connection->next_hop)
		return ENOMEM;
	HASH_ADD_KEYPTR(hh, tls->outbound, connection->next_hop,
			strlen(connection->next_hop), connection);
	if (connection->hh.tbl)
		return 0;
	free(connection->next_hop);
	connection->next_hop = NULL;
	return ENOMEM;
}

static int open_connection(struct sip_stack *stack, const struct peer *peer,
			   struct tls_connection **connectionp)
{
	su_sockaddr_t address;
	int fd = -1, err = parse_address(peer, &address);

	if (!err)
		err = make_room(stack->tls);
	if (!err)
		err = connect_to(peer, &address, &fd);
	if (!err)
		err = tls_connection_create(stack, peer->listener, TLS_CONNECTS,
					    fd, &address, connectionp);
	if (err)
		return err;
	err = keep(*connectionp, peer->key);
	if (err)
		tls_connection_end(*connectionp, "out of memory");
	else
		sip_count(stack->counters, SIP_COUNT_tls_opened);
	return err;
}

/* --- Who the peer is ------------------------------------------------------ */

static void log_other_name(const struct client_transaction *transaction,
			   const char *const *names, size_t count)
{
	static struct log_rate rate;
	char first[LISTED_NAMES_BYTES], has[LISTED_NAMES_BYTES];
	char wanted[LISTED_NAMES_BYTES];

	names_list(names, count ? 1 : 0, first, sizeof(first));
	names_list(names, count, has, sizeof(has));
	names_list(transaction->names->items, transaction->names->count, wanted,
		   sizeof(wanted));
	log_write_limited(
	    &rate, LOG_WARNING, "sip",
	    "msg=\"nothing is sent: the certificate has other names; if "
	    "that is the peer, add '%s' to its sources (mc_peer, sources "
	    "in the configuration, --server-name of mcmig-ue)\" hop=\"%s\" "
	    "names=\"%s\" expected=\"%s\"",
	    first, transaction->peer->key + 1, has, wanted);
}

static bool is_meant(const struct tls_connection *connection,
		     struct client_transaction *transaction)
{
	size_t count;
	const char *const *names =
	    tls_session_names(connection->session, &count);

	if (names_have_one(transaction->names, names, count))
		return true;
	sip_count(connection->stack->counters, SIP_COUNT_tls_other_name);
	log_other_name(transaction, names, count);
	transaction->reason = "certificate has other names";
	return false;
}

/* --- Sending -------------------------------------------------------------- */

static void attach(struct tls_connection *connection,
		   struct client_transaction *transaction)
{
	transaction->tls = connection->own;
	DL_APPEND2(connection->waiting, transaction, tls_prev, tls_next);
}

static struct tls_connection *
connection_of(const struct client_transaction *transaction)
{
	return tls_connection_get(transaction->stack, transaction->tls);
}

static void detach(struct tls_connection *connection,
		   struct client_transaction *transaction)
{
	DL_DELETE2(connection->waiting, transaction, tls_prev, tls_next);
	transaction->tls = 0;
}

/* 0, or -1 with a reason. */
static int send_now(struct tls_connection *connection,
		    struct client_transaction *transaction)
{
	if (!is_meant(connection, transaction)) {
		/* It may be another one's by now, or have another certificate:
		 * the next request asks a new connection. */
		tls_outbound_forget(connection);
		return -1;
	}
	if (tls_connection_reserve(connection, transaction->bytes)) {
		transaction->reason = "too much waits to be sent";
		return -1;
	}
	tls_queue_add(&connection->queue, transaction->text,
		      transaction->bytes);
	return 0;
}

static struct tls_connection *find_kept(struct tls_transport *tls,
					const char *next_hop)
{
	struct tls_connection *connection;

	HASH_FIND_STR(tls->outbound, next_hop, connection);
	if (!connection)
		return NULL;
	tls_connection_check(connection);
	return connection->next_hop ? connection : NULL;
}

/* The kept one, or a new one; NULL with a reason. */
static struct tls_connection *find(struct client_transaction *transaction)
{
	struct sip_stack *stack = transaction->stack;
	const struct peer *peer = transaction->peer;
	struct tls_connection *connection = find_kept(stack->tls, peer->key);
	int err;

	if (connection)
		return connection;
	err = open_connection(stack, peer, &connection);
	if (!err)
		return connection;
	transaction->reason = strerror(err);
	return NULL;
}

int tls_outbound_send(struct client_transaction *transaction)
{
	struct tls_connection *connection = find(transaction);

	if (!connection)
		return -1;
	attach(connection, transaction);
	if (connection->state != CONNECTION_OPEN ||
	    !send_now(connection, transaction))
		return 0;
	tls_outbound_release(transaction);
	return -1;
}

void tls_outbound_is_open(struct tls_connection *connection)
{
	struct client_transaction *each, *next;

	DL_FOREACH_SAFE2(connection->waiting, each, next, tls_next)
	{
		if (!send_now(connection, each))
			continue;
		detach(connection, each);
		client_transaction_fail(each);
	}
	if (!connection->next_hop && connection->role == TLS_CONNECTS)
		tls_outbound_retire(connection);
}

/* --- The end -------------------------------------------------------------- */

void tls_outbound_forget(struct tls_connection *connection)
{
	if (!connection->next_hop)
		return;
	HASH_DEL(connection->stack->tls->outbound, connection);
	free(connection->next_hop);
	connection->next_hop = NULL;
}

void tls_outbound_retire(struct tls_connection *connection)
{
	if (connection->role != TLS_CONNECTS)
		return;
	tls_outbound_forget(connection);
	if (!connection->waiting)
		tls_connection_finish(connection);
}

void tls_outbound_release(struct client_transaction *transaction)
{
	struct tls_connection *connection = connection_of(transaction);

	if (!connection)
		return;
	detach(connection, transaction);
	if (!connection->next_hop && !connection->waiting)
		tls_connection_finish(connection);
}

void tls_outbound_give_up(const struct client_transaction *transaction)
{
	struct tls_connection *connection = connection_of(transaction);

	if (connection)
		tls_connection_end(connection, "no answer to a probe");
}

void tls_outbound_fail(struct tls_connection *connection, const char *why)
{
	struct client_transaction *each, *next;

	DL_FOREACH_SAFE2(connection->waiting, each, next, tls_next)
	{
		detach(connection, each);
		each->reason = why;
		client_transaction_fail(each);
	}
}
