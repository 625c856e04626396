/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip over TLS: requests and answers both ways, and connections kept. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sip_tls_fixture.h"

#define A_NAME "dns:a.example"

static const char *answer_to(const char *request, int status)
{
	static char text[4096];
	static const char *const copied[] = { "Via", "From", "To", "Call-ID",
					      "CSeq" };
	size_t used =
	    (size_t)snprintf(text, sizeof(text), "SIP/2.0 %d Yes\r\n", status);

	for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s: %s\r\n", copied[i],
					 header_of(request, copied[i]));
	snprintf(text + used, sizeof(text) - used, "Content-Length: 0\r\n\r\n");
	return text;
}

static void test_request_and_answer(void)
{
	struct request request = { .via_suffix = ";rport",
				   .body = "hello",
				   .lines = "Content-Type: text/plain\r\n" };
	struct tls_peer peer;
	const char *answer;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	tls_send(&peer, tls_request(&request));
	answer = tls_receive_text(&peer);
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(answer, "To"), ";tag="));
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(answer, "Via"), ";rport="));
	CU_ASSERT(is(header_of(answer, "Content-Length"), "0"));
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_EQUAL(recorded.transport, SIP_TLS);
	CU_ASSERT(is(recorded.body, "hello"));
	CU_ASSERT(is(recorded.source_host, "127.0.0.1"));
	CU_ASSERT(is(recorded.sender_uri, "sip:127.0.0.1:5061;transport=tls"));
	tls_close(&peer);
	fixture_stop();
}

static void test_request_of_ours(void)
{
	struct tls_peer peer;
	const char *request;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = tls_accept(listening, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	request = tls_receive_text(&peer);
	CU_ASSERT_EQUAL(strncmp(request, "MESSAGE sip:a.example ", 22), 0);
	CU_ASSERT_EQUAL(strncmp(header_of(request, "Via"),
				"SIP/2.0/TLS 127.0.0.1:", 22),
			0);
	tls_send(&peer, answer_to(request, 200));
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, 200);
	tls_close(&peer);
	close(listening);
	fixture_stop();
}

/* The next request to a peer that waits, on a new connection. */
static struct tls_peer accept_request(int listening, char *request, size_t size)
{
	struct tls_peer peer = tls_accept(listening, PEER);

	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	snprintf(request, size, "%s", tls_receive_text(&peer));
	return peer;
}

static void answer(struct tls_peer *peer, const char *request)
{
	unsigned before = answered.count;

	tls_send(peer, answer_to(request, 200));
	CU_ASSERT(run_until(&answered.count, before + 1));
	CU_ASSERT_EQUAL(answered.status, 200);
}

static void test_connection_is_kept(void)
{
	char request[4096];
	struct tls_peer peer;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = accept_request(listening, request, sizeof(request));
	answer(&peer, request);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
		answer(&peer, tls_receive_text(&peer));
	}
	CU_ASSERT_EQUAL(counter("sip.tls_opened"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_done"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 1);
	CU_ASSERT(peer_hears_nothing(listening, 0));
	tls_close(&peer);
	run_for(20);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 0);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = accept_request(listening, request, sizeof(request));
	answer(&peer, request);
	tls_close(&peer);
	close(listening);
	fixture_stop();
}

/* All that were sent while there was no connection leave by the first one. */
static void test_requests_wait_for_the_handshake(void)
{
	struct tls_peer peer;
	char all[8192];
	uint16_t port;
	int listening;
	size_t requests = 0;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), EBUSY);
	peer = accept_request(listening, all, sizeof(all));
	for (const char *at = all; (at = strstr(at, "MESSAGE sip:")); at++)
		requests++;
	CU_ASSERT_EQUAL(requests, 10);
	CU_ASSERT_EQUAL(counter("sip.tls_opened"), 1);
	tls_close(&peer);
	CU_ASSERT(run_until(&answered.count, 10));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.client_transport_failed"), 10);
	close(listening);
	fixture_stop();
}

static void test_peer_with_another_name(void)
{
	char request[4096];
	struct tls_peer peer;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, NULL, SIP_INSIDE), EINVAL);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = tls_accept(listening, OTHER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.tls_other_name"), 1);
	/* Nothing was sent, and the next request asks another connection. */
	CU_ASSERT(is(tls_receive_text(&peer), ""));
	tls_close(&peer);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = accept_request(listening, request, sizeof(request));
	answer(&peer, request);
	/* The connection is there, and not meant. */
	CU_ASSERT_EQUAL(tls_message(port, "dns:c.example", SIP_INSIDE), 0);
	CU_ASSERT(run_until(&answered.count, 3));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.tls_other_name"), 2);
	CU_ASSERT(is(tls_receive_text(&peer), ""));
	tls_close(&peer);
	close(listening);
	fixture_stop();
}

