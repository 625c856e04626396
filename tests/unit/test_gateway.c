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

CU_TestInfo relay_tests[] = {
	{ "a request leaves (step 4)", test_request_leaves },
	{ "a response enters (step 10)", test_response_enters },
	{ "a request enters, its response leaves (steps 5, 9)",
	  test_request_enters_and_response_leaves },
	{ "each service in its own form", test_other_services },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "gateway: relays", NULL, NULL, setup, teardown, relay_tests },
	CU_SUITE_INFO_NULL,
};
