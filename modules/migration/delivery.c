/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox in memory: for each live procedure, what it owes to the other
 * server and to the client is sent until it is taken, and its deadline is
 * watched. The store's row alone suffices to begin again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "base/timer.h"
#include "migration/migration.h"

#define RESCAN_MS 5000
#define STORE_RETRY_MS 1000
/* A scan reads all that is owed: with little room, only every minute. */
#define RESCANS_PASSED 12
/* Who has not answered so often may give up its place to somebody else. */
#define STALE_ATTEMPTS 5

enum owed_state {
	OWED_NOTHING,
	OWED_WAITING, /* for the next attempt */
	OWED_SENT,    /* waits for the SIP answer */
	OWED_STORING, /* the answer ends it: waits for the store */
};

/* One of the two messages that a procedure can owe at a time. */
struct owed {
	struct delivery *delivery;
	enum owed_state state;
	enum message_kind kind;
	enum mcinfo_cause cause; /* of a response */
	unsigned attempt;	 /* so far */
	uint32_t tried;		 /* next hops, as for directory_choose() */
	handle_t send;		 /* of the message whose answer counts */
	struct timer retry;
};

enum { TO_SERVER, TO_CLIENT, OWED_END };

struct delivery {
	UT_hash_handle hh;
	struct migration_module *module;
	handle_t handle;
	struct owed owed[OWED_END];
	struct timer deadline;
	bool is_stale;		      /* in the list of these */
	struct delivery *prev, *next; /* there */
	struct procedure procedure;
	enum mc_service service;
	enum procedure_role role;
	char primary_id[MCID_SIZE];
	size_t key_bytes;
	char key[]; /* see make_key() */
};

enum { LIVE, ATTEMPTS, ANSWERED, RETRIES, ODD_EVENTS, STATS_END };

struct delivery_list {
	struct delivery *deliveries; /* uthash */
	struct handle_table *handles;
	struct handle_table *sends; /* struct owed */
	struct delivery *stale;	    /* utlist: the longest so first */
	struct timer rescan;
	bool skipped;	 /* some did not fit: they wait in the store */
	unsigned passed; /* rescans let pass since, as there was little room */
	struct statistic stats[STATS_END];
};

#define KEY_SIZE (sizeof(struct uuid) + 8 + 1 + 2 * MCID_SIZE)

/* The journal's primary key: ID, sequence, service, partner ID, primary ID. */
static size_t make_key(char key[KEY_SIZE], const struct procedure *procedure,
		       enum mc_service service, const char *primary_id)
{
	size_t partner_bytes = strlen(procedure->partner_id) + 1;
	size_t primary_bytes = strlen(primary_id);
	char *p = key;

	memcpy(p, procedure->id.bytes, sizeof(procedure->id.bytes));
	p += sizeof(procedure->id.bytes);
	memcpy(p, &procedure->sequence, 8);
	p += 8;
	*p++ = (char)service;
	memcpy(p, procedure->partner_id, partner_bytes);
	p += partner_bytes;
	memcpy(p, primary_id, primary_bytes);
	p += primary_bytes;
	return (size_t)(p - key);
}

static struct timers *timers_of(const struct delivery *delivery)
{
	return delivery->module->core->timers;
}

/* Nothing is to be sent, and no answer counts any more. */
static void owed_quiet(struct owed *owed)
{
	struct delivery *delivery = owed->delivery;

	timer_stop(timers_of(delivery), &owed->retry);
	handle_remove(delivery->module->deliveries->sends, owed->send);
}

static void set_stale(struct delivery *delivery, bool is_stale)
{
	struct delivery_list *list = delivery->module->deliveries;

	if (is_stale == delivery->is_stale)
		return;
	delivery->is_stale = is_stale;
	if (is_stale)
		DL_APPEND(list->stale, delivery);
	else
		DL_DELETE(list->stale, delivery);
}

static void delivery_free(struct delivery *delivery)
{
	struct delivery_list *list = delivery->module->deliveries;

	set_stale(delivery, false);
	for (unsigned i = 0; i < OWED_END; i++)
		owed_quiet(&delivery->owed[i]);
	timer_stop(timers_of(delivery), &delivery->deadline);
	handle_remove(list->handles, delivery->handle);
	HASH_DEL(list->deliveries, delivery);
	stat_set(&list->stats[LIVE], HASH_COUNT(list->deliveries));
	free(delivery);
}

