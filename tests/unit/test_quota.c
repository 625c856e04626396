/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/base/quota: rate, burst, bounded keys, reload, no memory. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "alloc_fail.h"
#include "base/clock.h"
#include "base/quota.h"

static uint64_t now_ms;

static uint64_t monotonic_ms(void)
{
	return now_ms;
}

static uint64_t utc_us(void)
{
	return now_ms * 1000;
}

static const struct clock_source clock_source = { monotonic_ms, utc_us };
static struct quota *quota;

static void begin(void)
{
	now_ms = 1000000;
	clock_override(&clock_source);
}

static void end(void)
{
	quota_destroy(quota);
	quota = NULL;
	clock_override(NULL);
}

static void create(uint32_t rate, uint32_t burst, size_t keys_max)
{
	CU_ASSERT_EQUAL_FATAL(quota_create(&quota, rate, burst, keys_max), 0);
}

/* How many are let through at this instant, of at most `most`. */
static unsigned take_all(const char *key, unsigned most)
{
	unsigned n = 0;

	while (n < most && quota_take(quota, key))
		n++;
	return n;
}

static void test_burst_then_rate(void)
{
	create(10, 3, 100);
	CU_ASSERT_EQUAL(take_all("a", 100), 3);
	now_ms += 99;
	CU_ASSERT_FALSE(quota_take(quota, "a"));
	/* What is refused takes nothing. */
	now_ms += 1;
	CU_ASSERT_TRUE(quota_take(quota, "a"));
	CU_ASSERT_FALSE(quota_take(quota, "a"));
	now_ms += 250;
	CU_ASSERT_EQUAL(take_all("a", 100), 2);
	now_ms += 50;
	CU_ASSERT_EQUAL(take_all("a", 100), 1);
	now_ms += 3600000;
	CU_ASSERT_EQUAL(take_all("a", 100), 3);
}

/* Over ten seconds of one request a millisecond. */
static void test_rate_on_average(void)
{
	unsigned taken = 0;

	create(300, 1, 1);
	for (int i = 0; i < 10000; i++) {
		now_ms++;
		taken += quota_take(quota, "a");
	}
	CU_ASSERT(taken >= 2500 && taken <= 3001);
	quota_destroy(quota);

	create(300, 300, 1);
	taken = 0;
	for (int i = 0; i < 10000; i++) {
		now_ms++;
		taken += quota_take(quota, "a");
	}
	CU_ASSERT(taken >= 3299 && taken <= 3301);
}

static void test_keys_are_apart(void)
{
	create(1, 1, 100);
	CU_ASSERT_TRUE(quota_take(quota, "a"));
	CU_ASSERT_FALSE(quota_take(quota, "a"));
	CU_ASSERT_TRUE(quota_take(quota, "b"));
	CU_ASSERT_TRUE(quota_take(quota, "A"));
	CU_ASSERT_TRUE(quota_take(quota, ""));
	CU_ASSERT_FALSE(quota_take(quota, ""));
	CU_ASSERT_FALSE(quota_take(quota, "b"));
}

static void test_rate_of_none_allows_all(void)
{
	create(0, 0, 100);
	CU_ASSERT_EQUAL(take_all("a", 5000), 5000);
	quota_set(quota, 1, 0);
	CU_ASSERT_EQUAL(take_all("a", 5000), 1);
	quota_set(quota, 0, 0);
	CU_ASSERT_EQUAL(take_all("a", 5000), 5000);
}

static void test_reload_counts_at_once(void)
{
	create(100, 100, 100);
	CU_ASSERT_EQUAL(take_all("a", 50), 50);
	quota_set(quota, 1, 2);
	CU_ASSERT_EQUAL(take_all("a", 1000), 2);
	now_ms += 1000;
	CU_ASSERT_EQUAL(take_all("a", 1000), 1);
	quota_set(quota, 1000, 10);
	now_ms += 5;
	CU_ASSERT_EQUAL(take_all("a", 1000), 5);
}

static void test_longest_away_is_forgotten(void)
{
	create(1, 1, 3);
	CU_ASSERT_TRUE(quota_take(quota, "a"));
	CU_ASSERT_TRUE(quota_take(quota, "b"));
	CU_ASSERT_TRUE(quota_take(quota, "c"));
	/* A refusal is a use too: who knocks on is not forgotten. */
	CU_ASSERT_FALSE(quota_take(quota, "a"));
	CU_ASSERT_TRUE(quota_take(quota, "d"));
	CU_ASSERT_FALSE(quota_take(quota, "a"));
	CU_ASSERT_FALSE(quota_take(quota, "c"));
	CU_ASSERT_FALSE(quota_take(quota, "d"));
	/* Only b was. */
	CU_ASSERT_TRUE(quota_take(quota, "b"));
	CU_ASSERT_TRUE(quota_take(quota, "a"));
}

