/* SPDX-License-Identifier: BSD-2-Clause */
/* The module: settings, and the backend's reports on the loop. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "loop/loop.h"
#include "module/core.h"
#include "store_sqlite.h"

struct settings {
	char *file;
	uint32_t busy_timeout;
};

struct module_context {
	struct core *core;
	struct store_backend *backend;
	struct loop_watch *watch;
};

static const struct setting settings_table[] = {
	{ .name = "file",
	  .type = SETTING_STRING,
	  .help = "The database file, made with db/sqlite/schema.sql; on a "
		  "local file system.",
	  .offset = offsetof(struct settings, file) },
	{ .name = "busy_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "2s",
	  .min = 100,
	  .max = 60000,
	  .help = "How long a commit waits while another process holds the "
		  "write lock.",
	  .offset = offsetof(struct settings, busy_timeout) },
	{ .name = NULL },
};

static void on_report(void *arg, uint32_t events)
{
	(void)events;
	store_sqlite_dispatch(arg);
}

static void module_stop(void *arg)
{
	struct module_context *context = arg;

	loop_unwatch(context->watch);
	context->core->backend = NULL;
	store_sqlite_destroy(context->backend);
	free(context);
}

static int module_init(struct core *core, const void *values, void **contextp)
{
	const struct settings *settings = values;
	struct store_sqlite_config config = {
		.file = settings->file,
		.system = core->system,
		.node = core->node,
		.busy_timeout_ms = settings->busy_timeout,
	};
	struct module_context *context;
	int err;

	if (core->backend) {
		log_error("store_sqlite",
			  "msg=\"another store is loaded already: name one in "
			  "modules\"");
		return EEXIST;
	}
	context = calloc(1, sizeof(*context));
	if (!context)
		return ENOMEM;
	context->core = core;
	err = store_sqlite_create(&context->backend, &config);
	if (!err)
		err = loop_watch(core->loop, store_sqlite_fd(context->backend),
				 EPOLLIN, on_report, context->backend,
				 &context->watch);
	if (err) {
		log_error("store_sqlite", "msg=\"cannot be set up\" errno=%d",
			  err);
		store_sqlite_destroy(context->backend);
		free(context);
		return err;
	}
	core->backend = context->backend;
	*contextp = context;
	return 0;
}

/* The store starts and stops the backend. */
static int module_start(void *arg)
{
	(void)arg;
	return 0;
}

static int module_reload(void *arg, const void *values)
{
	(void)arg;
	(void)values;
	return 0;
}

static void module_drain(void *arg)
{
	(void)arg;
}

static size_t module_pending(void *arg)
{
	(void)arg;
	return 0;
}

MODULE_EXPORT extern const struct module mcmig_module;
const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "store_sqlite",
	.description = "The store in one SQLite file, for a single node.",
	.settings = settings_table,
	.settings_bytes = sizeof(struct settings),
	.init = module_init,
	.start = module_start,
	.reload = module_reload,
	.drain = module_drain,
	.pending = module_pending,
	.stop = module_stop,
};
