/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip/breaker alone, on a clock of the test's: down, up, probes, bounds. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/clock.h"
#include "base/log.h"
#include "sip/breaker.h"
#include "sip/client_transaction.h"

#define HOP "sip:192.0.2.1:5060;transport=tcp"
#define OTHER "sip:192.0.2.2:5060;transport=tcp"
#define INTERVAL_MS 1000
#define HOUR_MS UINT64_C(3600000)

/* --- What breaker.c stands on ---------------------------------------------- */

static uint64_t now_ms;
static uint64_t counters[SIP_COUNT_END];
static uint64_t drawn;
static unsigned probes;
static struct sip_outbound last_probe;
static char last_hop[SIP_URI_SIZE], last_to[SIP_URI_SIZE];
static struct timer *running[2000];

uint64_t clock_monotonic_ms(void)
{
	return now_ms;
}

void sip_count(struct sip_counters *unused, enum sip_counter counter)
{
	(void)unused;
	counters[counter]++;
}

void sip_gauge(struct sip_counters *unused, enum sip_counter gauge,
	       uint64_t value)
{
	(void)unused;
	counters[gauge] = value;
}

uint64_t client_unique(struct client_transactions *client)
{
	(void)client;
	return drawn;
}

int client_probe(struct sip_stack *stack, const struct sip_outbound *options,
		 sip_answer_h *handler, void *arg)
{
	CU_ASSERT_PTR_NOT_NULL(handler);
	CU_ASSERT_PTR_EQUAL(arg, stack);
	probes++;
	last_probe = *options;
	snprintf(last_hop, sizeof(last_hop), "%s", options->next_hop);
	snprintf(last_to, sizeof(last_to), "%s", options->to);
	return 0;
}

int timer_start(struct timers *timers, struct timer *timer, uint64_t delay_ms,
		timer_h *handler, void *arg)
{
	timer_stop(timers, timer);
	timer->due_ms = now_ms + delay_ms;
	timer->handler = handler;
	timer->arg = arg;
	for (size_t i = 1; i < 2000 && !timer->position; i++) {
		if (!running[i]) {
			running[i] = timer;
			timer->position = i;
		}
	}
	return 0;
}

void timer_stop(struct timers *timers, struct timer *timer)
{
	(void)timers;
	running[timer->position] = NULL;
	timer->position = 0;
}

static void pass(uint64_t ms)
{
	for (uint64_t until = now_ms + ms; now_ms < until; now_ms += 10)
		for (size_t i = 1; i < 2000; i++) {
			struct timer *timer = running[i];

			if (!timer || timer->due_ms > now_ms)
				continue;
			timer_stop(NULL, timer);
			timer->handler(timer->arg);
		}
}

static unsigned timers_running(void)
{
	unsigned count = 0;

	for (size_t i = 1; i < 2000; i++)
		count += running[i] != NULL;
	return count;
}

/* --- The tests ------------------------------------------------------------- */

static struct client_transactions client = { .own_uri =
						 (char[]){ "sip:b.example" } };
static struct sip_stack stack;

static void start(uint32_t failures)
{
	memset(counters, 0, sizeof(counters));
	stack = (struct sip_stack){ .client = &client };
	now_ms = 1000000;
	drawn = 0;
	probes = 0;
	log_set_level(LOG_ERROR);
	CU_ASSERT_EQUAL_FATAL(breaker_create(&stack, failures, INTERVAL_MS), 0);
}

static void stop(void)
{
	breaker_destroy(&stack);
	CU_ASSERT_EQUAL(timers_running(), 0);
	CU_ASSERT_PTR_NULL(stack.breaker);
}

static bool is_down(const char *hop)
{
	return breaker_is_down(&stack.sip, hop);
}

static void fail(const char *hop, unsigned times)
{
	while (times--) {
		uint64_t sent_ms = now_ms;

		now_ms += 100;
		breaker_failed(&stack, hop, SIP_OUTSIDE, sent_ms, NULL, "silence");
	}
}

static void test_failures_in_a_row(void)
{
	start(3);
	CU_ASSERT_FALSE(is_down(HOP));
	CU_ASSERT_FALSE(is_down(OTHER));
	fail(HOP, 2);
	CU_ASSERT_FALSE(is_down(HOP));
	breaker_answered(&stack, HOP);
	now_ms += 1;
	fail(HOP, 2);
	CU_ASSERT_FALSE(is_down(HOP));
	fail(HOP, 1);
	CU_ASSERT_TRUE(is_down(HOP));
	CU_ASSERT_FALSE(is_down(OTHER));
	fail(HOP, 5);
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_gone_down], 1);
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_down], 1);
	breaker_answered(&stack, HOP);
	CU_ASSERT_FALSE(is_down(HOP));
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_come_up], 1);
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_down], 0);
	stop();
}

/* What was sent before the hop came back fails one by one afterwards. */
static void test_old_failures_tell_nothing(void)
{
	uint64_t before_ms;

	start(2);
	is_down(HOP);
	before_ms = now_ms;
	fail(HOP, 2);
	CU_ASSERT_TRUE(is_down(HOP));
	breaker_answered(&stack, HOP);
	for (int i = 0; i < 10; i++)
		breaker_failed(&stack, HOP, SIP_INSIDE, before_ms, NULL, "silence");
	CU_ASSERT_FALSE(is_down(HOP));
	stop();
}

