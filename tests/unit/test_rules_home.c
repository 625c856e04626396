/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an IMS in front adds to the rules: a user who is at home once more
 * (EVENT_RETURNED_HOME), and clients that are known by an identity.
 */
#include <string.h>

#include "rules_fixture.h"

static void test_who_returns_home_is_redirected_nowhere(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);

	rules_setup();
	reach_confirmed(&p1);
	reach_confirmed(&p2);
	APPLIED(world_returned_home(world, WORLD_ALICE));
	CU_ASSERT(world_is_at_home(world, WORLD_ALICE));
	/* The partners are told nothing, and agree with us as before. */
	CU_ASSERT(world_is_redirected(world, &p1));
	CU_ASSERT(world_is_redirected(world, &p2));
	CU_ASSERT(world_is_mapped(world, &p1));
	CU_ASSERT(world_is_mapped(world, &p2));
}

/* Cancelling only what is confirmed: the 200 under way would redirect again. */
static void test_a_late_200_does_not_take_the_user_away_again(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);

	rules_setup();
	reach_unconfirmed(&p1);
	reach_confirmed(&p2);
	APPLIED(world_returned_home(world, WORLD_ALICE));
	APPLIED(world_answered(world, &p1, 200));
	CU_ASSERT(world_is_redirected(world, &p1));
	CU_ASSERT(world_is_at_home(world, WORLD_ALICE));
}

static void test_only_an_unconfirmed_one_is_cancelled_too(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	APPLIED(world_returned_home(world, WORLD_ALICE));
	APPLIED(world_answered(world, &p1, 200));
	CU_ASSERT(world_is_redirected(world, &p1)); /* the partner has it */
	CU_ASSERT(world_is_at_home(world, WORLD_ALICE));
}

static void test_who_leaves_again_is_redirected_again(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);
	AUTHORIZATION(p3, 3, WORLD_C);

	rules_setup();
	reach_confirmed(&p1);
	reach_unconfirmed(&p2);
	APPLIED(world_returned_home(world, WORLD_ALICE));
	reach_unconfirmed(&p3);
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(world_is_at_home(world, WORLD_ALICE));
	APPLIED(world_answered(world, &p3, 200));
	CU_ASSERT(world_is_current(world, &p3));
	APPLIED(world_returned_home(world, WORLD_ALICE));
	CU_ASSERT(world_is_at_home(world, WORLD_ALICE));
}

static void test_a_second_registration_changes_nothing(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	CU_ASSERT_EQUAL(world_returned_home(world, WORLD_ALICE),
			TRANSITION_ALREADY_APPLIED);
	CU_ASSERT_EQUAL(world->tables[WORLD_A]->user_count, 0);
	reach_confirmed(&p1);
	APPLIED(world_returned_home(world, WORLD_ALICE));
	CU_ASSERT_EQUAL(world_returned_home(world, WORLD_ALICE),
			TRANSITION_ALREADY_APPLIED);
	CU_ASSERT_EQUAL(world_returned_home(world, WORLD_BOB),
			TRANSITION_ALREADY_APPLIED);
}

/* The partner still has the user, until it hears otherwise from its client. */
static void test_a_return_leaves_the_deauthorization_to_the_partner(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	DEAUTHORIZATION(d2, 2, WORLD_B);

	rules_setup();
	reach_confirmed(&p1);
	APPLIED(world_returned_home(world, WORLD_ALICE));
	TAKEN(world_client(world, &d2));
	TAKEN(world_request(world, &d2));
	TAKEN(world_response(world, &d2));
	CU_ASSERT(!world_is_redirected(world, &p1));
	CU_ASSERT(!world_is_mapped(world, &p1));
	CU_ASSERT(world_is_at_home(world, WORLD_ALICE));
}

/* ---------------------------------------------------- a client and its IMS */

#define IDENTITY "sip:ue1@ims.example"

static const char *identity_of(const struct world_ask *ask)
{
	const struct procedure *procedure = world_at_partner(world, ask);

	return procedure ? procedure->client_identity : "(none)";
}

static bool is_answering(const struct world_ask *ask)
{
	const struct procedure *procedure = world_at_partner(world, ask);

	return procedure && procedure->state == PROCEDURE_ANSWERING;
}

/* The 200 of the way that it has left does not end the response. */
static void answer_on_both_ways(struct world_ask *ask, const char *left,
				const char *taken)
{
	world->client_identity = left;
	CU_ASSERT_EQUAL(world_client_answered(world, ask), TRANSITION_REFUSED);
	CU_ASSERT(is_answering(ask));
	world->client_identity = taken;
	APPLIED(world_client_answered(world, ask));
	CU_ASSERT(!is_answering(ask));
}

static void test_a_client_leaves_the_ims(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	world->client_identity = IDENTITY;
	reach_unconfirmed(&p1);
	CU_ASSERT_STRING_EQUAL(identity_of(&p1), IDENTITY);
	world->client_identity = "";
	TAKEN(world_client(world, &p1));
	CU_ASSERT_STRING_EQUAL(identity_of(&p1), "");
	answer_on_both_ways(&p1, IDENTITY, "");
}

static void test_a_client_comes_through_the_ims(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	TAKEN(world_client(world, &p1));
	world->client_identity = IDENTITY;
	TAKEN(world_client(world, &p1));
	TAKEN(world_request(world, &p1));
	TAKEN(world_response(world, &p1));
	CU_ASSERT_STRING_EQUAL(identity_of(&p1), IDENTITY);
	answer_on_both_ways(&p1, "", IDENTITY);
	/* Once more, with another identity behind the same S-CSCF. */
	world->client_identity = "sip:ue2@ims.example";
	TAKEN(world_client(world, &p1));
	answer_on_both_ways(&p1, IDENTITY, "sip:ue2@ims.example");
}

#define TEST(name)                 \
	{                          \
#name, test_##name \
	}
static CU_TestInfo tests[] = {
	TEST(who_returns_home_is_redirected_nowhere),
	TEST(a_late_200_does_not_take_the_user_away_again),
	TEST(only_an_unconfirmed_one_is_cancelled_too),
	TEST(who_leaves_again_is_redirected_again),
	TEST(a_second_registration_changes_nothing),
	TEST(a_return_leaves_the_deauthorization_to_the_partner),
	TEST(a_client_leaves_the_ims),
	TEST(a_client_comes_through_the_ims),
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "rules with an IMS", rules_suite_init, rules_suite_clean, NULL, NULL,
	  tests },
	CU_SUITE_INFO_NULL,
};