/* ------------------------------------------------- what the store is told */

static void stored(void *arg, handle_t handle, int error,
		   const struct transition *transition,
		   const struct user_record *record);

/* `deadline_us`: the one that has passed; 0: none has. */
static int tell_store(struct delivery *delivery, enum event_kind kind,
		      int status, uint64_t deadline_us)
{
	const struct procedure *procedure = &delivery->procedure;
	struct migration_module *module = delivery->module;
	struct event event;

	event_init(module, &event, kind, delivery->service, delivery->role);
	event.verb = procedure->verb;
	event.procedure_id = procedure->id;
	event.sequence = procedure->sequence;
	event.status = status;
	event.deadline_us = deadline_us;
	memcpy(event.primary_id, delivery->primary_id, MCID_SIZE);
	memcpy(event.partner_id, procedure->partner_id, MCID_SIZE);
	memcpy(event.peer_system, procedure->peer_system, SYSTEM_NAME_SIZE);
	memcpy(event.client_uri, procedure->client_uri, CLIENT_URI_SIZE);
	memcpy(event.client_identity, procedure->client_identity,
	       CLIENT_IDENTITY_SIZE);
	return store_transition(module->core->store, &event, stored, module,
				delivery->handle);
}

/* ------------------------------------------------------------- attempts */

static void attempt(struct delivery *delivery, struct owed *owed);

static void retry_due(void *arg)
{
	struct owed *owed = arg;

	if (!owed->delivery->module->draining)
		attempt(owed->delivery, owed);
}

/*
 * Between the shortest delay, doubled with each attempt, and twice that; differs
 * by procedure and attempt.
 */
static uint64_t backoff_ms(const struct delivery *delivery,
			   const struct owed *owed)
{
	const struct migration_settings *settings = delivery->module->settings;
	unsigned doubled = owed->attempt < 16 ? owed->attempt : 16;
	uint64_t most_ms = (uint64_t)settings->retry_min_ms << doubled << 1;
	uint64_t least_ms;
	uint32_t jitter;

	if (most_ms > settings->retry_max_ms)
		most_ms = settings->retry_max_ms;
	least_ms = most_ms / 2;
	if (least_ms < settings->retry_min_ms)
		least_ms = settings->retry_min_ms;
	memcpy(&jitter, delivery->procedure.id.bytes + owed->attempt % 12,
	       sizeof(jitter));
	return least_ms + jitter % (most_ms - least_ms + 1);
}

static void retry_later(struct delivery *delivery, struct owed *owed,
			uint64_t at_least_ms)
{
	uint32_t most_ms = delivery->module->settings->retry_max_ms;
	uint64_t delay_ms = backoff_ms(delivery, owed);

	owed->state = OWED_WAITING;
	owed->attempt++;
	set_stale(delivery, owed->attempt >= STALE_ATTEMPTS);
	stat_increment(&delivery->module->deliveries->stats[RETRIES]);
	if (delay_ms < at_least_ms)
		delay_ms = at_least_ms;
	/* Retry-After is a wish; what it asks for may be years. */
	if (delay_ms > most_ms)
		delay_ms = most_ms;
	if (!timer_start(timers_of(delivery), &owed->retry, delay_ms, retry_due,
			 owed))
		return;
	/* Out of memory: the rescan finds it without one. */
	owed->state = OWED_NOTHING;
	delivery->module->deliveries->skipped = true;
}

static bool is_confirmable(const struct delivery *delivery)
{
	return delivery->role == ROLE_PRIMARY &&
	       delivery->procedure.verb == MCINFO_AUTHORIZATION &&
	       delivery->procedure.outcome == OUTCOME_SUCCESS;
}

/* 5xx, 408 and silence mean unknown: the same again, later. */
static bool is_unknown(int status)
{
	return status == SIP_NO_ANSWER || status == 408 ||
	       (status >= 500 && status < 600);
}

