/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to the systems, and what their users do, within the span. */
#include "describe.h"
#include "intruder.h"
#include "plan.h"
#include "simulation.h"

#define OPERATOR_MAX_US (20u * (uint64_t)SECOND_US)

static void act(void *arg, uint64_t value)
{
	struct sim *sim = arg;

	(void)value;
	clients_act(sim->clients);
}

static void change_provisioning(void *arg, uint64_t value)
{
	struct sim *sim = arg;

	(void)value;
	clients_change_provisioning(sim->clients);
}

static void restart(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	if (!sim->nodes[i].up)
		node_start(&sim->nodes[i]);
}

static void reload_server(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	database_provisioning_changed(sim->nodes[i].database);
}

static void reload_gateway(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	gateway_node_reload(sim->gateways[i]);
}

/* Operators are not equally fast: for a while each has its own view. */
static void reload_system(struct sim *sim, unsigned system)
{
	sim_after(sim, random_below(&sim->random, OPERATOR_MAX_US),
		  reload_server, sim, system);
	for (unsigned i = 0; i < SIM_GATEWAYS; i++)
		sim_after(sim, random_below(&sim->random, OPERATOR_MAX_US),
			  reload_gateway, sim, system * SIM_GATEWAYS + i);
}

/* The system's messages to another one take the other path from now on. */
static void move(void *arg, uint64_t system)
{
	struct sim *sim = arg;
	unsigned own = (unsigned)system;
	unsigned other =
	    (own + (unsigned)random_between(&sim->random, 1, SIM_SYSTEMS - 1)) %
	    SIM_SYSTEMS;

	if (!sim->plan.gateways[own] || sim->healed)
		return;
	sim->plan.via[own][other] ^= true;
	sim_tell(sim, "       %s reaches %s %s", describe_party(own),
		 describe_party(other),
		 sim->plan.via[own][other] ? "by its gateways" : "directly");
	reload_system(sim, own);
	reload_system(sim, other);
}

static void intrude(void *arg, uint64_t value)
{
	(void)value;
	intruder_act(arg);
}

/* Mostly short, in long runs up to half of it. */
static uint64_t draw_pause_us(struct sim *sim)
{
	uint64_t longest_us = sim->plan.span_us / 2;
	bool is_short = random_chance(&sim->random, 500) ||
			sim->plan.retention_us < sim->plan.span_us;

	if (is_short && longest_us > 20 * SECOND_US)
		longest_us = 20 * SECOND_US;
	return random_between(&sim->random, 1000, longest_us);
}

static void crash(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	node_crash(&sim->nodes[i]);
	sim_after(sim, draw_pause_us(sim), restart, sim, i);
}

static void gateway_restart(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	gateway_node_start(sim->gateways[i]);
}

/* Of the system's gateways. */
static void gateway_crash(void *arg, uint64_t system)
{
	struct sim *sim = arg;
	uint64_t i = system * SIM_GATEWAYS +
		     random_below(&sim->random, sim->plan.gateways[system]);

	gateway_node_crash(sim->gateways[i]);
	sim_after(sim, draw_pause_us(sim), gateway_restart, sim, i);
}

static void scscf_restart(void *arg, uint64_t party)
{
	struct sim *sim = arg;

	scscf_start(sim->scscfs, (unsigned)party);
}

static void scscf_crashes(void *arg, uint64_t system)
{
	struct sim *sim = arg;
	unsigned party = party_of_scscf(
	    (unsigned)system, (unsigned)random_below(&sim->random, SIM_SCSCFS));

	if (!sim->plan.ims[system])
		return;
	scscf_crash(sim->scscfs, party);
	sim_after(sim, draw_pause_us(sim), scscf_restart, sim, party);
}

static void return_home(void *arg, uint64_t value)
{
	struct sim *sim = arg;
	unsigned user = (unsigned)random_below(&sim->random, sim->plan.users);

	(void)value;
	scscf_register(sim->scscfs, clients_user(sim->clients, user),
		       random_chance(&sim->random, 900));
}

static void outage_ends(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	database_return(sim->nodes[i].database);
}

static void outage(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	database_leave(sim->nodes[i].database);
	sim_after(sim, draw_pause_us(sim), outage_ends, sim, i);
}

static void heal_ims(struct sim *sim, unsigned system)
{
	for (unsigned i = 0; sim->plan.ims[system] && i < SIM_SCSCFS; i++)
		scscf_start(sim->scscfs, party_of_scscf(system, i));
	if (sim->plan.ims[system] && sim->plan.scscf_gone[system])
		scscf_crash(sim->scscfs, party_of_scscf(system, 0));
}

static void heal(void *arg, uint64_t value)
{
	struct sim *sim = arg;

	(void)value;
	sim_tell(sim, "       no more faults");
	sim->healed = true;
	for (unsigned i = 0; i < SIM_SYSTEMS; i++) {
		sim->is_cut[i] = false;
		database_return(sim->nodes[i].database);
		restart(sim, i);
		database_provisioning_changed(sim->nodes[i].database);
	}
	for (unsigned i = 0; i < GATEWAYS; i++)
		gateway_node_heal(sim->gateways[i]);
	for (unsigned i = 0; i < SIM_SYSTEMS; i++)
		heal_ims(sim, i);
}

static void link_returns(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	sim->is_cut[i] = false;
}

/* Between the two systems that are not i. */
static void cut(void *arg, uint64_t i)
{
	struct sim *sim = arg;

	sim_tell(sim, "       %s and %s are cut off from each other",
		 describe_party((unsigned)(i + 1) % SIM_SYSTEMS),
		 describe_party((unsigned)(i + 2) % SIM_SYSTEMS));
	sim->is_cut[i] = true;
	sim_after(sim, draw_pause_us(sim), link_returns, sim, i);
}

static void spread(struct sim *sim, unsigned count, schedule_h *handler)
{
	for (unsigned i = 0; i < count; i++)
		sim_after(sim, random_below(&sim->random, sim->plan.span_us),
			  handler, sim,
			  random_below(&sim->random, SIM_SYSTEMS));
}

void faults_spread(struct sim *sim)
{
	spread(sim, sim->plan.actions, act);
	spread(sim, sim->plan.crashes, crash);
	spread(sim, sim->plan.crashes, gateway_crash);
	spread(sim, sim->plan.scscf_crashes, scscf_crashes);
	spread(sim, sim->plan.returns, return_home);
	spread(sim, sim->plan.intrusions, intrude);
	spread(sim, sim->plan.moves, move);
	spread(sim, sim->plan.outages, outage);
	spread(sim, sim->plan.cuts, cut);
	spread(sim, sim->plan.provision, change_provisioning);
	sim_after(sim, sim->plan.span_us, heal, sim, 0);
}
