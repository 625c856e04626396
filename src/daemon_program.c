/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program itself shows through ctl: status, settings, reload. */
#include "config.h"

#include "daemon.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

json_t *daemon_addresses(const struct daemon *daemon, enum sip_side side)
{
	const struct daemon_settings *settings = daemon_settings(daemon);
	const struct setting_list *listen = &settings->listen;
	json_t *addresses = json_array();
	size_t first = 0;

	if (side == SIP_OUTSIDE) {
		first = listen->count;
		listen = &settings->listen_outside;
	}
	for (size_t i = 0; i < listen->count; i++) {
		const char *address = sip_stack_address(daemon->sip, first + i);
		int transport = (int)strcspn(listen->values[i], ":");

		if (address)
			json_array_append_new(addresses,
					      json_sprintf("%.*s:%s", transport,
							   listen->values[i],
							   address));
	}
	return addresses;
}

static json_t *module_names(const struct loader *loader)
{
	json_t *names = json_array();

	for (size_t i = 0; i < loader_count(loader); i++)
		json_array_append_new(
		    names, json_string(loader_module(loader, i)->name));
	return names;
}

static json_t *store_status(const struct daemon *daemon)
{
	if (!daemon->store)
		return json_null();
	return json_pack("{s:s, s:b, s:s}", "name",
			 daemon->core.backend->ops->name, "up",
			 store_is_up(daemon->store), "reason",
			 store_reason(daemon->store));
}

static json_t *pending_status(const struct daemon *daemon)
{
	return json_pack(
	    "{s:I, s:I, s:I}", "modules",
	    (json_int_t)loader_pending(daemon->loader), "sip",
	    (json_int_t)sip_stack_pending(daemon->sip), "store",
	    (json_int_t)(daemon->store ? store_pending(daemon->store) : 0));
}

static json_t *memory_status(const struct daemon *daemon)
{
	return json_pack("{s:I, s:I, s:I}", "rss_bytes",
			 (json_int_t)daemon->recycle.rss.value, "max_bytes",
			 (json_int_t)(daemon_settings(daemon)->memory_max_mib *
				      INT64_C(1048576)),
			 "recycled", (json_int_t)daemon->recycle.history.times);
}

static json_t *status(void *arg)
{
	const struct daemon *daemon = arg;
	uint64_t uptime_ms = clock_monotonic_ms() - daemon->started_ms;

	return json_pack(
	    "{s:s, s:s, s:s, s:i, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "version", PACKAGE_VERSION, "system", daemon->core.system, "node",
	    daemon->core.node, "pid", (int)getpid(), "state",
	    daemon->draining ? "draining" : "serving", "uptime_s",
	    (json_int_t)(uptime_ms / 1000), "addresses",
	    daemon_addresses(daemon, SIP_INSIDE), "addresses_outside",
	    daemon_addresses(daemon, SIP_OUTSIDE), "store",
	    store_status(daemon), "pending", pending_status(daemon), "memory",
	    memory_status(daemon), "modules", module_names(daemon->loader));
}

static void add_setting(void *arg, const char *section,
			const struct setting *setting, const char *value)
{
	const char *text = setting->default_value;

	json_array_append_new(
	    arg, json_pack("{s:o, s:s, s:s, s:s, s:s}", "setting",
			   json_sprintf("%s%s%s", section, *section ? "." : "",
					setting->name),
			   "value", value, "default", text ? text : "",
			   "change", setting->reloadable ? "reload" : "restart",
			   "help", setting->help));
}

static json_t *settings(void *arg)
{
	const struct daemon *daemon = arg;
	json_t *rows = json_array();

	if (rows)
		conf_visit(daemon->conf, add_setting, rows);
	return rows;
}

static json_t *tls(void *arg)
{
	return daemon_tls_status(arg);
}

static int reload(void *arg, char *why, size_t why_bytes)
{
	return daemon_reload(arg, why, why_bytes);
}

static void visit_commands(void *arg,
			   void (*visit)(void *visit_arg,
					 const struct command *command,
					 void *context),
			   void *visit_arg)
{
	const struct daemon *daemon = arg;

	for (size_t i = 0; i < loader_count(daemon->loader); i++) {
		const struct command *command =
		    loader_module(daemon->loader, i)->commands;

		for (; command && command->name; command++)
			visit(visit_arg, command,
			      loader_context(daemon->loader, i));
	}
}

void daemon_offer_program(struct daemon *daemon)
{
	daemon->program = (struct core_program){
		.status = status,
		.settings = settings,
		.tls = tls,
		.reload = reload,
		.visit_commands = visit_commands,
		.arg = daemon,
	};
	daemon->core.program = &daemon->program;
}
