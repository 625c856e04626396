/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that Sofia-SIP calls, two of libc and three of its own, exported by
 * the program so that the library finds ours first (src/exports.list). Each does
 * what the original does, after a change that Sofia has no setting for.
 */
#define _GNU_SOURCE
#include "overrides.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sofia-sip/msg_buffer.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/su.h>
#include <sofia-sip/tport.h>

#include "accept.h"
#include "base/log.h"
#include "loop/loop.h"

/*
 * Sofia reads all that a connection holds and copies the rest once a message:
 * a busy connection falls to 100 messages a second. What is left is there at
 * the next turn of the loop. (A small receive buffer does it too, but leaves a
 * distant peer a few hundred messages a second, and over loopback, with its
 * large segments, TCP stalls on it.)
 */
#define STREAM_READ_MAX (16 * 1024)

/* Sofia walks a list for each header: 64 kB of "a:" cost it a second. */
#define HEADER_LINES_MAX 256

MCMIG_API int getaddrinfo(const char *node, const char *service,
			  const struct addrinfo *hints,
			  struct addrinfo **result);
MCMIG_API int bind(int fd, const struct sockaddr *address, socklen_t bytes);
MCMIG_API issize_t su_getmsgsize(su_socket_t fd);
MCMIG_API int msg_extract(msg_t *msg);
MCMIG_API int tport_recv_stun_dgram(const tport_t *tport, msg_t **msg,
				    su_sockaddr_t *from, socklen_t bytes);

typedef int getaddrinfo_f(const char *, const char *, const struct addrinfo *,
			  struct addrinfo **);
typedef int bind_f(int, const struct sockaddr *, socklen_t);
typedef issize_t su_getmsgsize_f(su_socket_t);
typedef int msg_extract_f(msg_t *);

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

/* A free port: it is to connect, not to listen. */
static bool is_free_port(const struct sockaddr *address)
{
	switch (address ? address->sa_family : AF_UNSPEC) {
	case AF_INET:
		return !((const struct sockaddr_in *)address)->sin_port;
	case AF_INET6:
		return !((const struct sockaddr_in6 *)address)->sin6_port;
	default:
		return false;
	}
}

/*
 * Listeners of Sofia >= 1.13 share their port: a second daemon at the same
 * address would not be refused, but get half of the connections.
 */
static void claim_port(int fd)
{
	int off = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off));
}

/*
 * Sofia binds a connection to its listener's address, and goes on without when
 * that fails: the kernel would pick one, of the other side perhaps. In its
 * place stands something that cannot connect.
 */
int bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
	static struct log_rate rate;
	static bind_f *real;
	int error;

	if (!real)
		real = (bind_f *)dlsym(RTLD_NEXT, "bind");
	if (!real) {
		errno = ENOSYS;
		return -1;
	}
	if (loop_is_current_thread())
		claim_port(fd);
	if (!real(fd, address, bytes))
		return 0;
	if (!loop_is_current_thread() || !is_free_port(address) ||
	    socket_type(fd) != SOCK_STREAM)
		return -1;
	error = errno;
	log_write_limited(&rate, LOG_WARNING, "sip",
			  "msg=\"cannot connect from our own address\" "
			  "error=\"%s\"",
			  strerror(error));
	dup2(accept_spare_descriptor(), fd);
	errno = error;
	return -1;
}

/* How much Sofia is to read: of a datagram all, or it would be cut short. */
issize_t su_getmsgsize(su_socket_t fd)
{
	static su_getmsgsize_f *real;
	issize_t bytes;

	if (!real)
		real = (su_getmsgsize_f *)dlsym(RTLD_NEXT, "su_getmsgsize");
	if (!real) {
		errno = ENOSYS;
		return -1;
	}
	bytes = real(fd);
	if (bytes > STREAM_READ_MAX && socket_type(fd) == SOCK_STREAM)
		return STREAM_READ_MAX;
	return bytes;
}

/* The first CR or LF from `at` on, `end` if there is none. `found` keeps what
 * memchr() has seen, so that no byte is looked at twice. */
static const char *line_end(const char *at, const char *end,
			    const char *found[2])
{
	for (int i = 0; i < 2; i++) {
		if (found[i] && found[i] >= at)
			continue;
		found[i] = memchr(at, "\r\n"[i], (size_t)(end - at));
		if (!found[i])
			found[i] = end;
	}
	return found[0] < found[1] ? found[0] : found[1];
}

/* Up to the empty line; Sofia takes a lone CR or LF for a line's end as well. */
static uintptr_t count_lines(const char *data, size_t bytes, bool at_start)
{
	const char *end = data + bytes, *found[2] = { NULL, NULL };
	const char *line = data, *line_ends;
	uintptr_t lines = 0;

	while (at_start && line < end && (*line == '\r' || *line == '\n'))
		line++;
	while (line < end) {
		line_ends = line_end(line, end, found);
		if (line_ends == line || line_ends == end)
			break;
		lines++;
		line = line_ends + 1;
		if (*line_ends == '\r' && line < end && *line == '\n')
			line++;
	}
	return lines;
}

/* Of the headers, those that have not been parsed. */
static uintptr_t lines_that_wait(const msg_t *msg, const sip_t *sip)
{
	const char *data = msg_buf_committed_data(msg);

	if (!sip || !data || sip->sip_flags & MSG_FLG_BODY)
		return 0;
	return count_lines(data, msg_buf_committed(msg),
			   !(sip->sip_flags & MSG_FLG_HEADERS));
}

/* Counted in the message itself, since a stream brings it in pieces; those that
 * wait for the next piece are counted then. */
int msg_extract(msg_t *msg)
{
	static msg_extract_f *real;
	sip_t *sip = sip_object(msg);
	uintptr_t lines = lines_that_wait(msg, sip);
	int result;

	if (!real)
		real = (msg_extract_f *)dlsym(RTLD_NEXT, "msg_extract");
	if (sip)
		lines += (uintptr_t)sip->sip_user;
	if (!real || lines > HEADER_LINES_MAX) {
		msg_mark_as_complete(msg, MSG_FLG_ERROR);
		return -1;
	}
	result = real(msg);
	if (sip)
		sip->sip_user = (void *)(lines - lines_that_wait(msg, sip));
	return result;
}

/* Sofia answers STUN whoever asks; nothing here is to be known by that. */
int tport_recv_stun_dgram(const tport_t *tport, msg_t **msg,
			  su_sockaddr_t *from, socklen_t bytes)
{
	(void)tport, (void)from, (void)bytes;
	msg_destroy(*msg);
	*msg = NULL;
	return 0;
}

/*
 * A library that was linked with -Bsymbolic-functions, as some distributions do
 * it, finds its own functions first. The message has too many lines for ours
 * alone.
 */
int overrides_check(void)
{
	char text[64 + (HEADER_LINES_MAX + 1) * 6];
	int bytes = snprintf(text, sizeof(text), "OPTIONS sip:a SIP/2.0\r\n");
	msg_t *msg;
	int err;

	for (int i = 0; i <= HEADER_LINES_MAX; i++)
		bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes,
				  "X:1\r\n");
	bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, "\r\n");
	msg = msg_make(sip_default_mclass(), 0, text, bytes);
	if (!msg)
		return ENOMEM;
	err = msg_has_error(msg) ? 0 : ENOTSUP;
	msg_destroy(msg);
	return err;
}
