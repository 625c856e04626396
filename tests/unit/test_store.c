/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store engine over a backend that the test answers by hand: what leaves
 * in which batch, and what comes of conflicts, failures and outages.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "stats/stats.h"
#include "store/store.h"

#define ITEMS_MAX 64

static uint64_t fake_ms = 1000000;
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

/* ---------------------------------------------------------- the backend */

static struct {
	struct store_item *loading[ITEMS_MAX], *writing[ITEMS_MAX];
	size_t loading_count, writing_count;
	unsigned loads, writes, abandoned, scans, purges, directories;
	unsigned last_after_service;
	bool permitted; /* what a load provisions */
	bool insane;	/* ... with a procedure of no known state */
	uint64_t version;
} fake;

static int fake_start(struct store_backend *backend, struct store *store)
{
	(void)backend;
	(void)store;
	return 0;
}
static void fake_stop(struct store_backend *backend)
{
	(void)backend;
}
static int fake_load(struct store_backend *backend, struct store_item **items,
		     size_t count)
{
	(void)backend;
	fake.loads++;
	fake.loading_count = count;
	memcpy(fake.loading, items, count * sizeof(*items));
	return 0;
}
static int fake_write(struct store_backend *backend, struct store_item **items,
		      size_t count)
{
	(void)backend;
	fake.writes++;
	fake.writing_count = count;
	memcpy(fake.writing, items, count * sizeof(*items));
	return 0;
}
static void fake_abandon(struct store_backend *backend)
{
	(void)backend;
	fake.abandoned++;
}
static int fake_find_live(struct store_backend *backend, unsigned service,
			  const char *primary_id, size_t limit)
{
	(void)backend;
	(void)primary_id;
	(void)limit;
	fake.scans++;
	fake.last_after_service = service;
	return 0;
}
static int fake_load_directory(struct store_backend *backend)
{
	(void)backend;
	fake.directories++;
	return 0;
}
static int fake_query(struct store_backend *backend, uint64_t query,
		      enum store_query_kind kind, const char *argument)
{
	(void)backend;
	(void)query;
	(void)kind;
	(void)argument;
	return 0;
}
static int fake_purge(struct store_backend *backend, uint64_t before_us,
		      size_t limit)
{
	(void)backend;
	(void)before_us;
	(void)limit;
	fake.purges++;
	return 0;
}

static const struct store_backend_ops fake_ops = {
	.name = "fake",
	.start = fake_start,
	.stop = fake_stop,
	.load = fake_load,
	.write = fake_write,
	.abandon = fake_abandon,
	.find_live = fake_find_live,
	.load_directory = fake_load_directory,
	.query = fake_query,
	.purge = fake_purge,
};
static struct store_backend fake_backend = { &fake_ops };

/* ------------------------------------------------------------- the user */

static struct store *store;
static struct timers *timers;
static struct stats *stats;
static struct {
	int calls, error;
	handle_t handle;
	enum transition_result result;
	enum mcinfo_cause cause;
} last;

static void done(void *arg, handle_t handle, int error,
		 const struct transition *transition,
		 const struct user_record *record)
{
	(void)arg;
	last.calls++;
	last.error = error;
	last.handle = handle;
	if (error)
		return;
	last.result = transition->result;
	last.cause = record->procedure_count
			 ? record->procedures[record->procedure_count - 1].cause
			 : CAUSE_NONE;
}

static struct event request_of(unsigned user, uint64_t sequence)
{
	struct event event = { .kind = EVENT_PARTNER_REQUEST,
			       .service = MC_SERVICE_MCPTT,
			       .role = ROLE_PRIMARY,
			       .verb = MCINFO_AUTHORIZATION,
			       .sequence = sequence,
			       .peer_enabled = true,
			       .now_us = 1 };

