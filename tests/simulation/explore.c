/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All schedules of a few client actions, breadth first, on the real rules:
 * whatever has been sent may arrive at any time, again and again or never, and
 * timers may fire at any time. That covers loss, doubling, reordering and the
 * crash of a server, whose volatile state is nothing but messages.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agreement.h"
#include "packed.h"
#include "state_set.h"

struct options {
	unsigned actions;
	unsigned users;
	unsigned visitors;
	bool stamps_order; /* and does not wait; else the clients wait for the
			    * outcome before they go to another system */
	bool purges;	   /* the primary forgets what is done, at any time */
};

enum step {
	CLIENT_SENDS,
	PARTNER_TAKES,
	PRIMARY_PERMITS,
	PRIMARY_DENIES,
	REQUEST_TAKEN,
	REQUEST_REFUSED,
	DEADLINE,
	RESPONSE,
	RESPONSE_STORED,
	RESPONSE_NOT_AWAITED,
	RESPONSE_REFUSED,
	PURGE,
	STEP_END,
};

static const char *const step_names[] = {
	[CLIENT_SENDS] = "client sends",
	[PARTNER_TAKES] = "partner takes the client's request",
	[PRIMARY_PERMITS] = "primary takes the request, permits",
	[PRIMARY_DENIES] = "primary takes the request, denies",
	[REQUEST_TAKEN] = "partner gets 200 to its request",
	[REQUEST_REFUSED] = "partner gets 403 to its request",
	[DEADLINE] = "partner's deadline fires",
	[RESPONSE] = "the response reaches the partner",
	[RESPONSE_STORED] = "primary gets 200 to its response",
	[RESPONSE_NOT_AWAITED] = "primary gets 481 to its response",
	[RESPONSE_REFUSED] = "primary gets 403 to its response",
	[PURGE] = "primary forgets the finished procedure",
};

struct explorer {
	struct options options;
	struct world *world;
	struct state_set *states;
};

/* -------------------------------------------------------------- invariants */

static bool is_undecided(const struct packed_ask *ask)
{
	return ask->partner_state == PROCEDURE_FORWARDING ||
	       ask->partner_state == PROCEDURE_AWAITING_RESPONSE;
}

/* Grows each time the user goes to another system. */
static unsigned visit_of(const struct packed *packed, unsigned i)
{
	unsigned visit = 0, last = 0;

	for (unsigned k = 0; k <= i; k++) {
		if (packed->asks[k].user != packed->asks[i].user)
			continue;
		visit += packed->asks[k].system != last;
		last = packed->asks[k].system;
	}
	return visit;
}

/* Whether ask `a` is what counts rather than `b`, for the user. */
static bool is_newer(const struct explorer *explorer,
		     const struct packed *packed, unsigned a, unsigned b)
{
	unsigned visit_a = visit_of(packed, a), visit_b = visit_of(packed, b);

	if (explorer->options.stamps_order)
		return a > b;
	if (visit_a != visit_b)
		return visit_a > visit_b;
	return packed->asks[a].sequence > packed->asks[b].sequence;
}

/* The user's newest success, at `system` or (0) anywhere; -1: none. */
static int newest_success(const struct explorer *explorer,
			  const struct packed *packed, unsigned user,
			  unsigned system, bool only_authorizations)
{
	int best = -1;

	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		const struct packed_ask *ask = &packed->asks[i];

		if (!ask->sent || ask->user != user ||
		    (system && ask->system != system) ||
		    ask->partner_outcome != OUTCOME_SUCCESS ||
		    (only_authorizations && ask->verb != MCINFO_AUTHORIZATION))
			continue;
		if (best < 0 || is_newer(explorer, packed, i, (unsigned)best))
			best = (int)i;
	}
	return best;
}

static bool is_mapped(const struct packed *packed, unsigned i)
{
	const struct packed_ask *ask = &packed->asks[i];

	for (unsigned visitor = 0; visitor < 2; visitor++) {
		const struct packed_mapping *mapping =
		    &packed->mappings[ask->system - WORLD_B][visitor];

		if (mapping->status == MAPPING_ACTIVE &&
		    mapping->number == i + 1)
			return true;
	}
	return false;
}

