/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gateway module's relays: what goes out for what comes in, which answer
 * goes back, and which next hop is tried when. Who may speak:
 * test_gateway_peers.c; settings: test_gateway_settings.c.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gateway_fixture.h"
#include "gateway_tests.h"

static void setup(void)
{
	gate_prepare();
	gate_start();
}

static void teardown(void)
{
	gate_stop();
}

static const struct gate_reply *ask_out(void)
{
	const struct mcinfo info = gate_request(VISITOR, ALICE);

	return gate_receive(B1_HOST, &info);
}

static const struct gate_reply *ask_in(void)
{
	const struct mcinfo info = gate_request(GUEST, BOB);

	return gate_receive(A1_HOST, &info);
}

/* ------------------------------------------------------------ what goes out */

static void check_hop(const char *next_hop, enum sip_side side,
		      const char *head)
{
	const struct gate_sent *sent = gate_last();

	CU_ASSERT_STRING_EQUAL(sent->next_hop, next_hop);
	CU_ASSERT_EQUAL(sent->side, side);
	CU_ASSERT_EQUAL(sent->max_forwards, 69);
	CU_ASSERT_STRING_EQUAL(sent->head, head);
}

static void test_request_leaves(void)
{
	struct mcinfo out;

	CU_ASSERT_PTR_NULL(ask_out());
	check_hop(A1, SIP_OUTSIDE,
		  "MESSAGE sip:mcgateway@a.example\n"
		  "From: sip:mcgateway@b.example\n"
		  "To: sip:mcgateway@a.example\n"
		  "Content-Type: application/vnd.3gpp.mcptt-info+xml\n"
		  "P-Asserted-Identity: <sip:mcgateway@b.example>\n"
		  "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt\n"
		  "Accept-Contact: *;+g.3gpp.mcptt;require;explicit\n");
	out = gate_document(0);
	CU_ASSERT_EQUAL(out.verb, MCINFO_AUTHORIZATION);
	CU_ASSERT_FALSE(out.is_response);
	CU_ASSERT_EQUAL(out.procedure_id.bytes[0], 0x70);
	CU_ASSERT_EQUAL(out.sequence, 1795423123456789);
	CU_ASSERT_EQUAL(out.order, 1795423123001);
	CU_ASSERT_EQUAL(out.profile_index, 3);
	CU_ASSERT_STRING_EQUAL(out.partner_id, VISITOR);
	CU_ASSERT_STRING_EQUAL(out.primary_id, ALICE);
	mcinfo_clear(&out);
	gate_answer(0, 200);
	CU_ASSERT_EQUAL(gate_reply()->status, 200);
	CU_ASSERT_EQUAL(gate_reply()->warn_code, 0);
	CU_ASSERT_EQUAL(gate_pending(), 0);
	CU_ASSERT_EQUAL(gate_statistic("gateway.relayed_out"), 1);
}

static void test_response_enters(void)
{
	const struct mcinfo info =
	    gate_response(VISITOR, ALICE, CAUSE_USER_UNKNOWN);
	struct mcinfo out;

	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &info));
	check_hop(B1, SIP_INSIDE,
		  "MESSAGE sip:b.example\n"
		  "From: sip:mcgateway@b.example\n"
		  "To: sip:b.example\n"
		  "Content-Type: application/vnd.3gpp.mcptt-info+xml\n"
		  "P-Asserted-Identity: <sip:mcgateway@b.example>\n"
		  "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt\n"
		  "Accept-Contact: *;+g.3gpp.mcptt;require;explicit\n");
	out = gate_document(0);
	CU_ASSERT_TRUE(out.is_response);
	CU_ASSERT_EQUAL(out.result, MCINFO_FAILURE);
	CU_ASSERT_EQUAL(out.cause, CAUSE_USER_UNKNOWN);
	CU_ASSERT_STRING_EQUAL(out.text, mcinfo_cause_text(CAUSE_USER_UNKNOWN));
	mcinfo_clear(&out);
	gate_answer(0, 200);
	CU_ASSERT_EQUAL(gate_reply()->status, 200);
	CU_ASSERT_EQUAL(gate_statistic("gateway.relayed_in"), 1);
}

