/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/base: timers, handles, UUIDs. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/handle.h"
#include "base/timer.h"
#include "base/uuid.h"

static uint64_t fake_ms;
static uint64_t fake_monotonic_ms(void)
{
	return fake_ms;
}
static uint64_t fake_utc_us(void)
{
	return fake_ms * 1000;
}
static const struct clock_source fake_clock = { fake_monotonic_ms,
						fake_utc_us };

#define TIMERS 200
static struct timer timer_of[TIMERS];
static int fired[TIMERS], fired_count;
static void fire(void *arg)
{
	fired[fired_count++] = (int)((struct timer *)arg - timer_of);
}

static void test_timers_fire_in_order(void)
{
	struct timers *timers;

	clock_override(&fake_clock);
	fake_ms = 1000;
	fired_count = 0;
	CU_ASSERT_EQUAL_FATAL(timers_create(&timers), 0);
	CU_ASSERT_EQUAL(timers_next_ms(timers), -1);
	for (int i = 0; i < TIMERS; i++)
		timer_start(timers, &timer_of[i], (uint64_t)(i * 7919 % 1009),
			    fire, &timer_of[i]);
	for (int i = 0; i < TIMERS; i += 3)
		timer_stop(timers, &timer_of[i]);
	fake_ms += 2000;
	timers_run(timers);
	CU_ASSERT_EQUAL(fired_count, TIMERS - (TIMERS + 2) / 3);
	for (int i = 1; i < fired_count; i++)
		CU_ASSERT(timer_of[fired[i - 1]].due_ms <=
			  timer_of[fired[i]].due_ms);
	CU_ASSERT_EQUAL(timers_count(timers), 0);
	timers_destroy(timers);
	clock_override(NULL);
}

static void test_handle_of_the_dead_finds_nothing(void)
{
	struct handle_table *table;
	handle_t first, second, third;
	int a, b;

	CU_ASSERT_EQUAL_FATAL(handle_table_create(&table, 2), 0);
	CU_ASSERT_EQUAL(handle_add(table, &a, &first), 0);
	CU_ASSERT_EQUAL(handle_add(table, &b, &second), 0);
	CU_ASSERT_EQUAL(handle_add(table, &b, &third), EBUSY);
	CU_ASSERT_PTR_EQUAL(handle_get(table, first), &a);
	CU_ASSERT_PTR_EQUAL(handle_remove(table, first), &a);
	CU_ASSERT_PTR_NULL(handle_get(table, first));
	CU_ASSERT_EQUAL(handle_add(table, &b, &third), 0);
	CU_ASSERT_NOT_EQUAL(first, third);
	CU_ASSERT_PTR_NULL(handle_remove(table, first));
	CU_ASSERT_PTR_NULL(handle_get(table, 0));
	CU_ASSERT_EQUAL(handle_count(table), 2);
	handle_table_destroy(table);
}

static void test_uuid_text(void)
{
	static const char *const bad[] = {
		"",
		"0b8a4c1e-7f2d-4a55-9c3b-1d2e3f40516",
		"0b8a4c1e-7f2d-4a55-9c3b-1d2e3f4051677",
		"0b8a4c1e 7f2d-4a55-9c3b-1d2e3f405167",
		"0b8a4c1e-7f2d-4a55-9c3b-1d2e3f40516g",
		"-b8a4c1e-7f2d-4a55-9c3b-1d2e3f405167",
	};
	const char *good = "0B8A4C1E-7f2d-4a55-9c3b-1d2e3f405167";
	struct uuid uuid, other;
	char text[UUID_TEXT_SIZE];

	CU_ASSERT_EQUAL(uuid_from_text(good, &uuid), 0);
	CU_ASSERT_STRING_EQUAL(uuid_to_text(&uuid, text),
			       "0b8a4c1e-7f2d-4a55-9c3b-1d2e3f405167");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_EQUAL(uuid_from_text(bad[i], &other), EINVAL);
	uuid_derive(&uuid, "name", 4, &other);
	CU_ASSERT_EQUAL(other.bytes[6] >> 4, 5);
	CU_ASSERT_FALSE(uuid_equal(&uuid, &other));
}

static CU_TestInfo base_tests[] = {
	{ "timers fire in order, stopped ones never",
	  test_timers_fire_in_order },
	{ "the handle of a dead object finds nothing",
	  test_handle_of_the_dead_finds_nothing },
	{ "UUIDs are read strictly", test_uuid_text },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "base", NULL, NULL, NULL, NULL, base_tests },
	CU_SUITE_INFO_NULL,
};