static bool has_mapping(const struct packed *packed, unsigned system,
			unsigned user)
{
	for (unsigned visitor = 0; visitor < 2; visitor++) {
		const struct packed_mapping *mapping =
		    &packed->mappings[system - WORLD_B][visitor];

		if (mapping->status == MAPPING_ACTIVE && mapping->user == user)
			return true;
	}
	return false;
}

static const char *check_rest(const struct explorer *explorer,
			      const struct packed *packed, unsigned user)
{
	struct tables *const *tables = explorer->world->tables;
	const struct agreement_user key = { MC_SERVICE_MCPTT,
					    world_primary_id(user) };
	const char *wrong = NULL;
	int told, last;

	for (unsigned system = 0; system < WORLD_SYSTEMS; system++) {
		if (!agreement_is_quiet(tables[system], &key))
			return NULL;
	}
	for (unsigned system = WORLD_B; system <= WORLD_C && !wrong; system++) {
		wrong = agreement_at_rest(tables[WORLD_A], tables[system], &key,
					  world_system(system));
		told = newest_success(explorer, packed, user, system, false);
		if (told >= 0 && packed->asks[told].verb == MCINFO_AUTHORIZATION
			? !is_mapped(packed, (unsigned)told)
			: has_mapping(packed, system, user))
			wrong = "at rest: not what the user was told last";
	}
	last = newest_success(explorer, packed, user, 0, true);
	if (!wrong && last >= 0 && is_mapped(packed, (unsigned)last) &&
	    !agreement_is_current(tables[WORLD_A], &key,
				  world_system(packed->asks[last].system)))
		wrong = "at rest: calls do not go where the user went last";
	return wrong;
}

static const char *check(const struct explorer *explorer,
			 const struct packed *before,
			 const struct packed *after)
{
	struct tables *const *tables = explorer->world->tables;
	const struct tables *home = tables[WORLD_A];
	const char *wrong = NULL;

	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		if (before->asks[i].partner_outcome &&
		    before->asks[i].partner_outcome !=
			after->asks[i].partner_outcome)
			return "an outcome changes that may be known";
	}
	for (size_t i = 0; i < home->migration_count && !wrong; i++) {
		const struct tables_migration *row = &home->migrations[i];
		bool at_b = !strcmp(row->migration.partner_system,
				    world_system(WORLD_B));

		wrong = agreement_of_row(home, tables[at_b ? WORLD_B : WORLD_C],
					 row->user, &row->migration);
	}
	for (unsigned user = 0; user < explorer->options.users && !wrong;
	     user++)
		wrong = check_rest(explorer, after, user);
	return wrong;
}

/* ------------------------------------------------------------------- steps */

/* A world where the client's next action has been sent. false: it waits. */
static bool client_sends(const struct explorer *explorer, struct packed *packed,
			 unsigned n, unsigned variant)
{
	const struct options *options = &explorer->options;
	struct packed_ask *new = &packed->asks[n];

	*new = (struct packed_ask){
		.sent = ASK_SENT,
		.verb =
		    variant & 1 ? MCINFO_DEAUTHORIZATION : MCINFO_AUTHORIZATION,
		.system = variant & 2 ? WORLD_C : WORLD_B,
		.user = variant >> 2 & 1,
		.visitor = variant >> 3 & 1,
	};
	if (new->user >= options->users || new->visitor >= options->visitors)
		return false;
	/* The first one may be anybody, anywhere. */
	if (!n && (new->system != WORLD_B || new->user || new->visitor))
		return false;
	for (unsigned i = 0; i < n && !options->stamps_order; i++) {
		struct packed_ask *ask = &packed->asks[i];

		if (ask->user != new->user || ask->system == new->system)
			continue;
		if (is_undecided(ask))
			return false;
		if (ask->sent == ASK_SENT && !ask->partner_state)
			ask->sent = ASK_VOID;
	}
	return true;
}

