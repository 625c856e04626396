/* SPDX-License-Identifier: BSD-2-Clause */
#include "simulation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "describe.h"
#include "net.h"
#include "plan.h"

/* Nobody tries longer to reach a client. */
#define RESPONSE_EXPIRY_US (300u * (uint64_t)SECOND_US)
#define REST_MAX_US (300u * (uint64_t)SECOND_US)

struct sim *sim_create(void)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		abort();
	sim->schedule = schedule_create();
	sim->net = net_create(sim);
	sim->clients = clients_create(sim);
	sim->scscfs = scscfs_create(sim);
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
	scscfs_destroy(sim->scscfs);
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

static void begin(struct sim *sim)
{
	uint64_t seed = sim->options.seed * 0x9E3779B97F4A7C15u + 1;

	sim->now_us = 0;
	sim->healed = false;
	memset(sim->is_cut, 0, sizeof(sim->is_cut));
	sim->violation[0] = '\0';
	sim->random.state = seed;
	schedule_reset(sim->schedule, seed ^ 0x5DEECE66Du);
	plan_draw(sim);
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
	scscfs_reset(sim->scscfs);
	faults_spread(sim);
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
	if (*sim->violation || !check_is_doubtful(sim->check, system, user) ||
	    !clients_authorize_anew(sim->clients, user, system))
		return;
	run_until(sim, sim->now_us + SECOND_US);
	run_to_rest(sim);
	if (are_all_there(sim) && !*sim->violation &&
	    check_is_doubtful(sim->check, system, user))
		sim_violation(sim,
			      "what a gateway's lie has done to ue%u at %s "
			      "outlives a new authorization",
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
