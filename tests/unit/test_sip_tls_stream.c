/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip over TLS: framing, and malformed requests treated as on TCP. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_tls_fixture.h"

/* --- The same as on TCP --------------------------------------------------- */

static const char *const both_entries[] = { "tcp:127.0.0.1:0",
					    "tls:127.0.0.1:0" };
static const struct sip_stack_config both = {
	.listen = both_entries,
	.listen_count = 2,
	.domain = "b.example",
	.t1_ms = T1_MS,
	.server_transactions_max = 100,
	.client_transactions_max = 10,
	.peer_outstanding_max = 10,
};
enum { BOTH_TCP, BOTH_TLS };

/* What a peer sees: the first line and some headers of what it gets, and
 * whether a good request after it is answered. */
struct outcome {
	char line[128], warning[256], via[256], to[128];
	bool goes_on;
};

#define VIA "Via: SIP/2.0/TCP h.example:9;branch=z9hG4bK1\r\n"
#define REST                                               \
	"From: <sip:a@a.example>;tag=1\r\nTo: <sip:b>\r\n" \
	"Call-ID: 1\r\nCSeq: 1 MESSAGE\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

static const char *const hostile[] = {
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "\r\n",
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "\r\nbody without a length",
	"MESSAGE sip:b SIP/2.0\r\n" REST EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n\r\n",
	"MESSAGE sip:b SIP/2.0\r\n" VIA "\r\n",
	"MESSAGE sip:b SIP/2.0\r\n" VIA EMPTY,
	"MESSAGE sip:b SIP/2.0\r\nVia: \r\n\r\n",
	"MESSAGE sip:b SIP/2.0\r\nVia: nonsense\r\n" REST EMPTY,
	"MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/SCTP h;branch=z9hG4bK1\r\n" REST
	    EMPTY,
	"MESSAGE sip:b SIP/3.0\r\n" VIA REST EMPTY,
	"MESSAGE b SIP/2.0\r\n" VIA REST EMPTY,
	"MESSAGE sip: SIP/2.0\r\n" VIA REST EMPTY,
	"MESSAGE tel:+358 SIP/2.0\r\n" VIA REST EMPTY,
	"MESSAGE  SIP/2.0\r\n" VIA REST EMPTY,
	"INVITE sip:b SIP/2.0\r\n" VIA REST EMPTY,
	"ACK sip:b SIP/2.0\r\n\r\n",
	"ACK sip:b SIP/2.0\r\n" VIA EMPTY,
	"CANCEL sip:b SIP/2.0\r\nVia: x\r\n\r\n",
	"MESSAGE sip:b SIP/2.0\r\n" VIA "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
	"CSeq: 1 MESSAGE\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
	"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA "From: <sip:a>;tag=1\r\n"
	"Call-ID: 1\r\nCSeq: 1 MESSAGE\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Max-Forwards: many\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Max-Forwards: 0\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Require: 100rel\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Content-Length: -1\r\n\r\nx",
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Content-Length: many\r\n\r\n",
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Content-Length: 400000\r\n\r\nx",
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST
	"Content-Length: 99999999999\r\n\r\nx",
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST
	"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "Route: <sip:\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST ": no name\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA REST "no colon\r\n" EMPTY,
	"MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP "
	"h;branch=z9hG4bK1;received=192.0.2.1;rport\r\n" REST EMPTY,
	"MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP "
	"127.0.0.1;branch=z9hG4bK1\r\n" REST EMPTY,
	"MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP "
	"h;branch=z9hG4bK1;maddr=192.0.2.1\r\n" REST EMPTY,
	"MESSAGE sip:b SIP/2.0\r\n" VIA "Via: SIP/2.0/UDP c;branch=2, "
	"SIP/2.0/TCP d;branch=3\r\n" REST EMPTY,
	"\r\n\r\nMESSAGE sip:b SIP/2.0\r\n" VIA REST EMPTY "\r\n\r\n",
	"SIP/2.0 200 OK\r\n\r\n",
	"SIP/2.0 200 OK\r\n" VIA REST EMPTY,
	"SIP/2.0 999999999999 \r\n" VIA "\r\n",
	"SIP/3.0 200 OK\r\n" VIA REST EMPTY,
	"\001\002 nonsense\r\n\r\nmore and more\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
	"\r\n\r\n",
	" \t\r\n",
};

