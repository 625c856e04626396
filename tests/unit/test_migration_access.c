/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may speak to a server: sources, identities, credentials, quotas. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "migration_fixture.h"
#include "migration_steps.h"
#include "migration_tests.h"

static char required[] = "required";
static char token[] = "eyJ.of.visitor";

static void start(void)
{
	server_start();
	server_up();
}

static void start_with_tokens(void)
{
	server.settings.tokens = required;
	server.has_authorizer = true;
	start();
}

static const struct reply *ask(unsigned number)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, number, VISITOR, ALICE);

	info.access_token = token;
	return server_receive(CLIENT_HOST, &info);
}

static bool nothing_is_stored(void)
{
	return !server.tables->user_count && !server.tables->procedure_count &&
	       !server.sent_count;
}

/* ------------------------------------------------------------ credentials */

static void test_a_good_token(void)
{
	start_with_tokens();
	server.authorizer_result = AUTHORIZER_ALLOWED;
	CU_ASSERT_EQUAL(ask(1)->status, 200);
	CU_ASSERT_STRING_EQUAL(server.authorized[0], token);
	CU_ASSERT_STRING_EQUAL(server.authorized[1], VISITOR);
	CU_ASSERT_STRING_EQUAL(server.authorized[2], ALICE);
	/* It ends here. */
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_PTR_NULL(server_document(0).access_token);
	CU_ASSERT_PTR_NULL(strstr(server.sent[0].body, token));
}

static void test_a_wrong_token(void)
{
	const struct reply *reply;

	start_with_tokens();
	server.authorizer_result = AUTHORIZER_REFUSED;
	reply = ask(1);
	CU_ASSERT_EQUAL(reply->status, 403);
	CU_ASSERT_EQUAL(reply->warn_code, 399);
	CU_ASSERT_STRING_EQUAL(reply->warning,
			       "101 service authorisation failed");
	CU_ASSERT_EQUAL(server_statistic("migration.refused_token"), 1);
	CU_ASSERT_TRUE(nothing_is_stored());
}

static void test_a_deauthorization_needs_a_token_too(void)
{
	struct mcinfo info =
	    document_request(MCINFO_DEAUTHORIZATION, 1, VISITOR, ALICE);

	start_with_tokens();
	server.authorizer_result = AUTHORIZER_REFUSED;
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 403);
	CU_ASSERT_STRING_EQUAL(server.authorized[0], "");
	CU_ASSERT_TRUE(nothing_is_stored());
}

static void test_keys_that_are_being_fetched(void)
{
	const struct reply *reply;

	start_with_tokens();
	server.authorizer_result = AUTHORIZER_LATER;
	reply = ask(1);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
	CU_ASSERT_EQUAL(server_statistic("migration.refused_token"), 0);
	CU_ASSERT_TRUE(nothing_is_stored());
	server.authorizer_result = AUTHORIZER_ALLOWED;
	CU_ASSERT_EQUAL(ask(1)->status, 200);
}

/* Without an admission of the exact pair the token has to name both. */
static void test_a_token_pins_the_pair(void)
{
	struct tables_admission *admission = &server.tables->admissions[0];

	*admission = (struct tables_admission){ .primary_system = "a.example" };
	server.tables->admission_count = 1;
	start_with_tokens();
	server.authorizer_result = AUTHORIZER_ALLOWED;
	CU_ASSERT_EQUAL(ask(1)->status, 200);
	CU_ASSERT_EQUAL(server_document(server_last_index()).cause,
			CAUSE_NOT_ADMITTED);
	server.authorizer_result = AUTHORIZER_PINNED;
	CU_ASSERT_EQUAL(ask(2)->status, 200);
	CU_ASSERT_FALSE(server_document(server_last_index()).is_response);
}

static void test_a_lab_goes_without(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, VISITOR, ALICE);

	start();
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	server_stop();
	/* But a token that is there has to be right. */
	server.has_authorizer = true;
	server.authorizer_result = AUTHORIZER_REFUSED;
	start();
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	CU_ASSERT_EQUAL(ask(2)->status, 403);
}

static void test_required_without_anybody_who_checks(void)
{
	server.settings.tokens = required;
	CU_ASSERT_EQUAL(server_init_error(), EINVAL);
	server.has_authorizer = true;
	CU_ASSERT_EQUAL(server_init_error(), 0);
}

/* ---------------------------------------------------------------- sources */

