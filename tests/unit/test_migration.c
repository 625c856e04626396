/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The migration module's inbound side: what is answered to which MESSAGE, and
 * when. Its outbox: test_migration_delivery.c.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "migration_fixture.h"
#include "migration_tests.h"

static void setup(void)
{
	server_prepare();
	server_start();
	server_up();
}

static void teardown(void)
{
	server_end();
}

static bool has_no_row(void)
{
	return !server.tables->user_count && !server.tables->procedure_count &&
	       !server.tables->mapping_count && !server.tables->migration_count;
}

static struct mcinfo ask_authorization(unsigned number)
{
	return document_request(MCINFO_AUTHORIZATION, number, VISITOR, ALICE);
}

/* -------------------------------------------------------------- refusals */

struct refused {
	const char *what;
	const char *partner_id, *primary_id;
	const char *source_host;
	bool is_response, has_no_id;
	uint64_t sequence;
	int status;
	const char *warning;
};

static const struct refused all_refused[] = {
	{ "both IDs are ours", VISITOR, BOB, CLIENT_HOST, false, false, 0, 400,
	  "both MC service IDs are of the same MC system" },
	{ "no ID is ours", GUEST, ALICE, CLIENT_HOST, false, false, 0, 404,
	  "neither MC service ID is hosted here" },
	{ "no ID is known", "sip:x@x.example", "sip:y@y.example", CLIENT_HOST,
	  false, false, 0, 404, "neither MC service ID is hosted here" },
	{ "unknown primary MC system", VISITOR, "sip:y@y.example", CLIENT_HOST,
	  false, false, 0, 404, "primary MC system unknown" },
	{ "unknown partner MC system", "sip:x@x.example", BOB, CLIENT_HOST,
	  false, false, 7, 404, "partner MC system unknown" },
	{ "a domain below ours is not ours", "sip:v@sub.b.example", ALICE,
	  CLIENT_HOST, false, false, 0, 404,
	  "neither MC service ID is hosted here" },
	{ "a client with a sequence", VISITOR, ALICE, CLIENT_HOST, false, false,
	  7, 400, "sequence not allowed in a client's request" },
	{ "swapped IDs of a client", GUEST, BOB, CLIENT_HOST, false, false, 0,
	  400, "sequence missing" },
	{ "a partner's request without sequence", GUEST, BOB, PEER_HOST, false,
	  false, 0, 400, "sequence missing" },
	{ "a partner's request without ID", GUEST, BOB, PEER_HOST, false, true,
	  7, 400, "procedure ID missing" },
	{ "a partner's request from elsewhere", GUEST, BOB, CLIENT_HOST, false,
	  false, 7, 403, "peer may not speak for this MC system" },
	{ "a response without sequence", VISITOR, ALICE, PEER_HOST, true, false,
	  0, 400, "sequence missing" },
	{ "a response without ID", VISITOR, ALICE, PEER_HOST, true, true, 7,
	  400, "procedure ID missing" },
	{ "a response from elsewhere", VISITOR, ALICE, CLIENT_HOST, true, false,
	  7, 403, "peer may not speak for this MC system" },
	{ "a response for a partner ID that is not ours", GUEST, BOB, PEER_HOST,
	  true, false, 7, 404, "partner MC service ID not hosted here" },
	{ "a response that nobody awaits", VISITOR, ALICE, PEER_HOST, true,
	  false, 7, 481, "procedure not awaited" },
};

static void test_what_is_refused(void)
{
	for (size_t i = 0; i < sizeof(all_refused) / sizeof(*all_refused);
	     i++) {
		const struct refused *row = &all_refused[i];
		struct mcinfo info = document_request(
		    MCINFO_AUTHORIZATION, 1, row->partner_id, row->primary_id);
		const struct reply *reply;

		if (row->is_response)
			info = document_response(&info, CAUSE_NONE);
		info.has_procedure_id = !row->has_no_id;
		info.sequence = row->sequence;
		reply = server_receive(row->source_host, &info);
		CU_ASSERT_FATAL(reply != NULL);
		if (reply->status != row->status ||
		    strcmp(reply->warning, row->warning))
			fprintf(stderr, "%s: %d %s\n", row->what, reply->status,
				reply->warning);
		CU_ASSERT_EQUAL(reply->status, row->status);
		CU_ASSERT_EQUAL(reply->warn_code, 399);
		CU_ASSERT_STRING_EQUAL(reply->warning, row->warning);
		CU_ASSERT_EQUAL(reply->retry_after_s, 0);
	}
	CU_ASSERT_TRUE(has_no_row());
	CU_ASSERT_EQUAL(server.sent_count, 0);
}

