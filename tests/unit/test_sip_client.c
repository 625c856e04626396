/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip, client side: requests out, answers in, over real sockets. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sip_fixture.h"

#define DEADLINE_MS 1000

struct answered {
	unsigned count;
	handle_t handle; /* of the last */
	int status;
	unsigned retry_after_s;
	int warn_code;
	char warning[128];
	bool inside; /* told within sip_send() */
	uint64_t at_ms;
};
static struct answered answered;
static bool sending;

static void on_answer(void *arg, handle_t handle,
		      const struct sip_answer *answer)
{
	CU_ASSERT_PTR_EQUAL(arg, &answered);
	answered.count++;
	answered.handle = handle;
	answered.status = answer->status;
	answered.retry_after_s = answer->retry_after_s;
	answered.warn_code = answer->warn_code;
	snprintf(answered.warning, sizeof(answered.warning), "%s",
		 answer->warning ? answer->warning : "(null)");
	answered.inside |= sending;
	answered.at_ms = clock_monotonic_ms();
	loop_stop(loop);
}

static const struct sip_header headers[] = {
	{ "P-Asserted-Identity", "<sip:b.example>" },
	{ "P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.mcptt" },
};

static int send_to(const char *next_hop, handle_t handle, const char *body)
{
	const struct sip_outbound message = {
		.next_hop = next_hop,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.headers = headers,
		.header_count = 2,
		.content_type = "text/plain",
		.body = body,
		.body_bytes = strlen(body),
		.deadline_ms = DEADLINE_MS,
	};
	int err;

	sending = true;
	err = sip_send(sip, &message, on_answer, &answered, handle);
	sending = false;
	return err;
}

static int send_to_port(const char *transport, uint16_t port, handle_t handle)
{
	char next_hop[SIP_URI_SIZE];

	snprintf(next_hop, sizeof(next_hop), "sip:127.0.0.1:%u;transport=%s",
		 port, transport);
	return send_to(next_hop, handle, "hello");
}

static void set_up(void)
{
	fixture_start(NULL);
	answered = (struct answered){ 0 };
}

/* An answer to `text`, sent back to where the stack's listener `i` is. */
static void answer_with(int fd, const char *text, const char *status,
			const char *lines)
{
	char answer[4096];

	snprintf(
	    answer, sizeof(answer),
	    "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=peer\r\n"
	    "Call-ID: %s\r\nCSeq: 1 MESSAGE\r\n%sContent-Length: 0\r\n\r\n",
	    status, header_of(text, "Via"), header_of(text, "From"),
	    header_of(text, "To"), header_of(text, "Call-ID"), lines);
	peer_send(fd, answer);
}

/* A UDP peer that waits on *port and sends to the stack's listener. */
static int open_udp_peer(int i, uint16_t *port)
{
	return peer_connect(i, port);
}

static void check_request(const char *text, const char *transport,
			  const char *sent_by)
{
	char via[128];

	snprintf(via, sizeof(via), "SIP/2.0/%s %s;branch=z9hG4bK", transport,
		 sent_by);
	CU_ASSERT_EQUAL(strncmp(text, "MESSAGE sip:a.example SIP/2.0\r\n", 31),
			0);
	CU_ASSERT_EQUAL(strncmp(header_of(text, "Via"), via, strlen(via)), 0);
	CU_ASSERT_STRING_EQUAL(header_of(text, "Max-Forwards"), "70");
	CU_ASSERT_STRING_EQUAL(header_of(text, "To"), "<sip:a.example>");
	CU_ASSERT_EQUAL(
	    strncmp(header_of(text, "From"), "<sip:b.example>;tag=", 20), 0);
	CU_ASSERT_STRING_EQUAL(header_of(text, "CSeq"), "1 MESSAGE");
	CU_ASSERT_STRING_EQUAL(header_of(text, "P-Asserted-Identity"),
			       "<sip:b.example>");
	CU_ASSERT_STRING_EQUAL(header_of(text, "P-Asserted-Service"),
			       "urn:urn-7:3gpp-service.ims.icsi.mcptt");
	CU_ASSERT_STRING_EQUAL(header_of(text, "Content-Type"), "text/plain");
	CU_ASSERT_STRING_EQUAL(header_of(text, "Content-Length"), "5");
	CU_ASSERT_PTR_NULL(header_of(text, "Contact"));
	CU_ASSERT_PTR_NULL(header_of(text, "User-Agent"));
	CU_ASSERT_STRING_EQUAL(strstr(text, "\r\n\r\n") + 4, "hello");
}

