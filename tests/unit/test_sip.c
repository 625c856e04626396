/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip, server side: requests in, answers out, over real sockets. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip/siphash.h"
#include "sip_fixture.h"

#define BODY "<mcpttinfo/>"
#define WITH_BODY              \
	"Max-Forwards: 70\r\n" \
	"Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"

static bool is(const char *value, const char *expected)
{
	if (value && !strcmp(value, expected))
		return true;
	printf("\n    got \"%s\", expected \"%s\"", value ? value : "nothing",
	       expected);
	return false;
}

static void test_siphash_vectors(void)
{
	/* Reference vectors: key and input are 00 01 02 ... */
	const struct siphash_key key = { UINT64_C(0x0706050403020100),
					 UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t input[15];
	struct siphash hash;

	for (unsigned i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	siphash_start(&hash, &key);
	CU_ASSERT_EQUAL(siphash_end(&hash), UINT64_C(0x726fdb47dd0e0e31));
	siphash_start(&hash, &key);
	siphash_add(&hash, input, 4);
	siphash_add(&hash, input + 4, 11);
	CU_ASSERT_EQUAL(siphash_end(&hash), UINT64_C(0xa129ca6149be45e5));
}

static void exchange(int listener, const char *transport, bool v6)
{
	uint16_t port;
	int fd = peer_connect(listener, &port);
	struct request request = { .transport = transport,
				   .port = port,
				   .v6 = v6,
				   .lines = WITH_BODY,
				   .body = BODY };
	char expected[SIP_URI_SIZE];
	const char *answer;

	recorded.count = 0;
	peer_send(fd, request_text(&request));
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT(is(header_of(answer, "CSeq"), "1 MESSAGE"));
	CU_ASSERT(is(header_of(answer, "Call-ID"), "call-1"));
	CU_ASSERT(is(header_of(answer, "Content-Length"), "0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(answer, "To"), ";tag="));
	CU_ASSERT_PTR_NULL(header_of(answer, "Server"));
	CU_ASSERT_PTR_NULL(header_of(answer, "User-Agent"));
	CU_ASSERT_PTR_NULL(header_of(answer, "Contact"));
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT(is(recorded.source_host, v6 ? "::1" : "127.0.0.1"));
	CU_ASSERT_EQUAL(recorded.source_port, port);
	snprintf(expected, sizeof(expected), "sip:%s:%u;transport=%s",
		 v6 ? "[::1]" : "127.0.0.1", port,
		 *transport == 'U' ? "udp" : "tcp");
	CU_ASSERT(is(recorded.sender_uri, expected));
	CU_ASSERT(is(recorded.request_uri, "sip:b.example"));
	CU_ASSERT(is(recorded.from_uri, "sip:visitor1@b.example"));
	CU_ASSERT(is(recorded.from_tag, "f1"));
	CU_ASSERT(is(recorded.call_id, "call-1"));
	CU_ASSERT_EQUAL(recorded.cseq, 1);
	CU_ASSERT(
	    is(recorded.content_type, "application/vnd.3gpp.mcptt-info+xml"));
	CU_ASSERT(is(recorded.body, BODY));
	close(fd);
}

static void test_request_is_answered_on_each_transport(void)
{
	fixture_start(NULL);
	exchange(UDP4, "UDP", false);
	fixture_stop();
	fixture_start(NULL);
	exchange(TCP4, "TCP", false);
	fixture_stop();
	fixture_start(NULL);
	exchange(UDP6, "UDP", true);
	fixture_stop();
	fixture_start(NULL);
	exchange(TCP6, "TCP", true);
	CU_ASSERT_EQUAL(counter("sip.requests_message"), 1);
	CU_ASSERT_EQUAL(counter("sip.replies_2xx"), 1);
	fixture_stop();
}

static void test_sender_on_tcp_is_where_its_via_listens(void)
{
	uint16_t port;
	struct request request = { .transport = "TCP", .port = 4711 };
	int fd;

	fixture_start(NULL);
	fd = peer_connect(TCP4, &port);
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT(is(recorded.sender_uri, "sip:127.0.0.1:4711;transport=tcp"));
	CU_ASSERT_EQUAL(recorded.source_port, port);
	CU_ASSERT(is(recorded.content_type, "(null)"));
	CU_ASSERT_EQUAL(recorded.body_bytes, 0);
	close(fd);
	fixture_stop();
}

static void test_content_type_keeps_its_parameters(void)
{
	struct request request = { .body = BODY,
				   .lines = "c: multipart/mixed; "
					    "boundary=\"a b\";x=y\r\n" };
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	request.port = port;
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT(
	    is(recorded.content_type, "multipart/mixed;boundary=\"a b\";x=y"));
	close(fd);
	fixture_stop();
}

static void test_repeat_gets_the_same_answer(void)
{
	struct request request = { .body = BODY };
	char first[4096], text[4096];
	uint16_t port;
	int fd;

	fixture_start(NULL);
	automatic = (struct sip_reply){ .status = 403,
					.warn_code = 399,
					.warn_text = "say \"no\"\r\n",
					.retry_after_s = 7,
					.accept = "text/plain" };
	fd = peer_connect(UDP4, &port);
	request.port = port;
	snprintf(text, sizeof(text), "%s", request_text(&request));
	peer_send(fd, text);
	snprintf(first, sizeof(first), "%s", peer_receive(fd));
	CU_ASSERT_EQUAL(status_of(first), 403);
	CU_ASSERT_PTR_NOT_NULL(strstr(first, "SIP/2.0 403 Forbidden\r\n"));
	CU_ASSERT(
	    is(header_of(first, "Warning"), "399 b.example \"say 'no'''\""));
	CU_ASSERT(is(header_of(first, "Retry-After"), "7"));
	CU_ASSERT(is(header_of(first, "Accept"), "text/plain"));
	for (int i = 0; i < 3; i++) {
		peer_send(fd, text);
		CU_ASSERT_STRING_EQUAL(peer_receive(fd), first);
	}
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_EQUAL(counter("sip.retransmissions"), 3);
	CU_ASSERT_EQUAL(counter("sip.replies_4xx"), 4);
	CU_ASSERT_EQUAL(counter("sip.answer_templates"), 1);
	close(fd);
	fixture_stop();
}

static void test_each_part_of_the_identity_counts(void)
{
	struct request request = { .branch = "a" };
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	request.port = port;
	for (int i = 0; i < 5; i++) {
		peer_send(fd, request_text(&request));
		CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
		CU_ASSERT_EQUAL(recorded.count, (unsigned)i + 1);
		request.branch = i == 0 ? "b" : request.branch;
		request.call_id = i == 1 ? "call-2" : request.call_id;
		request.cseq = i == 2 ? 2 : request.cseq;
		request.from =
		    i == 3 ? "<sip:visitor1@b.example>;tag=f2" : request.from;
	}
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 5);
	close(fd);
	fixture_stop();
}

static void test_repeat_is_absorbed_while_the_answer_is_due(void)
{
	struct request request = { .branch = "slow" };
	struct request probe = { .method = "OPTIONS", .branch = "probe" };
	const struct sip_reply reply = { .status = 202 };
	char text[4096];
	const char *answer;
	uint16_t port;
	int fd;

	fixture_start(NULL);
	automatic.status = 0;
	fd = peer_connect(UDP4, &port);
	request.port = probe.port = port;
	snprintf(text, sizeof(text), "%s", request_text(&request));
	peer_send(fd, text);
	CU_ASSERT(run_until(&recorded.count, 1));
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 1);
	peer_send(fd, text);
	peer_send(fd, request_text(&probe));
	answer = peer_receive(fd);
	CU_ASSERT(is(header_of(answer, "CSeq"), "1 OPTIONS"));
	CU_ASSERT_EQUAL(counter("sip.retransmissions_absorbed"), 1);
	/* RFC 4320: after T2 a repeat on UDP gets a 100. */
	run_for(T2_MS + 20);
	peer_send(fd, text);
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(status_of(answer), 100);
	CU_ASSERT(is(header_of(answer, "To"), "<sip:b.example>"));
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 202);
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 0);
	/* Answered once: a second reply finds nothing. */
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT_EQUAL(counter("sip.replies_2xx"), 2);
	close(fd);
	fixture_stop();
}

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

