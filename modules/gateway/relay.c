/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One relay: the incoming transaction waits while the next hops are tried in
 * turn, and is answered by what the last of them says. Nothing of it outlives
 * the process: the ends try again, with the same procedure ID.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/gateway.h"

/* With less time left no next hop is asked. */
#define ATTEMPT_LEAST_MS 50

struct relay {
	struct relay *prev, *next; /* utlist */
	struct gateway_module *module;
	struct topology *topology; /* held: a reload may have put another */
	const struct party *to;
	const char *from; /* name, of the topology */
	const char *flow;
	struct uuid procedure_id;
	enum crossing crossing;
	handle_t transaction; /* that waits for our answer */
	handle_t attempt;     /* whose answer counts */
	unsigned attempts;
	uint32_t tried; /* next hops, as for directory_choose() */
	uint64_t deadline_ms;
	bool answered; /* by a next hop, be it 503 */
	struct sip_reply reply;
	struct outgoing outgoing;
};

static void destroy(struct relay *relay)
{
	struct gateway_module *module = relay->module;

	DL_DELETE(module->under_way, relay);
	--*relay->to->under_way;
	message_clear(&relay->outgoing);
	topology_release(relay->topology);
	free(relay);
}

void relay_discard(void *relay)
{
	destroy(relay);
}

static const struct directory_hops *hops_of(const struct relay *relay)
{
	return &relay->to->entry->hops;
}

/* ------------------------------------------------------------- the answer */

static void count(const struct relay *relay)
{
	struct statistic *stats = relay->module->stats;
	int status = relay->reply.status;

	if (relay->answered)
		stat_increment(
		    &stats[relay->crossing == CROSSING_EXIT ? RELAYED_OUT
							    : RELAYED_IN]);
	if (status == 504)
		stat_increment(&stats[TIMED_OUT]);
	else if (status == 482 || status == 483)
		stat_increment(&stats[LOOPED]);
	else if (!relay->answered)
		stat_increment(&stats[UNAVAILABLE]);
}

static void finish(struct relay *relay)
{
	struct gateway_module *module = relay->module;
	char id[UUID_TEXT_SIZE];

	count(relay);
	log_debug("gateway",
		  "msg=\"answered\" flow=%s from=%s to=%s status=%d "
		  "procedure=%s warning=\"%s\"",
		  relay->flow, relay->from, relay->to->entry->name,
		  relay->reply.status, uuid_to_text(&relay->procedure_id, id),
		  relay->reply.warn_text ? relay->reply.warn_text : "");
	sip_reply(module->core->sip, relay->transaction, &relay->reply);
	destroy(relay);
	stat_set(&module->stats[RELAYS], handle_count(module->relays));
}

/* --------------------------------------------------------------- attempts */

static void answered(void *arg, handle_t handle,
		     const struct sip_answer *answer);

static bool hop_is_down(void *arg, const char *uri)
{
	struct gateway_module *module = arg;

	return sip_is_down(module->core->sip, uri);
}

static int choose(const struct relay *relay)
{
	uint32_t key;

	memcpy(&key, relay->procedure_id.bytes, sizeof(key));
	return directory_choose(hops_of(relay), key, relay->tried, hop_is_down,
				relay->module);
}

/*
 * The last one that can be asked gets what is left of the whole deadline: it
 * may itself be trying one next hop after the other, or wait for its store. Not
 * so one that is down: what waits for it takes the place, at our servers too,
 * of what is for others.
 */
static uint32_t attempt_ms(const struct relay *relay, const char *next_hop,
			   uint64_t left_ms)
{
	const struct gateway_settings *settings = relay->module->settings;
	bool is_last =
	    relay->attempts >= settings->attempts_max || choose(relay) < 0;

	if (left_ms < settings->attempt_deadline_ms ||
	    (is_last && !hop_is_down(relay->module, next_hop)))
		return (uint32_t)left_ms;
	return settings->attempt_deadline_ms;
}

static void log_sent(const struct relay *relay, const char *next_hop)
{
	char id[UUID_TEXT_SIZE];

	log_debug("gateway",
		  "msg=\"sent\" flow=%s from=%s to=%s next_hop=%s attempt=%u "
		  "procedure=%s",
		  relay->flow, relay->from, relay->to->entry->name, next_hop,
		  relay->attempts, uuid_to_text(&relay->procedure_id, id));
}

static void warn_unsent(const struct relay *relay, const char *next_hop,
			int err)
{
	static struct log_rate rate;
	char id[UUID_TEXT_SIZE];

	log_write_limited(&rate, LOG_WARNING, "gateway",
			  "msg=\"cannot be sent: %s\" to=%s next_hop=%s "
			  "procedure=%s",
			  err == EINVAL	 ? "this next hop has a transport or "
					   "family that we do not listen on, or "
					   "the message does not fit into a "
					   "datagram"
			  : err == EBUSY ? "too much is waiting for its answer"
					 : strerror(err),
			  relay->to->entry->name, next_hop,
			  uuid_to_text(&relay->procedure_id, id));
}

