/* SPDX-License-Identifier: BSD-2-Clause */
/* A SIP stack on loopback, a role that records, and raw sockets as peers. */
#ifndef MCMIG_TESTS_SIP_FIXTURE_H
#define MCMIG_TESTS_SIP_FIXTURE_H

#include "loop/loop.h"
#include "sip/stack.h"

/* T1 of the tests: transactions live 64 times as long. */
#define T1_MS 20
#define T2_MS (8 * T1_MS)
#define LIFETIME_MS (64 * T1_MS)
/* An event that does not come within this is a failure. */
#define PATIENCE_MS 5000

struct recorded {
	unsigned count; /* requests that the role got */
	handle_t transaction;
	enum sip_transport transport;
	enum sip_side side;
	char source_host[SIP_HOST_SIZE], sender_uri[SIP_URI_SIZE];
	uint16_t source_port;
	char request_uri[128], from_uri[128], from_tag[64], call_id[128];
	uint32_t cseq;
	unsigned max_forwards;
	char identities[SIP_IDENTITIES_MAX][64];
	size_t identity_count;
	char content_type[128], body[4096];
	size_t body_bytes;
};

extern struct loop *loop;
extern struct sip_stack *stack;
extern struct sip *sip;
extern struct recorded recorded;
/* What the role answers at once; status 0: it keeps the transaction. */
extern struct sip_reply automatic;

/* Listens on UDP and TCP, IPv4 and IPv6: sip_stack_address() 0 to 3. */
enum { UDP4, TCP4, UDP6, TCP6 };
/* NULL: the usual limits. */
void fixture_start(const struct sip_stack_config *config);
void fixture_stop(void);
/* Runs the loop until `*count` is at least `wanted`; false: in vain. */
bool run_until(const unsigned *count, unsigned wanted);
void run_for(unsigned ms);
uint64_t counter(const char *name);

/* A gateway's two sides, and the listeners that they make. */
#define INSIDE "127.1.2.2"
#define OUTSIDE "127.2.2.1"
extern const char *const inside_entries[2], *const outside_entries[2];
enum { IN_UDP, IN_TCP, OUT_UDP, OUT_TCP };

/* A socket connected to listener `i`; the peer's own port in *port. */
int peer_connect(int i, uint16_t *port);
/* A peer that waits for the stack; *port is where. */
int peer_bind(int i, uint16_t *port);
/* The next connection to a peer that waits on TCP; -1: none comes. */
int peer_accept(int listening);
void peer_send(int fd, const char *text);
/* The next datagram, or on TCP all that is there; "" when nothing comes. */
const char *peer_receive(int fd);
bool peer_hears_nothing(int fd, unsigned ms);

struct request {
	const char *method, *uri, *transport, *branch, *call_id;
	const char *from, *to; /* whole values; NULL: a usual one */
	const char *lines;     /* further headers */
	const char *body;
	const char *via_suffix; /* after the branch */
	uint16_t port;		/* of Via */
	bool v6;
	unsigned cseq; /* 0: 1 */
};
/* In a static buffer. */
const char *request_text(const struct request *request);
/* The value of a header in a message, in a static buffer; NULL: not there. */
const char *header_of(const char *text, const char *name);
int status_of(const char *text);
/* Whether they are equal; prints both if not. */
bool is(const char *value, const char *expected);

#endif
