/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each rule of the procedures has a plausible mistake, and a model of the rules
 * (doc/architecture.md) has found the shortest way from the mistake to damage.
 * Each test goes that way with our rules and looks at the step where the
 * mistake would have done it. The comment names the model's flag.
 *
 * p is an authorization, d a de-authorization, the number its turn.
 */
#include "rules_fixture.h"

static bool has_outcome(const struct world_ask *ask,
			enum procedure_outcome outcome, enum mcinfo_cause cause)
{
	const struct procedure *procedure = world_at_partner(world, ask);

	return procedure && procedure->outcome == outcome &&
	       procedure->cause == cause;
}

static bool is_telling(const struct world_ask *ask)
{
	const struct procedure *procedure = world_at_partner(world, ask);

	return procedure && procedure->telling;
}

/* The primary still owes the response, so it can still be confirmed. */
static bool is_unconfirmed(const struct world_ask *ask)
{
	const struct procedure *procedure = world_at_primary(world, ask);

	return procedure && procedure->state == PROCEDURE_ANSWERING &&
	       procedure->outcome == OUTCOME_SUCCESS;
}

/* --------------------------------------------- a de-authorization's reach */

/* DEAUTH_ENDS_PENDING=0 */
static void test_deauthorization_ends_unconfirmed_older_ones(void)
{
	AUTHORIZATION(p2, 2, WORLD_B);
	DEAUTHORIZATION(d1, 1, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p2);
	TAKEN(world_client(world, &d1));
	TAKEN(world_request(world, &d1));
	CU_ASSERT(!is_unconfirmed(&p2));
	APPLIED(world_request_answered(world, &d1, 403));
	CU_ASSERT(!world_is_mapped(world, &p2));
	world_answered(world, &p2, 200);
	CU_ASSERT(!world_is_redirected(world, &p2));
}

/* HWM=1 */
static void test_deauthorization_counts_whatever_newer_is_known(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);
	AUTHORIZATION(p3, 3, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p2);
	TAKEN(world_client(world, &d1));
	APPLIED(world_answered(world, &p2, 200));
	TAKEN(world_client(world, &p3));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	TAKEN(world_request(world, &p3));
	TAKEN(world_request(world, &d1));
	CU_ASSERT(!world_is_redirected(world, &p2));
	CU_ASSERT(is_unconfirmed(&p3)); /* newer than the de-authorization */
}

/* DEAUTH_2PHASE=1 */
static void test_deauthorization_is_final_when_accepted(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p2);
	TAKEN(world_client(world, &d1));
	TAKEN(world_request(world, &d1));
	APPLIED(world_request_answered(world, &d1, 403));
	CU_ASSERT(is_telling(&d1));
	TAKEN(world_response(world, &d1));
	CU_ASSERT(!is_telling(&d1));
	APPLIED(world_answered(world, &d1, 481)); /* undoes nothing */
	world_answered(world, &p2, 200);
	CU_ASSERT(!world_is_redirected(world, &p2));
}

/* NOSEQ=1 */
static void test_deauthorization_below_leaves_newer_ones(void)
{
	AUTHORIZATION(p0, 4, WORLD_B);
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_confirmed(&p0);
	TAKEN(world_client(world, &d1));
	TAKEN(world_client(world, &p2));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	TAKEN(world_request(world, &p2));
	TAKEN(world_request(world, &d1));
	CU_ASSERT(!world_is_redirected(world, &p0));
	CU_ASSERT(is_unconfirmed(&p2));
	APPLIED(world_request_answered(world, &d1, 200));
	TAKEN(world_response(world, &p2));
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(world_is_mapped(world, &p2));
	CU_ASSERT(world_is_redirected(world, &p2));
}

