/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may say what at a gateway: each of the bad inputs with its status, its
 * Warning and its counter, and nothing sent on.
 */
#include <stdio.h>
#include <string.h>

#include "gateway_fixture.h"
#include "gateway_tests.h"

#define DAVE "sip:dave@c.example"
#define NOBODY "sip:x@nobody.example"

#define MAY_NOT "peer may not speak for this MC system"
#define NOT_OF_PEER "P-Asserted-Identity is not of this peer"
#define NOT_AUTHORIZED \
	"179 service not authorized with the interconnected system"

static void check_refused(const struct gate_reply *reply, const char *what,
			  int status, const char *warning, const char *counter)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	CU_ASSERT_EQUAL(reply->status, status);
	CU_ASSERT_EQUAL(reply->warn_code, 399);
	CU_ASSERT_STRING_EQUAL(reply->warning, warning);
	CU_ASSERT_EQUAL(gate.sent_count, 0);
	CU_ASSERT_EQUAL(gate_pending(), 0);
	CU_ASSERT_EQUAL(gate_statistic(counter), 1);
	if (reply->status != status || strcmp(reply->warning, warning))
		fprintf(stderr, "%s: %d %s\n", what, reply->status,
			reply->warning);
}

/* A fresh gateway for each. */
static void restart(void)
{
	gate_stop();
	gate_prepare();
	gate_start();
}

/* ----------------------------------------------------------------- the IDs */

struct claim {
	const char *what;
	const char *host;
	bool is_response;
	const char *partner_id, *primary_id;
	int status; /* 0: goes on */
	const char *warning;
	const char *counter;
};

static const struct claim claims[] = {
	/* Requests: the partner ID's system speaks. */
	{ "our visitor's request leaves", B1_HOST, false, VISITOR, ALICE, 0,
	  NULL, NULL },
	{ "their guest's request enters", A1_HOST, false, GUEST, BOB, 0, NULL,
	  NULL },
	{ "our server for a partner of another system", B1_HOST, false, GUEST,
	  ALICE, 403, MAY_NOT, "gateway.refused_peer" },
	{ "our server for a partner of nobody", B1_HOST, false, NOBODY, ALICE,
	  404, "partner MC system unknown", "gateway.refused_unknown" },
	{ "our server to a primary of nobody", B1_HOST, false, VISITOR, NOBODY,
	  404, "primary MC system unknown", "gateway.refused_unknown" },
	{ "our server for two of ours", B1_HOST, false, VISITOR, BOB, 400,
	  "both MC service IDs are of the same MC system",
	  "gateway.refused_unknown" },
	{ "a partner ID of a third system", A1_HOST, false, CAROL, BOB, 403,
	  MAY_NOT, "gateway.refused_peer" },
	{ "a partner ID of ours from outside", A1_HOST, false, VISITOR, BOB,
	  403, MAY_NOT, "gateway.refused_peer" },
	{ "a partner ID of nobody", A1_HOST, false, NOBODY, BOB, 404,
	  "partner MC system unknown", "gateway.refused_unknown" },
	{ "a primary ID of a third system", A1_HOST, false, GUEST, DAVE, 403,
	  MAY_NOT, "gateway.refused_peer" },
	{ "both IDs of the sender", A1_HOST, false, GUEST, ALICE, 403, MAY_NOT,
	  "gateway.refused_peer" },
	{ "a primary ID of nobody", A1_HOST, false, GUEST, NOBODY, 404,
	  "primary MC system unknown", "gateway.refused_unknown" },
	{ "swapped IDs", A1_HOST, false, BOB, GUEST, 403, MAY_NOT,
	  "gateway.refused_peer" },
	{ "the request of another's partner", C1_HOST, false, GUEST, BOB, 403,
	  MAY_NOT, "gateway.refused_peer" },

	/* Responses: the primary ID's system speaks. */
	{ "their response enters", A1_HOST, true, VISITOR, ALICE, 0, NULL,
	  NULL },
	{ "our response leaves", B1_HOST, true, GUEST, BOB, 0, NULL, NULL },
	{ "a response from the wrong system", C1_HOST, true, VISITOR, ALICE,
	  403, MAY_NOT, "gateway.refused_peer" },
	{ "a response of the partner", A1_HOST, true, GUEST, BOB, 403, MAY_NOT,
	  "gateway.refused_peer" },
	{ "a response with swapped IDs", A1_HOST, true, ALICE, VISITOR, 403,
	  MAY_NOT, "gateway.refused_peer" },
	{ "a response for a third system's partner", A1_HOST, true, CAROL,
	  ALICE, 403, MAY_NOT, "gateway.refused_peer" },
	{ "a response of nobody's primary", A1_HOST, true, VISITOR, NOBODY, 404,
	  "primary MC system unknown", "gateway.refused_unknown" },
	{ "a response to nobody", A1_HOST, true, NOBODY, ALICE, 404,
	  "partner MC system unknown", "gateway.refused_unknown" },
	{ "our response of another's primary", B1_HOST, true, VISITOR, ALICE,
	  403, MAY_NOT, "gateway.refused_peer" },
	{ "our response to ourselves", B1_HOST, true, VISITOR, BOB, 400,
	  "both MC service IDs are of the same MC system",
	  "gateway.refused_unknown" },

	/* Whom the source handler keeps away, is refused here too. */
	{ "of an unknown host", "127.2.9.9", false, GUEST, BOB, 403, MAY_NOT,
	  "gateway.refused_peer" },
	{ "of an unknown host inside", "127.1.9.9", false, VISITOR, ALICE, 403,
	  MAY_NOT, "gateway.refused_peer" },
};