static void test_answer_is_matched_on_udp(void)
{
	char text[4096];
	uint16_t port;
	int fd;

	set_up();
	fd = open_udp_peer(UDP4, &port);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 42), 0);
	CU_ASSERT_EQUAL(sip_stack_outstanding(stack), 1);
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	check_request(text, "UDP", sip_stack_address(stack, UDP4));
	answer_with(fd, text, "403 Forbidden",
		    "Warning: 370 a.example \"not \\\"now\\\"\"\r\n"
		    "Warning: 399 b.example \"second\"\r\n"
		    "Retry-After: 9\r\n");
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.handle, 42);
	CU_ASSERT_EQUAL(answered.status, 403);
	CU_ASSERT_EQUAL(answered.retry_after_s, 9);
	CU_ASSERT_EQUAL(answered.warn_code, 370);
	CU_ASSERT_STRING_EQUAL(answered.warning, "not \"now\"");
	CU_ASSERT_EQUAL(sip_stack_outstanding(stack), 0);
	/* A repeat of the answer is nobody's. */
	answer_with(fd, text, "200 OK", "");
	run_for(10);
	CU_ASSERT_EQUAL(answered.count, 1);
	CU_ASSERT_EQUAL(counter("sip.dropped_stray_response"), 1);
	CU_ASSERT_EQUAL(counter("sip.client_answered"), 1);
	close(fd);
	fixture_stop();
}

static void test_answer_is_matched_on_tcp(int i, const char *host)
{
	char text[4096], next_hop[SIP_URI_SIZE];
	uint16_t port;
	int listening, fd;

	set_up();
	listening = peer_bind(i, &port);
	snprintf(next_hop, sizeof(next_hop), "sip:%s:%u;transport=tcp", host,
		 port);
	CU_ASSERT_EQUAL(send_to(next_hop, 1, "hello"), 0);
	CU_ASSERT_EQUAL(send_to(next_hop, 2, "hello"), 0);
	run_for(5);
	fd = accept(listening, NULL, NULL);
	CU_ASSERT_FATAL(fd >= 0);
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	/* Both requests on one connection. */
	CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(text + 1, "MESSAGE sip:"));
	answer_with(fd, strstr(text + 1, "MESSAGE sip:"), "200 OK", "");
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.handle, 2);
	*strstr(text + 1, "MESSAGE sip:") = '\0';
	check_request(text, "TCP", sip_stack_address(stack, (size_t)i));
	answer_with(fd, text, "481 Gone", "");
	CU_ASSERT(run_until(&answered.count, 2));
	CU_ASSERT_EQUAL(answered.handle, 1);
	CU_ASSERT_EQUAL(answered.status, 481);
	CU_ASSERT_EQUAL(answered.warn_code, 0);
	CU_ASSERT_STRING_EQUAL(answered.warning, "(null)");
	close(fd);
	close(listening);
	fixture_stop();
}

static void test_answers_are_matched_on_tcp(void)
{
	test_answer_is_matched_on_tcp(TCP4, "127.0.0.1");
	test_answer_is_matched_on_tcp(TCP6, "[::1]");
}

/* 2 kB: RFC 3261 18.1.1 would have it go by TCP; the next hop decides. */
static void test_size_does_not_change_the_transport(void)
{
	char body[20000], next_hop[SIP_URI_SIZE];
	uint16_t port;
	int fd;

	set_up();
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	fd = open_udp_peer(UDP4, &port);
	snprintf(next_hop, sizeof(next_hop), "sip:127.0.0.1:%u;transport=udp",
		 port);
	CU_ASSERT_EQUAL(send_to(next_hop, 1, body), 0);
	CU_ASSERT_STRING_EQUAL(strstr(peer_receive(fd), "\r\n\r\n") + 4, body);
	close(fd);
	fixture_stop();
}