/* PURGE_A=1 TOMB=0 */
static void test_deauthorization_outlives_its_procedure(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p2);
	TAKEN(world_client(world, &d1));
	TAKEN(world_request(world, &d1));
	APPLIED(world_answered(world, &d1, 200));
	world_purge(world, WORLD_A);
	CU_ASSERT_PTR_NULL(world_at_primary(world, &p2));
	TAKEN(world_request(world, &p2)); /* a late copy */
	CU_ASSERT(!is_unconfirmed(&p2));
	CU_ASSERT_EQUAL(world_at_primary(world, &p2)->cause, CAUSE_SUPERSEDED);
	APPLIED(world_request_answered(world, &d1, 403));
	world_answered(world, &p2, 200);
	CU_ASSERT(!world_is_redirected(world, &p2));
}

/* ----------------------------------------- an unconfirmed authorization */

/* LIT481=1 */
static void test_response_repeated_is_answered_200(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	TAKEN(world_response(world, &p1));
	CU_ASSERT(world_is_mapped(world, &p1));
}

/* LATE_200=1 is its opposite: only of exactly this procedure. */
static void test_response_of_a_replaced_mapping_is_answered_481(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	reach_unconfirmed(&p2);
	CU_ASSERT_EQUAL(world_response(world, &p1), 481);
	APPLIED(world_answered(world, &p1, 481));
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(world_is_redirected(world, &p2));
}

/* RESP_IN_FWD=0 */
static void test_response_counts_as_the_requests_answer(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	TAKEN(world_client(world, &p1));
	TAKEN(world_request(world, &p1));
	TAKEN(world_response(world, &p1));
	CU_ASSERT(world_is_mapped(world, &p1));
	world_request_answered(world, &p1, 200);
	TAKEN(world_response(world, &p1));
	APPLIED(world_answered(world, &p1, 200));
	CU_ASSERT(world_is_redirected(world, &p1));
}

/* REFUSE4XX=1, GW202=1 */
static void test_only_200_confirms_and_only_481_drops(void)
{
	static const int statuses[] = { 202, 299, 302, 400, 403, 404, 480,
					486, 489, 500, 503, 504, 600, 603 };
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	TAKEN(world_client(world, &p1));
	TAKEN(world_request(world, &p1));
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		world_answered(world, &p1, statuses[i]);
		CU_ASSERT(is_unconfirmed(&p1));
		CU_ASSERT(!world_is_redirected(world, &p1));
	}
	TAKEN(world_response(world, &p1));
	APPLIED(world_answered(world, &p1, 200));
	CU_ASSERT(world_is_redirected(world, &p1));
}

/* EXPIRE_DROP=1 */
static void test_unconfirmed_authorization_never_expires(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	CU_ASSERT_EQUAL(world_at_primary(world, &p1)->deadline_us, 0);
}

/* A_SUPERSEDE=1, A_SUPERSEDE=2 */
static void test_primary_never_supersedes(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	TAKEN(world_client(world, &p1));
	TAKEN(world_client(world, &p2));
	CU_ASSERT(has_outcome(&p1, OUTCOME_FAILURE, CAUSE_SUPERSEDED));
	TAKEN(world_request(world, &p2));
	TAKEN(world_request(world, &p1));
	CU_ASSERT(is_unconfirmed(&p2));
	CU_ASSERT(is_unconfirmed(&p1));
	CU_ASSERT_EQUAL(world_response(world, &p1), 481);
	APPLIED(world_answered(world, &p1, 481));
	TAKEN(world_response(world, &p2));
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(world_is_mapped(world, &p2));
	CU_ASSERT(world_is_redirected(world, &p2));
}

/* RECHECK=1 */
static void test_permission_is_decided_on_acceptance(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	world_permit(world, WORLD_ALICE, false);
	APPLIED(world_answered(world, &p1, 200));
	CU_ASSERT(world_is_redirected(world, &p1));
}