static void test_unknown_sources(void)
{
	static char network[] = "198.51.100.0/24";
	static char *values[] = { network };
	struct sip_reply refusal = { 0 };

	start();
	CU_ASSERT_TRUE(server_asks_source("203.0.113.9", &refusal));
	server_stop();
	server.settings.clients = (struct setting_list){ values, 1 };
	start();
	CU_ASSERT_TRUE(server_asks_source(CLIENT_HOST, &refusal));
	CU_ASSERT_TRUE(server_asks_source(PEER_HOST, &refusal));
	CU_ASSERT_TRUE(server_asks_source(GATEWAY_HOST, &refusal));
	CU_ASSERT_EQUAL(refusal.status, 0);
	CU_ASSERT_FALSE(server_asks_source("203.0.113.9", &refusal));
	CU_ASSERT_EQUAL(refusal.status, 403);
	CU_ASSERT_EQUAL(server_statistic("migration.refused_source"), 1);
}

static bool is_taken_over_tls(const char *name)
{
	const struct sip_source source = {
		.transport = SIP_TLS,
		.host = CLIENT_HOST,
		.certificate_names = &name,
		.certificate_name_count = 1,
	};
	struct sip_reply refusal = { 0 };

	return server_asks_about(&source, &refusal);
}

/* No response could leave to one without a name that is known. */
static void test_clients_over_tls_are_named(void)
{
	static char network[] = "0.0.0.0/0", name[] = "dns:ue.b.example";
	static char *values[] = { network, name };

	start();
	CU_ASSERT_FALSE(is_taken_over_tls(name));
	CU_ASSERT_EQUAL(server_statistic("migration.refused_source"), 1);
	server_stop();
	server.settings.clients = (struct setting_list){ values, 2 };
	start();
	CU_ASSERT_TRUE(is_taken_over_tls(name));
	CU_ASSERT_FALSE(is_taken_over_tls("dns:ue.c.example"));
}

static void test_what_is_no_network(void)
{
	static char network[] = "198.51.100.1/24"; /* bits behind the length */
	static char *values[] = { network };
	struct migration_settings settings;

	server.settings.clients = (struct setting_list){ values, 1 };
	CU_ASSERT_EQUAL(server_init_error(), EINVAL);
	server.settings.clients.count = 0;
	start();
	settings = server.settings;
	settings.clients.count = 1;
	CU_ASSERT_EQUAL(server_reload(&settings), EINVAL);
}

static int status_of_request(const char *source)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, GUEST, BOB);

	info.sequence = 7;
	return server_receive(source, &info)->status;
}

static void test_the_path_says_who_speaks(void)
{
	start();
	CU_ASSERT_EQUAL(status_of_request(GATEWAY_HOST), 403);
	CU_ASSERT_EQUAL(status_of_request(PEER_HOST), 200);
	server_stop();
	server.a_by_gateway = true;
	start();
	CU_ASSERT_EQUAL(status_of_request(PEER_HOST), 403);
	CU_ASSERT_EQUAL(server_statistic("migration.refused_source"), 1);
	CU_ASSERT_EQUAL(status_of_request(GATEWAY_HOST), 200);
	CU_ASSERT_STRING_EQUAL(server_last()->next_hop,
			       "sip:" GATEWAY_HOST ":5060;transport=tcp");
}

/* ------------------------------------------------------------- identities */

struct identity {
	const char *uris[SIP_IDENTITIES_MAX];
	bool by_gateway;
	int status;
};

static const struct identity identities[] = {
	{ { "sip:a.example" }, false, 200 },
	{ { "sip:mcptt@A.example:5060;transport=tcp" }, false, 200 },
	{ { "sip:a.example?x=@b.example" }, false, 403 },
	{ { "sip:b.example" }, false, 403 },
	{ { "sip:a.example", "tel:+123" }, false, 200 },
	{ { "sip:a.example", "sip:b.example" }, false, 403 },
	{ { "sip:x@a.example.evil.example" }, false, 403 },
	{ { "sip:a.example@evil.example" }, false, 403 },
	{ { "sip:nobody" }, false, 403 },
	{ { "mailto:x@a.example" }, false, 403 },
	{ { "sip:" }, false, 403 },
	{ { "" }, false, 403 },
	/* Behind our gateway it is ours that speaks. */
	{ { "sip:mcgateway@b.example" }, true, 200 },
	{ { "sip:a.example" }, true, 403 },
};

