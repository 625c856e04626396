/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The migration module's outbox: what is sent to whom, how often, how long,
 * and what ends it. Restarts and room: test_migration_restart.c.
 */
#include <errno.h>
#include <string.h>

#include "migration_steps.h"
#include "migration_tests.h"

/* ---------------------------------------------------------- whole flows */

static void test_partner_role(void)
{
	struct mcinfo info;

	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_STRING_EQUAL(server.sent[0].next_hop,
			       "sip:" PEER_HOST ":5060;transport=tcp");
	CU_ASSERT_STRING_EQUAL(server.sent[0].request_uri, "sip:a.example");
	CU_ASSERT_EQUAL(server.sent[0].deadline_ms, 12000);
	info = server_document(0);
	CU_ASSERT_FALSE(info.is_response);
	CU_ASSERT_TRUE(info.sequence > 0);
	CU_ASSERT_PTR_NULL(info.access_token);
	CU_ASSERT_EQUAL(info.profile_index, 1);
	server_answer(0, 200);
	CU_ASSERT_EQUAL(server_procedure(ALICE, 1)->state,
			PROCEDURE_AWAITING_RESPONSE);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_TRUE(server_reply_of(server.transaction)->step <
		       server.sent[1].step);
	CU_ASSERT_STRING_EQUAL(server.sent[1].next_hop, CLIENT_URI);
	CU_ASSERT_STRING_EQUAL(server.sent[1].request_uri, VISITOR);
	info = server_document(1);
	CU_ASSERT_EQUAL(info.result, MCINFO_SUCCESS);
	CU_ASSERT_EQUAL(info.sequence, 0);
	server_answer(1, 200);
	CU_ASSERT_EQUAL(server_procedure(ALICE, 1)->state, PROCEDURE_DONE);
	CU_ASSERT_EQUAL(live_count(), 0);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 2);
}

static void test_primary_role(void)
{
	struct mcinfo info;

	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_TRUE(server_reply_of(server.transaction)->step <
		       server.sent[0].step);
	info = server_document(0);
	CU_ASSERT_TRUE(info.is_response);
	CU_ASSERT_EQUAL(info.result, MCINFO_SUCCESS);
	CU_ASSERT_EQUAL(info.sequence, 77);
	CU_ASSERT_FALSE(is_confirmed());
	server_answer(0, 200);
	CU_ASSERT_TRUE(is_confirmed());
	partner_asks(MCINFO_DEAUTHORIZATION, 2, 78);
	CU_ASSERT_FALSE(is_confirmed());
	server_answer(1, 200);
	CU_ASSERT_EQUAL(live_count(), 0);
}

static void test_response_before_the_answer_to_the_request(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	/* Comes late, and says nothing new. */
	server_answer(0, 503);
	server_answer(1, 200);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
}

static void test_failure_of_the_primary_reaches_the_client(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	server_answer(0, 200);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NOT_PERMITTED), 200);
	CU_ASSERT_EQUAL(server_document(1).cause, CAUSE_NOT_PERMITTED);
	CU_ASSERT_FALSE(server_is_mapped(ALICE));
}

static void test_refusal_of_the_request_is_a_failure(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	server_answer(0, 403);
	CU_ASSERT_EQUAL(server_document(1).cause, CAUSE_PRIMARY_REFUSED);
}

static void test_asked_again_after_its_end(void)
{
	authorize(1);
	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(server_document(server_last_index()).cause, CAUSE_NONE);
	server_answer(server_last_index(), 200);
	client_asks(MCINFO_DEAUTHORIZATION, 2);
	CU_ASSERT_EQUAL(primary_answers(server_last_index(), CAUSE_NONE), 200);
	server_answer(server_last_index(), 200);
	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(server_document(server_last_index()).cause,
			CAUSE_ENDED);
	CU_ASSERT_STRING_EQUAL(server_last()->next_hop, CLIENT_URI);
}

/* ------------------------------------------------------- again and again */