/* CONF_GUARD=0 CONF_ENDS_OLDER=0 */
static void test_confirm_never_overwrites_a_newer_one(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	reach_unconfirmed(&p2);
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(!is_unconfirmed(&p1));
	world_answered(world, &p1, 200);
	CU_ASSERT(world_is_redirected(world, &p2));
}

/* PURGE_A=1 SEQ_LE=0 */
static void test_late_copy_of_the_confirmed_request_is_superseded(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);

	rules_setup();
	reach_confirmed(&p1);
	TAKEN(world_client(world, &p2));
	TAKEN(world_request(world, &p2));
	world_purge(world, WORLD_A);
	CU_ASSERT_PTR_NULL(world_at_primary(world, &p1));
	TAKEN(world_request(world, &p1));
	CU_ASSERT(!is_unconfirmed(&p1));
	CU_ASSERT_EQUAL(world_at_primary(world, &p1)->cause, CAUSE_SUPERSEDED);
	TAKEN(world_response(world, &p2));
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(world_is_current(world, &p2));
}

/* ------------------------------------------------- supersession, outcomes */

/* SUP_DEAUTH=0 */
static void test_superseded_deauthorization_is_finished_first(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);
	AUTHORIZATION(p3, 3, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p2);
	TAKEN(world_client(world, &d1));
	TAKEN(world_request(world, &d1));
	TAKEN(world_client(world, &p3));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	CU_ASSERT(!world_is_mapped(world, &p2));
	CU_ASSERT(is_telling(&d1));
	APPLIED(world_request_answered(world, &p3, 403));
	CU_ASSERT(has_outcome(&p3, OUTCOME_FAILURE, CAUSE_PRIMARY_REFUSED));
	CU_ASSERT(!world_is_mapped(world, &p2));
}

/* SUP_ANSWERED=1 */
static void test_a_decided_procedure_is_never_superseded(void)
{
	AUTHORIZATION(p0, 3, WORLD_B);
	DEAUTHORIZATION(d1, 1, WORLD_B);
	DEAUTHORIZATION(d2, 2, WORLD_B);

	rules_setup();
	reach_confirmed(&p0);
	TAKEN(world_client(world, &d1));
	APPLIED(world_request_answered(world, &d1, 403));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	TAKEN(world_client(world, &d2));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	CU_ASSERT(is_telling(&d1));
}

/* SPLIT=1 */
static void test_mapping_and_outcome_are_one_step(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);

	rules_setup();
	reach_unconfirmed(&p1);
	CU_ASSERT(has_outcome(&p1, OUTCOME_SUCCESS, CAUSE_NONE));
	CU_ASSERT_EQUAL(world_deadline(world, &p1), TRANSITION_REFUSED);
	CU_ASSERT(has_outcome(&p1, OUTCOME_SUCCESS, CAUSE_NONE));
}

/* ------------------------------------------------------------ the telling */

/* Confirmed at the primary while its end is under way at the partner. */
static void reach_leaving(struct world_ask *p, struct world_ask *d)
{
	reach_unconfirmed(p);
	TAKEN(world_client(world, d));
	APPLIED(world_answered(world, p, 200));
	CU_ASSERT(world_is_redirected(world, p));
}

/* BG_DROP=1 */
static void test_telling_outlives_a_newer_authorization(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);
	AUTHORIZATION(p3, 3, WORLD_B);

	rules_setup();
	reach_leaving(&p2, &d1);
	TAKEN(world_client(world, &p3));
	CU_ASSERT(!world_is_mapped(world, &p2));
	CU_ASSERT(is_telling(&d1));
	TAKEN(world_request(world, &d1));
	CU_ASSERT(!world_is_redirected(world, &p2));
}

