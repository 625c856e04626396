/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sofia watches a connection's idle time only once something has come by it:
 * those that never said a word are found and shut down here; Sofia then closes
 * them.
 */
#include "sip/internal.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The port of a connected TCP socket; 0: it is something else. */
static unsigned local_port_of(int fd)
{
	struct sockaddr_in6 address = { 0 }; /* the port stands as in IPv4 */
	socklen_t bytes = sizeof(address);
	int accepts = 1;
	socklen_t size = sizeof(accepts);

	if (getsockname(fd, (struct sockaddr *)&address, &bytes) ||
	    (address.sin6_family != AF_INET &&
	     address.sin6_family != AF_INET6) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) ||
	    accepts)
		return 0;
	return ntohs(address.sin6_port);
}

static bool is_listeners(const struct sip_stack *stack, unsigned port)
{
	for (size_t i = 0; i < stack->listener_count; i++) {
		const struct listener *each = &stack->listeners[i];

		if (each->transport == SIP_TCP && port &&
		    strtoul(strrchr(each->address, ':') + 1, NULL, 10) == port)
			return true;
	}
	return false;
}

static bool is_silent(int fd, uint32_t idle_ms)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) &&
	       info.tcpi_last_data_recv > idle_ms &&
	       info.tcpi_last_data_sent > idle_ms;
}

static void end_silent_connections(void *arg)
{
	struct sip_stack *stack = arg;
	uint32_t idle_ms = IDLE_IN_T1 * stack->t1_ms;
	DIR *descriptors = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (descriptors && (entry = readdir(descriptors))) {
		int fd = atoi(entry->d_name);

		if (!is_listeners(stack, local_port_of(fd)) ||
		    !is_silent(fd, idle_ms))
			continue;
		shutdown(fd, SHUT_RDWR);
		sip_count(stack->counters, SIP_COUNT_silent_connections);
	}
	if (descriptors)
		closedir(descriptors);
	silent_start(stack);
}

int silent_start(struct sip_stack *stack)
{
	return timer_start(stack->timers, &stack->silent,
			   LIFETIME_IN_T1 * stack->t1_ms,
			   end_silent_connections, stack);
}
