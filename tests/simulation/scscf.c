/* SPDX-License-Identifier: BSD-2-Clause */
#include "scscf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "describe.h"
#include "net_private.h"

#define SCSCFS (SIM_SYSTEMS * SIM_SCSCFS)
#define DEADLINE_MS 32000u

struct scscf {
	struct scscfs *scscfs;
	unsigned party;
};

/* A request that was sent on: which one that was. */
struct leg {
	struct scscf *scscf;
	handle_t transaction;
};

struct scscfs {
	struct sim *sim;
	struct scscf list[SCSCFS];
	struct leg *legs;
	size_t count, capacity;
};

void scscf_identity(unsigned user, char *identity, size_t size)
{
	snprintf(identity, size, "sip:ue%u@ims.example", user + 1);
}

static handle_t add_leg(struct scscf *scscf, handle_t transaction)
{
	struct scscfs *scscfs = scscf->scscfs;

	if (scscfs->count == scscfs->capacity) {
		scscfs->capacity = scscfs->capacity ? scscfs->capacity * 2 : 64;
		scscfs->legs = realloc(scscfs->legs, scscfs->capacity *
							 sizeof(*scscfs->legs));
		if (!scscfs->legs)
			abort();
	}
	scscfs->legs[scscfs->count++] = (struct leg){ scscf, transaction };
	return scscfs->count;
}

static void answered(void *arg, handle_t handle,
		     const struct sip_answer *answer)
{
	struct scscfs *scscfs = arg;
	const struct leg *leg = &scscfs->legs[handle - 1];
	const struct sip_reply reply = {
		.status = answer->status ? answer->status : 408,
		.warn_code = answer->warning ? answer->warn_code : 0,
		.warn_text = answer->warning,
		.retry_after_s = answer->retry_after_s,
	};

	sip_reply(net_sip(scscfs->sim->net, leg->scscf->party),
		  leg->transaction, &reply);
}

static void send_on(struct scscf *scscf, const struct sip_inbound *message,
		    const char *next_hop, const char *identity)
{
	struct net *net = scscf->scscfs->sim->net;
	char asserted[MCID_SIZE + 2];
	const struct sip_header header = { "P-Asserted-Identity", asserted };
	const struct sip_outbound onward = {
		.next_hop = next_hop,
		.request_uri = message->request_uri,
		.from = message->from_uri,
		.to = message->request_uri,
		.headers = &header,
		.header_count = identity != NULL,
		.content_type = message->content_type,
		.body = message->body,
		.body_bytes = message->body_bytes,
		.deadline_ms = DEADLINE_MS,
	};

	snprintf(asserted, sizeof(asserted), "<%s>", identity ? identity : "");
	if (sip_send(net_sip(net, scscf->party), &onward, answered,
		     scscf->scscfs, add_leg(scscf, message->transaction)))
		abort();
}

/* The user whose client sends from there, or has that identity; -1: none. */
static int find_client(const struct scscf *scscf, const char *uri)
{
	const struct sim *sim = scscf->scscfs->sim;
	char identity[MCID_SIZE];

	for (unsigned i = 0; i < sim->plan.users; i++) {
		scscf_identity(i, identity, sizeof(identity));
		if (!strcmp(identity, uri) ||
		    !strcmp(net_uri(sim->net, PARTY_CLIENTS + i, SIP_INSIDE),
			    uri))
			return (int)i;
	}
	return -1;
}

static void originate(struct scscf *scscf, const struct sip_inbound *message,
		      unsigned user)
{
	struct net *net = scscf->scscfs->sim->net;
	char identity[MCID_SIZE];

	scscf_identity(user, identity, sizeof(identity));
	net_act_for(net, PARTY_CLIENTS + user);
	send_on(scscf, message,
		net_uri(net, scscf_system(scscf->party), SIP_INSIDE), identity);
	net_act_for(net, PARTIES);
}

static void message_arrives(void *arg, const struct sip_inbound *message)
{
	struct scscf *scscf = arg;
	struct sim *sim = scscf->scscfs->sim;
	const char *server =
	    net_uri(sim->net, scscf_system(scscf->party), SIP_INSIDE);
	bool is_terminating = !strcmp(message->sender_uri, server);
	int user = find_client(scscf, is_terminating ? message->request_uri
						     : message->sender_uri);

	if (user < 0)
		sim_violation(sim, "%s has no client %s",
			      describe_party(scscf->party),
			      message->request_uri);
	else if (is_terminating)
		send_on(scscf, message,
			net_uri(sim->net, PARTY_CLIENTS + (unsigned)user,
				SIP_INSIDE),
			NULL);
	else
		originate(scscf, message, (unsigned)user);
}

/* ----------------------------------------------------------- registrations */

static void registered(void *arg, handle_t handle,
		       const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	(void)answer;
}

void scscf_register(struct scscfs *scscfs, const struct sim_user *user,
		    bool is_known)
{
	struct sim *sim = scscfs->sim;
	unsigned i = (unsigned)random_below(&sim->random, SIM_SCSCFS);
	char identity[MCID_SIZE];

	if (is_known)
		memcpy(identity, user->primary_id, MCID_SIZE);
	else
		snprintf(identity, sizeof(identity), "sip:nobody@%s",
			 sim->nodes[user->home].system);
	if (!sim->plan.ims[user->home])
		return;
	node_enter(sim, party_of_scscf(user->home, i));
	net_register(sim->net, party_of_scscf(user->home, i), user->home,
		     identity, registered);
}

/* -------------------------------------------------------------------- life */

struct scscfs *scscfs_create(struct sim *sim)
{
	struct scscfs *scscfs = calloc(1, sizeof(*scscfs));

	if (!scscfs)
		abort();
	scscfs->sim = sim;
	for (unsigned i = 0; i < SCSCFS; i++)
		scscfs->list[i] = (struct scscf){ scscfs, PARTY_SCSCFS + i };
	return scscfs;
}

void scscfs_destroy(struct scscfs *scscfs)
{
	if (!scscfs)
		return;
	free(scscfs->legs);
	free(scscfs);
}

void scscf_start(struct scscfs *scscfs, unsigned party)
{
	struct net *net = scscfs->sim->net;

	if (net->parties[party].up)
		return;
	net_up(net, party);
	sip_set_message_handler(net_sip(net, party), message_arrives,
				&scscfs->list[party - PARTY_SCSCFS]);
}

void scscf_crash(struct scscfs *scscfs, unsigned party)
{
	struct net *net = scscfs->sim->net;

	if (!net->parties[party].up)
		return;
	sim_tell(scscfs->sim, "%s    crashes", describe_party(party));
	net_down(net, party);
}

void scscfs_reset(struct scscfs *scscfs)
{
	scscfs->count = 0;
	for (unsigned i = 0; i < SCSCFS; i++) {
		unsigned party = PARTY_SCSCFS + i;

		if (scscfs->sim->plan.ims[scscf_system(party)])
			scscf_start(scscfs, party);
	}
}