static void check_claim(const struct claim *claim)
{
	const struct mcinfo info =
	    claim->is_response
		? gate_response(claim->partner_id, claim->primary_id,
				CAUSE_NONE)
		: gate_request(claim->partner_id, claim->primary_id);
	const struct gate_reply *reply;

	restart();
	reply = gate_receive(claim->host, &info);
	if (claim->status) {
		check_refused(reply, claim->what, claim->status, claim->warning,
			      claim->counter);
		return;
	}
	CU_ASSERT_PTR_NULL(reply);
	CU_ASSERT_EQUAL(gate.sent_count, 1);
	if (reply)
		fprintf(stderr, "%s: %d %s\n", claim->what, reply->status,
			reply->warning);
}

static void test_claims(void)
{
	for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++)
		check_claim(&claims[i]);
}

static void test_ids_as_given(void)
{
	const struct mcinfo info =
	    gate_request("SIP:%76isitor@B.EXAMPLE", "sip:alice@A.Example");
	struct mcinfo out;

	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	out = gate_document(0);
	CU_ASSERT_STRING_EQUAL(out.partner_id, "SIP:%76isitor@B.EXAMPLE");
	CU_ASSERT_STRING_EQUAL(out.primary_id, "sip:alice@A.Example");
	mcinfo_clear(&out);
}

/* ------------------------------------------------------------ what clients say */

static void test_clients(void)
{
	static char token[] = "eyJhbGciOiJub25lIn0.secret.";
	struct mcinfo info = gate_request(VISITOR, ALICE);

	info.access_token = token;
	check_refused(gate_receive(B1_HOST, &info), "token", 403,
		      "access token not allowed here",
		      "gateway.refused_client");
	restart();
	info = gate_request(GUEST, BOB);
	info.access_token = token;
	info.sequence = 0;
	check_refused(gate_receive(A1_HOST, &info), "token from outside", 403,
		      "access token not allowed here",
		      "gateway.refused_client");
	restart();
	info = gate_request(VISITOR, ALICE);
	info.sequence = 0;
	check_refused(gate_receive(B1_HOST, &info), "sequence", 400,
		      "sequence missing", "gateway.refused_client");
	restart();
	info = gate_response(VISITOR, ALICE, CAUSE_NONE);
	info.sequence = 0;
	check_refused(gate_receive(A1_HOST, &info), "response's sequence", 400,
		      "sequence missing", "gateway.refused_client");
	restart();
	info = gate_request(VISITOR, ALICE);
	info.has_procedure_id = false;
	check_refused(gate_receive(B1_HOST, &info), "procedure", 400,
		      "procedure ID missing", "gateway.refused_client");
}

