/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip, server side: what is refused, dropped or survived. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sip_fixture.h"

#define BODY "<mcpttinfo/>"
#define WITH_BODY              \
	"Max-Forwards: 70\r\n" \
	"Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"

/* --- What is refused ------------------------------------------------------ */

struct refusal {
	struct request request;
	int status;
	const char *header, *value; /* NULL: none to look at */
};

static const struct refusal refusals[] = {
	{ { .method = "INVITE" }, 405, "Allow", "MESSAGE, OPTIONS" },
	{ { .method = "REGISTER" }, 405, "Allow", "MESSAGE, OPTIONS" },
	{ { .method = "SUBSCRIBE" }, 405, "Allow", "MESSAGE, OPTIONS" },
	{ { .method = "PRACK", .lines = "RAck: 1 1 INVITE\r\n" },
	  405,
	  "Allow",
	  "MESSAGE, OPTIONS" },
	{ { .method = "FROBNICATE" }, 405, "Allow", "MESSAGE, OPTIONS" },
	{ { .method = "CANCEL" }, 481, NULL, NULL },
	{ { .uri = "tel:+3581234" }, 416, NULL, NULL },
	{ { .uri = "sips:b.example" }, 416, NULL, NULL },
	{ { .uri = "http://b.example/" }, 416, NULL, NULL },
	{ { .lines = "Require: 100rel, timer\r\n" },
	  420,
	  "Unsupported",
	  "100rel, timer" },
	{ { .lines = "Max-Forwards: 0\r\n" }, 483, NULL, NULL },
	{ { .lines = "Max-Forwards: many\r\n" },
	  400,
	  "Warning",
	  "399 b.example \"header Max-Forwards is malformed or given twice\"" },
	{ { .lines = "Content-Type: a/b\r\nContent-Type: c/d\r\n" },
	  400,
	  "Warning",
	  "399 b.example \"header Content-Type is malformed or given twice\"" },
	{ { .from = "" }, 400, NULL, NULL },
	{ { .to = "<sip:" }, 400, NULL, NULL },
	{ { .from = "<sip:a@a.example>;tag=1\r\nFrom: <sip:b@a.example>" },
	  400,
	  NULL,
	  NULL },
	{ { .call_id = "" },
	  400,
	  "Warning",
	  "399 b.example \"header Call-ID is malformed or given twice\"" },
	{ { .method = "OPTIONS" }, 200, "Allow", "MESSAGE, OPTIONS" },
	{ { .method = "OPTIONS", .lines = "Max-Forwards: 0\r\n" },
	  200,
	  NULL,
	  NULL },
};

static void check_refusal(const struct refusal *refusal, int listener)
{
	struct request request = refusal->request;
	const char *answer;
	uint16_t port;
	int fd = peer_connect(listener, &port);

	request.port = port;
	request.transport = listener == UDP4 ? "UDP" : "TCP";
	peer_send(fd, request_text(&request));
	answer = peer_receive(fd);
	if (status_of(answer) != refusal->status)
		printf("\n    %s: %.60s", request_text(&request), answer);
	CU_ASSERT_EQUAL(status_of(answer), refusal->status);
	if (refusal->header)
		CU_ASSERT(
		    is(header_of(answer, refusal->header), refusal->value));
	close(fd);
}

static void test_refusals(void)
{
	fixture_start(NULL);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		check_refusal(&refusals[i], UDP4);
		check_refusal(&refusals[i], TCP4);
	}
	CU_ASSERT_EQUAL(recorded.count, 0);
	CU_ASSERT_EQUAL(counter("sip.requests_message"), 0);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	CU_ASSERT(counter("sip.requests_other") > 8);
	fixture_stop();
}

static void test_refusal_has_one_to_tag(void)
{
	struct request request = { .method = "INVITE" };
	char text[4096], first[4096];
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	request.port = port;
	snprintf(text, sizeof(text), "%s", request_text(&request));
	peer_send(fd, text);
	snprintf(first, sizeof(first), "%s", peer_receive(fd));
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(first, "To"), ";tag="));
	peer_send(fd, text);
	CU_ASSERT_STRING_EQUAL(peer_receive(fd), first);
	close(fd);
	fixture_stop();
}

/* A line is taken out of a good request: the answer's reason names it. */
static void check_missing(int fd, uint16_t port, const char *name)
{
	struct request request = { .port = port };
	char text[4096], reason[64], *line;
	const char *answer;

	snprintf(text, sizeof(text), "%s", request_text(&request));
	snprintf(reason, sizeof(reason), "\r\n%s:", name);
	line = strstr(text, reason) + 2;
	memmove(line, strstr(line, "\r\n") + 2,
		strlen(strstr(line, "\r\n") + 2) + 1);
	peer_send(fd, text);
	answer = peer_receive(fd);
	snprintf(reason, sizeof(reason), "SIP/2.0 400 Bad %s Header\r\n", name);
	if (strncmp(answer, reason, strlen(reason)))
		printf("\n    %s: %.40s", name, answer);
	CU_ASSERT_EQUAL(strncmp(answer, reason, strlen(reason)), 0);
}

