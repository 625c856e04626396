/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIP on Sofia-SIP's NTA, used statelessly: lean server and client
 * transactions of our own (doc/architecture.md says why).
 */
#ifndef MCMIG_SIP_STACK_H
#define MCMIG_SIP_STACK_H

#include "sip/sip.h"

struct loop;
struct stats;
struct sip_stack;
struct tls_context;
struct tls_settings;

/* TLS of one side. Both are copied, or held. */
struct sip_tls {
	struct tls_context *context;	     /* NULL: no TLS */
	const struct tls_settings *settings; /* its limits */
};

struct sip_stack_config {
	/* "udp:127.0.0.1:5060", "tcp:[::1]:5060", "tls:127.0.0.1:5061"; port 0
	 * picks a free one */
	const char *const *listen;
	size_t listen_count;
	/*
	 * The same, towards other systems. None: `listen` serves both sides.
	 * With some, no address of one side is ever used for the other, so
	 * that none of both may be a wildcard.
	 */
	const char *const *listen_outside;
	size_t listen_outside_count;
	const char *domain; /* Warning agent and From host; not an address */
	uint32_t t1_ms;	    /* RFC 3261 17.1.1.1; 500 */
	uint32_t server_transactions_max; /* table full: 503 */
	uint32_t client_transactions_max;
	uint32_t peer_outstanding_max; /* client transactions to one next hop */
	/* Requests in a row without an answer: the next hop is down; 0: never. */
	uint32_t breaker_failures;
	uint32_t
	    probe_interval_ms; /* so often it is asked then; 100 at least */
	struct sip_tls tls;    /* of `listen` */
	struct sip_tls tls_outside; /* of `listen_outside` */
};

/*
 * Whether an entry can be, without binding it; `has_sides`: there are entries
 * for the outside. 0, EINVAL (logged).
 */
MCMIG_API int sip_listen_check(const char *entry, bool has_sides);

/* 0, EINVAL (logged with the remedy), EADDRINUSE, ENOMEM. */
MCMIG_API int sip_stack_create(struct sip_stack **stackp, struct loop *loop,
			       struct stats *stats,
			       const struct sip_stack_config *config);
/* Outstanding answers are not called back. NULL is fine. */
MCMIG_API void sip_stack_destroy(struct sip_stack *stack);
MCMIG_API struct sip *sip_stack_sip(struct sip_stack *stack);

/*
 * The bound address of listener `i` as "HOST:PORT" (brackets around IPv6);
 * those of `listen`, then those of `listen_outside`; NULL past the end.
 */
MCMIG_API const char *sip_stack_address(const struct sip_stack *stack,
					size_t i);

/*
 * Whether requests of this connection's peer would be taken: the source handler
 * says so, which counts it as one more message. On TLS nothing is known of it
 * yet: true.
 */
MCMIG_API bool sip_stack_admits(const struct sip_stack *stack, int connection);

/*
 * After a reload: new connections use these, and those that they would not take
 * are closed, before anything more is read from them. Only sides that had a
 * context before may have one. 0 or EINVAL.
 */
MCMIG_API int sip_stack_set_tls(struct sip_stack *stack,
				const struct sip_tls *inside,
				const struct sip_tls *outside);

/* A peer that is connected on TLS, its handshake done; valid during the call. */
struct sip_tls_peer {
	enum sip_side side;
	bool accepted;	     /* it has connected to us, not we to it */
	const char *address; /* "HOST:PORT", brackets around IPv6 */
	const char *const *names;
	size_t name_count;
	const char *cipher;
	int64_t expires;       /* its certificate, or one above: UTC seconds */
	uint64_t connected_ms; /* so long ago */
};
typedef void sip_tls_peer_h(void *arg, const struct sip_tls_peer *peer);
MCMIG_API void sip_stack_visit_tls(const struct sip_stack *stack,
				   sip_tls_peer_h *handler, void *arg);

/* From now on new requests get 503 with Retry-After; OPTIONS too. */
MCMIG_API void sip_stack_drain(struct sip_stack *stack);
/* Requests that wait for an answer of ours. */
MCMIG_API size_t sip_stack_pending(const struct sip_stack *stack);
/* Requests of ours that wait for a peer's answer. */
MCMIG_API size_t sip_stack_outstanding(const struct sip_stack *stack);

#endif