/* BG_STOP4XX=1 */
static void test_telling_outlives_a_refusal(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_leaving(&p2, &d1);
	APPLIED(world_request_answered(world, &d1, 403));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	CU_ASSERT(!world_is_mapped(world, &p2));
	CU_ASSERT(is_telling(&d1));
	world_request_answered(world, &d1, 403);
	CU_ASSERT(is_telling(&d1));
	world_request_answered(world, &d1, 202);
	CU_ASSERT(is_telling(&d1));
	TAKEN(world_request(world, &d1));
	CU_ASSERT(!world_is_redirected(world, &p2));
	APPLIED(world_request_answered(world, &d1, 200));
	CU_ASSERT(!is_telling(&d1));
}

/* BG_EXPIRE=1 */
static void test_telling_never_expires(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_leaving(&p2, &d1);
	APPLIED(world_deadline(world, &d1));
	CU_ASSERT(is_telling(&d1));
	world_deadline(world, &d1);
	CU_ASSERT(is_telling(&d1));
	world_purge(world, WORLD_B);
	CU_ASSERT(is_telling(&d1));
}

/* NOTIFY=0 */
static void test_the_primary_is_told_of_a_deauthorization(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	reach_leaving(&p2, &d1);
	CU_ASSERT_EQUAL(world_at_partner(world, &d1)->state,
			PROCEDURE_FORWARDING);
	CU_ASSERT(world_is_mapped(world, &p2));
	TAKEN(world_request(world, &d1));
	CU_ASSERT(!world_is_redirected(world, &p2));
	TAKEN(world_response(world, &d1));
	CU_ASSERT(!world_is_mapped(world, &p2));
}

/* The setting that gives agreement up: done at once, and nobody told. */
static void test_without_notify_primary_the_partner_ends_alone(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	world->notify_primary = false;
	reach_confirmed(&p2);
	TAKEN(world_client(world, &d1));
	CU_ASSERT(has_outcome(&d1, OUTCOME_SUCCESS, CAUSE_NONE));
	CU_ASSERT(!world_is_mapped(world, &p2));
	CU_ASSERT(!is_telling(&d1));
}

/* ----------------------------------------- the same ID again, after purging */

/* PURGE_B=1 SEQ_ECHO=0 */
static void test_response_must_echo_the_sequence(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	uint64_t first;

	rules_setup();
	TAKEN(world_client(world, &p1));
	first = p1.sequence;
	TAKEN(world_request(world, &p1));
	APPLIED(world_request_answered(world, &p1, 403));
	CU_ASSERT_EQUAL(world_response(world, &p1), 481);
	APPLIED(world_answered(world, &p1, 481));
	APPLIED(world_client_answered(world, &p1));
	world_purge(world, WORLD_B);
	CU_ASSERT_PTR_NULL(world_at_partner(world, &p1));
	TAKEN(world_client(world, &p1));
	CU_ASSERT(p1.sequence > first);
	CU_ASSERT_EQUAL(world_response_copy(world, &p1, first, CAUSE_NONE),
			481);
	CU_ASSERT(!world_is_mapped(world, &p1));
}

/* SHORTCUT=1 */
static void test_a_new_authorization_always_goes_to_the_primary(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);
	AUTHORIZATION(p3, 3, WORLD_B);

	rules_setup();
	reach_confirmed(&p1);
	reach_confirmed(&p2);
	CU_ASSERT(world_is_current(world, &p2));
	TAKEN(world_client(world, &p3));
	CU_ASSERT_EQUAL(world_at_partner(world, &p3)->state,
			PROCEDURE_FORWARDING);
	TAKEN(world_request(world, &p3));
	TAKEN(world_response(world, &p3));
	APPLIED(world_answered(world, &p3, 200));
	CU_ASSERT(world_is_current(world, &p3));
}

/* --------------------------------------------------- which one is current */

/* EPOCH_AT_CONFIRM=1 */
static void test_epoch_is_given_on_acceptance(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);

	rules_setup();
	reach_unconfirmed(&p1);
	reach_unconfirmed(&p2);
	APPLIED(world_answered(world, &p2, 200));
	APPLIED(world_answered(world, &p1, 200));
	CU_ASSERT(world_is_redirected(world, &p1));
	CU_ASSERT(world_is_current(world, &p2));
}