static void test_silent_peer(void)
{
	char first[4096], again[4096];
	uint64_t began_ms;
	unsigned heard = 0;
	uint16_t port;
	int fd;

	set_up();
	fd = open_udp_peer(UDP4, &port);
	began_ms = clock_monotonic_ms();
	CU_ASSERT_EQUAL(send_to_port("udp", port, 7), 0);
	snprintf(first, sizeof(first), "%s", peer_receive(fd));
	while (!answered.count) {
		run_for(5);
		while (recv(fd, again, sizeof(again), MSG_DONTWAIT) > 0) {
			CU_ASSERT_EQUAL(strncmp(again, first, strlen(first)),
					0);
			heard++;
		}
	}
	/* At 20, 60, 140, 300 ms, then each T2: 8; fewer if we are held up. */
	CU_ASSERT(heard >= 4 && heard <= 8);
	CU_ASSERT_EQUAL(counter("sip.client_retransmitted"), heard);
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(answered.handle, 7);
	CU_ASSERT(answered.at_ms - began_ms >= DEADLINE_MS);
	CU_ASSERT(answered.at_ms - began_ms < DEADLINE_MS + PATIENCE_MS);
	CU_ASSERT_EQUAL(counter("sip.client_timed_out"), 1);
	CU_ASSERT_EQUAL(counter("sip.client_transactions"), 0);
	close(fd);
	fixture_stop();
}

static void test_provisional_answer_slows_repeats(void)
{
	uint16_t port;
	int fd;

	set_up();
	fd = open_udp_peer(UDP4, &port);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 7), 0);
	answer_with(fd, peer_receive(fd), "100 Trying", "");
	run_for(T2_MS - 40);
	CU_ASSERT_EQUAL(answered.count, 0);
	CU_ASSERT(counter("sip.client_retransmitted") <= 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(peer_receive(fd), "MESSAGE"));
	answer_with(fd, peer_receive(fd), "200 OK", "");
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, 200);
	close(fd);
	fixture_stop();
}

/* The peer's answer is lost: a stack of ours repeats it to the repeat. */
static void test_lost_answer_is_given_again(void)
{
	static const char *const any = "udp:127.0.0.1:0";
	const struct sip_stack_config config = { .listen = &any,
						 .listen_count = 1,
						 .domain = "a.example",
						 .t1_ms = T1_MS,
						 .server_transactions_max = 10,
						 .client_transactions_max = 10,
						 .peer_outstanding_max = 10 };
	const struct sip_reply reply = { .status = 200 };
	struct sip_stack *sender;
	struct sip *own;
	char next_hop[SIP_URI_SIZE];

	set_up();
	own = sip;
	CU_ASSERT_EQUAL_FATAL(sip_stack_create(&sender, loop, NULL, &config),
			      0);
	automatic.status = 0;
	snprintf(next_hop, sizeof(next_hop), "sip:%s;transport=udp",
		 sip_stack_address(stack, UDP4));
	sip = sip_stack_sip(sender);
	CU_ASSERT_EQUAL(send_to(next_hop, 3, "hello"), 0);
	sip = own;
	CU_ASSERT(run_until(&recorded.count, 1));
	run_for(4 * T1_MS);
	CU_ASSERT(counter("sip.retransmissions") >= 1);
	sip_reply(sip, recorded.transaction, &reply);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, 200);
	CU_ASSERT_EQUAL(recorded.count, 1);
	CU_ASSERT_STRING_EQUAL(recorded.body, "hello");
	CU_ASSERT_EQUAL(sip_stack_outstanding(sender), 0);
	sip_stack_destroy(sender);
	fixture_stop();
}

static void test_refused_connection_is_told_early(void)
{
	uint64_t began_ms;
	uint16_t port;
	int fd;

	set_up();
	fd = peer_bind(TCP4, &port);
	close(fd);
	began_ms = clock_monotonic_ms();
	CU_ASSERT_EQUAL(send_to_port("tcp", port, 5), 0);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(answered.handle, 5);
	CU_ASSERT(clock_monotonic_ms() - began_ms < DEADLINE_MS);
	CU_ASSERT_FALSE(answered.inside);
	CU_ASSERT_EQUAL(counter("sip.client_transport_failed"), 1);
	fixture_stop();
}

