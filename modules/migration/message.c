/* SPDX-License-Identifier: BSD-2-Clause */
/* From a procedure to the SIP MESSAGE that it owes (doc/protocol.md). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "migration/migration.h"

#define SYSTEM_URI_SIZE (SYSTEM_NAME_SIZE + 8)
#define IDENTITY_SIZE (SYSTEM_URI_SIZE + 2)

static bool hop_is_down(void *arg, const char *uri)
{
	struct migration_module *module = arg;

	return sip_is_down(module->core->sip, uri);
}

/*
 * One after the other as directory_choose() says; after all, from the first.
 * While another may know, a silent one does not get the whole time: there may be
 * one on the way there and one on the way back, and an authorization has 30 s.
 */
static const char *next_hop_of(struct migration_module *module,
			       const struct directory_hops *hops,
			       const struct uuid *procedure_id, uint32_t *tried,
			       uint32_t *deadline_ms)
{
	uint32_t key;
	int i;

	memcpy(&key, procedure_id->bytes, sizeof(key));
	i = directory_choose(hops, key, *tried, hop_is_down, module);
	if (i < 0) {
		*tried = 0;
		i = directory_choose(hops, key, 0, hop_is_down, module);
	}
	if (i < 0)
		return NULL;
	*tried |= UINT32_C(1) << i;
	if (directory_choose(hops, key, *tried, hop_is_down, module) >= 0)
		*deadline_ms = module->settings->failover_deadline_ms;
	return hops->servers[i].uri;
}

/* What gives a disabled system nothing is told: it asked, and would wait. */
static bool is_withheld(const struct message *message)
{
	return message->kind == MESSAGE_REQUEST ||
	       (message->procedure->verb == MCINFO_AUTHORIZATION &&
		!message->cause);
}

/* 0; ENXIO: the system has left the directory; ENOENT: no way for now. */
static int find_next_hop(struct migration_module *module,
			 const struct message *message, uint32_t *tried,
			 struct sip_outbound *outbound)
{
	const struct directory *directory =
	    store_directory(module->core->store);
	const struct procedure *procedure = message->procedure;
	const struct directory_system *system;

	if (message->kind == MESSAGE_RESPONSE_TO_CLIENT) {
		outbound->next_hop = procedure->client_uri;
		return 0;
	}
	system = directory_find_system(directory, procedure->peer_system);
	if (!system)
		return ENXIO;
	if (!system->enabled && is_withheld(message))
		return ENOENT;
	outbound->next_hop =
	    next_hop_of(module, directory_next_hops(directory, system),
			&procedure->id, tried, &outbound->deadline_ms);
	return outbound->next_hop ? 0 : ENOENT;
}

static int build_body(const struct message *message, char **bodyp,
		      size_t *bytesp)
{
	const struct procedure *procedure = message->procedure;
	bool to_client = message->kind == MESSAGE_RESPONSE_TO_CLIENT;
	bool is_response = message->kind != MESSAGE_REQUEST;
	struct mcinfo info = {
		.service = message->service,
		.verb = procedure->verb,
		.is_response = is_response,
		.has_procedure_id = true,
		.procedure_id = procedure->id,
		.sequence = to_client ? 0 : procedure->sequence,
		.order = is_response ? 0 : procedure->order,
		.has_profile_index =
		    !is_response && procedure->verb == MCINFO_AUTHORIZATION,
		.profile_index = procedure->profile_index,
	};

	if (is_response) {
		info.result = message->cause ? MCINFO_FAILURE : MCINFO_SUCCESS;
		info.cause = message->cause;
		snprintf(info.text, sizeof(info.text), "%s",
			 message->cause ? mcinfo_cause_text(message->cause)
					: "");
	}
	memcpy(info.partner_id, procedure->partner_id_given, MCID_SIZE);
	memcpy(info.primary_id, procedure->primary_id_given, MCID_SIZE);
	return mcinfo_build(&info, bodyp, bytesp);
}

static void log_sent(const struct message *message, const char *next_hop)
{
	static const char *const receivers[] = { "primary", "partner",
						 "client" };
	char id[UUID_TEXT_SIZE];

	log_debug("migration",
		  "msg=\"sent\" flow=%s to=%s procedure=%s sequence=%llu "
		  "result=%s next_hop=%s",
		  mcinfo_flow_name(message->procedure->verb,
				   message->kind != MESSAGE_REQUEST),
		  receivers[message->kind],
		  uuid_to_text(&message->procedure->id, id),
		  (unsigned long long)message->procedure->sequence,
		  message->kind == MESSAGE_REQUEST ? "-"
		  : message->cause ? mcinfo_cause_name(message->cause)
				   : "success",
		  next_hop);
}

int message_send(struct migration_module *module, const struct message *message,
		 uint32_t *tried, sip_answer_h *answered, handle_t handle)
{
	const struct procedure *procedure = message->procedure;
	const struct mc_service_info *service =
	    mc_service_info(message->service);
	char own_uri[SYSTEM_URI_SIZE], peer_uri[SYSTEM_URI_SIZE];
	char identity[IDENTITY_SIZE];
	struct sip_header headers[] = {
		{ "P-Asserted-Identity", identity },
		{ "P-Asserted-Service", service->icsi },
		{ "Accept-Contact", service->accept_contact },
	};
	struct sip_outbound outbound = {
		.request_uri = peer_uri,
		.from = own_uri,
		.to = peer_uri,
		.headers = headers,
		.header_count = sizeof(headers) / sizeof(*headers),
		.content_type = service->content_type,
		.deadline_ms = module->settings->attempt_deadline_ms,
	};
	char *body;
	int err = find_next_hop(module, message, tried, &outbound);

	if (err)
		return err;
	err = build_body(message, &body, &outbound.body_bytes);
	if (err)
		return err;
	outbound.body = body;
	snprintf(own_uri, sizeof(own_uri), "sip:%s", module->core->system);
	snprintf(peer_uri, sizeof(peer_uri), "sip:%s", procedure->peer_system);
	snprintf(identity, sizeof(identity), "<%s>", own_uri);
	if (message->kind == MESSAGE_RESPONSE_TO_CLIENT)
		outbound.request_uri = outbound.to = procedure->partner_id;
	log_sent(message, outbound.next_hop);
	err = sip_send(module->core->sip, &outbound, answered, module, handle);
	free(body);
	return err;
}