/* G=1: the client goes on without waiting. */
static void test_order_decides_for_clients_that_do_not_wait(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);

	rules_setup();
	p1.order = 1000001;
	p2.order = 1000002;
	TAKEN(world_client(world, &p1));
	TAKEN(world_client(world, &p2));
	TAKEN(world_request(world, &p2));
	TAKEN(world_request(world, &p1));
	CU_ASSERT(!is_unconfirmed(&p1));
	CU_ASSERT_EQUAL(world_at_primary(world, &p1)->cause, CAUSE_SUPERSEDED);
	TAKEN(world_response(world, &p1));
	CU_ASSERT(has_outcome(&p1, OUTCOME_FAILURE, CAUSE_SUPERSEDED));
	TAKEN(world_response(world, &p2));
	APPLIED(world_answered(world, &p2, 200));
	CU_ASSERT(world_is_current(world, &p2));
}

/* G=1 within one partner system: its own refusal. */
static void test_partner_refuses_an_older_order(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	d1.order = 1000001;
	p2.order = 1000002;
	reach_confirmed(&p2);
	TAKEN(world_client(world, &d1));
	CU_ASSERT(has_outcome(&d1, OUTCOME_FAILURE, CAUSE_SUPERSEDED));
	CU_ASSERT(world_is_mapped(world, &p2));
}

/* Not in the model: an ended one gives way to nobody older. */
static void test_an_older_migration_never_becomes_current_again(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_C);
	DEAUTHORIZATION(d3, 3, WORLD_C);

	rules_setup();
	reach_confirmed(&p1);
	reach_confirmed(&p2);
	TAKEN(world_client(world, &d3));
	TAKEN(world_request(world, &d3));
	CU_ASSERT(!world_is_redirected(world, &p2));
	CU_ASSERT(world_is_redirected(world, &p1));
	CU_ASSERT(!world_is_current(world, &p1));
}

/* ------------------------------------------------------------ partner IDs */

/* U=2 INUSE_STORE=0 */
static void test_partner_id_in_use_is_checked_again_when_storing(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	p2.user = WORLD_BOB;
	TAKEN(world_client(world, &p1));
	TAKEN(world_request(world, &p1));
	TAKEN(world_client(world, &p2));
	TAKEN(world_response(world, &p1));
	APPLIED(world_answered(world, &p1, 200));
	TAKEN(world_request(world, &p2));
	CU_ASSERT_EQUAL(world_response(world, &p2), 481);
	CU_ASSERT(has_outcome(&p2, OUTCOME_FAILURE, CAUSE_PARTNER_ID_IN_USE));
	APPLIED(world_answered(world, &p2, 481));
	CU_ASSERT(world_is_mapped(world, &p1));
	CU_ASSERT(!world_is_redirected(world, &p2));
}

/* U=2 INUSE_REQ=0, which is harmless alone: and at the request. */
static void test_partner_id_in_use_is_refused(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	p2.user = WORLD_BOB;
	reach_confirmed(&p1);
	TAKEN(world_client(world, &p2));
	CU_ASSERT(has_outcome(&p2, OUTCOME_FAILURE, CAUSE_PARTNER_ID_IN_USE));
}

/* U=2 QUAR=0 */
static void test_partner_id_is_reserved_until_the_primary_knows(void)
{
	DEAUTHORIZATION(d1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);
	AUTHORIZATION(p3, 3, WORLD_B);
	AUTHORIZATION(p4, 4, WORLD_B);

	rules_setup();
	p3.user = p4.user = WORLD_BOB;
	reach_unconfirmed(&p2);
	TAKEN(world_client(world, &d1));
	APPLIED(world_request_answered(world, &d1, 403));
	CU_ASSERT(!world_is_mapped(world, &p2));
	APPLIED(world_answered(world, &p2, 200));
	TAKEN(world_client(world, &p3));
	CU_ASSERT(has_outcome(&p3, OUTCOME_FAILURE, CAUSE_PARTNER_ID_IN_USE));
	TAKEN(world_request(world, &d1));
	APPLIED(world_request_answered(world, &d1, 200));
	reach_confirmed(&p4);
}

