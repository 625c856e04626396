/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners: one explicit URL a transport, bound through the agent. */
#include "sip/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/tport_tag.h>

#include "base/log.h"
#include "sip/tls_transport.h"

/* The cap of Sofia, for the listen backlog and each connection's sends. */
#define QUEUE_SIZE 1000
#define UDP_BUFFER_BYTES (4 * 1024 * 1024)

struct endpoint {
	enum sip_transport transport;
	int family;
	char host[SIP_HOST_SIZE];
	unsigned port;
};

static int parse_port(const char *text, unsigned *port)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return EINVAL;
	value = strtoul(text, &end, 10);
	if (*end || value > 65535)
		return EINVAL;
	*port = (unsigned)value;
	return 0;
}

static int family_of(const char *host)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, host, &address) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, host, &address) == 1)
		return AF_INET6;
	return AF_UNSPEC;
}

/* "udp:127.0.0.1:5060", "tcp:[::1]:0", "tls:127.0.0.1:5061" */
static int parse_entry(const char *entry, struct endpoint *endpoint)
{
	const char *host = entry + 4, *port = strrchr(entry, ':');
	size_t host_bytes;

	if (!strncmp(entry, "udp:", 4))
		endpoint->transport = SIP_UDP;
	else if (!strncmp(entry, "tcp:", 4))
		endpoint->transport = SIP_TCP;
	else if (!strncmp(entry, "tls:", 4))
		endpoint->transport = SIP_TLS;
	else
		return EINVAL;
	if (port <= host)
		return EINVAL;
	host_bytes = (size_t)(port - host);
	if (*host == '[' && host[host_bytes - 1] == ']') {
		host++;
		host_bytes -= 2;
	}
	if (host_bytes >= sizeof(endpoint->host))
		return EINVAL;
	memcpy(endpoint->host, host, host_bytes);
	endpoint->host[host_bytes] = '\0';
	endpoint->family = family_of(endpoint->host);
	if ((endpoint->family == AF_INET6) != (host[-1] == '['))
		return EINVAL;
	return endpoint->family == AF_UNSPEC
		   ? EINVAL
		   : parse_port(port + 1, &endpoint->port);
}

static void make_url(const struct endpoint *endpoint, char *url, size_t size)
{
	bool v6 = endpoint->family == AF_INET6;
	char port[12] = "*";

	if (endpoint->port)
		snprintf(port, sizeof(port), "%u", endpoint->port);
	snprintf(url, size, "sip:%s%s%s:%s;transport=%s", v6 ? "[" : "",
		 endpoint->host, v6 ? "]" : "", port,
		 endpoint->transport == SIP_UDP ? "udp" : "tcp");
}

static tport_t *last_primary(nta_agent_t *agent)
{
	tport_t *last = NULL;

	for (tport_t *each = tport_primaries(nta_agent_tports(agent)); each;
	     each = tport_next(each))
		last = each;
	return last;
}

/* Sofia's Via of a wildcard address has one of the host's. */
static const char *via_host(nta_agent_t *agent, const tp_name_t *name)
{
	for (const sip_via_t *via = nta_agent_via(agent); via;
	     via = via->v_next) {
		const char *protocol = strrchr(via->v_protocol, '/');
		const char *port = via->v_port ? via->v_port : "5060";

		if (protocol && !strcasecmp(protocol + 1, name->tpn_proto) &&
		    !strcmp(port, name->tpn_port))
			return via->v_host;
	}
	return name->tpn_host;
}

static bool is_wildcard(const char *host)
{
	return !strcmp(host, "0.0.0.0") || !strcmp(host, "::");
}

static void describe(struct sip_stack *stack, const struct endpoint *endpoint,
		     struct listener *listener)
{
	const tp_name_t *name = tport_name(listener->tport);
	bool v6 = endpoint->family == AF_INET6;

	snprintf(listener->address, sizeof(listener->address), "%s%s%s:%s",
		 v6 ? "[" : "", endpoint->host, v6 ? "]" : "", name->tpn_port);
	if (is_wildcard(endpoint->host))
		snprintf(listener->sent_by, sizeof(listener->sent_by), "%s:%s",
			 via_host(stack->agent, name), name->tpn_port);
	else
		memcpy(listener->sent_by, listener->address,
		       sizeof(listener->sent_by));
}

int sip_listen_check(const char *entry, bool has_sides)
{
	struct endpoint endpoint;

	if (parse_entry(entry, &endpoint)) {
		log_error("sip",
			  "msg=\"listen: write udp:ADDRESS:PORT, "
			  "tcp:ADDRESS:PORT or tls:ADDRESS:PORT, IPv6 in "
			  "brackets\" entry=\"%s\"",
			  entry);
		return EINVAL;
	}
	/* Of a wildcard nobody knows which side it belongs to. */
	if (has_sides && is_wildcard(endpoint.host)) {
		log_error("sip",
			  "msg=\"with listen_outside each side needs addresses "
			  "of its own: name one instead of the wildcard\" "
			  "entry=\"%s\"",
			  entry);
		return EINVAL;
	}
	return 0;
}

static int listen_by_sofia(struct sip_stack *stack, const char *entry,
			   const struct endpoint *endpoint,
			   struct listener *listener)
{
	char url[128];
	int err;