static void test_what_is_no_document_is_refused(void)
{
	const struct reply *reply = server_receive_raw(
	    CLIENT_HOST, "application/vnd.3gpp.mcptt-info+xml", "no XML", 6);

	CU_ASSERT_EQUAL(reply->status, 400);
	CU_ASSERT_EQUAL(reply->warn_code, 399);
	CU_ASSERT_FALSE(reply->has_accept);
	reply = server_receive_raw(CLIENT_HOST, "text/plain", "hello", 5);
	CU_ASSERT_EQUAL(reply->status, 415);
	CU_ASSERT_TRUE(reply->has_accept);
	reply = server_receive_raw(CLIENT_HOST, NULL, NULL, 0);
	CU_ASSERT_TRUE(reply->status >= 400 && reply->status < 500);
	CU_ASSERT_TRUE(has_no_row());
	CU_ASSERT_EQUAL(server_statistic("migration.refused"), 3);
}

static void test_a_procedure_id_names_one_procedure(void)
{
	struct mcinfo info = ask_authorization(1);

	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	info = document_request(MCINFO_DEAUTHORIZATION, 1, VISITOR, ALICE);
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 400);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
}

static void test_live_procedures_of_a_user_are_bounded(void)
{
	const struct reply *reply = NULL;
	unsigned number;

	server.a_is_enabled = false;
	store_reload_directory(server.store);
	server_settle();
	for (number = 1; number <= 33; number++) {
		struct mcinfo info = ask_authorization(number);

		reply = server_receive(CLIENT_HOST, &info);
		if (reply->status != 200)
			break;
	}
	CU_ASSERT_EQUAL(number, 33);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
	CU_ASSERT_STRING_EQUAL(reply->warning,
			       "too many procedures of this user");
	CU_ASSERT_EQUAL(server.tables->procedure_count, 32);
}

/* -------------------------------------------------------- store and answer */

static void test_without_the_store_503_at_once(void)
{
	struct mcinfo info = ask_authorization(1);
	const struct reply *reply;

	server_down();
	reply = server_receive(CLIENT_HOST, &info);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
	CU_ASSERT_TRUE(has_no_row());
	server_up();
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	CU_ASSERT_EQUAL(server_statistic("migration.unavailable"), 1);
}

static void test_before_the_first_connection_503_at_once(void)
{
	struct mcinfo info = ask_authorization(1);
	const struct reply *reply;

	server_stop();
	server_start();
	reply = server_receive(CLIENT_HOST, &info);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_TRUE(reply->retry_after_s > 0);
}

static void test_200_only_when_durable_and_before_what_follows(void)
{
	struct mcinfo info = ask_authorization(1);
	const struct reply *reply;

	server.hold_writes = true;
	CU_ASSERT_PTR_NULL(server_receive(CLIENT_HOST, &info));
	server_wait_ms(1000);
	CU_ASSERT_PTR_NULL(server_reply_of(server.transaction));
	CU_ASSERT_EQUAL(server.sent_count, 0);
	server.hold_writes = false;
	server_settle();
	reply = server_reply_of(server.transaction);
	CU_ASSERT_FATAL(reply != NULL);
	CU_ASSERT_EQUAL(reply->status, 200);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_TRUE(reply->step < server.sent[0].step);
}

static void test_an_overdue_commit_is_503(void)
{
	struct mcinfo info = ask_authorization(1);
	const struct reply *reply;

	server.hold_writes = true;
	server_receive(CLIENT_HOST, &info);
	server_wait_ms(3999);
	CU_ASSERT_PTR_NULL(server_reply_of(server.transaction));
	server_wait_ms(1);
	reply = server_reply_of(server.transaction);
	CU_ASSERT_FATAL(reply != NULL);
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_EQUAL(server.sent_count, 0);
	/* The service resumes by itself, and the client asks again. */
	server.hold_writes = false;
	server_up();
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
}

/* It has happened all the same: what it owes is found by the scan. */
static void test_an_unknown_outcome_is_503_and_found_again(void)
{
	struct mcinfo info = ask_authorization(1);

	server.hold_writes = true;
	server_receive(CLIENT_HOST, &info);
	server.hold_writes = false;
	server.write_error = EIO;
	server_settle();
	CU_ASSERT_EQUAL(server_reply_of(server.transaction)->status, 503);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
	CU_ASSERT_EQUAL(server.sent_count, 0);
	server_down();
	server_up();
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
}

/* --------------------------------------------------------- what is stored */

static void test_pinning(void)
{
	static char lab[] = "lab";
	struct mcinfo info = ask_authorization(1), told;

	server.tables->admissions[0] =
	    (struct tables_admission){ "a.example", "", "", false };
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	told = server_document(server_last_index());
	CU_ASSERT_EQUAL(told.cause, CAUSE_NOT_ADMITTED);
	server_answer(server_last_index(), 200);
	server.settings.pinning = lab;
	info = ask_authorization(2);
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	CU_ASSERT_EQUAL(server_procedure(ALICE, 2)->state,
			PROCEDURE_FORWARDING);
}

