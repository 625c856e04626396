/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "describe.h"
#include "simulation.h"

#define REQUESTS_MAX 64
#define RETRY_US 4000000u
/* A stamped order counts for 60 s in all: the copies of a request and what
 * becomes of it must be over by then. */
#define RETRY_FOR_US 10000000u

/* What one client wants; the copies of it are SIP requests of their own. */
struct ask {
	struct clients *clients;
	unsigned number; /* from 1 */
	struct sim_user *user;
	unsigned system;
	enum mcinfo_verb verb;
	bool has_id;
	struct uuid id;
	uint64_t order;
	uint64_t visit;
	unsigned profile_index;
	char partner_id[MCID_SIZE];
	uint64_t begun_us;
	unsigned in_flight;
	bool acknowledged; /* a 200 */
	bool refused;	   /* a 4xx: nothing will come */
	bool retry_planned;
	unsigned answers;
	enum mcinfo_cause cause; /* of the answers; CAUSE_NONE: success */
};

struct clients {
	struct sim *sim;
	struct mcinfo_parser *parser;
	struct sim_user users[SIM_USERS_MAX];
	unsigned at[SIM_USERS_MAX]; /* system of the last visit */
	uint64_t last_order[SIM_USERS_MAX];
	struct ask asks[REQUESTS_MAX];
	unsigned ask_count;
};

static unsigned party_of(const struct sim_user *user)
{
	return SIM_SYSTEMS + user->index;
}

/* -------------------------------------------------------------------- asks */

static void transmit(struct ask *ask);

static void retry(void *arg, uint64_t number)
{
	struct ask *ask = arg;

	(void)number;
	ask->retry_planned = false;
	if (!ask->acknowledged && !ask->refused && !ask->answers)
		transmit(ask);
}

/* A client that stamps no order asks until it knows; a request without a
 * procedure ID would be another one. */
static bool may_retry(const struct ask *ask)
{
	uint64_t age_us = ask->clients->sim->now_us - ask->begun_us;

	return ask->has_id &&
	       (!ask->user->stamps_order || age_us < RETRY_FOR_US);
}

static void acknowledged(void *arg, handle_t handle,
			 const struct sip_answer *answer)
{
	struct clients *clients = arg;
	struct ask *ask = &clients->asks[handle - 1];

	ask->in_flight--;
	if (answer->status == 200)
		ask->acknowledged = true;
	else if (answer->status >= 400 && answer->status < 500 &&
		 answer->status != 408)
		ask->refused = true;
	else if (!ask->acknowledged && !ask->retry_planned && may_retry(ask)) {
		ask->retry_planned = true;
		sim_after(clients->sim,
			  random_between(&clients->sim->random, 100, RETRY_US),
			  retry, ask, 0);
	}
}

static void fill(const struct ask *ask, struct mcinfo *info)
{
	*info = (struct mcinfo){
		.service = ask->user->service,
		.verb = ask->verb,
		.has_procedure_id = ask->has_id,
		.has_profile_index = ask->verb == MCINFO_AUTHORIZATION,
		.procedure_id = ask->id,
		.order = ask->order,
		.profile_index = ask->profile_index,
	};
	memcpy(info->partner_id, ask->partner_id, MCID_SIZE);
	memcpy(info->primary_id, ask->user->primary_id, MCID_SIZE);
}

static void transmit(struct ask *ask)
{
	struct clients *clients = ask->clients;
	struct sim *sim = clients->sim;
	struct mcinfo info;
	struct sip_outbound message = {
		.next_hop = net_uri(sim->net, ask->system),
		.request_uri = "sip:partner.example",
		.from = ask->partner_id,
		.to = "sip:partner.example",
		.content_type =
		    mc_service_info(ask->user->service)->content_type,
		.deadline_ms =
		    (uint32_t)random_between(&sim->random, 2000, 32000),
	};
	char *body;

	fill(ask, &info);
	if (mcinfo_build(&info, &body, &message.body_bytes))
		abort();
	message.body = body;
	ask->in_flight++;
	if (sip_send(net_sip(sim->net, party_of(ask->user)), &message,
		     acknowledged, clients, ask->number))
		abort();
	free(body);
}