/* ------------------------------------------------------ P-Asserted-Identity */

static const struct {
	const char *host;
	const char *identities[SIP_IDENTITIES_MAX];
	bool passes;
} assertions[] = {
	{ A1_HOST, { "sip:mcgateway@a.example" }, true },
	{ A1_HOST, { "sip:a.example" }, true },
	{ A1_HOST, { "sips:x@A.EXAMPLE:5061;user=phone" }, true },
	{ A1_HOST, { "sip:a.example", "sip:x@a.example" }, true },
	{ A1_HOST, { "sip:mcgateway@b.example" }, false },
	{ A1_HOST, { "sip:mcgateway@c.example" }, false },
	{ A1_HOST, { "sip:a.example@c.example" }, false },
	{ A1_HOST, { "sip:c.example;x=a.example" }, false },
	{ A1_HOST, { "sip:a.example", "sip:c.example" }, false },
	{ A1_HOST, { "sip:sub.a.example" }, false },
	{ A1_HOST, { "sip:" }, false },
	{ A1_HOST, { "" }, false },
	{ A1_HOST, { "a.example" }, false },
	{ A1_HOST, { "tel:+15550100" }, true },
	{ A1_HOST, { "http://a.example/" }, false },
	{ B1_HOST, { "sip:b.example" }, true },
	{ B1_HOST, { "sip:b1@b.example" }, true },
	{ B1_HOST, { "sip:a.example" }, false },
	{ B1_HOST, { "sip:127.1.2.1" }, false },
};

static void test_identities(void)
{
	for (size_t i = 0; i < sizeof(assertions) / sizeof(*assertions); i++) {
		bool is_ours = !strcmp(assertions[i].host, B1_HOST);
		const struct mcinfo info = is_ours
					       ? gate_request(VISITOR, ALICE)
					       : gate_request(GUEST, BOB);
		const struct gate_reply *reply;

		restart();
		for (size_t j = 0;
		     j < SIP_IDENTITIES_MAX && assertions[i].identities[j]; j++)
			gate.inbound.asserted_identities
			    [gate.inbound.asserted_identity_count++] =
			    assertions[i].identities[j];
		reply = gate_receive(assertions[i].host, &info);
		if (assertions[i].passes) {
			CU_ASSERT_PTR_NULL(reply);
			continue;
		}
		check_refused(reply, assertions[i].identities[0], 403,
			      NOT_OF_PEER, "gateway.refused_identity");
	}
}

/* ---------------------------------------------------------------- the source */

