/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/loop: descriptors, timers, signals, work, and Sofia's root on one epoll. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <sofia-sip/su_wait.h>

#include "base/clock.h"
#include "loop/loop.h"

static struct loop *loop;
static struct loop_watch *watch_of[2];
static int pipe_of[2][2];
static char order[32];

static void note(char c)
{
	size_t n = strlen(order);

	if (n < sizeof(order) - 1) {
		order[n] = c;
		order[n + 1] = '\0';
	}
}

static void set_up(void)
{
	order[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pipe(pipe_of[i]), 0);
}

static void tear_down(void)
{
	loop_destroy(loop);
	for (int i = 0; i < 2; i++) {
		close(pipe_of[i][0]);
		close(pipe_of[i][1]);
	}
}

static void stop(void *arg)
{
	(void)arg;
	note('s');
	loop_stop(loop);
}

static void unwatch_both(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	note('r');
	loop_unwatch(watch_of[0]);
	loop_unwatch(watch_of[1]);
}

static void test_pending_event_of_an_unwatched_is_dropped(void)
{
	struct timer timer = { 0 };

	set_up();
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(write(pipe_of[i][1], "x", 1), 1);
		CU_ASSERT_EQUAL(loop_watch(loop, pipe_of[i][0], EPOLLIN,
					   unwatch_both, NULL, &watch_of[i]),
				0);
	}
	timer_start(loop_timers(loop), &timer, 20, stop, NULL);
	loop_run(loop);
	CU_ASSERT_STRING_EQUAL(order, "rs");
	tear_down();
}

static struct loop_work work_of[3];

static void do_work(void *arg)
{
	note(*(const char *)arg);
	if (*(const char *)arg == 'a') {
		loop_work_cancel(loop, &work_of[1]);
		loop_work_queue(loop, &work_of[2]);
	}
	if (*(const char *)arg == 'c')
		loop_stop(loop);
}

static void test_work_is_done_once_at_the_end_of_the_turn(void)
{
	static const char *const names[] = { "a", "b", "c" };

	set_up();
	for (int i = 0; i < 3; i++)
		work_of[i] = (struct loop_work){ .handler = do_work,
						 .arg = (void *)names[i] };
	loop_work_cancel(loop, &work_of[2]);
	loop_work_queue(loop, &work_of[0]);
	loop_work_queue(loop, &work_of[1]);
	loop_work_queue(loop, &work_of[0]);
	loop_run(loop);
	CU_ASSERT_STRING_EQUAL(order, "ac");
	tear_down();
}

static void on_signal(void *arg, int signal_number)
{
	CU_ASSERT_PTR_EQUAL(arg, &loop);
	note(signal_number == SIGUSR1 ? '1' : '2');
	if (signal_number == SIGUSR2)
		loop_stop(loop);
}

static void raise_second(void *arg)
{
	(void)arg;
	raise(SIGUSR2);
}

static void test_signals_arrive_on_the_loop(void)
{
	struct timer timer = { 0 };
	sigset_t blocked;

	set_up();
	CU_ASSERT_EQUAL(loop_signal(loop, SIGUSR1, on_signal, &loop), 0);
	CU_ASSERT_EQUAL(loop_signal(loop, SIGUSR2, on_signal, &loop), 0);
	CU_ASSERT_NOT_EQUAL(loop_signal(loop, 0, on_signal, &loop), 0);
	raise(SIGUSR1);
	timer_start(loop_timers(loop), &timer, 1, raise_second, NULL);
	loop_run(loop);
	CU_ASSERT_STRING_EQUAL(order, "12");
	tear_down();
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	CU_ASSERT_FALSE(sigismember(&blocked, SIGUSR1));
}

static void on_su_timer(su_root_magic_t *magic, su_timer_t *timer, void *arg)
{
	(void)magic;
	(void)timer;
	(void)arg;
	note('t');
	loop_stop(loop);
}

static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
		   1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Sofia's own loop burns the whole last millisecond before each timer. */
static void test_sofia_timers_run_without_spinning(void)
{
	su_timer_t *timer;
	uint64_t began_ms;

	set_up();
	timer = su_timer_create(su_root_task(loop_su_root(loop)), 0);
	began_ms = clock_monotonic_ms();
	for (int i = 0; i < 100; i++) {
		su_timer_set_interval(timer, on_su_timer, NULL, 3);
		loop_run(loop);
	}
	CU_ASSERT(clock_monotonic_ms() - began_ms >= 200);
	CU_ASSERT(clock_monotonic_ms() - began_ms < 5000);
	CU_ASSERT(cpu_us() < 1000000);
	CU_ASSERT_EQUAL(strlen(order), sizeof(order) - 1);
	su_timer_destroy(timer);
	tear_down();
}

static void test_sofia_follows_the_monotonic_clock(void)
{
	struct timespec before, after;
	su_time_t first, second;
	double elapsed, real;

	set_up();
	clock_gettime(CLOCK_MONOTONIC, &before);
	su_time(&first);
	usleep(20000);
	su_time(&second);
	clock_gettime(CLOCK_MONOTONIC, &after);
	elapsed = su_time_diff(second, first);
	real = (double)(after.tv_sec - before.tv_sec) +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	CU_ASSERT(elapsed >= 0.0199 && elapsed <= real + 0.000002);
	tear_down();
}

static void *ask_on_thread(void *arg)
{
	*(bool *)arg = loop_is_current_thread();
	return NULL;
}

static void test_only_the_loop_thread_is_it(void)
{
	pthread_t thread;
	bool answer = true;

	CU_ASSERT_FALSE(loop_is_current_thread());
	set_up();
	CU_ASSERT_TRUE(loop_is_current_thread());
	CU_ASSERT_EQUAL_FATAL(
	    pthread_create(&thread, NULL, ask_on_thread, &answer), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_FALSE(answer);
	tear_down();
}

static void test_sofia_does_not_see_the_environment(void)
{
	setenv("TPORT_LOG", "1", 1);
	setenv("NTA_DEBUG", "9", 1);
	set_up();
	CU_ASSERT_PTR_NULL(getenv("TPORT_LOG"));
	CU_ASSERT_PTR_NULL(getenv("NTA_DEBUG"));
	tear_down();
}

static CU_TestInfo loop_tests[] = {
	{ "a pending event of an unwatched descriptor is dropped",
	  test_pending_event_of_an_unwatched_is_dropped },
	{ "work is done once, at the end of the turn",
	  test_work_is_done_once_at_the_end_of_the_turn },
	{ "signals arrive on the loop", test_signals_arrive_on_the_loop },
	{ "Sofia's timers run without spinning",
	  test_sofia_timers_run_without_spinning },
	{ "Sofia follows the monotonic clock",
	  test_sofia_follows_the_monotonic_clock },
	{ "only the loop's thread is the loop thread",
	  test_only_the_loop_thread_is_it },
	{ "Sofia does not see the environment",
	  test_sofia_does_not_see_the_environment },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "loop", NULL, NULL, NULL, NULL, loop_tests },
	CU_SUITE_INFO_NULL,
};