	uuid_random(&event.procedure_id);
	snprintf(event.primary_id, MCID_SIZE, "sip:user%u@a.example", user);
	snprintf(event.partner_id, MCID_SIZE, "sip:visitor%u@b.example", user);
	snprintf(event.peer_system, SYSTEM_NAME_SIZE, "b.example");
	return event;
}

static void ask(unsigned user, uint64_t sequence)
{
	struct event event = request_of(user, sequence);

	CU_ASSERT_EQUAL(store_transition(store, &event, done, NULL, sequence),
			0);
}

static void answer_load(int error)
{
	size_t count = fake.loading_count;

	for (size_t i = 0; i < count; i++) {
		struct user_record *record = fake.loading[i]->record;
		struct permission *permission = record_add_permission(record);

		record->version = fake.version;
		record->user_known = record->user_enabled = true;
		*record_add_profile(record) = 0;
		strcpy(permission->partner_system,
		       fake.permitted ? "*" : "elsewhere");
		if (fake.insane) {
			struct procedure *row = record_add_procedure(record);

			row->verb = MCINFO_AUTHORIZATION;
			row->state = (enum procedure_state)77;
		}
		fake.loading[i]->status = STORE_ITEM_DONE;
	}
	fake.loading_count = 0;
	store_loaded(store, error);
	store_flush(store);
}

static void answer_write(int error, enum store_item_status status)
{
	for (size_t i = 0; i < fake.writing_count; i++)
		fake.writing[i]->status = status;
	fake.writing_count = 0;
	store_written(store, error);
	store_flush(store);
	store_flush(store);
}

static void setup(void)
{
	static const struct store_config config = {
		.queue_max = 8,
		.batch_max = 4,
		.cache_max = 2,
		.commit_deadline_ms = 4000,
		.retention_us = 1000,
	};
	struct directory *directory;
	struct uuid key = { { 1 } };

	clock_override(&fake_clock);
	memset(&fake, 0, sizeof(fake));
	memset(&last, 0, sizeof(last));
	fake.permitted = true;
	CU_ASSERT_EQUAL_FATAL(timers_create(&timers), 0);
	CU_ASSERT_EQUAL_FATAL(stats_create(&stats), 0);
	CU_ASSERT_EQUAL_FATAL(store_create(&store, NULL, timers, stats,
					   &fake_backend, &config),
			      0);
	CU_ASSERT_EQUAL(store_start(store), 0);
	CU_ASSERT_FALSE(store_is_up(store));
	store_up(store, &key);
	CU_ASSERT_EQUAL(fake.directories, 1);
	CU_ASSERT_EQUAL_FATAL(directory_create(&directory), 0);
	store_directory_loaded(store, directory, 0);
	CU_ASSERT_TRUE(store_is_up(store));
	CU_ASSERT_EQUAL(fake.scans, 1);
	store_live_found(store, NULL, 0, 0);
}

static void teardown(void)
{
	store_destroy(store);
	timers_destroy(timers);
	stats_destroy(stats);
	clock_override(NULL);
}

/* ------------------------------------------------------------- the tests */

static void test_what_waits_leaves_as_one_batch(void)
{
	ask(1, 1);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loading_count, 1);
	for (unsigned user = 2; user <= 4; user++)
		ask(user, user);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 1);
	answer_load(0);
	CU_ASSERT_EQUAL(fake.loads, 2);
	CU_ASSERT_EQUAL(fake.loading_count, 3);
	CU_ASSERT_EQUAL(fake.writing_count, 1);
	CU_ASSERT_EQUAL(last.calls, 0);
	answer_load(0);
	CU_ASSERT_EQUAL(fake.writes, 1);
	answer_write(0, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.calls, 1);
	CU_ASSERT_EQUAL(fake.writing_count, 3);
	answer_write(0, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.calls, 4);
	CU_ASSERT_EQUAL(last.result, TRANSITION_APPLIED);
	CU_ASSERT_EQUAL(store_pending(store), 0);
}