/* Whether this answer ends what is owed; else it is sent again. */
static bool is_end(const struct delivery *delivery, const struct owed *owed,
		   int status)
{
	if (owed->kind == MESSAGE_RESPONSE_TO_CLIENT)
		return status >= 200 && status < 300;
	if (owed->kind == MESSAGE_RESPONSE_TO_PARTNER) {
		if (is_confirmable(delivery))
			return status == 200 || status == 481;
		return !is_unknown(status) && status < 500;
	}
	if (delivery->procedure.telling)
		return status == 200;
	return !is_unknown(status) && (status == 200 || status >= 300);
}

static void warn_unconfirmed(const struct delivery *delivery, int status)
{
	static struct log_rate rate;
	char id[UUID_TEXT_SIZE];

	log_write_limited(&rate, LOG_WARNING, "migration",
			  "msg=\"not taken: trying again, look at the other "
			  "MC system\" status=%d procedure=%s peer=%s",
			  status, uuid_to_text(&delivery->procedure.id, id),
			  delivery->procedure.peer_system);
}

static enum event_kind answered_event(const struct owed *owed)
{
	static const enum event_kind kinds[] = {
		[MESSAGE_REQUEST] = EVENT_REQUEST_ANSWERED,
		[MESSAGE_RESPONSE_TO_PARTNER] = EVENT_RESPONSE_ANSWERED,
		[MESSAGE_RESPONSE_TO_CLIENT] = EVENT_CLIENT_ANSWERED,
	};

	return kinds[owed->kind];
}

static void answered(void *arg, handle_t handle,
		     const struct sip_answer *answer)
{
	struct migration_module *module = arg;
	struct owed *owed = handle_remove(module->deliveries->sends, handle);
	struct delivery *delivery;
	bool by_client;
	char id[UUID_TEXT_SIZE];

	if (!owed)
		return;
	delivery = owed->delivery;
	by_client = owed == &delivery->owed[TO_CLIENT];
	stat_increment(&module->deliveries->stats[ANSWERED]);
	log_debug("migration", "msg=\"answered\" by=%s status=%d procedure=%s",
		  by_client ? "client" : delivery->procedure.peer_system,
		  answer->status, uuid_to_text(&delivery->procedure.id, id));
	if (!is_end(delivery, owed, answer->status)) {
		if (answer->status != SIP_NO_ANSWER && !by_client)
			warn_unconfirmed(delivery, answer->status);
		retry_later(delivery, owed,
			    answer->retry_after_s * UINT64_C(1000));
		return;
	}
	owed->state = OWED_STORING;
	if (tell_store(delivery, answered_event(owed), answer->status, 0))
		retry_later(delivery, owed, STORE_RETRY_MS);
}

/* After a restart: only to be decided, for no request may live longer. */
static bool is_too_late(const struct delivery *delivery,
			const struct owed *owed)
{
	const struct procedure *procedure = &delivery->procedure;

	return owed->kind == MESSAGE_REQUEST &&
	       procedure->verb == MCINFO_AUTHORIZATION &&
	       procedure->deadline_us <= clock_utc_us();
}

static int send_message(struct delivery *delivery, struct owed *owed)
{
	struct migration_module *module = delivery->module;
	const struct message message = {
		.kind = owed->kind,
		.service = delivery->service,
		.procedure = &delivery->procedure,
		.cause = owed->cause,
	};
	int err = handle_add(module->deliveries->sends, owed, &owed->send);

	if (err)
		return err;
	err =
	    message_send(module, &message, &owed->tried, answered, owed->send);
	if (err)
		handle_remove(module->deliveries->sends, owed->send);
	return err;
}

static void attempt(struct delivery *delivery, struct owed *owed)
{
	int err;

	/* What an older message is answered from now on is no news. */
	owed_quiet(owed);
	set_stale(delivery, false);
	if (is_too_late(delivery, owed)) {
		owed->state = OWED_WAITING; /* the deadline ends it */
		return;
	}
	stat_increment(&delivery->module->deliveries->stats[ATTEMPTS]);
	owed->state = OWED_SENT;
	err = send_message(delivery, owed);
	if (err == ENXIO) { /* whom nobody knows any more is owed nothing */
		owed->state = OWED_STORING;
		err = tell_store(delivery, answered_event(owed), 0, 0);
	}
	if (err)
		retry_later(delivery, owed, 0);
}

