/* SPDX-License-Identifier: BSD-2-Clause */
/* Which columns of wide rows people need. */
#include "columns.h"

#include <string.h>

#define COLUMNS_MAX 12

static const struct needed {
	const char *command;
	const char *columns[COLUMNS_MAX + 1];
} needed[] = {
	{ "procedures",
	  { "created", "procedure_id", "service", "role", "verb", "state",
	    "outcome", "cause", "primary_id", "partner_id", "peer_system" } },
	{ "migrations",
	  { "service", "role", "status", "current", "primary_id", "partner_id",
	    "peer_system", "profile_index", "started", "ended" } },
};

static const char *const *find(const char *command)
{
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!strcmp(needed[i].command, command))
			return needed[i].columns;
	}
	return NULL;
}

/* A daemon of another version may not have every column. */
static json_t *choose(const json_t *row, const char *const *columns)
{
	json_t *chosen = json_object();

	for (; *columns; columns++) {
		json_t *value = json_object_get(row, *columns);

		if (value && json_object_set(chosen, *columns, value)) {
			json_decref(chosen);
			return NULL;
		}
	}
	return chosen;
}

json_t *columns_choose(const char *command, json_t *result)
{
	const char *const *columns = find(command);
	const json_t *row;
	json_t *rows;
	size_t i;

	if (!columns)
		return json_incref(result);
	rows = json_array();
	json_array_foreach(result, i, row)
	{
		if (json_array_append_new(rows, choose(row, columns))) {
			json_decref(rows);
			return NULL;
		}
	}
	return rows;
}
