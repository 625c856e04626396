/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets' common part: one epoll set, whose events go to the UDP or to
 * the TCP half.
 */
#include "bench/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench/transport_private.h"

#define EVENTS_MAX 64

int transport_watch(struct transport *transport, int fd, uint32_t events,
		    void *owner)
{
	struct epoll_event event = { .events = events, .data.ptr = owner };

	if (!epoll_ctl(transport->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return 0;
	if (errno == EEXIST &&
	    !epoll_ctl(transport->epoll_fd, EPOLL_CTL_MOD, fd, &event))
		return 0;
	return errno;
}

int transport_create(struct transport **transportp,
		     const struct load_options *options,
		     transport_message_h *handler, void *arg)
{
	struct transport *transport;
	int err;

	transport = calloc(1, sizeof(*transport));
	if (!transport)
		return ENOMEM;

	transport->handler = handler;
	transport->arg = arg;
	transport->server = options->server;
	transport->server_may_restart = options->mode == LOAD_SINK;
	transport->socket_fd = -1;
	transport->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (transport->epoll_fd < 0) {
		err = errno;
		goto out;
	}
	err = options->tcp ? tcp_open(transport, &options->local,
				      options->is_tls ? &options->tls : NULL)
			   : udp_open(transport, &options->local);
	if (err)
		goto out;

	*transportp = transport;
	transport = NULL;
out:
	transport_destroy(transport);
	return err;
}

void transport_destroy(struct transport *transport)
{
	if (!transport)
		return;

	tcp_close(transport);
	udp_close(transport);
	if (transport->socket_fd >= 0)
		close(transport->socket_fd);
	if (transport->epoll_fd >= 0)
		close(transport->epoll_fd);
	free(transport);
}

int transport_send(struct transport *transport, const struct path *path,
		   const char *text, size_t bytes)
{
	if (bytes > TRANSPORT_MESSAGE_MAX)
		return EMSGSIZE;
	if (transport->udp)
		return udp_queue(transport, path, text, bytes);
	return tcp_queue(transport, path, text, bytes);
}

int transport_poll(struct transport *transport, uint64_t timeout_us)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_us / 1000000),
		.tv_nsec = (long)(timeout_us % 1000000) * 1000,
	};
	int count, err;

	err = transport->udp ? udp_flush(transport) : tcp_flush(transport);
	if (err)
		return err;

	count = epoll_pwait2(transport->epoll_fd, events, EVENTS_MAX, &timeout,
			     NULL);
	if (count < 0)
		return errno == EINTR ? 0 : errno;

	for (int i = 0; i < count && !err; i++)
		err = transport->udp ? udp_read(transport)
				     : tcp_event(transport, events[i].data.ptr,
						 events[i].events);
	return err;
}