static void test_missing_headers_are_named(void)
{
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	check_missing(fd, port, "To");
	check_missing(fd, port, "From");
	check_missing(fd, port, "Call-ID");
	check_missing(fd, port, "CSeq");
	CU_ASSERT_EQUAL(recorded.count, 0);
	close(fd);
	fixture_stop();
}

static void test_too_large(void)
{
	struct request request = { .transport = "TCP" };
	char *text = malloc(65538);
	uint16_t port;
	int fd;

	fixture_start(NULL);
	memset(text, 'x', 65537);
	text[65537] = '\0';
	fd = peer_connect(TCP4, &port);
	request.port = port;
	request.body = text;
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 413);
	request.body = text + 1;
	request.branch = "fits";
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(recorded.body_bytes, 65536);
	memcpy(text, "Subject: ", 9);
	memcpy(text + 20000, "\r\n", 3);
	request.body = NULL;
	request.branch = "headers";
	request.lines = text;
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 513);
	CU_ASSERT_EQUAL(recorded.count, 1);
	close(fd);
	free(text);
	fixture_stop();
}

static void test_large_request_is_answered_later(void)
{
	const struct sip_reply reply = { .status = 200 };
	struct request request = { .transport = "TCP",
				   .via_suffix = ";rport\r\nVia: SIP/2.0/UDP "
						 "c.example;branch=z9hG4bK2",
				   .lines = WITH_BODY };
	char body[6000], first[4096];
	uint16_t port;
	int fd;

	fixture_start(NULL);
	automatic.status = 0;
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	request.body = body;
	fd = peer_connect(TCP4, &port);
	request.port = port;
	peer_send(fd, request_text(&request));
	CU_ASSERT(run_until(&recorded.count, 1));
	sip_reply(sip, recorded.transaction, &reply);
	snprintf(first, sizeof(first), "%s", peer_receive(fd));
	CU_ASSERT_EQUAL(status_of(first), 200);
	CU_ASSERT_PTR_NOT_NULL(strstr(first, "c.example;branch=z9hG4bK2"));
	CU_ASSERT(is(header_of(first, "Call-ID"), "call-1"));
	/* Made from the request itself this time: no difference. */
	peer_send(fd, request_text(&request));
	CU_ASSERT_STRING_EQUAL(peer_receive(fd), first);
	CU_ASSERT_EQUAL(recorded.count, 1);
	close(fd);
	fixture_stop();
}

static void test_what_gets_no_answer(void)
{
	struct request maddr = { .via_suffix = ";maddr=no.such.invalid" };
	struct request ack = { .method = "ACK" };
	struct request cut = { .via_suffix = ";maddr=no.such.invalid",
			       .from = "" };
	struct request probe = { .method = "OPTIONS" };
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	maddr.port = ack.port = cut.port = probe.port = port;
	peer_send(fd, request_text(&maddr));
	peer_send(fd, request_text(&ack));
	peer_send(fd, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch="
		      "z9hG4bK1.2\r\nTo: <sip:a>;tag=1\r\nFrom: <sip:b>;tag=2"
		      "\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\n");
	peer_send(fd, request_text(&probe));
	CU_ASSERT(is(header_of(peer_receive(fd), "CSeq"), "1 OPTIONS"));
	CU_ASSERT_EQUAL(counter("sip.dropped_maddr"), 1);
	CU_ASSERT_EQUAL(counter("sip.dropped_stray_response"), 1);
	CU_ASSERT_EQUAL(recorded.count, 0);
	/* Answered by Sofia, to its source: the name is not looked at. */
	peer_send(fd, request_text(&cut));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 400);
	close(fd);
	fixture_stop();
}

static void test_garbage_is_survived(void)
{
	static const char *const garbage[] = {
		"\r\n\r\n",
		"x",
		"SIP/2.0",
		"MESSAGE",
		"MESSAGE sip:b.example SIP/2.0\r\n",
		"MESSAGE sip:b.example SIP/2.0\r\n\r\n",
		"MESSAGE sip:b.example SIP/2.0\r\nVia: \r\n\r\n",
		"MESSAGE  SIP/2.0\r\nVia: SIP/2.0/UDP 1:1\r\n\r\n",
		"MESSAGE sip:b.example SIP/3.0\r\nVia: SIP/2.0/UDP h\r\n\r\n",
		"SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 999999999999 \r\nVia: SIP/2.0/UDP h\r\n\r\n",
		"ACK sip:b.example SIP/2.0\r\n\r\n",
		"CANCEL sip:b.example SIP/2.0\r\nVia: x\r\n\r\n",
		"\x00\x01\x00\x00stunstunstunstun",
		"\xf8\xff\xff\xff\xff\xff",
		"MESSAGE sip:b SIP/2.0\r\nContent-Length: -1\r\n\r\nx",
		"MESSAGE sip:b SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
	};
	struct request probe = { .method = "OPTIONS", .branch = "alive" };
	const char *answer;
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	probe.port = port;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++)
		send(fd, garbage[i], strlen(garbage[i]) + (i == 13 ? 20 : 0),
		     0);
	peer_send(fd, request_text(&probe));
	do
		answer = peer_receive(fd);
	while (*answer && status_of(answer) != 200);
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT_EQUAL(recorded.count, 0);
	close(fd);
	fixture_stop();
}

