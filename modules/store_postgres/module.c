/* SPDX-License-Identifier: BSD-2-Clause */
/* The module store_postgres: its settings and its life. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "module/core.h"
#include "store_postgres/postgres.h"

struct settings {
	char *conninfo;
	uint32_t connect_timeout_ms;
	uint32_t lease_ms;
};

static const struct setting settings_table[] = {
	{
	    .name = "conninfo",
	    .type = SETTING_STRING,
	    .default_value = "dbname=mcmig",
	    .secret = true,
	    .help = "Database, as libpq takes it: \"host=a,b port=5432 "
		    "dbname=mcmig user=mcmig\"; hosts are tried in turn for "
		    "one that takes writes.",
	    .offset = offsetof(struct settings, conninfo),
	},
	{
	    .name = "connect_timeout",
	    .type = SETTING_DURATION,
	    .default_value = "2s",
	    .min = 100,
	    .max = 60000,
	    .help = "How long one host may take to accept the connections.",
	    .offset = offsetof(struct settings, connect_timeout_ms),
	},
	{
	    .name = "lease",
	    .type = SETTING_DURATION,
	    .default_value = "15s",
	    .min = 3000,
	    .max = 600000,
	    .help = "How long this node is taken for alive without renewing; "
		    "it renews three times in this time.",
	    .offset = offsetof(struct settings, lease_ms),
	},
	{ .name = NULL },
};

static int init(struct core *core, const void *values, void **contextp)
{
	const struct settings *settings = values;
	struct postgres_config config = {
		.conninfo = settings->conninfo,
		.system = core->system,
		.connect_timeout_ms = settings->connect_timeout_ms,
		.lease_ms = settings->lease_ms,
	};
	char why[256] = "";
	int err;

	if (core->backend) {
		log_error("store_postgres", "msg=\"another store module is "
					    "loaded: leave one in modules\"");
		return EEXIST;
	}
	err = postgres_create(&core->backend, core->loop, core->timers,
			      core->node, &config, why, sizeof(why));
	if (err) {
		log_error("store_postgres", "msg=\"no store\" error=\"%s\"",
			  *why ? why : strerror(err));
		return err;
	}
	*contextp = core;
	return 0;
}

/* After the core has stopped the store, and with it the backend. */
static void stop(void *context)
{
	struct core *core = context;

	postgres_destroy(core->backend);
	core->backend = NULL;
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "store_postgres",
	.description = "Stores state in PostgreSQL, shared by any number of "
		       "nodes.",
	.settings = settings_table,
	.settings_bytes = sizeof(struct settings),
	.init = init,
	.stop = stop,
};
