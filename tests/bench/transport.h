/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIP transport of mcmig-load: one UDP socket read and written in batches, or
 * one TCP connection to the server and a listener for the server's own ones.
 */
#ifndef MCMIG_BENCH_TRANSPORT_H
#define MCMIG_BENCH_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench/load.h"

#define TRANSPORT_MESSAGE_MAX 8192 /* bytes of a message, either way */

struct transport;
struct connection;

/* Where a message came from, and so where its answer goes. */
struct path {
	struct connection *connection; /* TCP; valid inside the handler only */
	struct sockaddr_storage address; /* UDP */
};

/* A whole message, NUL-terminated behind its last byte. */
typedef void transport_message_h(const struct path *from, const char *text,
				 size_t bytes, void *arg);

/* 0 or an errno. */
int transport_create(struct transport **transportp,
		     const struct load_options *options,
		     transport_message_h *handler, void *arg);
void transport_destroy(struct transport *transport);

/*
 * Queues a message until the next transport_poll(); `path` NULL: to the server.
 * A UDP message that the socket does not take is lost, as on a network.
 * 0, EMSGSIZE, or what the connection has died of.
 */
int transport_send(struct transport *transport, const struct path *path,
		   const char *text, size_t bytes);

/* Writes what is queued, waits at most `timeout_us`, reads what has come. */
int transport_poll(struct transport *transport, uint64_t timeout_us);

#endif
