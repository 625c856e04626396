/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server of b.example on the real migration module and store engine, with a
 * SIP stack, a database and clocks that the test moves by hand. Nothing here
 * allocates on the module's way but what a backend's load does.
 */
#ifndef MCMIG_TESTS_MIGRATION_FIXTURE_H
#define MCMIG_TESTS_MIGRATION_FIXTURE_H

#include "mcinfo/mcinfo.h"
#include "migration/migration.h"
#include "module/authorizer.h"
#include "module/ims.h"
#include "tables.h"

#define ALICE "sip:alice@a.example" /* whose home is a.example */
#define CAROL "sip:carol@a.example"
#define VISITOR "sip:visitor@b.example" /* given by us */
#define BOB "sip:bob@b.example"		/* whose home we are */
#define GUEST "sip:guest@a.example"	/* given to bob by a.example */
#define CLIENT_HOST "198.51.100.7"
#define PEER_HOST "192.0.2.10" /* a.example's first server */
#define GATEWAY_HOST "192.0.2.99"
#define IMS_HOST "198.51.100.200"	/* the only one that the IMS trusts */
#define IMS_ROUTE "sip:as.b.example;lr" /* the only one that is ours */

enum { REPLIES_MAX = 256, SENT_MAX = 512, SERVERS_MAX = 4 };

struct reply {
	handle_t transaction;
	int status, warn_code;
	char warning[128];
	unsigned retry_after_s;
	bool has_accept;
	unsigned step; /* counts replies and messages, in order */
};

struct sent {
	char next_hop[DIRECTORY_URI_SIZE];
	char request_uri[MCID_SIZE];
	char body[4096];
	size_t body_bytes;
	uint32_t deadline_ms;
	char route[DIRECTORY_URI_SIZE]; /* headers; "": not there */
	char charging_vector[128];
	char certificate_name[64]; /* the first one */
	sip_answer_h *handler;
	void *arg;
	handle_t handle;
	bool answered;
	unsigned step;
	uint64_t at_ms;
};

struct server {
	struct migration_settings settings; /* set before server_start() */
	struct tables *tables;
	struct store *store; /* NULL: not running */
	struct timers *timers;

	/* The directory, as the next load shows it. */
	bool a_is_known, a_is_enabled;
	struct directory_server a_servers[SERVERS_MAX];
	size_t a_server_count;
	bool a_by_gateway; /* then ours is GATEWAY_HOST */

	/* Credentials: without it core.authorizer is NULL. */
	bool has_authorizer;
	enum authorizer_result authorizer_result;
	char authorized[3][64]; /* token, partner ID, primary ID last asked */

	/* The IMS: without it core.ims is NULL. `ims_hops`: the ways to each
	 * client, up to NULL; one that is down is tried last. */
	bool has_ims;
	const char *ims_hops[4];
	const char *hop_down;
	char ims_asked[2][CLIENT_IDENTITY_SIZE]; /* identity, asked by */
	ims_registered_h *registered;
	void *registered_arg;

	/* What the next request says of its sender. */
	const char *asserted_identities[SIP_IDENTITIES_MAX];
	size_t asserted_identity_count;
	struct sip_network_headers network;

	/* The database. */
	bool hold_writes;    /* a write is not answered until it is false */
	int write_error;     /* of the next one */
	bool write_is_lost;  /* ... and it has not happened */
	int find_live_error; /* of the next search */
	unsigned scans;

	/* The SIP stack. */
	int send_error;	      /* of each send while it is set */
	uint64_t transaction; /* of the last request received */
	struct reply replies[REPLIES_MAX];
	size_t reply_count;
	struct sent sent[SENT_MAX];
	size_t sent_count;
};

extern struct server server;

/* Resets what is above to a running pair of systems, without rows. */
void server_prepare(void);
void server_start(void); /* the database comes up at once */
/* What init() says to the settings; not for a server that runs. */
int server_init_error(void);
/* What reload() says to other settings. */
int server_reload(const struct migration_settings *settings);
void server_stop(void); /* as a crash: only the tables stay */
void server_end(void);
/* As at SIGTERM; and what it still waits for. */
void server_drain(void);
size_t server_pending(void);

void server_down(void);
void server_up(void);
/* Until nothing is under way but what is held. */
void server_settle(void);
/* Time goes by, each timer at its moment. */
void server_wait_ms(uint64_t ms);
uint64_t server_now_ms(void);
uint64_t server_statistic(const char *name);

/* Each gives what was replied, or NULL: nothing yet. */
const struct reply *server_receive_raw(const char *source_host,
				       const char *content_type,
				       const char *body, size_t bytes);
const struct reply *server_receive(const char *source_host,
				   const struct mcinfo *document);
/* Whether a request from there would be taken; else `refusal`. */
bool server_asks_source(const char *source_host, struct sip_reply *refusal);
bool server_asks_about(const struct sip_source *source,
		       struct sip_reply *refusal);
const struct reply *server_reply_of(uint64_t transaction);
/* The next client's request comes from this URI. */
void server_set_sender(const char *sender_uri);
/* ... and belongs to this Call-ID and CSeq. */
void server_set_call(const char *call_id, uint32_t cseq);

/* The final answer to sent[i]. */
void server_answer(size_t i, int status);
void server_answer_later(size_t i, int status, unsigned retry_after_s);
/* Parses sent[i]; the test fails if it is none. */
struct mcinfo server_document(size_t i);
/* The last message sent; the test ends if there is none. */
struct sent *server_last(void);
#define server_last_index() (server.sent_count - 1)

/* Documents: procedure ID from `number`. */
struct uuid document_id(unsigned number);
struct mcinfo document_request(enum mcinfo_verb verb, unsigned number,
			       const char *partner_id, const char *primary_id);
/* The answer to a request that we sent: echoes what has to be. */
struct mcinfo document_response(const struct mcinfo *request,
				enum mcinfo_cause cause);

/* NULL: no such row. */
const struct procedure *server_procedure(const char *primary_id,
					 unsigned number);
bool server_is_mapped(const char *primary_id);

#endif
