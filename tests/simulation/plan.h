/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run is made of (struct sim_plan), and when what of it happens. */
#ifndef MCMIG_SIMULATION_PLAN_H
#define MCMIG_SIMULATION_PLAN_H

struct sim;

/* plan.c */
void plan_draw(struct sim *sim);
/* faults.c: all that is planned, and the moment after which all behaves. */
void faults_spread(struct sim *sim);

#endif
