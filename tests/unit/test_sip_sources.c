/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip: who may send, what they claim to be, and what comes back to us. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sip_fixture.h"

static struct {
	unsigned count;
	struct sip_source last;
	bool allows;
	struct sip_reply refusal;
} asked;

static bool on_source(void *arg, const struct sip_source *source,
		      struct sip_reply *refusal)
{
	CU_ASSERT_PTR_EQUAL(arg, &asked);
	asked.count++;
	asked.last = *source;
	*refusal = asked.refusal;
	return asked.allows;
}

static int start(uint16_t *port)
{
	fixture_start(NULL);
	memset(&asked, 0, sizeof(asked));
	asked.refusal = (struct sip_reply){ .status = 403,
					    .warn_code = 399,
					    .warn_text = "not known" };
	sip_set_source_handler(sip, on_source, &asked);
	return peer_connect(UDP4, port);
}

/* --- Sources -------------------------------------------------------------- */

static void test_unknown_source_is_refused_statelessly(void)
{
	struct request request = { .body = NULL };
	const char *answer;
	char text[4096];
	int fd = start(&request.port);

	snprintf(text, sizeof(text), "%s", request_text(&request));
	for (unsigned i = 1; i <= 3; i++) {
		peer_send(fd, text);
		answer = peer_receive(fd);
		CU_ASSERT_EQUAL(status_of(answer), 403);
		CU_ASSERT(is(header_of(answer, "Warning"),
			     "399 b.example \"not known\""));
		CU_ASSERT_EQUAL(asked.count, i);
		CU_ASSERT_EQUAL(counter("sip.refused_source"), i);
	}
	CU_ASSERT(is(asked.last.host, "127.0.0.1"));
	CU_ASSERT_EQUAL(asked.last.port, request.port);
	CU_ASSERT_EQUAL(asked.last.transport, SIP_UDP);
	CU_ASSERT_EQUAL(asked.last.side, SIP_INSIDE);
	CU_ASSERT_EQUAL(asked.last.certificate_name_count, 0);
	CU_ASSERT_EQUAL(recorded.count, 0);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	CU_ASSERT_EQUAL(counter("sip.answer_templates"), 0);
	/* Allowed by now: a repeat is a new request. */
	asked.allows = true;
	peer_send(fd, text);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(recorded.count, 1);
	/* A repeat of what was taken gets the same, whoever may send now. */
	asked.allows = false;
	peer_send(fd, text);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(asked.count, 4);
	close(fd);
	fixture_stop();
}

static void test_options_are_asked_about(void)
{
	struct request probe = { .method = "OPTIONS" };
	int fd = start(&probe.port);

	peer_send(fd, request_text(&probe));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 403);
	asked.allows = true;
	probe.branch = "2";
	peer_send(fd, request_text(&probe));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(asked.count, 2);
	close(fd);
	fixture_stop();
}

/* What is wrong in itself is refused as before, and asked about by nobody. */
static void test_checks_come_first(void)
{
	struct request bad = { .lines = "Max-Forwards: 0\r\n" };
	int fd = start(&bad.port);

	peer_send(fd, request_text(&bad));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 483);
	bad.lines = "Require: x\r\n";
	peer_send(fd, request_text(&bad));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 420);
	bad.lines = "P-Asserted-Identity: nobody\r\n";
	peer_send(fd, request_text(&bad));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 400);
	CU_ASSERT_EQUAL(asked.count, 0);
	close(fd);
	fixture_stop();
}

static void test_refusal_may_ask_for_patience(void)
{
	struct request request = { .body = NULL };
	const char *answer;
	int fd = start(&request.port);

	asked.refusal = (struct sip_reply){ .status = 503, .retry_after_s = 2 };
	peer_send(fd, request_text(&request));
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(status_of(answer), 503);
	CU_ASSERT(is(header_of(answer, "Retry-After"), "2"));
	CU_ASSERT_PTR_NULL(header_of(answer, "Warning"));
	close(fd);
	fixture_stop();
}