/* Sofia has a STUN server, on by default, that logs each request. */
static void test_stun_is_not_served(void)
{
	static const uint8_t binding[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42,
					     1, 2, 3, 4, 5,    6,    7,	   8 };
	const char *answer;
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	send(fd, binding, sizeof(binding), 0);
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(answer[0], 1);
	CU_ASSERT_EQUAL(answer[1], 0x11); /* an error, no address */
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

/* --- TCP ------------------------------------------------------------------ */

static unsigned count_of(const char *text, const char *word)
{
	unsigned count = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		count++;
	}
	return count;
}

static void test_pipelined_requests_on_one_connection(void)
{
	struct request request = { .transport = "TCP", .lines = WITH_BODY };
	char body[2000] = "", branch[16];
	unsigned answers = 0;
	uint16_t port;
	int fd;

	fixture_start(NULL);
	memset(body, 'b', sizeof(body) - 1);
	fd = peer_connect(TCP4, &port);
	request.port = port;
	request.body = body;
	request.branch = branch;
	for (int i = 0; i < 200; i++) {
		snprintf(branch, sizeof(branch), "p%d", i);
		peer_send(fd, request_text(&request));
		if (i % 10 == 0)
			run_for(1);
	}
	while (answers < 200) {
		const char *heard = peer_receive(fd);

		if (!*heard)
			break;
		answers += count_of(heard, "SIP/2.0 200 ");
	}
	CU_ASSERT_EQUAL(answers, 200);
	CU_ASSERT_EQUAL(recorded.count, 200);
	close(fd);
	fixture_stop();
}

