/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users with a client each: they go to other systems, on from there, and home,
 * ask again with the same procedure ID, a new one or none, and dispute partner
 * IDs. One that stamps an order acts without waiting; one that does not waits
 * for the outcome before it goes to another system, as it should.
 */
#ifndef MCMIG_SIMULATION_CLIENT_H
#define MCMIG_SIMULATION_CLIENT_H

#include "mcinfo/mcinfo.h"

#define SIM_USERS_MAX 4

struct sim;
struct clients;

struct sim_user {
	struct clients *clients;
	unsigned index;
	unsigned home; /* system */
	enum mc_service service;
	char primary_id[MCID_SIZE];
	bool stamps_order;
	uint64_t visits; /* systems gone to, counting returns */
};

struct clients *clients_create(struct sim *sim);
void clients_destroy(struct clients *clients);
/* New users as the plan says, provisioned in the tables of all systems. */
void clients_reset(struct clients *clients);

const struct sim_user *clients_user(const struct clients *clients, unsigned i);
const struct sim_user *clients_find_user(const struct clients *clients,
					 enum mc_service service,
					 const char *primary_id);

/* Some user does something. */
void clients_act(struct clients *clients);
/* Somebody's permission, admission or account comes or goes. */
void clients_change_provisioning(struct clients *clients);

/* Whether no client will send a request again by itself. */
bool clients_are_quiet(const struct clients *clients);
/* What was acknowledged must have been answered. */
void clients_check_end(struct clients *clients);

#endif
