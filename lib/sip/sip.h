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
#define SIP_IDENTITIES_MAX 2 /* RFC 3325 9.1 */
#define SIP_MAX_FORWARDS 70

enum sip_transport { SIP_UDP, SIP_TCP, SIP_TLS };

/* A gateway's listeners: towards its own system, and towards the others. */
enum sip_side { SIP_INSIDE, SIP_OUTSIDE };

/*
 * Where a request comes from, as the transport knows it: nothing of what the
 * message claims. Valid only during the callback.
 */
struct sip_source {
	char host[SIP_HOST_SIZE];
	uint16_t port;
	enum sip_transport transport;
	enum sip_side side; /* of the listener that it came by */
	/* Subject alternative names of the peer's certificate, "dns:NAME" or
	 * "uri:URI", at least one on TLS: then they alone say who it is, and
	 * without TLS its address alone. */
	const char *const *certificate_names;
	size_t certificate_name_count;
};

/* For the log: source=HOST port=PORT, and on TLS names="...", which alone say
 * who it is. */
struct sip_source_text {
	char text[512];
};

MCMIG_API struct sip_source_text
sip_source_text(const struct sip_source *source);

/*
 * What a trusted network says of a request (RFC 7315, RFC 5502, RFC 3323). A
 * claim as long as nobody has held it against the source. Texts as received,
 * without the header's name; NULL: not there.
 */
struct sip_network_headers {
	const char *route;		 /* the topmost Route's URI */
	const char *asserted_service;	 /* P-Asserted-Service */
	const char *served_user;	 /* URI of P-Served-User */
	const char *session_case;	 /* its sescase: "orig", "term" */
	const char *charging_vector;	 /* P-Charging-Vector */
	const char *access_network_info; /* P-Access-Network-Info */
	const char *privacy;		 /* Privacy */
};

/* A MESSAGE request; everything is valid only during the callback. */
struct sip_inbound {
	handle_t transaction; /* for sip_reply() */
	struct sip_source source;
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
	unsigned max_forwards; /* as received; SIP_MAX_FORWARDS if missing */
	/* URIs of P-Asserted-Identity: a claim, to be held against the source. */
	const char *asserted_identities[SIP_IDENTITIES_MAX];
	size_t asserted_identity_count;
	struct sip_network_headers network;
	const char *content_type; /* with its parameters; NULL: no body */
	const char *body;
	size_t body_bytes;
};

/* Called once a new request; answer with sip_reply(), now or later. */
typedef void sip_message_h(void *arg, const struct sip_inbound *message);

struct sip_reply;
/*
 * Asked before anything is kept for a new MESSAGE or OPTIONS. False: it is
 * answered statelessly with `refusal`.
 */
typedef bool sip_source_h(void *arg, const struct sip_source *source,
			  struct sip_reply *refusal);

/* A final answer to give. */
struct sip_reply {
	int status;    /* the phrase follows from it */
	int warn_code; /* 0: no Warning header */
	const char *warn_text;
	unsigned retry_after_s; /* 0: no Retry-After header */
	const char *accept;	/* NULL: no Accept header (415) */
	bool stateless;		/* nothing is kept: a repeat is a new request */
};

struct sip_header {
	const char *name;
	const char *value;
};

/* A MESSAGE to send. The strings are copied before sip_send() returns. */
struct sip_outbound {
	const char *next_hop; /* sip:IP:PORT;transport=udp|tcp|tls */
	enum sip_side side;   /* which of our addresses it leaves from */
	/*
	 * Whom the next hop has to prove to be on TLS: one of these names,
	 * "dns:NAME" or "uri:URI", is in its certificate. Without any nothing is
	 * sent on TLS. Ignored otherwise.
	 */
	const char *const *certificate_names;
	size_t certificate_name_count;
	unsigned max_forwards; /* 0: SIP_MAX_FORWARDS */
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
	int warn_code;	     /* of the first Warning; 0: none */
	const char *warning; /* its text; NULL: none */
};

/* Called exactly once for each sip_send() that returned 0, never inside it. */
typedef void sip_answer_h(void *arg, handle_t handle,
			  const struct sip_answer *answer);

/*
 * A third-party REGISTER (TS 24.229 5.7.1.1, 5.4.1.7): an S-CSCF tells who
 * is registered. Everything is valid only during the callback.
 */
struct sip_registration {
	handle_t transaction; /* for sip_reply() */
	struct sip_source source;
	const char *sender_uri; /* as of sip_inbound */
	const char *identity;	/* To: the public user identity, a SIP URI */
	const char *registrar;	/* From: the S-CSCF's URI */
	const char *contact;	/* the S-CSCF's; NULL: none */
	const char *call_id;
	uint32_t cseq;
	uint32_t expires_s; /* 0: registered no more */
	struct sip_network_headers network;
	const char *content_type; /* NULL: no body */
	const char *body;
	size_t body_bytes;
};
/* As sip_message_h. */
typedef void sip_register_h(void *arg, const struct sip_registration *request);

struct sip;
struct sip_ops {
	void (*set_message_handler)(struct sip *sip, sip_message_h *handler,
				    void *arg);
	void (*set_source_handler)(struct sip *sip, sip_source_h *handler,
				   void *arg);
	void (*set_register_handler)(struct sip *sip, sip_register_h *handler,
				     void *arg);
	void (*reply)(struct sip *sip, handle_t transaction,
		      const struct sip_reply *reply);
	int (*send)(struct sip *sip, const struct sip_outbound *message,
		    sip_answer_h *handler, void *arg, handle_t handle);
	bool (*is_down)(struct sip *sip, const char *next_hop);
	bool (*listens_on)(struct sip *sip, const char *host, uint16_t port);
};
struct sip { /* first member of an implementation */
	const struct sip_ops *ops;
};

static inline void sip_set_message_handler(struct sip *sip,
					   sip_message_h *handler, void *arg)
{
	sip->ops->set_message_handler(sip, handler, arg);
}

/* Without one every source may send. */
static inline void sip_set_source_handler(struct sip *sip,
					  sip_source_h *handler, void *arg)
{
	sip->ops->set_source_handler(sip, handler, arg);
}

/* Without one REGISTER is answered 405. */
static inline void sip_set_register_handler(struct sip *sip,
					    sip_register_h *handler, void *arg)
{
	sip->ops->set_register_handler(sip, handler, arg);
}

/* A transaction that has ended meanwhile is no error: nothing is sent. */
static inline void sip_reply(struct sip *sip, handle_t transaction,
			     const struct sip_reply *reply)
{
	sip->ops->reply(sip, transaction, reply);
}

/*
 * `handle` and `arg` come back in the answer. 0; EINVAL for a next hop that is
 * no IP literal with a transport that we listen on, TLS without names, a line break
 * in a string, or more than a datagram holds; EBUSY when too much is outstanding (to this
 * peer or in all); ENOMEM.
 */
static inline int sip_send(struct sip *sip, const struct sip_outbound *message,
			   sip_answer_h *handler, void *arg, handle_t handle)
{
	return sip->ops->send(sip, message, handler, arg, handle);
}

/*
 * Whether the last requests to this next hop got no answer, and none has come
 * since to the OPTIONS that probe it: better try another one.
 */
static inline bool sip_is_down(struct sip *sip, const char *next_hop)
{
	return sip->ops->is_down(sip, next_hop);
}

/*
 * Whether this is one of our listeners, as bound or as in our Via; `host` as in
 * a URI, with brackets around IPv6.
 */
static inline bool sip_listens_on(struct sip *sip, const char *host,
				  uint16_t port)
{
	return sip->ops->listens_on(sip, host, port);
}

#endif
