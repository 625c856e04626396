/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The migration module's outbox again: what survives a restart or an outage,
 * what waits for room, and clients that move.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/timer.h"
#include "migration_steps.h"
#include "migration_tests.h"

/* --------------------------------------------------- restart and outages */

static void restart(void)
{
	server_stop();
	server_start();
	server_up();
}

static void test_restart_while_forwarding(void)
{
	uint64_t sequence;

	client_asks(MCINFO_AUTHORIZATION, 1);
	sequence = server_document(0).sequence;
	server_wait_ms(20000);
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_EQUAL(server_document(1).sequence, sequence);
	server_answer(1, 200);
	/* The deadline is the old one. */
	server_wait_ms(9900);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	server_wait_ms(200);
	CU_ASSERT_EQUAL(server.sent_count, 3);
	CU_ASSERT_EQUAL(server_document(2).cause, CAUSE_PRIMARY_UNREACHABLE);
	/* So is the client's address. */
	CU_ASSERT_STRING_EQUAL(server_last()->next_hop, CLIENT_URI);
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 4);
	server_answer(3, 200);
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 4);
}

static void test_restart_while_awaiting(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	server_answer(0, 200);
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
}

static void test_restart_while_unconfirmed(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_EQUAL(server_document(1).sequence, 77);
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 2);
}

static void test_restart_while_telling(void)
{
	authorize(1);
	leave_without_the_primary(2);
	restart();
	CU_ASSERT_FALSE(server_document(server_last_index()).is_response);
	server_answer(server_last_index(), 200);
	CU_ASSERT_EQUAL(live_count(), 0);
}

static void test_stop_with_everything_under_way(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	partner_asks(MCINFO_AUTHORIZATION, 2, 77);
	server.hold_writes = true;
	server_answer(0, 200);
	server_answer(1, 200);
	server_stop();
	server.hold_writes = false;
	server_start();
	server_up();
	CU_ASSERT_EQUAL(server.sent_count, 4);
}

static void test_an_answer_that_was_not_stored_is_got_again(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server.write_error = EIO;
	server.write_is_lost = true;
	server_answer(0, 200);
	CU_ASSERT_FALSE(is_confirmed());
	next_within(2010);
	/* This time it is stored, but nobody hears of it. */
	server.write_error = EIO;
	server.write_is_lost = false;
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
	next_within(4010);
	server_answer(2, 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 3);
}

static void test_an_answer_during_an_outage(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_down();
	server_answer(0, 200);
	server_answer(next_within(2010), 200);
	CU_ASSERT_FALSE(is_confirmed());
	server_up();
	CU_ASSERT_EQUAL(server.sent_count, 2);
	server_answer(next_within(4010), 200);
	CU_ASSERT_TRUE(is_confirmed());
	CU_ASSERT_EQUAL(live_count(), 0);
}

static void test_a_row_that_has_gone_is_owed_nothing(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	tables_clear(server.tables);
	store_provisioning_changed(server.store);
	server_settle();
	server_answer(0, 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 1);
}

static void test_a_failed_search_is_repeated(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_stop();
	server_start();
	server.find_live_error = EIO;
	server_up();
	CU_ASSERT_EQUAL(server.sent_count, 1);
	server_wait_ms(5010);
	CU_ASSERT_EQUAL(server.sent_count, 2);
}

/* ------------------------------------------------------------------ room */

static void prepare_room(uint32_t deliveries_max)
{
	server_end();
	server_prepare();
	server.settings.deliveries_max = deliveries_max;
	server_start();
	server_up();
}

/* Each of a user of its own: what one user owes is looked at together. */
static void partner_asks_for(unsigned user)
{
	struct tables *tables = server.tables;
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, user, GUEST, BOB);

	snprintf(info.primary_id, sizeof(info.primary_id),
		 "sip:bob%u@b.example", user);
	tables->home_users[tables->home_user_count] = tables->home_users[0];
	strcpy(tables->home_users[tables->home_user_count++].primary_id,
	       info.primary_id);
	info.sequence = 77;
	CU_ASSERT_EQUAL_FATAL(server_receive(PEER_HOST, &info)->status, 200);
}

static void test_what_has_no_room_waits_in_the_store(void)
{
	prepare_room(2);
	for (unsigned user = 1; user <= 5; user++)
		partner_asks_for(user);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	server_answer(0, 481);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	/* Half of the room is free: soon. */
	for (size_t i = 1; i < 5; i++) {
		if (server.sent_count == i)
			server_wait_ms(5010);
		server_answer(i, 481);
	}
	CU_ASSERT_EQUAL(live_count(), 0);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 5);
}

