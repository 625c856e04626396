/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody who has heard what the systems say to each other and says it again,
 * from where it may not be said: an address that nobody knows, or a system that
 * it is not of.
 */
#ifndef MCMIG_SIMULATION_INTRUDER_H
#define MCMIG_SIMULATION_INTRUDER_H

struct sim;

void intruder_act(struct sim *sim);

#endif