static void test_stateless_reply_is_forgotten(void)
{
	const struct sip_reply late = { .status = 403, .stateless = true };
	struct request request = { .body = NULL };
	char text[4096];
	int fd = start(&request.port);

	asked.allows = true;
	automatic = (struct sip_reply){ .status = 404, .stateless = true };
	snprintf(text, sizeof(text), "%s", request_text(&request));
	for (unsigned i = 1; i <= 2; i++) {
		peer_send(fd, text);
		CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 404);
		CU_ASSERT_EQUAL(recorded.count, i);
		CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	}
	automatic.status = 0;
	peer_send(fd, text);
	CU_ASSERT(run_until(&recorded.count, 3));
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 1);
	sip_reply(sip, recorded.transaction, &late);
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 403);
	CU_ASSERT_EQUAL(sip_stack_pending(stack), 0);
	CU_ASSERT_EQUAL(counter("sip.answer_templates"), 0);
	CU_ASSERT_EQUAL(counter("sip.dropped_unanswered"), 0);
	close(fd);
	fixture_stop();
}

/* --- P-Asserted-Identity -------------------------------------------------- */

#define PAI "P-Asserted-Identity: "

static const struct {
	const char *lines;
	const char *first, *second; /* NULL: none */
} good[] = {
	{ "Subject: x\r\n", NULL, NULL },
	{ PAI "<sip:a@b.example>\r\n", "sip:a@b.example", NULL },
	{ PAI "sip:a@b.example\r\n", "sip:a@b.example", NULL },
	{ PAI "  sip:b.example ,\t<tel:+3581234>  \r\n", "sip:b.example",
	  "tel:+3581234" },
	{ PAI "\"A, <sip:evil@x>, \\\"B\\\"\" <sip:a@b.example;user=phone>\r\n",
	  "sip:a@b.example;user=phone", NULL },
	{ PAI "\"\"<sip:a@b.example>\r\n", "sip:a@b.example", NULL },
	{ PAI "Alice of A <sip:a@b.example>\r\n", "sip:a@b.example", NULL },
	{ PAI "Alice<sip:a,b@b.example>\r\n", "sip:a,b@b.example", NULL },
	{ "p-asserted-identity:<sip:a@b.example>\r\nMax-Forwards: 7\r\n" PAI
	  "<tel:+1>\r\n",
	  "sip:a@b.example", "tel:+1" },
	{ PAI "<sip:a@b.example>,\r\n <sip:c@b.example>\r\n", "sip:a@b.example",
	  "sip:c@b.example" },
	{ PAI "<sip:[2001:db8::1]:5060>\r\n", "sip:[2001:db8::1]:5060", NULL },
};

static const char *const bad[] = {
	PAI "\r\n",
	PAI " \r\n",
	PAI ",\r\n",
	PAI "<>\r\n",
	PAI "<sip:>\r\n",
	PAI "<:a@b>\r\n",
	PAI "a@b.example\r\n",
	PAI "<a@b.example>\r\n",
	PAI "<sip:a@b.example\r\n",
	PAI "sip:a@b.example>\r\n",
	PAI "<<sip:a@b.example>>\r\n",
	PAI "<sip:a@b.example><sip:b@b.example>\r\n",
	PAI "<sip:a@b.example> <sip:b@b.example>\r\n",
	PAI "<sip:a@b.example>;x=y\r\n",
	PAI "<sip:a@b.example>,\r\n",
	PAI "<sip:a@b.example>,,<sip:a@b.example>\r\n",
	PAI ",<sip:a@b.example>\r\n",
	PAI "<sip:a b@b.example>\r\n",
	PAI "<sip:a@b.example >\r\n",
	PAI "< sip:a@b.example>\r\n",
	PAI "<sip:a\"@b.example>\r\n",
	PAI "<sip:a\x01@b.example>\r\n",
	PAI "<sip:\xc3\xa4@b.example>\r\n",
	PAI "\"A <sip:a@b.example>\r\n",
	PAI "\"A\\\r\n",
	PAI "\"A\\\" <sip:a@b.example>\r\n",
	PAI "\"A\x7f\" <sip:a@b.example>\r\n",
	PAI "\"A\" \"B\" <sip:a@b.example>\r\n",
	PAI "\"A\" B <sip:a@b.example>\r\n",
	PAI "A \"B\" <sip:a@b.example>\r\n",
	PAI "A@ <sip:a@b.example>\r\n",
	PAI "\"A\"\r\n",
	PAI "\"A\" sip:a@b.example\r\n",
	PAI "sip:a@b.example sip:c@b.example\r\n",
	PAI "<sip:a@b>, <tel:+1>, <sip:c@b>\r\n",
	PAI "<sip:a@b>\r\n" PAI "<tel:+1>\r\n" PAI "<sip:c@b>\r\n",
	PAI "<sip:a@b>\r\n" PAI "\r\n",
};