/* Another request that waits for its answer is not lost by that. */
static void test_other_name_spares_requests_that_wait(void)
{
	char request[4096];
	struct tls_peer peer;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = accept_request(listening, request, sizeof(request));
	CU_ASSERT_EQUAL(tls_message(port, "dns:c.example", SIP_INSIDE), 0);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	answer(&peer, request);
	/* Nobody waits any more, and no new request is given to it. */
	CU_ASSERT(tls_is_closed_within(&peer, 200));
	tls_close(&peer);
	close(listening);
	fixture_stop();
}

/* On TLS the names are what an operator has to enter. */
static void test_source_text(void)
{
	static const char *const names[] = { "dns:a.example", "uri:sip:\"a" };
	struct sip_source source = { .host = "192.0.2.1", .port = 5061 };

	CU_ASSERT_STRING_EQUAL(sip_source_text(&source).text,
			       "source=192.0.2.1 port=5061");
	source.certificate_names = names;
	source.certificate_name_count = 2;
	CU_ASSERT_STRING_EQUAL(sip_source_text(&source).text,
			       "source=192.0.2.1 port=5061 "
			       "names=\"dns:a.example, uri:sip:'a\"");
}

static void test_nobody_listens(void)
{
	uint16_t port;
	int bound;

	sip_tls_start(NULL);
	bound = peer_bind(UDP4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	CU_ASSERT_EQUAL(answered.count, 0);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.client_transport_failed"), 1);
	CU_ASSERT_EQUAL(counter("sip.client_timed_out"), 0);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	close(bound);
	fixture_stop();
}

static void test_peer_closes_in_mid_answer(void)
{
	char request[4096], half[4096];
	struct tls_peer peer;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = accept_request(listening, request, sizeof(request));
	snprintf(half, strlen(answer_to(request, 200)) / 2, "%s",
		 answer_to(request, 200));
	tls_send(&peer, half);
	run_for(10);
	CU_ASSERT_EQUAL(answered.count, 0);
	tls_close(&peer);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.client_timed_out"), 0);
	close(listening);
	fixture_stop();
}

/* The answer to a request comes by its connection, or not at all. */
static void test_answer_after_the_connection(void)
{
	const struct sip_reply reply = { .status = 200 };
	struct request request = { 0 };
	struct tls_peer peer;

	sip_tls_start(NULL);
	automatic.status = 0;
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_FATAL(run_until(&recorded.count, 1));
	tls_close(&peer);
	run_for(20);
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT_EQUAL(counter("sip.dropped_connection_gone"), 1);
	/* A repeat finds the answer, on whichever connection it comes. */
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	CU_ASSERT_EQUAL(recorded.count, 1);
	tls_close(&peer);
	fixture_stop();
}

static bool is_a(void *arg, const struct sip_source *source,
		 struct sip_reply *refusal)
{
	(void)arg;
	(void)refusal;
	CU_ASSERT_EQUAL(source->transport, SIP_TLS);
	CU_ASSERT_EQUAL_FATAL(source->certificate_name_count, 1);
	return !strcmp(source->certificate_names[0], A_NAME);
}

static int status_for(const char *who)
{
	struct request request = { .branch = who };
	struct tls_peer peer = tls_connect(TLS6, who);
	int status;

	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	request.v6 = true;
	tls_send(&peer, tls_request(&request));
	status = status_of(tls_receive_text(&peer));
	tls_close(&peer);
	return status;
}

static void test_source_is_known_by_its_names(void)
{
	sip_tls_start(NULL);
	sip_set_source_handler(sip, is_a, NULL);
	CU_ASSERT_EQUAL(status_for(PEER), 200);
	CU_ASSERT_EQUAL(status_for(OTHER), 403);
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT(is(recorded.source_host, "::1"));
	fixture_stop();
}

static void test_drain(void)
{
	struct request request = { 0 };
	struct tls_peer peer;
	const char *refusal;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	sip_stack_drain(stack);
	tls_send(&peer, tls_request(&request));
	refusal = tls_receive_text(&peer);
	CU_ASSERT_EQUAL(status_of(refusal), 503);
	CU_ASSERT(is(header_of(refusal, "Retry-After"), "5"));
	tls_close(&peer);
	fixture_stop();
}

static void test_last_answer_leaves(void)
{
	const struct sip_reply reply = { .status = 200 };
	struct request request = { 0 };
	struct tls_peer peer;
	char heard[4096];
	size_t bytes = 0;

	sip_tls_start(NULL);
	automatic.status = 0;
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_FATAL(run_until(&recorded.count, 1));
	sip_reply(sip, recorded.transaction, &reply);
	fixture_stop();
	for (int i = 0; i < 4 && !bytes; i++)
		tls_session_read(peer.session, heard, sizeof(heard) - 1,
				 &bytes);
	heard[bytes] = '\0';
	CU_ASSERT_EQUAL(status_of(heard), 200);
	tls_close(&peer);
}

static void test_probes_prove_the_same_names(void)
{
	struct sip_stack_config probing = {
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 10,
		.client_transactions_max = 10,
		.peer_outstanding_max = 10,
		.breaker_failures = 1,
		.probe_interval_ms = 100,
	};
	struct tls_peer peer;
	char hop[64], request[4096];
	uint16_t port;
	int listening;

	sip_tls_start(&probing);
	listening = peer_bind(TLS4, &port);
	snprintf(hop, sizeof(hop), "sip:127.0.0.1:%u;transport=tls", port);
	CU_ASSERT(!sip_is_down(sip, hop));
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = tls_accept(listening, OTHER);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT(sip_is_down(sip, hop));
	tls_close(&peer);
	/* The first probe finds the wrong one still. */
	peer = tls_accept(listening, OTHER);
	run_for(20);
	tls_close(&peer);
	CU_ASSERT(counter("sip.tls_other_name") >= 2);
	CU_ASSERT(sip_is_down(sip, hop));
	peer = accept_request(listening, request, sizeof(request));
	CU_ASSERT_EQUAL(strncmp(request, "OPTIONS ", 8), 0);
	tls_send(&peer, answer_to(request, 200));
	run_for(20);
	CU_ASSERT(!sip_is_down(sip, hop));
	tls_close(&peer);
	close(listening);
	fixture_stop();
}

static void see(void *arg, const struct sip_tls_peer *peer)
{
	unsigned *seen = arg;

	*seen += peer->accepted ? 1 : 10;
	CU_ASSERT_EQUAL(peer->side, SIP_INSIDE);
	CU_ASSERT_EQUAL_FATAL(peer->name_count, 1);
	CU_ASSERT(is(peer->names[0], A_NAME));
	CU_ASSERT_EQUAL(strncmp(peer->address, "127.0.0.1:", 10), 0);
	CU_ASSERT_EQUAL(strncmp(peer->cipher, "TLSv1.3 ", 8), 0);
	CU_ASSERT(peer->expires > 0);
	CU_ASSERT(peer->connected_ms < PATIENCE_MS);
}

static void test_who_is_connected(void)
{
	struct tls_peer in, out;
	char request[4096];
	unsigned seen = 0;
	uint16_t port;
	int listening;
	int silent;

	sip_tls_start(NULL);
	silent = raw_connect(TLS4, NULL);
	in = tls_connect(TLS4, PEER);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	out = accept_request(listening, request, sizeof(request));
	sip_stack_visit_tls(stack, see, &seen);
	CU_ASSERT_EQUAL(seen, 11);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 2);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 1);
	tls_close(&in);
	tls_close(&out);
	close(silent);
	close(listening);
	fixture_stop();
}