static void test_a_disabled_system_is_a_failure_response(void)
{
	struct mcinfo info = ask_authorization(1), told;

	server.a_is_enabled = false;
	store_reload_directory(server.store);
	server_settle();
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	told = server_document(server_last_index());
	CU_ASSERT_TRUE(told.is_response);
	CU_ASSERT_EQUAL(told.cause, CAUSE_SYSTEM_DISABLED);
}

static void test_ids_are_compared_canonical_and_echoed_as_given(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, "SIP:visitor@B.Example",
			     "sip:%61lice@A.EXAMPLE");
	struct mcinfo out, same = ask_authorization(1);

	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	CU_ASSERT_PTR_NOT_NULL(server_procedure(ALICE, 1));
	out = server_document(0);
	CU_ASSERT_STRING_EQUAL(out.partner_id, info.partner_id);
	CU_ASSERT_STRING_EQUAL(out.primary_id, info.primary_id);
	/* The same procedure, written differently. */
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &same)->status, 200);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
}

static struct uuid ask_without_id(enum mcinfo_verb verb, const char *call_id,
				  uint32_t cseq)
{
	struct mcinfo info = document_request(verb, 1, VISITOR, ALICE);
	const struct tables *tables = server.tables;

	info.has_procedure_id = false;
	server_set_call(call_id, cseq);
	CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status, 200);
	return tables->procedures[tables->procedure_count - 1].procedure.id;
}

static void test_derived_ids_survive_a_restart(void)
{
	struct uuid first = ask_without_id(MCINFO_AUTHORIZATION, "one", 1);

	server_stop();
	server_start();
	server_up();
	ask_without_id(MCINFO_AUTHORIZATION, "one", 1);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
	/* Equal to the running one: it joins. */
	ask_without_id(MCINFO_AUTHORIZATION, "two", 1);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
	CU_ASSERT_TRUE(
	    uuid_equal(&server.tables->procedures[0].procedure.id, &first));
}

static void test_derived_ids_differ(void)
{
	char call_id[3000];
	struct uuid ids[4];

	memset(call_id, 'c', sizeof(call_id) - 1);
	call_id[sizeof(call_id) - 1] = '\0';
	/* Each is refused at once, so that nothing joins. */
	server.tables->admissions[0].withdrawn = true;
	ids[0] = ask_without_id(MCINFO_AUTHORIZATION, "one", 1);
	ids[1] = ask_without_id(MCINFO_AUTHORIZATION, "one", 2);
	ids[2] = ask_without_id(MCINFO_AUTHORIZATION, call_id, 1);
	ids[3] = ask_without_id(MCINFO_AUTHORIZATION, call_id, 2);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < i; j++)
			CU_ASSERT_FALSE(uuid_equal(&ids[i], &ids[j]));
	}
}

static void test_repeats_run_nothing_twice(void)
{
	struct mcinfo info = ask_authorization(1);

	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(server_receive(CLIENT_HOST, &info)->status,
				200);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_EQUAL(server.tables->procedure_count, 1);
	CU_ASSERT_EQUAL(server_statistic("store.applied"), 1);
	CU_ASSERT_EQUAL(server_statistic("store.already_applied"), 2);
}

static CU_TestInfo inbound_tests[] = {
	{ "what is refused, and how", test_what_is_refused },
	{ "what is no document is refused",
	  test_what_is_no_document_is_refused },
	{ "a procedure ID names one procedure",
	  test_a_procedure_id_names_one_procedure },
	{ "live procedures of a user are bounded",
	  test_live_procedures_of_a_user_are_bounded },
	{ "without the store: 503 at once",
	  test_without_the_store_503_at_once },
	{ "before the first connection: 503 at once",
	  test_before_the_first_connection_503_at_once },
	{ "200 only when durable, and before what follows",
	  test_200_only_when_durable_and_before_what_follows },
	{ "an overdue commit is 503", test_an_overdue_commit_is_503 },
	{ "an unknown outcome is 503 and found again",
	  test_an_unknown_outcome_is_503_and_found_again },
	{ "pinning", test_pinning },
	{ "a disabled system is a failure response",
	  test_a_disabled_system_is_a_failure_response },
	{ "IDs are compared canonical and echoed as given",
	  test_ids_are_compared_canonical_and_echoed_as_given },
	{ "derived IDs survive a restart", test_derived_ids_survive_a_restart },
	{ "derived IDs differ", test_derived_ids_differ },
	{ "repeats run nothing twice", test_repeats_run_nothing_twice },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "migration inbound", NULL, NULL, setup, teardown, inbound_tests },
	{ "migration access", NULL, NULL, server_prepare, teardown,
	  access_tests },
	{ "migration delivery", NULL, NULL, setup, teardown, delivery_tests },
	{ "migration behind the IMS", NULL, NULL, server_prepare, teardown,
	  ims_tests },
	{ "migration restart", NULL, NULL, setup, teardown, restart_tests },
	{ "migration without memory", alloc_suite_init, NULL, NULL, NULL,
	  alloc_tests },
	CU_SUITE_INFO_NULL,
};
