/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a role sees of SIP: MESSAGE requests in, answers out; MESSAGE requests
 * out, answers in. Implemented on Sofia-SIP by sip/stack.h, and by the
 * simulation.
 */
#ifndef MCMIG_SIP_SIP_H
#define MCMIG_SIP_SIP_H

#include "base/export.h"
#include "base/handle.h"

#define SIP_HOST_SIZE 46 /* an IPv4 or IPv6 literal, without brackets */
#define SIP_URI_SIZE 320

enum sip_transport { SIP_UDP, SIP_TCP };

/* A MESSAGE request; everything is valid only during the callback. */
struct sip_inbound {
	handle_t transaction; /* for sip_reply() */
	char source_host[SIP_HOST_SIZE];
	uint16_t source_port;
	enum sip_transport transport;
	/*
	 * Where a request to the sender goes when nothing else says so:
	 * sip:HOST:PORT;transport=..., from the source address and, on TCP,
	 * the port of the top Via (RFC 3261 18.2.2).
	 */
	const char *sender_uri;
	const char *request_uri;
	const char *from_uri;
	const char *from_tag; /* "" if there is none */
	const char *call_id;
	uint32_t cseq;
	const char *content_type; /* with its parameters; NULL: no body */
	const char *body;
	size_t body_bytes;
};

/* Called once a new request; answer with sip_reply(), now or later. */
typedef void sip_message_h(void *arg, const struct sip_inbound *message);

/* A final answer to give. */
struct sip_reply {
	int status;    /* the phrase follows from it */
	int warn_code; /* 0: no Warning header */
	const char *warn_text;
	unsigned retry_after_s; /* 0: no Retry-After header */
	const char *accept;	/* NULL: no Accept header (415) */
};

struct sip_header {
	const char *name;
	const char *value;
};

/* A MESSAGE to send. The strings are copied before sip_send() returns. */
struct sip_outbound {
	const char *next_hop; /* sip:IP:PORT;transport=udp|tcp */
	const char *request_uri;
	const char *from; /* URIs; the tag is made by the stack */
	const char *to;
	const struct sip_header *headers; /* P-Asserted-Identity and such */
	size_t header_count;
	const char *content_type;
	const char *body;
	size_t body_bytes;
	uint32_t deadline_ms; /* after that the answer is SIP_NO_ANSWER */
};

#define SIP_NO_ANSWER 0 /* silence or no way to the peer: outcome unknown */

struct sip_answer {
	int status; /* final SIP status, or SIP_NO_ANSWER */
	unsigned retry_after_s;
	const char *warning; /* text of the first Warning; NULL: none */
};

/* Called exactly once for each sip_send() that returned 0, never inside it. */
typedef void sip_answer_h(void *arg, handle_t handle,
			  const struct sip_answer *answer);

struct sip;
struct sip_ops {
	void (*set_message_handler)(struct sip *sip, sip_message_h *handler,
				    void *arg);
	void (*reply)(struct sip *sip, handle_t transaction,
		      const struct sip_reply *reply);
	int (*send)(struct sip *sip, const struct sip_outbound *message,
		    sip_answer_h *handler, void *arg, handle_t handle);
};
struct sip { /* first member of an implementation */
	const struct sip_ops *ops;
};

static inline void sip_set_message_handler(struct sip *sip,
					   sip_message_h *handler, void *arg)
{
	sip->ops->set_message_handler(sip, handler, arg);
}

/* A transaction that has ended meanwhile is no error: nothing is sent. */
static inline void sip_reply(struct sip *sip, handle_t transaction,
			     const struct sip_reply *reply)
{
	sip->ops->reply(sip, transaction, reply);
}

/*
 * `handle` and `arg` come back in the answer. 0; EINVAL for a next hop that is
 * no IP literal with a transport that we listen on, a line break in a string, or
 * more than a datagram holds; EBUSY when too much is outstanding (to this
 * peer or in all); ENOMEM.
 */
static inline int sip_send(struct sip *sip, const struct sip_outbound *message,
			   sip_answer_h *handler, void *arg, handle_t handle)
{
	return sip->ops->send(sip, message, handler, arg, handle);
}

#endif