/* ------------------------------------------------------------- deadlines */

static void deadline_due(void *arg)
{
	struct delivery *delivery = arg;
	enum event_kind kind = EVENT_DEADLINE;

	if (delivery->procedure.state == PROCEDURE_ANSWERING)
		kind = delivery->role == ROLE_PARTNER ? EVENT_CLIENT_ANSWERED
						      : EVENT_RESPONSE_ANSWERED;
	/* Again until the store has it. */
	timer_start(timers_of(delivery), &delivery->deadline, STORE_RETRY_MS,
		    deadline_due, delivery);
	tell_store(delivery, kind, 0, delivery->procedure.deadline_us);
}

/* Never longer than the limit itself: UTC may have been set back. */
static uint64_t longest_wait_ms(const struct delivery *delivery)
{
	const struct migration_settings *settings = delivery->module->settings;

	if (delivery->procedure.state == PROCEDURE_ANSWERING)
		return settings->response_expiry_ms;
	return delivery->procedure.verb == MCINFO_AUTHORIZATION
		   ? settings->authorization_deadline_ms
		   : settings->deauthorization_deadline_ms;
}

static void watch_deadline(struct delivery *delivery)
{
	const struct procedure *procedure = &delivery->procedure;
	uint64_t now_us = clock_utc_us();
	uint64_t wait_ms = 0;

	timer_stop(timers_of(delivery), &delivery->deadline);
	if (!procedure->deadline_us || procedure->state == PROCEDURE_DONE)
		return;
	if (procedure->deadline_us > now_us)
		wait_ms = (procedure->deadline_us - now_us + 999) / 1000;
	if (wait_ms > longest_wait_ms(delivery))
		wait_ms = longest_wait_ms(delivery);
	timer_start(timers_of(delivery), &delivery->deadline, wait_ms,
		    deadline_due, delivery);
}

/* --------------------------------------------- following the user's record */

/* What is owed in a slot; false: nothing. */
static bool owes(const struct delivery *delivery, unsigned slot,
		 enum message_kind *kind)
{
	const struct procedure *procedure = &delivery->procedure;

	if (slot == TO_CLIENT) {
		*kind = MESSAGE_RESPONSE_TO_CLIENT;
		return delivery->role == ROLE_PARTNER &&
		       procedure->state == PROCEDURE_ANSWERING;
	}
	if (delivery->role == ROLE_PRIMARY) {
		*kind = MESSAGE_RESPONSE_TO_PARTNER;
		return procedure->state == PROCEDURE_ANSWERING;
	}
	*kind = MESSAGE_REQUEST;
	return procedure->state == PROCEDURE_FORWARDING || procedure->telling;
}

static void update_slot(struct delivery *delivery, unsigned slot,
			const struct user_record *record, bool client_moved)
{
	struct owed *owed = &delivery->owed[slot];
	bool was_owed = owed->state != OWED_NOTHING;

	if (!owes(delivery, slot, &owed->kind)) {
		owed_quiet(owed);
		owed->state = OWED_NOTHING;
		owed->attempt = 0;
		owed->tried = 0;
		return;
	}
	owed->cause = procedure_answer_cause(record, &delivery->procedure);
	if (was_owed && !(slot == TO_CLIENT && client_moved))
		return;
	owed->attempt = 0;
	owed->tried = 0;
	attempt(delivery, owed);
}

static struct delivery *find(const struct delivery_list *list, const char *key,
			     size_t key_bytes)
{
	struct delivery *delivery;

	HASH_FIND(hh, list->deliveries, key, key_bytes, delivery);
	return delivery;
}

/*
 * A peer that is silent must not fill the memory with what it is owed: that
 * waits in the store then.
 */
static void make_room(struct delivery_list *list, uint32_t max)
{
	if (HASH_COUNT(list->deliveries) < max || !list->stale)
		return;
	delivery_free(list->stale);
	list->skipped = true;
}

