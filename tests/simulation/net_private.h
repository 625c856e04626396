/* SPDX-License-Identifier: BSD-2-Clause */
/* The network's requests, for those who watch them or meddle with them. */
#ifndef MCMIG_SIMULATION_NET_PRIVATE_H
#define MCMIG_SIMULATION_NET_PRIVATE_H

#include "mcinfo/mcinfo.h"
#include "net.h"
#include "party.h"
#include "rogue.h"

struct address {
	char host[SIP_HOST_SIZE];
	char uri[SIP_URI_SIZE];
};

struct party {
	struct sip sip; /* first */
	struct net *net;
	unsigned index;
	struct address addresses[2]; /* by side */
	bool up;
	unsigned incarnation;
	sip_message_h *handler;
	void *arg;
	sip_source_h *source_handler;
	void *source_arg;
	sip_register_h *register_handler;
	void *register_arg;
	/* Requests to that party without an answer, in a row, and the last. */
	unsigned silences[PARTIES];
	uint64_t silent_us[PARTIES];
};

/* What of a document names a message; of no document: all 0. */
struct message_name {
	bool is_known;
	bool has_token;
	enum mc_service service;
	enum mcinfo_verb verb;
	bool is_response;
	enum mcinfo_result result;
	struct uuid procedure_id;
	uint64_t sequence;
	char partner_id[MCID_SIZE]; /* canonical */
	char primary_id[MCID_SIZE];
};

/* A request with its client transaction and its server transaction. */
struct request {
	struct net *net;
	uint32_t index;
	struct party *from;
	enum sip_side from_side;
	struct party *to;
	enum sip_side to_side;
	unsigned asker;		  /* `from`, or the client that it acts for */
	const char *source_host;  /* it seems to come from there */
	bool is_register;	  /* of the identity request_uri */
	unsigned accepted_before; /* by the check, when it was looked at */
	char *request_uri;
	char *from_uri;
	char *content_type;
	char *body;
	size_t body_bytes;
	unsigned max_forwards;
	char *asserted[SIP_IDENTITIES_MAX];
	size_t asserted_count;
	struct message_name name; /* between servers and gateways */

	unsigned from_incarnation;
	sip_answer_h *answered;
	void *arg;
	handle_t handle;
	bool ended; /* the sender has had its answer */
	int heard;  /* which one */
	bool voided;
	unsigned sent; /* times */

	unsigned to_incarnation; /* that has taken it; 0: none */
	uint64_t looked_at_us;
	bool may_pass;		/* a gateway's policy then */
	unsigned hops;		/* that it could go on to then */
	uint64_t expires_us;	/* of the server transaction */
	struct sip_reply reply; /* status 0: pending */
	char warning[128];
	enum rogue_mode rogue; /* of who has taken it */
};

struct net {
	struct sim *sim;
	unsigned acting_for; /* PARTIES: each for itself */
	struct party parties[PARTIES];
	struct request **requests;
	size_t count;
	size_t capacity;
};

#define LIFETIME_US 32000000u /* of a server transaction (RFC 3261 17) */

/* By chance, until the run heals. */
bool net_happens(const struct net *net, unsigned per_mille);

/* flight.c: from now on, until it is answered or the deadline passes. */
void flight_begin(struct request *request, uint64_t deadline_us);
/* The peer has closed the connection. */
void flight_reset(struct request *request);
void flight_answer(struct request *request, const struct sip_reply *reply);

/*
 * The intruder says what `like` says as if it came from `address`, in the name
 * of `identity`; NULL: in the same name. `arg` of the answer is the network,
 * `handle` the forged request's index + 1.
 */
void net_forge(struct net *net, const struct request *like,
	       const struct address *address, const char *identity,
	       struct party *to, enum sip_side to_side, sip_answer_h *answered);

#endif
