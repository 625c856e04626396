/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip: REGISTER of third parties, over real sockets. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sip_fixture.h"

#define FROM "<sip:scscf.b.example:6060>;tag=s1"
#define TO "<sip:alice@b.example>"
#define CONTACT "Contact: <sip:scscf.b.example:6060>\r\n"

static struct {
	unsigned count;
	handle_t transaction;
	struct sip_source source;
	char sender_uri[SIP_URI_SIZE], identity[128], registrar[128];
	char contact[128], call_id[64], content_type[128], body[256];
	char charging[128];
	uint32_t cseq, expires_s;
	int status; /* that it is answered with at once; 0: not at once */
} heard;

static void keep_text(char *target, size_t size, const char *text)
{
	snprintf(target, size, "%s", text ? text : "(null)");
}

static void on_register(void *arg, const struct sip_registration *request)
{
	const struct sip_reply reply = { .status = heard.status };

	CU_ASSERT_PTR_EQUAL(arg, &heard);
	heard.count++;
	heard.transaction = request->transaction;
	heard.source = request->source;
	heard.cseq = request->cseq;
	heard.expires_s = request->expires_s;
#define KEEP(member) \
	keep_text(heard.member, sizeof(heard.member), request->member)
	KEEP(sender_uri);
	KEEP(identity);
	KEEP(registrar);
	KEEP(contact);
	KEEP(call_id);
	KEEP(content_type);
#undef KEEP
	keep_text(heard.charging, sizeof(heard.charging),
		  request->network.charging_vector);
	snprintf(heard.body, sizeof(heard.body), "%.*s",
		 (int)request->body_bytes, request->body ? request->body : "");
	if (heard.status)
		sip_reply(sip, request->transaction, &reply);
	loop_stop(loop);
}

static int start(int listener, uint16_t *port)
{
	fixture_start(NULL);
	memset(&heard, 0, sizeof(heard));
	heard.status = 200;
	sip_set_register_handler(sip, on_register, &heard);
	return peer_connect(listener, port);
}

static const struct request usual = {
	.method = "REGISTER",
	.from = FROM,
	.to = TO,
	.lines = "Max-Forwards: 70\r\n" CONTACT "Expires: 600\r\n",
};

static const char *ask(int fd, const struct request *request)
{
	peer_send(fd, request_text(request));
	return peer_receive(fd);
}

static void test_it_is_not_allowed_without_a_handler(void)
{
	struct request request = usual;
	const char *answer;
	int fd;

	fixture_start(NULL);
	fd = peer_connect(UDP4, &request.port);
	answer = ask(fd, &request);
	CU_ASSERT_EQUAL(status_of(answer), 405);
	CU_ASSERT(is(header_of(answer, "Allow"), "MESSAGE, OPTIONS"));
	CU_ASSERT_EQUAL(counter("sip.requests_register"), 0);
	CU_ASSERT_EQUAL(counter("sip.requests_other"), 1);
	/* From now on, and no more after that. */
	sip_set_register_handler(sip, on_register, &heard);
	heard.status = 200;
	request.branch = "2";
	CU_ASSERT_EQUAL(status_of(ask(fd, &request)), 200);
	sip_set_register_handler(sip, NULL, NULL);
	request.branch = "3";
	CU_ASSERT_EQUAL(status_of(ask(fd, &request)), 405);
	close(fd);
	fixture_stop();
}

static void test_what_the_handler_sees(void)
{
	struct request request = usual;
	const char *answer;
	char expected[SIP_URI_SIZE];
	int fd = start(UDP4, &request.port);

	request.lines = "Max-Forwards: 70\r\n" CONTACT "Expires: 600\r\n"
			"P-Charging-Vector: icid-value=\"abc\"\r\n"
			"Content-Type: message/sip\r\n";
	request.body = "REGISTER sip:b.example SIP/2.0\r\n\r\n";
	answer = ask(fd, &request);
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT(is(header_of(answer, "Contact"),
		     "<sip:scscf.b.example:6060>;expires=600"));
	CU_ASSERT(is(header_of(answer, "Expires"), "600"));
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(answer, "To"), ";tag="));
	CU_ASSERT_EQUAL(heard.count, 1);
	CU_ASSERT(is(heard.identity, "sip:alice@b.example"));
	CU_ASSERT(is(heard.registrar, "sip:scscf.b.example:6060"));
	CU_ASSERT(is(heard.contact, "sip:scscf.b.example:6060"));
	CU_ASSERT(is(heard.call_id, "call-1"));
	CU_ASSERT_EQUAL(heard.cseq, 1);
	CU_ASSERT_EQUAL(heard.expires_s, 600);
	CU_ASSERT(is(heard.content_type, "message/sip"));
	CU_ASSERT(is(heard.body, request.body));
	CU_ASSERT(is(heard.charging, "icid-value=\"abc\""));
	CU_ASSERT(is(heard.source.host, "127.0.0.1"));
	CU_ASSERT_EQUAL(heard.source.transport, SIP_UDP);
	snprintf(expected, sizeof(expected), "sip:127.0.0.1:%u;transport=udp",
		 request.port);
	CU_ASSERT(is(heard.sender_uri, expected));
	CU_ASSERT_EQUAL(counter("sip.requests_register"), 1);
	CU_ASSERT_EQUAL(counter("sip.requests_message"), 0);
	CU_ASSERT_EQUAL(counter("sip.requests_other"), 0);
	close(fd);
	fixture_stop();
}

