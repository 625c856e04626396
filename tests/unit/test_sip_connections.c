/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip: TCP connections of peers who say nothing, not all, or nonsense. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"
#include "sip_fixture.h"

#define FAST_T1_MS 10
#define IDLE_MS (256 * FAST_T1_MS)

static const struct sip_stack_config fast = {
	.domain = "b.example",
	.t1_ms = FAST_T1_MS,
	.server_transactions_max = 1000,
	.client_transactions_max = 100,
	.peer_outstanding_max = 10,
};

/* Whether the stack has closed it: orderly, or with a reset. */
static bool is_closed(int fd)
{
	char rest[4096];
	ssize_t n;

	do
		n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static bool is_closed_within(int fd, unsigned ms)
{
	for (unsigned waited = 0; waited < ms; waited += 20) {
		if (is_closed(fd))
			return true;
		run_for(20);
	}
	return false;
}

static void check_closed_after(const char *text)
{
	uint16_t port;
	int fd;

	fixture_start(&fast);
	fd = peer_connect(TCP4, &port);
	if (*text)
		peer_send(fd, text);
	CU_ASSERT(is_closed_within(fd, 3 * IDLE_MS));
	close(fd);
	fixture_stop();
}

static void test_idle_connection_is_closed(void)
{
	check_closed_after("");
}

static void test_unfinished_message_ends_the_connection(void)
{
	check_closed_after("MESSAGE sip:b.example SIP/2.0\r\nVia: SIP/2.0/TCP");
}

/* Sofia does not read on: only we can end it. */
static void test_damaged_stream_is_closed(void)
{
	check_closed_after("\001\002 nonsense\r\n\r\nmore and more\r\n\r\n");
}

static void test_connection_with_a_request_stays(void)
{
	struct request request = { .transport = "TCP",
				   .lines = "Max-Forwards: 70\r\n" };
	const struct sip_reply reply = { .status = 200 };
	uint16_t port;
	int fd;

	fixture_start(NULL);
	automatic.status = 0;
	fd = peer_connect(TCP4, &port);
	request.port = port;
	peer_send(fd, request_text(&request));
	CU_ASSERT_FATAL(run_until(&recorded.count, 1));
	run_for(LIFETIME_MS / 2);
	CU_ASSERT(!is_closed(fd));
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	close(fd);
	fixture_stop();
}

/* --- Descriptors ----------------------------------------------------------- */

enum { PEERS = 100, LIMIT = 64 };

/* Above the limit, where they take no place of the stack's. */
static int connect_high(int i)
{
	uint16_t port;
	int fd = peer_connect(TCP4, &port);
	int high = fcntl(fd, F_DUPFD, 500 + i);

	close(fd);
	return high;
}

static clock_t cpu_of_idling(unsigned ms)
{
	clock_t before = clock();

	run_for(ms);
	return clock() - before;
}

static void test_peers_cannot_take_all_descriptors(void)
{
	struct request probe = { .method = "OPTIONS" };
	struct rlimit limit, low = { .rlim_cur = LIMIT };
	int peers[PEERS], closed = 0, own, fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &probe.port);
	for (int i = 0; i < PEERS; i++)
		peers[i] = connect_high(i);
	getrlimit(RLIMIT_NOFILE, &limit);
	low.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &low);
	run_for(200);
	for (int i = 0; i < PEERS; i++)
		closed += is_closed(peers[i]);
	CU_ASSERT(closed > PEERS - LIMIT);
	CU_ASSERT(closed < PEERS);
	CU_ASSERT(cpu_of_idling(300) < CLOCKS_PER_SEC / 10);
	own = open("/dev/null", O_RDONLY);
	CU_ASSERT(own >= 0);
	close(own);
	peer_send(fd, request_text(&probe));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < PEERS; i++)
		close(peers[i]);
	close(fd);
	fixture_stop();
}

static bool is_known(void *arg, const struct sip_source *source,
		     struct sip_reply *refusal)
{
	(void)refusal;
	CU_ASSERT_EQUAL(source->transport, SIP_TCP);
	CU_ASSERT_EQUAL(source->side, SIP_INSIDE);
	CU_ASSERT(source->port != 0);
	return !strcmp(source->host, arg);
}

/* How many connections from 127.0.0.1 stay when `known` is a peer's address. */
static int count_those_who_stay(char *known)
{
	struct rlimit limit, low = { .rlim_cur = LIMIT };
	int peers[PEERS], open = 0;

	fixture_start(NULL);
	sip_set_source_handler(sip, is_known, known);
	accept_ask(stack);
	for (int i = 0; i < PEERS; i++)
		peers[i] = connect_high(i);
	getrlimit(RLIMIT_NOFILE, &limit);
	low.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &low);
	run_for(200);
	for (int i = 0; i < PEERS; i++)
		open += !is_closed(peers[i]);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < PEERS; i++)
		close(peers[i]);
	accept_ask(NULL);
	fixture_stop();
	return open;
}

static void test_strangers_leave_room_for_peers(void)
{
	int strangers = count_those_who_stay("127.0.0.2");
	int peers = count_those_who_stay("127.0.0.1");

	CU_ASSERT(strangers > 0);
	CU_ASSERT(strangers < LIMIT / 2);
	CU_ASSERT(peers >= strangers + LIMIT / 4);
}

static void test_no_descriptor_at_all(void)
{
	struct rlimit limit, none;
	int peer;

	fixture_start(NULL);
	peer = connect_high(0);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = (rlim_t)open("/dev/null", O_RDONLY);
	close((int)none.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &none);
	run_for(100);
	CU_ASSERT(is_closed(peer));
	CU_ASSERT(cpu_of_idling(300) < CLOCKS_PER_SEC / 10);
	setrlimit(RLIMIT_NOFILE, &limit);
	close(peer);
	fixture_stop();
}

static CU_TestInfo connection_tests[] = {
	{ "an idle one is closed", test_idle_connection_is_closed },
	{ "an unfinished message ends it",
	  test_unfinished_message_ends_the_connection },
	{ "a damaged stream is closed", test_damaged_stream_is_closed },
	{ "one with a request stays", test_connection_with_a_request_stays },
	{ "peers cannot take all descriptors",
	  test_peers_cannot_take_all_descriptors },
	{ "strangers leave room for peers",
	  test_strangers_leave_room_for_peers },
	{ "no descriptor at all", test_no_descriptor_at_all },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip connections", NULL, NULL, NULL, NULL, connection_tests },
	CU_SUITE_INFO_NULL,
};
