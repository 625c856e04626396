/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/sip: nothing that leaves one side tells of the other side's addresses, of
 * this host, of the product or its version: in answers of ours and of Sofia's,
 * good and bad, and in what we send.
 */
#define _GNU_SOURCE
#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_fixture.h"

static const struct sip_stack_config config = {
	.listen = inside_entries,
	.listen_count = 2,
	.listen_outside = outside_entries,
	.listen_outside_count = 2,
	.domain = "b.example",
	.t1_ms = T1_MS,
	.server_transactions_max = 4,
	.client_transactions_max = 100,
	.peer_outstanding_max = 10,
	.breaker_failures = 1,
	.probe_interval_ms = 100,
};

static unsigned looked_at;

static bool contains(const char *text, size_t bytes, const char *word)
{
	return memmem(text, bytes, word, strlen(word)) != NULL;
}

/* Everything that came to a peer; `other` is the side that it must not know. */
static void look(const char *text, size_t bytes, const char *other)
{
	static const char *const secrets[] = {
		"ofia",	   "mcmig", "MCMIG",	 "User-Agent",	  "Server:",
		"Contact", "Linux", "localhost", PACKAGE_VERSION,
	};
	char host[256] = "", value[256];
	const char *warning;

	looked_at++;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		if (contains(text, bytes, secrets[i]))
			printf("\n    %s in %.300s", secrets[i], text);
		CU_ASSERT_FALSE(contains(text, bytes, secrets[i]));
	}
	CU_ASSERT_FALSE(contains(text, bytes, other));
	gethostname(host, sizeof(host) - 1);
	CU_ASSERT_FALSE(strlen(host) > 3 && contains(text, bytes, host));
	warning = header_of(text, "Warning");
	if (!warning)
		return;
	snprintf(value, sizeof(value), "%.14s", warning);
	CU_ASSERT(is(value, "399 b.example "));
}

static void look_at_all(int fd, const char *other)
{
	char text[65536];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		look(text, (size_t)n, other);
	}
}

static int open_peer(size_t listener, const char *host, int type,
		     uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(address);
	const char *text = sip_stack_address(stack, listener);
	int fd = socket(AF_INET, type, 0);

	inet_pton(AF_INET, "127.3.3.3", &address.sin_addr);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, bytes), 0);
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	*port = ntohs(address.sin_port);
	inet_pton(AF_INET, host, &address.sin_addr);
	address.sin_port = htons((uint16_t)atoi(strrchr(text, ':') + 1));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, bytes),
			      0);
	return fd;
}

/* --- Answers --------------------------------------------------------------- */

static const struct request asked[] = {
	{ .branch = "ok" },
	{ .branch = "ok" }, /* again */
	{ .method = "OPTIONS" },
	{ .method = "INVITE" },
	{ .method = "CANCEL" },
	{ .method = "REGISTER" },
	{ .method = "FROBNICATE" },
	{ .uri = "tel:+3581234" },
	{ .uri = "sip:" },
	{ .lines = "Require: 100rel\r\n" },
	{ .lines = "Max-Forwards: 0\r\n" },
	{ .lines = "Max-Forwards: x\r\n" },
	{ .lines = "Max-Forwards: 999\r\n" },
	{ .lines = "P-Asserted-Identity: x\r\n" },
	{ .lines = "Content-Type: a/b\r\nContent-Type: c/d\r\n" },
	{ .lines = "Content-Length: 5\r\n" },
	{ .lines = "Proxy-Require: x\r\nContact: <sip:p@p.example>\r\n" },
	{ .from = "" },
	{ .from = "<sip:" },
	{ .to = "" },
	{ .call_id = "" },
	{ .via_suffix = ";maddr=127.3.3.3", .from = "" },
	{ .via_suffix = ";received=127.9.9.9;rport=1" },
};

/* The Via stands between. */
static const struct {
	const char *start, *rest;
} raw[] = {
	{ "MESSAGE sip:b SIP/3.0", "" },
	{ "MESSAGE sip:b SIP/2.0", "" },
	{ "OPTIONS sip:b SIP/2.0", "CSeq: 1 MESSAGE\r\n" },
	{ "MESSAGE sip:b SIP/2.0", "CSeq: x\r\n" },
	{ "MESSAGE sip:b SIP/2.0", "Content-Length: 900000000\r\n" },
	{ "MESSAGE sip:b SIP/2.0", "Content-Length: -1\r\n" },
	{ "MESSAGE sip:b SIP/2.0", ": \r\n\x01\r\n" },
	{ "MESSAGE", "" },
};

static void ask_all(size_t udp, const char *host, const char *other, int type)
{
	const char *transport = type == SOCK_STREAM ? "TCP" : "UDP";
	size_t listener = type == SOCK_STREAM ? udp + 1 : udp;
	uint16_t port;
	int fd = -1;

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		struct request request = asked[i];

		fd = open_peer(listener, host, type, &request.port);
		request.transport = transport;
		if (!request.branch)
			request.branch = "x";
		peer_send(fd, request_text(&request));
		run_for(2);
		look_at_all(fd, other);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		char text[1024];

		fd = open_peer(listener, host, type, &port);
		snprintf(text, sizeof(text),
			 "%s\r\nVia: SIP/2.0/%s 127.3.3.3:%u;branch="
			 "z9hG4bKr%zu\r\n%s\r\n",
			 raw[i].start, transport, port, i, raw[i].rest);
		peer_send(fd, text);
		run_for(2);
		look_at_all(fd, other);
		close(fd);
	}
}

