/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC gateway server of b.example on the real gateway module, with a SIP
 * stack and clocks that the test moves by hand. Inside are b1, which serves the
 * rest, and b2; outside a.example with three gateways, and c.example. Nothing
 * here allocates on the module's way.
 */
#ifndef MCMIG_TESTS_GATEWAY_FIXTURE_H
#define MCMIG_TESTS_GATEWAY_FIXTURE_H

#include "gateway/gateway.h"

#define VISITOR "sip:visitor@b.example" /* given to alice by us */
#define ALICE "sip:alice@a.example"	/* whose home is a.example */
#define BOB "sip:bob@b.example"		/* whose home we are */
#define GUEST "sip:guest@a.example"	/* given to bob by a.example */
#define CAROL "sip:carol@c.example"

#define B1 "sip:127.1.2.1:5060;transport=tcp"
#define B2 "sip:127.1.2.2:5060;transport=tcp"
#define A1 "sip:127.2.1.1:5060;transport=tcp"
#define A2 "sip:127.2.1.2:5060;transport=tcp"
#define A3 "sip:127.2.1.3:5060;transport=udp"
#define C1 "sip:127.2.3.1:5060;transport=tcp"
#define B1_HOST "127.1.2.1"
#define B2_HOST "127.1.2.2"
#define A1_HOST "127.2.1.1"
#define C1_HOST "127.2.3.1"

enum { GATE_REPLIES_MAX = 256, GATE_SENT_MAX = 256, GATE_PARTIES_MAX = 8 };

struct gate_reply {
	handle_t transaction;
	int status, warn_code;
	unsigned retry_after_s;
	bool has_accept;
	char warning[128];
};

struct gate_sent {
	sip_answer_h *handler;
	void *arg;
	handle_t handle;
	char next_hop[DIRECTORY_URI_SIZE];
	enum sip_side side;
	unsigned max_forwards;
	uint32_t deadline_ms;
	uint64_t at_ms;
	bool answered;
	char head[2048]; /* every line but the body, as on the wire */
	char body[4096];
	size_t body_bytes;
};

struct gate {
	/* Before gate_start() and gate_reload(): what the file would say. */
	struct gateway_settings settings;
	struct gateway_server_settings servers[GATE_PARTIES_MAX];
	struct gateway_system_settings systems[GATE_PARTIES_MAX];
	bool has_outside;

	/* Before gate_receive(): what the message has besides its document. */
	struct sip_inbound inbound;

	struct gate_reply replies[GATE_REPLIES_MAX];
	size_t reply_count;
	struct gate_sent sent[GATE_SENT_MAX];
	size_t sent_count;
	const char *down[GATE_PARTIES_MAX]; /* next hops */
	int send_error;			    /* of every sip_send(); 0: none */
	const char *send_error_hop;	    /* of those to this one alone */
};
extern struct gate gate;

/* The fixture as above; nothing runs yet. */
void gate_prepare(void);
void gate_offer_core(void); /* all that the fixture allocates itself */
int gate_init(void);	    /* what the module says to the settings */
void gate_begin(void);	    /* from then on it receives */
void gate_start(void);	    /* all of these */
int gate_reload(void);
void gate_drain(void);
size_t gate_pending(void);
void gate_stop(void);
void gate_advance_ms(uint64_t ms);

/* Strings, closed by NULL. They live until gate_prepare(). */
void gate_list(struct setting_list *list, ...);

/* By an inside listener from our server, by an outside one from others. */
const struct gate_reply *gate_receive(const char *host,
				      const struct mcinfo *info);
const struct gate_reply *gate_receive_raw(const char *host,
					  const char *content_type,
					  const char *body, size_t bytes);
/* What the source handler says: 0, or the status. */
int gate_ask_source(const char *host, enum sip_side side);
/* NULL: not answered yet. */
const struct gate_reply *gate_reply_of(handle_t transaction);
/* Of the message received last. */
const struct gate_reply *gate_reply(void);

struct gate_sent *gate_last(void);
void gate_answer(size_t i, int status);
void gate_answer_full(size_t i, const struct sip_answer *answer);
/* Lets every message that nobody answers time out, in order. */
void gate_keep_silent(void);
struct mcinfo gate_document(size_t i);
uint64_t gate_statistic(const char *name);
/* The answer to `mcmigctl gateway WORD [ID]`: yours; NULL: it failed. */
json_t *gate_command(const char *word, const char *id);

struct mcinfo gate_request(const char *partner_id, const char *primary_id);
struct mcinfo gate_response(const char *partner_id, const char *primary_id,
			    enum mcinfo_cause cause);

#endif
