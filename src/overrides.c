/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two functions of libc that Sofia-SIP calls, exported by the program so that
 * the library finds ours first (src/exports.list). Each does what libc's does,
 * after a change that Sofia has no setting for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>

#include "loop/loop.h"

/*
 * Sofia reads all that a connection holds and copies the rest once a message:
 * with libc's default a busy connection falls to 100 messages a second. A
 * listening socket hands its buffer size down to what it accepts.
 */
#define TCP_RECEIVE_BYTES (16 * 1024)

MCMIG_API int getaddrinfo(const char *node, const char *service,
			  const struct addrinfo *hints,
			  struct addrinfo **result);
MCMIG_API int bind(int fd, const struct sockaddr *address, socklen_t bytes);

typedef int getaddrinfo_f(const char *, const char *, const struct addrinfo *,
			  struct addrinfo **);
typedef int bind_f(int, const struct sockaddr *, socklen_t);

/*
 * A name in a Via (";maddr=name") would have the loop wait for a resolver,
 * even for the answer to a malformed datagram.
 */
int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **result)
{
	static getaddrinfo_f *real;
	struct addrinfo numeric = { .ai_family = AF_UNSPEC };

	if (!real)
		real = (getaddrinfo_f *)dlsym(RTLD_NEXT, "getaddrinfo");
	if (!real)
		return EAI_SYSTEM;
	if (!node || !loop_is_current_thread())
		return real(node, service, hints, result);
	if (hints)
		numeric = *hints;
	numeric.ai_flags |= AI_NUMERICHOST;
	return real(node, service, &numeric, result);
}

static int socket_type(int fd)
{
	int type = 0;
	socklen_t bytes = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) ? 0 : type;
}

int bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
	static bind_f *real;
	int receive_bytes = TCP_RECEIVE_BYTES;

	if (!real)
		real = (bind_f *)dlsym(RTLD_NEXT, "bind");
	if (!real) {
		errno = ENOSYS;
		return -1;
	}
	/* A socket that keeps its default still works, slower. */
	if (address && loop_is_current_thread() &&
	    (address->sa_family == AF_INET || address->sa_family == AF_INET6) &&
	    socket_type(fd) == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes,
			   sizeof(receive_bytes));
	return real(fd, address, bytes);
}
