/* SPDX-License-Identifier: BSD-2-Clause */
/* A module with every callback, built under two names; it fails on demand. */
#include <errno.h>
#include <stdlib.h>

#include "journal.h"
#include "module/core.h"

struct settings {
	char *fail; /* the callback that fails */
	uint32_t pending;
};
static const struct setting settings_table[] = {
	{ .name = "fail",
	  .type = SETTING_STRING,
	  .default_value = "nothing",
	  .choices = "nothing|init|start|reload",
	  .reloadable = true,
	  .help = "The callback that fails.",
	  .offset = offsetof(struct settings, fail) },
	{ .name = "pending",
	  .type = SETTING_UNSIGNED,
	  .default_value = "0",
	  .reloadable = true,
	  .help = "What pending() returns.",
	  .offset = offsetof(struct settings, pending) },
	{ 0 },
};

struct life {
	struct journal *journal;
	const struct settings *settings;
};

static int answer(const struct settings *settings, const char *callback)
{
	return strcmp(settings->fail, callback) ? 0 : EIO;
}

static int life_init(struct core *core, const void *settings, void **contextp)
{
	struct life *life = calloc(1, sizeof(*life));

	if (!life)
		return ENOMEM;
	life->journal = core->program->arg;
	life->settings = settings;
	journal_write(life->journal, MODULE_NAME, ".init ");
	if (answer(settings, "init")) {
		free(life);
		return EIO;
	}
	*contextp = life;
	return 0;
}

static int life_start(void *context)
{
	struct life *life = context;

	journal_write(life->journal, MODULE_NAME, ".start ");
	return answer(life->settings, "start");
}

static int life_reload(void *context, const void *settings)
{
	struct life *life = context;

	journal_write(life->journal, MODULE_NAME, ".reload ");
	if (answer(settings, "reload"))
		return EIO;
	life->settings = settings;
	return 0;
}

static void life_drain(void *context)
{
	struct life *life = context;

	journal_write(life->journal, MODULE_NAME, ".drain ");
}

static size_t life_pending(void *context)
{
	const struct life *life = context;

	return life->settings->pending;
}

static void life_stop(void *context)
{
	struct life *life = context;

	journal_write(life->journal, MODULE_NAME, ".stop ");
	free(life);
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = MODULE_NAME,
	.description = "for tests of the loader",
	.settings = settings_table,
	.settings_bytes = sizeof(struct settings),
	.init = life_init,
	.start = life_start,
	.reload = life_reload,
	.drain = life_drain,
	.pending = life_pending,
	.stop = life_stop,
};
