/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients behind the IMS, and users who are registered at home again. */
#include <errno.h>
#include <string.h>

#include "migration_steps.h"
#include "migration_tests.h"

#define IMPU "sip:impu@b.example" /* the client's public user identity */
#define SCSCF "sip:" IMS_HOST ":6060;transport=tcp"
#define SCSCF_2 "sip:198.51.100.201:6060;transport=tcp"
#define SCSCF_3 "sip:198.51.100.202:6060;transport=tcp"
#define ICSI "urn:urn-7:3gpp-service.ims.icsi."

/* What the network says of the next client; of servers it says nothing. */
static struct {
	const char *identities[SIP_IDENTITIES_MAX];
	struct sip_network_headers headers;
} network;

static void run(void)
{
	server_start();
	server_up();
}

static void start(void)
{
	server.has_ims = true;
	server.ims_hops[0] = SCSCF;
	network.identities[0] = IMPU;
	network.identities[1] = NULL;
	network.headers = (struct sip_network_headers){
		.route = IMS_ROUTE,
		.asserted_service = ICSI "mcptt",
		.session_case = "orig",
	};
	server_set_sender(SCSCF);
	run();
}

static const struct reply *ask(const char *source_host, unsigned number)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, number, VISITOR, ALICE);

	const struct reply *reply;

	memcpy(server.asserted_identities, network.identities,
	       sizeof(network.identities));
	server.asserted_identity_count =
	    !!network.identities[0] + !!network.identities[1];
	server.network = network.headers;
	reply = server_receive(source_host, &info);
	server.asserted_identity_count = 0;
	server.network = (struct sip_network_headers){ .route = NULL };
	return reply;
}

/* Until the response to the client is on its way: its index. */
static size_t ask_until_response(unsigned number)
{
	size_t request = server.sent_count;

	CU_ASSERT_EQUAL_FATAL(ask(IMS_HOST, number)->status, 200);
	server_answer(request, 200);
	CU_ASSERT_EQUAL(primary_answers(request, CAUSE_NONE), 200);
	CU_ASSERT_EQUAL_FATAL(server.sent_count, request + 2);
	return request + 1;
}

/* -------------------------------------------------------------- there and back */

static void test_a_terminating_request(void)
{
	const struct sent *sent;
	char first[128];

	start();
	sent = &server.sent[ask_until_response(1)];
	CU_ASSERT_STRING_EQUAL(server_procedure(ALICE, 1)->client_identity,
			       IMPU);
	CU_ASSERT_STRING_EQUAL(server_procedure(ALICE, 1)->client_uri, SCSCF);
	CU_ASSERT_STRING_EQUAL(sent->request_uri, IMPU);
	CU_ASSERT_STRING_EQUAL(sent->next_hop, SCSCF);
	CU_ASSERT_STRING_EQUAL(sent->route, "<" SCSCF ";lr>");
	CU_ASSERT_STRING_EQUAL(sent->certificate_name, "dns:scscf.b.example");
	CU_ASSERT_STRING_EQUAL(server.ims_asked[0], IMPU);
	CU_ASSERT_STRING_EQUAL(server.ims_asked[1], SCSCF);
	CU_ASSERT_EQUAL(sent->deadline_ms, 12000);
	CU_ASSERT_PTR_EQUAL(strstr(sent->charging_vector, "icid-value=\""),
			    sent->charging_vector);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(sent->charging_vector, ";orig-ioi=\"b.example\""));
	/* To the other server nothing of it goes. */
	CU_ASSERT_STRING_EQUAL(server.sent[0].route, "");
	CU_ASSERT_STRING_EQUAL(server.sent[0].charging_vector, "");
	/* Once more: another request, with a charging identity of its own. */
	strcpy(first, sent->charging_vector);
	server_answer(server_last_index(), 480);
	server_answer(next_within(5000), 200);
	CU_ASSERT(strcmp(server_last()->charging_vector, first) != 0);
	CU_ASSERT_EQUAL(live_count(), 0);
}

static void test_without_the_module(void)
{
	const struct sent *sent;

	start();
	server_stop();
	server.has_ims = false;
	run();
	sent = &server.sent[ask_until_response(1)];
	CU_ASSERT_STRING_EQUAL(server_procedure(ALICE, 1)->client_identity, "");
	CU_ASSERT_STRING_EQUAL(sent->request_uri, VISITOR);
	CU_ASSERT_STRING_EQUAL(sent->next_hop, SCSCF);
	CU_ASSERT_STRING_EQUAL(sent->route, "");
	CU_ASSERT_STRING_EQUAL(sent->charging_vector, "");
}

