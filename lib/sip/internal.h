/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of lib/sip share: the stack and its parts. */
#ifndef MCMIG_SIP_INTERNAL_H
#define MCMIG_SIP_INTERNAL_H

#include <netinet/in.h>

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/tport.h>

#include "base/timer.h"
#include "sip/counters.h"
#include "sip/server_transaction.h"
#include "base/siphash.h"
#include "sip/stack.h"

struct breaker;
struct channel;
struct client_transactions;
struct timers;
struct tls_transport;

#define ADDRESS_SIZE (SIP_HOST_SIZE + sizeof("[]:65535"))
/* Document, token and a multipart around them: the same bound as the parser. */
#define SIP_BODY_BYTES_MAX 65536
/*
 * Sofia compares it with what it can read from a connection, not with one
 * message: less than mcmigd's receive buffer (src/overrides.c) and a message closes
 * connections with many requests in them.
 */
#define AGENT_BYTES_MAX (256 * 1024)
/* RFC 3261 table 4: T2 is 8 times T1, transactions live 64 times T1. */
#define T2_IN_T1 8
#define LIFETIME_IN_T1 64
/* A connection without traffic is closed: 128 s. */
#define IDLE_IN_T1 256

struct listener {
	enum sip_transport transport;
	enum sip_side side;
	int family;
	tport_t *tport;			/* the agent's; NULL on TLS */
	const struct tls_listener *tls; /* NULL without TLS */
	char address[ADDRESS_SIZE];	/* as bound */
	char sent_by[ADDRESS_SIZE];	/* for our Via: never a wildcard */
};

struct sip_stack {
	struct sip sip; /* first: what roles hold */
	struct loop *loop;
	struct timers *timers;
	struct sip_counters *counters;
	char *domain;
	uint32_t t1_ms;
	bool draining;

	nta_agent_t *agent;
	struct listener *listeners;
	size_t listener_count;
	bool has_sides; /* no: every listener serves both */

	sip_message_h *message_handler;
	void *message_arg;
	sip_source_h *source_handler; /* NULL: everybody may send */
	void *source_arg;
	sip_register_h *register_handler; /* NULL: REGISTER is not allowed */
	void *register_arg;
	struct answers *answers;
	struct server_transactions *server_transactions;
	struct handle_table *server_requests; /* those that wait */
	uint32_t server_transactions_max;
	struct siphash_key fingerprint_key, tag_key, mark_key;

	struct client_transactions *client;
	struct breaker *breaker;
	struct tls_transport *tls;
	struct timer silent;
};

/* --- transport.c --------------------------------------------------------- */

/* Binds one entry of `listen` for the side of `listener`, and fills the rest of
 * it. 0, EINVAL, EADDRINUSE, ENOMEM. */
int transport_listen(struct sip_stack *stack, const char *entry,
		     struct listener *listener);
/* NULL: nothing of ours on that side has that transport and family. */
const struct listener *transport_find(const struct sip_stack *stack,
				      enum sip_transport transport, int family,
				      enum sip_side side);
/* By which side something came: `tport` is a listener's, or a connection's. */
enum sip_side transport_side(const struct sip_stack *stack, tport_t *tport);
/* 0, or an errno: whose connection it is. On TLS its names are not known. */
int transport_connection(const struct sip_stack *stack, int connection,
			 struct sip_source *source);
/* "HOST:PORT", brackets around IPv6. */
void transport_describe(const su_sockaddr_t *address, char *text, size_t size);
/* A numeric address as text without brackets. */
void transport_source(msg_t *msg, char host[SIP_HOST_SIZE], uint16_t *port);

/* --- silent.c ------------------------------------------------------------ */

/* Looks from now on, until the timer is stopped. */
int silent_start(struct sip_stack *stack);

/* --- parser.c ------------------------------------------------------------ */

/* Sofia's message class with a name for each mandatory header that is missing.
 * NULL: out of memory. */
const msg_mclass_t *parser_class(void);
/* Stands in the list of bad headers when all of them are too long together. */
extern const char parser_headers_too_long[];

/* --- reply.c ------------------------------------------------------------- */

/* Answers `request` (taken over), statelessly. `to_tag` NULL: one of Sofia's.
 * `extra`: further header lines, or NULL. */
void reply_send(struct sip_stack *stack, msg_t *request,
		const struct channel *channel, const char *to_tag,
		const struct answer *answer, const char *extra);

/* --- server.c, client.c -------------------------------------------------- */

int server_create(struct sip_stack *stack);
void server_destroy(struct sip_stack *stack);
void server_receive(struct sip_stack *stack, msg_t *msg, sip_t *sip,
		    const struct channel *channel);
void server_reply(struct sip *base, handle_t transaction,
		  const struct sip_reply *reply);

int client_create(struct sip_stack *stack,
		  const struct sip_stack_config *config);
void client_destroy(struct sip_stack *stack);
void client_receive(struct sip_stack *stack, msg_t *msg, sip_t *sip);
int client_send(struct sip *base, const struct sip_outbound *message,
		sip_answer_h *handler, void *arg, handle_t handle);
/* The same with OPTIONS, uncounted: no answer of it means that it is dead. */
int client_probe(struct sip_stack *stack, const struct sip_outbound *options,
		 sip_answer_h *handler, void *arg);
size_t client_outstanding(const struct sip_stack *stack);

#endif
