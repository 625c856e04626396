/* SPDX-License-Identifier: BSD-2-Clause */
/* The gateway module: its settings and its life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/gateway.h"

#define PEERS_MAX 4096
#define USERS_MAX 65536
#define RELAYS_MAX_MAX 1000000

#define SERVER(field) .offset = offsetof(struct gateway_server_settings, field)
#define SYSTEM(field) .offset = offsetof(struct gateway_system_settings, field)
#define SETTING(field) .offset = offsetof(struct gateway_settings, field)

static const struct setting server_settings[] = {
	{ .name = "next_hops",
	  .type = SETTING_LIST,
	  .help = "Where it is reached: \"URI [PRIORITY [WEIGHT]]\", as "
		  "\"sip:192.0.2.1:5060;transport=tcp 1 1\"; the lowest "
		  "priority first, by weight among equals",
	  SERVER(next_hops) },
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .help = "Its public service identity, the Request-URI towards it; "
		  "empty: sip:SYSTEM",
	  SERVER(identity) },
	{ .name = "sources",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "From where it sends besides the hosts of its next_hops: "
		  "addresses, networks, dns:NAME or uri:URI of its certificate",
	  SERVER(sources) },
	{ .name = "domains",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "Domains of the MC service IDs that it serves; without "
		  "domains, prefixes and users it serves the rest",
	  SERVER(domains) },
	{ .name = "prefixes",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "Beginnings of the user parts that it serves, as visitor1 or "
		  "visitor1@b.example; the longest wins, and over domains",
	  SERVER(prefixes) },
	{ .name = "users",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "MC service IDs that it serves; they win over prefixes",
	  SERVER(users) },
	{ .name = "users_file",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .help = "A file with more of them, one a line; # begins a comment",
	  SERVER(users_file) },
	{ .name = NULL },
};

static const struct setting system_settings[] = {
	{ .name = "enabled",
	  .type = SETTING_BOOL,
	  .default_value = "true",
	  .help = "Whether anything is relayed to it and from it",
	  SYSTEM(enabled) },
	{ .name = "domains",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "Domains of its MC service IDs; empty: the title",
	  SYSTEM(domains) },
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .help = "Public service identity of its gateway, the Request-URI "
		  "towards it; empty: sip:TITLE",
	  SYSTEM(identity) },
	{ .name = "next_hops",
	  .type = SETTING_LIST,
	  .help = "Its gateways, as those of a server",
	  SYSTEM(next_hops) },
	{ .name = "sources",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "From where they send, as of a server",
	  SYSTEM(sources) },
	{ .name = "requests_to",
	  .type = SETTING_LIST,
	  .default_value = "*",
	  .help = "Procedures that our MC system may ask of it: "
		  "mcptt:authorization, mcptt:*, *:deauthorization or *",
	  SYSTEM(requests_to) },
	{ .name = "requests_from",
	  .type = SETTING_LIST,
	  .default_value = "*",
	  .help = "Procedures that it may ask of our MC system",
	  SYSTEM(requests_from) },
	{ .name = NULL },
};

static const struct setting settings[] = {
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .reloadable = true,
	  .help = "Our own URI, From and P-Asserted-Identity of all that we "
		  "send; empty: sip:mcgateway@SYSTEM",
	  SETTING(identity) },
	{ .name = "domains",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .reloadable = true,
	  .help = "Domains of our own MC system; empty: its name",
	  SETTING(domains) },
	{ .name = "attempt_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "2s",
	  .min = 100,
	  .max = 32000,
	  .reloadable = true,
	  .help = "How long one next hop may take when there is another; the "
		  "last one gets what is left of the whole",
	  SETTING(attempt_deadline_ms) },
	{ .name = "attempts_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "3",
	  .min = 1,
	  .max = 32,
	  .reloadable = true,
	  .help = "How many next hops one message is tried at",
	  SETTING(attempts_max) },
	{ .name = "entry_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "6s",
	  .min = 100,
	  .max = 32000,
	  .reloadable = true,
	  .help = "The whole for a message from another MC system; then 504",
	  SETTING(entry_deadline_ms) },
	{ .name = "exit_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "9s",
	  .min = 100,
	  .max = 32000,
	  .reloadable = true,
	  .help = "The whole for a message to another MC system; then 504. "
		  "More than its entry_deadline, less than our servers' "
		  "migration.attempt_deadline",
	  SETTING(exit_deadline_ms) },
	{ .name = "peer_rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "10000",
	  .max = 1000000,
	  .reloadable = true,
	  .help = "Requests a second that each peer may send; 0: any number",
	  SETTING(peer_rate) },
	{ .name = "user_rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "20",
	  .max = 1000000,
	  .reloadable = true,
	  .help = "Messages a second for each user of a peer; 0: any number",
	  SETTING(user_rate) },
	{ .name = "relays_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "20000",
	  .min = 16,
	  .max = RELAYS_MAX_MAX,
	  .reloadable = true,
	  .help = "Messages under way at once; more are answered 503",
	  SETTING(relays_max) },
	{ .name = "server",
	  .type = SETTING_SECTIONS,
	  .default_value = "",
	  .reloadable = true,
	  .help = "An MC service server of our own system",
	  .sections = server_settings,
	  .sections_bytes = sizeof(struct gateway_server_settings),
	  SETTING(servers) },
	{ .name = "system",
	  .type = SETTING_SECTIONS,
	  .default_value = "",
	  .reloadable = true,
	  .help = "Another MC system",
	  .sections = system_settings,
	  .sections_bytes = sizeof(struct gateway_system_settings),
	  SETTING(systems) },
	{ .name = NULL },
};

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
		err = handle_table_create(&module->relays, RELAYS_MAX_MAX);
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
	.settings = settings,
	.settings_bytes = sizeof(struct gateway_settings),
	.commands = gateway_commands,
	.init = init,
	.start = start,
	.reload = reload,
	.drain = drain,
	.pending = pending,
	.stop = stop,
};
