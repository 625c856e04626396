/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A MESSAGE from the network: parsed, its role found by the domains of its IDs,
 * checked, made an event for the store; the store's result is its answer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "migration/migration.h"

#define RETRY_AFTER_S 2

/* A request that waits for the store. */
struct inbound {
	handle_t transaction;
	struct event event;
};

void inbound_free(void *inbound)
{
	free(inbound);
}

/* Who sent it, in the words of TS 23.280 10.6.3. */
static const char *sender_name(const struct event *event)
{
	if (event->kind == EVENT_CLIENT_REQUEST)
		return "client";
	return event->role == ROLE_PARTNER ? "primary" : "partner";
}

static void reply(struct migration_module *module, handle_t transaction,
		  int status, const char *warning)
{
	struct sip_reply answer = {
		.status = status,
		.warn_code = warning ? 399 : 0,
		.warn_text = warning,
		.retry_after_s = status == 503 ? RETRY_AFTER_S : 0,
		/* What is refused leaves nothing behind, and is refused
		 * again. A 481 is about a state that may change. */
		.stateless = status >= 400 && status < 500 && status != 481,
	};

	if (status >= 400)
		stat_increment(status == 503 ? &module->unavailable
					     : &module->refused);
	sip_reply(module->core->sip, transaction, &answer);
}

/* ---------------------------------------------------------- what it means */

static const struct refusal taken = { 0, NULL };

static bool is_ours(const struct migration_module *module,
		    const struct directory_system *system)
{
	return system && !strcmp(system->name, module->core->system);
}

/* Between servers a procedure is named by ID and sequence. */
static struct refusal check_between_servers(const struct mcinfo *info)
{
	if (!info->has_procedure_id)
		return (struct refusal){ 400, "procedure ID missing" };
	if (!info->sequence)
		return (struct refusal){ 400, "sequence missing" };
	return taken;
}

static struct refusal find_partner_kind(const struct mcinfo *info,
					struct event *event)
{
	if (info->is_response) {
		event->kind = EVENT_RESPONSE;
		return check_between_servers(info);
	}
	event->kind = EVENT_CLIENT_REQUEST;
	if (info->sequence)
		return (struct refusal){ 400,
					 "sequence not allowed in a client's "
					 "request" };
	return taken;
}

static struct refusal find_primary_kind(const struct mcinfo *info,
					struct event *event)
{
	/* Never 481, which would drop a migration that its partner stored. */
	if (info->is_response)
		return (struct refusal){ 404, "partner MC service ID not "
					      "hosted here" };
	event->kind = EVENT_PARTNER_REQUEST;
	return check_between_servers(info);
}

/* Role, kind and peer of the event; a refusal with status 0 is none. */
static struct refusal find_role(const struct migration_module *module,
				const struct mcinfo *info, struct event *event)
{
	const struct directory *directory =
	    store_directory(module->core->store);
	const struct directory_system *partner = directory_find_domain(
	    directory, mcid_domain(info->partner_id_canonical));
	const struct directory_system *primary = directory_find_domain(
	    directory, mcid_domain(info->primary_id_canonical));
	const struct directory_system *peer;

	if (is_ours(module, partner) && is_ours(module, primary))
		return (struct refusal){ 400, "both MC service IDs are of the "
					      "same MC system" };
	if (!is_ours(module, partner) && !is_ours(module, primary))
		return (struct refusal){ 404, "neither MC service ID is hosted "
					      "here" };
	event->role = is_ours(module, partner) ? ROLE_PARTNER : ROLE_PRIMARY;
	peer = event->role == ROLE_PARTNER ? primary : partner;
	if (!peer)
		return (struct refusal){ 404, event->role == ROLE_PARTNER
						  ? "primary MC system unknown"
						  : "partner MC system "
						    "unknown" };
	snprintf(event->peer_system, sizeof(event->peer_system), "%s",
		 peer->name);
	event->peer_enabled = peer->enabled;
	return event->role == ROLE_PARTNER ? find_partner_kind(info, event)
					   : find_primary_kind(info, event);
}