static int send_to(struct relay *relay, const char *next_hop, uint64_t left_ms)
{
	struct gateway_module *module = relay->module;
	int err = handle_add(module->relays, relay, &relay->attempt);

	if (err)
		return err;
	err = message_send(module, relay->topology, relay->to, relay->crossing,
			   &relay->outgoing, next_hop,
			   attempt_ms(relay, next_hop, left_ms), answered,
			   relay->attempt);
	if (err) {
		handle_remove(module->relays, relay->attempt);
		warn_unsent(relay, next_hop, err);
		return err;
	}
	stat_increment(&module->stats[ATTEMPTS]);
	log_sent(relay, next_hop);
	return 0;
}

/* 0: one of the next hops has it; else why none has. */
static int try_next(struct relay *relay)
{
	const struct gateway_module *module = relay->module;
	uint64_t now_ms = clock_monotonic_ms();
	int err = ETIMEDOUT;

	while (relay->attempts < module->settings->attempts_max &&
	       relay->deadline_ms >= now_ms + ATTEMPT_LEAST_MS) {
		int i = choose(relay);

		if (i < 0)
			break;
		relay->tried |= UINT32_C(1) << i;
		relay->attempts++;
		err = send_to(relay, hops_of(relay)->servers[i].uri,
			      relay->deadline_ms - now_ms);
		if (!err)
			break;
	}
	return err;
}

/* 5xx, 408 and silence mean unknown: the next one may know. */
static bool is_unknown(int status)
{
	return status == SIP_NO_ANSWER || status == 408 ||
	       (status >= 500 && status < 600);
}

static void answered(void *arg, handle_t handle,
		     const struct sip_answer *answer)
{
	struct gateway_module *module = arg;
	struct relay *relay = handle_remove(module->relays, handle);
	char id[UUID_TEXT_SIZE];

	if (!relay) {
		stat_increment(&module->stats[LATE_ANSWERS]);
		return;
	}
	log_debug("gateway",
		  "msg=\"next hop answered\" flow=%s by=%s status=%d "
		  "procedure=%s",
		  relay->flow, relay->to->entry->name, answer->status,
		  uuid_to_text(&relay->procedure_id, id));
	relay->answered = answer->status != SIP_NO_ANSWER;
	answer_from(answer, &relay->reply);
	if (is_unknown(answer->status) && !try_next(relay))
		stat_increment(&module->stats[FAILED_OVER]);
	else
		finish(relay);
}

/* ------------------------------------------------------------------ begin */

static struct relay *create(struct gateway_module *module,
			    const struct passage *passage)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return NULL;
	if (message_build(passage->info, passage->message->max_forwards,
			  &relay->outgoing)) {
		free(relay);
		return NULL;
	}
	relay->module = module;
	relay->topology = topology_hold(module->topology);
	relay->to = passage->to;
	relay->from = passage->from;
	relay->flow =
	    mcinfo_flow_name(passage->info->verb, passage->info->is_response);
	relay->procedure_id = passage->info->procedure_id;
	relay->crossing = passage->crossing;
	relay->transaction = passage->message->transaction;
	++*relay->to->under_way;
	DL_APPEND(module->under_way, relay);
	return relay;
}

static uint64_t deadline_of(const struct relay *relay)
{
	const struct gateway_settings *settings = relay->module->settings;

	return clock_monotonic_ms() + (relay->crossing == CROSSING_EXIT
					   ? settings->exit_deadline_ms
					   : settings->entry_deadline_ms);
}

int relay_begin(struct gateway_module *module, const struct passage *passage)
{
	const struct sip_answer silence = { .status = SIP_NO_ANSWER };
	const struct sip_answer busy = { .status = 503 };
	struct relay *relay;
	int err;

	if (handle_count(module->relays) >= module->settings->relays_max ||
	    *passage->to->under_way >= module->settings->party_relays_max)
		return EBUSY;
	relay = create(module, passage);
	if (!relay)
		return ENOMEM;
	relay->deadline_ms = deadline_of(relay);
	err = try_next(relay);
	stat_set(&module->stats[RELAYS], handle_count(module->relays));
	if (!err)
		return 0;
	/* Too much is outstanding, or no memory: soon there may be room. */
	answer_from(err == EBUSY || err == ENOMEM ? &busy : &silence,
		    &relay->reply);
	finish(relay);
	return 0;
}

size_t relay_count(const struct gateway_module *module, enum crossing crossing,
		   const char *to)
{
	const struct relay *relay;
	size_t found = 0;

	DL_FOREACH(module->under_way, relay)
	{
		found += relay->crossing == crossing &&
			 !strcmp(relay->to->entry->name, to);
	}
	return found;
}