static void test_identities_are_read(void)
{
	struct request request = { .body = "x" };
	char branch[8];
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &request.port);
	request.branch = branch;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(branch, sizeof(branch), "g%zu", i);
		request.lines = good[i].lines;
		peer_send(fd, request_text(&request));
		CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
		CU_ASSERT_EQUAL(recorded.identity_count,
				(good[i].first != NULL) +
				    (good[i].second != NULL));
		if (good[i].first)
			CU_ASSERT(is(recorded.identities[0], good[i].first));
		if (good[i].second)
			CU_ASSERT(is(recorded.identities[1], good[i].second));
	}
	close(fd);
	fixture_stop();
}

static void test_bad_identities_are_refused(void)
{
	static const char warning[] =
	    "399 b.example \"header P-Asserted-Identity is malformed or has "
	    "more than two identities\"";
	struct request request = { .body = "x" };
	const char *answer;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &request.port);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		request.lines = bad[i];
		peer_send(fd, request_text(&request));
		answer = peer_receive(fd);
		if (status_of(answer) != 400)
			printf("\n    %s", bad[i]);
		CU_ASSERT_EQUAL(status_of(answer), 400);
		CU_ASSERT(is(header_of(answer, "Warning"), warning));
		CU_ASSERT_EQUAL(counter("sip.refused_identity"), i + 1);
	}
	CU_ASSERT_EQUAL(recorded.count, 0);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	close(fd);
	fixture_stop();
}

/* 15 kB of `unit`, `count` times in a header line that ends in `end`. */
static clock_t cpu_of(const char *start_text, const char *unit, size_t count,
		      const char *end)
{
	struct request request = { .transport = "TCP" };
	char *lines = calloc(1, strlen(start_text) + strlen(unit) * count +
				    strlen(end) + 1);
	char *at = lines + sprintf(lines, "%s", start_text);
	clock_t before = clock();
	int fd = peer_connect(TCP4, &request.port);

	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s", unit);
	sprintf(at, "%s", end);
	request.lines = lines;
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 400);
	close(fd);
	free(lines);
	return clock() - before;
}

static void test_huge_identities_cost_little(void)
{
	const clock_t bound = CLOCKS_PER_SEC / 50;

	fixture_start(NULL);
	CU_ASSERT(cpu_of(PAI "<sip:", "a", 15000, "@b.example>\r\n") < bound);
	CU_ASSERT(cpu_of(PAI "sip:", "a", SIP_URI_SIZE - 4, "\r\n") < bound);
	CU_ASSERT(cpu_of(PAI "\"", "\\\"", 7500, "\r\n") < bound);
	CU_ASSERT(cpu_of(PAI, "a ", 7500, "\r\n") < bound);
	CU_ASSERT(cpu_of(PAI, "<sip:a>,", 1800, "<sip:a>\r\n") < bound);
	CU_ASSERT(cpu_of("", PAI "<sip:a>\r\n", 200, "\r\n") < bound);
	CU_ASSERT_EQUAL(recorded.count, 0);
	fixture_stop();
}

/* --- Max-Forwards --------------------------------------------------------- */

static void check_max_forwards(int fd, uint16_t port, const char *lines,
			       int status, unsigned expected)
{
	static unsigned number;
	struct request request = { .port = port, .lines = lines };
	char branch[16];

	snprintf(branch, sizeof(branch), "mf%u", number++);
	request.branch = branch;
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), status);
	if (status == 200)
		CU_ASSERT_EQUAL(recorded.max_forwards, expected);
}

static void test_max_forwards(void)
{
	uint16_t port;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &port);
	check_max_forwards(fd, port, "Subject: x\r\n", 200, 70);
	check_max_forwards(fd, port, "Max-Forwards: 1\r\n", 200, 1);
	check_max_forwards(fd, port, "Max-Forwards: 255\r\n", 200, 255);
	check_max_forwards(fd, port, "Max-Forwards: 0\r\n", 483, 0);
	check_max_forwards(fd, port, "Max-Forwards: 00\r\n", 483, 0);
	check_max_forwards(fd, port, "Max-Forwards: -1\r\n", 400, 0);
	check_max_forwards(fd, port, "Max-Forwards: x\r\n", 400, 0);
	check_max_forwards(fd, port, "Max-Forwards: \r\n", 400, 0);
	check_max_forwards(fd, port, "Max-Forwards: 256\r\n", 400, 0);
	check_max_forwards(fd, port, "Max-Forwards: 4294967296\r\n", 400, 0);
	check_max_forwards(fd, port, "Max-Forwards: 18446744073709551617\r\n",
			   400, 0);
	check_max_forwards(fd, port, "Max-Forwards: 1\r\nMax-Forwards: 2\r\n",
			   400, 0);
	close(fd);
	fixture_stop();
}