static void test_answer_to_a_closed_connection_is_dropped(void)
{
	struct request request = { .transport = "TCP" };
	const struct sip_reply reply = { .status = 200 };
	uint16_t port, listening;
	int fd, own = -1;

	fixture_start(NULL);
	automatic.status = 0;
	own = peer_bind(TCP4, &listening);
	fd = peer_connect(TCP4, &port);
	request.port = listening;
	peer_send(fd, request_text(&request));
	CU_ASSERT(run_until(&recorded.count, 1));
	close(fd);
	run_for(30);
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT_EQUAL(counter("sip.dropped_connection_gone"), 1);
	CU_ASSERT(peer_hears_nothing(own, 30));
	close(own);
	fixture_stop();
}

/* --- Bounds --------------------------------------------------------------- */

static void test_drain(void)
{
	struct request request = { .branch = "1" };
	struct request probe = { .method = "OPTIONS" };
	const char *answer;
	char text[4096];
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	request.port = probe.port = port;
	snprintf(text, sizeof(text), "%s", request_text(&request));
	peer_send(fd, text);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	sip_stack_drain(stack);
	request.branch = "2";
	peer_send(fd, request_text(&request));
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(status_of(answer), 503);
	CU_ASSERT_PTR_NOT_NULL(header_of(answer, "Retry-After"));
	peer_send(fd, request_text(&probe));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 503);
	/* What was answered before still is. */
	peer_send(fd, text);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_EQUAL(counter("sip.refused_draining"), 2);
	close(fd);
	fixture_stop();
}

static void send_many(int fd, uint16_t port, int from, int to)
{
	struct request request = { .port = port };
	char branch[16], heard[2048];

	request.branch = branch;
	for (int i = from; i < to; i++) {
		snprintf(branch, sizeof(branch), "m%d", i);
		peer_send(fd, request_text(&request));
		if (i % 50 == 49) {
			run_for(1);
			while (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
				;
		}
	}
	run_until(&recorded.count, (unsigned)to);
	while (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
		;
}

static void test_full_table_refuses_and_empties(void)
{
	struct request request = { .branch = "late" };
	const char *answer;
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	request.port = port;
	send_many(fd, port, 0, 1000);
	CU_ASSERT_EQUAL(recorded.count, 1000);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 1000);
	peer_send(fd, request_text(&request));
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(status_of(answer), 503);
	CU_ASSERT_PTR_NOT_NULL(header_of(answer, "Retry-After"));
	CU_ASSERT_EQUAL(counter("sip.refused_table_full"), 1);
	run_for(LIFETIME_MS + 100);
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 1);
	run_for(LIFETIME_MS + 100);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	CU_ASSERT_EQUAL(counter("sip.answer_templates"), 0);
	close(fd);
	fixture_stop();
}