/* Whether the step can be, by what has been sent and by who waits. */
static bool is_possible(const struct explorer *explorer,
			const struct packed_ask *ask, enum step step)
{
	bool has_200 = ask->forwarded;

	switch (step) {
	case PARTNER_TAKES:
		return ask->sent == ASK_SENT && !ask->partner_state;
	case PRIMARY_PERMITS:
		return ask->sequence && !ask->primary_state;
	case PRIMARY_DENIES:
		return ask->sequence && !ask->primary_state &&
		       ask->verb == MCINFO_AUTHORIZATION;
	case REQUEST_TAKEN:
		return has_200 && (ask->telling ||
				   ask->partner_state == PROCEDURE_FORWARDING);
	case REQUEST_REFUSED:
		return ask->telling ||
		       ask->partner_state == PROCEDURE_FORWARDING;
	case DEADLINE:
		return is_undecided(ask);
	case RESPONSE:
		return ask->forwarded;
	case RESPONSE_STORED:
		return ask->stored_200 &&
		       ask->primary_state == PROCEDURE_ANSWERING;
	case RESPONSE_NOT_AWAITED:
		return ask->refused_481 &&
		       ask->primary_state == PROCEDURE_ANSWERING;
	case RESPONSE_REFUSED:
		return ask->primary_state == PROCEDURE_ANSWERING;
	case PURGE:
		return explorer->options.purges &&
		       ask->primary_state == PROCEDURE_DONE;
	case CLIENT_SENDS:
	case STEP_END:
		break;
	}
	return false;
}

static void note_answer(struct packed_ask *packed, int status)
{
	if (!packed->accepted)
		return;
	packed->stored_200 |= status == 200;
	packed->refused_481 |= status == 481;
}

static void primary_takes(struct world *world, struct world_ask *ask,
			  struct packed_ask *packed, bool permits)
{
	const struct procedure *row;

	world_permit(world, ask->user, permits);
	world_request(world, ask);
	world_permit(world, ask->user, true);
	row = world_at_primary(world, ask);
	packed->forwarded = 1;
	if (ask->verb == MCINFO_AUTHORIZATION &&
	    row->outcome == OUTCOME_SUCCESS)
		packed->accepted = 1;
}

static void take_step(struct explorer *explorer, struct packed *packed,
		      unsigned i, enum step step)
{
	struct world *world = explorer->world;
	struct packed_ask *to = &packed->asks[i];
	struct world_ask ask =
	    packed_ask(packed, i, explorer->options.stamps_order);
	bool is_success = to->accepted || ask.verb == MCINFO_DEAUTHORIZATION;

	if (to->sequence)
		ask.sequence = world->now_us + to->sequence - 1;
	if (step == PARTNER_TAKES)
		world_client(world, &ask);
	else if (step == PRIMARY_PERMITS || step == PRIMARY_DENIES)
		primary_takes(world, &ask, to, step == PRIMARY_PERMITS);
	else if (step == REQUEST_TAKEN)
		world_request_answered(world, &ask, 200);
	else if (step == REQUEST_REFUSED)
		world_request_answered(world, &ask, 403);
	else if (step == DEADLINE)
		world_deadline(world, &ask);
	else if (step == RESPONSE)
		note_answer(to, world_response_copy(world, &ask, ask.sequence,
						    is_success ? CAUSE_NONE
							       : CAUSE_OTHER));
	else if (step == RESPONSE_STORED)
		world_answered(world, &ask, 200);
	else if (step == RESPONSE_NOT_AWAITED)
		world_answered(world, &ask, 481);
	else if (step == RESPONSE_REFUSED)
		world_answered(world, &ask, 403);
}

/* -------------------------------------------------------------- the search */

static void describe(const struct packed *packed, unsigned i, char *text,
		     size_t size)
{
	const struct packed_ask *ask = &packed->asks[i];

	snprintf(text, size, "%c%u(%c%s%s)",
		 ask->verb == MCINFO_AUTHORIZATION ? 'p' : 'd', i + 1,
		 "ABC"[ask->system], ask -> user ? ",bob" : "",
		 ask->visitor ? ",visitor2" : "");
}

static void print_trace(const struct explorer *explorer, uint32_t state)
{
	uint32_t parent;
	uint16_t label = 0;
	char name[32];

	parent = state_set_parent(explorer->states, state, &label);
	if (parent != state)
		print_trace(explorer, parent);
	else
		return;
	describe(state_set_get(explorer->states, state), label >> 8, name,
		 sizeof(name));
	printf("  %s %s\n", step_names[label & 0xff], name);
}