static void test_who_is_not_asked_about_is_not_watched(void)
{
	start(1);
	fail(HOP, 5);
	breaker_answered(&stack, HOP);
	fail(HOP, 5);
	CU_ASSERT_FALSE(is_down(HOP));
	CU_ASSERT_EQUAL(timers_running(), 0);
	stop();
	/* Nobody is, with 0. */
	start(0);
	CU_ASSERT_FALSE(is_down(HOP));
	fail(HOP, 5);
	CU_ASSERT_FALSE(is_down(HOP));
	stop();
}

static void test_probes(void)
{
	start(1);
	is_down(HOP);
	fail(HOP, 1);
	pass(INTERVAL_MS / 5 + 20);
	CU_ASSERT_EQUAL(probes, 1);
	CU_ASSERT_STRING_EQUAL(last_hop, HOP);
	CU_ASSERT_STRING_EQUAL(last_to, "sip:192.0.2.1:5060");
	CU_ASSERT_STRING_EQUAL(last_probe.from, "sip:b.example");
	CU_ASSERT_EQUAL(last_probe.side, SIP_OUTSIDE);
	/* It has ended when the next one starts, at the earliest. */
	CU_ASSERT_EQUAL(last_probe.deadline_ms, INTERVAL_MS * 8 / 10);
	pass(INTERVAL_MS * 8 / 10 + 20);
	CU_ASSERT_EQUAL(probes, 2);
	drawn = 40;
	pass(INTERVAL_MS * 8 / 10 + 20);
	CU_ASSERT_EQUAL(probes, 3);
	pass(INTERVAL_MS * 9 / 10);
	CU_ASSERT_EQUAL(probes, 3);
	pass(INTERVAL_MS / 10);
	CU_ASSERT_EQUAL(probes, 4);
	breaker_answered(&stack, HOP);
	pass(10 * INTERVAL_MS);
	CU_ASSERT_EQUAL(probes, 4);
	stop();
}

static void test_the_unused_are_forgotten(void)
{
	start(1);
	is_down(HOP);
	fail(HOP, 1);
	pass(HOUR_MS - 10 * INTERVAL_MS);
	CU_ASSERT_TRUE(is_down(HOP));
	pass(HOUR_MS - 10 * INTERVAL_MS);
	CU_ASSERT_EQUAL(timers_running(), 1);
	pass(13 * INTERVAL_MS);
	CU_ASSERT_EQUAL(timers_running(), 0);
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_down], 0);
	fail(HOP, 1);
	CU_ASSERT_FALSE(is_down(HOP));
	/* And those that are not down, when the next one comes. */
	now_ms += HOUR_MS + 1;
	is_down(OTHER);
	fail(HOP, 1);
	CU_ASSERT_FALSE(is_down(HOP));
	stop();
}

static const char *hop_number(unsigned i)
{
	static char uri[64];

	snprintf(uri, sizeof(uri), "sip:192.0.2.3:%u;transport=udp", i);
	return uri;
}

static void test_the_table_is_bounded(void)
{
	char long_uri[SIP_URI_SIZE + 1];
	long before = alloc_fail_live();

	start(1);
	memset(long_uri, 'a', SIP_URI_SIZE);
	long_uri[SIP_URI_SIZE] = '\0';
	CU_ASSERT_FALSE(is_down(long_uri));
	for (unsigned i = 1; i <= 1024; i++)
		is_down(hop_number(i));
	fail(hop_number(1), 1);
	fail(hop_number(2), 1);
	CU_ASSERT_TRUE(is_down(hop_number(1))); /* used again */
	/* The longest unused give way, down or not. */
	is_down(HOP);
	is_down(OTHER);
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_down], 1);
	CU_ASSERT_TRUE(is_down(hop_number(1)));
	CU_ASSERT_EQUAL(timers_running(), 1);
	stop();
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

static void test_without_memory(void)
{
	long before = alloc_fail_live();

	start(1);
	for (unsigned i = 1; i <= 500; i++) {
		for (long n = 1; n < 10; n++) {
			alloc_fail_at(n);
			CU_ASSERT_FALSE(is_down(hop_number(i)));
			if (!alloc_fail_happened())
				break;
		}
		alloc_fail_at(0);
		fail(hop_number(i), 1);
		CU_ASSERT_TRUE(is_down(hop_number(i)));
	}
	CU_ASSERT_EQUAL(counters[SIP_COUNT_hops_down], 500);
	stop();
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
	alloc_fail_at(1);
	CU_ASSERT_EQUAL(breaker_create(&stack, 1, INTERVAL_MS),
			alloc_fail_happened() ? ENOMEM : 0);
	alloc_fail_at(0);
	breaker_destroy(&stack);
}

static int suite_init(void)
{
	alloc_fail_install();
	return 0;
}

static CU_TestInfo tests[] = {
	{ "failures in a row", test_failures_in_a_row },
	{ "old failures tell nothing", test_old_failures_tell_nothing },
	{ "who is not asked about is not watched",
	  test_who_is_not_asked_about_is_not_watched },
	{ "probes", test_probes },
	{ "the unused are forgotten", test_the_unused_are_forgotten },
	{ "the table is bounded", test_the_table_is_bounded },
	{ "without memory", test_without_memory },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "breaker", suite_init, NULL, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