/*
 * Sofia has a STUN server, on by default, that logs each request; without it,
 * it says to anybody that it has none, and so what is here.
 */
static void test_stun_is_not_answered(void)
{
	static const uint8_t binding[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42,
					     1, 2, 3, 4, 5,    6,    7,	   8 };
	static const uint8_t zeros[20], response[20] = { 1, 1 };
	struct request probe = { .method = "OPTIONS" };
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &probe.port);
	send(fd, binding, sizeof(binding), 0);
	send(fd, zeros, sizeof(zeros), 0);
	send(fd, zeros, 2, 0);
	send(fd, response, sizeof(response), 0);
	peer_send(fd, request_text(&probe));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT(peer_hears_nothing(fd, 20));
	close(fd);
	fixture_stop();
}

/* `count` short lines in a request over UDP, and then a good one. */
static clock_t cpu_of_lines(const char *line, unsigned count)
{
	struct request request = { .method = "OPTIONS", .branch = "many" };
	struct request probe = { .method = "OPTIONS", .branch = "alive" };
	char *lines = calloc(count + 1, strlen(line));
	clock_t before = clock();
	uint16_t port;
	int fd = peer_connect(UDP4, &port);

	for (unsigned i = 0; i < count; i++)
		memcpy(lines + i * strlen(line), line, strlen(line));
	request.port = probe.port = port;
	request.lines = lines;
	peer_send(fd, request_text(&request));
	free(lines);
	peer_send(fd, request_text(&probe));
	CU_ASSERT(is(header_of(peer_receive(fd), "CSeq"), "1 OPTIONS"));
	close(fd);
	return clock() - before;
}

/* Each costs Sofia a walk through all before it. */
static void test_many_headers_cost_little(void)
{
	fixture_start(NULL);
	CU_ASSERT(cpu_of_lines("a:\r\n", 15000) < CLOCKS_PER_SEC / 20);
	CU_ASSERT(cpu_of_lines("a:\r", 20000) < CLOCKS_PER_SEC / 20);
	CU_ASSERT(cpu_of_lines("t:a\r\n", 12000) < CLOCKS_PER_SEC / 20);
	CU_ASSERT(cpu_of_lines("\001\r\n", 18000) < CLOCKS_PER_SEC / 20);
	CU_ASSERT(cpu_of_lines("a:\r\n", 200) < CLOCKS_PER_SEC / 20);
	fixture_stop();
}

/* The same bound when they come one by one. */
static void test_many_headers_on_a_stream(void)
{
	struct request probe = { .method = "OPTIONS", .branch = "alive" };
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(TCP4, &port);
	peer_send(fd, "OPTIONS sip:b.example SIP/2.0\r\n");
	for (int i = 0; i < 400; i++) {
		send(fd, "a: b\r\n", 6, MSG_NOSIGNAL);
		run_for(1);
	}
	probe.port = port;
	probe.transport = "TCP";
	send(fd, request_text(&probe), strlen(request_text(&probe)),
	     MSG_NOSIGNAL);
	CU_ASSERT(peer_hears_nothing(fd, 50) || !status_of(peer_receive(fd)));
	close(fd);
	fixture_stop();
}

/* Bytes of a good request are changed at random: whatever comes of it. */
static void test_mutated_requests_are_survived(void)
{
	struct request request = { .lines = WITH_BODY "Require: x\r\n",
				   .body = BODY };
	struct request probe = { .method = "OPTIONS", .branch = "alive" };
	char text[4096];
	uint16_t port;
	size_t bytes;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	request.port = probe.port = port;
	srand(3);
	for (int i = 0; i < 3000; i++) {
		bytes = (size_t)snprintf(text, sizeof(text), "%s",
					 request_text(&request));
		for (int j = rand() % 4; j >= 0; j--)
			text[(size_t)rand() % bytes] = (char)rand();
		send(fd, text, i % 5 ? bytes : (size_t)rand() % bytes, 0);
		if (i % 20 == 0)
			run_for(1);
		while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
			;
	}
	run_for(20);
	while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
	peer_send(fd, request_text(&probe));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	close(fd);
	fixture_stop();
}

static CU_TestInfo hostile_tests[] = {
	{ "what is refused, and how", test_refusals },
	{ "a refusal has one To tag", test_refusal_has_one_to_tag },
	{ "missing headers are named", test_missing_headers_are_named },
	{ "a body over 64 kB, headers over 16 kB", test_too_large },
	{ "a large request is answered later",
	  test_large_request_is_answered_later },
	{ "what gets no answer", test_what_gets_no_answer },
	{ "garbage is survived", test_garbage_is_survived },
	{ "STUN is not answered", test_stun_is_not_answered },
	{ "many headers cost little", test_many_headers_cost_little },
	{ "many headers on a stream", test_many_headers_on_a_stream },
	{ "mutated requests are survived", test_mutated_requests_are_survived },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip hostile input", NULL, NULL, NULL, NULL, hostile_tests },
	CU_SUITE_INFO_NULL,
};
