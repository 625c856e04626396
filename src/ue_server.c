/* SPDX-License-Identifier: BSD-2-Clause */
/* The --server argument: where requests go, and from which address of ours. */
#include "ue_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_NAME_SIZE 256
#define PORT_ATTEMPTS 16

static const char *const transports[] = {
	[SIP_UDP] = "udp",
	[SIP_TCP] = "tcp",
	[SIP_TLS] = "tls",
};

struct server_parts {
	char host[HOST_NAME_SIZE];
	char port[8];
	enum sip_transport transport;
};

static int refuse(const char *uri, const char *reason)
{
	fprintf(stderr,
		"mcmig-ue: --server %s: %s; "
		"expected sip:HOST:PORT[;transport=udp|tcp|tls]\n",
		uri, reason);
	return EINVAL;
}

static int parse_transport(const char *parameters,
			   enum sip_transport *transport)
{
	static const char prefix[] = ";transport=";

	*transport = SIP_UDP;
	if (!*parameters)
		return 0;
	if (strncasecmp(parameters, prefix, strlen(prefix)))
		return EINVAL;
	parameters += strlen(prefix);
	for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++) {
		if (!strcasecmp(parameters, transports[i])) {
			*transport = (enum sip_transport)i;
			return 0;
		}
	}
	return EINVAL;
}

static int split(struct server_parts *parts, const char *uri)
{
	const char *host = uri + strlen("sip:");
	bool bracketed = *host == '[';
	const char *end;
	size_t digits;

	host += bracketed;
	end = host + strcspn(host, bracketed ? "]" : ":;");
	if (end == host || (size_t)(end - host) >= sizeof(parts->host) ||
	    (bracketed && *end != ']'))
		return refuse(uri, "no host");
	memcpy(parts->host, host, end - host);
	parts->host[end - host] = '\0';

	end += bracketed;
	parts->port[0] = '\0';
	if (*end == ':') {
		end++;
		digits = strspn(end, "0123456789");
		if (!digits || digits > 5)
			return refuse(uri, "no port number");
		memcpy(parts->port, end, digits);
		parts->port[digits] = '\0';
		end += digits;
	}
	if (parse_transport(end, &parts->transport))
		return refuse(uri, "unknown parameter or transport");
	if (!parts->port[0])
		strcpy(parts->port,
		       parts->transport == SIP_TLS ? "5061" : "5060");
	return 0;
}

static void format_host(const struct sockaddr *address, socklen_t bytes,
			char host[SIP_HOST_SIZE + 2])
{
	char literal[SIP_HOST_SIZE] = "";

	getnameinfo(address, bytes, literal, sizeof(literal), NULL, 0,
		    NI_NUMERICHOST);
	snprintf(host, SIP_HOST_SIZE + 2,
		 address->sa_family == AF_INET6 ? "[%s]" : "%s", literal);
}

/* A connected UDP socket tells which address of ours the route takes. */
static int find_local_host(struct ue_server *server,
			   const struct addrinfo *remote)
{
	struct sockaddr_storage local;
	socklen_t bytes = sizeof(local);
	int err = 0;
	int fd;

	fd = socket(remote->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (connect(fd, remote->ai_addr, remote->ai_addrlen) ||
	    getsockname(fd, (struct sockaddr *)&local, &bytes))
		err = errno;
	else
		format_host((struct sockaddr *)&local, bytes,
			    server->local_host);
	close(fd);
	return err;
}

int ue_server_parse(struct ue_server *server, const char *uri)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct server_parts parts;
	struct addrinfo *remote;
	char host[SIP_HOST_SIZE + 2];
	int err;

	if (strncasecmp(uri, "sip:", strlen("sip:")))
		return refuse(uri, "no sip: URI");
	err = split(&parts, uri);
	if (err)
		return err;
	err = getaddrinfo(parts.host, parts.port, &hints, &remote);
	if (err)
		return refuse(uri, gai_strerror(err));
	format_host(remote->ai_addr, remote->ai_addrlen, host);
	err = find_local_host(server, remote);
	freeaddrinfo(remote);
	if (err)
		return refuse(uri, strerror(err));
	server->transport = parts.transport;
	snprintf(server->next_hop, sizeof(server->next_hop),
		 "sip:%s:%s;transport=%s", host, parts.port,
		 transports[parts.transport]);
	return 0;
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(port);
}

static uint16_t get_port(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* Binds and closes again; the port that was bound, 0 if it could not be. */
static uint16_t try_port(struct sockaddr_storage address, socklen_t bytes,
			 int type, uint16_t port)
{
	uint16_t bound = 0;
	int on = 1;
	int fd;

	fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	set_port(&address, port);
	if (!bind(fd, (struct sockaddr *)&address, bytes) &&
	    !getsockname(fd, (struct sockaddr *)&address, &bytes))
		bound = get_port(&address);
	close(fd);
	return bound;
}

static int local_address(const struct ue_server *server,
			 struct sockaddr_storage *address, socklen_t *bytes)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	char literal[SIP_HOST_SIZE + 2];
	struct addrinfo *found;

	snprintf(literal, sizeof(literal), "%s",
		 server->local_host + (server->local_host[0] == '['));
	literal[strcspn(literal, "]")] = '\0';
	if (getaddrinfo(literal, NULL, &hints, &found))
		return EINVAL;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*bytes = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

uint16_t ue_server_free_port(const struct ue_server *server)
{
	struct sockaddr_storage address;
	socklen_t bytes;

	if (local_address(server, &address, &bytes))
		return 0;
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		uint16_t port = try_port(address, bytes, SOCK_STREAM, 0);

		if (port && try_port(address, bytes, SOCK_DGRAM, port))
			return port;
	}
	return 0;
}
