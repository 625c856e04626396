/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that every daemon has. */
#include <errno.h>
#include <string.h>

#include "ctl/ctl.h"
#include "store/store.h"

/* --- The program -------------------------------------------------------- */

static void run_status(void *context, const json_t *args,
		       struct command_call *call)
{
	const struct core_program *program =
	    ((struct ctl *)context)->core->program;

	(void)args;
	command_finish(call, program->status(program->arg));
}

static void run_settings(void *context, const json_t *args,
			 struct command_call *call)
{
	const struct core_program *program =
	    ((struct ctl *)context)->core->program;

	(void)args;
	command_finish(call, program->settings(program->arg));
}

static void run_tls(void *context, const json_t *args,
		    struct command_call *call)
{
	const struct core_program *program =
	    ((struct ctl *)context)->core->program;

	(void)args;
	command_finish(call, program->tls(program->arg));
}

static void run_reload(void *context, const json_t *args,
		       struct command_call *call)
{
	const struct core_program *program =
	    ((struct ctl *)context)->core->program;
	char why[256] = "";

	(void)args;
	if (program->reload(program->arg, why, sizeof(why)))
		command_fail(call, why);
	else
		command_finish(call, json_pack("{s:b}", "reloaded", 1));
}

static void add_command(void *rows, const struct command *command,
			void *context)
{
	(void)context;
	json_array_append_new(
	    rows, json_pack("{s:s, s:s, s:s}", "command", command->name,
			    "arguments", command->usage ? command->usage : "",
			    "help", command->help));
}

static void run_help(void *context, const json_t *args,
		     struct command_call *call)
{
	const struct core_program *program =
	    ((struct ctl *)context)->core->program;
	json_t *rows = json_array();

	(void)args;
	program->visit_commands(program->arg, add_command, rows);
	command_finish(call, rows);
}

/* --- Statistics --------------------------------------------------------- */

static json_t *quantile(const struct statistic *stat, double q)
{
	if (stat->kind != STATS_HISTOGRAM || !stat->value)
		return json_null();
	return json_integer((json_int_t)stat_quantile_us(stat, q));
}

static json_t *mean(const struct statistic *stat)
{
	if (stat->kind != STATS_HISTOGRAM || !stat->value)
		return json_null();
	return json_integer((json_int_t)(stat->sum / stat->value));
}

static void run_stats(void *context, const json_t *args,
		      struct command_call *call)
{
	static const char *const kinds[] = {
		[STATS_COUNTER] = "counter",
		[STATS_GAUGE] = "gauge",
		[STATS_HISTOGRAM] = "histogram",
	};
	const struct ctl *ctl = context;
	json_t *rows = json_array();

	(void)args;
	for (const struct statistic *stat = stats_first(ctl->core->stats); stat;
	     stat = stat->next)
		json_array_append_new(
		    rows,
		    json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:s}", "name",
			      stat->name, "kind", kinds[stat->kind], "value",
			      (json_int_t)stat->value, "mean_us", mean(stat),
			      "p50_us", quantile(stat, 0.5), "p99_us",
			      quantile(stat, 0.99), "help",
			      stat->help ? stat->help : ""));
	command_finish(call, rows);
}

/* --- The store ---------------------------------------------------------- */

static const char *query_failure(int error)
{
	switch (error) {
	case EAGAIN:
		return "the store is down: status says why";
	case EBUSY:
		return "too many queries are under way: try again";
	case EIO:
		return "the store went away meanwhile: try again";
	default:
		return strerror(error);
	}
}

static void query_done(void *arg, json_t *rows, int error)
{
	struct command_call *call = arg;

	if (error)
		command_fail(call, query_failure(error));
	else
		command_finish(call, rows);
}

static void query(void *context, enum store_query_kind kind, const json_t *args,
		  struct command_call *call)
{
	const struct ctl *ctl = context;
	const char *argument = json_string_value(json_array_get(args, 0));
	int err = EAGAIN;

	if (!ctl->core->backend) {
		command_fail(call, "this node has no store");
		return;
	}
	if (ctl->core->store)
		err = store_query(ctl->core->store, kind,
				  argument ? argument : "", query_done, call);
	if (err)
		command_fail(call, query_failure(err));
}

static void run_procedures(void *context, const json_t *args,
			   struct command_call *call)
{
	query(context, STORE_QUERY_PROCEDURES, args, call);
}

static void run_migrations(void *context, const json_t *args,
			   struct command_call *call)
{
	query(context, STORE_QUERY_MIGRATIONS, args, call);
}

static void run_redirection(void *context, const json_t *args,
			    struct command_call *call)
{
	query(context, STORE_QUERY_REDIRECTION, args, call);
}

static void run_systems(void *context, const json_t *args,
			struct command_call *call)
{
	query(context, STORE_QUERY_SYSTEMS, args, call);
}

static void run_gateways(void *context, const json_t *args,
			 struct command_call *call)
{
	query(context, STORE_QUERY_GATEWAYS, args, call);
}

static void run_nodes(void *context, const json_t *args,
		      struct command_call *call)
{
	query(context, STORE_QUERY_NODES, args, call);
}

const struct command ctl_commands[] = {
	{ "status", NULL, "the daemon, its addresses, store and modules",
	  run_status },
	{ "procedures", "[ID]", "procedures under way, or the one with this ID",
	  run_procedures },
	{ "migrations", "[USER]",
	  "active and starting migrations, or all of an MC service ID",
	  run_migrations },
	{ "redirection", "ID", "where private communication to this ID goes",
	  run_redirection },
	{ "systems", NULL, "the MC systems that the directory knows",
	  run_systems },
	{ "gateways", NULL, "our own MC gateway servers", run_gateways },
	{ "nodes", NULL, "the nodes on this store", run_nodes },
	{ "stats", NULL, "counters and latencies since the start", run_stats },
	{ "settings", NULL, "every setting with its value", run_settings },
	{ "tls", NULL, "certificates: our own, and those of connected peers",
	  run_tls },
	{ "reload", NULL, "reads the configuration again, as SIGHUP does",
	  run_reload },
	{ "help", NULL, "the commands", run_help },
	{ 0 },
};