static void test_lost_connection_is_made_again(void)
{
	char text[4096];
	uint16_t port;
	int listening, fd;

	set_up();
	listening = peer_bind(TCP4, &port);
	CU_ASSERT_EQUAL(send_to_port("tcp", port, 1), 0);
	run_for(5);
	fd = accept(listening, NULL, NULL);
	CU_ASSERT(strlen(peer_receive(fd)) > 0);
	close(fd);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.client_transport_failed"), 1);
	CU_ASSERT_EQUAL(send_to_port("tcp", port, 2), 0);
	run_for(5);
	fd = accept(listening, NULL, NULL);
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	answer_with(fd, text, "200 OK", "");
	CU_ASSERT(run_until(&answered.count, 2));
	CU_ASSERT_EQUAL(answered.handle, 2);
	CU_ASSERT_EQUAL(answered.status, 200);
	close(fd);
	close(listening);
	fixture_stop();
}

/* Via names an address that a peer can answer to, not the wildcard. */
static void test_wildcard_listener(void)
{
	static const char *const any[] = { "udp:0.0.0.0:0", "udp:[::]:0" };
	const struct sip_stack_config config = {
		.listen = any,
		.listen_count = 2,
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 10,
		.client_transactions_max = 5,
		.peer_outstanding_max = 3,
	};
	const char *via;
	uint16_t port;
	int fd;

	fixture_start(&config);
	answered = (struct answered){ 0 };
	fd = open_udp_peer(UDP4, &port);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 1), 0);
	via = header_of(peer_receive(fd), "Via");
	CU_ASSERT_PTR_NOT_NULL_FATAL(via);
	CU_ASSERT_PTR_NULL(strstr(via, " 0.0.0.0"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(via, strrchr(sip_stack_address(stack, 0), ':')));
	close(fd);
	fixture_stop();
}

static void test_bounds(void)
{
	const struct sip_stack_config config = {
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 10,
		.client_transactions_max = 5,
		.peer_outstanding_max = 3,
	};
	uint16_t port, other_port;
	int fd, other;

	fixture_start(&config);
	answered = (struct answered){ 0 };
	fd = open_udp_peer(UDP4, &port);
	other = open_udp_peer(UDP4, &other_port);
	for (handle_t i = 1; i <= 3; i++)
		CU_ASSERT_EQUAL(send_to_port("udp", port, i), 0);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 4), EBUSY);
	CU_ASSERT_EQUAL(send_to_port("udp", other_port, 5), 0);
	CU_ASSERT_EQUAL(send_to_port("udp", other_port, 6), 0);
	CU_ASSERT_EQUAL(send_to_port("udp", other_port, 7), EBUSY);
	CU_ASSERT_EQUAL(counter("sip.client_refused"), 2);
	answer_with(fd, peer_receive(fd), "200 OK", "");
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.handle, 1);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 8), 0);
	CU_ASSERT(run_until(&answered.count, 6));
	CU_ASSERT_EQUAL(sip_stack_outstanding(stack), 0);
	close(fd);
	close(other);
	fixture_stop();
}

static void test_bad_next_hops(void)
{
	static const char *const bad[] = {
		"",
		"sip:",
		"127.0.0.1",
		"sip:127.0.0.1:5060",
		"sip:127.0.0.1:5060;transport=tls",
		"sip:127.0.0.1:5060;transport=udp;lr",
		"sip:127.0.0.1:0;transport=udp",
		"sip:127.0.0.1:65536;transport=udp",
		"sip:127.0.0.1:50x;transport=udp",
		"sip:127.0.0.1x;transport=udp",
		"sip:a.example:5060;transport=udp",
		"sip:user@127.0.0.1:5060;transport=udp",
		"sip:::1:5060;transport=udp",
		"sip:[::1:5060;transport=udp",
		"sip:[]:5060;transport=udp",
		"sip:[127.0.0.1]:5060;transport=udp",
		"sip:127.0.0.1;transport=udp\r\nX: y",
	};

	set_up();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_EQUAL(send_to(bad[i], 1, "hello"), EINVAL);
	CU_ASSERT_EQUAL(sip_stack_outstanding(stack), 0);
	run_for(10);
	CU_ASSERT_EQUAL(answered.count, 0);
	fixture_stop();
}

