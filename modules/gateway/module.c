/* SPDX-License-Identifier: BSD-2-Clause */
/* The gateway module: its counters and its life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/gateway.h"

#define PEERS_MAX 4096
#define USERS_MAX 65536

/* ---------------------------------------------------------------- counters */

static const struct statistic statistics[COUNTERS_END] = {
	[RECEIVED] = { .name = "gateway.received",
		       .help = "MESSAGE requests of known peers" },
	[RELAYED_OUT] = { .name = "gateway.relayed_out",
			  .help = "Messages to another MC system whose answer "
				  "was passed back" },
	[RELAYED_IN] = { .name = "gateway.relayed_in",
			 .help = "Messages to a server of ours whose answer "
				 "was passed back" },
	[UNKNOWN_PEERS] = { .name = "gateway.unknown_peers",
			    .help = "403: requests of nobody that we know" },
	[OVER_PEER_RATE] = { .name = "gateway.over_peer_rate",
			     .help = "503: more than gateway.peer_rate" },
	[OVER_USER_RATE] = { .name = "gateway.over_user_rate",
			     .help = "503: more than gateway.user_rate" },
	[REFUSED_DOCUMENT] = { .name = "gateway.refused_document",
			       .help = "4xx: malformed documents" },
	[REFUSED_CLIENT] = { .name = "gateway.refused_client",
			     .help = "400, 403: what only a client says, and "
				     "access tokens" },
	[REFUSED_PEER] = { .name = "gateway.refused_peer",
			   .help = "403: a peer spoke for another MC system" },
	[REFUSED_IDENTITY] = { .name = "gateway.refused_identity",
			       .help = "403: P-Asserted-Identity of another MC "
				       "system" },
	[REFUSED_UNKNOWN] = { .name = "gateway.refused_unknown",
			      .help = "404, 400: MC service IDs of nobody, or "
				      "both of ours" },
	[REFUSED_POLICY] = { .name = "gateway.refused_policy",
			     .help = "403: procedures not allowed with that MC "
				     "system, or it is disabled" },
	[ATTEMPTS] = { .name = "gateway.attempts",
		       .help = "Messages sent to next hops" },
	[FAILED_OVER] = { .name = "gateway.failed_over",
			  .help = "Messages that went on to the next hop in "
				  "turn" },
	[TIMED_OUT] = { .name = "gateway.timed_out",
			.help = "504: no next hop answered in time" },
	[LOOPED] = { .name = "gateway.looped",
		     .help = "482, 483: messages that came back or had too "
			     "many hops" },
	[LATE_ANSWERS] = { .name = "gateway.late_answers",
			   .help = "Answers that nobody waited for any more" },
	[UNAVAILABLE] = { .name = "gateway.unavailable",
			  .help = "503 of our own: too much under way, no "
				  "memory, about to stop" },
	[RELAYS] = { .name = "gateway.relays",
		     .help = "Messages under way",
		     .kind = STATS_GAUGE },
};

static void add_stats(struct gateway_module *module)
{
	for (unsigned i = 0; i < COUNTERS_END; i++) {
		module->stats[i] = statistics[i];
		stats_add(module->core->stats, &module->stats[i]);
	}
}

/* -------------------------------------------------------------------- life */

static void warn_of_deadlines(const struct gateway_settings *values)
{
	if (values->entry_deadline_ms >= values->exit_deadline_ms)
		log_warning("gateway",
			    "msg=\"entry_deadline is not below exit_deadline: "
			    "an exit point set like this would give up before "
			    "the entry point's 504\"");
}

static void stop(void *context)
{
	struct gateway_module *module = context;

	if (module->core->sip) {
		sip_set_message_handler(module->core->sip, NULL, NULL);
		sip_set_source_handler(module->core->sip, NULL, NULL);
	}
	if (module->relays) {
		handle_drain(module->relays, relay_discard);
		handle_table_destroy(module->relays);
	}
	topology_release(module->topology);
	mcinfo_parser_destroy(module->parser);
	quota_destroy(module->peer_quota);
	quota_destroy(module->user_quota);
	for (unsigned i = 0; i < COUNTERS_END; i++)
		stats_remove(module->core->stats, &module->stats[i]);
	free(module);
}

/* Every other fault has told of itself. */
static void log_no_memory(int err)
{
	if (err == ENOMEM)
		log_error("gateway", "msg=\"out of memory\"");
}

static int create_quotas(struct gateway_module *module)
{
	const struct gateway_settings *values = module->settings;
	int err = quota_create(&module->peer_quota, values->peer_rate,
			       values->peer_rate, PEERS_MAX);

	if (!err)
		err = quota_create(&module->user_quota, values->user_rate,
				   2 * values->user_rate, USERS_MAX);
	return err;
}

static int init(struct core *core, const void *values, void **contextp)
{
	struct gateway_module *module = calloc(1, sizeof(*module));
	int err;

	if (!module)
		return ENOMEM;
	module->core = core;
	module->settings = values;
	add_stats(module);
	warn_of_deadlines(values);
	err = topology_create(&module->topology, values, core->system);
	if (!err)
		err = mcinfo_parser_create(&module->parser);
	if (!err)
		err = handle_table_create(&module->relays, GATEWAY_RELAYS_MAX);
	if (!err)
		err = create_quotas(module);
	if (err) {
		log_no_memory(err);
		stop(module);
		return err;
	}
	*contextp = module;
	return 0;
}

static int start(void *context)
{
	struct gateway_module *module = context;

	sip_set_message_handler(module->core->sip, inbound_message, module);
	sip_set_source_handler(module->core->sip, peer_may_send, module);
	return 0;
}

static int reload(void *context, const void *values)
{
	struct gateway_module *module = context;
	const struct gateway_settings *new = values;
	struct topology *topology;
	int err = topology_create(&topology, new, module->core->system);

	log_no_memory(err);
	if (err)
		return err;
	warn_of_deadlines(new);
	topology_release(module->topology);
	module->topology = topology;
	module->settings = new;
	quota_set(module->peer_quota, new->peer_rate, new->peer_rate);
	quota_set(module->user_quota, new->user_rate, 2 * new->user_rate);
	return 0;
}

static void drain(void *context)
{
	struct gateway_module *module = context;

	module->draining = true;
}

static size_t pending(void *context)
{
	const struct gateway_module *module = context;

	return handle_count(module->relays);
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "gateway",
	.description =
	    "MC gateway server: exit and entry point of an MC system",
	.settings = gateway_setting_table,
	.settings_bytes = sizeof(struct gateway_settings),
	.commands = gateway_commands,
	.takes_messages = true,
	.init = init,
	.start = start,
	.reload = reload,
	.drain = drain,
	.pending = pending,
	.stop = stop,
};
