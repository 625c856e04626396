/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which next hops are down: those that left so many requests in a row without
 * any answer, until something comes from them again. Of the next hops that
 * somebody asks about only, so that nobody who sends us something can have us
 * probe him, or others.
 */
#ifndef MCMIG_SIP_BREAKER_H
#define MCMIG_SIP_BREAKER_H

#include "sip/internal.h"
#include "sip/names.h"

struct breaker;

/* `failures` 0: none is ever down. */
int breaker_create(struct sip_stack *stack, uint32_t failures,
		   uint32_t probe_interval_ms);
void breaker_destroy(struct sip_stack *stack);

/* From now on it is watched, until nobody has used it for an hour. */
bool breaker_is_down(struct sip *base, const char *next_hop);
/* An answer has come from it, of whatever kind. */
void breaker_answered(struct sip_stack *stack, const char *next_hop);
/* What was sent to it at `sent_ms` has found none; `why` for the log. `names`
 * (NULL but on TLS) are those that probes will have it prove. */
void breaker_failed(struct sip_stack *stack, const char *next_hop,
		    enum sip_side side, uint64_t sent_ms,
		    const struct names *names, const char *why);

#endif
