/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"
#include "describe.h"
#include "gateway/gateway.h"
#include "net.h"
#include "simulation.h"

/* Its export has another name here, for two modules are linked. */
extern const struct module gateway_module;

#define HOPS_MAX SIM_GATEWAYS
#define HOP_SIZE 80

struct section {
	char hops[HOPS_MAX][HOP_SIZE];
	char *hop_list[HOPS_MAX];
	char *domain_list[1];
	struct gateway_system_settings settings;
	bool denies_to, denies_from;
};

struct configuration {
	struct gateway_settings settings;
	char *own_domain_list[1];
	struct section sections[SIM_SYSTEMS];
	struct gateway_server_settings server;
	struct setting_section server_items[1];
	struct setting_section system_items[SIM_SYSTEMS];
};

struct gateway_node {
	struct sim *sim;
	unsigned party;
	bool up;
	struct timers *timers;
	struct stats *stats;
	struct core core;
	void *module;
	/* The module may look at the old one until a reload is over. */
	struct configuration configurations[2];
	struct configuration *current;
};

struct gateway_node *gateway_node_create(struct sim *sim, unsigned party)
{
	struct gateway_node *gateway = calloc(1, sizeof(*gateway));

	if (!gateway)
		abort();
	gateway->sim = sim;
	gateway->party = party;
	gateway->current = &gateway->configurations[0];
	return gateway;
}

void gateway_node_destroy(struct gateway_node *gateway)
{
	free(gateway);
}

/* ---------------------------------------------------------------- settings */

static char empty[] = "";

static void add_hop(struct section *section, const char *uri, unsigned priority)
{
	struct setting_list *hops = &section->settings.next_hops;

	snprintf(section->hops[hops->count], HOP_SIZE, "%s %u 1", uri,
		 priority);
	section->hop_list[hops->count] = section->hops[hops->count];
	hops->values = section->hop_list;
	hops->count++;
}

/* Its gateways where it has put some between us and itself, else its server. */
static void add_hops(const struct sim *sim, struct section *section,
		     unsigned own, unsigned other)
{
	if (!sim->plan.via[other][own]) {
		add_hop(section, net_uri(sim->net, other, SIP_INSIDE), 1);
		return;
	}
	for (unsigned i = 0; i < sim->plan.gateways[other]; i++)
		add_hop(section,
			net_uri(sim->net, party_of_gateway(other, i),
				SIP_OUTSIDE),
			i + 1);
}

/* Some let only one kind of procedure pass, until the run heals. */
static struct setting_list make_policy(struct sim *sim, bool *denies)
{
	static char all[] = "*", some[] = "mcptt:authorization";
	static char *all_list[] = { all }, *some_list[] = { some };

	*denies =
	    !sim->healed && random_chance(&sim->random, sim->plan.denials);
	return (struct setting_list){ *denies ? some_list : all_list, 1 };
}

bool gateway_node_allows(const struct gateway_node *gateway, unsigned system,
			 bool to, enum mc_service service,
			 enum mcinfo_verb verb)
{
	const struct section *section = &gateway->current->sections[system];

	return !(to ? section->denies_to : section->denies_from) ||
	       (service == MC_SERVICE_MCPTT && verb == MCINFO_AUTHORIZATION);
}

unsigned gateway_node_hops(const struct gateway_node *gateway, unsigned system)
{
	return (unsigned)gateway->current->sections[system]
	    .settings.next_hops.count;
}

static void make_system(struct gateway_node *gateway, unsigned other)
{
	struct sim *sim = gateway->sim;
	struct section *section = &gateway->current->sections[other];
	struct setting_sections *systems = &gateway->current->settings.systems;

	section->domain_list[0] = sim->nodes[other].system;
	section->settings = (struct gateway_system_settings){
		.enabled = true,
		.domains = { section->domain_list, 1 },
		.identity = empty,
		.requests_to = make_policy(sim, &section->denies_to),
		.requests_from = make_policy(sim, &section->denies_from),
	};
	add_hops(sim, section, party_system(gateway->party), other);
	gateway->current->system_items[systems->count++] =
	    (struct setting_section){
		    .title = sim->nodes[other].system,
		    .values = &section->settings,
	    };
}

