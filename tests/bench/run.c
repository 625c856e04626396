/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: start what is due, send again what was not answered, take answers
 * and response flows, answer these.
 */
#include "bench/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/request.h"
#include "bench/sip_text.h"
#include "bench/transport.h"
#include "bench/users.h"

#define T1_US 500000ULL /* RFC 3261 17.1.1.1 */
#define T2_US 4000000ULL
#define TIMER_F_US (64 * T1_US)
#define RESPONSE_DEADLINE_US 60000000ULL
#define REST_US 100000ULL    /* after a refusal */
#define SCAN_US 50000ULL     /* how often deadlines are looked at */
#define DRAIN_US 15000000ULL /* at the end, for what is under way */

struct runner {
	const struct load_options *options;
	struct history *history;
	struct run_result *result;
	struct transport *transport;
	struct request_maker maker;
	struct users users;
	uint32_t under_way;
	uint64_t sequence; /* the last one stamped */
	uint64_t start_us, measure_us, stop_us;
	uint64_t due; /* open loop: how many have been due */
	uint64_t scan_us;
	int err;
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct record *user_record(struct runner *runner,
				  const struct user *user)
{
	return &runner->history->records[user->record];
}

/* Elapsed time as a sample; 0 stands for "not measured". */
static uint32_t sample(const struct user *user, uint64_t now)
{
	return (uint32_t)larger(now - user->sent_us, 1);
}

static void send_request(struct runner *runner, const struct user *user)
{
	char text[TRANSPORT_MESSAGE_MAX];
	struct request request = {
		.record = user_record(runner, user),
		.number = user->record,
		.sequence = user->sequence,
		.order = user->order,
	};
	size_t bytes =
	    request_write(&runner->maker, &request, text, sizeof(text));

	runner->err = bytes
			  ? transport_send(runner->transport, NULL, text, bytes)
			  : EMSGSIZE;
}

static void start_procedure(struct runner *runner, struct user *user,
			    uint64_t due_us)
{
	struct record *record = history_add(runner->history);
	uint64_t utc_us = clock_us(CLOCK_REALTIME);
	uint32_t index = (uint32_t)(user - runner->users.all);

	if (!record) {
		runner->err = ENOMEM;
		return;
	}
	record->user = runner->options->first_user + index;
	record->deauthorization = runner->options->alternate && user->migrated;
	record->due_ms = (uint32_t)((due_us - runner->start_us) / 1000);
	record->measured = due_us >= runner->measure_us;
	runner->sequence = larger(runner->sequence + 1, utc_us);

	user->record = history_number(runner->history, record);
	user->state = USER_ASKING;
	user->order = larger(user->order + 1, utc_us / 1000);
	user->sequence = runner->sequence;
	user->sent_us = due_us;
	user->interval_us = T1_US;
	user->retransmit_us = now_us() + T1_US;
	user->deadline_us = due_us + TIMER_F_US;
	runner->under_way++;
	runner->result->started++;
	send_request(runner, user);
}

static void end_procedure(struct runner *runner, struct user *user,
			  enum record_state state)
{
	struct record *record = user_record(runner, user);

