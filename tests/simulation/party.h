/* SPDX-License-Identifier: BSD-2-Clause */
/* Who takes part: the servers of the systems, their gateways, the users'
 * clients, one that should be heard by nobody, and the nodes of their IMS. */
#ifndef MCMIG_SIMULATION_PARTY_H
#define MCMIG_SIMULATION_PARTY_H

#include <stdbool.h>

#define SIM_SYSTEMS 3
#define SIM_GATEWAYS 2 /* of one system, at most */
#define SIM_SCSCFS 2   /* of one system with an IMS */
#define GATEWAYS (SIM_SYSTEMS * SIM_GATEWAYS)
#define SIM_USERS_MAX 4

enum party_range {
	PARTY_GATEWAYS = SIM_SYSTEMS, /* the servers are before them */
	PARTY_CLIENTS = PARTY_GATEWAYS + GATEWAYS,
	PARTY_INTRUDER = PARTY_CLIENTS + SIM_USERS_MAX,
	PARTY_SCSCFS = PARTY_INTRUDER + 1,
	PARTIES = PARTY_SCSCFS + SIM_SYSTEMS * SIM_SCSCFS,
};

static inline bool party_is_gateway(unsigned party)
{
	return party >= PARTY_GATEWAYS && party < PARTY_CLIENTS;
}

/* A server or a gateway: what belongs to an MC system. */
static inline bool party_is_of_system(unsigned party)
{
	return party < PARTY_CLIENTS;
}

static inline unsigned party_system(unsigned party)
{
	return party < PARTY_GATEWAYS ? party
				      : (party - PARTY_GATEWAYS) / SIM_GATEWAYS;
}

static inline unsigned scscf_system(unsigned party)
{
	return (party - PARTY_SCSCFS) / SIM_SCSCFS;
}

static inline unsigned party_of_scscf(unsigned system, unsigned i)
{
	return PARTY_SCSCFS + system * SIM_SCSCFS + i;
}

static inline unsigned party_of_gateway(unsigned system, unsigned i)
{
	return PARTY_GATEWAYS + system * SIM_GATEWAYS + i;
}

#endif