static void test_back_off_stays_within_its_bounds(void)
{
	uint64_t longest_ms = 0;

	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	for (unsigned attempt = 0; attempt < 20; attempt++) {
		uint64_t answered_ms = server_now_ms(), gap_ms, most_ms;

		server_answer(server_last_index(), 503);
		next_within(61000);
		gap_ms = server_last()->at_ms - answered_ms;
		most_ms = UINT64_C(2000) << (attempt < 10 ? attempt : 10);
		if (most_ms > 60000)
			most_ms = 60000;
		CU_ASSERT_TRUE(gap_ms >= 1000);
		CU_ASSERT_TRUE(gap_ms <= most_ms + 10);
		CU_ASSERT_TRUE(gap_ms >= most_ms / 2);
		if (gap_ms > longest_ms)
			longest_ms = gap_ms;
	}
	CU_ASSERT_TRUE(longest_ms > 30000);
	CU_ASSERT_FALSE(is_confirmed());
}

static void test_retry_after_is_heard_within_reason(void)
{
	uint64_t answered_ms;

	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	answered_ms = server_now_ms();
	server_answer_later(0, 503, 7);
	next_within(8000);
	CU_ASSERT_TRUE(server_last()->at_ms - answered_ms >= 7000);
	/* 136 years are no reason to leave a migration unconfirmed. */
	server_answer_later(1, 503, UINT32_MAX);
	next_within(60010);
}

static void test_silence_and_no_way_are_tried_again(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_answer(0, SIP_NO_ANSWER);
	next_within(2010);
	server.send_error = EBUSY;
	server_answer(1, SIP_NO_ANSWER);
	server_wait_ms(60000);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	server.send_error = 0;
	next_within(60010);
	server_answer(2, 200);
	CU_ASSERT_TRUE(is_confirmed());
}

static void test_only_200_confirms(void)
{
	static const int others[] = { 202, 302, 400, 401, 403, 404, 408,
				      480, 486, 500, 503, 504, 600, 603 };

	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		server_answer(server_last_index(), others[i]);
		CU_ASSERT_FALSE(is_confirmed());
		next_within(60010);
	}
	/* Nor does it ever expire. */
	server_answer(server_last_index(), SIP_NO_ANSWER);
	for (unsigned i = 0; i < 100; i++) {
		next_within(60010);
		server_answer(server_last_index(), SIP_NO_ANSWER);
	}
	next_within(60010);
	server_answer(server_last_index(), 200);
	CU_ASSERT_TRUE(is_confirmed());
	CU_ASSERT_EQUAL(live_count(), 0);
}

static void test_only_481_drops(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_answer(0, 481);
	CU_ASSERT_EQUAL(live_count(), 0);
	CU_ASSERT_EQUAL(server_procedure(BOB, 1)->state, PROCEDURE_DONE);
	CU_ASSERT_FALSE(is_confirmed());
}

static void test_a_newer_confirm_ends_older_ones(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	partner_asks(MCINFO_AUTHORIZATION, 2, 78);
	CU_ASSERT_EQUAL(live_count(), 2);
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
	CU_ASSERT_EQUAL(live_count(), 0);
	/* The older one's answer finds nothing. */
	server_answer(0, 200);
	CU_ASSERT_EQUAL(bobs_migration()->sequence, 78);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 2);
}

static void test_a_failure_ends_with_a_final_answer_below_500(void)
{
	static const struct {
		int status;
		bool ends;
	} rows[] = { { 404, true },  { 200, true },  { 202, true },
		     { 302, true },  { 481, true },  { 408, false },
		     { 500, false }, { 503, false }, { 603, false } };

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		/* No such profile. */
		struct mcinfo info =
		    document_request(MCINFO_AUTHORIZATION, i + 1, GUEST, BOB);

		info.profile_index = 9;
		info.sequence = i + 1;
		server_receive(PEER_HOST, &info);
		CU_ASSERT_EQUAL(server_document(server_last_index()).cause,
				CAUSE_PROFILE_UNKNOWN);
		server_answer(server_last_index(), rows[i].status);
		CU_ASSERT_EQUAL(live_count(), !rows[i].ends);
		if (!rows[i].ends) {
			next_within(2010);
			server_answer(server_last_index(), 200);
		}
		CU_ASSERT_EQUAL(live_count(), 0);
	}
}

