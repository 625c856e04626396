/* SPDX-License-Identifier: BSD-2-Clause */
#include "node.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "describe.h"
#include "migration/migration.h"
#include "simulation.h"

#define MONOTONIC_START_MS 1000u
#define FLUSH_PAUSE_MAX_US 50000u

/* ------------------------------------------------------------------ clocks */

static struct sim *running;
static int64_t skew_us;

static uint64_t monotonic_ms(void)
{
	return running->now_us / 1000 + MONOTONIC_START_MS;
}

static uint64_t utc_us(void)
{
	return NODE_START_UTC_US + running->now_us + (uint64_t)skew_us;
}

void node_use_clock(struct sim *sim)
{
	static const struct clock_source source = { monotonic_ms, utc_us };

	running = sim;
	clock_override(sim ? &source : NULL);
}

/* ------------------------------------------------------------------- flush */

static void flush(void *arg, uint64_t number);

static void plan_flush(struct node *node, uint64_t delay_us)
{
	uint64_t due_us = node->sim->now_us + delay_us;

	if (node->flush_due_us && node->flush_due_us <= due_us)
		return;
	node->flush_due_us = due_us;
	sim_after(node->sim, delay_us, flush, node, ++node->flush_number);
}

/* Again and again while there is work, less often while nothing comes. */
static void flush(void *arg, uint64_t number)
{
	struct node *node = arg;

	if (number != node->flush_number || !node->up)
		return;
	skew_us = node->skew_us;
	node->flush_due_us = 0;
	store_flush(node->store);
	if (!store_pending(node->store))
		return;
	if (node->flush_pause_us < FLUSH_PAUSE_MAX_US)
		node->flush_pause_us *= 2;
	plan_flush(node, node->flush_pause_us);
}

void node_enter(struct sim *sim, unsigned party)
{
	struct node *node;

	skew_us = 0;
	if (party >= SIM_SYSTEMS)
		return;
	node = &sim->nodes[party];
	skew_us = node->skew_us;
	if (!node->up)
		return;
	node->flush_pause_us = 500;
	plan_flush(node, random_below(&sim->random, 500) + 1);
}

/* -------------------------------------------------------------------- life */

void node_init(struct node *node, struct sim *sim, unsigned index)
{
	*node = (struct node){ .sim = sim, .index = index };
	snprintf(node->system, sizeof(node->system), "%c.example", 'a' + index);
	node->database = database_create(sim, index);
	node->settings = malloc(sizeof(*node->settings));
	if (!node->settings)
		abort();
}

void node_fini(struct node *node)
{
	database_destroy(node->database);
	free(node->settings);
}

static enum authorizer_result
check_token(struct authorizer *authorizer,
	    const struct authorizer_request *request, const char **reasonp)
{
	struct node *node = (struct node *)((char *)authorizer -
					    offsetof(struct node, authorizer));
	struct sim *sim = node->sim;

	return clients_check_token(sim->clients, request,
				   sim->now_us + (uint64_t)node->skew_us,
				   reasonp);
}

static struct migration_settings make_settings(const struct sim_plan *plan,
					       unsigned system)
{
	static char required[] = "required";
	static char lab[] = "lab";

	return (struct migration_settings){
		.authorization_deadline_ms = 30000,
		.deauthorization_deadline_ms = 15000,
		.attempt_deadline_ms = 12000,
		.failover_deadline_ms = 4000,
		.response_expiry_ms = 300000,
		.retry_min_ms = 1000,
		.retry_max_ms = 60000,
		.order_window_ms = 60000,
		.deliveries_max = 1000,
		.notify_primary = true,
		.returned_home = plan->ims[system] > 0,
		.pinning = required,
		.tokens = plan->token_life_us ? required : lab,
		.peer_rate = plan->peer_rate,
		.user_rate = plan->user_rate,
	};
}