	make_url(endpoint, url, sizeof(url));
	if (nta_agent_add_tport(
		stack->agent, (const url_string_t *)url,
		TPTAG_QUEUESIZE(QUEUE_SIZE), TPTAG_UDP_RMEM(UDP_BUFFER_BYTES),
		TPTAG_UDP_WMEM(UDP_BUFFER_BYTES),
		/* What is not whole by then never will be; also a connection
		 * that Sofia reads no more, after something damaged. */
		TPTAG_TIMEOUT(LIFETIME_IN_T1 * stack->t1_ms),
		TPTAG_IDLE(IDLE_IN_T1 * stack->t1_ms),
		/* A peer's closing too is told to who waits. */
		TPTAG_SDWN_ERROR(1),
		/* Sofia's STUN server answers and logs without bound. */
		TPTAG_STUN_SERVER(0), TAG_END()) < 0) {
		err = su_errno();
		log_error("sip",
			  "msg=\"cannot listen\" entry=\"%s\" "
			  "error=\"%s\"",
			  entry, strerror(err));
		return err == EADDRINUSE ? EADDRINUSE : EINVAL;
	}
	listener->transport = endpoint->transport;
	listener->family = endpoint->family;
	listener->tport = last_primary(stack->agent);
	describe(stack, endpoint, listener);
	return 0;
}

static void make_address(const struct endpoint *endpoint,
			 su_sockaddr_t *address)
{
	*address = (su_sockaddr_t){ 0 };
	address->su_family = (sa_family_t)endpoint->family;
	address->su_port = htons((uint16_t)endpoint->port);
	if (endpoint->family == AF_INET6)
		inet_pton(AF_INET6, endpoint->host,
			  &address->su_sin6.sin6_addr);
	else
		inet_pton(AF_INET, endpoint->host, &address->su_sin.sin_addr);
}

int transport_listen(struct sip_stack *stack, const char *entry,
		     struct listener *listener)
{
	struct endpoint endpoint;
	su_sockaddr_t address;

	if (sip_listen_check(entry, stack->has_sides) ||
	    parse_entry(entry, &endpoint))
		return EINVAL;
	if (endpoint.transport != SIP_TLS)
		return listen_by_sofia(stack, entry, &endpoint, listener);
	make_address(&endpoint, &address);
	return tls_listen(stack, entry, &address, listener);
}

const struct listener *transport_find(const struct sip_stack *stack,
				      enum sip_transport transport, int family,
				      enum sip_side side)
{
	for (size_t i = 0; i < stack->listener_count; i++) {
		const struct listener *each = &stack->listeners[i];

		if (each->transport == transport && each->family == family &&
		    (each->side == side || !stack->has_sides))
			return each;
	}
	return NULL;
}

enum sip_side transport_side(const struct sip_stack *stack, tport_t *tport)
{
	const tport_t *primary = tport_parent(tport);

	for (size_t i = 0; i < stack->listener_count; i++)
		if (stack->listeners[i].tport == primary)
			return stack->listeners[i].side;
	return SIP_INSIDE;
}

static void describe_address(const su_sockaddr_t *address,
			     char host[SIP_HOST_SIZE], uint16_t *port)
{
	host[0] = '\0';
	if (address->su_family == AF_INET6)
		inet_ntop(AF_INET6, &address->su_sin6.sin6_addr, host,
			  SIP_HOST_SIZE);
	else
		inet_ntop(AF_INET, &address->su_sin.sin_addr, host,
			  SIP_HOST_SIZE);
	*port = ntohs(address->su_port);
}

void transport_source(msg_t *msg, char host[SIP_HOST_SIZE], uint16_t *port)
{
	describe_address(msg_addr(msg), host, port);
}

void transport_describe(const su_sockaddr_t *address, char *text, size_t size)
{
	char host[SIP_HOST_SIZE];
	uint16_t port;

	describe_address(address, host, &port);
	snprintf(text, size,
		 address->su_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
		 port);
}

static bool has_port(const struct listener *listener, const su_sockaddr_t *own)
{
	const char *port = strrchr(listener->address, ':') + 1;

	return strtoul(port, NULL, 10) == ntohs(own->su_port);
}

/* NULL: none, or a wildcard without TLS. */
static const struct listener *listener_of(const struct sip_stack *stack,
					  const su_sockaddr_t *own)
{
	char address[ADDRESS_SIZE];

	transport_describe(own, address, sizeof(address));
	for (size_t i = 0; i < stack->listener_count; i++) {
		const struct listener *each = &stack->listeners[i];

		if (each->transport != SIP_UDP &&
		    !strcmp(each->address, address))
			return each;
		if (each->transport == SIP_TLS && !stack->has_sides &&
		    has_port(each, own))
			return each;
	}
	return NULL;
}

int transport_connection(const struct sip_stack *stack, int connection,
			 struct sip_source *source)
{
	su_sockaddr_t own = { 0 }, peer = { 0 };
	const struct listener *listener;
	socklen_t own_bytes = sizeof(own), peer_bytes = sizeof(peer);

	if (getsockname(connection, &own.su_sa, &own_bytes) ||
	    getpeername(connection, &peer.su_sa, &peer_bytes))
		return errno;
	listener = listener_of(stack, &own);
	*source = (struct sip_source){
		.transport = listener ? listener->transport : SIP_TCP,
		.side = listener ? listener->side : SIP_INSIDE,
	};
	describe_address(&peer, source->host, &source->port);
	return 0;
}
