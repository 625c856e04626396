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
#include "module/authorizer.h"
#include "party.h"

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

/* The identity management's word on a token of ours (module/authorizer.h). */
enum authorizer_result
clients_check_token(struct clients *clients,
		    const struct authorizer_request *request,
		    uint64_t node_now_us, const char **reasonp);
/* Whether that procedure may have been stored: a good token came with it. */
bool clients_were_allowed(const struct clients *clients,
			  const struct uuid *procedure_id);

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

/* Everybody may do everything again. */
void clients_restore_provisioning(struct clients *clients);
/* The user asks to be authorized there. false: no partner ID is free for it. */
bool clients_authorize_anew(struct clients *clients, unsigned user,
			    unsigned system);

/* Whether no client will send a request again by itself. */
bool clients_are_quiet(const struct clients *clients);
/* What was acknowledged must have been answered. */
void clients_check_end(struct clients *clients);

#endif
