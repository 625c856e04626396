/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of the store backend, and its making and end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_postgres/postgres.h"

static int start(struct store_backend *backend, struct store *store)
{
	struct postgres *postgres = (struct postgres *)backend;

	postgres->store = store;
	return session_start(postgres);
}

/* The store is told nothing any more. */
static void stop(struct store_backend *backend)
{
	struct postgres *postgres = (struct postgres *)backend;

	postgres->store = NULL;
	session_stop(postgres);
}

static int load(struct store_backend *backend, struct store_item **items,
		size_t count)
{
	struct postgres *postgres = (struct postgres *)backend;

	return batch_start(&postgres->loading, postgres, &load_kind, items,
			   count);
}

static int write(struct store_backend *backend, struct store_item **items,
		 size_t count)
{
	struct postgres *postgres = (struct postgres *)backend;

	return batch_start(&postgres->writing, postgres, &write_kind, items,
			   count);
}

/* Never a cancel: a commit whose wait for the standby is cancelled reports
 * success for rows that the standby does not have. */
static void abandon(struct store_backend *backend)
{
	session_fail((struct postgres *)backend,
		     "no answer of the database to a batch in time");
}

static const struct store_backend_ops ops = {
	.name = "postgres",
	.start = start,
	.stop = stop,
	.load = load,
	.write = write,
	.abandon = abandon,
	.find_live = live_find,
	.load_directory = directory_load,
	.query = query_start,
	.purge = node_purge,
};

int postgres_create(struct store_backend **backendp, struct loop *loop,
		    struct timers *timers, const char *node,
		    const struct postgres_config *config, char *why,
		    size_t why_bytes)
{
	struct postgres *postgres = calloc(1, sizeof(*postgres));
	int err;

	if (!postgres)
		return ENOMEM;
	postgres->backend.ops = &ops;
	postgres->loop = loop;
	postgres->timers = timers;
	postgres->connect_timeout_ms = config->connect_timeout_ms;
	postgres->lease_ms = config->lease_ms;
	snprintf(postgres->system, sizeof(postgres->system), "%s",
		 config->system);
	snprintf(postgres->node, sizeof(postgres->node), "%s", node);
	err = targets_create(&postgres->targets, config->conninfo, node, why,
			     why_bytes);
	if (err)
		goto out;
	*backendp = &postgres->backend;
	postgres = NULL;
out:
	free(postgres);
	return err;
}

void postgres_destroy(struct store_backend *backend)
{
	struct postgres *postgres = (struct postgres *)backend;

	if (!postgres)
		return;
	targets_destroy(postgres->targets);
	array_set_free(&postgres->parameters);
	batch_free(&postgres->loading);
	batch_free(&postgres->writing);
	free(postgres->claims.list);
	free(postgres);
}
