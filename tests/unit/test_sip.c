/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip, server side: requests in, answers out, over real sockets. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/siphash.h"
#include "sip_fixture.h"

#define BODY "<mcpttinfo/>"
#define WITH_BODY              \
	"Max-Forwards: 70\r\n" \
	"Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"

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
	const struct sip_stack_config config = {
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 200,
		.client_transactions_max = 1,
		.peer_outstanding_max = 1,
	};
	struct request request = { .branch = "late" };
	const char *answer;
	uint16_t port;
	int fd;

	fixture_start(&config);
	fd = peer_connect(UDP4, &port);
	request.port = port;
	send_many(fd, port, 0, 200);
	CU_ASSERT_EQUAL(recorded.count, 200);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 200);
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
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		config.listen = &bad[i];
		CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config),
				EINVAL);
	}
	snprintf(taken, sizeof(taken), "udp:%s",
		 sip_stack_address(stack, UDP4));
	config.listen = &entry;
	CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config),
			EADDRINUSE);
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