static void test_unanswered_expires(void)
{
	const struct sip_reply reply = { .status = 200 };
	uint16_t port;
	int fd;

	fixture_start(NULL);
	automatic.status = 0;
	fd = peer_connect(UDP4, &port);
	send_many(fd, port, 0, 100);
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 100);
	run_for(LIFETIME_MS + 100);
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 0);
	CU_ASSERT_EQUAL(counter("sip.dropped_unanswered"), 100);
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT(peer_hears_nothing(fd, 10));
	close(fd);
	fixture_stop();
}

static void test_stop_while_requests_wait(void)
{
	uint16_t port;
	int fd;

	fixture_start(NULL);
	automatic.status = 0;
	fd = peer_connect(UDP4, &port);
	send_many(fd, port, 0, 10);
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 10);
	fixture_stop();
	close(fd);
}

static void test_configuration_is_checked(void)
{
	static const char *const bad[] = {
		"",
		"udp",
		"udp:",
		"udp:127.0.0.1",
		"udp:127.0.0.1:",
		"udp:127.0.0.1:x",
		"udp:127.0.0.1:65536",
		"tls:127.0.0.1:5061",
		"udp:localhost:5060",
		"udp:::1:5060",
		"udp:[127.0.0.1]:5060",
		"udp:[::1:5060",
		"udp:192.0.2.1:5060",
	};
	struct sip_stack_config config = { .domain = "b.example",
					   .t1_ms = T1_MS,
					   .server_transactions_max = 10,
					   .client_transactions_max = 10,
					   .peer_outstanding_max = 10,
					   .listen_count = 1 };
	struct sip_stack *other = NULL;
	char taken[64];
	const char *entry = taken;

	fixture_start(NULL);
	fflush(stderr);
	freopen("/dev/null", "w", stderr);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		config.listen = &bad[i];
		CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config),
				22);
	}
	snprintf(taken, sizeof(taken), "udp:%s",
		 sip_stack_address(stack, UDP4));
	config.listen = &entry;
	CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config), 98);
	CU_ASSERT_PTR_NULL(other);
	CU_ASSERT_PTR_NULL(sip_stack_address(stack, 4));
	fixture_stop();
}

static CU_TestInfo server_tests[] = {
	{ "SipHash-2-4 gives the reference vectors", test_siphash_vectors },
	{ "a request is answered on each transport",
	  test_request_is_answered_on_each_transport },
	{ "a sender on TCP is where its Via listens",
	  test_sender_on_tcp_is_where_its_via_listens },
	{ "a content type keeps its parameters",
	  test_content_type_keeps_its_parameters },
	{ "a repeat gets the same answer", test_repeat_gets_the_same_answer },
	{ "each part of the identity counts",
	  test_each_part_of_the_identity_counts },
	{ "a repeat is absorbed while the answer is due",
	  test_repeat_is_absorbed_while_the_answer_is_due },
	{ "what is refused, and how", test_refusals },
	{ "a refusal has one To tag", test_refusal_has_one_to_tag },
	{ "missing headers are named", test_missing_headers_are_named },
	{ "a body over 64 kB, headers over 16 kB", test_too_large },
	{ "a large request is answered later",
	  test_large_request_is_answered_later },
	{ "what gets no answer", test_what_gets_no_answer },
	{ "garbage is survived", test_garbage_is_survived },
	{ "STUN is not served", test_stun_is_not_served },
	{ "mutated requests are survived", test_mutated_requests_are_survived },
	{ "pipelined requests on one connection",
	  test_pipelined_requests_on_one_connection },
	{ "the answer to a closed connection is dropped",
	  test_answer_to_a_closed_connection_is_dropped },
	{ "draining", test_drain },
	{ "a full table refuses, and empties",
	  test_full_table_refuses_and_empties },
	{ "a request without an answer expires", test_unanswered_expires },
	{ "stopping while requests wait", test_stop_while_requests_wait },
	{ "the configuration is checked", test_configuration_is_checked },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip server side", NULL, NULL, NULL, NULL, server_tests },
	CU_SUITE_INFO_NULL,
};
