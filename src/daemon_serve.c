/* SPDX-License-Identifier: BSD-2-Clause */
/* Start and end of service: in which order the parts come and go. */
#include "config.h"

#include "daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"

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
	daemon_offer_program(daemon);
	return 0;
}

int daemon_init(struct daemon *daemon)
{
	int err = init_core(daemon);

	if (!err)
		err = loader_init(daemon->loader, &daemon->core, daemon->conf);
	if (!err && !daemon->core.backend) {
		log_error("mcmigd",
			  "msg=\"%s: no store among the modules: add "
			  "'store_sqlite' or 'store_postgres'\"",
			  daemon->file);
		err = EINVAL;
	}
	return err;
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
	int err =
	    store_create(&daemon->store, daemon->loop, daemon->core.timers,
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
		.domain = settings->system,
		.t1_ms = settings->sip_t1_ms,
		.server_transactions_max =
		    settings->sip_server_transactions_max,
		.client_transactions_max =
		    settings->sip_client_transactions_max,
		.peer_outstanding_max = settings->sip_peer_outstanding_max,
	};
	int err = sip_stack_create(&daemon->sip, daemon->loop, daemon->stats,
				   &config);

	if (!err)
		daemon->core.sip = sip_stack_sip(daemon->sip);
	return err;
}

static void log_ready(const struct daemon *daemon)
{
	json_t *addresses = daemon_addresses(daemon);
	char text[512] = "";
	const json_t *address;
	size_t i;

	json_array_foreach(addresses, i, address)
	{
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "",
			 json_string_value(address));
	}
	json_decref(addresses);
	log_info("mcmigd",
		 "msg=\"ready\" version=%s system=%s node=%s addresses=%s "
		 "store=%s",
		 PACKAGE_VERSION, daemon->core.system, daemon->core.node, text,
		 store_is_up(daemon->store) ? "up" : "down");
	if (!store_is_up(daemon->store))
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

	if (store_is_up(daemon->store) || waited > STORE_WAIT_MS) {
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
	if (!err)
		err = store_start(daemon->store);
	if (!err)
		look_for_store(daemon);
	return err;
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
	}
	sip_stack_destroy(daemon->sip);
	store_destroy(daemon->store);
	daemon->core.sip = NULL;
	daemon->core.store = NULL;
	if (daemon->loader)
		loader_stop(daemon->loader);
	if (daemon->stats)
		stats_destroy(daemon->stats);
	if (daemon->loop)
		loop_destroy(daemon->loop);
}
