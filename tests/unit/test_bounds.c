/* SPDX-License-Identifier: BSD-2-Clause */
/* What one user can have under way, whoever asks and however often. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "procedure/transition.h"

#define ASKED 200
#define BOUND_MAX 40

static struct user_record record;
static struct transition transition;
static uint64_t now_us;

static struct event event_of(enum event_kind kind, enum mcinfo_verb verb,
			     unsigned number, const char *peer)
{
	struct event event = {
		.kind = kind,
		.service = MC_SERVICE_MCPTT,
		.role = record.role,
		.verb = verb,
		.peer_enabled = true,
		.notify_primary = true,
		.now_us = ++now_us,
		.limits = { 30000000, 15000000, 300000000, 60000000 },
	};

	memcpy(event.procedure_id.bytes, &number, sizeof(number));
	if (record.role == ROLE_PRIMARY)
		event.sequence = 1000000 + number;
	strcpy(event.client_uri, "sip:198.51.100.7:5070;transport=udp");
	snprintf(event.primary_id, MCID_SIZE, "%s", record.primary_id);
	snprintf(event.partner_id, MCID_SIZE, "sip:visitor@%s", peer);
	snprintf(event.peer_system, SYSTEM_NAME_SIZE, "%s", peer);
	return event;
}

/* What the store would load next: all that was ever asked. */
static int apply(const struct event *event)
{
	CU_ASSERT_EQUAL_FATAL(transition_apply(&record, event, &transition), 0);
	for (size_t i = 0; i < record.procedure_count; i++)
		record.procedures[i].is_new = record.procedures[i].changed =
		    false;
	return transition.status;
}

static size_t live(void)
{
	size_t count = 0;

	for (size_t i = 0; i < record.procedure_count; i++)
		count += procedure_is_live(&record.procedures[i]);
	return count;
}

static int asks(enum event_kind kind, enum mcinfo_verb verb, unsigned number,
		const char *peer)
{
	struct event event = event_of(kind, verb, number, peer);

	return apply(&event);
}

static void end(enum event_kind kind, enum mcinfo_verb verb, unsigned number,
		const char *peer)
{
	struct event event = event_of(kind, verb, number, peer);
	const struct procedure *procedure = record_find_procedure(
	    &record, &event.procedure_id, event.partner_id, event.sequence);

	CU_ASSERT_PTR_NOT_NULL_FATAL(procedure);
	event.sequence = procedure->sequence;
	apply(&event);
	CU_ASSERT_FALSE(procedure_is_live(procedure));
}

static void begin(enum procedure_role role)
{
	record_init(&record, MC_SERVICE_MCPTT, role, "sip:alice@a.example");
}

/* Finished procedures, each asked for again: what is revived is bounded too. */
static void revive(enum event_kind asked, enum event_kind ended,
		   const char *peer)
{
	int status = 200;

	for (unsigned number = 1; number <= ASKED; number++) {
		CU_ASSERT_EQUAL(asks(asked, MCINFO_AUTHORIZATION, number, peer),
				200);
		end(ended, MCINFO_AUTHORIZATION, number, peer);
	}
	CU_ASSERT_EQUAL(live(), 0);
	for (unsigned number = 1; number <= ASKED; number++)
		status = asks(asked, MCINFO_AUTHORIZATION, number, peer);
	CU_ASSERT_EQUAL(status, 503);
	CU_ASSERT(live() > 0 && live() <= BOUND_MAX);
	/* What is under way is a repeat as ever. */
	CU_ASSERT_EQUAL(asks(asked, MCINFO_AUTHORIZATION, 1, peer), 200);
	record_clear(&record);
}

static void test_revived_at_the_partner(void)
{
	begin(ROLE_PARTNER); /* no admission: each is refused */
	revive(EVENT_CLIENT_REQUEST, EVENT_CLIENT_ANSWERED, "b.example");
}

static void test_revived_at_the_primary(void)
{
	begin(ROLE_PRIMARY); /* an unknown user: each is refused */
	revive(EVENT_PARTNER_REQUEST, EVENT_RESPONSE_ANSWERED, "b.example");
}

static int fill(enum mcinfo_verb verb, const char *peer)
{
	unsigned first = verb * 1000;
	int status = 200;

	for (unsigned i = 0; i < ASKED && status == 200; i++)
		status = asks(EVENT_PARTNER_REQUEST, verb, first + i, peer);
	return status;
}

/* A partner system must not lock the user out of another. */
static void test_each_partner_system_has_its_own(void)
{
	begin(ROLE_PRIMARY);
	CU_ASSERT_EQUAL(fill(MCINFO_AUTHORIZATION, "b.example"), 503);
	CU_ASSERT_EQUAL(fill(MCINFO_DEAUTHORIZATION, "b.example"), 503);
	CU_ASSERT_EQUAL(asks(EVENT_PARTNER_REQUEST, MCINFO_AUTHORIZATION, 1,
			     "c.example"),
			200);
	CU_ASSERT_EQUAL(asks(EVENT_PARTNER_REQUEST, MCINFO_DEAUTHORIZATION, 2,
			     "c.example"),
			200);
	record_clear(&record);
}

static CU_TestInfo bounds_tests[] = {
	{ "revived at the partner", test_revived_at_the_partner },
	{ "revived at the primary", test_revived_at_the_primary },
	{ "each partner system has its own",
	  test_each_partner_system_has_its_own },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "bounds", NULL, NULL, NULL, NULL, bounds_tests },
	CU_SUITE_INFO_NULL,
};