static void see(struct outcome *outcome, const char *heard)
{
	const char *warning = header_of(heard, "Warning");
	const char *via = header_of(heard, "Via"), *to = header_of(heard, "To");

	*outcome = (struct outcome){ 0 };
	snprintf(outcome->line, sizeof(outcome->line), "%.*s",
		 (int)strcspn(heard, "\r"), heard);
	snprintf(outcome->warning, sizeof(outcome->warning), "%s",
		 warning ? warning : "");
	snprintf(outcome->via, sizeof(outcome->via), "%s", via ? via : "");
	snprintf(outcome->to, sizeof(outcome->to), "%s", to ? to : "");
}

/* "TLS" where the text has "TCP": both are as long. */
static void rename_transport(char *text, const char *from, const char *to)
{
	for (char *at = text; (at = strstr(at, from));)
		memcpy(at, to, 3);
}

static const char *probe(const char *transport)
{
	struct request request = { .method = "OPTIONS",
				   .branch = "probe",
				   .transport = transport };

	return request_text(&request);
}

/* Without an answer there is nothing to wait for but what must not come. */
static const char *receive_soon(int fd)
{
	static char heard[8192];
	ssize_t n;

	run_for(30);
	n = recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT);
	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static void see_on_tcp(const char *text, struct outcome *outcome)
{
	int fd = raw_connect(BOTH_TCP, NULL);

	send(fd, text, strlen(text), MSG_NOSIGNAL);
	see(outcome, receive_soon(fd));
	send(fd, probe("TCP"), strlen(probe("TCP")), MSG_NOSIGNAL);
	outcome->goes_on = status_of(receive_soon(fd)) == 200;
	close(fd);
}

/* Tickets of TLS 1.3 come before, and end a read. */
static const char *receive_tls_soon(struct tls_peer *peer)
{
	static char heard[8192];
	size_t used = 0, bytes;

	run_for(30);
	for (int i = 0; i < 8; i++) {
		tls_session_read(peer->session, heard + used,
				 sizeof(heard) - 1 - used, &bytes);
		used += bytes;
	}
	heard[used] = '\0';
	return heard;
}

static void see_on_tls(const char *text, struct outcome *outcome)
{
	struct tls_peer peer = tls_connect(BOTH_TLS, PEER);
	size_t bytes;

	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	tls_send(&peer, text);
	see(outcome, receive_tls_soon(&peer));
	tls_session_write(peer.session, probe("TLS"), strlen(probe("TLS")),
			  &bytes);
	outcome->goes_on = status_of(receive_tls_soon(&peer)) == 200;
	tls_close(&peer);
	rename_transport(outcome->via, "TLS", "TCP");
}

/* Parameters whose values are the connection's own. */
static void forget(char *text, const char *name)
{
	char *at = strstr(text, name);

	if (at)
		memmove(at, at + strcspn(at + 1, ";") + 1,
			strlen(at + strcspn(at + 1, ";") + 1) + 1);
}

static void compare(const char *text, size_t i)
{
	struct outcome tcp, tls;
	char own[4096];

	snprintf(own, sizeof(own), "%s", text);
	/* A branch of its own for each: none is another one's repeat. */
	if (strstr(own, "Call-ID: 1\r"))
		strstr(own, "Call-ID: 1\r")[9] = (char)('A' + i);
	see_on_tcp(own, &tcp);
	if (strstr(own, "Call-ID: "))
		strstr(own, "Call-ID: ")[9] = (char)('A' + i + 32);
	rename_transport(own, "TCP", "TLS");
	see_on_tls(own, &tls);
	forget(tcp.via, ";rport=");
	forget(tls.via, ";rport=");
	forget(tcp.to, ";tag=");
	forget(tls.to, ";tag=");
	if (!is(tls.line, tcp.line) || !is(tls.warning, tcp.warning) ||
	    !is(tls.via, tcp.via) || !is(tls.to, tcp.to) ||
	    tls.goes_on != tcp.goes_on) {
		printf("\n    %zu: goes on %d, on TCP %d: %.200s", i,
		       tls.goes_on, tcp.goes_on, text);
		CU_FAIL("not as on TCP");
	}
}

static void test_the_same_as_on_tcp(void)
{
	sip_tls_start(&both);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++)
		compare(hostile[i], i);
	fixture_stop();
}