/* ------------------------------------------------------------- the event */

void event_init(const struct migration_module *module, struct event *event,
		enum event_kind kind, enum mc_service service,
		enum procedure_role role)
{
	const struct migration_settings *settings = module->settings;

	*event = (struct event){
		.kind = kind,
		.service = service,
		.role = role,
		.now_us = clock_utc_us(),
		.notify_primary = settings->notify_primary,
		.pinning_required = strcmp(settings->pinning, "lab") != 0,
		.limits = {
			.authorization_us =
				settings->authorization_deadline_ms * UINT64_C(1000),
			.deauthorization_us =
				settings->deauthorization_deadline_ms * UINT64_C(1000),
			.response_us =
				settings->response_expiry_ms * UINT64_C(1000),
			.order_window_us =
				settings->order_window_ms * UINT64_C(1000),
		},
	};
}

/*
 * A client that names no procedure gets an ID that is the same for each copy of
 * its request, at every node, and that nobody else can guess. Call-ID and tag
 * may be of any length: each has a step of its own.
 */
static void derive_procedure_id(const struct migration_module *module,
				const struct mcinfo *info,
				const struct sip_inbound *message,
				struct event *event)
{
	char name[2 * MCID_SIZE + 64];
	struct uuid call, dialog;
	int n = snprintf(name, sizeof(name), "%d %d %s %s %u", info->service,
			 info->verb, info->partner_id_canonical,
			 info->primary_id_canonical, message->cseq);

	uuid_derive(store_derivation_key(module->core->store), message->call_id,
		    strlen(message->call_id), &call);
	uuid_derive(&call, message->from_tag, strlen(message->from_tag),
		    &dialog);
	uuid_derive(&dialog, name, (size_t)n, &event->procedure_id);
	event->derived_id = true;
}

static void copy_document(const struct migration_module *module,
			  const struct mcinfo *info,
			  const struct sip_inbound *message,
			  struct event *event)
{
	event->verb = info->verb;
	event->sequence = info->sequence;
	event->order = info->order;
	event->profile_index = info->profile_index;
	memcpy(event->partner_id, info->partner_id_canonical, MCID_SIZE);
	memcpy(event->primary_id, info->primary_id_canonical, MCID_SIZE);
	memcpy(event->partner_id_given, info->partner_id, MCID_SIZE);
	memcpy(event->primary_id_given, info->primary_id, MCID_SIZE);
	if (info->is_response)
		event->outcome = info->result == MCINFO_SUCCESS
				     ? OUTCOME_SUCCESS
				     : OUTCOME_FAILURE;
	event->cause = info->cause;
	if (info->has_procedure_id)
		event->procedure_id = info->procedure_id;
	else if (event->kind == EVENT_CLIENT_REQUEST)
		derive_procedure_id(module, info, message, event);
	if (event->kind == EVENT_CLIENT_REQUEST)
		snprintf(event->client_uri, sizeof(event->client_uri), "%s",
			 message->sender_uri);
}

static void log_answer(const struct event *event, int status,
		       const char *warning)
{
	char id[UUID_TEXT_SIZE];

	log_debug("migration",
		  "msg=\"received\" flow=%s from=%s status=%d procedure=%s "
		  "service=%s partner_id=%s primary_id=%s sequence=%llu "
		  "warning=\"%s\"",
		  mcinfo_flow_name(event->verb, event->kind == EVENT_RESPONSE),
		  sender_name(event), status,
		  uuid_to_text(&event->procedure_id, id),
		  mc_service_info(event->service)->name, event->partner_id,
		  event->primary_id, (unsigned long long)event->sequence,
		  warning ? warning : "");
}

/* -------------------------------------------------------------- the answer */