/* A wildcard says nothing of where answers are to go. */
static void test_wildcard(void)
{
	static const char *const entries[] = { "tls:0.0.0.0:0" };
	const struct sip_stack_config config = {
		.listen = entries,
		.listen_count = 1,
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 10,
		.client_transactions_max = 10,
		.peer_outstanding_max = 10,
	};
	char request[4096];
	struct tls_peer peer;
	const char *via;
	uint16_t port;
	int listening;

	sip_tls_start(&config);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	peer = accept_request(listening, request, sizeof(request));
	via = header_of(request, "Via");
	CU_ASSERT_PTR_NULL(strstr(via, " 0.0.0.0"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(via, strrchr(sip_stack_address(stack, 0), ':')));
	answer(&peer, request);
	tls_close(&peer);
	close(listening);
	fixture_stop();
}

static CU_TestInfo tls_tests[] = {
	{ "a request and its answer", test_request_and_answer },
	{ "a request of ours and its answer", test_request_of_ours },
	{ "a connection is kept", test_connection_is_kept },
	{ "requests wait for the handshake",
	  test_requests_wait_for_the_handshake },
	{ "a peer with another name", test_peer_with_another_name },
	{ "it spares requests that wait",
	  test_other_name_spares_requests_that_wait },
	{ "source text", test_source_text },
	{ "nobody listens", test_nobody_listens },
	{ "the peer closes in mid answer", test_peer_closes_in_mid_answer },
	{ "an answer after the connection", test_answer_after_the_connection },
	{ "a source is known by its names", test_source_is_known_by_its_names },
	{ "drain", test_drain },
	{ "the last answer leaves", test_last_answer_leaves },
	{ "probes have the same names proved",
	  test_probes_prove_the_same_names },
	{ "who is connected", test_who_is_connected },
	{ "a wildcard", test_wildcard },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip over TLS", sip_tls_suite_create, sip_tls_suite_destroy, NULL,
	  NULL, tls_tests },
	CU_SUITE_INFO_NULL,
};
