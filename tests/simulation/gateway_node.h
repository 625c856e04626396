/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An MC gateway server: the real module between two sides of the network. A
 * crash forgets all; a start reads its settings again.
 */
#ifndef MCMIG_SIMULATION_GATEWAY_NODE_H
#define MCMIG_SIMULATION_GATEWAY_NODE_H

#include "mcinfo/mcinfo.h"

#define GATEWAY_ENTRY_US 6000000u
#define GATEWAY_EXIT_US 9000000u

struct gateway_node;
struct sim;

struct gateway_node *gateway_node_create(struct sim *sim, unsigned party);
void gateway_node_destroy(struct gateway_node *gateway);

/* Does nothing where the plan has none, or one that is up already. */
void gateway_node_start(struct gateway_node *gateway);
void gateway_node_crash(struct gateway_node *gateway);
/* The settings have changed: how other systems are reached. */
void gateway_node_reload(struct gateway_node *gateway);
/* Up, unless it is gone for good, and lets everything pass. */
void gateway_node_heal(struct gateway_node *gateway);

/* Whether its policy lets requests of this procedure pass to, or from, that
 * system. */
bool gateway_node_allows(const struct gateway_node *gateway, unsigned system,
			 bool to, enum mc_service service,
			 enum mcinfo_verb verb);

/* How many next hops it has towards that system, or its own. */
unsigned gateway_node_hops(const struct gateway_node *gateway, unsigned system);

/* When its next timer is due, on sim->now_us; UINT64_MAX: never. */
uint64_t gateway_node_next_us(const struct gateway_node *gateway);
void gateway_node_run_timers(struct gateway_node *gateway);

#endif
