/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network: struct sip_ops for every party, with messages that get lost,
 * doubled, delayed and overtake each other, and with transactions as lib/sip
 * keeps them: a copy of a request is absorbed while it is pending and answered
 * again afterwards; a crash forgets them all.
 */
#ifndef MCMIG_SIMULATION_NET_H
#define MCMIG_SIMULATION_NET_H

#include "sip/sip.h"

struct net;
struct sim;

struct net *net_create(struct sim *sim);
void net_destroy(struct net *net);
/* Nothing is in flight and all parties are down. */
void net_reset(struct net *net);

/* Party i's stack; the party has to be up to send or to be reached. */
struct sip *net_sip(struct net *net, unsigned party);
/* sip:IP:PORT;transport=udp|tcp; only gateways have two. */
const char *net_uri(const struct net *net, unsigned party, enum sip_side side);
void net_up(struct net *net, unsigned party);
void net_down(struct net *net, unsigned party);

/* A third-party REGISTER of `identity` to the server of that system. */
void net_register(struct net *net, unsigned from, unsigned system,
		  const char *identity, sip_answer_h *answered);

/* Who sends now does it for `party`, until it is PARTIES again. */
void net_act_for(struct net *net, unsigned party);
/* Copies of requests of `from` that still fly do not arrive any more. */
void net_void(struct net *net, unsigned from);
/* A request of `from` was taken by somebody alive, and not answered yet. */
bool net_is_pending(const struct net *net, unsigned from);

#endif
