/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module interface. A module is a shared object that exports one
 * `const struct module mcmig_module`. Life: load (ABI check), init, start,
 * [reload ...], drain, stop, unload; stop undoes init and start.
 */
#ifndef MCMIG_MODULE_MODULE_H
#define MCMIG_MODULE_MODULE_H

#include <jansson.h>

#include "base/export.h"
#include "conf/conf.h"

/* Raised whenever a struct of a public header changes. */
#define MODULE_ABI 3
#define MODULE_EXPORT __attribute__((visibility("default")))

struct core;
struct store_backend;

/* A control command under way. */
struct command_call;

struct command {
	const char *name;  /* NULL closes a table */
	const char *usage; /* "[ID]": arguments */
	const char *help;
	/*
	 * Ends, now or later, with exactly one command_finish() or
	 * command_fail(). `args` is an array of strings, borrowed for the call.
	 */
	void (*run)(void *context, const json_t *args,
		    struct command_call *call);
};

/* `result`: an object, or an array of objects of like keys; taken over. */
MCMIG_API void command_finish(struct command_call *call, json_t *result);
MCMIG_API void command_fail(struct command_call *call, const char *reason);

/* What a transport of commands (the ctl module, a test) embeds. */
struct command_call {
	void (*done)(struct command_call *call, json_t *result,
		     const char *failure); /* one of the two is NULL */
};

struct module {
	uint32_t abi; /* MODULE_ABI */
	const char *name;
	const char *description;
	const struct setting *settings; /* NULL: none */
	size_t settings_bytes;
	const struct command *commands; /* NULL: none */
	bool needs_store; /* the daemon refuses it without a store module */
	bool takes_messages; /* of a daemon's modules only one may */

	/*
	 * Each returns 0 or an errno, having logged why; NULL: nothing to do.
	 * init() checks the settings and allocates, but touches nothing outside
	 * the process (mcmigd --check calls it): start() binds, connects and
	 * opens. A reload() that fails keeps the old settings. `settings` stays
	 * valid until the next reload() has returned or stop() has; without a
	 * reload() until stop() has.
	 */
	int (*init)(struct core *core, const void *settings, void **contextp);
	int (*start)(void *context);
	int (*reload)(void *context, const void *settings);
	/* No new work from here on. */
	void (*drain)(void *context);
	/* Work still under way; the process waits for 0, bounded in time. */
	size_t (*pending)(void *context);
	void (*stop)(void *context);
};

#endif