/* A partner that never answers keeps its places, but only these. */
static void test_one_free_place_is_enough(void)
{
	prepare_room(4);
	for (unsigned user = 1; user <= 6; user++)
		partner_asks_for(user);
	CU_ASSERT_EQUAL(server.sent_count, 4);
	server_answer(3, 481);
	server_answer(next_within(60010), 481);
	server_answer(next_within(60010), 481);
	CU_ASSERT_EQUAL(live_count(), 3);
}

/* ... and these only until somebody else needs one. */
static void test_a_silent_peer_gives_up_its_place(void)
{
	prepare_room(1);
	partner_asks_for(1);
	server_answer(0, SIP_NO_ANSWER);
	for (size_t i = 1; i < 5; i++) {
		partner_asks_for(1 + (unsigned)i);
		CU_ASSERT_EQUAL(server.sent_count, i);
		server_answer(next_within(60010), SIP_NO_ANSWER);
	}
	partner_asks_for(6);
	CU_ASSERT_EQUAL(server.sent_count, 6);
	CU_ASSERT_EQUAL(live_count(), 1);
	/* Nothing is forgotten. */
	for (size_t i = 5; i < 11; i++)
		server_answer(i == 5 ? i : next_within(60010), 481);
	CU_ASSERT_EQUAL(live_count(), 0);
}

/* The heap of timers cannot grow just when one is needed. */
static void test_a_timer_without_memory(void)
{
	static struct timer others[512];
	size_t count = 0;

	if (!alloc_fail_live())
		return; /* ASan has malloc */
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	/* Full: the next one needs memory (64, 128, ... places). */
	while (timers_count(server.timers) < 64)
		CU_ASSERT_FATAL(!timer_start(server.timers, &others[count++],
					     HOUR_MS, NULL, NULL));
	alloc_fail_at(1);
	server_answer(0, 503);
	CU_ASSERT_TRUE(alloc_fail_happened());
	alloc_fail_at(0);
	next_within(5010);
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
	while (count)
		timer_stop(server.timers, &others[--count]);
}

/* ----------------------------------------------------- the client's address */

static void client_asks_from(const char *uri, unsigned number)
{
	server_set_sender(uri);
	client_asks(MCINFO_AUTHORIZATION, number);
}

static void test_the_response_follows_the_client(void)
{
	client_asks_from(CLIENT_URI, 1);
	client_asks_from(OTHER_CLIENT_URI, 1);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	CU_ASSERT_STRING_EQUAL(server.sent[1].next_hop, OTHER_CLIENT_URI);
	/* Back again while its response is on the way: at once. */
	client_asks_from(CLIENT_URI, 1);
	CU_ASSERT_EQUAL(server.sent_count, 3);
	CU_ASSERT_STRING_EQUAL(server.sent[2].next_hop, CLIENT_URI);
}

static void test_the_old_addresses_answer_is_not_the_new_ones(void)
{
	client_asks_from(OTHER_CLIENT_URI, 1);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	client_asks_from(CLIENT_URI, 1);
	CU_ASSERT_EQUAL(server.sent_count, 3);
	server_answer(1, 200);
	CU_ASSERT_EQUAL(server_procedure(ALICE, 1)->state, PROCEDURE_ANSWERING);
	server_answer(2, SIP_NO_ANSWER);
	next_within(60010);
	CU_ASSERT_STRING_EQUAL(server_last()->next_hop, CLIENT_URI);
	server_answer(server_last_index(), 200);
	CU_ASSERT_EQUAL(server_procedure(ALICE, 1)->state, PROCEDURE_DONE);
}

/* No back-off counts for one who is there. */
static void test_whoever_asks_again_hears_at_once(void)
{
	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(server.sent_count, 2); /* one is on its way */
	server_answer(1, SIP_NO_ANSWER);
	client_asks(MCINFO_AUTHORIZATION, 1);
	CU_ASSERT_EQUAL(server.sent_count, 3);
	CU_ASSERT_TRUE(server_reply_of(server.transaction)->step <
		       server.sent[2].step);
	server_answer(2, 200);
	CU_ASSERT_EQUAL(live_count(), 0);
	partner_asks(MCINFO_AUTHORIZATION, 2, 77);
	server_answer(3, 503);
	partner_asks(MCINFO_AUTHORIZATION, 2, 77);
	CU_ASSERT_EQUAL(server.sent_count, 5);
	server_answer(4, 200);
	CU_ASSERT_TRUE(is_confirmed());
}