/* --- Framing -------------------------------------------------------------- */

static unsigned count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

/* Whether `wanted` answers of 200 come. */
static bool has_answers(struct tls_peer *peer, unsigned wanted)
{
	unsigned heard = 0, some;

	do {
		some = count_of(tls_receive_text(peer), "SIP/2.0 200 ");
		heard += some;
	} while (some && heard < wanted);
	if (heard != wanted)
		printf("\n    %u answers, expected %u", heard, wanted);
	return heard == wanted;
}

static size_t add_request(char *text, size_t size, unsigned number)
{
	char call_id[16];
	struct request request = { .call_id = call_id,
				   .body = "hello",
				   .lines = "Content-Type: text/plain\r\n" };

	snprintf(call_id, sizeof(call_id), "call%u", number);
	return (size_t)snprintf(text, size, "%s", tls_request(&request));
}

static void test_many_requests_at_once(void)
{
	enum { MANY = 900 };
	struct tls_peer peer;
	size_t size = MANY * 512, used = 0;
	char *text = malloc(size);

	sip_tls_start(NULL);
	for (unsigned i = 0; i < MANY; i++)
		used += add_request(text + used, size - used, i);
	peer = tls_connect(TLS4, PEER);
	tls_send_bytes(&peer, text, used);
	CU_ASSERT(has_answers(&peer, MANY));
	CU_ASSERT_EQUAL(recorded.count, MANY);
	tls_close(&peer);
	free(text);
	fixture_stop();
}

static void send_in_pieces(struct tls_peer *peer, const char *text,
			   size_t piece)
{
	for (size_t left = strlen(text); left;) {
		size_t bytes = left < piece ? left : piece;

		tls_send_bytes(peer, text, bytes);
		text += bytes;
		left -= bytes;
	}
}

static void test_one_request_in_many_records(void)
{
	char lines[4096] = "Content-Type: text/plain\r\n", body[2048];
	struct request request = { .lines = lines, .body = body };
	struct tls_peer peer;

	for (int i = 0; i < 40; i++)
		strcat(lines, "X-Header: some value\r\n of two lines\r\n");
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	send_in_pieces(&peer, tls_request(&request), 1);
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	CU_ASSERT_EQUAL(recorded.body_bytes, sizeof(body) - 1);
	request.branch = "2";
	send_in_pieces(&peer, tls_request(&request), 1000);
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	CU_ASSERT_EQUAL(recorded.count, 2);
	tls_close(&peer);
	fixture_stop();
}

static void test_one_byte_at_a_time_waits(void)
{
	struct request request = { 0 };
	const char *text;
	struct tls_peer peer;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	text = tls_request(&request);
	for (size_t i = 0; text[i]; i++) {
		tls_send_bytes(&peer, text + i, 1);
		run_for(1);
	}
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	tls_close(&peer);
	fixture_stop();
}

/* RFC 5626 3.5.1; also between requests, and cut by records. */
static void test_keep_alives(void)
{
	struct request request = { 0 };
	struct tls_peer peer;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	for (int i = 0; i < 20; i++) {
		tls_send(&peer, i % 2 ? "\r\n\r\n" : "\r\n");
		run_for(LIFETIME_MS / 10);
	}
	tls_send(&peer, "\r");
	tls_send(&peer, "\n\r\n");
	tls_send(&peer, tls_request(&request));
	tls_send(&peer, "\r\n\r\n");
	CU_ASSERT(has_answers(&peer, 1));
	/* No message is under way that would have to become whole. */
	CU_ASSERT(!tls_is_closed_within(&peer, LIFETIME_MS + 200));
	CU_ASSERT_EQUAL(counter("sip.tls_unfinished"), 0);
	tls_close(&peer);
	fixture_stop();
}

static void test_too_large(void)
{
	struct request request = { .body = NULL };
	char *text = malloc(65538);
	struct tls_peer peer;

	sip_tls_start(NULL);
	memset(text, 'x', 65537);
	text[65537] = '\0';
	peer = tls_connect(TLS4, PEER);
	request.body = text;
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 413);
	request.body = text + 1;
	request.branch = "fits";
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	CU_ASSERT_EQUAL(recorded.body_bytes, 65536);
	memcpy(text, "Subject: ", 9);
	memcpy(text + 20000, "\r\n", 3);
	request.body = NULL;
	request.branch = "headers";
	request.lines = text;
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 513);
	CU_ASSERT_EQUAL(recorded.count, 1);
	tls_close(&peer);
	free(text);
	fixture_stop();
}

