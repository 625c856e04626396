/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways of a terminating request to a client: the S-CSCF that registered it,
 * the node that its request came by, the configured ones.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/keyed_hash.h"
#include "ims/ims.h"

#define HOPS_MAX (2 + 32) /* as many as directory_choose() takes */

struct ways {
	const char *uris[HOPS_MAX];
	unsigned count;
};

static void add(struct ways *ways, const char *uri)
{
	for (unsigned i = 0; i < ways->count; i++)
		if (!strcasecmp(ways->uris[i], uri))
			return;
	ways->uris[ways->count++] = uri;
}

static bool never_down(void *arg, const char *uri)
{
	(void)arg;
	(void)uri;
	return false;
}

/* The same order for the same identity: its own share of the weights. */
static void add_configured(struct ways *ways, const struct ims_network *network,
			   const char *identity)
{
	uint32_t key = keyed_hash(identity, strlen(identity)), tried = 0;
	int i;

	while ((i = directory_choose(network->hops, key, tried, never_down,
				     NULL)) >= 0) {
		tried |= UINT32_C(1) << i;
		add(ways, network->hops->servers[i].uri);
	}
}

/* One that is not of the IMS any more would be told who its users are. */
static bool may_be_asked(const struct ims_network *network, const char *uri)
{
	struct place place;

	return !place_read(uri, &place) && place_is_of_peer(network, &place);
}

bool ims_next_hop(struct ims *ims, const char *identity, const char *asked_by,
		  unsigned attempt, struct ims_hop *hop)
{
	struct ims_module *module = (struct ims_module *)ims;
	const struct ims_network *network = module->network;
	const struct registration *registration =
	    registrations_find(module->registrations, identity);
	struct ways ways = { .count = 0 };

	if (registration && may_be_asked(network, registration->hop))
		add(&ways, registration->hop);
	if (*asked_by && may_be_asked(network, asked_by))
		add(&ways, asked_by);
	add_configured(&ways, network, identity);
	if (attempt >= ways.count)
		return false;
	snprintf(module->route, sizeof(module->route), "<%s;lr>",
		 ways.uris[attempt]);
	*hop = (struct ims_hop){
		.uri = ways.uris[attempt],
		.route = module->route,
		.certificate_names = (const char *const *)network->peers.names,
		.certificate_name_count = network->peers.name_count,
	};
	return true;
}
