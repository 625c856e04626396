/* SPDX-License-Identifier: BSD-2-Clause */
/* The ims module: its settings, statistics and life, and what it offers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "ims/ims.h"

#define SETTING(member) \
	.reloadable = true, .offset = offsetof(struct ims_settings, member)
static const struct setting settings[] = {
	{ .name = "peers",
	  .type = SETTING_LIST,
	  SETTING(peers),
	  .help = "Addresses, networks and certificate names (dns:NAME) of the "
		  "IMS's nodes that send us requests: only what these say in "
		  "header fields of the network is believed" },
	{ .name = "next_hops",
	  .type = SETTING_LIST,
	  .default_value = "",
	  SETTING(next_hops),
	  .help = "Where requests to clients go whose S-CSCF is not known or "
		  "does not answer: \"sip:192.0.2.1:5060;transport=tcp "
		  "PRIORITY WEIGHT\"" },
	{ .name = "names",
	  .type = SETTING_LIST,
	  .default_value = "",
	  SETTING(names),
	  .help = "Host names (HOST or HOST:PORT) by which the IMS routes to "
		  "us, besides our listeners' addresses and our system's name; "
		  "the address too where we listen on a wildcard" },
	{ .name = "registrations_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "100000",
	  .min = 1,
	  .max = 10000000,
	  SETTING(registrations_max),
	  .help = "Registrations remembered; beyond it the one refreshed "
		  "longest ago is forgotten" },
	{ 0 },
};

static const struct statistic statistics[STAT_END] = {
	[STAT_REGISTRATIONS] = { .name = "ims.registrations",
				 .help = "Identities whose S-CSCF is known",
				 .kind = STATS_GAUGE },
	[STAT_TAKEN] = { .name = "ims.registers_taken",
			 .help = "Third-party REGISTER requests taken" },
	[STAT_UNTRUSTED] = { .name = "ims.registers_untrusted",
			     .help = "403: REGISTER requests from elsewhere "
				     "than ims.peers" },
	[STAT_REFUSED] = { .name = "ims.registers_refused",
			   .help = "400: REGISTER requests of what is no "
				   "public user identity" },
	[STAT_LYING] = { .name = "ims.registers_lying",
			 .help = "400: REGISTER requests whose body is of "
				 "another user or malformed" },
	[STAT_OLD] = { .name = "ims.registers_old",
		       .help = "400: REGISTER requests overtaken by a newer "
			       "one" },
	[STAT_EXPIRED] = { .name = "ims.registrations_expired",
			   .help = "Registrations that were not refreshed" },
	[STAT_PUSHED_OUT] = { .name = "ims.registrations_pushed_out",
			      .help = "Registrations forgotten: more than "
				      "ims.registrations_max" },
};

/* ------------------------------------------------------------------ offered */

static bool trusts(struct ims *ims, const struct sip_source *source)
{
	const struct ims_module *module = (const struct ims_module *)ims;

	return sources_have(&module->network->peers, source);
}

/* "HOST" whatever the port, or "HOST:PORT". */
static bool is_named(const struct setting_list *names,
		     const struct place *place)
{
	size_t bytes = strlen(place->host);

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->values[i];

		if (strncasecmp(name, place->host, bytes))
			continue;
		if (!name[bytes] ||
		    (name[bytes] == ':' &&
		     strtoul(name + bytes + 1, NULL, 10) == place_port(place)))
			return true;
	}
	return false;
}

static bool is_ours(struct ims *ims, const char *route)
{
	const struct ims_module *module = (const struct ims_module *)ims;
	struct place place;

	if (!route)
		return true;
	if (place_read(route, &place))
		return false;
	return is_named(module->network->names, &place) ||
	       !strcasecmp(place.host, module->core->system) ||
	       sip_listens_on(module->core->sip, place.host,
			      (uint16_t)place_port(&place));
}

static void set_registered_handler(struct ims *ims, ims_registered_h *handler,
				   void *arg)
{
	struct ims_module *module = (struct ims_module *)ims;

	module->registered = handler;
	module->registered_arg = arg;
}

/* --------------------------------------------------------------------- life */

static void add_statistics(struct ims_module *module)
{
	memcpy(module->stats, statistics, sizeof(statistics));
	for (int i = 0; i < STAT_END; i++)
		stats_add(module->core->stats, &module->stats[i]);
}

static void stop(void *context)
{
	struct ims_module *module = context;

	module->core->ims = NULL;
	if (module->core->sip)
		sip_set_register_handler(module->core->sip, NULL, NULL);
	registrations_destroy(module);
	network_destroy(module->network);
	for (int i = 0; i < STAT_END; i++)
		stats_remove(module->core->stats, &module->stats[i]);
	free(module);
}

static int init(struct core *core, const void *values, void **contextp)
{
	struct ims_module *module = calloc(1, sizeof(*module));
	int err;

	if (!module)
		return ENOMEM;
	module->ims = (struct ims){
		.trusts = trusts,
		.is_ours = is_ours,
		.next_hop = ims_next_hop,
		.set_registered_handler = set_registered_handler,
	};
	module->core = core;
	module->settings = values;
	add_statistics(module);
	err = network_create(&module->network, values);
	if (!err)
		err = registrations_create(module);
	if (err) {
		stop(module);
		return err;
	}
	core->ims = &module->ims;
	*contextp = module;
	return 0;
}

static int start(void *context)
{
	struct ims_module *module = context;

	sip_set_register_handler(module->core->sip, register_take, module);
	return 0;
}

static int reload(void *context, const void *values)
{
	struct ims_module *module = context;
	struct ims_network *network;
	int err = network_create(&network, values);

	if (err)
		return err;
	network_destroy(module->network);
	module->network = network;
	module->settings = values;
	return 0;
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "ims",
	.description = "The IMS in front: whom to believe, where its users are "
		       "registered, how they are reached",
	.settings = settings,
	.settings_bytes = sizeof(struct ims_settings),
	.commands = ims_commands,
	.init = init,
	.start = start,
	.reload = reload,
	.stop = stop,
};
