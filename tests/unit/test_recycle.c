/* SPDX-License-Identifier: BSD-2-Clause */
/* src/recycle.c: when to start anew, and what the next program is told. */
#include "unit.h"

#include <errno.h>

#include "recycle.h"

#define MIB UINT64_C(1048576)
#define MINUTE_MS UINT64_C(60000)

static const struct recycle_bound bound = { .memory_max_bytes = 100 * MIB,
					    .interval_ms = 10 * MINUTE_MS };

static void test_below_the_bound(void)
{
	const struct recycle_bound none = { .memory_max_bytes = 0 };
	const struct recycle_history never = { 0 };

	CU_ASSERT_EQUAL(recycle_judge(&bound, &never, 100 * MIB, 1),
			RECYCLE_NO);
	CU_ASSERT_EQUAL(recycle_judge(&none, &never, UINT64_MAX, 1),
			RECYCLE_NO);
}

static void test_first_time_is_at_once(void)
{
	const struct recycle_history never = { 0 };

	CU_ASSERT_EQUAL(recycle_judge(&bound, &never, 100 * MIB + 1, 1),
			RECYCLE_NOW);
}

static void test_not_twice_within_the_interval(void)
{
	const struct recycle_history once = { .times = 1, .closed_ms = 5000 };
	const struct recycle_bound eager = { .memory_max_bytes = 100 * MIB };

	CU_ASSERT_EQUAL(recycle_judge(&bound, &once, 101 * MIB,
				      5000 + 10 * MINUTE_MS - 1),
			RECYCLE_TOO_SOON);
	CU_ASSERT_EQUAL(recycle_judge(&bound, &once, 101 * MIB,
				      5000 + 10 * MINUTE_MS),
			RECYCLE_NOW);
	CU_ASSERT_EQUAL(recycle_judge(&bound, &once, 99 * MIB, 5001),
			RECYCLE_NO);
	CU_ASSERT_EQUAL(recycle_judge(&eager, &once, 101 * MIB, 5000),
			RECYCLE_NOW);
}

static void test_statm(void)
{
	uint64_t bytes = 7;

	CU_ASSERT_EQUAL(
	    recycle_read_statm("9000 2500 1800 40 0 700 0\n", 4096, &bytes), 0);
	CU_ASSERT_EQUAL(bytes, 2500 * 4096);
	CU_ASSERT_EQUAL(recycle_read_statm("", 4096, &bytes), EINVAL);
	CU_ASSERT_EQUAL(recycle_read_statm("9000\n", 4096, &bytes), EINVAL);
	CU_ASSERT_EQUAL(recycle_read_statm("a b c\n", 4096, &bytes), EINVAL);
	CU_ASSERT_EQUAL(bytes, 2500 * 4096);
}

static void check_history(const char *text, int err)
{
	struct recycle_history history = { .times = 7, .closed_ms = 8 };

	CU_ASSERT_EQUAL(recycle_read_history(text, &history), err);
	CU_ASSERT(!err || (history.times == 7 && history.closed_ms == 8));
}

static void test_history(void)
{
	struct recycle_history history;

	CU_ASSERT_EQUAL(recycle_read_history("3,123456789012", &history), 0);
	CU_ASSERT_EQUAL(history.times, 3);
	CU_ASSERT_EQUAL(history.closed_ms, UINT64_C(123456789012));
	check_history("1,2", 0);
	check_history("", EINVAL);
	check_history("3", EINVAL);
	check_history("0,5", EINVAL);
	check_history("3,5x", EINVAL);
	check_history("x,5", EINVAL);
}

static void check_arguments(char **arguments, const char *option)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(arguments);
	CU_ASSERT_STRING_EQUAL(arguments[0], "mcmigd");
	CU_ASSERT_STRING_EQUAL(arguments[1], option);
	CU_ASSERT_STRING_EQUAL(arguments[2], "-c");
	CU_ASSERT_STRING_EQUAL(arguments[3], "a.conf");
	CU_ASSERT_STRING_EQUAL(arguments[4], "--");
	CU_ASSERT_PTR_NULL(arguments[5]);
}

static void test_arguments_do_not_pile_up(void)
{
	char *argv[] = { (char *)"mcmigd", (char *)"-c", (char *)"a.conf",
			 (char *)"--", NULL };
	struct recycle_history history = { .times = 1, .closed_ms = 10 };
	char **first = recycle_arguments(argv, &history), **second;

	check_arguments(first, "--recycled=1,10");
	history = (struct recycle_history){ .times = 2, .closed_ms = 20 };
	second = recycle_arguments(first, &history);
	check_arguments(second, "--recycled=2,20");
	recycle_free_arguments(first);
	recycle_free_arguments(second);
	recycle_free_arguments(NULL);
}

static CU_TestInfo recycle_tests[] = {
	{ "below the bound", test_below_the_bound },
	{ "the first time is at once", test_first_time_is_at_once },
	{ "not twice within the interval", test_not_twice_within_the_interval },
	{ "statm", test_statm },
	{ "history", test_history },
	{ "arguments do not pile up", test_arguments_do_not_pile_up },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "recycle", NULL, NULL, NULL, NULL, recycle_tests },
	CU_SUITE_INFO_NULL,
};
