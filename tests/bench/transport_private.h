/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by transport.c and its two halves, udp.c and tcp.c. */
#ifndef MCMIG_BENCH_TRANSPORT_PRIVATE_H
#define MCMIG_BENCH_TRANSPORT_PRIVATE_H

#include <netinet/in.h>

#include "bench/transport.h"

struct udp;
struct tcp;

struct transport {
	transport_message_h *handler;
	void *arg;
	struct sockaddr_storage server;
	bool server_may_restart; /* what is sent meanwhile is lost */
	int epoll_fd;
	int socket_fd;	 /* UDP socket or TCP listener */
	struct udp *udp; /* one of these two */
	struct tcp *tcp;
};

/* Adds the socket to the epoll set, or changes its events. 0 or an errno. */
int transport_watch(struct transport *transport, int fd, uint32_t events,
		    void *owner);

static inline socklen_t address_bytes(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static inline struct sockaddr *address_any(struct sockaddr_storage *address)
{
	return (struct sockaddr *)address;
}

int udp_open(struct transport *transport, const struct sockaddr_storage *local);
void udp_close(struct transport *transport);
int udp_queue(struct transport *transport, const struct path *path,
	      const char *text, size_t bytes);
int udp_flush(struct transport *transport);
int udp_read(struct transport *transport);

/* `tls` NULL: without. */
int tcp_open(struct transport *transport, const struct sockaddr_storage *local,
	     const struct load_tls *tls);
void tcp_close(struct transport *transport);
int tcp_queue(struct transport *transport, const struct path *path,
	      const char *text, size_t bytes);
int tcp_flush(struct transport *transport);
/* `owner` is the connection, or NULL for the listener. */
int tcp_event(struct transport *transport, struct connection *owner,
	      uint32_t events);

#endif