/* false: something is violated. */
static bool reach(struct explorer *explorer, uint32_t from,
		  const struct packed *before, struct packed *after, unsigned i,
		  enum step step)
{
	const char *wrong = check(explorer, before, after);
	uint32_t state = state_set_add(explorer->states, after, from,
				       (uint16_t)(i << 8 | step));

	if (!wrong)
		return true;
	printf("VIOLATION: %s\n", wrong);
	if (state != STATE_KNOWN)
		print_trace(explorer, state);
	return false;
}

static unsigned count_asks(const struct packed *packed)
{
	unsigned n = 0;

	while (n < PACKED_ASKS && packed->asks[n].sent)
		n++;
	return n;
}

static bool expand(struct explorer *explorer, uint32_t from)
{
	const struct packed before =
	    *(const struct packed *)state_set_get(explorer->states, from);
	bool stamps_order = explorer->options.stamps_order;
	unsigned n = count_asks(&before);

	packed_to_world(&before, stamps_order, explorer->world);
	for (unsigned variant = 0;
	     n < explorer->options.actions && variant < 16; variant++) {
		struct packed after = before;

		if (client_sends(explorer, &after, n, variant) &&
		    !reach(explorer, from, &before, &after, n, CLIENT_SENDS))
			return false;
	}
	for (unsigned i = 0; i < n; i++) {
		for (enum step step = PARTNER_TAKES; step < STEP_END; step++) {
			struct packed after = before;

			if (!is_possible(explorer, &before.asks[i], step))
				continue;
			packed_to_world(&before, stamps_order, explorer->world);
			take_step(explorer, &after, i, step);
			packed_from_world(explorer->world, &after);
			if (step == PURGE)
				packed_forget_primary_row(&after, i);
			if (!reach(explorer, from, &before, &after, i, step))
				return false;
		}
	}
	return true;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool explore(const struct options *options)
{
	struct explorer explorer = { .options = *options };
	const struct packed nothing = { 0 };
	double begun_s = seconds();
	bool held = true;

	explorer.world = world_create();
	explorer.states = state_set_create(sizeof(nothing));
	state_set_add(explorer.states, &nothing, 0, 0);
	for (uint32_t i = 0; held && i < state_set_count(explorer.states); i++)
		held = expand(&explorer, i);
	printf("%u actions, %u users, %u partner IDs%s%s: %u states, %.1f s, "
	       "%s\n",
	       options->actions, options->users, options->visitors,
	       options->stamps_order ? ", order" : "",
	       options->purges ? ", purging" : "",
	       state_set_count(explorer.states), seconds() - begun_s,
	       held ? "nothing violated" : "VIOLATED");
	state_set_destroy(explorer.states);
	world_destroy(explorer.world);
	return held;
}

static bool explore_all(void)
{
	static const struct options all[] = {
		{ .actions = 3, .users = 1, .visitors = 1 },
		{ .actions = 3, .users = 1, .visitors = 1, .purges = true },
		{ .actions = 3,
		  .users = 1,
		  .visitors = 1,
		  .stamps_order = true },
		{ .actions = 3, .users = 2, .visitors = 2 },
	};
	bool held = true;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		held = explore(&all[i]) && held;
	return held;
}

static int usage(FILE *out)
{
	fputs("usage: explore [--actions N [--users 1|2] [--visitors 1|2]\n"
	      "               [--order] [--purge]]\n"
	      "Without --actions: several small ones.\n",
	      out);
	return out == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "actions", required_argument, NULL, 'a' },
		{ "users", required_argument, NULL, 'u' },
		{ "visitors", required_argument, NULL, 'v' },
		{ "order", no_argument, NULL, 'o' },
		{ "purge", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .users = 1, .visitors = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'a')
			options.actions = (unsigned)atoi(optarg);
		else if (c == 'u')
			options.users = (unsigned)atoi(optarg);
		else if (c == 'v')
			options.visitors = (unsigned)atoi(optarg);
		else if (c == 'o')
			options.stamps_order = true;
		else if (c == 'p')
			options.purges = true;
		else
			return usage(c == 'h' ? stdout : stderr);
	}
	if (options.actions > PACKED_ASKS || options.users > 2 ||
	    options.visitors > 2)
		return usage(stderr);
	return (options.actions ? explore(&options) : explore_all()) ? 0 : 1;
}
