/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TLS connection: its states, deadlines and what waits to be written. It is
 * known by its handle; memory, session and descriptor stay until the turn of
 * the loop ends, since whoever ended it may still stand in one of its calls.
 */
#ifndef MCMIG_SIP_TLS_CONNECTION_H
#define MCMIG_SIP_TLS_CONNECTION_H

#include "sip/tls_queue.h"
#include "sip/tls_transport.h"
#include "tls/tls.h"

struct client_transaction;

enum connection_state {
	CONNECTION_CONNECTING, /* TCP is under way */
	CONNECTION_HANDSHAKING,
	CONNECTION_OPEN,
	CONNECTION_FLUSHING,  /* nothing more is read; what waits leaves */
	CONNECTION_LINGERING, /* ... has left; the peer has yet to close */
	CONNECTION_ENDED,     /* forgotten; freed when the turn ends */
};

struct tls_connection {
	struct sip_stack *stack;
	const struct listener *listener; /* by it, or bound to its address */
	handle_t own;
	enum connection_state state;
	enum tls_role role;
	int fd;
	su_sockaddr_t address; /* the peer's */
	char peer[ADDRESS_SIZE];
	struct tls_source *source; /* accepted ones */
	struct tls_session *session;
	const struct tls_context *context; /* the session holds it */
	uint32_t generation; /* of the contexts that it was held against */
	struct loop_watch *watch;
	uint32_t events;   /* that it is watched for */
	bool is_handshake; /* one of its side's */
	bool read_wants_write, write_wants_read, peer_has_ended;
	struct loop_work work; /* what no event of the socket will tell */
	struct timer timer;

	struct tls_queue queue;
	msg_t *msg;	/* under way */
	bool line_ends; /* with the last byte */
	size_t lingered_bytes;
	uint64_t since_ms;     /* in this state */
	uint64_t opened_ms;    /* the handshake was done */
	uint64_t msg_since_ms; /* `msg` began */
	uint64_t active_ms;    /* the last byte came or left */
	uint64_t progress_ms; /* the last byte left, or was the first to wait */

	/* Of those that we have opened: requests that wait for it, or for their
	 * answer. */
	char *next_hop; /* NULL: no more requests are given to it */
	struct client_transaction *waiting;

	struct tls_connection *prev, *next;   /* all, or ended */
	struct tls_connection *older, *newer; /* handshakes of a side */
	UT_hash_handle hh;		      /* outbound */
};

/* --- tls_connection.c ---------------------------------------------------- */

/* Takes over `fd`, which is closed on failure; the peer is `address`. `state`
 * CONNECTING or HANDSHAKING. 0 or an errno. */
int tls_connection_create(struct sip_stack *stack,
			  const struct listener *listener, enum tls_role role,
			  int fd, const su_sockaddr_t *address,
			  struct tls_connection **connectionp);
/* NULL: gone. */
struct tls_connection *tls_connection_get(const struct sip_stack *stack,
					  handle_t handle);
/* Now; `why` goes to requests that wait, and must be a literal. */
void tls_connection_end(struct tls_connection *connection, const char *why);
/* Reads no more, writes what waits, then ends. */
void tls_connection_finish(struct tls_connection *connection);
/* Frees what has ended. */
void tls_connections_reap(struct tls_transport *tls);
/* At the end of the turn what waits is written, what is decrypted is read. */
void tls_connection_has_work(struct tls_connection *connection);

/* Parts of it, for the files below. */
struct tls_side *tls_connection_side(const struct tls_connection *connection);
void tls_connection_enter(struct tls_connection *connection,
			  enum connection_state state);
void tls_connection_watch_for(struct tls_connection *connection,
			      uint32_t events);
/* It is no more counted as one of its side's. */
void tls_connection_leave_side(struct tls_connection *connection);
/* All is written: closes once the peer has. What is still on its way would be
 * lost by a reset when the peer has sent what nobody has read. */
void tls_connection_linger(struct tls_connection *connection);

/* --- tls_transport.c ----------------------------------------------------- */

/* Before it is used: ends it if a reload has made it invalid. */
void tls_connection_check(struct tls_connection *connection);

/* --- tls_handshake.c ----------------------------------------------------- */

int tls_handshake_begin(struct tls_connection *connection);
/* On an event; the connection may end by it. */
void tls_handshake_step(struct tls_connection *connection);

/* --- tls_deadline.c ------------------------------------------------------ */

/* A deadline may have come nearer. */
void tls_connection_watch_time(struct tls_connection *connection);

/* --- tls_write.c --------------------------------------------------------- */

/* 0, ENOBUFS, ENOMEM: room for `bytes` that tls_queue_add() puts there. */
int tls_connection_reserve(struct tls_connection *connection, size_t bytes);
/* False: it has ended meanwhile. */
bool tls_connection_flush(struct tls_connection *connection);

/* --- tls_stream.c, tls_receive.c ----------------------------------------- */

/* Bytes of the peer; the connection may end by them. */
void tls_stream_receive(struct tls_connection *connection, const char *data,
			size_t bytes);
/* The peer has closed, in good order. */
void tls_stream_end(struct tls_connection *connection);
/* One message, taken over. */
void tls_receive(struct tls_connection *connection, msg_t *msg);

/* --- tls_outbound.c ------------------------------------------------------ */

/* 0, or -1 with the transaction's `reason`: nothing will leave. */
int tls_outbound_send(struct client_transaction *transaction);
/* It waits no more. */
void tls_outbound_release(struct client_transaction *transaction);
/* Its connection is dead. */
void tls_outbound_give_up(const struct client_transaction *transaction);
/* The handshake is done: what waits may leave. */
void tls_outbound_is_open(struct tls_connection *connection);
/* No more requests are given to it. */
void tls_outbound_forget(struct tls_connection *connection);
/* ... and it ends when none waits. */
void tls_outbound_retire(struct tls_connection *connection);
/* It is ending: for its requests. */
void tls_outbound_fail(struct tls_connection *connection, const char *why);

#endif