static void test_one_transition_a_user_at_a_time(void)
{
	ask(1, 1);
	ask(1, 2);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loading_count, 1);
	answer_load(0);
	CU_ASSERT_EQUAL(fake.writing_count, 1);
	CU_ASSERT_EQUAL(fake.writing[0]->record->procedure_count, 1);
	answer_write(0, STORE_ITEM_DONE);
	/* The second works on what the first has left, without a load. */
	CU_ASSERT_EQUAL(fake.loads, 1);
	CU_ASSERT_EQUAL(fake.writing_count, 1);
	CU_ASSERT_EQUAL(fake.writing[0]->record->procedure_count, 2);
	CU_ASSERT_EQUAL(fake.writing[0]->record->version, clock_utc_us());
	answer_write(0, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.calls, 2);
}

static void test_lost_guard_loads_and_applies_again(void)
{
	ask(1, 1);
	store_flush(store);
	answer_load(0);
	fake.version = 7;
	answer_write(0, STORE_ITEM_CONFLICT);
	CU_ASSERT_EQUAL(last.calls, 0);
	CU_ASSERT_EQUAL(fake.loading_count, 1);
	answer_load(0);
	CU_ASSERT_EQUAL(fake.writing[0]->record->version, 7);
	CU_ASSERT_EQUAL(fake.writing[0]->record->procedure_count, 1);
	answer_write(0, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.calls, 1);
	CU_ASSERT_EQUAL(last.error, 0);
}

static void test_lost_connection_is_unknown_and_forgets_the_record(void)
{
	ask(1, 1);
	store_flush(store);
	answer_load(0);
	answer_write(EIO, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.calls, 1);
	CU_ASSERT_EQUAL(last.error, EIO);
	ask(1, 1);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 2);
	answer_load(EIO);
	store_flush(store);
	CU_ASSERT_EQUAL(last.calls, 2);
	CU_ASSERT_EQUAL(last.error, EIO);
	CU_ASSERT_EQUAL(store_pending(store), 0);
}

static void test_refusal_is_never_taken_from_the_cache(void)
{
	fake.permitted = false;
	ask(1, 1);
	store_flush(store);
	answer_load(0);
	answer_write(0, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.cause, CAUSE_NOT_PERMITTED);
	/* Permitted meanwhile, and nobody has told us. */
	fake.permitted = true;
	fake.version = 1;
	ask(1, 2);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 2);
	answer_load(0);
	answer_write(0, STORE_ITEM_DONE);
	CU_ASSERT_EQUAL(last.cause, CAUSE_NONE);
	/* What is in favour needs no second look. */
	ask(1, 3);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 2);
	answer_write(0, STORE_ITEM_DONE);
	/* Provisioning has changed: what is cached does not count. */
	store_provisioning_changed(store);
	CU_ASSERT_EQUAL(fake.directories, 2);
	ask(1, 4);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 3);
}

static void test_outage_answers_at_once(void)
{
	struct event event = request_of(9, 9);
	struct uuid key = { { 1 } };
	struct directory *directory;

	ask(1, 1);
	store_flush(store);
	ask(2, 2);
	store_down(store, "test");
	store_flush(store);
	CU_ASSERT_EQUAL(last.calls, 1);
	CU_ASSERT_EQUAL(last.handle, 2);
	CU_ASSERT_EQUAL(last.error, EAGAIN);
	CU_ASSERT_STRING_EQUAL(store_reason(store), "test");
	CU_ASSERT_EQUAL(store_transition(store, &event, done, NULL, 9), EAGAIN);
	answer_load(EIO);
	store_flush(store);
	CU_ASSERT_EQUAL(last.calls, 2);
	CU_ASSERT_EQUAL(last.error, EIO);
	store_up(store, &key);
	CU_ASSERT_FALSE(store_is_up(store));
	CU_ASSERT_EQUAL_FATAL(directory_create(&directory), 0);
	store_directory_loaded(store, directory, 0);
	CU_ASSERT_TRUE(store_is_up(store));
	CU_ASSERT_EQUAL(fake.scans, 2);
}

