/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a gateway may do, however the others behave: it forwards only what one
 * that may say so has sent it, where that belongs, and says that a message was
 * taken, or is not awaited, only when its next hop has said so, in time.
 */
#ifndef MCMIG_SIMULATION_CHECK_GATEWAY_H
#define MCMIG_SIMULATION_CHECK_GATEWAY_H

struct request;

/* A gateway is about to look at this: notes what it may do with it. */
void check_gateway_take(struct request *request);
/* A gateway is about to send this. */
void check_gateway_send(const struct request *request);
/* A gateway is about to answer this. */
void check_gateway_reply(const struct request *request, int status);

#endif
