/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip: next hops that go down and come back, over real sockets. */
#define _GNU_SOURCE
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_fixture.h"

#define INTERVAL_MS 200
#define DEADLINE_MS 60

static const struct sip_stack_config config = {
	.listen = inside_entries,
	.listen_count = 2,
	.listen_outside = outside_entries,
	.listen_outside_count = 2,
	.domain = "b.example",
	.t1_ms = T1_MS,
	.server_transactions_max = 100,
	.client_transactions_max = 100,
	.peer_outstanding_max = 10,
	.breaker_failures = 3,
	.probe_interval_ms = INTERVAL_MS,
};

static char next_hop[SIP_URI_SIZE];
static unsigned answered;
static int last_status;

static void on_answer(void *arg, handle_t handle,
		      const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	answered++;
	last_status = answer->status;
	loop_stop(loop);
}

static void send_one(void)
{
	const struct sip_outbound message = {
		.next_hop = next_hop,
		.side = SIP_OUTSIDE,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.deadline_ms = DEADLINE_MS,
	};

	CU_ASSERT_EQUAL(sip_send(sip, &message, on_answer, NULL, 1), 0);
}

/* Sends one by one, each without an answer. */
static void fail(unsigned times)
{
	while (times--) {
		unsigned before = answered;

		send_one();
		CU_ASSERT(run_until(&answered, before + 1));
		CU_ASSERT_EQUAL(last_status, SIP_NO_ANSWER);
	}
}

static int start(int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	answered = 0;
	fixture_start(&config);
	inet_pton(AF_INET, "127.3.3.3", &address.sin_addr);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, bytes), 0);
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	if (type == SOCK_STREAM)
		listen(fd, 5);
	snprintf(next_hop, sizeof(next_hop), "sip:127.3.3.3:%u;transport=%s",
		 ntohs(address.sin_port), type == SOCK_STREAM ? "tcp" : "udp");
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	return fd;
}

static void answer(int fd, const char *text, const char *status)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	char reply[4096], via[256];

	snprintf(via, sizeof(via), "%s", header_of(text, "Via"));
	snprintf(reply, sizeof(reply),
		 "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=p\r\n"
		 "Call-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		 status, via, header_of(text, "From"), header_of(text, "To"),
		 header_of(text, "Call-ID"), header_of(text, "CSeq"));
	inet_pton(AF_INET, OUTSIDE, &address.sin_addr);
	address.sin_port = htons((uint16_t)atoi(strrchr(via, ':') + 1));
	sendto(fd, reply, strlen(reply), 0, (struct sockaddr *)&address,
	       sizeof(address));
}

static void forget_received(int fd)
{
	char text[4096];

	while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
}