static struct ask *ask_create(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	struct ask *ask;

	if (clients->ask_count == REQUESTS_MAX)
		return NULL;
	ask = &clients->asks[clients->ask_count++];
	*ask = (struct ask){ .clients = clients,
			     .number = clients->ask_count,
			     .user = user,
			     .visit = user->visits,
			     .begun_us = sim->now_us };
	ask->has_id = random_chance(&sim->random, 850);
	for (size_t i = 0; i < sizeof(ask->id.bytes); i++)
		ask->id.bytes[i] = (uint8_t)random_next(&sim->random);
	ask->id.bytes[6] = (uint8_t)((ask->id.bytes[6] & 0x0f) | 0x40);
	ask->id.bytes[8] = (uint8_t)((ask->id.bytes[8] & 0x3f) | 0x80);
	if (user->stamps_order) {
		uint64_t now_ms = clock_utc_ms();

		ask->order = clients->last_order[user->index] + 1;
		if (ask->order < now_ms)
			ask->order = now_ms;
		clients->last_order[user->index] = ask->order;
	}
	return ask;
}

/* --------------------------------------------------------------- decisions */

static bool is_undecided(const struct procedure *procedure)
{
	return procedure->state == PROCEDURE_FORWARDING ||
	       procedure->state == PROCEDURE_AWAITING_RESPONSE;
}

/* Whether anything of the user runs, or may yet begin to, anywhere. */
static bool has_open_business(const struct clients *clients,
			      const struct sim_user *user)
{
	struct sim *sim = clients->sim;

	if (net_is_pending(sim->net, party_of(user)))
		return true;
	for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
		const struct database *database = sim->nodes[system].database;
		const struct tables *tables =
		    database_tables((struct database *)database);
		const struct tables_user *row =
		    tables_find_user(tables, user->service, user->primary_id);

		if (database_is_busy(database))
			return true;
		for (size_t i = 0; row && i < tables->procedure_count; i++) {
			if (tables->procedures[i].user == row &&
			    row->role == ROLE_PARTNER &&
			    is_undecided(&tables->procedures[i].procedure))
				return true;
		}
	}
	return false;
}

/* Another system than the last one, if the user may go there now. */
static bool go_to(struct clients *clients, struct sim_user *user,
		  unsigned system)
{
	unsigned *at = &clients->at[user->index];

	if (*at == system && user->visits)
		return true;
	if (!user->stamps_order) {
		if (has_open_business(clients, user))
			return false;
		for (unsigned i = 0; i < clients->ask_count; i++) {
			if (clients->asks[i].user == user &&
			    !clients->asks[i].acknowledged)
				clients->asks[i].refused = true;
		}
		net_void(clients->sim->net, party_of(user));
	}
	*at = system;
	user->visits++;
	return true;
}

static unsigned draw_system(struct clients *clients,
			    const struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned system = clients->at[user->index];

	if (user->visits && random_chance(&sim->random, 400))
		return system;
	system = (unsigned)random_below(&sim->random, sim->plan.partners);
	return (user->home + 1 + system % (SIM_SYSTEMS - 1)) % SIM_SYSTEMS;
}

static void act_new(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned system = draw_system(clients, user);
	unsigned visitor = user->index;
	char label[8];
	struct ask *ask;

	if (!go_to(clients, user, system))
		return;
	ask = ask_create(clients, user);
	if (!ask)
		return;
	if (random_chance(&sim->random, sim->plan.disputes))
		visitor = 0;
	ask->system = system;
	ask->verb = random_chance(&sim->random, 600) ? MCINFO_AUTHORIZATION
						     : MCINFO_DEAUTHORIZATION;
	ask->profile_index = random_chance(&sim->random, 900)
				 ? 0
				 : (unsigned)random_below(&sim->random, 4);
	snprintf(ask->partner_id, sizeof(ask->partner_id), "sip:visitor%u@%s",
		 visitor + 1, sim->nodes[system].system);
	snprintf(label, sizeof(label), "%c%u",
		 ask->verb == MCINFO_AUTHORIZATION ? 'p' : 'd', ask->number);
	describe_procedure_is(&ask->id, label);
	sim_tell(sim, "%s    %s: %s at %s as %s%s%s",
		 describe_party(party_of(user)), label,
		 mcinfo_verb_name(ask->verb), describe_party(system),
		 ask->partner_id, ask->order ? ", with order" : "",
		 ask->has_id ? "" : ", without a procedure ID");
	transmit(ask);
}