static void test_header_without_end(void)
{
	char *text = malloc(100001);
	struct tls_peer peer;

	sip_tls_start(NULL);
	memset(text, 'x', 100000);
	memcpy(text, "MESSAGE sip:b SIP/2.0\r\nSubject: ", 32);
	text[100000] = '\0';
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, text);
	CU_ASSERT(tls_is_closed_within(&peer, 200));
	CU_ASSERT_EQUAL(counter("sip.tls_damaged"), 1);
	tls_close(&peer);
	free(text);
	fixture_stop();
}

static void test_many_headers(void)
{
	struct tls_peer peer;
	size_t bytes;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, "OPTIONS sip:b.example SIP/2.0\r\n");
	for (int i = 0; i < 400; i++) {
		tls_session_write(peer.session, "a: b\r\n", 6, &bytes);
		run_for(1);
	}
	CU_ASSERT(tls_is_closed_within(&peer, 100));
	CU_ASSERT_EQUAL(counter("sip.tls_damaged"), 1);
	tls_close(&peer);
	fixture_stop();
}

/* What came whole before the end counts; what was cut off does not. */
static void test_peer_closes_in_mid_request(void)
{
	char both_texts[1024];
	struct tls_peer peer;
	size_t used;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	used = add_request(both_texts, sizeof(both_texts), 1);
	used += add_request(both_texts + used, sizeof(both_texts) - used, 2);
	tls_send_bytes(&peer, both_texts, used - 2);
	tls_close(&peer);
	run_for(30);
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 0);
	/* Without a word: nobody knows whether there was more. */
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, "MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TLS h\r\n");
	tls_session_destroy(peer.session);
	peer.session = NULL;
	tls_close(&peer);
	run_for(30);
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 0);
	fixture_stop();
}

/* The answer to something malformed arrives, whatever else was sent. */
static void test_refusal_arrives(void)
{
	char *text = calloc(1, 300000);
	struct tls_peer peer;

	sip_tls_start(NULL);
	strcpy(text, "MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TLS h\r\n"
		     "Content-Length: 0\r\n\r\n");
	memset(text + strlen(text), 'x', 200000);
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, text);
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 400);
	CU_ASSERT(tls_is_closed_within(&peer, 100));
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 0);
	tls_close(&peer);
	free(text);
	fixture_stop();
}

/* Bytes of a good request are changed at random: whatever comes of it. */
static void test_mutated_requests_are_survived(void)
{
	struct tls_peer peer = { .fd = -1 };
	char text[1024];
	size_t bytes, done;

	sip_tls_start(NULL);
	srand(4);
	for (unsigned i = 0; i < 1500; i++) {
		if (!peer.session)
			peer = tls_connect(TLS4, PEER);
		CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
		bytes = add_request(text, sizeof(text), i);
		for (int j = rand() % 4; j >= 0; j--)
			text[(size_t)rand() % bytes] = (char)rand();
		tls_session_write(peer.session, text, bytes, &done);
		if (i % 10 == 9)
			tls_close(&peer);
	}
	tls_close(&peer);
	run_for(50);
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, probe("TLS"));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	tls_close(&peer);
	fixture_stop();
}

static CU_TestInfo stream_tests[] = {
	{ "malformed requests: the same as on TCP", test_the_same_as_on_tcp },
	{ "many requests at once", test_many_requests_at_once },
	{ "one request in many records", test_one_request_in_many_records },
	{ "one byte at a time", test_one_byte_at_a_time_waits },
	{ "keep-alives", test_keep_alives },
	{ "a body over 64 kB, headers over 16 kB", test_too_large },
	{ "a header without end", test_header_without_end },
	{ "many headers", test_many_headers },
	{ "the peer closes in mid request", test_peer_closes_in_mid_request },
	{ "a refusal arrives", test_refusal_arrives },
	{ "mutated requests are survived", test_mutated_requests_are_survived },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip over TLS: streams", sip_tls_suite_create, sip_tls_suite_destroy,
	  NULL, NULL, stream_tests },
	CU_SUITE_INFO_NULL,
};