static struct delivery *create(struct migration_module *module,
			       const struct user_record *record,
			       const char *key, size_t key_bytes)
{
	struct delivery_list *list = module->deliveries;
	struct delivery *delivery = calloc(1, sizeof(*delivery) + key_bytes);

	make_room(list, module->settings->deliveries_max);
	if (!delivery || handle_add(list->handles, delivery, &delivery->handle))
		goto fail;
	delivery->module = module;
	delivery->service = record->service;
	delivery->role = record->role;
	memcpy(delivery->primary_id, record->primary_id, MCID_SIZE);
	memcpy(delivery->key, key, key_bytes);
	for (unsigned i = 0; i < OWED_END; i++)
		delivery->owed[i].delivery = delivery;
	delivery->key_bytes = key_bytes;
	HASH_ADD(hh, list->deliveries, key[0], key_bytes, delivery);
	if (!delivery->hh.tbl) {
		handle_remove(list->handles, delivery->handle);
		goto fail;
	}
	stat_set(&list->stats[LIVE], HASH_COUNT(list->deliveries));
	return delivery;
fail:
	free(delivery);
	list->skipped = true;
	return NULL;
}

static void update_one(struct migration_module *module,
		       const struct user_record *record,
		       const struct procedure *procedure)
{
	char key[KEY_SIZE];
	size_t key_bytes =
	    make_key(key, procedure, record->service, record->primary_id);
	struct delivery *delivery = find(module->deliveries, key, key_bytes);
	bool is_live = procedure_is_live(procedure);
	bool timing_changed, client_moved;

	if (!delivery && is_live)
		delivery = create(module, record, key, key_bytes);
	if (!delivery)
		return;
	if (!is_live) {
		delivery_free(delivery);
		return;
	}
	timing_changed =
	    delivery->procedure.deadline_us != procedure->deadline_us ||
	    delivery->procedure.state != procedure->state;
	client_moved =
	    strcmp(delivery->procedure.client_uri, procedure->client_uri) ||
	    strcmp(delivery->procedure.client_identity,
		   procedure->client_identity);
	delivery->procedure = *procedure;
	/* Not running: there was no memory for it. */
	if (timing_changed || !timer_is_running(&delivery->deadline))
		watch_deadline(delivery);
	for (unsigned slot = 0; slot < OWED_END; slot++)
		update_slot(delivery, slot, record, client_moved);
}

void delivery_update(struct migration_module *module,
		     const struct user_record *record)
{
	for (size_t i = 0; i < record->procedure_count; i++)
		update_one(module, record, &record->procedures[i]);
}

void delivery_hurry(struct migration_module *module,
		    const struct user_record *record,
		    const struct procedure *procedure)
{
	char key[KEY_SIZE];
	size_t key_bytes =
	    make_key(key, procedure, record->service, record->primary_id);
	struct delivery *delivery = find(module->deliveries, key, key_bytes);
	struct owed *owed;

	if (!delivery)
		return;
	owed =
	    &delivery
		 ->owed[record->role == ROLE_PARTNER ? TO_CLIENT : TO_SERVER];
	if (owed->state != OWED_WAITING)
		return;
	owed->attempt = 0;
	attempt(delivery, owed);
}

static void note_odd_event(const struct delivery *delivery)
{
	static struct log_rate rate;
	const struct procedure *procedure = &delivery->procedure;
	char id[UUID_TEXT_SIZE];

	stat_increment(&delivery->module->deliveries->stats[ODD_EVENTS]);
	log_write_limited(&rate, LOG_INFO, "migration",
			  "msg=\"an answer or a deadline does not fit the "
			  "state: ignored\" procedure=%s state=\"%s\" peer=%s",
			  uuid_to_text(&procedure->id, id),
			  procedure_state_name(procedure->state),
			  procedure->peer_system);
}