/* The same procedure ID once more, by a request of its own. */
static void act_repeat(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;
	unsigned first =
	    (unsigned)random_below(&sim->random, clients->ask_count);

	for (unsigned i = 0; i < clients->ask_count; i++) {
		struct ask *ask =
		    &clients->asks[(first + i) % clients->ask_count];
		uint64_t age_us = sim->now_us - ask->begun_us;

		/* Of one that may be forgotten it would be another request. */
		if (ask->user != user || !ask->has_id || ask->refused ||
		    (age_us > RETRY_FOR_US &&
		     (!ask->acknowledged ||
		      age_us > sim->plan.retention_us / 2)))
			continue;
		if (!user->stamps_order && ask->visit != user->visits)
			continue;
		sim_tell(sim, "%s    %s again", describe_party(party_of(user)),
			 describe_procedure(&ask->id));
		transmit(ask);
		return;
	}
}

void clients_act(struct clients *clients)
{
	struct sim *sim = clients->sim;
	struct sim_user *user =
	    &clients->users[random_below(&sim->random, sim->plan.users)];

	node_enter(sim, party_of(user));
	if (clients->ask_count && random_chance(&sim->random, 250))
		act_repeat(clients, user);
	else
		act_new(clients, user);
}

/* ----------------------------------------------------------------- results */

/* "ended" is what became of a success since. */
static void take_result(struct ask *ask, const struct mcinfo *info)
{
	struct sim *sim = ask->clients->sim;
	enum mcinfo_cause cause =
	    info->cause == CAUSE_ENDED ? CAUSE_NONE : info->cause;

	if (ask->has_id && ask->answers && ask->cause != cause &&
	    sim->plan.retention_us > sim->plan.span_us)
		sim_violation(sim, "ask %u is answered \"%s\", then \"%s\"",
			      ask->number, mcinfo_cause_name(ask->cause),
			      mcinfo_cause_name(cause));
	ask->answers++;
	ask->cause = cause;
}

static bool is_answer_to(const struct ask *ask, const struct mcinfo *info)
{
	return info->verb == ask->verb && info->service == ask->user->service &&
	       !strcmp(info->partner_id, ask->partner_id) &&
	       !strcmp(info->primary_id, ask->user->primary_id) &&
	       (!ask->has_id || (info->has_procedure_id &&
				 uuid_equal(&info->procedure_id, &ask->id)));
}

static void message_arrives(void *arg, const struct sip_inbound *message)
{
	struct sim_user *user = arg;
	struct clients *clients = user->clients;
	struct mcinfo_error error;
	struct mcinfo info;
	bool wanted = false;
	struct sip_reply reply = { .status = 200 };

	if (mcinfo_parse(clients->parser, message->content_type, message->body,
			 message->body_bytes, &info, &error)) {
		sim_violation(clients->sim, "a client cannot read: %s",
			      error.text);
		return;
	}
	for (unsigned i = 0; i < clients->ask_count; i++) {
		struct ask *ask = &clients->asks[i];

		if (ask->user == user && is_answer_to(ask, &info)) {
			wanted = true;
			take_result(ask, &info);
		}
	}
	if (!wanted || !info.is_response || info.sequence)
		sim_violation(clients->sim, "%s hears what it never asked for",
			      describe_party(party_of(user)));
	mcinfo_clear(&info);
	sip_reply(net_sip(clients->sim->net, party_of(user)),
		  message->transaction, &reply);
}

bool clients_are_quiet(const struct clients *clients)
{
	for (unsigned i = 0; i < clients->ask_count; i++) {
		if (clients->asks[i].in_flight ||
		    clients->asks[i].retry_planned)
			return false;
	}
	return true;
}

void clients_check_end(struct clients *clients)
{
	for (unsigned i = 0; i < clients->ask_count; i++) {
		const struct ask *ask = &clients->asks[i];

		if (ask->acknowledged && !ask->answers)
			sim_violation(clients->sim,
				      "%s got a 200 to ask %u and never its "
				      "outcome",
				      describe_party(party_of(ask->user)),
				      ask->number);
	}
}

/* ------------------------------------------------------------ provisioning */

