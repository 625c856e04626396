/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners for TLS, and who is let in to begin a handshake. */
#include "sip/tls_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sofia-sip/su_localinfo.h>
#include <utlist.h>

#include "base/log.h"

#define BACKLOG 1000
#define ACCEPTS_A_TURN 16
#define ENDED_WITHOUT_DESCRIPTORS 4

/* --- Connections ---------------------------------------------------------- */

/* The oldest has had the most time. */
static void make_room(struct sip_stack *stack, struct tls_side *side)
{
	while (side->handshaking &&
	       side->handshakes >= side->limits.handshakes_max) {
		sip_count(stack->counters, SIP_COUNT_tls_handshakes_gave_way);
		tls_connection_end(side->handshaking,
				   "too many TLS handshakes");
	}
}

/* The source, for a connection of it; NULL: it is not let in. */
static struct tls_source *admit(struct sip_stack *stack,
				enum sip_side side_of_it,
				const su_sockaddr_t *address)
{
	struct tls_side *side = &stack->tls->sides[side_of_it];
	struct tls_source *source;

	if (!tls_source_take(stack, side_of_it, address, &source))
		return NULL;
	if (side->connections >= side->limits.connections_max) {
		sip_count(stack->counters, SIP_COUNT_tls_refused_full);
		tls_source_give(stack, source);
		return NULL;
	}
	make_room(stack, side);
	return source;
}

static void take(const struct tls_listener *listener, int fd,
		 const su_sockaddr_t *address)
{
	struct sip_stack *stack = listener->stack;
	struct tls_source *source =
	    admit(stack, listener->listener->side, address);
	struct tls_connection *connection;
	int flags = fcntl(fd, F_GETFL);

	if (!source || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC)) {
		tls_source_give(stack, source);
		close(fd);
		return;
	}
	if (tls_connection_create(stack, listener->listener, TLS_ACCEPTS, fd,
				  address, &connection)) {
		tls_source_give(stack, source);
		return;
	}
	connection->source = source;
	sip_count(stack->counters, SIP_COUNT_tls_accepted);
}

/* No descriptor is left, or none that may be taken for this: strangers who never
 * end their handshakes would keep our peers out. */
static bool is_out_of_descriptors(int error)
{
	return !error || error == EMFILE || error == ENFILE;
}

/* Theirs come free when this turn of the loop ends. */
static void make_descriptors_free(struct sip_stack *stack, enum sip_side side)
{
	struct tls_side *of = &stack->tls->sides[side];

	for (int i = 0; i < ENDED_WITHOUT_DESCRIPTORS && of->handshaking; i++) {
		sip_count(stack->counters, SIP_COUNT_tls_handshakes_gave_way);
		tls_connection_end(of->handshaking, "no descriptors left");
	}
}

/* accept() is the program's own: it sees to it that descriptors are left, and
 * sets no errno when it has turned one away. */
static void accept_some(void *arg, uint32_t events)
{
	const struct tls_listener *listener = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		su_sockaddr_t address = { 0 };
		socklen_t bytes = sizeof(address);
		int fd = accept(listener->fd, &address.su_sa, &bytes);

		if (fd >= 0) {
			take(listener, fd, &address);
			continue;
		}
		if (is_out_of_descriptors(errno)) {
			make_descriptors_free(listener->stack,
					      listener->listener->side);
			break;
		}
		if (errno == EAGAIN)
			break;
	}
}

/* --- Listeners ------------------------------------------------------------ */

static void describe_wildcard(const su_sockaddr_t *bound, char *text,
			      size_t size)
{
	su_localinfo_t hints = { .li_family = bound->su_family,
				 .li_flags = LI_NUMERIC };
	su_localinfo_t *found = NULL;
	su_sockaddr_t own = *bound;

	if (!su_getlocalinfo(&hints, &found) && found) {
		memcpy(&own, found->li_addr, found->li_addrlen);
		own.su_port = bound->su_port;
	}
	su_freelocalinfo(found);
	transport_describe(&own, text, size);
}

static bool is_wildcard(const su_sockaddr_t *address)
{
	if (address->su_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&address->su_sin6.sin6_addr);
	return address->su_sin.sin_addr.s_addr == htonl(INADDR_ANY);
}

static int describe(struct tls_listener *tls, struct listener *listener)
{
	const su_sockaddr_t *bound = &tls->address;
	socklen_t bytes = sizeof(tls->address);

	if (getsockname(tls->fd, &tls->address.su_sa, &bytes))
		return errno;
	listener->transport = SIP_TLS;
	listener->family = bound->su_family;
	listener->tls = tls;
	transport_describe(bound, listener->address, sizeof(listener->address));
	if (is_wildcard(bound))
		describe_wildcard(bound, listener->sent_by,
				  sizeof(listener->sent_by));
	else
		memcpy(listener->sent_by, listener->address,
		       sizeof(listener->sent_by));
	return 0;
}

static int open_socket(const su_sockaddr_t *address, int *fdp)
{
	int on = 1, err;
	int fd = socket(address->su_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->su_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &address->su_sa, su_sockaddr_size(address)) ||
	    listen(fd, BACKLOG)) {
		err = errno;
		close(fd);
		return err;
	}
	*fdp = fd;
	return 0;
}

static void destroy(struct tls_listener *listener)
{
	loop_unwatch(listener->watch);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}

int tls_listen(struct sip_stack *stack, const char *entry,
	       const su_sockaddr_t *address, struct listener *listener)
{
	struct tls_listener *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return ENOMEM;
	if (!stack->tls->sides[listener->side].context) {
		log_error("sip",
			  "msg=\"cannot listen without a certificate: set "
			  "certificate, key and ca in the section tls\" "
			  "entry=\"%s\"",
			  entry);
		free(new);
		return EINVAL;
	}
	*new = (struct tls_listener){ .stack = stack,
				      .listener = listener,
				      .fd = -1 };
	err = open_socket(address, &new->fd);
	if (!err)
		err = describe(new, listener);
	if (!err)
		err = loop_watch(stack->loop, new->fd, EPOLLIN, accept_some,
				 new, &new->watch);
	if (err) {
		log_error("sip",
			  "msg=\"cannot listen\" entry=\"%s\" error=\"%s\"",
			  entry, strerror(err));
		destroy(new);
		return err == EADDRINUSE || err == ENOMEM ? err : EINVAL;
	}
	LL_APPEND(stack->tls->listeners, new);
	return 0;
}

void tls_listeners_close(struct sip_stack *stack)
{
	struct tls_listener *each, *next;

	LL_FOREACH_SAFE(stack->tls->listeners, each, next)
	{
		LL_DELETE(stack->tls->listeners, each);
		destroy(each);
	}
}