static void test_full_queue_refuses(void)
{
	struct event event = request_of(99, 99);

	for (unsigned user = 1; user <= 8; user++)
		ask(user, user);
	CU_ASSERT_EQUAL(store_transition(store, &event, done, NULL, 9), EBUSY);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loading_count, 4);
}

static void test_overdue_batch_is_given_up(void)
{
	ask(1, 1);
	store_flush(store);
	fake_ms += 3999;
	timers_run(timers);
	CU_ASSERT_EQUAL(fake.abandoned, 0);
	fake_ms += 1;
	timers_run(timers);
	CU_ASSERT_EQUAL(fake.abandoned, 1);
	answer_load(EIO);
	store_flush(store);
	CU_ASSERT_EQUAL(last.error, EIO);
}

static void test_cache_is_bounded(void)
{
	for (unsigned user = 1; user <= 3; user++) {
		ask(user, user);
		store_flush(store);
		answer_load(0);
		answer_write(0, STORE_ITEM_DONE);
	}
	ask(3, 13); /* kept */
	ask(1, 11); /* dropped: the oldest */
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 4);
	CU_ASSERT_EQUAL(fake.loading_count, 1);
	CU_ASSERT_STRING_EQUAL(fake.loading[0]->record->primary_id,
			       "sip:user1@a.example");
}

static int shown;
static void show(void *arg, const struct user_record *record)
{
	(void)arg;
	CU_ASSERT_EQUAL(record->role, ROLE_PRIMARY);
	shown++;
}

static void test_live_users_are_shown_page_by_page(void)
{
	static struct store_live_user users[256];

	shown = 0;
	store_set_live_handler(store, show, NULL);
	store_scan_live(store);
	for (unsigned i = 0; i < 256; i++) {
		users[i].service = MC_SERVICE_MCDATA;
		users[i].role = ROLE_PRIMARY;
		snprintf(users[i].primary_id, MCID_SIZE, "sip:u%u@a", i);
	}
	store_live_found(store, users, 256, 0);
	store_flush(store);
	while (fake.loading_count)
		answer_load(0);
	store_flush(store);
	CU_ASSERT_EQUAL(shown, 256);
	/* A full page: there may be more, after its last one. */
	CU_ASSERT_EQUAL(fake.scans, 3);
	CU_ASSERT_EQUAL(fake.last_after_service, MC_SERVICE_MCDATA);
	store_live_found(store, users, 1, 0);
	store_flush(store);
	answer_load(0);
	store_flush(store);
	CU_ASSERT_EQUAL(shown, 257);
	CU_ASSERT_EQUAL(fake.scans, 3);
}

static void test_a_user_that_cannot_be_shown_is_looked_at_later(void)
{
	struct store_live_user user = { .service = MC_SERVICE_MCPTT,
					.role = ROLE_PRIMARY,
					.primary_id = "sip:u@a" };

	shown = 0;
	fake.insane = true;
	store_set_live_handler(store, show, NULL);
	store_scan_live(store);
	store_live_found(store, &user, 1, 0);
	store_flush(store);
	answer_load(0);
	store_flush(store);
	CU_ASSERT_EQUAL(shown, 0);
	/* Not at once, or it would be for ever at full speed. */
	CU_ASSERT_EQUAL(fake.scans, 2);
	fake.insane = false;
	fake_ms += 1000;
	timers_run(timers);
	CU_ASSERT_EQUAL(fake.scans, 3);
	store_live_found(store, &user, 1, 0);
	store_flush(store);
	answer_load(0);
	store_flush(store);
	CU_ASSERT_EQUAL(shown, 1);
}

