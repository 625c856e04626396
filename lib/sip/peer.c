/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops: IP literals with an explicit transport, counted. */
#include "sip/client_transaction.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_transport(const char *text, enum sip_transport *transport)
{
	if (!strcasecmp(text, ";transport=udp"))
		*transport = SIP_UDP;
	else if (!strcasecmp(text, ";transport=tcp"))
		*transport = SIP_TCP;
	else if (!strcasecmp(text, ";transport=tls"))
		*transport = SIP_TLS;
	else
		return EINVAL;
	return 0;
}

static int copy(char *target, size_t size, const char *text, size_t bytes)
{
	if (!bytes || bytes >= size)
		return EINVAL;
	memcpy(target, text, bytes);
	target[bytes] = '\0';
	return 0;
}

static int parse_port(struct peer *peer, const char *text, size_t bytes)
{
	const char *usual = peer->transport == SIP_TLS ? "5061" : "5060";
	unsigned long port;

	if (!bytes)
		return copy(peer->port, sizeof(peer->port), usual,
			    strlen(usual));
	if (*text != ':' || strspn(text + 1, "0123456789") != bytes - 1)
		return EINVAL;
	port = strtoul(text + 1, NULL, 10);
	if (!port || port > 65535)
		return EINVAL;
	return copy(peer->port, sizeof(peer->port), text + 1, bytes - 1);
}

static int parse_family(const struct peer *peer, int *family)
{
	struct in6_addr address;
	char bare[SIP_HOST_SIZE];

	if (inet_pton(AF_INET, peer->host, &address) == 1) {
		*family = AF_INET;
		return 0;
	}
	if (*peer->host != '[' ||
	    copy(bare, sizeof(bare), peer->host + 1, strlen(peer->host) - 2) ||
	    inet_pton(AF_INET6, bare, &address) != 1)
		return EINVAL;
	*family = AF_INET6;
	return 0;
}

/* sip:HOST[:PORT];transport=udp|tcp|tls, HOST an IPv4 literal or [IPv6]. */
static int parse(struct peer *peer, const char *next_hop, int *family)
{
	const char *host = next_hop + 4, *parameters = strchr(next_hop, ';');
	size_t host_bytes, bytes;

	if (strncasecmp(next_hop, "sip:", 4) || !parameters)
		return EINVAL;
	bytes = (size_t)(parameters - host);
	host_bytes = strcspn(host, *host == '[' ? "]" : ":;");
	if (*host == '[')
		host_bytes++;
	if (host_bytes > bytes ||
	    copy(peer->host, sizeof(peer->host), host, host_bytes) ||
	    parse_transport(parameters, &peer->transport) ||
	    parse_port(peer, host + host_bytes, bytes - host_bytes))
		return EINVAL;
	return parse_family(peer, family);
}

static int create(struct sip_stack *stack, const char *key, enum sip_side side,
		  struct peer **peerp)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int family;

	if (!peer)
		return ENOMEM;
	strcpy(peer->key, key);
	if (!parse(peer, peer->key + 1, &family))
		peer->listener =
		    transport_find(stack, peer->transport, family, side);
	if (!peer->listener) {
		free(peer);
		return EINVAL;
	}
	HASH_ADD_STR(stack->client->peers, key, peer);
	if (!peer->hh.tbl) { /* out of memory */
		free(peer);
		return ENOMEM;
	}
	*peerp = peer;
	return 0;
}

int peer_take(struct sip_stack *stack, const char *next_hop, enum sip_side side,
	      struct peer **peerp)
{
	char key[1 + SIP_URI_SIZE];
	struct peer *peer;
	int err;

	if ((size_t)snprintf(key, sizeof(key), "%c%s",
			     stack->has_sides && side == SIP_OUTSIDE ? 'o'
								     : 'i',
			     next_hop) >= sizeof(key))
		return EINVAL;
	HASH_FIND_STR(stack->client->peers, key, peer);
	if (!peer) {
		err = create(stack, key, side, &peer);
		if (err)
			return err;
	}
	if (peer->outstanding >= stack->client->peer_outstanding_max)
		return EBUSY;
	peer->outstanding++;
	*peerp = peer;
	return 0;
}

void peer_give(struct client_transactions *client, struct peer *peer)
{
	if (--peer->outstanding)
		return;
	HASH_DEL(client->peers, peer);
	free(peer);
}