	record->state = (uint8_t)state;
	user->unknown = state == RECORD_REFUSED;
	if (state == RECORD_SUCCESS)
		user->migrated = !record->deauthorization;
	if (state == RECORD_REFUSED) {
		user->state = USER_RESTING;
		user->deadline_us = now_us() + REST_US;
		return;
	}
	runner->under_way--;
	users_give_back(&runner->users, user);
}

static void wrong(struct runner *runner, const char *what, const char *text)
{
	runner->result->wrong++;
	snprintf(runner->result->last_wrong, sizeof(runner->result->last_wrong),
		 "%s: %.*s", what, (int)strcspn(text, "\r\n"), text);
}

/* The user whose procedure under way this is. NULL: it is under way no more. */
static struct user *find_user(struct runner *runner,
			      const struct record *record)
{
	struct user *user =
	    &runner->users.all[record->user - runner->options->first_user];

	if (user->record != history_number(runner->history, record) ||
	    (user->state != USER_ASKING && user->state != USER_WAITING))
		return NULL;
	return user;
}

static void take_answer(struct runner *runner, const struct sip_view *view,
			const char *text)
{
	struct user *user;
	uint32_t number;

	if (view->status < 200)
		return;
	if (request_number(&runner->maker, view->branch, &number) ||
	    number >= runner->history->count)
		return;
	user = find_user(runner, &runner->history->records[number]);
	if (!user || user->state != USER_ASKING)
		return;

	if (view->status < 300) {
		user->state = USER_WAITING;
		user->deadline_us = now_us() + RESPONSE_DEADLINE_US;
		user_record(runner, user)->answer_us = sample(user, now_us());
		return;
	}
	if (view->status == 503) {
		runner->result->refused_503++;
	} else {
		runner->result->refused_other++;
		wrong(runner, "refused", text);
	}
	end_procedure(runner, user, RECORD_REFUSED);
}

static void send_answer(struct runner *runner, const struct path *from,
			const struct sip_view *view, const char *status_line)
{
	char text[TRANSPORT_MESSAGE_MAX];
	size_t bytes =
	    sip_answer(text, sizeof(text), view, status_line, "mcmig-load");

	if (bytes)
		runner->err =
		    transport_send(runner->transport, from, text, bytes);
}

/* Whether the response is the one to this procedure (design: correlation). */
static bool is_response_to(const struct runner *runner, const struct user *user,
			   const struct sip_view *view)
{
	const struct record *record = &runner->history->records[user->record];
	char value[64], expected[64];

	snprintf(expected, sizeof(expected), "%" PRIu64, user->sequence);
	body_value(view, "sequence=\"", '"', value, sizeof(value));
	if (strcmp(value, load_is_client(runner->options) ? "" : expected))
		return false;
	snprintf(expected, sizeof(expected), "sip:visitor%05" PRIu32 "@",
		 record->user);
	body_value(view, "<partner-mc-service-id>", '<', value, sizeof(value));
	if (strncmp(value, expected, strlen(expected)))
		return false;
	return strstr(view->body, record->deauthorization
				      ? "<deauthorization-response "
				      : "<authorization-response ");
}

static void finish(struct runner *runner, struct user *user,
		   const struct sip_view *view)
{
	struct record *record = user_record(runner, user);
	uint64_t now = now_us();
	char result[16];

	body_value(view, "<result>", '<', result, sizeof(result));
	record->response_us = sample(user, now);
	if (now >= runner->measure_us && now < runner->stop_us)
		runner->result->completed++;
	if (!strcmp(result, "success")) {
		end_procedure(runner, user, RECORD_SUCCESS);
		return;
	}
	runner->result->failures++;
	body_value(view, "<cause>", '<', runner->result->last_cause,
		   sizeof(runner->result->last_cause));
	end_procedure(runner, user, RECORD_FAILURE);
}

static void take_response_flow(struct runner *runner, const struct path *from,
			       const struct sip_view *view, const char *text)
{
	char value[UUID_TEXT_SIZE];
	struct record *record = NULL;
	struct user *user;
	uint8_t uuid[16];

	body_value(view, "procedure=\"", '"', value, sizeof(value));
	if (!uuid_parse(value, uuid))
		record = history_find(runner->history, uuid);
	if (!record || record->state == RECORD_REFUSED) {
		runner->result->stray++;
		send_answer(runner, from, view,
			    "481 Call/Transaction Does Not Exist");
		return;
	}
	user = find_user(runner, record);
	if (!user) {
		runner->result->repeated++;
	} else if (!is_response_to(runner, user, view)) {
		wrong(runner, "does not fit its request", text);
		send_answer(runner, from, view, "400 Bad Request");
		return;
	} else {
		finish(runner, user, view);
	}
	send_answer(runner, from, view, "200 OK");
}

static void on_message(const struct path *from, const char *text, size_t bytes,
		       void *arg)
{
	struct runner *runner = arg;
	struct sip_view view;

	if (bytes == 2)
		return;
	if (sip_view(text, bytes, &view))
		wrong(runner, "unreadable", text);
	else if (view.status)
		take_answer(runner, &view, text);
	else if (view.is_message)
		take_response_flow(runner, from, &view, text);
	else
		send_answer(runner, from, &view, "405 Method Not Allowed");
}

static void expire(struct runner *runner, struct user *user)
{
	if (user->state == USER_RESTING) {
		runner->under_way--;
		users_give_back(&runner->users, user);
		return;
	}
	runner->result->silent++;
	end_procedure(runner, user, RECORD_REFUSED);
}

static void scan(struct runner *runner, uint64_t now)
{
	for (uint32_t i = 0; i < runner->users.count && !runner->err; i++) {
		struct user *user = &runner->users.all[i];

		if (user->state == USER_IDLE)
			continue;
		if (now >= user->deadline_us) {
			expire(runner, user);
		} else if (user->state == USER_ASKING &&
			   !runner->options->tcp &&
			   now >= user->retransmit_us) {
			user->interval_us = user->interval_us * 2 > T2_US
						? T2_US
						: user->interval_us * 2;
			user->retransmit_us = now + user->interval_us;
			runner->result->retransmissions++;
			send_request(runner, user);
		}
	}
	runner->scan_us = now + SCAN_US;
}

/* Open loop: when procedure number `due` is to start. */
static uint64_t due_us(const struct runner *runner)
{
	return runner->start_us +
	       (uint64_t)((double)runner->due * 1e6 / runner->options->rate);
}

static void start_due(struct runner *runner, uint64_t now)
{
	struct user *user;

	if (runner->options->window) {
		while (runner->under_way < runner->options->window &&
		       !runner->err && (user = users_take(&runner->users)))
			start_procedure(runner, user, now);
		return;
	}
	for (; due_us(runner) <= now && !runner->err; runner->due++) {
		user = users_take(&runner->users);
		if (user)
			start_procedure(runner, user, due_us(runner));
		else
			runner->result->starved++;
	}
}

static uint64_t wait_us(const struct runner *runner, uint64_t now)
{
	uint64_t until = runner->scan_us;

	if (now < runner->stop_us) {
		if (runner->stop_us < until)
			until = runner->stop_us;
		if (!runner->options->window && due_us(runner) < until)
			until = due_us(runner);
	}
	return until > now ? until - now : 0;
}

static void count_users(struct runner *runner)
{
	for (uint32_t i = 0; i < runner->users.count; i++) {
		const struct user *user = &runner->users.all[i];

		runner->result->migrated += user->migrated;
		runner->result->unknown += user->unknown ||
					   user->state == USER_ASKING ||
					   user->state == USER_WAITING;
	}
}

static void loop(struct runner *runner)
{
	double cpu_at_start = 0, cpu_at_stop = 0;

	for (;;) {
		uint64_t now = now_us();

		if (now < runner->stop_us)
			start_due(runner, now);
		else if (!runner->under_way || now > runner->stop_us + DRAIN_US)
			break;
		if (now >= runner->measure_us && !cpu_at_start)
			cpu_at_start = cpu_seconds();
		if (now >= runner->stop_us && !cpu_at_stop)
			cpu_at_stop = cpu_seconds();
		if (now >= runner->scan_us)
			scan(runner, now);
		if (!runner->err)
			runner->err = transport_poll(runner->transport,
						     wait_us(runner, now));
		if (runner->err)
			break;
	}
	/* The last answers are still in the queue. */
	if (!runner->err)
		runner->err = transport_poll(runner->transport, 0);
	runner->result->cpu_seconds =
	    (cpu_at_stop ? cpu_at_stop : cpu_seconds()) - cpu_at_start;
}

int run(const struct load_options *options, struct history *history,
	struct run_result *result)
{
	struct runner runner = {
		.options = options,
		.history = history,
		.result = result,
	};
	int err;

	memset(result, 0, sizeof(*result));
	request_maker_init(&runner.maker, options);
	err = users_init(&runner.users, options->users);
	if (err)
		goto out;
	err = transport_create(&runner.transport, options, on_message, &runner);
	if (err)
		goto out;

	runner.start_us = now_us();
	runner.measure_us = runner.start_us + (uint64_t)(options->warmup * 1e6);
	runner.stop_us = runner.measure_us + (uint64_t)(options->seconds * 1e6);
	loop(&runner);
	err = runner.err;
	result->seconds = options->seconds;
	result->silent += runner.under_way;
	count_users(&runner);
out:
	transport_destroy(runner.transport);
	users_free(&runner.users);
	return err;
}
