/* SPDX-License-Identifier: BSD-2-Clause */
/* What a server sees of its IMS: module/ims.h, with the simulation's S-CSCFs. */
#ifndef MCMIG_SIMULATION_SERVER_IMS_H
#define MCMIG_SIMULATION_SERVER_IMS_H

#include "module/ims.h"

struct sim;

struct server_ims {
	struct ims ims; /* first */
	struct sim *sim;
	unsigned system;
	ims_registered_h *registered;
	void *arg;
	char route[SIP_URI_SIZE + 8];
};

void server_ims_init(struct server_ims *server, struct sim *sim,
		     unsigned system);
/* Registrations come by this stack. */
void server_ims_start(struct server_ims *server, struct sip *sip);

#endif
