/* SPDX-License-Identifier: BSD-2-Clause */
#include "simulation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "describe.h"
#include "intruder.h"
#include "net.h"

#define SECOND_US 1000000u
/* Nobody tries longer to reach a client. */
#define RESPONSE_EXPIRY_US (300u * (uint64_t)SECOND_US)
#define GATEWAYS (SIM_SYSTEMS * SIM_GATEWAYS)
#define MENDS 2
#define OPERATOR_MAX_US (20u * (uint64_t)SECOND_US)
#define REST_MAX_US (300u * (uint64_t)SECOND_US)

struct sim *sim_create(void)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		abort();
	sim->schedule = schedule_create();
	sim->net = net_create(sim);
	sim->clients = clients_create(sim);
	sim->check = check_create(sim);
	for (unsigned i = 0; i < SIM_SYSTEMS; i++)
		node_init(&sim->nodes[i], sim, i);
	for (unsigned i = 0; i < GATEWAYS; i++)
		sim->gateways[i] = gateway_node_create(sim, PARTY_GATEWAYS + i);
	return sim;
}

void sim_destroy(struct sim *sim)
{
	if (!sim)
		return;
	for (unsigned i = 0; i < SIM_SYSTEMS; i++)
		node_fini(&sim->nodes[i]);
	for (unsigned i = 0; i < GATEWAYS; i++)
		gateway_node_destroy(sim->gateways[i]);
	check_destroy(sim->check);
	clients_destroy(sim->clients);
	net_destroy(sim->net);
	schedule_destroy(sim->schedule);
	free(sim);
}

void sim_after(struct sim *sim, uint64_t delay_us, schedule_h *handler,
	       void *arg, uint64_t value)
{
	schedule_add(sim->schedule, sim->now_us + delay_us, handler, arg,
		     value);
}

void sim_violation(struct sim *sim, const char *format, ...)
{
	va_list args;

	if (*sim->violation)
		return;
	va_start(args, format);
	vsnprintf(sim->violation, sizeof(sim->violation), format, args);
	va_end(args);
	sim_tell(sim, "VIOLATION: %s", sim->violation);
}

void sim_ladder(const struct sim *sim, const char *format, ...)
{
	va_list args;

	printf("%8.3f  ", (double)sim->now_us / SECOND_US);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* -------------------------------------------------------------------- plan */

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

static void draw_plan(struct sim *sim)
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
	plan->probes = random_chance(random, 700);
	plan->refuses = random_chance(random, 500);
	plan->peer_rate = random_chance(random, 800) ? 0 : 20;
	plan->user_rate = random_chance(random, 800) ? 0 : 2;
	draw_gateways(sim);
	draw_tokens(sim);
	plan->span_us = random_between(random, 1, 150) * SECOND_US;
	if (random_chance(random, 100))
		plan->span_us *= 6;
	plan->retention_us = retentions_s[random_below(random, 3)] * SECOND_US;
	if (sim->options.actions)
		plan->actions = sim->options.actions;
}

/* ------------------------------------------------------------------- faults */

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

static void begin(struct sim *sim)
{
	uint64_t seed = sim->options.seed * 0x9E3779B97F4A7C15u + 1;

	sim->now_us = 0;
	sim->healed = false;
	memset(sim->is_cut, 0, sizeof(sim->is_cut));
	sim->violation[0] = '\0';
	sim->random.state = seed;
	schedule_reset(sim->schedule, seed ^ 0x5DEECE66Du);
	draw_plan(sim);
	node_use_clock(sim);
	net_reset(sim->net);
	check_reset(sim->check);
	for (unsigned i = 0; i < SIM_SYSTEMS; i++)
		database_reset(sim->nodes[i].database);
	clients_reset(sim->clients);
	for (unsigned i = 0; i < SIM_SYSTEMS; i++)
		node_start(&sim->nodes[i]);
	for (unsigned i = 0; i < GATEWAYS; i++)
		gateway_node_start(sim->gateways[i]);
	net_up(sim->net, PARTY_INTRUDER);
	spread(sim, sim->plan.actions, act);
	spread(sim, sim->plan.crashes, crash);
	spread(sim, sim->plan.crashes, gateway_crash);
	spread(sim, sim->plan.intrusions, intrude);
	spread(sim, sim->plan.moves, move);
	spread(sim, sim->plan.outages, outage);
	spread(sim, sim->plan.cuts, cut);
	spread(sim, sim->plan.provision, change_provisioning);
	sim_after(sim, sim->plan.span_us, heal, sim, 0);
}

