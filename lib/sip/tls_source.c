/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many connections one address has, and how fast it opens them: what a
 * handshake costs is spent on a peer before anything is known of it.
 */
#include "sip/tls_transport.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host has a whole network of IPv6 addresses (RFC 4291 2.5.4). */
#define V6_HOST_BYTES 8

struct tls_source {
	/* Side and address: the sides have bounds of their own. */
	char key[1 + INET6_ADDRSTRLEN];
	uint32_t connections;
	UT_hash_handle hh;
};

static void make_key(enum sip_side side, const su_sockaddr_t *address,
		     char key[1 + INET6_ADDRSTRLEN])
{
	struct in6_addr v6;

	key[0] = side == SIP_OUTSIDE ? 'o' : 'i';
	key[1] = '\0';
	if (address->su_family != AF_INET6) {
		inet_ntop(AF_INET, &address->su_sin.sin_addr, key + 1,
			  INET6_ADDRSTRLEN);
		return;
	}
	v6 = address->su_sin6.sin6_addr;
	memset(v6.s6_addr + V6_HOST_BYTES, 0,
	       sizeof(v6.s6_addr) - V6_HOST_BYTES);
	inet_ntop(AF_INET6, &v6, key + 1, INET6_ADDRSTRLEN);
}

static struct tls_source *create(struct tls_transport *tls, const char *key)
{
	struct tls_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	strcpy(source->key, key);
	HASH_ADD_STR(tls->sources, key, source);
	if (source->hh.tbl)
		return source;
	free(source); /* out of memory */
	return NULL;
}

bool tls_source_take(struct sip_stack *stack, enum sip_side side,
		     const su_sockaddr_t *address, struct tls_source **sourcep)
{
	struct tls_transport *tls = stack->tls;
	const struct tls_side *of = &tls->sides[side];
	char key[1 + INET6_ADDRSTRLEN];
	struct tls_source *source;

	make_key(side, address, key);
	if (!quota_take(of->rates, key)) {
		sip_count(stack->counters, SIP_COUNT_tls_refused_rate);
		return false;
	}
	HASH_FIND_STR(tls->sources, key, source);
	if (source &&
	    source->connections >= of->limits.source_connections_max) {
		sip_count(stack->counters, SIP_COUNT_tls_refused_source);
		return false;
	}
	if (!source)
		source = create(tls, key);
	if (!source)
		return false;
	source->connections++;
	*sourcep = source;
	return true;
}

void tls_source_give(struct sip_stack *stack, struct tls_source *source)
{
	if (!source || --source->connections)
		return;
	HASH_DEL(stack->tls->sources, source);
	free(source);
}