/* How long something is tried that is met with silence; then it is over. */
static uint64_t tried_for_ms(void)
{
	uint64_t begun_ms = server_now_ms();

	while (live_count() && server_now_ms() < begun_ms + HOUR_MS) {
		for (size_t i = 0; i < server.sent_count; i++) {
			if (!server.sent[i].answered)
				server_answer(i, SIP_NO_ANSWER);
		}
		server_wait_ms(100);
	}
	return server_now_ms() - begun_ms;
}

static void test_what_may_expire_is_tried_5_minutes(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, GUEST, BOB);
	size_t sent;

	info.profile_index = 9;
	info.sequence = 1;
	server_receive(PEER_HOST, &info);
	CU_ASSERT_EQUAL(tried_for_ms(), 300000);
	CU_ASSERT_TRUE(server.sent_count > 8);
	sent = server.sent_count;
	partner_asks(MCINFO_DEAUTHORIZATION, 2, 2);
	CU_ASSERT_EQUAL(tried_for_ms(), 300000);
	CU_ASSERT_TRUE(server.sent_count > sent + 8);
	sent = server.sent_count;
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, sent);
}

static void test_a_client_is_tried_5_minutes(void)
{
	static const int no_ends[] = { 302, 404, 481, 486, 500, 603 };

	server.tables->admissions[0].withdrawn = true;
	client_asks(MCINFO_AUTHORIZATION, 1);
	for (size_t i = 0; i < sizeof(no_ends) / sizeof(*no_ends); i++) {
		server_answer(server_last_index(), no_ends[i]);
		next_within(60010);
	}
	CU_ASSERT_TRUE(tried_for_ms() < 300000);
	CU_ASSERT_EQUAL(server_procedure(ALICE, 1)->state, PROCEDURE_DONE);
	/* Any 2xx ends it. */
	client_asks(MCINFO_AUTHORIZATION, 2);
	server_answer(server_last_index(), 202);
	CU_ASSERT_EQUAL(live_count(), 0);
}

/* ------------------------------------------------------------- deadlines */

static void test_authorization_deadline(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	server_answer(0, 200);
	server_wait_ms(29990);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	server_wait_ms(20);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_EQUAL(server_document(1).cause, CAUSE_PRIMARY_UNREACHABLE);
	/* A success that comes now is not awaited. */
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 481);
	CU_ASSERT_FALSE(server_is_mapped(ALICE));
}

static void test_deadline_while_the_store_is_away(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	server_answer(0, 200);
	server_down();
	server_wait_ms(60000);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	server_up();
	server_wait_ms(1010);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_EQUAL(server_document(1).cause, CAUSE_PRIMARY_UNREACHABLE);
}

static void test_telling_has_no_end_but_200(void)
{
	static const int others[] = { 202, 302, 400, 403, 404,
				      408, 481, 500, 503, 603 };
	size_t request;

	authorize(1);
	request = server.sent_count;
	leave_without_the_primary(2);
	server_answer(request, SIP_NO_ANSWER);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		next_within(60010);
		server_answer(server_last_index(), others[i]);
	}
	for (unsigned i = 0; i < 100; i++) {
		next_within(60010);
		server_answer(server_last_index(), SIP_NO_ANSWER);
	}
	CU_ASSERT_EQUAL(server.tables->mappings[0].mapping.status,
			MAPPING_RESERVED);
	next_within(60010);
	CU_ASSERT_EQUAL(server_document(server_last_index()).sequence,
			server_procedure(ALICE, 2)->sequence);
	server_answer(server_last_index(), 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	CU_ASSERT_EQUAL(server.tables->mappings[0].mapping.status,
			MAPPING_ENDED);
}

