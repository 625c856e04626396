/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops by URI; those that are down are probed with OPTIONS. */
#include "sip/breaker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "sip/client_transaction.h"

/* More than any directory has of one node's neighbours. */
#define HOPS_MAX 1024
#define UNUSED_MS (60 * 60 * 1000)
/* A probe has ended before the next: intervals are 80 to 120 percent long. */
#define INTERVAL_PERCENT_MIN 80
#define INTERVAL_PERCENT_SPREAD 41
/* The first one comes soon: a connection that was lost is often there again. */
#define FIRST_PERCENT_MAX 20

struct hop {
	char uri[SIP_URI_SIZE];
	struct sip_stack *stack;
	enum sip_side side;   /* of the request that failed last */
	struct names *names;  /* its too; NULL: none */
	uint32_t failures;    /* in a row */
	uint64_t since_ms;    /* the first of them was sent, or it went down */
	uint64_t answered_ms; /* the last answer came */
	uint64_t used_ms;
	bool is_down;
	struct timer probe;
	struct hop *prev, *next; /* the longest unused first */
	UT_hash_handle hh;
};

struct breaker {
	struct hop *by_uri, *by_use;
	uint32_t failures_max, probe_interval_ms, down;
};

static void show_gauge(const struct sip_stack *stack)
{
	sip_gauge(stack->counters, SIP_COUNT_hops_down, stack->breaker->down);
}

/* --- The table ------------------------------------------------------------ */

static void forget(struct hop *hop)
{
	struct sip_stack *stack = hop->stack;
	struct breaker *breaker = stack->breaker;

	timer_stop(stack->timers, &hop->probe);
	HASH_DEL(breaker->by_uri, hop);
	DL_DELETE(breaker->by_use, hop);
	breaker->down -= hop->is_down;
	free(hop->names);
	free(hop);
	show_gauge(stack);
}

static struct hop *find(const struct sip_stack *stack, const char *uri)
{
	struct hop *hop;

	HASH_FIND_STR(stack->breaker->by_uri, uri, hop);
	return hop;
}

static void touch(struct hop *hop)
{
	struct breaker *breaker = hop->stack->breaker;

	hop->used_ms = clock_monotonic_ms();
	DL_DELETE(breaker->by_use, hop);
	DL_APPEND(breaker->by_use, hop);
}

static void make_room(struct breaker *breaker)
{
	uint64_t now_ms = clock_monotonic_ms();

	while (breaker->by_use &&
	       (HASH_COUNT(breaker->by_uri) >= HOPS_MAX ||
		now_ms - breaker->by_use->used_ms > UNUSED_MS))
		forget(breaker->by_use);
}

static void watch(struct sip_stack *stack, const char *uri)
{
	struct breaker *breaker = stack->breaker;
	struct hop *hop;

	if (!breaker->failures_max || strlen(uri) >= SIP_URI_SIZE)
		return;
	make_room(breaker);
	hop = calloc(1, sizeof(*hop));
	if (!hop)
		return;
	strcpy(hop->uri, uri);
	hop->stack = stack;
	hop->used_ms = clock_monotonic_ms();
	HASH_ADD_STR(breaker->by_uri, uri, hop);
	if (!hop->hh.tbl) { /* out of memory: the next question tries again */
		free(hop);
		return;
	}
	DL_APPEND(breaker->by_use, hop);
}

bool breaker_is_down(struct sip *base, const char *next_hop)
{
	struct sip_stack *stack = (struct sip_stack *)base;
	struct hop *hop = find(stack, next_hop);

	if (!hop) {
		watch(stack, next_hop);
		return false;
	}
	touch(hop);
	return hop->is_down;
}

/* --- Probes --------------------------------------------------------------- */

static uint32_t draw(struct hop *hop, uint32_t range)
{
	return (uint32_t)(client_unique(hop->stack->client) % range);
}

static void on_probe_answer(void *arg, handle_t handle,
			    const struct sip_answer *answer)
{
	struct sip_stack *stack = arg;

	(void)handle;
	if (answer->status != SIP_NO_ANSWER)
		sip_count(stack->counters, SIP_COUNT_probes_answered);
}

