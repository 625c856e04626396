/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the core offers to modules. Built by mcmigd; by tests and the
 * simulation as far as they need it.
 */
#ifndef MCMIG_MODULE_CORE_H
#define MCMIG_MODULE_CORE_H

#include "base/export.h"
#include "module/module.h"

struct authorizer;
struct directory;
struct ims;
struct loop;
struct sip;
struct stats;
struct store;
struct timers;

struct core {
	struct loop *loop; /* NULL in the simulation */
	struct timers *timers;
	struct stats *stats;
	/*
	 * NULL until start(), and NULL again in stop(): by then both are gone,
	 * and nothing they owed is called back any more.
	 */
	struct sip *sip;
	struct store *store; /* has the directory */
	bool has_outside;    /* SIP_OUTSIDE has listeners of its own */
	const char *system;  /* our MC system's name, as in mc_system */
	const char *node;    /* this node's name */
	/* Set by the store module's init(); the core makes the store of it. */
	struct store_backend *backend;
	/* Set by the init() of the module that checks credentials; may be NULL. */
	struct authorizer *authorizer;
	/* Set by the init() of the module that knows the IMS; may be NULL. */
	struct ims *ims;
	/* What `mcmigctl status`, settings, tls and reload ask of the program. */
	const struct core_program *program;
};

struct core_program {
	json_t *(*status)(void *arg);
	json_t *(*settings)(void *arg);
	json_t *(*tls)(void *arg);
	/* 0, or an errno with the reason in `why`. */
	int (*reload)(void *arg, char *why, size_t why_bytes);
	/* Calls `visit` for each command of each loaded module. */
	void (*visit_commands)(void *arg,
			       void (*visit)(void *visit_arg,
					     const struct command *command,
					     void *context),
			       void *visit_arg);
	void *arg;
};

#endif
