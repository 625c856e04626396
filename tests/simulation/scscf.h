/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IMS of each system: S-CSCFs that carry the requests of its clients to its
 * server and the responses to them, and tell the server of registrations. They
 * remember nothing of it: what is under way is lost with them.
 */
#ifndef MCMIG_SIMULATION_SCSCF_H
#define MCMIG_SIMULATION_SCSCF_H

#include <stddef.h>

#include "party.h"

struct sim;
struct scscfs;
struct sim_user;

struct scscfs *scscfs_create(struct sim *sim);
void scscfs_destroy(struct scscfs *scscfs);
/* All are up, where the plan has an IMS. */
void scscfs_reset(struct scscfs *scscfs);

void scscf_start(struct scscfs *scscfs, unsigned party);
void scscf_crash(struct scscfs *scscfs, unsigned party);

/* The public user identity of a client. */
void scscf_identity(unsigned user, char *identity, size_t size);
/* The user registers at home; or somebody who has no account there. */
void scscf_register(struct scscfs *scscfs, const struct sim_user *user,
		    bool is_known);

#endif