static void test_on_tcp_the_sender_is_where_it_listens(void)
{
	struct request request = usual;
	uint16_t port;
	int fd = start(TCP4, &port);

	request.transport = "TCP";
	request.port = 6060;
	CU_ASSERT_EQUAL(status_of(ask(fd, &request)), 200);
	CU_ASSERT(is(heard.sender_uri, "sip:127.0.0.1:6060;transport=tcp"));
	CU_ASSERT(is(heard.body, ""));
	CU_ASSERT(is(heard.content_type, "(null)"));
	close(fd);
	fixture_stop();
}

static const struct {
	const char *lines;
	uint32_t expires_s;
	const char *contact; /* of the answer; NULL: none */
} times[] = {
	{ CONTACT, 3600, "<sip:scscf.b.example:6060>;expires=3600" },
	{ CONTACT "Expires: 0\r\n", 0, NULL },
	{ "Contact: *\r\nExpires: 0\r\n", 0, NULL },
	{ "Expires: 90\r\n", 90, NULL },
	{ "", 3600, NULL },
	/* RFC 3261 10.3 step 6: the Contact's own goes first. */
	{ "Contact: <sip:s@192.0.2.1;transport=tcp>;expires=7\r\n"
	  "Expires: 90\r\n",
	  7, "<sip:s@192.0.2.1;transport=tcp>;expires=7" },
	{ "Contact: <sip:s@192.0.2.1>;expires=0\r\nExpires: 90\r\n", 0, NULL },
	/* No more than is kept. */
	{ CONTACT "Expires: 4294967295\r\n", 2592000,
	  "<sip:scscf.b.example:6060>;expires=2592000" },
};

static void test_how_long_it_counts(void)
{
	struct request request = usual;
	char branch[16], expires[16];
	int fd = start(UDP4, &request.port);

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		const char *answer;

		snprintf(branch, sizeof(branch), "%zu", i);
		request.branch = branch;
		request.lines = times[i].lines;
		answer = ask(fd, &request);
		CU_ASSERT_EQUAL(status_of(answer), 200);
		CU_ASSERT_EQUAL(heard.expires_s, times[i].expires_s);
		snprintf(expires, sizeof(expires), "%u", times[i].expires_s);
		CU_ASSERT(is(header_of(answer, "Expires"), expires));
		if (times[i].contact) {
			CU_ASSERT(
			    is(header_of(answer, "Contact"), times[i].contact));
		} else {
			CU_ASSERT_PTR_NULL(header_of(answer, "Contact"));
		}
	}
	close(fd);
	fixture_stop();
}

static void test_an_answer_that_comes_later(void)
{
	static char body[8192];
	const struct sip_reply reply = { .status = 200 };
	struct request request = usual;
	const char *answer;
	int fd = start(UDP4, &request.port);

	/* A large one is not kept whole, but what its answer needs of it. */
	memset(body, 'x', sizeof(body) - 1);
	request.body = body;
	request.lines = "Content-Type: a/b\r\n" CONTACT "Expires: 600\r\n";
	heard.status = 0;
	peer_send(fd, request_text(&request));
	CU_ASSERT_TRUE(run_until(&heard.count, 1));
	peer_send(fd, request_text(&request));
	CU_ASSERT_TRUE(peer_hears_nothing(fd, 20));
	sip_reply(sip, heard.transaction, &reply);
	answer = peer_receive(fd);
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT(is(header_of(answer, "Contact"),
		     "<sip:scscf.b.example:6060>;expires=600"));
	/* Its repeat is answered the same, and nobody is asked. */
	answer = ask(fd, &request);
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT(is(header_of(answer, "Contact"),
		     "<sip:scscf.b.example:6060>;expires=600"));
	CU_ASSERT_EQUAL(heard.count, 1);
	CU_ASSERT_EQUAL(counter("sip.requests_register"), 1);
	close(fd);
	fixture_stop();
}

/* No word of what it asked for in an answer that is no 200. */
static void test_a_refusal(void)
{
	struct request request = usual;
	const char *answer;
	int fd = start(UDP4, &request.port);

	heard.status = 403;
	answer = ask(fd, &request);
	CU_ASSERT_EQUAL(status_of(answer), 403);
	CU_ASSERT_PTR_NULL(header_of(answer, "Contact"));
	CU_ASSERT_PTR_NULL(header_of(answer, "Expires"));
	close(fd);
	fixture_stop();
}

