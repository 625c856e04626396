/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gateways that misbehave, by seed, until the run heals: some change statuses,
 * are silent, give up too early or repeat old messages; some lie.
 */
#ifndef MCMIG_SIMULATION_ROGUE_H
#define MCMIG_SIMULATION_ROGUE_H

#include <stdbool.h>
#include <stdint.h>

enum rogue_mode {
	ROGUE_NOT,
	ROGUE_STATUS,  /* another final status, never 200 or 481 */
	ROGUE_SILENT,  /* the answer is lost */
	ROGUE_EARLY,   /* 504 at once; the relay goes on */
	ROGUE_SLOW,    /* it is looked at when the sender has given up */
	ROGUE_AGAIN,   /* it is relayed twice, the second time much later */
	ROGUE_SWALLOW, /* 200 at once, and nothing is delivered: a lie */
	ROGUE_DENY,    /* 481 instead of 200: a lie too */
};

struct request;
struct sip_reply;

/* What becomes of a request that a gateway takes now. */
enum rogue_mode rogue_draw(const struct request *request);
/* The answer that the rogue gives in place of `reply`; false: none. */
bool rogue_replaces(const struct request *request, struct sip_reply *reply);

#endif
