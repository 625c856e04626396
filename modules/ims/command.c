/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigctl ims: who is registered where. */
#include <string.h>

#include "base/clock.h"
#include "ims/ims.h"

#define ROWS_MAX 1000

struct listing {
	json_t *rows;
	uint64_t now_ms;
};

static bool add_row(void *arg, const struct registration *registration)
{
	struct listing *listing = arg;
	uint64_t left_ms = registration->expires_ms > listing->now_ms
			       ? registration->expires_ms - listing->now_ms
			       : 0;

	json_array_append_new(listing->rows,
			      json_pack("{s:s, s:s, s:s, s:I}", "identity",
					registration->identity, "registrar",
					registration->registrar, "next_hop",
					registration->hop, "expires_in_s",
					(json_int_t)(left_ms / 1000)));
	return json_array_size(listing->rows) < ROWS_MAX;
}

static void list(const struct ims_module *module, const char *id,
		 struct command_call *call)
{
	struct listing listing = { json_array(), clock_monotonic_ms() };
	char identity[MCID_SIZE];
	const struct registration *found;

	if (!id) {
		registrations_visit(module->registrations, add_row, &listing);
		command_finish(call, listing.rows);
		return;
	}
	if (public_identity_canonical(id, identity)) {
		json_decref(listing.rows);
		command_fail(call, "no public user identity: as "
				   "sip:USER@DOMAIN");
		return;
	}
	found = registrations_find(module->registrations, identity);
	if (found)
		add_row(&listing, found);
	command_finish(call, listing.rows);
}

static void run(void *context, const json_t *args, struct command_call *call)
{
	const char *what = json_string_value(json_array_get(args, 0));
	const char *id = json_string_value(json_array_get(args, 1));

	if (!strcmp(what, "registrations"))
		list(context, id, call);
	else
		command_fail(call, "usage: ims registrations [IDENTITY]");
}

const struct command ims_commands[] = {
	{ "ims", "registrations [IDENTITY]",
	  "who is registered with which S-CSCF; of many the 1000 refreshed "
	  "longest ago",
	  run },
	{ 0 },
};