static void test_no_line_is_smuggled(void)
{
	const struct sip_header bad = { "X", "1\r\nY: 2" };
	struct sip_outbound message = {
		.next_hop = "sip:127.0.0.1:9;transport=udp",
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example\nX: y",
		.deadline_ms = DEADLINE_MS,
	};

	set_up();
	CU_ASSERT_EQUAL(sip_send(sip, &message, on_answer, &answered, 1),
			EINVAL);
	message.to = "sip:a.example";
	message.headers = &bad;
	message.header_count = 1;
	CU_ASSERT_EQUAL(sip_send(sip, &message, on_answer, &answered, 1),
			EINVAL);
	message.header_count = 0;
	message.body = "x";
	message.body_bytes = 1;
	CU_ASSERT_EQUAL(sip_send(sip, &message, on_answer, &answered, 1),
			EINVAL);
	fixture_stop();
}

/* A branch with our form, but not ours: nobody is told. */
static void test_forged_answers_are_stray(void)
{
	char text[4096], *digit;
	uint16_t port;
	int fd;

	set_up();
	fd = open_udp_peer(UDP4, &port);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 1), 0);
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	digit = strstr(text, ";branch=") +
		strcspn(strstr(text, ";branch="), ".") + 1;
	*digit = *digit == '0' ? '1' : '0';
	answer_with(fd, text, "200 OK", "");
	run_for(10);
	CU_ASSERT_EQUAL(answered.count, 0);
	CU_ASSERT_EQUAL(counter("sip.dropped_stray_response"), 1);
	close(fd);
	/* Stopped with one outstanding: nobody is told. */
	fixture_stop();
	CU_ASSERT_EQUAL(answered.count, 0);
}

static unsigned long long branch_number(int fd)
{
	unsigned long long number = 0;
	const char *branch = strstr(peer_receive(fd), ";branch=z9hG4bK");

	CU_ASSERT_PTR_NOT_NULL_FATAL(branch);
	CU_ASSERT_EQUAL(sscanf(branch, ";branch=z9hG4bK%llx.", &number), 1);
	return number;
}

/* Else each peer could see how much we send to all of them. */
static void test_branches_do_not_count(void)
{
	uint16_t port;
	int fd;

	set_up();
	fd = open_udp_peer(UDP4, &port);
	for (handle_t i = 1; i < 4; i++) {
		CU_ASSERT_EQUAL(send_to_port("udp", port, i), 0);
		CU_ASSERT(branch_number(fd) >> 32 > 1000);
	}
	close(fd);
	fixture_stop();
}

static void test_no_status_is_no_answer(void)
{
	static const char *const bad[] = { "099 X", "700 X", "999 X",
					   "1000 X" };
	char text[4096];
	uint16_t port;
	int fd;

	set_up();
	fd = open_udp_peer(UDP4, &port);
	CU_ASSERT_EQUAL(send_to_port("udp", port, 1), 0);
	snprintf(text, sizeof(text), "%s", peer_receive(fd));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		answer_with(fd, text, bad[i], "");
	run_for(10);
	CU_ASSERT_EQUAL(answered.count, 0);
	answer_with(fd, text, "699 X", "");
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, 699);
	close(fd);
	fixture_stop();
}

static CU_TestInfo client_tests[] = {
	{ "an answer is matched on UDP", test_answer_is_matched_on_udp },
	{ "answers are matched on TCP", test_answers_are_matched_on_tcp },
	{ "size does not change the transport",
	  test_size_does_not_change_the_transport },
	{ "a silent peer hears repeats until the deadline", test_silent_peer },
	{ "a provisional answer slows repeats",
	  test_provisional_answer_slows_repeats },
	{ "a lost answer is given again", test_lost_answer_is_given_again },
	{ "a refused connection is told early",
	  test_refused_connection_is_told_early },
	{ "a lost connection is made again",
	  test_lost_connection_is_made_again },
	{ "a wildcard listener", test_wildcard_listener },
	{ "what is outstanding is bounded", test_bounds },
	{ "bad next hops are refused", test_bad_next_hops },
	{ "no line is smuggled", test_no_line_is_smuggled },
	{ "forged answers are stray", test_forged_answers_are_stray },
	{ "branches do not count what is sent", test_branches_do_not_count },
	{ "what is no status is no answer", test_no_status_is_no_answer },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip client side", NULL, NULL, NULL, NULL, client_tests },
	CU_SUITE_INFO_NULL,
};