static void test_request_enters_and_response_leaves(void)
{
	const struct mcinfo info = gate_response(GUEST, BOB, CAUSE_NONE);
	struct mcinfo out;

	CU_ASSERT_PTR_NULL(ask_in());
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, B1);
	gate_answer(0, 200);
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A1);
	out = gate_document(1);
	CU_ASSERT_EQUAL(out.result, MCINFO_SUCCESS);
	CU_ASSERT_STRING_EQUAL(out.text, "");
	mcinfo_clear(&out);
	gate_answer(1, 481);
	CU_ASSERT_EQUAL(gate_reply()->status, 481);
}

static void test_other_services(void)
{
	struct mcinfo info = gate_request(VISITOR, ALICE);

	info.service = MC_SERVICE_MCVIDEO;
	info.verb = MCINFO_DEAUTHORIZATION;
	info.has_profile_index = false;
	info.profile_index = 0;
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(gate_last()->head, "application/vnd.3gpp.mcvideo-info+xml"));
	CU_ASSERT_PTR_NOT_NULL(strstr(gate_last()->head, "icsi.mcvideo\n"));
	CU_ASSERT_PTR_NULL(strstr(gate_last()->head, "mcptt"));
	CU_ASSERT_PTR_NULL(strstr(gate_last()->body, "mcptt"));
}

/* ------------------------------------------------------------------ hidden */

/* All that may not cross has "secret" in it. */
static const char talkative[] =
    "--x\r\nContent-Type: text/plain\r\n\r\nsecret part\r\n"
    "--x\r\nContent-Type: application/vnd.3gpp.mcptt-info+xml\r\n"
    "Content-ID: <secret@inside.secret>\r\n\r\n"
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
    "<!-- secret comment --><m:mcpttinfo "
    "xmlns:m=\"urn:3gpp:ns:mcpttInfo:1.0\"><m:mcptt-Params>"
    "<m:mcptt-calling-user-id type=\"Normal\"><m:mcpttString>secret"
    "</m:mcpttString></m:mcptt-calling-user-id>"
    "<m:anyExt><secret xmlns=\"urn:secret\">secret</secret>"
    "<s:migration xmlns:s=\"urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b\">"
    "<s:authorization-response procedure="
    "\"0B8A0000-0000-4000-8000-000000000001\" sequence=\"7\">"
    "<s:partner-mc-service-id>sip:guest@A.example</s:partner-mc-service-id>"
    "<s:primary-mc-service-id>sip:bob@b.example</s:primary-mc-service-id>"
    "<s:result>failure</s:result><s:cause>secret-cause</s:cause>"
    "<s:text>secret text of the inside</s:text>"
    "</s:authorization-response></s:migration></m:anyExt>"
    "</m:mcptt-Params></m:mcpttinfo><!-- secret -->\r\n--x--\r\n";

static void test_hidden(void)
{
	struct mcinfo out;

	gate.inbound.asserted_identities[0] = "sip:secret@b.example";
	gate.inbound.asserted_identity_count = 1;
	CU_ASSERT_PTR_NULL(gate_receive_raw(B1_HOST,
					    "multipart/mixed;boundary=x",
					    talkative, sizeof(talkative) - 1));
	CU_ASSERT_PTR_NULL(strstr(gate_last()->head, "secret"));
	CU_ASSERT_PTR_NULL(strstr(gate_last()->body, "secret"));
	CU_ASSERT_PTR_NULL(strstr(gate_last()->head, B1_HOST));
	CU_ASSERT_PTR_NULL(strstr(gate_last()->head, "4711"));
	out = gate_document(0);
	CU_ASSERT_EQUAL(out.cause, CAUSE_OTHER);
	CU_ASSERT_STRING_EQUAL(out.text, mcinfo_cause_text(CAUSE_OTHER));
	CU_ASSERT_EQUAL(out.sequence, 7);
	CU_ASSERT_STRING_EQUAL(out.partner_id, "sip:guest@A.example");
	mcinfo_clear(&out);
	gate_answer_full(
	    0, &(struct sip_answer){ .status = 403,
				     .warn_code = 399,
				     .warning = "secret reason of 127.2.1.1" });
	CU_ASSERT_EQUAL(gate_reply()->status, 403);
	CU_ASSERT_STRING_EQUAL(gate_reply()->warning, "request refused");
}