static void test_its_restart(void)
{
	start();
	server_answer(ask_until_response(1), 480);
	server_stop();
	run();
	CU_ASSERT_STRING_EQUAL(server_last()->request_uri, IMPU);
	CU_ASSERT_STRING_EQUAL(server_last()->route, "<" SCSCF ";lr>");
	server_answer(server_last_index(), 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	/* And without the module: as good as it goes. */
	server_answer(ask_until_response(2), 480);
	server_stop();
	server.has_ims = false;
	run();
	CU_ASSERT_STRING_EQUAL(server_last()->request_uri, VISITOR);
	CU_ASSERT_STRING_EQUAL(server_last()->route, "");
}

/* ------------------------------------------------------------------- ways */

static void test_all_ways_in_turn(void)
{
	static const char *const order[] = { SCSCF, SCSCF_3, SCSCF_2, SCSCF };

	start();
	server.ims_hops[1] = SCSCF_2;
	server.ims_hops[2] = SCSCF_3;
	server.hop_down = SCSCF_2;
	ask_until_response(1);
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		CU_ASSERT_STRING_EQUAL(server_last()->next_hop, order[i]);
		/* Only the last has the whole time. */
		CU_ASSERT_EQUAL(server_last()->deadline_ms,
				i == 2 ? 12000 : 4000);
		server_answer(server_last_index(), SIP_NO_ANSWER);
		next_within(60000);
	}
}

static void test_no_way(void)
{
	start();
	server.ims_hops[0] = NULL;
	CU_ASSERT_EQUAL(ask(IMS_HOST, 1)->status, 200);
	server_answer(0, 200);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	server_wait_ms(10000);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	server.ims_hops[0] = SCSCF;
	server_answer(next_within(60000), 200);
	CU_ASSERT_EQUAL(live_count(), 0);
}

/* The same client asks again, by another node, or as another identity. */
static void test_a_client_that_moves(void)
{
	size_t response;

	start();
	response = ask_until_response(1);
	CU_ASSERT_EQUAL(ask(IMS_HOST, 1)->status, 200);
	CU_ASSERT_EQUAL(server.sent_count, response + 1);
	network.identities[0] = "sip:other@b.example";
	CU_ASSERT_EQUAL(ask(IMS_HOST, 1)->status, 200);
	CU_ASSERT_EQUAL_FATAL(server.sent_count, response + 2);
	CU_ASSERT_STRING_EQUAL(server_last()->request_uri,
			       "sip:other@b.example");
	/* What the former one says ends nothing. */
	server_answer(response + 1, 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	/* From now on without the IMS. */
	response = server.sent_count;
	server_set_sender(CLIENT_URI);
	CU_ASSERT_EQUAL(ask(CLIENT_HOST, 1)->status, 200);
	CU_ASSERT_EQUAL_FATAL(server.sent_count, response + 1);
	CU_ASSERT_STRING_EQUAL(server_last()->next_hop, CLIENT_URI);
	CU_ASSERT_STRING_EQUAL(server_last()->request_uri, VISITOR);
	CU_ASSERT_STRING_EQUAL(server_last()->route, "");
	CU_ASSERT_STRING_EQUAL(server_procedure(ALICE, 1)->client_identity, "");
}

/* ------------------------------------------------------------ what is believed */

struct said {
	const char *identities[2];
	const char *route, *service, *session_case;
	int status;
	const char *identity; /* that counts */
};

static const struct said said[] = {
	{ { IMPU }, IMS_ROUTE, ICSI "mcptt", "orig", 200, IMPU },
	{ { IMPU }, NULL, NULL, NULL, 200, IMPU },
	{ { "sip:%69mpu@B.Example" }, NULL, NULL, NULL, 200, IMPU },
	{ { IMPU, "tel:+1" }, NULL, NULL, NULL, 200, IMPU },
	{ { "tel:+1", IMPU }, NULL, NULL, NULL, 200, IMPU },
	{ { "sip:+1@b.example;user=phone" },
	  NULL,
	  NULL,
	  NULL,
	  200,
	  "sip:+1@b.example;user=phone" },
	{ { IMPU },
	  NULL,
	  "URN:urn-7:3gpp-service.ims.icsi.mcptt",
	  NULL,
	  200,
	  IMPU },
	{ { NULL }, NULL, NULL, NULL, 403, NULL },
	{ { "tel:+1" }, NULL, NULL, NULL, 403, NULL },
	{ { IMPU, "sip:other@b.example" }, NULL, NULL, NULL, 403, NULL },
	{ { IMPU, "mailto:x@b.example" }, NULL, NULL, NULL, 403, NULL },
	{ { "sip:b.example" }, NULL, NULL, NULL, 403, NULL },
	{ { IMPU }, "sip:elsewhere.example;lr", NULL, NULL, 403, NULL },
	{ { IMPU }, NULL, ICSI "mcvideo", NULL, 403, NULL },
	{ { IMPU }, NULL, NULL, "term", 403, NULL },
	{ { IMPU }, NULL, NULL, "orig-cdiv", 403, NULL },
};

static void test_what_the_ims_says(void)
{
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		const struct said *row = &said[i];
		int status;

		start();
		memcpy(network.identities, row->identities,
		       sizeof(row->identities));
		network.headers.route = row->route;
		network.headers.asserted_service = row->service;
		network.headers.session_case = row->session_case;
		status = ask(IMS_HOST, (unsigned)i)->status;
		if (status != row->status)
			fprintf(stderr, "%zu: %d\n", i, status);
		CU_ASSERT_EQUAL(status, row->status);
		CU_ASSERT_EQUAL(server_statistic("migration.refused_ims"),
				row->status == 403);
		if (row->identity) {
			CU_ASSERT_STRING_EQUAL(server_procedure(ALICE,
								(unsigned)i)
						   ->client_identity,
					       row->identity);
		} else {
			CU_ASSERT_PTR_NULL(
			    server_procedure(ALICE, (unsigned)i));
		}
		server_stop();
	}
}

