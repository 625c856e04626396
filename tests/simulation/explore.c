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

#include "explore.h"
#include "state_set.h"

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
	RESPONSE_RELAYED,
	PURGE,
	RETURN_HOME, /* of the user, not of what was asked */
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
	[RESPONSE_RELAYED] = "primary gets 202 to its response",
	[PURGE] = "primary forgets the finished procedure",
	[RETURN_HOME] = "registers at home,",
};

/* ------------------------------------------------------------------- steps */

static bool is_undecided(const struct packed_ask *ask)
{
	return ask->partner_state == PROCEDURE_FORWARDING ||
	       ask->partner_state == PROCEDURE_AWAITING_RESPONSE;
}

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
	case RESPONSE_RELAYED:
		return ask->primary_state == PROCEDURE_ANSWERING;
	case PURGE:
		return explorer->options.purges &&
		       ask->primary_state == PROCEDURE_DONE;
	case CLIENT_SENDS:
	case RETURN_HOME:
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
	else if (step == RESPONSE_RELAYED)
		world_answered(world, &ask, 202);
}

static void return_home(struct world *world, struct packed *packed,
			unsigned user)
{
	world_returned_home(world, user);
	packed->returns++;
	for (unsigned i = 0; i < PACKED_ASKS; i++) {
		if (packed->asks[i].user == user)
			packed->asks[i].left_behind |= packed->asks[i].accepted;
	}
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
	if ((label & 0xff) == RETURN_HOME)
		snprintf(name, sizeof(name), "%s",
			 label >> 8 ? "bob" : "alice");
	else
		describe(state_set_get(explorer->states, state), label >> 8,
			 name, sizeof(name));
	printf("  %s %s\n", step_names[label & 0xff], name);
}

/* false: something is violated. */
static bool reach(struct explorer *explorer, uint32_t from,
		  const struct packed *before, struct packed *after, unsigned i,
		  enum step step)
{
	const char *wrong = explore_check(explorer, before, after);
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

static bool expand_returns(struct explorer *explorer, uint32_t from,
			   const struct packed *before)
{
	for (unsigned user = 0; user < explorer->options.users; user++) {
		struct packed after = *before;

		if (before->returns == explorer->options.returns)
			break;
		packed_to_world(before, explorer->options.stamps_order,
				explorer->world);
		return_home(explorer->world, &after, user);
		packed_from_world(explorer->world, &after);
		if (!reach(explorer, from, before, &after, user, RETURN_HOME))
			return false;
	}
	return true;
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
		for (enum step step = PARTNER_TAKES; step <= PURGE; step++) {
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
	return expand_returns(explorer, from, &before);
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
	printf("%u actions, %u users, %u partner IDs%s%s, %u returns: "
	       "%u states, %.1f s, %s\n",
	       options->actions, options->users, options->visitors,
	       options->stamps_order ? ", order" : "",
	       options->purges ? ", purging" : "", options->returns,
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
		  .stamps_order = true,
		  .returns = 1 },
		{ .actions = 3, .users = 2, .visitors = 2 },
		{ .actions = 2,
		  .users = 1,
		  .visitors = 1,
		  .purges = true,
		  .returns = 2 },
		{ .actions = 2, .users = 2, .visitors = 2, .returns = 2 },
	};
	bool held = true;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		held = explore(&all[i]) && held;
	return held;
}

static int usage(FILE *out)
{
	fputs("usage: explore [--actions N [--users 1|2] [--visitors 1|2]\n"
	      "               [--order] [--purge] [--returns N]]\n"
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
		{ "returns", required_argument, NULL, 'r' },
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
		else if (c == 'r')
			options.returns = (unsigned)atoi(optarg);
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