/* The one server of the system; it serves all users. */
static void make_server(struct gateway_node *gateway, unsigned own)
{
	struct configuration *current = gateway->current;
	struct section *section = &current->sections[own];

	add_hop(section, net_uri(gateway->sim->net, own, SIP_INSIDE), 1);
	current->server = (struct gateway_server_settings){
		.next_hops = section->settings.next_hops,
		.identity = empty,
		.users_file = empty,
	};
	current->server_items[0] = (struct setting_section){
		.title = "server",
		.values = &current->server,
	};
}

static void make_settings(struct gateway_node *gateway)
{
	struct sim *sim = gateway->sim;
	unsigned own = party_system(gateway->party);
	bool is_first = gateway->current == &gateway->configurations[0];
	struct configuration *current = &gateway->configurations[is_first];

	memset(current, 0, sizeof(*current));
	gateway->current = current;
	current->own_domain_list[0] = sim->nodes[own].system;
	current->settings = (struct gateway_settings){
		.identity = empty,
		.domains = { current->own_domain_list, 1 },
		.attempt_deadline_ms = 2000,
		.attempts_max = 3,
		.entry_deadline_ms = GATEWAY_ENTRY_US / 1000,
		.exit_deadline_ms = GATEWAY_EXIT_US / 1000,
		.peer_rate = sim->plan.peer_rate,
		.user_rate = sim->plan.user_rate,
		.relays_max = 1000,
		.party_relays_max = 1000,
		.servers = { current->server_items, 1 },
		.systems = { current->system_items, 0 },
	};
	make_server(gateway, own);
	for (unsigned other = 0; other < SIM_SYSTEMS; other++) {
		if (sim->plan.via[own][other])
			make_system(gateway, other);
	}
}

/* -------------------------------------------------------------------- life */

static bool is_planned(const struct gateway_node *gateway)
{
	const struct sim *sim = gateway->sim;
	unsigned system = party_system(gateway->party);
	unsigned number = gateway->party - party_of_gateway(system, 0);

	return number < sim->plan.gateways[system] &&
	       !(sim->healed &&
		 sim->plan.gone[gateway->party - PARTY_GATEWAYS]);
}

void gateway_node_start(struct gateway_node *gateway)
{
	struct sim *sim = gateway->sim;

	if (gateway->up || !is_planned(gateway))
		return;
	sim_tell(sim, "%s   starts", describe_party(gateway->party));
	make_settings(gateway);
	if (timers_create(&gateway->timers) || stats_create(&gateway->stats))
		abort();
	gateway->core = (struct core){
		.timers = gateway->timers,
		.stats = gateway->stats,
		.system = sim->nodes[party_system(gateway->party)].system,
		.node = describe_party(gateway->party),
		.has_outside = true,
	};
	if (gateway_module.init(&gateway->core, &gateway->current->settings,
				&gateway->module))
		abort();
	gateway->core.sip = net_sip(sim->net, gateway->party);
	net_up(sim->net, gateway->party);
	gateway->up = true;
	node_enter(sim, gateway->party);
	if (gateway_module.start(gateway->module))
		abort();
}

void gateway_node_crash(struct gateway_node *gateway)
{
	if (!gateway->up)
		return;
	sim_tell(gateway->sim, "%s   crashes", describe_party(gateway->party));
	gateway->up = false;
	net_down(gateway->sim->net, gateway->party);
	gateway->core.sip = NULL;
	gateway_module.stop(gateway->module);
	stats_destroy(gateway->stats);
	timers_destroy(gateway->timers);
}

void gateway_node_reload(struct gateway_node *gateway)
{
	if (!gateway->up)
		return;
	sim_tell(gateway->sim, "%s   reloads", describe_party(gateway->party));
	node_enter(gateway->sim, gateway->party);
	make_settings(gateway);
	if (gateway_module.reload(gateway->module, &gateway->current->settings))
		abort();
}

void gateway_node_heal(struct gateway_node *gateway)
{
	if (!is_planned(gateway))
		gateway_node_crash(gateway);
	gateway_node_reload(gateway);
	gateway_node_start(gateway);
}

uint64_t gateway_node_next_us(const struct gateway_node *gateway)
{
	int wait_ms;

	if (!gateway->up)
		return UINT64_MAX;
	wait_ms = timers_next_ms(gateway->timers);
	if (wait_ms < 0)
		return UINT64_MAX;
	return (gateway->sim->now_us / 1000 + (uint64_t)wait_ms) * 1000;
}

void gateway_node_run_timers(struct gateway_node *gateway)
{
	node_enter(gateway->sim, gateway->party);
	timers_run(gateway->timers);
}
