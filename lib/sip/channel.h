/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request has come by and its answer goes by: a transport of Sofia's on
 * UDP and TCP, a connection of ours on TLS.
 */
#ifndef MCMIG_SIP_CHANNEL_H
#define MCMIG_SIP_CHANNEL_H

#include "sip/internal.h"

struct channel {
	enum sip_transport transport;
	enum sip_side side;
	tport_t *tport;	     /* NULL on TLS */
	handle_t connection; /* there this */
};

/* Without a reference. */
struct channel channel_of_tport(const struct sip_stack *stack, tport_t *tport);
/* A copy with a reference, for channel_release(). */
struct channel channel_hold(const struct channel *channel);
void channel_release(struct channel *channel);
/* False: the connection is gone, or going. */
bool channel_is_open(const struct sip_stack *stack,
		     const struct channel *channel);
/* Names of the peer's certificate, on TLS; alive during the callback. */
void channel_names(const struct sip_stack *stack, const struct channel *channel,
		   struct sip_source *source);

/* --- tls_reply.c --------------------------------------------------------- */

/* Takes both messages over. 0, or -1: it will not leave. */
int tls_reply(struct sip_stack *stack, const struct channel *channel,
	      msg_t *reply, int status, const char *phrase, msg_t *request);

#endif
