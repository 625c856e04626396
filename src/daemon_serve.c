/* SPDX-License-Identifier: BSD-2-Clause */
/* Start and end of service: in which order the parts come and go. */
#include "config.h"

#include "daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon_expiry.h"
#include "loop/loop.h"
#include "overrides.h"

/* So long the line "ready" waits for the store; then it serves without. */
#define STORE_WAIT_MS 2000
#define STORE_LOOK_MS 10

static int init_core(struct daemon *daemon)
{
	int err = loop_create(&daemon->loop);

	if (!err)
		err = stats_create(&daemon->stats);
	if (err) {
		log_error("mcmigd", "msg=\"cannot make the event loop: %s\"",
			  strerror(err));
		return err;
	}
	daemon->core.loop = daemon->loop;
	daemon->core.timers = loop_timers(daemon->loop);
	daemon->core.stats = daemon->stats;
	daemon->core.has_outside =
	    daemon_settings(daemon)->listen_outside.count > 0;
	daemon_offer_program(daemon);
	return 0;
}

static int check_store(const struct daemon *daemon)
{
	for (size_t i = 0; i < loader_count(daemon->loader); i++) {
		const struct module *module = loader_module(daemon->loader, i);

		if (!module->needs_store || daemon->core.backend)
			continue;
		log_error("mcmigd",
			  "msg=\"%s: %s needs a store, and there is no store "
			  "among the modules: add 'store_sqlite' or "
			  "'store_postgres'\"",
			  daemon->file, module->name);
		return EINVAL;
	}
	return 0;
}

/* A gateway and a server are daemons of their own. */
static int check_role(const struct daemon *daemon)
{
	const struct module *role = NULL;

	for (size_t i = 0; i < loader_count(daemon->loader); i++) {
		const struct module *module = loader_module(daemon->loader, i);

		if (module->takes_messages && role) {
			log_error("mcmigd",
				  "msg=\"%s: %s and %s both take the messages: "
				  "run each in a daemon of its own\"",
				  daemon->file, role->name, module->name);
			return EINVAL;
		}
		if (module->takes_messages)
			role = module;
	}
	return 0;
}

/* Without its bounds any sender could hold the loop for seconds. */
static int check_library(void)
{
	int err = overrides_check();

	if (err)
		log_error("mcmigd",
			  "msg=\"this libsofia-sip-ua calls its own functions, "
			  "so that our bounds on what it reads have no effect: "
			  "link it without -Bsymbolic\" error=\"%s\"",
			  strerror(err));
	return err;
}

int daemon_init(struct daemon *daemon)
{
	int err = init_core(daemon);

	if (!err)
		err = check_library();
	if (!err)
		err = expiry_create(&daemon->expiry, daemon->stats);
	if (!err)
		err = daemon_tls_create(daemon, daemon->conf, &daemon->tls);
	if (!err)
		err = check_role(daemon);
	if (!err)
		err = loader_init(daemon->loader, &daemon->core, daemon->conf);
	return err ? err : check_store(daemon);
}

static int create_store(struct daemon *daemon,
			const struct daemon_settings *settings)
{
	const struct store_config config = {
		.queue_max = settings->store_queue_max,
		.batch_max = settings->store_batch_max,
		.cache_max = settings->store_cache_max,
		.commit_deadline_ms = settings->store_commit_deadline_ms,
		.retention_us = settings->store_retention_ms * UINT64_C(1000),
	};
	int err;

	if (!daemon->core.backend)
		return 0;
	err = store_create(&daemon->store, daemon->loop, daemon->core.timers,
			   daemon->stats, daemon->core.backend, &config);
	if (err)
		log_error("mcmigd", "msg=\"cannot make the store: %s\"",
			  strerror(err));
	daemon->core.store = daemon->store;
	return err;
}