/* The old address's 200 is on its way to the store when the client moves. */
static void test_moving_while_an_answer_is_stored(void)
{
	client_asks_from(OTHER_CLIENT_URI, 1);
	CU_ASSERT_EQUAL(primary_answers(0, CAUSE_NONE), 200);
	server.hold_writes = true;
	/* Its repeat is first in the store, then the answer. */
	server_set_sender(CLIENT_URI);
	{
		struct mcinfo info =
		    document_request(MCINFO_AUTHORIZATION, 1, VISITOR, ALICE);

		CU_ASSERT_PTR_NULL(server_receive(CLIENT_HOST, &info));
	}
	server_answer(1, 200);
	server.hold_writes = false;
	server_settle();
	CU_ASSERT_EQUAL(server_procedure(ALICE, 1)->state, PROCEDURE_ANSWERING);
	CU_ASSERT_STRING_EQUAL(server_last()->next_hop, CLIENT_URI);
	server_answer(server_last_index(), SIP_NO_ANSWER);
	next_within(60010);
	server_answer(server_last_index(), 200);
	CU_ASSERT_EQUAL(live_count(), 0);
}

static void test_a_partner_that_asks_again_is_told_again(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, GUEST, BOB);

	info.profile_index = 9;
	info.sequence = 1;
	server_receive(PEER_HOST, &info);
	server_answer(0, 404);
	CU_ASSERT_EQUAL(live_count(), 0);
	server_receive(PEER_HOST, &info);
	CU_ASSERT_EQUAL(server.sent_count, 2);
	CU_ASSERT_EQUAL(server_document(1).cause, CAUSE_PROFILE_UNKNOWN);
}

static void test_a_flood_of_deauthorizations_is_bounded(void)
{
	const struct reply *reply = NULL;
	unsigned number;

	for (number = 1; number <= 200; number++) {
		struct mcinfo info = document_request(MCINFO_DEAUTHORIZATION,
						      number, GUEST, BOB);

		info.sequence = number;
		reply = server_receive(PEER_HOST, &info);
		if (reply->status != 200)
			break;
	}
	CU_ASSERT_TRUE(number < 100);
	CU_ASSERT_EQUAL(reply->status, 503);
}

/* The first answer is worth waiting for; who was silent is left to the store. */
static void test_a_drain_waits_for_first_answers_only(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	CU_ASSERT_EQUAL(server_pending(), 1);
	server_drain();
	CU_ASSERT_EQUAL(server_pending(), 1);
	server_answer(0, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(server_pending(), 0);
	server_wait_ms(HOUR_MS);
	CU_ASSERT_EQUAL(server.sent_count, 1);
	restart();
	CU_ASSERT_EQUAL(server.sent_count, 2);
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
}

static void test_a_drain_does_not_wait_for_repeats(void)
{
	partner_asks(MCINFO_AUTHORIZATION, 1, 77);
	server_answer(0, SIP_NO_ANSWER);
	next_within(4010);
	server_drain();
	CU_ASSERT_EQUAL(server_pending(), 0);
	server_answer(1, 200);
	CU_ASSERT_TRUE(is_confirmed());
}

CU_TestInfo restart_tests[] = {
	{ "a drain waits for first answers only",
	  test_a_drain_waits_for_first_answers_only },
	{ "a drain does not wait for repeats",
	  test_a_drain_does_not_wait_for_repeats },
	{ "moving while an answer is stored",
	  test_moving_while_an_answer_is_stored },
	{ "a partner that asks again is told again",
	  test_a_partner_that_asks_again_is_told_again },
	{ "a flood of de-authorizations is bounded",
	  test_a_flood_of_deauthorizations_is_bounded },
	{ "restart while forwarding", test_restart_while_forwarding },
	{ "restart while awaiting", test_restart_while_awaiting },
	{ "restart while unconfirmed", test_restart_while_unconfirmed },
	{ "restart while telling", test_restart_while_telling },
	{ "stop with everything under way",
	  test_stop_with_everything_under_way },
	{ "an answer that was not stored is got again",
	  test_an_answer_that_was_not_stored_is_got_again },
	{ "an answer during an outage", test_an_answer_during_an_outage },
	{ "a row that has gone is owed nothing",
	  test_a_row_that_has_gone_is_owed_nothing },
	{ "a failed search is repeated", test_a_failed_search_is_repeated },
	{ "what has no room waits in the store",
	  test_what_has_no_room_waits_in_the_store },
	{ "one free place is enough", test_one_free_place_is_enough },
	{ "a silent peer gives up its place",
	  test_a_silent_peer_gives_up_its_place },
	{ "a timer without memory", test_a_timer_without_memory },
	{ "the response follows the client",
	  test_the_response_follows_the_client },
	{ "whoever asks again hears at once",
	  test_whoever_asks_again_hears_at_once },
	{ "the old address's answer is not the new one's",
	  test_the_old_addresses_answer_is_not_the_new_ones },
	CU_TEST_INFO_NULL,
};