/* --- Our own mark --------------------------------------------------------- */

static struct {
	unsigned count;
	int status, warn_code;
	char warning[128];
} answered;

static void on_answer(void *arg, handle_t handle,
		      const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	answered.count++;
	answered.status = answer->status;
	answered.warn_code = answer->warn_code;
	snprintf(answered.warning, sizeof(answered.warning), "%s",
		 answer->warning ? answer->warning : "(null)");
	loop_stop(loop);
}

static void send_to(const char *address, const char *transport,
		    unsigned max_forwards)
{
	char next_hop[SIP_URI_SIZE];
	const struct sip_outbound message = {
		.next_hop = next_hop,
		.max_forwards = max_forwards,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.deadline_ms = 1000,
	};

	snprintf(next_hop, sizeof(next_hop), "sip:%s;transport=%s", address,
		 transport);
	CU_ASSERT_EQUAL(sip_send(sip, &message, on_answer, NULL, 1), 0);
}

static void check_loop(int listener, const char *transport)
{
	fixture_start(NULL);
	memset(&answered, 0, sizeof(answered));
	send_to(sip_stack_address(stack, (size_t)listener), transport, 0);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, 482);
	CU_ASSERT_EQUAL(answered.warn_code, 399);
	CU_ASSERT(is(answered.warning, "loop detected"));
	CU_ASSERT_EQUAL(counter("sip.refused_loop"), 1);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	CU_ASSERT_EQUAL(recorded.count, 0);
	fixture_stop();
}

static void test_own_requests_are_known(void)
{
	check_loop(UDP4, "udp");
	check_loop(TCP4, "tcp");
	check_loop(UDP6, "udp");
}

/* A peer hands our tag back, in other words and then changed. */
static void test_only_our_mark_counts(void)
{
	struct request request = { .branch = "own" };
	char from[128], heard[4096], *tag;
	char next_hop[64];
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &request.port);
	snprintf(next_hop, sizeof(next_hop), "127.0.0.1:%u", request.port);
	send_to(next_hop, "udp", 3);
	snprintf(heard, sizeof(heard), "%s", peer_receive(fd));
	CU_ASSERT(is(header_of(heard, "Max-Forwards"), "3"));
	tag = strstr(header_of(heard, "From"), ";tag=") + 5;
	CU_ASSERT_EQUAL(strlen(tag), 32);
	snprintf(from, sizeof(from), "<sip:other@c.example>;tag=%s", tag);
	request.from = from;
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 482);
	for (int i = 0; i < 32; i++) {
		char *digit = from + strlen(from) - 32 + i, was = *digit;

		*digit = was == '0' ? '1' : '0';
		request.call_id = from;
		peer_send(fd, request_text(&request));
		CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
		*digit = was;
	}
	from[strlen(from) - 1] = '\0';
	peer_send(fd, request_text(&request));
	CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
	CU_ASSERT_EQUAL(counter("sip.refused_loop"), 1);
	close(fd);
	fixture_stop();
}

static CU_TestInfo source_tests[] = {
	{ "an unknown source is refused statelessly",
	  test_unknown_source_is_refused_statelessly },
	{ "OPTIONS are asked about too", test_options_are_asked_about },
	{ "the checks come first", test_checks_come_first },
	{ "a refusal may ask for patience", test_refusal_may_ask_for_patience },
	{ "a stateless reply is forgotten", test_stateless_reply_is_forgotten },
	{ "asserted identities are read", test_identities_are_read },
	{ "bad identities are refused", test_bad_identities_are_refused },
	{ "huge identities cost little", test_huge_identities_cost_little },
	{ "Max-Forwards", test_max_forwards },
	{ "our own requests are known", test_own_requests_are_known },
	{ "only our mark counts", test_only_our_mark_counts },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip sources", NULL, NULL, NULL, NULL, source_tests },
	CU_SUITE_INFO_NULL,
};
