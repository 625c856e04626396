/* SPDX-License-Identifier: BSD-2-Clause */
/* The UDP half: sendmmsg and recvmmsg, a batch a system call. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bench/transport_private.h"

#include <sys/epoll.h>

#define BATCH 64
#define SOCKET_BUFFER_BYTES (4 << 20) /* a burst must not be lost by us */

struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage addresses[BATCH];
	char texts[BATCH][TRANSPORT_MESSAGE_MAX + 1];
};

struct udp {
	struct batch in, out;
	unsigned queued; /* in `out` */
};

static void batch_init(struct batch *batch)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct msghdr *header = &batch->headers[i].msg_hdr;

		batch->vectors[i].iov_base = batch->texts[i];
		batch->vectors[i].iov_len = TRANSPORT_MESSAGE_MAX;
		header->msg_iov = &batch->vectors[i];
		header->msg_iovlen = 1;
		header->msg_name = &batch->addresses[i];
		header->msg_namelen = sizeof(batch->addresses[i]);
	}
}

int udp_open(struct transport *transport, const struct sockaddr_storage *local)
{
	struct sockaddr_storage address = *local;
	int size = SOCKET_BUFFER_BYTES;

	transport->udp = calloc(1, sizeof(*transport->udp));
	if (!transport->udp)
		return ENOMEM;
	batch_init(&transport->udp->in);
	batch_init(&transport->udp->out);

	transport->socket_fd = socket(
	    local->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (transport->socket_fd < 0)
		return errno;
	if (setsockopt(transport->socket_fd, SOL_SOCKET, SO_RCVBUF, &size,
		       sizeof(size)) ||
	    setsockopt(transport->socket_fd, SOL_SOCKET, SO_SNDBUF, &size,
		       sizeof(size)) ||
	    bind(transport->socket_fd, address_any(&address),
		 address_bytes(&address)))
		return errno;
	return transport_watch(transport, transport->socket_fd, EPOLLIN, NULL);
}

void udp_close(struct transport *transport)
{
	free(transport->udp);
}

int udp_queue(struct transport *transport, const struct path *path,
	      const char *text, size_t bytes)
{
	struct udp *udp = transport->udp;
	unsigned slot;
	int err = 0;

	if (udp->queued == BATCH)
		err = udp_flush(transport);
	if (err)
		return err;

	slot = udp->queued++;
	memcpy(udp->out.texts[slot], text, bytes);
	udp->out.vectors[slot].iov_len = bytes;
	udp->out.addresses[slot] = path ? path->address : transport->server;
	udp->out.headers[slot].msg_hdr.msg_namelen =
	    address_bytes(&udp->out.addresses[slot]);
	return 0;
}

/* ICMP "port unreachable" of an earlier datagram: that one is lost, no more. */
static bool is_passing(int err)
{
	return err == EAGAIN || err == EINTR || err == ECONNREFUSED ||
	       err == ENOBUFS;
}

int udp_flush(struct transport *transport)
{
	struct udp *udp = transport->udp;
	unsigned sent = 0;

	while (sent < udp->queued) {
		int count =
		    sendmmsg(transport->socket_fd, &udp->out.headers[sent],
			     udp->queued - sent, 0);

		if (count < 0 && !is_passing(errno))
			return errno;
		sent += count > 0 ? (unsigned)count : 1;
	}
	udp->queued = 0;
	return 0;
}

int udp_read(struct transport *transport)
{
	struct batch *in = &transport->udp->in;
	int count;

	for (unsigned i = 0; i < BATCH; i++)
		in->headers[i].msg_hdr.msg_namelen = sizeof(in->addresses[i]);
	count = recvmmsg(transport->socket_fd, in->headers, BATCH, 0, NULL);
	if (count < 0)
		return is_passing(errno) ? 0 : errno;

	for (int i = 0; i < count; i++) {
		struct path path = { .address = in->addresses[i] };

		in->texts[i][in->headers[i].msg_len] = '\0';
		transport->handler(&path, in->texts[i], in->headers[i].msg_len,
				   transport->arg);
	}
	return 0;
}
