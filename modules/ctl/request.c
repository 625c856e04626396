/* SPDX-License-Identifier: BSD-2-Clause */
/* A request's line: its JSON, the command it names, its arguments. */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENT_MAX_BYTES 1024

static void fail(struct command_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct command_call *call, const char *format, ...)
{
	char reason[512];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	command_fail(call, reason);
}

/* --- The command -------------------------------------------------------- */

struct lookup {
	const char *name;
	const struct command *command;
	void *context;
};

static void look_at(void *arg, const struct command *command, void *context)
{
	struct lookup *lookup = arg;

	if (!lookup->command && !strcmp(command->name, lookup->name)) {
		lookup->command = command;
		lookup->context = context;
	}
}

static void find_command(const struct ctl *ctl, struct lookup *lookup)
{
	const struct core_program *program = ctl->core->program;

	program->visit_commands(program->arg, look_at, lookup);
}

/* "ID [PROFILE]": one to two arguments. */
static void count_usage(const char *usage, size_t *minp, size_t *maxp)
{
	*minp = *maxp = 0;
	for (const char *p = usage ? usage : ""; *p;) {
		size_t length = strcspn(p, " ");

		if (length) {
			++*maxp;
			*minp += *p != '[';
		}
		p += length;
		p += *p == ' ';
	}
}

/* --- The request -------------------------------------------------------- */

static bool check_members(const json_t *request, struct command_call *call)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)request, key, value)
	{
		if (strcmp(key, "command") && strcmp(key, "args")) {
			fail(call, "a request has \"command\" and \"args\", "
				   "nothing else");
			return false;
		}
	}
	if (!json_is_string(json_object_get(request, "command"))) {
		fail(call, "no command: send {\"command\": \"help\"}");
		return false;
	}
	return true;
}

static bool check_args(const json_t *args, struct command_call *call)
{
	const json_t *value;
	size_t i;

	if (args && !json_is_array(args)) {
		fail(call, "\"args\" is no array");
		return false;
	}
	json_array_foreach(args, i, value)
	{
		if (!json_is_string(value) ||
		    json_string_length(value) > ARGUMENT_MAX_BYTES) {
			fail(call,
			     "argument %zu is no string of up to %d bytes",
			     i + 1, ARGUMENT_MAX_BYTES);
			return false;
		}
	}
	return true;
}

static bool check_count(const struct command *command, size_t count,
			struct command_call *call)
{
	const char *usage = command->usage ? command->usage : "";
	size_t min, max;

	count_usage(usage, &min, &max);
	if (count >= min && count <= max)
		return true;
	fail(call, "too %s arguments: usage: %s%s%s",
	     count < min ? "few" : "many", command->name, *usage ? " " : "",
	     usage);
	return false;
}

/* A cut name might be no UTF-8 any more. */
static void fail_unknown(const char *name, struct command_call *call)
{
	if (strlen(name) > 64)
		fail(call, "unknown command: help lists all");
	else
		fail(call, "unknown command \"%s\": help lists all", name);
}

static void run_command(struct ctl *ctl, const json_t *request,
			struct command_call *call)
{
	const json_t *args = json_object_get(request, "args");
	struct lookup lookup = {
		.name = json_string_value(json_object_get(request, "command")),
	};
	json_t *none = NULL;

	find_command(ctl, &lookup);
	if (!lookup.command) {
		fail_unknown(lookup.name, call);
		return;
	}
	if (!check_count(lookup.command, json_array_size(args), call))
		return;
	if (!args)
		args = none = json_array();
	lookup.command->run(lookup.context, args, call);
	json_decref(none);
}

void ctl_request_run(struct ctl *ctl, const char *line, size_t length,
		     struct command_call *call)
{
	json_error_t error;
	json_t *request =
	    json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);

	stat_increment(&ctl->commands);
	if (!request)
		fail(call, "not JSON: %s (column %d)", error.text,
		     error.column);
	else if (!json_is_object(request))
		fail(call, "no JSON object: send {\"command\": \"help\"}");
	else if (check_members(request, call) &&
		 check_args(json_object_get(request, "args"), call))
		run_command(ctl, request, call);
	json_decref(request);
}
