/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is who, built whole from the settings, then read-only; a reload puts
 * another one in place, and relays under way end with the one they began with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"

static void clear_parties(struct party *parties, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(parties[i].identity);
		free(parties[i].under_way);
	}
	free(parties);
}

static void destroy(struct topology *topology)
{
	clear_parties(topology->servers, topology->server_count);
	clear_parties(topology->systems, topology->system_count);
	route_table_destroy(topology->routes);
	directory_destroy(topology->own);
	directory_destroy(topology->inside);
	directory_destroy(topology->outside);
	free(topology->identity);
	free(topology);
}

struct topology *topology_hold(struct topology *topology)
{
	topology->holders++;
	return topology;
}

void topology_release(struct topology *topology)
{
	if (topology && !--topology->holders)
		destroy(topology);
}

static int allocate(struct topology *topology)
{
	int err = directory_create(&topology->own);

	if (!err)
		err = directory_create(&topology->inside);
	if (!err)
		err = directory_create(&topology->outside);
	return err ? err : route_table_create(&topology->routes);
}

int topology_create(struct topology **topologyp,
		    const struct gateway_settings *settings,
		    const char *own_system)
{
	struct topology *topology = calloc(1, sizeof(*topology));
	int err;

	if (!topology)
		return ENOMEM;
	topology->holders = 1;
	err = allocate(topology);
	if (!err)
		err = directory_build_own(topology, settings, own_system);
	if (!err)
		err = directory_build_inside(topology, settings, own_system);
	if (!err)
		err = directory_build_outside(topology, settings);
	if (!err)
		err = routes_build(topology, &settings->servers);
	if (err)
		topology_release(topology);
	else
		*topologyp = topology;
	return err;
}

bool topology_is_ours(const struct topology *topology, const char *domain)
{
	return directory_find_domain(topology->own, domain) != NULL;
}

const struct party *topology_system_of(const struct topology *topology,
				       const char *domain)
{
	const struct directory_system *entry =
	    directory_find_domain(topology->outside, domain);

	for (size_t i = 0; entry && i < topology->system_count; i++) {
		if (topology->systems[i].entry == entry)
			return &topology->systems[i];
	}
	return NULL;
}

const struct party *topology_server_of(const struct topology *topology,
				       const char *canonical,
				       struct route *route)
{
	return route_find(topology->routes, canonical, route)
		   ? &topology->servers[route->server]
		   : NULL;
}