/* Whoever is no peer of the IMS says nothing of that. */
static void test_what_others_say(void)
{
	start();
	server_set_sender(CLIENT_URI);
	network.headers.session_case = "term";
	network.headers.route = "sip:elsewhere.example;lr";
	CU_ASSERT_EQUAL(ask(CLIENT_HOST, 1)->status, 200);
	CU_ASSERT_STRING_EQUAL(server_procedure(ALICE, 1)->client_identity, "");
	CU_ASSERT_EQUAL(server_statistic("migration.untrusted_headers"), 1);
	CU_ASSERT_EQUAL(server_statistic("migration.refused_ims"), 0);
	network.headers = (struct sip_network_headers){ .privacy = "id" };
	network.identities[0] = NULL;
	CU_ASSERT_EQUAL(ask(CLIENT_HOST, 2)->status, 200);
	CU_ASSERT_EQUAL(server_statistic("migration.untrusted_headers"), 1);
}

/* Nor does one that speaks for an MC system: it asserts that system. */
static void test_a_server_at_the_same_place(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, GUEST, BOB);

	server.a_servers[0] = (struct directory_server){ SCSCF, 1, 1 };
	info.sequence = 7;
	start();
	server.asserted_identities[0] = "sip:a.example";
	server.asserted_identity_count = 1;
	CU_ASSERT_EQUAL(server_receive(IMS_HOST, &info)->status, 200);
	/* But we are no proxy for it. */
	server.network.route = "sip:elsewhere.example;lr";
	CU_ASSERT_EQUAL(server_receive(IMS_HOST, &info)->status, 403);
}

static void test_its_nodes_are_clients_sources(void)
{
	static char elsewhere[] = "203.0.113.0/24";
	static char *values[] = { elsewhere };
	struct sip_reply refusal = { 0 };

	server.settings.clients = (struct setting_list){ values, 1 };
	start();
	CU_ASSERT_TRUE(server_asks_source(IMS_HOST, &refusal));
	CU_ASSERT_FALSE(server_asks_source(CLIENT_HOST, &refusal));
	server_stop();
	server.has_ims = false;
	run();
	CU_ASSERT_FALSE(server_asks_source(IMS_HOST, &refusal));
}

/* -------------------------------------------------------------- home again */

static const struct reply *registers(const char *identity, bool *is_answered)
{
	*is_answered = server.registered(server.registered_arg, identity,
					 ++server.transaction);
	server_settle();
	return server_reply_of(server.transaction);
}

/* Bob, by MCPTT alone. */
static void migrate_bob(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_answer(server_last_index(), 200);
	CU_ASSERT_TRUE_FATAL(is_confirmed());
}

static bool is_home(void)
{
	const struct tables_user *user =
	    tables_find_user(server.tables, MC_SERVICE_MCPTT, BOB);

	return user->confirmed_epoch > bobs_migration()->epoch;
}