/* ----------------------------------------------------------- what comes back */

struct passing {
	struct sip_answer answer;
	int status;
	const char *warning;
	unsigned retry_after_s;
};

static const struct passing all_passing[] = {
	{ { .status = 200 }, 200, "", 0 },
	{ { .status = 202,
	    .warn_code = 399,
	    .warning = "x",
	    .retry_after_s = 5 },
	  202,
	  "",
	  0 },
	{ { .status = 302 }, 502, "failure of the next MC server", 0 },
	{ { .status = 400, .warn_code = 399, .warning = "secret" },
	  400,
	  "request not valid",
	  0 },
	{ { .status = 400, .warn_code = 399, .warning = "sequence missing" },
	  400,
	  "sequence missing",
	  0 },
	{ { .status = 401 }, 403, "request refused", 0 },
	{ { .status = 407 }, 403, "request refused", 0 },
	{ { .status = 403,
	    .warn_code = 399,
	    .warning = "179 service not authorized with the interconnected "
		       "system" },
	  403,
	  "179 service not authorized with the interconnected system",
	  0 },
	{ { .status = 404 }, 404, "not found", 0 },
	{ { .status = 404,
	    .warn_code = 399,
	    .warning = "partner MC service ID not hosted here" },
	  404,
	  "partner MC service ID not hosted here",
	  0 },
	{ { .status = 413, .retry_after_s = 7 }, 413, "body too large", 7 },
	{ { .status = 415 }, 415, "media type not supported", 0 },
	{ { .status = 481,
	    .warn_code = 399,
	    .warning = "procedure not awaited" },
	  481,
	  "procedure not awaited",
	  0 },
	{ { .status = 481, .warning = "procedure not awaited (secret)" },
	  481,
	  "procedure not awaited",
	  0 },
	{ { .status = 482 }, 482, "loop detected", 0 },
	{ { .status = 483 }, 483, "too many hops", 0 },
	{ { .status = 499 }, 499, "refused by the next MC server", 0 },
	{ { .status = 603, .retry_after_s = 4000000000u },
	  603,
	  "failure of the next MC server",
	  60 },
	{ { .status = 500 }, 500, "failure of the next MC server", 0 },
	{ { .status = 503 }, 503, "try again later", 2 },
	{ { .status = 503, .retry_after_s = 9 }, 503, "try again later", 9 },
	{ { .status = 503, .retry_after_s = 3600 },
	  503,
	  "try again later",
	  60 },
	{ { .status = 513 }, 513, "failure of the next MC server", 0 },
	{ { .status = 408, .warning = "procedure not awaited" },
	  504,
	  "no answer in time",
	  0 },
	{ { .status = SIP_NO_ANSWER }, 504, "no answer in time", 0 },
};

static void check_passing(const struct passing *passing)
{
	const struct gate_reply *reply;

	CU_ASSERT_PTR_NULL(ask_in());
	gate_answer_full(gate.sent_count - 1, &passing->answer);
	reply = gate_reply();
	CU_ASSERT_FATAL(reply != NULL);
	CU_ASSERT_EQUAL(reply->status, passing->status);
	CU_ASSERT_STRING_EQUAL(reply->warning, passing->warning);
	CU_ASSERT_EQUAL(reply->warn_code, *passing->warning ? 399 : 0);
	CU_ASSERT_EQUAL(reply->retry_after_s, passing->retry_after_s);
	if (reply->status != passing->status)
		fprintf(stderr, "%d became %d\n", passing->answer.status,
			reply->status);
}