static void test_telling_goes_on_below_a_new_authorization(void)
{
	size_t request;

	authorize(1);
	request = server.sent_count;
	leave_without_the_primary(2);
	client_asks(MCINFO_AUTHORIZATION, 3);
	CU_ASSERT_EQUAL(live_count(), 2);
	CU_ASSERT_EQUAL(primary_answers(server_last_index(), CAUSE_NONE), 200);
	server_answer(server_last_index(), 200);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
	server_answer(request, 503);
	next_within(60010);
	CU_ASSERT_EQUAL(server_document(server_last_index()).verb,
			MCINFO_DEAUTHORIZATION);
	server_answer(server_last_index(), 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
}

static void test_without_notify_primary_nobody_is_told(void)
{
	size_t sent;

	authorize(1);
	server.settings.notify_primary = false;
	sent = server.sent_count;
	client_asks(MCINFO_DEAUTHORIZATION, 2);
	CU_ASSERT_EQUAL(server.sent_count, sent + 1);
	CU_ASSERT_TRUE(server_document(sent).is_response);
	CU_ASSERT_EQUAL(server_document(sent).result, MCINFO_SUCCESS);
	CU_ASSERT_EQUAL(server.tables->mappings[0].mapping.status,
			MAPPING_ENDED);
}

/* ------------------------------------------------------------- directory */

static void change_directory(void)
{
	store_provisioning_changed(server.store);
	server_settle();
}

static void test_whoever_left_the_directory_is_owed_nothing(void)
{
	size_t request;

	authorize(1);
	request = server.sent_count;
	leave_without_the_primary(2);
	server_answer(request, SIP_NO_ANSWER);
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_answer(server_last_index(), SIP_NO_ANSWER);
	server.a_is_known = false;
	change_directory();
	server_wait_ms(60000);
	CU_ASSERT_EQUAL(live_count(), 0);
	CU_ASSERT_EQUAL(server_procedure(BOB, 1)->outcome, OUTCOME_FAILURE);
	CU_ASSERT_FALSE(is_confirmed());
	CU_ASSERT_EQUAL(server.tables->mappings[0].mapping.status,
			MAPPING_ENDED);
}

static void test_whoever_is_disabled_is_owed_it_later(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_answer(0, SIP_NO_ANSWER);
	server.a_is_enabled = false;
	change_directory();
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	server.a_is_enabled = true;
	change_directory();
	next_within(60010);
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
}

static void test_whoever_is_disabled_hears_no(void)
{
	server.a_is_enabled = false;
	change_directory();
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_EQUAL(server_document(0).cause, CAUSE_SYSTEM_DISABLED);
	server_answer(0, 200);
	partner_asks(MCINFO_DEAUTHORIZATION, 2, 78);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_EQUAL(server_document(1).result, MCINFO_SUCCESS);
	server_answer(1, 200);
	CU_ASSERT_EQUAL(live_count(), 0);
}

#define HOP(n) "sip:192.0.2." #n ":5060;transport=tcp"

static void test_next_hops_by_priority(void)
{
	static const char *const lower[] = { HOP(10), HOP(11), HOP(12) };

	server.a_server_count = 4;
	for (size_t i = 0; i < 3; i++) {
		server.a_servers[i].priority = 1;
		server.a_servers[i].weight = 1;
		strcpy(server.a_servers[i].uri, lower[i]);
	}
	server.a_servers[3] = (struct directory_server){ HOP(13), 2, 9 };
	change_directory();
	/* Wherever it begins, the last resort comes last. */
	for (unsigned round = 0; round < 6; round++) {
		struct mcinfo info =
		    document_request(MCINFO_AUTHORIZATION, round, GUEST, BOB);
		size_t first = server.sent_count;

		info.procedure_id.bytes[0] = (uint8_t)round;
		info.sequence = round + 1;
		server_receive(PEER_HOST, &info);
		for (unsigned attempt = 0; attempt < 7; attempt++) {
			const char *hop = server_last()->next_hop;
			bool is_last_resort = !strcmp(hop, HOP(13));

			CU_ASSERT_EQUAL(is_last_resort, attempt == 3);
			/* While another may know, not all the time. */
			CU_ASSERT_EQUAL(server_last()->deadline_ms,
					is_last_resort ? 12000 : 4000);
			if (attempt && attempt < 3)
				CU_ASSERT_STRING_NOT_EQUAL(
				    hop, server.sent[first].next_hop);
			if (attempt == 2)
				CU_ASSERT_STRING_NOT_EQUAL(
				    hop, server.sent[first + 1].next_hop);
			server_answer(server_last_index(), SIP_NO_ANSWER);
			next_within(60010);
		}
		server_answer(server_last_index(), 481);
	}
}

static void test_next_hops_by_weight(void)
{
	unsigned heavy = 0;

	server.a_server_count = 2;
	server.a_servers[0] = (struct directory_server){ HOP(10), 1, 1 };
	server.a_servers[1] = (struct directory_server){ HOP(11), 1, 3 };
	change_directory();
	for (unsigned number = 1; number <= 200; number++) {
		struct mcinfo info =
		    document_request(MCINFO_AUTHORIZATION, number, GUEST, BOB);

		uuid_random(&info.procedure_id);
		info.sequence = number;
		server_receive(PEER_HOST, &info);
		heavy += !strcmp(server_last()->next_hop, HOP(11));
		server_answer(server_last_index(), 481);
	}
	CU_ASSERT_TRUE(heavy > 110 && heavy < 190);
}

CU_TestInfo delivery_tests[] = {
	{ "the partner's flow", test_partner_role },
	{ "the primary's flow", test_primary_role },
	{ "a response before the answer to its request",
	  test_response_before_the_answer_to_the_request },
	{ "a failure of the primary reaches the client",
	  test_failure_of_the_primary_reaches_the_client },
	{ "a refused request is a failure",
	  test_refusal_of_the_request_is_a_failure },
	{ "asked again after its end", test_asked_again_after_its_end },
	{ "back-off stays within its bounds",
	  test_back_off_stays_within_its_bounds },
	{ "Retry-After is heard, within reason",
	  test_retry_after_is_heard_within_reason },
	{ "silence and no way are tried again",
	  test_silence_and_no_way_are_tried_again },
	{ "only 200 confirms, without end", test_only_200_confirms },
	{ "only 481 drops", test_only_481_drops },
	{ "a newer confirm ends older ones",
	  test_a_newer_confirm_ends_older_ones },
	{ "a failure ends with a final answer below 500",
	  test_a_failure_ends_with_a_final_answer_below_500 },
	{ "what may expire is tried 5 minutes",
	  test_what_may_expire_is_tried_5_minutes },
	{ "a client is tried 5 minutes", test_a_client_is_tried_5_minutes },
	{ "authorization deadline", test_authorization_deadline },
	{ "a deadline while the store is away",
	  test_deadline_while_the_store_is_away },
	{ "telling has no end but 200", test_telling_has_no_end_but_200 },
	{ "telling goes on below a new authorization",
	  test_telling_goes_on_below_a_new_authorization },
	{ "without notify_primary nobody is told",
	  test_without_notify_primary_nobody_is_told },
	{ "whoever left the directory is owed nothing",
	  test_whoever_left_the_directory_is_owed_nothing },
	{ "whoever is disabled is owed it later",
	  test_whoever_is_disabled_is_owed_it_later },
	{ "whoever is disabled hears no", test_whoever_is_disabled_hears_no },
	{ "next hops by priority", test_next_hops_by_priority },
	{ "next hops by weight", test_next_hops_by_weight },
	CU_TEST_INFO_NULL,
};