static void test_home_again(void)
{
	const struct reply *reply;
	bool is_answered;

	server.settings.returned_home = true;
	start();
	migrate_bob();
	CU_ASSERT_FALSE(is_home());
	reply = registers(BOB, &is_answered);
	CU_ASSERT_TRUE(is_answered);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	CU_ASSERT_EQUAL(reply->status, 200);
	CU_ASSERT_TRUE(is_home());
	CU_ASSERT_EQUAL(server_statistic("migration.returned_home"), 1);
	/* Who is there is there. */
	CU_ASSERT_EQUAL(registers(BOB, &is_answered)->status, 200);
	CU_ASSERT_EQUAL(server_statistic("migration.returned_home"), 1);
	CU_ASSERT_EQUAL(server_pending(), 0);
}

static void test_answered_once_durable(void)
{
	handle_t transaction;
	bool is_answered;

	server.settings.returned_home = true;
	start();
	migrate_bob();
	server.hold_writes = true;
	CU_ASSERT_PTR_NULL(registers(BOB, &is_answered));
	CU_ASSERT_TRUE(is_answered);
	CU_ASSERT_EQUAL(server_pending(), 1);
	CU_ASSERT_FALSE(is_home());
	transaction = server.transaction;
	server.hold_writes = false;
	server_settle();
	CU_ASSERT_PTR_NOT_NULL_FATAL(server_reply_of(transaction));
	CU_ASSERT_EQUAL(server_reply_of(transaction)->status, 200);
	CU_ASSERT_TRUE(is_home());
	CU_ASSERT_EQUAL(server_pending(), 0);
}

static void test_home_while_the_store_is_away(void)
{
	const struct reply *reply;
	bool is_answered;

	server.settings.returned_home = true;
	start();
	migrate_bob();
	server.write_error = EIO;
	server.write_is_lost = true;
	reply = registers(BOB, &is_answered);
	CU_ASSERT_TRUE(is_answered);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
	CU_ASSERT_FALSE(is_home());
	server_down();
	CU_ASSERT_EQUAL(registers(BOB, &is_answered)->status, 503);
	CU_ASSERT_TRUE(is_answered);
	CU_ASSERT_EQUAL(server_pending(), 0);
	server_up();
	CU_ASSERT_EQUAL(registers(BOB, &is_answered)->status, 200);
	CU_ASSERT_TRUE(is_home());
}

static void test_whose_home_it_is_not(void)
{
	bool is_answered;
	size_t users;

	server.settings.returned_home = true;
	start();
	users = server.tables->user_count;
	CU_ASSERT_PTR_NULL(registers(ALICE, &is_answered));
	CU_ASSERT_FALSE(is_answered);
	CU_ASSERT_PTR_NULL(
	    registers("sip:+1@b.example;user=phone", &is_answered));
	CU_ASSERT_FALSE(is_answered);
	/* Of our domain, but nobody: nothing is written. */
	CU_ASSERT_EQUAL(registers("sip:nobody@b.example", &is_answered)->status,
			200);
	CU_ASSERT_EQUAL(server.tables->user_count, users);
	CU_ASSERT_EQUAL(server_statistic("migration.returned_home"), 0);
}

static void test_only_when_wanted(void)
{
	struct migration_settings settings;

	server.settings.returned_home = true;
	CU_ASSERT_EQUAL(server_init_error(), EINVAL);
	server.settings.returned_home = false;
	start();
	CU_ASSERT_PTR_NULL(server.registered);
	settings = server.settings;
	settings.returned_home = true;
	CU_ASSERT_EQUAL(server_reload(&settings), 0);
	CU_ASSERT_PTR_NOT_NULL(server.registered);
	CU_ASSERT_EQUAL(server_reload(&server.settings), 0);
	CU_ASSERT_PTR_NULL(server.registered);
	server_stop();
	server.has_ims = false;
	run();
	CU_ASSERT_EQUAL(server_reload(&settings), EINVAL);
}

CU_TestInfo ims_tests[] = {
	{ "a terminating request", test_a_terminating_request },
	{ "without the module", test_without_the_module },
	{ "its restart", test_its_restart },
	{ "all ways in turn", test_all_ways_in_turn },
	{ "no way", test_no_way },
	{ "a client that moves", test_a_client_that_moves },
	{ "what the IMS says", test_what_the_ims_says },
	{ "what others say", test_what_others_say },
	{ "a server at the same place", test_a_server_at_the_same_place },
	{ "its nodes are clients' sources",
	  test_its_nodes_are_clients_sources },
	{ "home again", test_home_again },
	{ "answered once durable", test_answered_once_durable },
	{ "home while the store is away", test_home_while_the_store_is_away },
	{ "whose home it is not", test_whose_home_it_is_not },
	{ "only when wanted", test_only_when_wanted },
	CU_TEST_INFO_NULL,
};
