/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIP over TLS: listeners, what bounds them, and both sides' contexts. Sofia's
 * own TLS leaks, reads no chain and cannot be reloaded, so that it is not used;
 * Sofia parses what comes, and knows of no connection.
 */
#ifndef MCMIG_SIP_TLS_TRANSPORT_H
#define MCMIG_SIP_TLS_TRANSPORT_H

#include "base/handle.h"
#include "base/keyed_hash.h"
#include "base/quota.h"
#include "loop/loop.h"
#include "sip/internal.h"

struct tls_connection;
struct tls_source;

struct tls_limits {
	uint32_t handshake_timeout_ms, handshakes_max, connections_max;
	uint32_t source_connections_max, source_rate;
};

struct tls_side {
	struct tls_context *context; /* NULL: no TLS on this side */
	struct tls_limits limits;
	struct quota *rates; /* of sources */
	/* Accepted ones: under way, the oldest first, and done. */
	struct tls_connection *handshaking;
	uint32_t handshakes, connections;
};

struct tls_listener {
	struct sip_stack *stack;
	struct listener *listener;
	su_sockaddr_t address; /* as bound */
	int fd;
	struct loop_watch *watch;
	struct tls_listener *next;
};

struct tls_transport {
	struct tls_side sides[2];
	struct tls_listener *listeners;
	struct handle_table *by_handle;
	/* Of `all` those come first that are still to be held against new
	 * contexts: the generation says against which each has been. */
	struct tls_connection *all, *ended;
	uint32_t generation;
	struct loop_work checks;
	struct tls_connection *outbound; /* by next hop */
	struct tls_source *sources;
	struct loop_work turn_ends;
	uint32_t handshake_steps; /* in this turn of the loop */
	uint32_t under_way, open; /* connections, in both directions */
};

/* --- tls_transport.c ----------------------------------------------------- */

/* 0, EINVAL, ENOMEM. */
int tls_transport_create(struct sip_stack *stack,
			 const struct sip_stack_config *config);
/* After all transactions are gone. */
void tls_transport_destroy(struct sip_stack *stack);

/* --- tls_listener.c ------------------------------------------------------ */

/* Binds for the side of `listener`, and fills the rest of it. 0, EADDRINUSE,
 * EINVAL, ENOMEM; logged. */
int tls_listen(struct sip_stack *stack, const char *entry,
	       const su_sockaddr_t *address, struct listener *listener);
void tls_listeners_close(struct sip_stack *stack);

/* --- tls_source.c: connections of one address ---------------------------- */

/* One more; false: refused, and counted. Out of memory refuses. */
bool tls_source_take(struct sip_stack *stack, enum sip_side side,
		     const su_sockaddr_t *address, struct tls_source **sourcep);
/* NULL is fine. */
void tls_source_give(struct sip_stack *stack, struct tls_source *source);

#endif