static void test_identities(void)
{
	for (size_t i = 0; i < sizeof(identities) / sizeof(*identities); i++) {
		const struct identity *row = &identities[i];
		int status;

		server.a_by_gateway = row->by_gateway;
		memcpy(server.asserted_identities, row->uris,
		       sizeof(row->uris));
		server.asserted_identity_count = row->uris[1] ? 2 : 1;
		start();
		status = status_of_request(row->by_gateway ? GATEWAY_HOST
							   : PEER_HOST);
		if (status != row->status)
			fprintf(stderr, "%s: %d\n", row->uris[0], status);
		CU_ASSERT_EQUAL(status, row->status);
		CU_ASSERT_EQUAL(server_statistic("migration.refused_identity"),
				row->status == 403);
		server_stop();
	}
}

/* Whoever is no peer asserts nothing: it is not even looked at. */
static void test_a_client_asserts_nothing(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, VISITOR, ALICE);

	server.asserted_identities[0] = "sip:root@evil.example";
	server.asserted_identity_count = 1;
	start();
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
}

/* ----------------------------------------------------------------- quotas */

static void test_quota_of_a_peer(void)
{
	struct sip_reply refusal = { 0 };

	server.settings.peer_rate = 2;
	start();
	CU_ASSERT_TRUE(server_asks_source(PEER_HOST, &refusal));
	CU_ASSERT_TRUE(server_asks_source(PEER_HOST, &refusal));
	CU_ASSERT_FALSE(server_asks_source(PEER_HOST, &refusal));
	CU_ASSERT_EQUAL(refusal.status, 503);
	CU_ASSERT_TRUE(refusal.retry_after_s > 0);
	/* Others are not of that quota. */
	CU_ASSERT_TRUE(server_asks_source(GATEWAY_HOST, &refusal));
	CU_ASSERT_TRUE(server_asks_source(CLIENT_HOST, &refusal));
	CU_ASSERT_EQUAL(server_statistic("migration.over_peer_rate"), 1);
	server_wait_ms(1000);
	CU_ASSERT_TRUE(server_asks_source(PEER_HOST, &refusal));
}

static void test_quota_of_a_user(void)
{
	struct mcinfo other =
	    document_request(MCINFO_AUTHORIZATION, 9, "sip:w@b.example", ALICE);
	const struct reply *reply;

	server.settings.user_rate = 1;
	start_with_tokens();
	server.authorizer_result = AUTHORIZER_REFUSED;
	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(ask(1)->status, 403);
	/* What is refused uses up nothing. */
	server.authorizer_result = AUTHORIZER_ALLOWED;
	CU_ASSERT_EQUAL(ask(1)->status, 200);
	CU_ASSERT_EQUAL(ask(1)->status, 200);
	reply = ask(1);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
	CU_ASSERT_EQUAL(server_statistic("migration.over_user_rate"), 1);
	other.access_token = token;
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &other)->status, 200);
	server_wait_ms(1000);
	CU_ASSERT_EQUAL(ask(1)->status, 200);
}

static void test_reload(void)
{
	struct migration_settings settings;
	struct sip_reply refusal = { 0 };

	start();
	settings = server.settings;
	settings.peer_rate = 1;
	settings.tokens = required;
	CU_ASSERT_EQUAL(server_reload(&settings), EINVAL);
	settings.tokens = server.settings.tokens;
	CU_ASSERT_EQUAL(server_reload(&settings), 0);
	CU_ASSERT_TRUE(server_asks_source(PEER_HOST, &refusal));
	CU_ASSERT_FALSE(server_asks_source(PEER_HOST, &refusal));
}

CU_TestInfo access_tests[] = {
	{ "a good token", test_a_good_token },
	{ "a wrong token", test_a_wrong_token },
	{ "a de-authorization needs a token too",
	  test_a_deauthorization_needs_a_token_too },
	{ "keys that are being fetched", test_keys_that_are_being_fetched },
	{ "a token pins the pair", test_a_token_pins_the_pair },
	{ "a lab goes without", test_a_lab_goes_without },
	{ "required without anybody who checks",
	  test_required_without_anybody_who_checks },
	{ "unknown sources", test_unknown_sources },
	{ "clients over TLS are named", test_clients_over_tls_are_named },
	{ "what is no network", test_what_is_no_network },
	{ "the path says who speaks", test_the_path_says_who_speaks },
	{ "identities", test_identities },
	{ "a client asserts nothing", test_a_client_asserts_nothing },
	{ "quota of a peer", test_quota_of_a_peer },
	{ "quota of a user", test_quota_of_a_user },
	{ "reload", test_reload },
	CU_TEST_INFO_NULL,
};