/* U=2 P=2 DIFFPID=0 */
static void test_a_user_has_one_partner_id(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);
	AUTHORIZATION(p3, 3, WORLD_B);

	rules_setup();
	p2.visitor = 1;
	p3.user = WORLD_BOB;
	reach_confirmed(&p1);
	TAKEN(world_client(world, &p2));
	CU_ASSERT(has_outcome(&p2, OUTCOME_FAILURE, CAUSE_OTHER_PARTNER_ID));
	CU_ASSERT(world_is_mapped(world, &p1));
	TAKEN(world_client(world, &p3));
	CU_ASSERT(has_outcome(&p3, OUTCOME_FAILURE, CAUSE_PARTNER_ID_IN_USE));
}

/* A refusal supersedes nothing. */
static void test_a_refusal_leaves_the_running_procedure(void)
{
	AUTHORIZATION(p1, 1, WORLD_B);
	AUTHORIZATION(p2, 2, WORLD_B);

	rules_setup();
	p2.visitor = 1;
	TAKEN(world_client(world, &p1));
	TAKEN(world_client(world, &p2));
	CU_ASSERT(has_outcome(&p2, OUTCOME_FAILURE, CAUSE_OTHER_PARTNER_ID));
	CU_ASSERT(has_outcome(&p1, OUTCOME_NONE, CAUSE_NONE));
	TAKEN(world_request(world, &p1));
	TAKEN(world_response(world, &p1));
	CU_ASSERT(world_is_mapped(world, &p1));
}

#define TEST(name)                 \
	{                          \
#name, test_##name \
	}
static CU_TestInfo tests[] = {
	TEST(deauthorization_ends_unconfirmed_older_ones),
	TEST(deauthorization_counts_whatever_newer_is_known),
	TEST(deauthorization_is_final_when_accepted),
	TEST(deauthorization_below_leaves_newer_ones),
	TEST(deauthorization_outlives_its_procedure),
	TEST(response_repeated_is_answered_200),
	TEST(response_of_a_replaced_mapping_is_answered_481),
	TEST(response_counts_as_the_requests_answer),
	TEST(only_200_confirms_and_only_481_drops),
	TEST(unconfirmed_authorization_never_expires),
	TEST(primary_never_supersedes),
	TEST(permission_is_decided_on_acceptance),
	TEST(confirm_never_overwrites_a_newer_one),
	TEST(late_copy_of_the_confirmed_request_is_superseded),
	TEST(superseded_deauthorization_is_finished_first),
	TEST(a_decided_procedure_is_never_superseded),
	TEST(mapping_and_outcome_are_one_step),
	TEST(telling_outlives_a_newer_authorization),
	TEST(telling_outlives_a_refusal),
	TEST(telling_never_expires),
	TEST(the_primary_is_told_of_a_deauthorization),
	TEST(without_notify_primary_the_partner_ends_alone),
	TEST(response_must_echo_the_sequence),
	TEST(a_new_authorization_always_goes_to_the_primary),
	TEST(epoch_is_given_on_acceptance),
	TEST(order_decides_for_clients_that_do_not_wait),
	TEST(partner_refuses_an_older_order),
	TEST(an_older_migration_never_becomes_current_again),
	TEST(partner_id_in_use_is_checked_again_when_storing),
	TEST(partner_id_in_use_is_refused),
	TEST(partner_id_is_reserved_until_the_primary_knows),
	TEST(a_user_has_one_partner_id),
	TEST(a_refusal_leaves_the_running_procedure),
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "rules", rules_suite_init, rules_suite_clean, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
