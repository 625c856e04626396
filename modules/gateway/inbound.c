/* SPDX-License-Identifier: BSD-2-Clause */
/* A MESSAGE from the network: parsed, checked, and relayed or refused. */
#include <errno.h>
#include <stddef.h>

#include "base/log.h"
#include "gateway/gateway.h"

#define RETRY_AFTER_S 2

static const struct refusal passed = { 0 };

static void refuse(struct gateway_module *module,
		   const struct sip_inbound *message,
		   const struct refusal *refusal)
{
	const struct sip_reply reply = {
		.status = refusal->status,
		.warn_code = 399,
		.warn_text = refusal->warning,
		.retry_after_s = refusal->status == 503 ? RETRY_AFTER_S : 0,
		/* What is refused leaves nothing behind, and is refused
		 * again. */
		.stateless = refusal->status < 500,
	};

	stat_increment(&module->stats[refusal->counter]);
	sip_reply(module->core->sip, message->transaction, &reply);
}

static void refuse_document(struct gateway_module *module,
			    const struct sip_inbound *message,
			    const struct mcinfo_error *error)
{
	static struct log_rate rate;
	const struct sip_reply reply = {
		.status = error->status,
		.warn_code = error->warn_code,
		.warn_text = error->text,
		.accept = error->status == 415 ? MCINFO_ACCEPTED_TYPES : NULL,
		.stateless = true,
	};

	stat_increment(&module->stats[REFUSED_DOCUMENT]);
	/* The text is the parser's alone: it holds nothing of the message. */
	log_write_limited(&rate, LOG_INFO, "gateway",
			  "msg=\"refused: %s\" status=%d %s", error->text,
			  error->status,
			  sip_source_text(&message->source).text);
	sip_reply(module->core->sip, message->transaction, &reply);
}

/* What a client says belongs at its MC service server; a token ends there. */
static struct refusal check_between_systems(const struct mcinfo *info)
{
	if (info->access_token)
		return (struct refusal){ 403, "access token not allowed here",
					 REFUSED_CLIENT };
	if (!info->has_procedure_id)
		return (struct refusal){ 400, "procedure ID missing",
					 REFUSED_CLIENT };
	if (!info->sequence)
		return (struct refusal){ 400, "sequence missing",
					 REFUSED_CLIENT };
	return passed;
}

/* What goes on would have 0 left, and no hop takes that. */
static struct refusal check_hops(const struct sip_inbound *message)
{
	if (message->max_forwards > 1)
		return passed;
	return (struct refusal){ 483, "too many hops", LOOPED };
}

static void log_taken(const struct passage *passage)
{
	const struct mcinfo *info = passage->info;
	char id[UUID_TEXT_SIZE];

	log_debug("gateway",
		  "msg=\"received\" flow=%s from=%s to=%s procedure=%s "
		  "service=%s partner_id=%s primary_id=%s sequence=%llu",
		  mcinfo_flow_name(info->verb, info->is_response),
		  passage->from, passage->to->entry->name,
		  uuid_to_text(&info->procedure_id, id),
		  mc_service_info(info->service)->name,
		  info->partner_id_canonical, info->primary_id_canonical,
		  (unsigned long long)info->sequence);
}

static struct refusal begin(struct gateway_module *module,
			    const struct passage *passage)
{
	log_taken(passage);
	switch (relay_begin(module, passage)) {
	case 0:
		return passed;
	case EBUSY:
		return (struct refusal){ 503, "too much under way",
					 UNAVAILABLE };
	default:
		return (struct refusal){ 503, "out of memory", UNAVAILABLE };
	}
}

/* Who is known, and says what he may not say. */
static void audit(const struct passage *passage, const struct refusal *refusal)
{
	static struct log_rate rate;
	const struct mcinfo *info = passage->info;
	char id[UUID_TEXT_SIZE];

	log_write_limited(&rate, LOG_INFO, "gateway",
			  "msg=\"refused: %s\" status=%d from=%s source=%s "
			  "flow=%s procedure=%s service=%s partner_id=%s "
			  "primary_id=%s",
			  refusal->warning, refusal->status,
			  passage->from ? passage->from : "-",
			  passage->message->source.host,
			  mcinfo_flow_name(info->verb, info->is_response),
			  uuid_to_text(&info->procedure_id, id),
			  mc_service_info(info->service)->name,
			  info->partner_id_canonical,
			  info->primary_id_canonical);
}

static void take(struct gateway_module *module, const struct mcinfo *info,
		 const struct sip_inbound *message)
{
	struct passage passage = { .message = message, .info = info };
	struct refusal refusal = check_between_systems(info);

	if (!refusal.status)
		refusal = peer_check(module, &passage);
	if (!refusal.status)
		refusal = check_hops(message);
	if (!refusal.status)
		refusal = begin(module, &passage);
	if (refusal.status) {
		audit(&passage, &refusal);
		refuse(module, message, &refusal);
	}
}

void inbound_message(void *arg, const struct sip_inbound *message)
{
	static const struct refusal draining = { 503, "about to restart",
						 UNAVAILABLE };
	static const struct refusal no_memory = { 503, "out of memory",
						  UNAVAILABLE };
	struct gateway_module *module = arg;
	struct mcinfo_error error;
	struct mcinfo info;
	int err;

	stat_increment(&module->stats[RECEIVED]);
	if (module->draining) {
		refuse(module, message, &draining);
		return;
	}
	err = mcinfo_parse(module->parser, message->content_type, message->body,
			   message->body_bytes, &info, &error);
	if (err == EBADMSG) {
		refuse_document(module, message, &error);
		return;
	}
	if (err) {
		refuse(module, message, &no_memory);
		return;
	}
	take(module, &info, message);
	mcinfo_clear(&info);
}
