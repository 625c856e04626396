/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The direct path with every n-th allocation failing: nothing leaks or hangs,
 * and once there is memory again all ends as if there had always been.
 */
#include <libxml/xmlerror.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "migration_fixture.h"
#include "migration_tests.h"

#define RUNS_MAX 20000

int alloc_suite_init(void)
{
	alloc_fail_install();
	return 0;
}

/* The peers know their messages by heart: no allocation is theirs. */
static struct {
	char *client_request, *partner_request;
	size_t client_bytes, partner_bytes;
} bodies;

static void build_bodies(void)
{
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, VISITOR, ALICE);

	CU_ASSERT_FATAL(
	    !mcinfo_build(&info, &bodies.client_request, &bodies.client_bytes));
	info = document_request(MCINFO_AUTHORIZATION, 2, GUEST, BOB);
	info.sequence = 77;
	CU_ASSERT_FATAL(!mcinfo_build(&info, &bodies.partner_request,
				      &bodies.partner_bytes));
}

static bool is_taken(const char *source_host, const char *body, size_t bytes)
{
	const struct reply *reply = server_receive_raw(
	    source_host, "application/vnd.3gpp.mcptt-info+xml", body, bytes);

	CU_ASSERT_FATAL(reply != NULL);
	CU_ASSERT(reply->status == 200 || reply->status == 503);
	return reply->status == 200;
}

static void ask_until_taken(const char *source_host, const char *body,
			    size_t bytes)
{
	for (unsigned tries = 0; tries < 3; tries++) {
		if (is_taken(source_host, body, bytes))
			return;
	}
	CU_FAIL("refused with memory to spare");
}

static void answer_all(void)
{
	for (size_t i = 0; i < server.sent_count; i++) {
		if (!server.sent[i].answered)
			server_answer(i, 200);
	}
}

/* A response made of the request by its text alone. */
static void primary_responds(void)
{
	static char body[8192];
	const struct procedure *procedure = server_procedure(ALICE, 1);
	struct mcinfo info =
	    document_request(MCINFO_AUTHORIZATION, 1, VISITOR, ALICE);
	char *text;
	size_t bytes;

	if (!procedure)
		return;
	info = document_response(&info, CAUSE_NONE);
	info.sequence = procedure->sequence;
	if (mcinfo_build(&info, &text, &bytes))
		return; /* the one failure was this peer's */
	memcpy(body, text, bytes);
	free(text);
	ask_until_taken(PEER_HOST, body, bytes);
}

static void run_flows(void)
{
	server_up();
	server_wait_ms(2000); /* a directory that did not load comes again */
	if (!store_is_up(server.store)) {
		CU_FAIL("the store did not come up");
		return;
	}
	ask_until_taken(CLIENT_HOST, bodies.client_request,
			bodies.client_bytes);
	ask_until_taken(PEER_HOST, bodies.partner_request,
			bodies.partner_bytes);
	answer_all();
	primary_responds();
	answer_all();
	for (unsigned minutes = 0; minutes < 3; minutes++) {
		primary_responds();
		for (unsigned i = 0; i < 60; i++) {
			server_wait_ms(1000);
			answer_all();
		}
	}
}

static void check_end(void)
{
	const struct procedure *partner = server_procedure(ALICE, 1);
	const struct procedure *primary = server_procedure(BOB, 2);

	CU_ASSERT_FATAL(partner && primary);
	CU_ASSERT_EQUAL(partner->state, PROCEDURE_DONE);
	CU_ASSERT_EQUAL(primary->state, PROCEDURE_DONE);
	CU_ASSERT_EQUAL(primary->outcome, OUTCOME_SUCCESS);
	/* Without memory it may have taken too long, and said so. */
	CU_ASSERT_EQUAL(partner->outcome == OUTCOME_SUCCESS,
			server_is_mapped(ALICE));
	CU_ASSERT_EQUAL(server_statistic("migration.live_procedures"), 0);
	CU_ASSERT_EQUAL(server_statistic("store.pending"), 0);
}

static bool run_once(long n)
{
	long before;
	bool happened;

	server_prepare();
	xmlResetLastError();
	before = alloc_fail_live();
	server_start();
	alloc_fail_at(n);
	run_flows();
	happened = alloc_fail_happened();
	alloc_fail_at(0);
	check_end();
	server_stop();
	xmlResetLastError(); /* its text is kept */
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
	return happened;
}

static void test_every_nth_allocation_fails(void)
{
	long n = 1;

	build_bodies();
	run_once(0);
	while (n < RUNS_MAX && run_once(n))
		n++;
	CU_ASSERT_TRUE(n > 1 && n < RUNS_MAX);
	free(bodies.client_request);
	free(bodies.partner_request);
	server_end();
}

CU_TestInfo alloc_tests[] = {
	{ "every n-th allocation fails", test_every_nth_allocation_fails },
	CU_TEST_INFO_NULL,
};