static void log_remark(const struct event *event, const char *remark)
{
	static struct log_rate rate;
	char id[UUID_TEXT_SIZE];

	log_write_limited(&rate, LOG_WARNING, "migration",
			  "msg=\"%s\" procedure=%s primary_id=%s peer=%s",
			  remark, uuid_to_text(&event->procedure_id, id),
			  event->primary_id, event->peer_system);
}

static void hurry(struct migration_module *module, const struct event *event,
		  const struct user_record *record)
{
	const struct procedure *procedure = record_find_procedure(
	    record, &event->procedure_id, event->partner_id, event->sequence);

	if (procedure && event->kind != EVENT_RESPONSE)
		delivery_hurry(module, record, procedure);
}

static void stored(void *arg, handle_t handle, int error,
		   const struct transition *transition,
		   const struct user_record *record)
{
	struct migration_module *module = arg;
	struct inbound *inbound = handle_remove(module->inbound, handle);

	if (error) {
		log_answer(&inbound->event, 503, "store unavailable");
		reply(module, inbound->transaction, 503, "store unavailable");
		goto out;
	}
	log_answer(&inbound->event, transition->status, transition->warning);
	reply(module, inbound->transaction, transition->status,
	      transition->warning);
	if (transition->remark)
		log_remark(&inbound->event, transition->remark);
	delivery_update(module, record);
	if (transition->result == TRANSITION_ALREADY_APPLIED)
		hurry(module, &inbound->event, record);
out:
	free(inbound);
}

static int submit(struct migration_module *module, struct inbound *inbound)
{
	handle_t handle;
	int err = handle_add(module->inbound, inbound, &handle);

	if (err)
		return err;
	err = store_transition(module->core->store, &inbound->event, stored,
			       module, handle);
	if (err)
		handle_remove(module->inbound, handle);
	return err;
}

static void refuse_document(struct migration_module *module,
			    const struct sip_inbound *message,
			    const struct mcinfo_error *error)
{
	struct sip_reply answer = {
		.status = error->status,
		.warn_code = error->warn_code,
		.warn_text = error->text,
		.accept = error->status == 415 ? MCINFO_ACCEPTED_TYPES : NULL,
		.stateless = true,
	};

	stat_increment(&module->refused);
	sip_reply(module->core->sip, message->transaction, &answer);
}

static void take(struct migration_module *module, const struct mcinfo *info,
		 const struct sip_inbound *message)
{
	struct inbound *inbound = calloc(1, sizeof(*inbound));
	struct refusal refusal = taken;

	if (!inbound) {
		reply(module, message->transaction, 503, "out of memory");
		return;
	}
	inbound->transaction = message->transaction;
	event_init(module, &inbound->event, EVENT_CLIENT_REQUEST, info->service,
		   ROLE_PARTNER);
	refusal = find_role(module, info, &inbound->event);
	copy_document(module, info, message, &inbound->event);
	if (!refusal.status)
		refusal = access_check(module, info, message, &inbound->event);
	if (!refusal.status && !submit(module, inbound))
		return;
	if (!refusal.status)
		refusal = (struct refusal){ 503, "store unavailable" };
	log_answer(&inbound->event, refusal.status, refusal.warning);
	reply(module, message->transaction, refusal.status, refusal.warning);
	free(inbound);
}

void inbound_message(void *arg, const struct sip_inbound *message)
{
	struct migration_module *module = arg;
	struct mcinfo_error error;
	struct mcinfo info;
	int err;

	stat_increment(&module->requests);
	/* Before the first store_up() no domain is known. */
	if (!store_directory(module->core->store)) {
		reply(module, message->transaction, 503, "store unavailable");
		return;
	}
	err = mcinfo_parse(module->parser, message->content_type, message->body,
			   message->body_bytes, &info, &error);
	if (err == EBADMSG) {
		refuse_document(module, message, &error);
		return;
	}
	if (err) {
		reply(module, message->transaction, 503, "out of memory");
		return;
	}
	take(module, &info, message);
	mcinfo_clear(&info);
}