static const struct {
	const char *to, *lines;
	int status;
} bad[] = {
	{ TO, "Max-Forwards: 0\r\n", 483 },
	{ TO, "Require: path\r\n", 420 },
	{ TO, "Expires: soon\r\n", 400 },
	{ TO, "Contact: <sip:\r\n", 400 },
	{ TO, "Contact: *\r\n", 400 },
	{ TO, "Contact: *\r\nExpires: 600\r\n", 400 },
	{ TO, "Contact: <sip:s@192.0.2.1>, *\r\nExpires: 0\r\n", 400 },
	{ TO, "P-Charging-Vector: nothing\r\n", 400 },
	{ TO, "P-Asserted-Identity: nobody\r\n", 400 },
};

static void test_checks_come_first(void)
{
	struct request request = usual;
	char branch[16];
	int fd = start(UDP4, &request.port);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int status;

		snprintf(branch, sizeof(branch), "%zu", i);
		request.branch = branch;
		request.to = bad[i].to;
		request.lines = bad[i].lines;
		status = status_of(ask(fd, &request));
		if (status != bad[i].status)
			fprintf(stderr, "%s%s: %d\n", bad[i].to, bad[i].lines,
				status);
		CU_ASSERT_EQUAL(status, bad[i].status);
	}
	CU_ASSERT_EQUAL(heard.count, 0);
	close(fd);
	fixture_stop();
}

static bool refuse_all(void *arg, const struct sip_source *source,
		       struct sip_reply *refusal)
{
	(void)source;
	++*(unsigned *)arg;
	refusal->status = 403;
	return false;
}

static void test_its_source_is_asked_about(void)
{
	struct request request = usual;
	unsigned asked = 0;
	int fd = start(UDP4, &request.port);

	sip_set_source_handler(sip, refuse_all, &asked);
	CU_ASSERT_EQUAL(status_of(ask(fd, &request)), 403);
	CU_ASSERT_EQUAL(asked, 1);
	CU_ASSERT_EQUAL(heard.count, 0);
	CU_ASSERT_EQUAL(counter("sip.server_transactions"), 0);
	close(fd);
	fixture_stop();
}

static void test_none_is_taken_in_a_drain(void)
{
	struct request request = usual;
	const char *answer;
	int fd = start(UDP4, &request.port);

	sip_stack_drain(stack);
	answer = ask(fd, &request);
	CU_ASSERT_EQUAL(status_of(answer), 503);
	CU_ASSERT_PTR_NOT_NULL(header_of(answer, "Retry-After"));
	CU_ASSERT_EQUAL(heard.count, 0);
	close(fd);
	fixture_stop();
}

static void test_options_tell_of_it(void)
{
	struct request request = { .method = "OPTIONS" };
	int fd = start(UDP4, &request.port);

	CU_ASSERT(is(header_of(ask(fd, &request), "Allow"),
		     "MESSAGE, OPTIONS, REGISTER"));
	close(fd);
	fixture_stop();
}

/* --- Which addresses are ours ---------------------------------------------- */

static void test_listeners(void)
{
	uint16_t port;
	int fd = start(UDP4, &port);

	for (size_t i = 0; i < 4; i++) {
		char host[64];
		const char *address = sip_stack_address(stack, i);
		const char *colon = strrchr(address, ':');
		uint16_t own = (uint16_t)atoi(colon + 1);

		snprintf(host, sizeof(host), "%.*s", (int)(colon - address),
			 address);
		CU_ASSERT_TRUE(sip_listens_on(sip, host, own));
		CU_ASSERT_FALSE(sip_listens_on(sip, host, 1));
		CU_ASSERT_FALSE(sip_listens_on(sip, "192.0.2.1", own));
	}
	close(fd);
	fixture_stop();
}

static CU_TestInfo register_tests[] = {
	{ "it is not allowed without a handler",
	  test_it_is_not_allowed_without_a_handler },
	{ "what the handler sees", test_what_the_handler_sees },
	{ "on TCP the sender is where it listens",
	  test_on_tcp_the_sender_is_where_it_listens },
	{ "how long it counts", test_how_long_it_counts },
	{ "an answer that comes later", test_an_answer_that_comes_later },
	{ "a refusal", test_a_refusal },
	{ "checks come first", test_checks_come_first },
	{ "its source is asked about", test_its_source_is_asked_about },
	{ "none is taken in a drain", test_none_is_taken_in_a_drain },
	{ "OPTIONS tell of it", test_options_tell_of_it },
	{ "listeners", test_listeners },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "REGISTER", NULL, NULL, NULL, NULL, register_tests },
	CU_SUITE_INFO_NULL,
};