static void test_statuses(void)
{
	for (size_t i = 0; i < sizeof(all_passing) / sizeof(*all_passing); i++)
		check_passing(&all_passing[i]);
	CU_ASSERT_EQUAL(gate_statistic("gateway.looped"), 2);
	CU_ASSERT_EQUAL(gate_statistic("gateway.timed_out"), 2);
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

/* A 200 is all that we are owed: whether it delivers, the ends find out. */
static void test_says_200_and_never_delivers(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate_answer(0, 200);
	CU_ASSERT_EQUAL(gate_reply()->status, 200);
	gate_advance_ms(60000);
	CU_ASSERT_EQUAL(gate.sent_count, 1);
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

static void test_answers_twice(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate_answer(0, 403);
	gate_answer(0, 200);
	gate_answer(0, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(gate.reply_count, 1);
	CU_ASSERT_EQUAL(gate_reply()->status, 403);
	CU_ASSERT_EQUAL(gate_statistic("gateway.late_answers"), 2);
}

/* ---------------------------------------------------------------- failover */

static void test_order_and_deadlines(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate_keep_silent();
	CU_ASSERT_EQUAL_FATAL(gate.sent_count, 3);
	CU_ASSERT_STRING_EQUAL(gate.sent[0].next_hop, A1);
	CU_ASSERT_STRING_EQUAL(gate.sent[1].next_hop, A2);
	CU_ASSERT_STRING_EQUAL(gate.sent[2].next_hop, A3);
	CU_ASSERT_EQUAL(gate.sent[0].deadline_ms, 2000);
	CU_ASSERT_EQUAL(gate.sent[1].deadline_ms, 2000);
	CU_ASSERT_EQUAL(gate.sent[2].deadline_ms, 5000);
	CU_ASSERT_EQUAL(gate.sent[2].at_ms - gate.sent[0].at_ms, 4000);
	CU_ASSERT_EQUAL(gate_reply()->status, 504);
	CU_ASSERT_EQUAL(gate_statistic("gateway.failed_over"), 2);
	CU_ASSERT_EQUAL(gate_statistic("gateway.timed_out"), 1);
	CU_ASSERT_EQUAL(gate_statistic("gateway.relayed_out"), 0);
}

static void test_one_hop_gets_the_whole(void)
{
	CU_ASSERT_PTR_NULL(ask_in());
	CU_ASSERT_EQUAL(gate_last()->deadline_ms, 6000);
	gate_keep_silent();
	CU_ASSERT_EQUAL(gate.sent_count, 1);
	CU_ASSERT_EQUAL(gate_reply()->status, 504);
}

static void test_attempts_are_bounded(void)
{
	gate.settings.attempts_max = 2;
	CU_ASSERT_PTR_NULL(ask_out());
	CU_ASSERT_EQUAL(gate.sent[0].deadline_ms, 2000);
	gate_answer(0, 500);
	CU_ASSERT_EQUAL(gate.sent[1].deadline_ms, 9000);
	gate_answer(1, 500);
	CU_ASSERT_EQUAL(gate.sent_count, 2);
	CU_ASSERT_EQUAL(gate_reply()->status, 500);
}

static void test_no_time_left(void)
{
	gate.settings.attempt_deadline_ms = 20000;
	CU_ASSERT_PTR_NULL(ask_out());
	CU_ASSERT_EQUAL(gate.sent[0].deadline_ms, 9000);
	gate_advance_ms(8951);
	gate_answer(0, 503);
	CU_ASSERT_EQUAL(gate.sent_count, 1);
	CU_ASSERT_EQUAL(gate_reply()->status, 503);
}

static void test_down_comes_last(void)
{
	gate.down[0] = A1;
	gate.down[1] = A2;
	CU_ASSERT_PTR_NULL(ask_out());
	gate_keep_silent();
	CU_ASSERT_EQUAL_FATAL(gate.sent_count, 3);
	CU_ASSERT_STRING_EQUAL(gate.sent[0].next_hop, A3);
	CU_ASSERT_STRING_EQUAL(gate.sent[1].next_hop, A1);
	CU_ASSERT_STRING_EQUAL(gate.sent[2].next_hop, A2);
	CU_ASSERT_EQUAL(gate.sent[2].deadline_ms, 2000);
}

/* It may be the only one: what waits for it is not to crowd out the others. */
static void test_what_is_down_is_not_waited_for(void)
{
	CU_ASSERT_PTR_NULL(ask_in());
	gate.down[0] = gate_last()->next_hop;
	CU_ASSERT_PTR_NULL(ask_in());
	CU_ASSERT_EQUAL(gate_last()->deadline_ms, 2000);
}

/* Each answer of the first, whether the second is asked. */
static void test_when_to_fail_over(void)
{
	static const struct {
		int status;
		bool goes_on;
	} cases[] = {
		{ SIP_NO_ANSWER, true }, { 408, true },	 { 500, true },
		{ 502, true },		 { 503, true },	 { 504, true },
		{ 200, false },		 { 202, false }, { 302, false },
		{ 400, false },		 { 403, false }, { 404, false },
		{ 481, false },		 { 482, false }, { 483, false },
		{ 600, false },		 { 603, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t before = gate.sent_count;

		CU_ASSERT_PTR_NULL(ask_out());
		gate_answer(before, cases[i].status);
		CU_ASSERT_EQUAL(gate.sent_count - before,
				cases[i].goes_on ? 2 : 1);
		CU_ASSERT_EQUAL(gate_reply() == NULL, cases[i].goes_on);
		if (cases[i].goes_on)
			gate_answer(before + 1, 200);
	}
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

static void test_the_last_answer_counts(void)
{
	static const int cases[][3] = {
		{ 503, SIP_NO_ANSWER, 504 }, { SIP_NO_ANSWER, 503, 503 },
		{ 408, 500, 500 },	     { 500, 408, 504 },
		{ 500, 481, 481 },	     { SIP_NO_ANSWER, 200, 200 },
	};

	gate.settings.attempts_max = 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t first = gate.sent_count;

		CU_ASSERT_PTR_NULL(ask_out());
		gate_answer(first, cases[i][0]);
		gate_answer(first + 1, cases[i][1]);
		CU_ASSERT_EQUAL(gate_reply()->status, cases[i][2]);
	}
}

/* The first is no more asked: what it says late is no news. */
static void test_late_answer(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate_advance_ms(2000);
	gate_answer(0, SIP_NO_ANSWER);
	gate_answer(0, 403);
	CU_ASSERT_PTR_NULL(gate_reply());
	CU_ASSERT_EQUAL(gate_statistic("gateway.late_answers"), 1);
	gate_answer(1, 200);
	CU_ASSERT_EQUAL(gate_reply()->status, 200);
	CU_ASSERT_EQUAL(gate.reply_count, 1);
}

static void test_same_document_everywhere(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate_answer(0, 500);
	CU_ASSERT_STRING_EQUAL(gate.sent[0].body, gate.sent[1].body);
	CU_ASSERT_STRING_EQUAL(gate.sent[0].head, gate.sent[1].head);
	CU_ASSERT_EQUAL(gate.sent[1].max_forwards, 69);
}

static void test_cannot_be_sent(void)
{
	gate.send_error = EINVAL;
	gate.send_error_hop = A1;
	CU_ASSERT_PTR_NULL(ask_out());
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A2);
	gate_answer(0, 200);
	CU_ASSERT_EQUAL(gate_reply()->status, 200);

	gate.send_error_hop = NULL;
	CU_ASSERT_EQUAL(ask_out()->status, 504);
	gate.send_error = EBUSY;
	CU_ASSERT_EQUAL(ask_out()->status, 503);
	CU_ASSERT_EQUAL(gate_reply()->retry_after_s, 2);
	gate.send_error = ENOMEM;
	CU_ASSERT_EQUAL(ask_out()->status, 503);
	CU_ASSERT_EQUAL(gate_statistic("gateway.unavailable"), 2);
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

/* After a 503 no way to the others: the 503 is what we know. */
static void test_others_cannot_be_sent(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate.send_error = EINVAL;
	gate_answer_full(0, &(struct sip_answer){ .status = 503,
						  .retry_after_s = 4 });
	CU_ASSERT_EQUAL(gate_reply()->status, 503);
	CU_ASSERT_EQUAL(gate_reply()->retry_after_s, 4);
}

static void test_weights(void)
{
	unsigned second = 0;

	gate_list(&gate.systems[0].next_hops, A1 " 1 3", A2 " 1 1", NULL);
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	for (unsigned i = 0; i < 200; i++) {
		struct mcinfo info = gate_request(VISITOR, ALICE);

		info.procedure_id.bytes[0] = (uint8_t)(i * 7);
		CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
		second += !strcmp(gate_last()->next_hop, A2);
		gate_answer(i, 200);
	}
	CU_ASSERT_TRUE(second > 25 && second < 75);
}

/* ------------------------------------------------------------------ bounds */

static void test_max_forwards(void)
{
	static const struct {
		unsigned received, sent;
	} cases[] = { { 255, 70 }, { 72, 70 }, { 71, 70 }, { 70, 69 },
		      { 30, 29 },  { 2, 1 },   { 1, 0 },   { 0, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct gate_reply *reply;

		gate.inbound.max_forwards = cases[i].received;
		reply = ask_out();
		if (cases[i].sent) {
			CU_ASSERT_PTR_NULL(reply);
			CU_ASSERT_EQUAL(gate_last()->max_forwards,
					cases[i].sent);
			continue;
		}
		CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
		CU_ASSERT_EQUAL(reply->status, 483);
		CU_ASSERT_STRING_EQUAL(reply->warning, "too many hops");
	}
	CU_ASSERT_EQUAL(gate.sent_count, 6);
	CU_ASSERT_EQUAL(gate_statistic("gateway.looped"), 2);
}

static void test_relays_are_bounded(void)
{
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_PTR_NULL(ask_out());
	CU_ASSERT_EQUAL(gate_pending(), 100);
	CU_ASSERT_EQUAL(gate_statistic("gateway.relays"), 100);
	CU_ASSERT_EQUAL(ask_out()->status, 503);
	CU_ASSERT_EQUAL(gate_reply()->retry_after_s, 2);
	/* Those under way still find their next hop. */
	gate_answer(0, 500);
	gate_answer(100, 200);
	CU_ASSERT_PTR_NULL(ask_out());
	CU_ASSERT_EQUAL(gate_statistic("gateway.unavailable"), 1);
}

/* A silent system has so many places and no more. */
static void test_relays_to_one_system_are_bounded(void)
{
	const struct mcinfo to_c = gate_request(VISITOR, CAROL);
	const struct gate_reply *reply;

	gate.settings.party_relays_max = 3;
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_PTR_NULL(ask_out());
	reply = ask_out();
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &to_c));
	gate_answer(0, 200);
	CU_ASSERT_PTR_NULL(ask_out());
}

static void test_draining(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	gate_drain();
	CU_ASSERT_EQUAL(gate_pending(), 1);
	CU_ASSERT_EQUAL(ask_out()->status, 503);
	CU_ASSERT_TRUE(gate_reply()->retry_after_s > 0);
	/* What is under way ends as ever, by failover too. */
	gate_answer(0, 500);
	CU_ASSERT_EQUAL(gate_pending(), 1);
	gate_answer(1, 200);
	CU_ASSERT_EQUAL(gate_pending(), 0);
	CU_ASSERT_EQUAL(gate.reply_count, 2);
	CU_ASSERT_EQUAL(gate.replies[1].status, 200);
}

static void test_stopped_under_way(void)
{
	CU_ASSERT_PTR_NULL(ask_out());
	CU_ASSERT_PTR_NULL(ask_in());
	gate_stop();
	CU_ASSERT_EQUAL(gate.reply_count, 0);
	gate_start(); /* as after a crash: nothing is left of them */
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

/* ---------------------------------------------------------------- documents */

static void check_raw(const char *type, const char *body, int status)
{
	const struct gate_reply *reply =
	    gate_receive_raw(A1_HOST, type, body, body ? strlen(body) : 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	CU_ASSERT_EQUAL(reply->status, status);
	CU_ASSERT_EQUAL(reply->has_accept, status == 415);
	CU_ASSERT_TRUE(*reply->warning);
	CU_ASSERT_PTR_NULL(strstr(reply->warning, "secret"));
}

static void test_bad_documents(void)
{
	static const char type[] = "application/vnd.3gpp.mcptt-info+xml";

	check_raw(NULL, NULL, 415);
	check_raw("text/plain", "secret", 415);
	check_raw(type, "", 400);
	check_raw(type, "<secret/>", 400);
	check_raw(type, "<!DOCTYPE secret><secret/>", 400);
	check_raw(type, "secret", 400);
	CU_ASSERT_EQUAL(gate.sent_count, 0);
	CU_ASSERT_EQUAL(gate_statistic("gateway.refused_document"), 6);
	CU_ASSERT_EQUAL(gate_statistic("gateway.received"), 6);
}

static CU_TestInfo relay_tests[] = {
	{ "a request leaves (step 4)", test_request_leaves },
	{ "a response enters (step 10)", test_response_enters },
	{ "a request enters, its response leaves (steps 5, 9)",
	  test_request_enters_and_response_leaves },
	{ "each service in its own form", test_other_services },
	{ "hidden means hidden", test_hidden },
	{ "which answer goes back", test_statuses },
	{ "a next hop says 200 and never delivers",
	  test_says_200_and_never_delivers },
	{ "a next hop answers twice", test_answers_twice },
	{ "order and deadlines of next hops", test_order_and_deadlines },
	{ "the only next hop gets the whole time",
	  test_one_hop_gets_the_whole },
	{ "attempts are bounded", test_attempts_are_bounded },
	{ "no time left for another", test_no_time_left },
	{ "what is down comes last", test_down_comes_last },
	{ "what is down is not waited for",
	  test_what_is_down_is_not_waited_for },
	{ "which answers go to the next one", test_when_to_fail_over },
	{ "the last answer counts", test_the_last_answer_counts },
	{ "an answer after failover", test_late_answer },
	{ "the same document at each next hop", test_same_document_everywhere },
	{ "next hops that cannot be sent to", test_cannot_be_sent },
	{ "after a 503 no way to the others", test_others_cannot_be_sent },
	{ "weights", test_weights },
	{ "Max-Forwards", test_max_forwards },
	{ "relays are bounded", test_relays_are_bounded },
	{ "relays to one system are bounded",
	  test_relays_to_one_system_are_bounded },
	{ "draining", test_draining },
	{ "stopped with relays under way", test_stopped_under_way },
	{ "documents that are none", test_bad_documents },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "gateway: relays", NULL, NULL, setup, teardown, relay_tests },
	{ "gateway: who may speak", NULL, NULL, setup, teardown,
	  gateway_peer_tests },
	{ "gateway: settings", NULL, NULL, gate_prepare, teardown,
	  gateway_setting_tests },
	{ "gateway: no memory", gateway_alloc_suite_init, NULL, NULL, NULL,
	  gateway_alloc_tests },
	CU_SUITE_INFO_NULL,
};