static void test_sources(void)
{
	gate_list(&gate.systems[0].sources, "127.2.44.0/24", NULL);
	gate_list(&gate.servers[0].sources, "127.1.77.7", NULL);
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	CU_ASSERT_EQUAL(gate_ask_source(B1_HOST, SIP_INSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(B2_HOST, SIP_INSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source("127.1.77.7", SIP_INSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source("127.2.44.200", SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(C1_HOST, SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate_statistic("gateway.unknown_peers"), 0);

	/* Each on its side alone. */
	CU_ASSERT_EQUAL(gate_ask_source(B1_HOST, SIP_OUTSIDE), 403);
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_INSIDE), 403);
	CU_ASSERT_EQUAL(gate_ask_source("127.2.45.1", SIP_OUTSIDE), 403);
	CU_ASSERT_EQUAL(gate_ask_source("127.1.9.9", SIP_INSIDE), 403);
	CU_ASSERT_EQUAL(gate_ask_source("", SIP_INSIDE), 403);
	CU_ASSERT_EQUAL(gate_statistic("gateway.unknown_peers"), 5);
}

static void test_network_of_a_system(void)
{
	const struct mcinfo info = gate_request(GUEST, BOB);

	gate_list(&gate.systems[0].sources, "127.2.44.0/24", NULL);
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	CU_ASSERT_PTR_NULL(gate_receive("127.2.44.5", &info));
	CU_ASSERT_EQUAL(gate.sent_count, 1);
}

/* Without an outside every listener serves both sides. */
static void test_single_homed(void)
{
	struct mcinfo info = gate_request(GUEST, BOB);

	gate_stop();
	gate_prepare();
	gate.has_outside = false;
	gate_start();
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_INSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(B1_HOST, SIP_INSIDE), 0);
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &info));
	CU_ASSERT_EQUAL(gate_last()->side, SIP_INSIDE);
	info = gate_request(VISITOR, ALICE);
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	CU_ASSERT_EQUAL(gate_last()->side, SIP_INSIDE);
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A1);
	CU_ASSERT_EQUAL(gate_receive(A1_HOST, &info)->status, 403);
}

/* All on one address: who speaks, its words say, for all that it may be. */
static void test_one_address_for_all(void)
{
	struct mcinfo info = gate_request(GUEST, BOB);

	gate_stop();
	gate_prepare();
	gate.has_outside = false;
	gate_list(&gate.servers[0].sources, A1_HOST, NULL);
	gate_start();
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &info));
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, B1);
	info = gate_request(VISITOR, ALICE);
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &info));
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A1);
	info = gate_request(CAROL, BOB);
	CU_ASSERT_EQUAL(gate_receive(A1_HOST, &info)->status, 403);
}

/* Two systems behind one address: each speaks for both of them. */
static void test_shared_source(void)
{
	struct mcinfo info = gate_request(CAROL, BOB);

	gate_list(&gate.systems[1].sources, A1_HOST, NULL);
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	gate.inbound.asserted_identities[0] = "sip:c.example";
	gate.inbound.asserted_identity_count = 1;
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &info));
	info = gate_request(GUEST, BOB);
	CU_ASSERT_EQUAL(gate_receive(A1_HOST, &info)->status, 403);
}

/* ------------------------------------------------------------------- policy */

static const struct gate_reply *ask(const char *host, enum mcinfo_verb verb,
				    enum mc_service service, bool is_response)
{
	bool is_ours = !strcmp(host, B1_HOST);
	const char *partner = is_ours != is_response ? VISITOR : GUEST;
	const char *primary = is_ours != is_response ? ALICE : BOB;
	struct mcinfo info = is_response
				 ? gate_response(partner, primary, CAUSE_NONE)
				 : gate_request(partner, primary);

	info.verb = verb;
	info.service = service;
	info.has_profile_index = !is_response && verb == MCINFO_AUTHORIZATION;
	return gate_receive(host, &info);
}

static bool passes(const char *host, enum mcinfo_verb verb,
		   enum mc_service service, bool is_response)
{
	const struct gate_reply *reply = ask(host, verb, service, is_response);

	if (!reply) {
		gate_answer(gate.sent_count - 1, 200);
		return true;
	}
	CU_ASSERT_EQUAL(reply->status, 403);
	CU_ASSERT_STRING_EQUAL(reply->warning, NOT_AUTHORIZED);
	return false;
}