/* The store has heard an answer or a deadline. */
static void stored(void *arg, handle_t handle, int error,
		   const struct transition *transition,
		   const struct user_record *record)
{
	struct migration_module *module = arg;
	struct delivery *delivery;

	if (!error)
		delivery_update(module, record);
	delivery = handle_get(module->deliveries->handles, handle);
	if (!delivery)
		return;
	if (!error && transition->result == TRANSITION_REFUSED)
		note_odd_event(delivery);
	/* Not in the record: done meanwhile, by a commit whose outcome was
	 * unknown. */
	if (!error && !record_find_procedure(record, &delivery->procedure.id,
					     delivery->procedure.partner_id,
					     delivery->procedure.sequence)) {
		delivery_free(delivery);
		return;
	}
	/* Still owed: the transition failed or changed nothing. */
	for (unsigned slot = 0; slot < OWED_END; slot++) {
		struct owed *owed = &delivery->owed[slot];

		if (owed->state == OWED_STORING)
			retry_later(delivery, owed, STORE_RETRY_MS);
	}
}

/* ------------------------------------------------------------- the list */

static bool is_worth_a_scan(struct delivery_list *list, uint32_t max)
{
	unsigned count = HASH_COUNT(list->deliveries);

	if (!list->skipped || count >= max)
		return false;
	return count <= max / 2 || ++list->passed >= RESCANS_PASSED;
}

static void rescan(void *arg)
{
	struct migration_module *module = arg;
	struct delivery_list *list = module->deliveries;

	timer_start(module->core->timers, &list->rescan, RESCAN_MS, rescan,
		    module);
	if (!is_worth_a_scan(list, module->settings->deliveries_max))
		return;
	list->skipped = false;
	list->passed = 0;
	store_scan_live(module->core->store);
}

/* What was silent once may be silent again: a drain does not wait for it. */
static bool is_in_flight(const struct owed *owed)
{
	return owed->state == OWED_STORING ||
	       (owed->state == OWED_SENT && !owed->attempt);
}

size_t delivery_in_flight(const struct migration_module *module)
{
	struct delivery *delivery, *next;
	size_t count = 0;

	HASH_ITER(hh, module->deliveries->deliveries, delivery, next)
	{
		for (unsigned slot = 0; slot < OWED_END; slot++)
			count += is_in_flight(&delivery->owed[slot]);
	}
	return count;
}

int delivery_list_create(struct migration_module *module)
{
	struct delivery_list *list = calloc(1, sizeof(*list));

	if (!list)
		return ENOMEM;
	list->stats[LIVE] = (struct statistic){
		.name = "migration.live_procedures",
		.kind = STATS_GAUGE,
		.help =
		    "Procedures in memory that owe a message or wait for one",
	};
	list->stats[ATTEMPTS] = (struct statistic){
		.name = "migration.attempts",
		.kind = STATS_COUNTER,
		.help = "Messages sent, repetitions included",
	};
	list->stats[ANSWERED] = (struct statistic){
		.name = "migration.answered",
		.kind = STATS_COUNTER,
		.help = "Messages that got a final answer or fell silent",
	};
	list->stats[RETRIES] = (struct statistic){
		.name = "migration.retries",
		.kind = STATS_COUNTER,
		.help = "Messages to be sent again, after a back-off",
	};
	list->stats[ODD_EVENTS] = (struct statistic){
		.name = "migration.odd_events",
		.kind = STATS_COUNTER,
		.help = "Answers and deadlines that no longer fit the state",
	};
	if (handle_table_create(&list->handles,
				module->settings->deliveries_max) ||
	    handle_table_create(&list->sends,
				module->settings->deliveries_max * OWED_END) ||
	    timer_start(module->core->timers, &list->rescan, RESCAN_MS, rescan,
			module)) {
		handle_table_destroy(list->sends);
		handle_table_destroy(list->handles);
		free(list);
		return ENOMEM;
	}
	for (size_t i = 0; i < STATS_END; i++)
		stats_add(module->core->stats, &list->stats[i]);
	module->deliveries = list;
	return 0;
}

void delivery_list_destroy(struct migration_module *module)
{
	struct delivery_list *list = module->deliveries;
	struct delivery *delivery, *next;

	if (!list)
		return;
	HASH_ITER(hh, list->deliveries, delivery, next)
	delivery_free(delivery);
	timer_stop(module->core->timers, &list->rescan);
	handle_table_destroy(list->sends);
	handle_table_destroy(list->handles);
	for (size_t i = 0; i < STATS_END; i++)
		stats_remove(module->core->stats, &list->stats[i]);
	free(list);
	module->deliveries = NULL;
}