static void provision_user(struct clients *clients, const struct sim_user *user)
{
	struct sim *sim = clients->sim;
	struct tables *home = database_tables(sim->nodes[user->home].database);
	struct tables_home_user *row =
	    &home->home_users[home->home_user_count++];

	*row = (struct tables_home_user){ .enabled = true,
					  .profile_count = 3,
					  .permitted_count = 2 };
	memcpy(row->primary_id, user->primary_id, MCID_SIZE);
}

/* Everybody may come as anybody: the pairs are all named. */
static void admit(struct clients *clients, unsigned system,
		  const struct sim_user *user)
{
	struct sim *sim = clients->sim;
	struct tables *tables = database_tables(sim->nodes[system].database);

	for (unsigned visitor = 0; visitor < sim->plan.users; visitor++) {
		struct tables_admission *row =
		    &tables->admissions[tables->admission_count++];

		row->withdrawn = false;
		memcpy(row->primary_id, user->primary_id, MCID_SIZE);
		snprintf(row->partner_id, sizeof(row->partner_id),
			 "sip:visitor%u@%s", visitor + 1,
			 sim->nodes[system].system);
		memcpy(row->primary_system, sim->nodes[user->home].system,
		       SYSTEM_NAME_SIZE);
	}
}

void clients_change_provisioning(struct clients *clients)
{
	struct sim *sim = clients->sim;
	unsigned system = (unsigned)random_below(&sim->random, SIM_SYSTEMS);
	struct tables *tables = database_tables(sim->nodes[system].database);
	size_t i = random_below(&sim->random, tables->admission_count);
	size_t j = random_below(&sim->random, tables->home_user_count);

	if (tables->admission_count && random_chance(&sim->random, 400))
		tables->admissions[i].withdrawn ^= true;
	else if (tables->home_user_count && random_chance(&sim->random, 500))
		tables->home_users[j].enabled ^= true;
	else if (tables->home_user_count)
		tables->home_users[j].permitted_count =
		    (unsigned)random_below(&sim->random, 3);
	sim_tell(sim, "%s     provisioning changes", describe_party(system));
	database_provisioning_changed(sim->nodes[system].database);
}

/* --------------------------------------------------------------- the whole */

struct clients *clients_create(struct sim *sim)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	if (!clients || mcinfo_parser_create(&clients->parser))
		abort();
	clients->sim = sim;
	return clients;
}

void clients_destroy(struct clients *clients)
{
	if (!clients)
		return;
	mcinfo_parser_destroy(clients->parser);
	free(clients);
}

static void user_init(struct clients *clients, struct sim_user *user)
{
	struct sim *sim = clients->sim;

	user->home = random_chance(&sim->random, 750)
			 ? 0
			 : (unsigned)random_below(&sim->random, SIM_SYSTEMS);
	user->service = random_chance(&sim->random, 800) ? MC_SERVICE_MCPTT
							 : MC_SERVICE_MCDATA;
	user->stamps_order = random_chance(&sim->random, 500);
	user->visits = 0;
	snprintf(user->primary_id, sizeof(user->primary_id), "sip:user%u@%s",
		 user->index + 1, sim->nodes[user->home].system);
}

void clients_reset(struct clients *clients)
{
	struct sim *sim = clients->sim;

	describe_reset();
	clients->ask_count = 0;
	for (unsigned i = 0; i < sim->plan.users; i++) {
		struct sim_user *user = &clients->users[i];

		user->clients = clients;
		user->index = i;
		user_init(clients, user);
		clients->last_order[i] = 0;
		provision_user(clients, user);
		for (unsigned system = 0; system < SIM_SYSTEMS; system++) {
			if (system != user->home)
				admit(clients, system, user);
		}
		net_up(sim->net, party_of(user));
		sip_set_message_handler(net_sip(sim->net, party_of(user)),
					message_arrives, user);
	}
}

const struct sim_user *clients_user(const struct clients *clients, unsigned i)
{
	return &clients->users[i];
}

const struct sim_user *clients_find_user(const struct clients *clients,
					 enum mc_service service,
					 const char *primary_id)
{
	for (unsigned i = 0; i < clients->sim->plan.users; i++) {
		if (clients->users[i].service == service &&
		    !strcmp(clients->users[i].primary_id, primary_id))
			return &clients->users[i];
	}
	return NULL;
}