static void check_options(const char *text)
{
	char line[SIP_URI_SIZE], to[SIP_URI_SIZE];
	static const char *const absent[] = {
		"Contact", "User-Agent",	  "Server",	  "Route",
		"Allow",   "P-Asserted-Identity", "Organization",
	};

	snprintf(line, sizeof(line), "OPTIONS %.*s SIP/2.0\r\n",
		 (int)strcspn(next_hop, ";"), next_hop);
	CU_ASSERT_EQUAL(strncmp(text, line, strlen(line)), 0);
	snprintf(to, sizeof(to), "<%.*s>", (int)strcspn(next_hop, ";"),
		 next_hop);
	CU_ASSERT(is(header_of(text, "To"), to));
	CU_ASSERT_EQUAL(
	    strncmp(header_of(text, "From"), "<sip:b.example>;tag=", 20), 0);
	CU_ASSERT(is(header_of(text, "CSeq"), "1 OPTIONS"));
	CU_ASSERT(is(header_of(text, "Content-Length"), "0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(text, "Via"), " " OUTSIDE ":"));
	CU_ASSERT_EQUAL(strspn(header_of(text, "Call-ID"), "0123456789abcdef"),
			32);
	CU_ASSERT_PTR_NULL(strstr(text, "127.1."));
	CU_ASSERT_PTR_NULL(strcasestr(text, "sofia"));
	CU_ASSERT_PTR_NULL(strcasestr(text, "mcmig"));
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
		CU_ASSERT_PTR_NULL(header_of(text, absent[i]));
}

static void test_silence_then_an_answered_probe(void)
{
	char text[4096];
	int fd = start(SOCK_DGRAM);

	fail(2);
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	fail(1);
	CU_ASSERT_TRUE(sip_is_down(sip, next_hop));
	CU_ASSERT_EQUAL(counter("sip.hops_down"), 1);
	forget_received(fd);
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	check_options(text);
	/* Whatever the answer is. */
	answer(fd, text, "405 No");
	run_for(10);
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	CU_ASSERT_EQUAL(counter("sip.hops_down"), 0);
	CU_ASSERT_EQUAL(counter("sip.probes_sent"), 1);
	CU_ASSERT_EQUAL(counter("sip.probes_answered"), 1);
	/* Requests are counted without the probes. */
	CU_ASSERT_EQUAL(counter("sip.client_sent"), 3);
	CU_ASSERT_EQUAL(counter("sip.client_answered"), 0);
	CU_ASSERT_EQUAL(counter("sip.client_timed_out"), 3);
	CU_ASSERT_EQUAL(answered, 3);
	forget_received(fd);
	CU_ASSERT(peer_hears_nothing(fd, 2 * INTERVAL_MS));
	close(fd);
	fixture_stop();
}

static void test_probes_go_on_one_at_a_time(void)
{
	char branch[128] = "", *via, text[4096];
	unsigned different = 0;
	int fd = start(SOCK_DGRAM);
	ssize_t n;

	fail(3);
	forget_received(fd);
	run_for(5 * INTERVAL_MS);
	while ((n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		via = (char *)header_of(text, "Via");
		different += strcmp(via, branch) != 0;
		snprintf(branch, sizeof(branch), "%s", via);
	}
	/* The first soon, then 4 to 6 in as many intervals. */
	CU_ASSERT(different >= 4 && different <= 7);
	CU_ASSERT_EQUAL(counter("sip.probes_sent"), different);
	CU_ASSERT(counter("sip.client_transactions") <= 1);
	CU_ASSERT_TRUE(sip_is_down(sip, next_hop));
	close(fd);
	fixture_stop();
}

static void test_an_answered_message_brings_it_up(void)
{
	char text[4096];
	int fd = start(SOCK_DGRAM);

	fail(3);
	forget_received(fd);
	send_one();
	do
		snprintf(text, sizeof(text), "%s", peer_receive(fd));
	while (strncmp(text, "MESSAGE", 7));
	answer(fd, text, "503 Busy");
	CU_ASSERT(run_until(&answered, 4));
	CU_ASSERT_EQUAL(last_status, 503);
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	/* Three in a row, of those sent since; a 100 is an answer as well. */
	fail(2);
	forget_received(fd);
	send_one();
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	answer(fd, text, "100 Trying");
	CU_ASSERT(run_until(&answered, 7));
	CU_ASSERT_EQUAL(last_status, SIP_NO_ANSWER);
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	close(fd);
	fixture_stop();
}

static void test_refused_connections(void)
{
	char text[4096];
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = start(SOCK_STREAM), one = 1, connection;

	close(fd);
	fail(3);
	CU_ASSERT_TRUE(sip_is_down(sip, next_hop));
	CU_ASSERT_EQUAL(counter("sip.client_transport_failed"), 3);
	run_for(2 * INTERVAL_MS);
	CU_ASSERT_TRUE(sip_is_down(sip, next_hop));
	CU_ASSERT(counter("sip.probes_sent") >= 1);
	/* It listens again. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	inet_pton(AF_INET, "127.3.3.3", &address.sin_addr);
	address.sin_port = htons((uint16_t)atoi(strrchr(next_hop, ':') + 1));
	CU_ASSERT_EQUAL_FATAL(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	listen(fd, 5);
	connection = peer_accept(fd);
	CU_ASSERT_FATAL(connection >= 0);
	snprintf(text, sizeof(text), "%s", peer_receive(connection));
	check_options(text);
	answer(connection, text, "200 OK");
	run_for(10);
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	close(connection);
	close(fd);
	fixture_stop();
}

/* A peer that is gone without a word: its connection is given up. */
static void test_dead_connection_is_given_up(void)
{
	char text[4096];
	int fd = start(SOCK_STREAM), dead, fresh;

	fail(3);
	dead = peer_accept(fd);
	CU_ASSERT_FATAL(dead >= 0);
	CU_ASSERT_TRUE(sip_is_down(sip, next_hop));
	fresh = peer_accept(fd);
	CU_ASSERT_FATAL(fresh >= 0);
	while (recv(dead, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
	CU_ASSERT_EQUAL(recv(dead, text, sizeof(text), MSG_DONTWAIT), 0);
	snprintf(text, sizeof(text), "%s", peer_receive(fresh));
	check_options(text);
	answer(fresh, text, "200 OK");
	run_for(10);
	CU_ASSERT_FALSE(sip_is_down(sip, next_hop));
	close(dead);
	close(fresh);
	close(fd);
	fixture_stop();
}

static void test_stop_while_probing(void)
{
	int fd = start(SOCK_DGRAM);

	fail(3);
	run_for(INTERVAL_MS / 2);
	CU_ASSERT_EQUAL(counter("sip.client_transactions"), 1);
	fixture_stop();
	close(fd);
}

static CU_TestInfo breaker_tests[] = {
	{ "silence, then an answered probe",
	  test_silence_then_an_answered_probe },
	{ "probes go on, one at a time", test_probes_go_on_one_at_a_time },
	{ "an answered message brings it up",
	  test_an_answered_message_brings_it_up },
	{ "refused connections", test_refused_connections },
	{ "a dead connection is given up", test_dead_connection_is_given_up },
	{ "stopping while probing", test_stop_while_probing },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip breaker", NULL, NULL, NULL, NULL, breaker_tests },
	CU_SUITE_INFO_NULL,
};
