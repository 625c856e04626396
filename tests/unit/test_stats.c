/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/stats: order, removal, quantiles; and the log's lines. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "stats/stats.h"

static void test_statistics_keep_their_order(void)
{
	struct statistic a = { .name = "a" }, b = { .name = "b" },
			 c = { .name = "c" };
	struct stats *stats;

	CU_ASSERT_EQUAL_FATAL(stats_create(&stats), 0);
	CU_ASSERT_PTR_NULL(stats_first(stats));
	stats_add(stats, &a);
	stats_add(stats, &b);
	stats_add(stats, &c);
	stats_remove(stats, &b);
	CU_ASSERT_PTR_EQUAL(stats_first(stats), &a);
	CU_ASSERT_PTR_EQUAL(a.next, &c);
	CU_ASSERT_PTR_NULL(c.next);
	stats_remove(stats, &a);
	CU_ASSERT_PTR_EQUAL(stats_first(stats), &c);
	stat_increment(&c);
	CU_ASSERT_EQUAL(c.value, 1);
	stats_destroy(stats);
}

static void test_quantiles_are_upper_bounds(void)
{
	struct statistic times = { .kind = STATS_HISTOGRAM };

	CU_ASSERT_EQUAL(stat_quantile_us(&times, 0.5), 0);
	for (unsigned i = 0; i < 99; i++)
		stat_observe_us(&times, 100);
	stat_observe_us(&times, 100000);
	CU_ASSERT_EQUAL(times.value, 100);
	CU_ASSERT_EQUAL(times.sum, 99 * 100 + 100000);
	CU_ASSERT_EQUAL(stat_quantile_us(&times, 0.5), 128);
	CU_ASSERT_EQUAL(stat_quantile_us(&times, 0.99), 128);
	CU_ASSERT_EQUAL(stat_quantile_us(&times, 1), 131072);
	stat_observe_us(&times, 0);
	stat_observe_us(&times, UINT64_MAX);
	CU_ASSERT_EQUAL(times.buckets[0], 1);
	CU_ASSERT_EQUAL(times.buckets[STATS_BUCKETS - 1], 1);
}

/* ------------------------------------------------------------------ the log */

static uint64_t second;
static uint64_t fake_monotonic_ms(void)
{
	return second * 1000;
}
static uint64_t fake_utc_us(void)
{
	return 1700000000000123;
}
static const struct clock_source fake_clock = { fake_monotonic_ms,
						fake_utc_us };

static int kept_stderr, pipe_ends[2];

static void catch_stderr(void)
{
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_ends), 0);
	fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
	kept_stderr = dup(STDERR_FILENO);
	dup2(pipe_ends[1], STDERR_FILENO);
	clock_override(&fake_clock);
}

static size_t caught(char *text, size_t size)
{
	ssize_t n;

	dup2(kept_stderr, STDERR_FILENO);
	clock_override(NULL);
	n = read(pipe_ends[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(kept_stderr);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return n > 0 ? (size_t)n : 0;
}

static void test_a_line_stays_a_line(void)
{
	char text[2048];

	catch_stderr();
	log_info("test", "msg=\"%s\"", "one\ntwo\r\x1b[31m");
	log_debug("test", "msg=\"not at this level\"");
	caught(text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "2023-11-14T22:13:20.000123Z "
				     "level=info subject=test "
				     "msg=\"one?two??[31m\"\n");
}

static void test_a_long_line_is_cut(void)
{
	char text[4096], *big = calloc(1, 3000);

	CU_ASSERT_PTR_NOT_NULL_FATAL(big);
	memset(big, 'x', 2999);
	catch_stderr();
	log_error("test", "%s", big);
	CU_ASSERT(caught(text, sizeof(text)) <= 1024);
	CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
	free(big);
}

static void test_a_flood_is_counted(void)
{
	struct log_rate rate = { 0 };
	char text[16384];
	unsigned lines = 0;

	catch_stderr();
	second = 7;
	for (int i = 0; i < 25; i++)
		log_write_limited(&rate, LOG_WARNING, "test", "flood");
	second = 8;
	log_write_limited(&rate, LOG_WARNING, "test", "after");
	caught(text, sizeof(text));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	CU_ASSERT_EQUAL(lines, 11);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "after suppressed=15\n"));
}

static void test_levels_have_names(void)
{
	enum log_level level = LOG_ERROR;

	CU_ASSERT_EQUAL(log_level_parse("debug", &level), 0);
	CU_ASSERT_EQUAL(level, LOG_DEBUG);
	CU_ASSERT_EQUAL(log_level_parse("Debug", &level), EINVAL);
	CU_ASSERT_EQUAL(log_level_parse("", &level), EINVAL);
}

static CU_TestInfo stats_tests[] = {
	{ "statistics keep their order", test_statistics_keep_their_order },
	{ "quantiles are upper bounds", test_quantiles_are_upper_bounds },
	CU_TEST_INFO_NULL,
};

static CU_TestInfo log_tests[] = {
	{ "a line stays a line", test_a_line_stays_a_line },
	{ "a long line is cut", test_a_long_line_is_cut },
	{ "a flood is counted", test_a_flood_is_counted },
	{ "levels have names", test_levels_have_names },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "stats", NULL, NULL, NULL, NULL, stats_tests },
	{ "log", NULL, NULL, NULL, NULL, log_tests },
	CU_SUITE_INFO_NULL,
};
