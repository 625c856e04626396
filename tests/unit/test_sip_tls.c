/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip over TLS: requests and answers both ways, and connections kept. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sip_tls_fixture.h"

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
	CU_ASSERT_EQUAL(tls_message(port, "dns:a.example", SIP_INSIDE), 0);
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

static CU_TestInfo tls_tests[] = {
	{ "a request and its answer", test_request_and_answer },
	{ "a request of ours and its answer", test_request_of_ours },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip over TLS", sip_tls_suite_create, sip_tls_suite_destroy, NULL,
	  NULL, tls_tests },
	CU_SUITE_INFO_NULL,
};