static void test_a_search_that_fails_is_repeated(void)
{
	store_scan_live(store);
	store_live_found(store, NULL, 0, EIO);
	CU_ASSERT_EQUAL(fake.scans, 2);
	fake_ms += 1000;
	timers_run(timers);
	CU_ASSERT_EQUAL(fake.scans, 3);
	/* While the store is away nobody asks: store_up() will. */
	store_live_found(store, NULL, 0, EIO);
	store_down(store, "test");
	fake_ms += 1000;
	timers_run(timers);
	CU_ASSERT_EQUAL(fake.scans, 3);
}

static void test_an_unknown_value_in_a_row_is_an_error(void)
{
	fake.insane = true;
	ask(1, 1);
	store_flush(store);
	answer_load(0);
	CU_ASSERT_EQUAL(last.calls, 1);
	CU_ASSERT_EQUAL(last.error, EIO);
	CU_ASSERT_EQUAL(fake.writes, 0);
}

static void test_an_event_is_never_refused_from_the_cache(void)
{
	struct event event = request_of(1, 1);

	ask(1, 1);
	store_flush(store);
	answer_load(0);
	answer_write(0, STORE_ITEM_DONE);
	/* Of a procedure that another node has accepted meanwhile. */
	event.kind = EVENT_RESPONSE_ANSWERED;
	event.status = 200;
	CU_ASSERT_EQUAL(store_transition(store, &event, done, NULL, 2), 0);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 2);
	CU_ASSERT_EQUAL(last.calls, 1);
	answer_load(0);
	CU_ASSERT_EQUAL(last.calls, 2);
	CU_ASSERT_EQUAL(last.result, TRANSITION_REFUSED);
}

/* This node knows of no migration, which says nothing. */
static void test_nobody_is_at_home_by_the_cache(void)
{
	struct event event = { .kind = EVENT_RETURNED_HOME,
			       .service = MC_SERVICE_MCPTT,
			       .role = ROLE_PRIMARY };

	fake.permitted = false;
	ask(1, 1);
	store_flush(store);
	answer_load(0);
	answer_write(0, STORE_ITEM_DONE);
	memcpy(event.primary_id, request_of(1, 1).primary_id, MCID_SIZE);
	CU_ASSERT_EQUAL(store_transition(store, &event, done, NULL, 2), 0);
	store_flush(store);
	CU_ASSERT_EQUAL(fake.loads, 2);
	answer_load(0);
	CU_ASSERT_EQUAL(last.calls, 2);
	CU_ASSERT_EQUAL(last.result, TRANSITION_ALREADY_APPLIED);
	CU_ASSERT_EQUAL(fake.writes, 1);
}

static CU_TestInfo store_tests[] = {
	{ "what waits leaves as one batch",
	  test_what_waits_leaves_as_one_batch },
	{ "one transition a user at a time",
	  test_one_transition_a_user_at_a_time },
	{ "a lost guard loads and applies again",
	  test_lost_guard_loads_and_applies_again },
	{ "a lost connection is unknown, the record is forgotten",
	  test_lost_connection_is_unknown_and_forgets_the_record },
	{ "a refusal is never taken from the cache",
	  test_refusal_is_never_taken_from_the_cache },
	{ "an outage answers at once", test_outage_answers_at_once },
	{ "a full queue refuses", test_full_queue_refuses },
	{ "an overdue batch is given up", test_overdue_batch_is_given_up },
	{ "the cache is bounded", test_cache_is_bounded },
	{ "live users are shown page by page",
	  test_live_users_are_shown_page_by_page },
	{ "a user that cannot be shown is looked at later",
	  test_a_user_that_cannot_be_shown_is_looked_at_later },
	{ "a search that fails is repeated",
	  test_a_search_that_fails_is_repeated },
	{ "an unknown value in a row is an error",
	  test_an_unknown_value_in_a_row_is_an_error },
	{ "an event is never refused from the cache",
	  test_an_event_is_never_refused_from_the_cache },
	{ "nobody is at home by the cache",
	  test_nobody_is_at_home_by_the_cache },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "store", NULL, NULL, setup, teardown, store_tests },
	CU_SUITE_INFO_NULL,
};