static int create_sip(struct daemon *daemon,
		      const struct daemon_settings *settings)
{
	const struct sip_stack_config config = {
		.listen = (const char *const *)settings->listen.values,
		.listen_count = settings->listen.count,
		.listen_outside =
		    (const char *const *)settings->listen_outside.values,
		.listen_outside_count = settings->listen_outside.count,
		.domain = settings->system,
		.t1_ms = settings->sip_t1_ms,
		.server_transactions_max =
		    settings->sip_server_transactions_max,
		.client_transactions_max =
		    settings->sip_client_transactions_max,
		.peer_outstanding_max = settings->sip_peer_outstanding_max,
		.breaker_failures = settings->sip_breaker_failures,
		.probe_interval_ms = settings->sip_probe_interval_ms,
		.tls = daemon_tls_of(daemon, SIP_INSIDE),
		.tls_outside = daemon_tls_of(daemon, SIP_OUTSIDE),
	};
	int err = sip_stack_create(&daemon->sip, daemon->loop, daemon->stats,
				   &config);

	if (err)
		return err;
	daemon->core.sip = sip_stack_sip(daemon->sip);
	accept_ask(daemon->sip);
	return 0;
}

struct address_list {
	char text[512];
};

/* `start`, then the addresses; nothing if there are none. */
static struct address_list list_addresses(const struct daemon *daemon,
					  enum sip_side side, const char *start)
{
	json_t *addresses = daemon_addresses(daemon, side);
	struct address_list list = { .text = "" };
	const json_t *address;
	size_t i;

	json_array_foreach(addresses, i, address)
	{
		size_t used = strlen(list.text);

		snprintf(list.text + used, sizeof(list.text) - used, "%s%s",
			 i ? "," : start, json_string_value(address));
	}
	json_decref(addresses);
	return list;
}

static const char *store_word(const struct store *store)
{
	if (!store)
		return "none";
	return store_is_up(store) ? "up" : "down";
}

static void log_ready(const struct daemon *daemon)
{
	log_info(
	    "mcmigd",
	    "msg=\"ready\" version=%s system=%s node=%s addresses=%s%s "
	    "store=%s",
	    PACKAGE_VERSION, daemon->core.system, daemon->core.node,
	    list_addresses(daemon, SIP_INSIDE, "").text,
	    list_addresses(daemon, SIP_OUTSIDE, " addresses_outside=").text,
	    store_word(daemon->store));
	if (daemon->store && !store_is_up(daemon->store))
		log_warning("mcmigd",
			    "msg=\"serving without the store: requests are "
			    "answered 503\" reason=\"%s\"",
			    store_reason(daemon->store));
}

/* Who waits for the line finds the store up, unless it is really away. */
static void look_for_store(void *arg)
{
	struct daemon *daemon = arg;
	uint64_t waited = clock_monotonic_ms() - daemon->started_ms;

	if (!daemon->store || store_is_up(daemon->store) ||
	    waited > STORE_WAIT_MS) {
		log_ready(daemon);
		return;
	}
	timer_start(daemon->core.timers, &daemon->ready_timer, STORE_LOOK_MS,
		    look_for_store, daemon);
}

int daemon_start(struct daemon *daemon)
{
	const struct daemon_settings *settings = daemon_settings(daemon);
	int err = create_store(daemon, settings);

	if (!err)
		err = create_sip(daemon, settings);
	if (!err)
		err = loader_start(daemon->loader);
	if (!err && daemon->store)
		err = store_start(daemon->store);
	if (err)
		return err;
	daemon_tls_look(daemon);
	look_for_store(daemon);
	return 0;
}

/*
 * The world falls silent first: then nothing calls into a module that has
 * stopped.
 */
void daemon_stop(struct daemon *daemon)
{
	if (daemon->core.timers) {
		timer_stop(daemon->core.timers, &daemon->ready_timer);
		timer_stop(daemon->core.timers, &daemon->drain_timer);
		timer_stop(daemon->core.timers, &daemon->expiry_timer);
	}
	accept_ask(NULL);
	sip_stack_destroy(daemon->sip);
	store_destroy(daemon->store);
	daemon->core.sip = NULL;
	daemon->core.store = NULL;
	if (daemon->loader)
		loader_stop(daemon->loader);
	daemon_tls_release(&daemon->tls);
	expiry_destroy(daemon->expiry);
	if (daemon->stats)
		stats_destroy(daemon->stats);
	if (daemon->loop)
		loop_destroy(daemon->loop);
}