static void test_policy(void)
{
	static const enum mc_service mcptt = MC_SERVICE_MCPTT;
	static const enum mc_service mcdata = MC_SERVICE_MCDATA;

	gate_list(&gate.systems[0].requests_to, "mcptt:authorization", NULL);
	gate_list(&gate.systems[0].requests_from, "mcdata:*",
		  "mcptt:deauthorization", NULL);
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	CU_ASSERT_TRUE(passes(B1_HOST, MCINFO_AUTHORIZATION, mcptt, false));
	CU_ASSERT_FALSE(passes(B1_HOST, MCINFO_DEAUTHORIZATION, mcptt, false));
	CU_ASSERT_FALSE(passes(B1_HOST, MCINFO_AUTHORIZATION, mcdata, false));
	CU_ASSERT_FALSE(passes(A1_HOST, MCINFO_AUTHORIZATION, mcptt, false));
	CU_ASSERT_TRUE(passes(A1_HOST, MCINFO_DEAUTHORIZATION, mcptt, false));
	CU_ASSERT_TRUE(passes(A1_HOST, MCINFO_AUTHORIZATION, mcdata, false));
	CU_ASSERT_TRUE(passes(A1_HOST, MCINFO_DEAUTHORIZATION, mcdata, false));
	/* The response of what was let through before passes. */
	CU_ASSERT_TRUE(passes(A1_HOST, MCINFO_AUTHORIZATION, mcptt, true));
	CU_ASSERT_TRUE(passes(B1_HOST, MCINFO_DEAUTHORIZATION, mcptt, true));
	CU_ASSERT_EQUAL(gate_statistic("gateway.refused_policy"), 3);

	gate_list(&gate.systems[0].requests_to, NULL);
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	CU_ASSERT_FALSE(passes(B1_HOST, MCINFO_AUTHORIZATION, mcptt, false));
}

static void test_disabled(void)
{
	gate.systems[0].enabled = false;
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_FALSE(passes(i & 1 ? B1_HOST : A1_HOST,
				       MCINFO_AUTHORIZATION, MC_SERVICE_MCPTT,
				       i & 2));
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate.sent_count, 0);
}

/* ------------------------------------------------------------------- quotas */

static void test_peer_rate(void)
{
	gate.settings.peer_rate = 10;
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_OUTSIDE), 503);
	/* Nobody uses up another's. */
	CU_ASSERT_EQUAL(gate_ask_source(C1_HOST, SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(B1_HOST, SIP_INSIDE), 0);
	gate_advance_ms(100);
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_OUTSIDE), 0);
	CU_ASSERT_EQUAL(gate_ask_source(A1_HOST, SIP_OUTSIDE), 503);
	CU_ASSERT_EQUAL(gate_statistic("gateway.over_peer_rate"), 2);
}

static void test_user_rate(void)
{
	const struct mcinfo of_guest = gate_request(GUEST, BOB);
	const struct mcinfo of_other = gate_request("sip:o@a.example", BOB);

	gate.settings.user_rate = 1;
	CU_ASSERT_EQUAL_FATAL(gate_reload(), 0);
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &of_guest));
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &of_guest));
	CU_ASSERT_EQUAL(gate_receive(A1_HOST, &of_guest)->status, 503);
	CU_ASSERT_TRUE(gate_reply()->retry_after_s > 0);
	CU_ASSERT_STRING_EQUAL(gate_reply()->warning,
			       "quota of this user exhausted");
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &of_other));
	gate_advance_ms(1000);
	CU_ASSERT_PTR_NULL(gate_receive(A1_HOST, &of_guest));
	CU_ASSERT_EQUAL(gate_statistic("gateway.over_user_rate"), 1);
}

CU_TestInfo gateway_peer_tests[] = {
	{ "each claim of each peer", test_claims },
	{ "MC service IDs as they were given", test_ids_as_given },
	{ "what only clients say", test_clients },
	{ "P-Asserted-Identity", test_identities },
	{ "sources, each on its side", test_sources },
	{ "a network of a system", test_network_of_a_system },
	{ "one side for both", test_single_homed },
	{ "one address for all", test_one_address_for_all },
	{ "two systems behind one address", test_shared_source },
	{ "which procedures pass", test_policy },
	{ "a disabled system", test_disabled },
	{ "quota of a peer", test_peer_rate },
	{ "quota of a user", test_user_rate },
	CU_TEST_INFO_NULL,
};