void node_start(struct node *node)
{
	struct sim *sim = node->sim;
	const struct store_config config = {
		.queue_max = 1000,
		.batch_max = 1 + (uint32_t)random_below(&sim->random, 4),
		.cache_max = (uint32_t)random_below(&sim->random, 4),
		.commit_deadline_ms = 4000,
		.retention_us = sim->plan.retention_us,
	};

	sim_tell(sim, "%s     starts", describe_party(node->index));
	node->skew_us = (int64_t)random_below(&sim->random, 1000001) - 500000;
	node->flush_due_us = 0;
	node->authorizer.check = check_token;
	server_ims_init(&node->ims, sim, node->index);
	*node->settings = make_settings(&sim->plan, node->index);
	if (timers_create(&node->timers) || stats_create(&node->stats))
		abort();
	node->core = (struct core){
		.timers = node->timers,
		.stats = node->stats,
		.system = node->system,
		.node = node->system,
		.authorizer = &node->authorizer,
		.ims = sim->plan.ims[node->index] ? &node->ims.ims : NULL,
		.backend = database_backend(node->database),
	};
	if (mcmig_module.init(&node->core, node->settings, &node->migration))
		abort();
	if (store_create(&node->store, NULL, node->timers, node->stats,
			 node->core.backend, &config))
		abort();
	node->core.store = node->store;
	node->core.sip = net_sip(sim->net, node->index);
	net_up(sim->net, node->index);
	node->up = true;
	node_enter(sim, node->index);
	if (mcmig_module.start(node->migration) || store_start(node->store))
		abort();
	server_ims_start(&node->ims, node->core.sip);
}

void node_crash(struct node *node)
{
	if (!node->up)
		return;
	sim_tell(node->sim, "%s     crashes", describe_party(node->index));
	node->up = false;
	net_down(node->sim->net, node->index);
	store_destroy(node->store);
	node->core.store = NULL;
	node->core.sip = NULL;
	mcmig_module.stop(node->migration);
	stats_destroy(node->stats);
	timers_destroy(node->timers);
}

bool node_is_idle(const struct node *node)
{
	return node->up && store_is_up(node->store) &&
	       !store_pending(node->store) && !database_is_busy(node->database);
}

uint64_t node_next_us(const struct node *node)
{
	int wait_ms;

	if (!node->up)
		return UINT64_MAX;
	wait_ms = timers_next_ms(node->timers);
	if (wait_ms < 0)
		return UINT64_MAX;
	return (node->sim->now_us / 1000 + (uint64_t)wait_ms) * 1000;
}

void node_run_timers(struct node *node)
{
	node_enter(node->sim, node->index);
	timers_run(node->timers);
}

/* --------------------------------------------------------------- directory */

int node_find(const struct sim *sim, const char *system)
{
	for (int i = 0; i < SIM_SYSTEMS; i++) {
		if (!strcmp(sim->nodes[i].system, system))
			return i;
	}
	return -1;
}

/* What stands at that system's border towards us, else its server. */
static int add_servers(struct directory *directory, const struct sim *sim,
		       unsigned own, unsigned other)
{
	const char *name = sim->nodes[other].system;
	int err = 0;

	if (!sim->plan.via[other][own])
		return directory_add_server(
		    directory, name, net_uri(sim->net, other, SIP_INSIDE), 1,
		    1);
	for (unsigned i = 0; !err && i < sim->plan.gateways[other]; i++)
		err = directory_add_server(
		    directory, name,
		    net_uri(sim->net, party_of_gateway(other, i), SIP_OUTSIDE),
		    i + 1, 1);
	return err;
}

struct directory *node_make_directory(struct sim *sim, unsigned own)
{
	struct directory *directory;
	int err = directory_create(&directory);

	for (unsigned i = 0; !err && i < SIM_SYSTEMS; i++) {
		const char *name = sim->nodes[i].system;
		bool by_gateway = sim->plan.via[own][i];

		err = directory_add_system(directory, name, true, by_gateway);
		if (!err)
			err = directory_add_domain(directory, name, name);
		if (!err && !by_gateway)
			err = add_servers(directory, sim, own, i);
	}
	for (unsigned i = 0; !err && i < sim->plan.gateways[own]; i++)
		err = directory_add_gateway(
		    directory,
		    net_uri(sim->net, party_of_gateway(own, i), SIP_INSIDE),
		    i + 1, 1);
	if (err)
		abort();
	return directory;
}
