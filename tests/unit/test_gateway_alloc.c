/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gateway's life with every n-th allocation failing: nothing leaks or hangs,
 * each request is answered once, and with memory again all is as ever.
 */
#include <errno.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc_fail.h"
#include "gateway_fixture.h"
#include "gateway_tests.h"

#define RUNS_MAX 5000

static char *request;
static size_t request_bytes;

int gateway_alloc_suite_init(void)
{
	alloc_fail_install();
	return 0;
}

/* What is not fatal to the process: 200 or 503, and ENOMEM or nothing. */
static void ask(void)
{
	size_t before = gate.sent_count;
	const struct gate_reply *reply =
	    gate_receive_raw(B1_HOST, "application/vnd.3gpp.mcptt-info+xml",
			     request, request_bytes);

	if (reply) {
		CU_ASSERT_EQUAL(reply->status, 503);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(gate.sent_count, before + 1);
	gate_answer(before, 500);
	if (!gate_reply())
		gate_answer(before + 1, 200);
	CU_ASSERT_PTR_NOT_NULL_FATAL(gate_reply());
	CU_ASSERT(gate_reply()->status == 200 || gate_reply()->status == 500);
}

static void live(void)
{
	int err;

	CU_ASSERT_EQUAL(gate_ask_source(B1_HOST, SIP_INSIDE), 0);
	ask();
	err = gate_reload();
	CU_ASSERT(!err || err == ENOMEM);
	ask();
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

/* False: there was no n-th allocation. */
static bool run_with_failure(long n)
{
	long before;
	bool happened;
	int err;

	gate_prepare();
	xmlResetLastError(); /* its text is kept */
	before = alloc_fail_live();
	gate.settings.peer_rate = gate.settings.user_rate = 1000;
	gate_list(&gate.servers[0].users, BOB, "sip:carl@b.example", NULL);
	gate_list(&gate.servers[0].sources, "dns:b1.b.example", NULL);
	gate_offer_core();
	alloc_fail_at(n);
	err = gate_init();
	if (!err) {
		gate_begin();
		live();
	}
	happened = alloc_fail_happened();
	alloc_fail_at(0);
	CU_ASSERT(!err || (err == ENOMEM && happened));
	gate_stop();
	xmlResetLastError();
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
	if (alloc_fail_live() != before)
		fprintf(stderr, "allocation %ld\n", n);
	return happened;
}

static void test_failures(void)
{
	const struct mcinfo info = gate_request(VISITOR, ALICE);
	long n = 1;

	CU_ASSERT_FATAL(!mcinfo_build(&info, &request, &request_bytes));
	run_with_failure(0);
	while (n < RUNS_MAX && run_with_failure(n))
		n++;
	CU_ASSERT_TRUE(n > 1 && n < RUNS_MAX);
	free(request);
}

CU_TestInfo gateway_alloc_tests[] = {
	{ "every allocation fails once", test_failures },
	CU_TEST_INFO_NULL,
};