/* More than Sofia takes of one message, and more lines than we do. */
static void ask_too_much(size_t udp, const char *host, const char *other)
{
	struct request request = { .transport = "TCP" };
	static char lines[60000];
	char start[256];
	int fd = open_peer(udp + 1, host, SOCK_STREAM, &request.port);

	memset(lines, 'x', sizeof(lines) - 3);
	memcpy(lines, "Subject: ", 9);
	memcpy(lines + sizeof(lines) - 3, "\r\n", 3);
	request.lines = lines;
	peer_send(fd, request_text(&request));
	run_for(5);
	look_at_all(fd, other);
	snprintf(start, sizeof(start),
		 "MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP 127.3.3.3:%u"
		 ";branch=z9hG4bKs\r\nContent-Length: 400000\r\n\r\n",
		 request.port);
	peer_send(fd, start);
	for (int i = 0; i < 10; i++) {
		send(fd, lines, sizeof(lines), MSG_NOSIGNAL | MSG_DONTWAIT);
		run_for(2);
	}
	look_at_all(fd, other);
	close(fd);
	fd = open_peer(udp, host, SOCK_DGRAM, &request.port);
	for (size_t i = 0; i + 6 < sizeof(lines); i += 6)
		memcpy(lines + i, "a: b\r\n", 6);
	lines[sizeof(lines) - 10] = '\0';
	request.transport = "UDP";
	peer_send(fd, request_text(&request));
	send(fd,
	     "\0\1\0\0\x21\x12\xa4\x42"
	     "stunstunstun",
	     20, 0);
	run_for(5);
	look_at_all(fd, other);
	close(fd);
}

static bool refuse(void *arg, const struct sip_source *source,
		   struct sip_reply *refusal)
{
	(void)arg;
	(void)source;
	(void)refusal;
	return false;
}

static void ask_everything(size_t udp, const char *host, const char *other)
{
	looked_at = 0;
	ask_all(udp, host, other, SOCK_DGRAM);
	ask_all(udp, host, other, SOCK_STREAM);
	ask_too_much(udp, host, other);
	CU_ASSERT(looked_at > 40);
}

/* The table of 4 is soon full: 503 is among the answers. */
static void test_answers(void)
{
	fixture_start(&config);
	ask_everything(2, OUTSIDE, INSIDE);
	ask_everything(0, INSIDE, OUTSIDE);
	CU_ASSERT(counter("sip.refused_table_full") > 0);
	CU_ASSERT(counter("sip.replies_2xx") > 0);
	sip_set_source_handler(sip, refuse, NULL);
	ask_everything(2, OUTSIDE, INSIDE);
	CU_ASSERT(counter("sip.refused_source") > 0);
	sip_set_source_handler(sip, NULL, NULL);
	sip_stack_drain(stack);
	ask_everything(2, OUTSIDE, INSIDE);
	CU_ASSERT(counter("sip.refused_draining") > 0);
	fixture_stop();
}

/* --- Requests -------------------------------------------------------------- */

static unsigned answered;

static void on_answer(void *arg, handle_t handle,
		      const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	(void)answer;
	answered++;
	loop_stop(loop);
}

/* A message and the probes after it; nobody answers. */
static void send_from(enum sip_side side, size_t udp, const char *host,
		      const char *other)
{
	char next_hop[64];
	const struct sip_outbound message = {
		.next_hop = next_hop,
		.side = side,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.deadline_ms = 50,
	};
	uint16_t port;
	int fd = open_peer(udp, host, SOCK_DGRAM, &port);

	answered = looked_at = 0;
	snprintf(next_hop, sizeof(next_hop), "sip:127.3.3.3:%u;transport=udp",
		 port);
	sip_is_down(sip, next_hop);
	CU_ASSERT_EQUAL(sip_send(sip, &message, on_answer, NULL, 1), 0);
	CU_ASSERT(run_until(&answered, 1));
	run_for(200);
	CU_ASSERT(counter("sip.probes_sent") > 0);
	look_at_all(fd, other);
	CU_ASSERT(looked_at >= 2);
	close(fd);
}

static void test_requests(void)
{
	fixture_start(&config);
	send_from(SIP_OUTSIDE, 2, OUTSIDE, INSIDE);
	fixture_stop();
	fixture_start(&config);
	send_from(SIP_INSIDE, 0, INSIDE, OUTSIDE);
	fixture_stop();
}

static CU_TestInfo hidden_tests[] = {
	{ "in answers", test_answers },
	{ "in requests", test_requests },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip hides", NULL, NULL, NULL, NULL, hidden_tests },
	CU_SUITE_INFO_NULL,
};
