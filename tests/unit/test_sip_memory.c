/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers and peers of lib/sip without memory: each allocation of each addition
 * fails once, until the hash tables have grown; nothing is lost or left.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "alloc_fail.h"
#include "sip/answer.h"
#include "sip/client_transaction.h"

#define MANY 500 /* more than a table takes before it grows */

const struct listener *transport_find(const struct sip_stack *stack,
				      enum sip_transport transport, int family,
				      enum sip_side side)
{
	(void)transport;
	(void)family;
	(void)side;
	return stack->listeners;
}

/* Fails as often as an allocation does, and no oftener. */
static const struct answer *get_answer(struct answers *answers, unsigned i)
{
	const struct sip_reply reply = { .status = 503, .retry_after_s = i };
	const struct answer *answer = NULL;

	for (long n = 1; !answer; n++) {
		alloc_fail_at(n);
		answer = answer_get(answers, "a.example", &reply);
		CU_ASSERT_EQUAL(!answer, alloc_fail_happened());
		CU_ASSERT_EQUAL(answers_count(answers), i + (answer != NULL));
	}
	alloc_fail_at(0);
	return answer;
}

static void test_answers(void)
{
	static const struct answer *found[MANY];
	struct answers *answers;
	long before = alloc_fail_live();

	CU_ASSERT_EQUAL_FATAL(answers_create(&answers), 0);
	for (unsigned i = 0; i < MANY; i++) {
		found[i] = get_answer(answers, i);
		CU_ASSERT_EQUAL(found[i]->retry_after_s, i);
	}
	for (unsigned i = 0; i < MANY; i++)
		answer_put(answers, found[i]);
	CU_ASSERT_EQUAL(answers_count(answers), 0);
	answers_destroy(answers);
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

static struct peer *take_peer(struct sip_stack *stack, unsigned i)
{
	struct peer *peer;
	char uri[64];
	int err = ENOMEM;

	snprintf(uri, sizeof(uri), "sip:192.0.2.1:%u;transport=tcp", i + 1);
	for (long n = 1; err == ENOMEM; n++) {
		alloc_fail_at(n);
		err = peer_take(stack, uri, SIP_INSIDE, &peer);
		CU_ASSERT_EQUAL(err, alloc_fail_happened() ? ENOMEM : 0);
		CU_ASSERT_EQUAL(HASH_COUNT(stack->client->peers), i + !err);
	}
	alloc_fail_at(0);
	return peer;
}

static void test_peers(void)
{
	static struct peer *taken[MANY];
	struct client_transactions client = { .peer_outstanding_max = 1 };
	struct listener listener = { 0 };
	struct sip_stack stack = { .client = &client, .listeners = &listener };
	long before = alloc_fail_live();

	for (unsigned i = 0; i < MANY; i++)
		taken[i] = take_peer(&stack, i);
	for (unsigned i = 0; i < MANY; i++)
		peer_give(&client, taken[i]);
	CU_ASSERT_PTR_NULL(client.peers);
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

static int suite_init(void)
{
	alloc_fail_install();
	return 0;
}

static CU_TestInfo tests[] = {
	{ "answers", test_answers },
	{ "peers", test_peers },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "sip without memory", suite_init, NULL, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