static void send_probe(struct hop *hop)
{
	struct sip_stack *stack = hop->stack;
	char uri[SIP_URI_SIZE];
	struct sip_outbound options = {
		.next_hop = hop->uri,
		.side = hop->side,
		.request_uri = uri,
		.from = stack->client->own_uri,
		.to = uri,
		.deadline_ms = stack->breaker->probe_interval_ms / 100 *
			       INTERVAL_PERCENT_MIN,
	};

	if (hop->names) {
		options.certificate_names = hop->names->items;
		options.certificate_name_count = hop->names->count;
	}
	snprintf(uri, sizeof(uri), "%.*s", (int)strcspn(hop->uri, ";"),
		 hop->uri);
	/* What cannot be sent now is as good as not answered. */
	if (!client_probe(stack, &options, on_probe_answer, stack))
		sip_count(stack->counters, SIP_COUNT_probes_sent);
}

static void start_probe(struct hop *hop, uint32_t delay_ms);

static void on_time(void *arg)
{
	struct hop *hop = arg;
	uint32_t interval_ms = hop->stack->breaker->probe_interval_ms;
	uint32_t percent =
	    INTERVAL_PERCENT_MIN + draw(hop, INTERVAL_PERCENT_SPREAD);

	if (clock_monotonic_ms() - hop->used_ms > UNUSED_MS) {
		forget(hop);
		return;
	}
	start_probe(hop, (uint32_t)((uint64_t)interval_ms * percent / 100));
	send_probe(hop);
}

static void start_probe(struct hop *hop, uint32_t delay_ms)
{
	timer_start(hop->stack->timers, &hop->probe, delay_ms, on_time, hop);
}

/* --- Down, up ------------------------------------------------------------- */

static void go_down(struct hop *hop, const char *why)
{
	struct sip_stack *stack = hop->stack;
	struct breaker *breaker = stack->breaker;
	uint64_t now_ms = clock_monotonic_ms();

	log_warning("sip",
		    "msg=\"next hop is down: requests without an answer\" "
		    "hop=\"%s\" reason=\"%s\" requests=%u failing_ms=%llu",
		    hop->uri, why, (unsigned)hop->failures,
		    (unsigned long long)(now_ms - hop->since_ms));
	hop->is_down = true;
	hop->since_ms = now_ms;
	breaker->down++;
	sip_count(stack->counters, SIP_COUNT_hops_gone_down);
	show_gauge(stack);
	start_probe(hop, draw(hop, breaker->probe_interval_ms / 100 *
					   FIRST_PERCENT_MAX +
				       1));
}

static void come_up(struct hop *hop)
{
	struct sip_stack *stack = hop->stack;

	log_info("sip",
		 "msg=\"next hop is up again\" hop=\"%s\" reason=\"it "
		 "answers\" down_ms=%llu",
		 hop->uri,
		 (unsigned long long)(clock_monotonic_ms() - hop->since_ms));
	hop->is_down = false;
	stack->breaker->down--;
	timer_stop(stack->timers, &hop->probe);
	sip_count(stack->counters, SIP_COUNT_hops_come_up);
	show_gauge(stack);
}

void breaker_answered(struct sip_stack *stack, const char *next_hop)
{
	struct hop *hop = find(stack, next_hop);

	if (!hop)
		return;
	hop->answered_ms = clock_monotonic_ms();
	hop->failures = 0;
	if (hop->is_down)
		come_up(hop);
}

/* Without memory those of before are kept. */
static void keep_names(struct hop *hop, const struct names *names)
{
	struct names *copy =
	    names ? names_copy(names->items, names->count) : NULL;

	if (!copy)
		return;
	free(hop->names);
	hop->names = copy;
}

void breaker_failed(struct sip_stack *stack, const char *next_hop,
		    enum sip_side side, uint64_t sent_ms,
		    const struct names *names, const char *why)
{
	struct hop *hop = find(stack, next_hop);

	/* What was sent before it answered last tells nothing new. */
	if (!hop || sent_ms < hop->answered_ms)
		return;
	hop->side = side;
	keep_names(hop, names);
	if (hop->is_down)
		return;
	if (!hop->failures++)
		hop->since_ms = sent_ms;
	if (hop->failures >= stack->breaker->failures_max)
		go_down(hop, why);
}

/* --- Life ----------------------------------------------------------------- */

int breaker_create(struct sip_stack *stack, uint32_t failures,
		   uint32_t probe_interval_ms)
{
	stack->breaker = calloc(1, sizeof(*stack->breaker));
	if (!stack->breaker)
		return ENOMEM;
	stack->breaker->failures_max = failures;
	stack->breaker->probe_interval_ms = probe_interval_ms;
	return 0;
}

void breaker_destroy(struct sip_stack *stack)
{
	struct breaker *breaker = stack->breaker;

	if (!breaker)
		return;
	while (breaker->by_use)
		forget(breaker->by_use);
	free(breaker);
	stack->breaker = NULL;
}