static void test_one_key_or_none(void)
{
	create(1, 1, 1);
	CU_ASSERT_TRUE(quota_take(quota, "a"));
	CU_ASSERT_FALSE(quota_take(quota, "a"));
	CU_ASSERT_TRUE(quota_take(quota, "b"));
	CU_ASSERT_FALSE(quota_take(quota, "b"));
	quota_destroy(quota);

	create(1, 1, 0);
	CU_ASSERT_TRUE(quota_take(quota, "a"));
	CU_ASSERT_FALSE(quota_take(quota, "a"));
}

static void test_large_figures(void)
{
	create(UINT32_MAX, UINT32_MAX, 10);
	CU_ASSERT_TRUE(quota_take(quota, "a"));
	now_ms += UINT64_C(1) << 34;
	CU_ASSERT_EQUAL(take_all("a", 100), 100);
	/* So long that rate times time has no place in 64 bits. */
	quota_set(quota, UINT32_C(1) << 31, 1);
	CU_ASSERT_EQUAL(take_all("a", 100), 1);
	now_ms += UINT64_C(1) << 33;
	CU_ASSERT_EQUAL(take_all("a", 100), 1);
}

static void test_memory_is_bounded(void)
{
	char key[32];
	long before = 0;

	create(1, 1, 1000);
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "user%d", i);
		CU_ASSERT_TRUE(quota_take(quota, key));
		if (i == 2000)
			before = alloc_fail_live();
	}
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

/* uthash's own hash, which everybody can compute. */
static bool collides(const char *key)
{
	unsigned hash;

	HASH_JEN(key, strlen(key), hash);
	return hash % 256 == 0;
}

/* Of so many users: the time in which each of them is seen twice. */
static clock_t time_of(bool colliding, unsigned users)
{
	clock_t begin, spent = 0;
	unsigned n = 0;

	create(1, 1, users);
	for (unsigned i = 0; n < users; i++) {
		char key[32];

		snprintf(key, sizeof(key), "sip:u%u@a.example", i);
		if (colliding && !collides(key))
			continue;
		n++;
		begin = clock();
		quota_take(quota, key);
		quota_take(quota, key);
		spent += clock() - begin;
	}
	quota_destroy(quota);
	quota = NULL;
	return spent;
}

static void test_nobody_makes_it_slow(void)
{
	clock_t any = time_of(false, 10000), chosen = time_of(true, 10000);

	if (chosen >= 10 * any)
		printf("%ld us instead of %ld us\n", (long)chosen, (long)any);
	CU_ASSERT(chosen < 10 * any);
}

static void test_each_allocation_fails_once(void)
{
	long before = alloc_fail_live(), n = 0;
	bool failed;
	int err;

	do {
		alloc_fail_at(++n);
		err = quota_create(&quota, 1, 1, 2);
		failed = alloc_fail_happened();
		for (int i = 0; i < 4 && !err; i++) {
			char key[] = { (char)('a' + i), '\0' };

			/* Out of memory allows. */
			CU_ASSERT_TRUE(quota_take(quota, key));
		}
		failed = failed || alloc_fail_happened();
		alloc_fail_at(0);
		CU_ASSERT(!err || (err == ENOMEM && failed));
		if (!err) {
			CU_ASSERT_TRUE(quota_take(quota, "z"));
			CU_ASSERT_FALSE(quota_take(quota, "z"));
			quota_destroy(quota);
		}
		quota = NULL;
		CU_ASSERT_EQUAL(alloc_fail_live(), before);
	} while (failed);
}

static CU_TestInfo tests[] = {
	{ "a burst, then the rate", test_burst_then_rate },
	{ "the rate on average", test_rate_on_average },
	{ "keys are apart", test_keys_are_apart },
	{ "a rate of none allows all", test_rate_of_none_allows_all },
	{ "a reload counts at once", test_reload_counts_at_once },
	{ "who was away longest is forgotten", test_longest_away_is_forgotten },
	{ "one key, or none", test_one_key_or_none },
	{ "large figures", test_large_figures },
	{ "memory is bounded", test_memory_is_bounded },
	{ "nobody makes it slow", test_nobody_makes_it_slow },
	{ "each allocation fails once", test_each_allocation_fails_once },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "quota", NULL, NULL, begin, end, tests },
	CU_SUITE_INFO_NULL,
};
