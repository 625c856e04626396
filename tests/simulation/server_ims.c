/* SPDX-License-Identifier: BSD-2-Clause */
#include "server_ims.h"

#include <stdio.h>
#include <string.h>

#include "simulation.h"

static const char *uri_of(const struct server_ims *server, unsigned i)
{
	return net_uri(server->sim->net, party_of_scscf(server->system, i),
		       SIP_INSIDE);
}

static bool trusts(struct ims *ims, const struct sip_source *source)
{
	const struct server_ims *server = (const struct server_ims *)ims;
	char start[SIP_HOST_SIZE + 8];

	snprintf(start, sizeof(start), "sip:%s:", source->host);
	for (unsigned i = 0; i < SIM_SCSCFS; i++) {
		if (!strncmp(start, uri_of(server, i), strlen(start)))
			return true;
	}
	return false;
}

static bool is_ours(struct ims *ims, const char *route)
{
	(void)ims;
	(void)route;
	return true;
}

/* Who asked, then the others. */
static bool next_hop(struct ims *ims, const char *identity,
		     const char *asked_by, unsigned attempt,
		     struct ims_hop *hop)
{
	struct server_ims *server = (struct server_ims *)ims;
	unsigned first = 0;

	(void)identity;
	if (attempt >= SIM_SCSCFS)
		return false;
	while (first + 1 < SIM_SCSCFS &&
	       strcmp(asked_by, uri_of(server, first)))
		first++;
	*hop = (struct ims_hop){
		.uri = uri_of(server, (first + attempt) % SIM_SCSCFS),
		.route = server->route,
	};
	snprintf(server->route, sizeof(server->route), "<%s;lr>", hop->uri);
	return true;
}

static void set_registered_handler(struct ims *ims, ims_registered_h *handler,
				   void *arg)
{
	struct server_ims *server = (struct server_ims *)ims;

	server->registered = handler;
	server->arg = arg;
}

/* As modules/ims does with one that it has taken. */
static void register_arrives(void *arg, const struct sip_registration *request)
{
	static const struct sip_reply ok = { .status = 200 };
	struct server_ims *server = arg;

	if (!server->registered ||
	    !server->registered(server->arg, request->identity,
				request->transaction))
		sip_reply(net_sip(server->sim->net, server->system),
			  request->transaction, &ok);
}

void server_ims_init(struct server_ims *server, struct sim *sim,
		     unsigned system)
{
	*server = (struct server_ims){
		.ims = { .trusts = trusts,
			 .is_ours = is_ours,
			 .next_hop = next_hop,
			 .set_registered_handler = set_registered_handler },
		.sim = sim,
		.system = system,
	};
}

void server_ims_start(struct server_ims *server, struct sip *sip)
{
	sip_set_register_handler(sip, register_arrives, server);
}
