/* SPDX-License-Identifier: BSD-2-Clause */
/* src/overrides.c, exported as mcmigd exports it. */
#include "unit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sofia-sip/su.h>

#include "overrides.h"
#include "sip_fixture.h"

static int resolve(const char *name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int err = getaddrinfo(name, "5060", &hints, &found);

	if (!err)
		freeaddrinfo(found);
	return err;
}

static void *resolve_on_thread(void *arg)
{
	*(int *)arg = resolve("localhost");
	return NULL;
}

static void test_no_name_is_resolved_on_the_loop(void)
{
	pthread_t thread;
	int err = -1;

	CU_ASSERT_EQUAL(resolve("localhost"), 0);
	fixture_start(NULL);
	CU_ASSERT_EQUAL(resolve("localhost"), EAI_NONAME);
	CU_ASSERT_EQUAL(resolve("127.0.0.1"), 0);
	CU_ASSERT_EQUAL(resolve(NULL), 0);
	CU_ASSERT_EQUAL_FATAL(
	    pthread_create(&thread, NULL, resolve_on_thread, &err), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(err, 0);
	fixture_stop();
}

/* The receive buffer of the socket that is bound to `port`; 0: none. */
static int buffer_of(uint16_t port, int type)
{
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_in address;
		socklen_t bytes = sizeof(address), size = sizeof(int);
		int found, buffer;

		if (getsockname(fd, (struct sockaddr *)&address, &bytes) ||
		    address.sin_family != AF_INET ||
		    ntohs(address.sin_port) != port ||
		    getsockopt(fd, SOL_SOCKET, SO_TYPE, &found, &size) ||
		    found != type)
			continue;
		if (!getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, &size))
			return buffer;
	}
	return 0;
}

static uint16_t port_of(int i)
{
	const char *address = sip_stack_address(stack, (size_t)i);

	return (uint16_t)atoi(strrchr(address, ':') + 1);
}

static void test_udp_buffer_is_large(void)
{
	fixture_start(NULL);
	CU_ASSERT(buffer_of(port_of(UDP4), SOCK_DGRAM) > 400 * 1024);
	fixture_stop();
}

static issize_t size_of_waiting(int type, size_t bytes)
{
	static const char text[20000];
	issize_t size = -1;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, type, 0, pair), 0);
	if (send(pair[0], text, bytes, 0) == (ssize_t)bytes)
		size = su_getmsgsize(pair[1]);
	close(pair[0]);
	close(pair[1]);
	return size;
}

static void test_a_stream_is_read_in_pieces(void)
{
	CU_ASSERT_EQUAL(size_of_waiting(SOCK_STREAM, 16383), 16383);
	CU_ASSERT_EQUAL(size_of_waiting(SOCK_STREAM, 16384), 16384);
	CU_ASSERT_EQUAL(size_of_waiting(SOCK_STREAM, 20000), 16384);
	CU_ASSERT_EQUAL(size_of_waiting(SOCK_DGRAM, 20000), 20000);
}

static int connect_from(const char *host, int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type, 0), result;

	inet_pton(AF_INET, host, &address.sin_addr);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	address.sin_port = htons(port_of(type == SOCK_STREAM ? TCP4 : UDP4));
	/* As Sofia does, whatever came of bind(). */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		result = -2;
	close(fd);
	return result;
}

/* 192.0.2.1 is nobody's (RFC 5737). */
static void test_no_connection_from_another_address(void)
{
	fixture_start(NULL);
	CU_ASSERT_EQUAL(connect_from("127.1.2.3", SOCK_STREAM), 0);
	CU_ASSERT_EQUAL(connect_from("192.0.2.1", SOCK_STREAM), -2);
	fixture_stop();
}

static int listener(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	/* As Sofia >= 1.13 does. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    !listen(fd, 1))
		return fd;
	close(fd);
	return -1;
}

static void test_no_port_is_shared(void)
{
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);
	int fd;

	fixture_start(NULL);
	CU_ASSERT_EQUAL(listener(port_of(TCP4)), -1);
	fd = listener(0);
	CU_ASSERT_FATAL(fd >= 0);
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	CU_ASSERT_EQUAL(listener(ntohs(address.sin_port)), -1);
	close(fd);
	fixture_stop();
}

static void test_sofia_calls_ours(void)
{
	CU_ASSERT_EQUAL(overrides_check(), 0);
}

static CU_TestInfo override_tests[] = {
	{ "no name is resolved on the loop",
	  test_no_name_is_resolved_on_the_loop },
	{ "the UDP buffer is large", test_udp_buffer_is_large },
	{ "a stream is read in pieces, a datagram whole",
	  test_a_stream_is_read_in_pieces },
	{ "no connection from another address",
	  test_no_connection_from_another_address },
	{ "no port is shared", test_no_port_is_shared },
	{ "Sofia calls ours", test_sofia_calls_ours },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "overrides", NULL, NULL, NULL, NULL, override_tests },
	CU_SUITE_INFO_NULL,
};