/* --------------------------------------------------------------------- run */

static void step(struct sim *sim)
{
	uint64_t next_us = schedule_next_us(sim->schedule);
	struct gateway_node *due_gateway = NULL;
	struct node *due = NULL;

	for (unsigned i = 0; i < SIM_SYSTEMS; i++) {
		uint64_t node_us = node_next_us(&sim->nodes[i]);

		if (node_us < next_us) {
			next_us = node_us;
			due = &sim->nodes[i];
		}
	}
	for (unsigned i = 0; i < GATEWAYS; i++) {
		uint64_t gateway_us = gateway_node_next_us(sim->gateways[i]);

		if (gateway_us < next_us) {
			next_us = gateway_us;
			due_gateway = sim->gateways[i];
		}
	}
	if (next_us > sim->now_us)
		sim->now_us = next_us;
	if (due_gateway)
		gateway_node_run_timers(due_gateway);
	else if (due)
		node_run_timers(due);
	else
		schedule_run_next(sim->schedule);
	sim->steps++;
}

static bool is_quiet(const struct sim *sim)
{
	for (unsigned i = 0; i < SIM_SYSTEMS; i++) {
		if (!node_is_idle(&sim->nodes[i]))
			return false;
	}
	return clients_are_quiet(sim->clients) && check_is_quiet(sim->check);
}

static void run_until(struct sim *sim, uint64_t until_us)
{
	while (sim->now_us < until_us && !*sim->violation)
		step(sim);
}

/* Quiet, and still so when the last copy has arrived. */
static void run_to_rest(struct sim *sim)
{
	uint64_t begun_us = sim->now_us;
	uint64_t give_up_us = begun_us + REST_MAX_US;

	while (!*sim->violation && !is_quiet(sim)) {
		if (sim->now_us > give_up_us) {
			check_report_unrest(sim->check);
			return;
		}
		run_until(sim, sim->now_us + SECOND_US);
	}
	if (sim->now_us - begun_us > sim->longest_rest_us)
		sim->longest_rest_us = sim->now_us - begun_us;
	run_until(sim, sim->now_us + sim->plan.max_delay_us + 40 * SECOND_US);
	if (!*sim->violation && !is_quiet(sim))
		run_until(sim, sim->now_us + 20 * SECOND_US);
	if (!*sim->violation && !is_quiet(sim))
		check_report_unrest(sim->check);
	if (!*sim->violation) {
		check_instant(sim->check);
		if (sim->plan.span_us < RESPONSE_EXPIRY_US)
			clients_check_end(sim->clients);
	}
}

static bool are_all_there(const struct sim *sim)
{
	for (unsigned i = 0; i < GATEWAYS; i++) {
		if (sim->plan.gone[i])
			return false;
	}
	return true;
}

/*
 * Where a gateway has lied, the user's next authorization puts it right. It may
 * fail while nobody has noticed that gateways are gone: on the way there and on
 * the way back one attempt is lost, and that is nearly all the time there is.
 */
static void mend(struct sim *sim, unsigned system, unsigned user)
{
	for (unsigned i = 0; i < MENDS; i++) {
		if (*sim->violation ||
		    !check_is_doubtful(sim->check, system, user) ||
		    !clients_authorize_anew(sim->clients, user, system))
			return;
		run_until(sim, sim->now_us + SECOND_US);
		run_to_rest(sim);
	}
	if (are_all_there(sim) && !*sim->violation &&
	    check_is_doubtful(sim->check, system, user))
		sim_violation(sim,
			      "what a gateway's lie has done to ue%u at %s "
			      "outlives new authorizations",
			      user + 1, describe_party(system));
}

static void mend_all(struct sim *sim)
{
	if (*sim->violation || !sim->plan.lies)
		return;
	clients_restore_provisioning(sim->clients);
	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		for (unsigned user = 0; user < sim->plan.users; user++)
			mend(sim, system, user);
	}
}

bool sim_run(struct sim *sim, const struct sim_options *options)
{
	sim->options = *options;
	begin(sim);
	run_until(sim, sim->plan.span_us + 1);
	run_to_rest(sim);
	mend_all(sim);
	sim->options.ladder = false;
	for (unsigned i = 0; i < SIM_SYSTEMS; i++)
		node_crash(&sim->nodes[i]);
	for (unsigned i = 0; i < GATEWAYS; i++)
		gateway_node_crash(sim->gateways[i]);
	node_use_clock(NULL);
	return !*sim->violation;
}
