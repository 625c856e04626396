/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "describe.h"

#define RETRY_US 4000000u

/* -------------------------------------------------------------------- asks */

static void retry(void *arg, uint64_t number)
{
	struct ask *ask = arg;

	(void)number;
	ask->retry_planned = false;
	if (!ask->acknowledged && !ask->refused && !ask->answers)
		ask_transmit(ask);
}

/* A client that stamps no order asks until it knows; a request without a
 * procedure ID would be another one. */
static bool may_retry(const struct ask *ask)
{
	uint64_t age_us = ask->clients->sim->now_us - ask->begun_us;

	return ask->has_id &&
	       (!ask->user->stamps_order || age_us < RETRY_FOR_US);
}

static void retry_later(struct ask *ask)
{
	struct sim *sim = ask->clients->sim;

	if (ask->acknowledged || ask->retry_planned || !may_retry(ask))
		return;
	ask->retry_planned = true;
	sim_after(sim, random_between(&sim->random, 100, RETRY_US), retry, ask,
		  0);
}

/* With a new token: the same again, or something new instead. */
static void logged_in(void *arg, uint64_t number)
{
	struct ask *ask = arg;
	struct clients *clients = ask->clients;
	struct sim *sim = clients->sim;

	(void)number;
	ask->retry_planned = false;
	token_renew(clients, ask->user, ask->system);
	if (ask->acknowledged || ask->answers || ask->refused)
		return;
	if (may_retry(ask) &&
	    (sim->healed || random_chance(&sim->random, 800))) {
		ask_transmit(ask);
		return;
	}
	ask->refused = true;
	if (!sim->healed)
		clients_act_as(clients, ask->user);
}

static void log_in(struct ask *ask)
{
	struct sim *sim = ask->clients->sim;

	if (ask->retry_planned)
		return;
	ask->retry_planned = true;
	sim_after(sim, random_between(&sim->random, 10000, 2000000), logged_in,
		  ask, 0);
}

static bool is_token_refused(const struct sip_answer *answer)
{
	return answer->status == 403 && answer->warning &&
	       !strncmp(answer->warning, "101 ", 4);
}

static void acknowledged(void *arg, handle_t handle,
			 const struct sip_answer *answer)
{
	struct clients *clients = arg;
	struct ask *ask = &clients->asks[handle - 1];

	ask->in_flight--;
	if (answer->status == 200)
		ask->acknowledged = true;
	else if (is_token_refused(answer))
		log_in(ask);
	else if (answer->status >= 400 && answer->status < 500 &&
		 answer->status != 408)
		ask->refused = true;
	else
		retry_later(ask);
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
		.access_token = (char *)token_of(ask),
	};
	memcpy(info->partner_id, ask->partner_id, MCID_SIZE);
	memcpy(info->primary_id, ask->user->primary_id, MCID_SIZE);
}

/* The system's server, or one of the S-CSCFs in front of it. A client that has
 * had the time to register anew has one that is there. */
static unsigned draw_hop(const struct ask *ask)
{
	struct sim *sim = ask->clients->sim;
	unsigned i;

	if (!random_chance(&sim->random, sim->plan.ims[ask->system]))
		return ask->system;
	i = (unsigned)random_below(&sim->random, SIM_SCSCFS);
	if (sim->healed && i == 0 && sim->plan.scscf_gone[ask->system])
		i = 1;
	return party_of_scscf(ask->system, i);
}

void ask_transmit(struct ask *ask)
{
	struct clients *clients = ask->clients;
	struct sim *sim = clients->sim;
	struct mcinfo info;
	struct sip_outbound message = {
		.next_hop = net_uri(sim->net, draw_hop(ask), SIP_INSIDE),
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
		memset(clients->token_until_us[i], 0,
		       sizeof(clients->token_until_us[i]));
		clients_provision(clients, user);
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
