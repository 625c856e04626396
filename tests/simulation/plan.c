/* SPDX-License-Identifier: BSD-2-Clause */
/* What the seed draws for a run. */
#include "plan.h"

#include "simulation.h"

/* Each kind of fault is there in about half of the runs. */
static unsigned draw_fault(struct sim *sim, unsigned kind, unsigned max)
{
	unsigned drawn = (unsigned)random_below(&sim->random, max) + 1;
	bool on = random_chance(&sim->random, 500);

	return on && (sim->options.faults & kind) ? drawn : 0;
}

/* A third of the runs has none; else each system has its own. */
static void draw_gateways(struct sim *sim)
{
	struct sim_random *random = &sim->random;
	struct sim_plan *plan = &sim->plan;
	unsigned most = random_chance(random, 333)
			    ? 0
			    : 500 + 500 * random_chance(random, 500);

	for (unsigned i = 0; i < SIM_SYSTEMS; i++) {
		if (!random_chance(random, most))
			continue;
		plan->gateways[i] =
		    (unsigned)random_between(random, 1, SIM_GATEWAYS);
		for (unsigned j = 0; j < SIM_SYSTEMS; j++)
			plan->via[i][j] = i != j && random_chance(random, 800);
		if (plan->gateways[i] > 1 && draw_fault(sim, FAULT_CRASH, 1))
			plan->gone[i * SIM_GATEWAYS +
				   random_below(random, SIM_GATEWAYS)] = true;
	}
	for (unsigned i = 0; i < GATEWAYS; i++)
		plan->rogue[i] = draw_fault(sim, FAULT_ROGUE, 400);
	plan->lies = draw_fault(sim, FAULT_ROGUE, 1) != 0;
}

static void draw_tokens(struct sim *sim)
{
	static const uint64_t lives_s[] = { 2, 20, 120, 3600 };
	struct sim_plan *plan = &sim->plan;
	uint64_t life_s = lives_s[random_below(&sim->random, 4)];

	plan->token_life_us =
	    draw_fault(sim, FAULT_TOKEN, 1) * life_s * SECOND_US;
	plan->token_later = draw_fault(sim, FAULT_TOKEN, 300);
	plan->tokens_pin =
	    random_chance(&sim->random, 500) && plan->token_life_us;
}

/* Half of the systems have one; then all come through it, or some do. */
static void draw_ims(struct sim *sim)
{
	struct sim_plan *plan = &sim->plan;

	for (unsigned i = 0; i < SIM_SYSTEMS; i++) {
		if (random_chance(&sim->random, 500))
			plan->ims[i] =
			    500 + 500 * random_chance(&sim->random, 500);
		plan->scscf_gone[i] = draw_fault(sim, FAULT_CRASH, 1) != 0;
	}
	plan->scscf_crashes = draw_fault(sim, FAULT_CRASH, 8);
	plan->returns = (unsigned)random_below(&sim->random, 8);
}

void plan_draw(struct sim *sim)
{
	static const uint64_t delays_us[] = { 100000, 1000000, 8000000 };
	static const uint64_t retentions_s[] = { 100, 3600, 3600 };
	static const unsigned disputes[] = { 0, 250, 900 };
	struct sim_random *random = &sim->random;
	struct sim_plan *plan = &sim->plan;

	*plan = (struct sim_plan){ 0 };
	plan->users = (unsigned)random_between(random, 1, 3);
	plan->actions = (unsigned)random_between(random, 2, 14);
	plan->disputes = disputes[random_below(random, 3)];
	plan->partners = (unsigned)random_between(random, 1, SIM_SYSTEMS);
	plan->loss = draw_fault(sim, FAULT_LOSS, 300);
	plan->twice = draw_fault(sim, FAULT_DOUBLE, 300);
	plan->late = draw_fault(sim, FAULT_DELAY, 300);
	plan->max_delay_us = delays_us[random_below(random, 3)];
	plan->reliable = random_chance(random, 500);
	plan->crashes = draw_fault(sim, FAULT_CRASH, 8);
	plan->outages = draw_fault(sim, FAULT_OUTAGE, 4);
	plan->cuts = draw_fault(sim, FAULT_CUT, 4);
	plan->commit_unknown = draw_fault(sim, FAULT_COMMIT, 100);
	plan->commit_slow = draw_fault(sim, FAULT_COMMIT, 60);
	plan->between = draw_fault(sim, FAULT_BETWEEN, 300);
	plan->provision = draw_fault(sim, FAULT_PROVISION, 6);
	plan->moves = draw_fault(sim, FAULT_PROVISION, 4);
	plan->denials = draw_fault(sim, FAULT_PROVISION, 300);
	plan->intrusions = draw_fault(sim, FAULT_INTRUDE, 20);
	plan->doubts = draw_fault(sim, FAULT_LOSS, 100);
	plan->busy = draw_fault(sim, FAULT_LOSS, 100);
	plan->probes = random_chance(random, 700);
	plan->refuses = random_chance(random, 500);
	plan->peer_rate = random_chance(random, 800) ? 0 : 2;
	plan->user_rate = random_chance(random, 800) ? 0 : 2;
	draw_gateways(sim);
	draw_tokens(sim);
	draw_ims(sim);
	plan->span_us = random_between(random, 1, 150) * SECOND_US;
	if (random_chance(random, 100))
		plan->span_us *= 6;
	plan->retention_us = retentions_s[random_below(random, 3)] * SECOND_US;
	if (sim->options.actions)
		plan->actions = sim->options.actions;
}
