/* SPDX-License-Identifier: BSD-2-Clause */
/* The migration module: its settings and its life. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timer.h"
#include "migration/migration.h"

#define INBOUND_MAX 65536

#define SETTING(field) .offset = offsetof(struct migration_settings, field)

static const struct setting settings[] = {
	{ .name = "authorization_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "30s",
	  .min = 1000,
	  .max = 300000,
	  .reloadable = true,
	  .help = "After that an authorization without an outcome has failed",
	  SETTING(authorization_deadline_ms) },
	{ .name = "deauthorization_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "15s",
	  .min = 1000,
	  .max = 300000,
	  .reloadable = true,
	  .help = "After that a de-authorization is finished locally and the "
		  "primary is told in the background",
	  SETTING(deauthorization_deadline_ms) },
	{ .name = "attempt_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "12s",
	  .min = 500,
	  .max = 32000,
	  .reloadable = true,
	  .help = "How long one message may wait for its SIP answer",
	  SETTING(attempt_deadline_ms) },
	{ .name = "failover_deadline",
	  .type = SETTING_DURATION,
	  .default_value = "4s",
	  .min = 100,
	  .max = 32000,
	  .reloadable = true,
	  .help = "How long one message may wait for it while another next hop "
		  "has not been tried",
	  SETTING(failover_deadline_ms) },
	{ .name = "response_expiry",
	  .type = SETTING_DURATION,
	  .default_value = "5min",
	  .min = 1000,
	  .max = 3600000,
	  .reloadable = true,
	  .help = "How long a response is tried that may expire",
	  SETTING(response_expiry_ms) },
	{ .name = "retry_min",
	  .type = SETTING_DURATION,
	  .default_value = "1s",
	  .min = 10,
	  .max = 60000,
	  .reloadable = true,
	  .help = "Shortest back-off of what is sent again",
	  SETTING(retry_min_ms) },
	{ .name = "retry_max",
	  .type = SETTING_DURATION,
	  .default_value = "60s",
	  .min = 10,
	  .max = 600000,
	  .reloadable = true,
	  .help = "Longest back-off of what is sent again",
	  SETTING(retry_max_ms) },
	{ .name = "order_window",
	  .type = SETTING_DURATION,
	  .default_value = "60s",
	  .min = 1000,
	  .max = 3600000,
	  .reloadable = true,
	  .help = "A client's order further back means that its clock was set",
	  SETTING(order_window_ms) },
	{ .name = "live_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "20000",
	  .min = 16,
	  .max = 10000000,
	  .help = "Live procedures kept in memory; more wait in the store",
	  SETTING(deliveries_max) },
	{ .name = "notify_primary",
	  .type = SETTING_BOOL,
	  .default_value = "true",
	  .reloadable = true,
	  .help = "Whether the primary MC system is told of a "
		  "de-authorization (10.6.3.3.2 steps 3-10)",
	  SETTING(notify_primary) },
	{ .name = "returned_home",
	  .type = SETTING_BOOL,
	  .default_value = "false",
	  .reloadable = true,
	  .help = "Whether a user of ours who registers with the IMS here is "
		  "home again in each MC service (module ims)",
	  SETTING(returned_home) },
	{ .name = "pinning",
	  .type = SETTING_STRING,
	  .default_value = "required",
	  .choices = "required|lab",
	  .reloadable = true,
	  .help = "\"required\": an admission must name both MC service IDs; "
		  "\"lab\": one of a whole MC system is enough",
	  SETTING(pinning) },
	{ .name = "tokens",
	  .type = SETTING_STRING,
	  .default_value = "required",
	  .choices = "required|lab",
	  .reloadable = true,
	  .help =
	      "\"required\": each client needs an access token of TS 33.180 "
	      "(a module such as auth_token checks it); \"lab\": a closed "
	      "lab, where a client may come without",
	  SETTING(tokens) },
	{ .name = "clients",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .reloadable = true,
	  .help = "Addresses and networks that clients send from, of the IMS "
		  "in front for example, and names of their certificates "
		  "(dns:NAME); empty: from anywhere, but nobody over TLS",
	  SETTING(clients) },
	{ .name = "peer_rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "50000",
	  .max = 1000000,
	  .reloadable = true,
	  .help = "Requests a second that each other MC system, or each of our "
		  "gateways' side, may send; 0: any number",
	  SETTING(peer_rate) },
	{ .name = "user_rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "20",
	  .max = 1000000,
	  .reloadable = true,
	  .help = "Requests a second that each client may send; 0: any number",
	  SETTING(user_rate) },
	{ .name = NULL },
};

static int check_settings(const struct migration_settings *values)
{
	if (values->retry_min_ms > values->retry_max_ms) {
		log_error("migration", "msg=\"migration.retry_min is greater "
				       "than migration.retry_max\"");
		return EINVAL;
	}
	if (!strcmp(values->pinning, "lab"))
		log_warning("migration",
			    "msg=\"pinning is off: whoever is admitted may "
			    "claim any user of that MC system\"");
	if (!values->notify_primary)
		log_warning(
		    "migration",
		    "msg=\"notify_primary is off: the primary MC system "
		    "redirects to us until it learns otherwise\"");
	return 0;
}

static void add_stats(struct migration_module *module)
{
	module->requests = (struct statistic){
		.name = "migration.received",
		.kind = STATS_COUNTER,
		.help = "MESSAGE requests received",
	};
	module->refused = (struct statistic){
		.name = "migration.refused",
		.kind = STATS_COUNTER,
		.help = "Requests refused with a 4xx",
	};
	module->unavailable = (struct statistic){
		.name = "migration.unavailable",
		.kind = STATS_COUNTER,
		.help = "Requests answered 503",
	};
	module->returned_home = (struct statistic){
		.name = "migration.returned_home",
		.kind = STATS_COUNTER,
		.help = "Users home again by a registration, each MC service "
			"for itself",
	};
	stats_add(module->core->stats, &module->requests);
	stats_add(module->core->stats, &module->refused);
	stats_add(module->core->stats, &module->unavailable);
	stats_add(module->core->stats, &module->returned_home);
}

static void stop(void *context)
{
	struct migration_module *module = context;
	struct stats *stats = module->core->stats;

	if (module->core->sip) {
		sip_set_message_handler(module->core->sip, NULL, NULL);
		sip_set_source_handler(module->core->sip, NULL, NULL);
	}
	home_watch(module, false);
	if (module->core->store)
		store_set_live_handler(module->core->store, NULL, NULL);
	delivery_list_destroy(module);
	if (module->inbound) {
		handle_drain(module->inbound, inbound_free);
		handle_table_destroy(module->inbound);
	}
	if (module->homecomings) {
		handle_drain(module->homecomings, free);
		handle_table_destroy(module->homecomings);
	}
	mcinfo_parser_destroy(module->parser);
	access_destroy(module);
	stats_remove(stats, &module->requests);
	stats_remove(stats, &module->refused);
	stats_remove(stats, &module->unavailable);
	stats_remove(stats, &module->returned_home);
	free(module);
}

static int init(struct core *core, const void *values, void **contextp)
{
	struct migration_module *module;
	int err = check_settings(values);

	if (err)
		return err;
	module = calloc(1, sizeof(*module));
	if (!module)
		return ENOMEM;
	module->core = core;
	module->settings = values;
	add_stats(module);
	err = mcinfo_parser_create(&module->parser);
	if (!err)
		err = handle_table_create(&module->inbound, INBOUND_MAX);
	if (!err)
		err = handle_table_create(&module->homecomings, INBOUND_MAX);
	if (!err)
		err = delivery_list_create(module);
	if (!err)
		err = access_create(module);
	if (!err)
		err = home_watch(module, module->settings->returned_home);
	if (err) {
		stop(module);
		return err;
	}
	*contextp = module;
	return 0;
}

static void live_user(void *arg, const struct user_record *record)
{
	delivery_update(arg, record);
}

static int start(void *context)
{
	struct migration_module *module = context;

	store_set_live_handler(module->core->store, live_user, module);
	sip_set_message_handler(module->core->sip, inbound_message, module);
	sip_set_source_handler(module->core->sip, access_source, module);
	return 0;
}

static int reload(void *context, const void *values)
{
	struct migration_module *module = context;
	const struct migration_settings *new = values;
	int err = check_settings(new);

	if (!err && new->returned_home && !module->core->ims)
		err = home_watch(module, true);
	if (!err)
		err = access_reload(module, new);
	if (err)
		return err;
	module->settings = new;
	home_watch(module, new->returned_home);
	return err;
}

static void drain(void *context)
{
	struct migration_module *module = context;

	module->draining = true;
}

static size_t pending(void *context)
{
	struct migration_module *module = context;

	return handle_count(module->inbound) +
	       handle_count(module->homecomings) + delivery_in_flight(module);
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "migration",
	.description = "Migration service authorization and de-authorization: "
		       "partner and primary MC service server",
	.settings = settings,
	.settings_bytes = sizeof(struct migration_settings),
	.needs_store = true,
	.takes_messages = true,
	.init = init,
	.start = start,
	.reload = reload,
	.drain = drain,
	.pending = pending,
	.stop = stop,
};
