/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigctl gateway: who is reached how, and where an MC service ID goes. */
#include <stdio.h>
#include <string.h>

#include "gateway/gateway.h"

static void append_hops(json_t *rows, const struct gateway_module *module,
			const struct party *party, enum crossing to)
{
	const struct directory_hops *hops = &party->entry->hops;

	for (size_t i = 0; i < hops->count; i++) {
		const struct directory_server *hop = &hops->servers[i];
		bool is_down = module->core->sip &&
			       sip_is_down(module->core->sip, hop->uri);

		json_array_append_new(
		    rows, json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:I}",
				    "name", party->entry->name, "kind",
				    to == CROSSING_EXIT ? "system" : "server",
				    "next_hop", hop->uri, "priority",
				    (int)hop->priority, "weight",
				    (int)hop->weight, "state",
				    !party->entry->enabled ? "disabled"
				    : is_down		   ? "down"
							   : "up",
				    "identity", party->identity, "under_way",
				    (json_int_t)relay_count(
					module, to, party->entry->name)));
	}
}

static void run_systems(const struct gateway_module *module,
			struct command_call *call)
{
	const struct topology *topology = module->topology;
	json_t *rows = json_array();

	for (size_t i = 0; i < topology->server_count; i++)
		append_hops(rows, module, &topology->servers[i],
			    CROSSING_ENTRY);
	for (size_t i = 0; i < topology->system_count; i++)
		append_hops(rows, module, &topology->systems[i], CROSSING_EXIT);
	command_finish(call, rows);
}

static json_t *found(const char *id, const char *kind, const char *name,
		     const char *why)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "id", id, "kind", kind, "name",
			 name, "why", why);
}

static void run_route(const struct gateway_module *module, const char *id,
		      struct command_call *call)
{
	const struct topology *topology = module->topology;
	char canonical[MCID_SIZE];
	const struct party *party;
	struct route route;

	if (mcid_canonical(id, canonical)) {
		command_fail(call, "no MC service ID: as sip:USER@DOMAIN");
		return;
	}
	if (!topology_is_ours(topology, mcid_domain(canonical))) {
		party = topology_system_of(topology, mcid_domain(canonical));
		command_finish(call,
			       found(canonical, party ? "system" : "nobody",
				     party ? party->entry->name : "",
				     party ? "domain" : "domain unknown"));
		return;
	}
	party = topology_server_of(topology, canonical, &route);
	command_finish(
	    call, found(canonical, party ? "server" : "nobody",
			party ? party->entry->name : "",
			party ? route_reason_name(route.reason)
			      : "of ours, but no server serves this user"));
}

static void run(void *context, const json_t *args, struct command_call *call)
{
	const struct gateway_module *module = context;
	const char *what = json_string_value(json_array_get(args, 0));
	const char *id = json_string_value(json_array_get(args, 1));

	if (!strcmp(what, "systems") && !id)
		run_systems(module, call);
	else if (!strcmp(what, "route") && id)
		run_route(module, id, call);
	else
		command_fail(call, "usage: gateway systems, or gateway route "
				   "ID");
}

const struct command gateway_commands[] = {
	{ "gateway", "systems|route [ID]",
	  "systems: next hops of our servers and of the other MC systems; "
	  "route: "
	  "where an MC service ID goes, and why",
	  run },
	{ 0 },
};
