/* SPDX-License-Identifier: BSD-2-Clause */
/* From a procedure to the SIP MESSAGE that it owes (doc/protocol.md). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "migration/migration.h"
#include "module/ims.h"

#define SYSTEM_URI_SIZE (SYSTEM_NAME_SIZE + 8)
#define IDENTITY_SIZE (SYSTEM_URI_SIZE + 2)
#define CHARGING_SIZE (UUID_TEXT_SIZE + SYSTEM_NAME_SIZE + 32)
#define HEADERS_MAX 5

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

/* A client that came through the IMS is found by its identity there. */
static bool is_by_ims(const struct migration_module *module,
		      const struct message *message)
{
	return message->kind == MESSAGE_RESPONSE_TO_CLIENT &&
	       *message->procedure->client_identity && module->core->ims;
}

/* 0, or ENOENT. */
static int find_ims_hop(struct migration_module *module,
			const struct procedure *procedure, uint32_t *tried,
			struct sip_outbound *outbound, const char **routep)
{
	struct ims_hop hop;
	bool is_last;

	if (!network_next_hop(module, procedure, tried, &hop, &is_last))
		return ENOENT;
	if (!is_last)
		outbound->deadline_ms = module->settings->failover_deadline_ms;
	outbound->next_hop = hop.uri;
	outbound->certificate_names = hop.certificate_names;
	outbound->certificate_name_count = hop.certificate_name_count;
	*routep = hop.route;
	return 0;
}

/*
 * `*routep` is set for a way through the IMS. 0; ENXIO: the system has left the
 * directory; ENOENT: no way for now.
 */
static int find_next_hop(struct migration_module *module,
			 const struct message *message, uint32_t *tried,
			 struct sip_outbound *outbound, const char **routep)
{
	const struct directory *directory =
	    store_directory(module->core->store);
	const struct procedure *procedure = message->procedure;
	const struct directory_system *system;

	if (is_by_ims(module, message))
		return find_ims_hop(module, procedure, tried, outbound, routep);
	if (message->kind == MESSAGE_RESPONSE_TO_CLIENT) {
		outbound->next_hop = procedure->client_uri;
		outbound->certificate_names = access_client_names(
		    module, &outbound->certificate_name_count);
		return 0;
	}
	system = directory_find_system(directory, procedure->peer_system);
	if (!system)
		return ENXIO;
	if (!system->enabled && is_withheld(message))
		return ENOENT;
	outbound->certificate_names = directory_certificate_names(
	    directory, system, &outbound->certificate_name_count);
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

/* TS 24.229 5.7.1.5: the charging identity of a request that begins here. */
static void make_charging_vector(const struct migration_module *module,
				 char text[CHARGING_SIZE])
{
	char id[UUID_TEXT_SIZE];
	struct uuid icid;

	uuid_random(&icid);
	snprintf(text, CHARGING_SIZE, "icid-value=\"%s\";orig-ioi=\"%s\"",
		 uuid_to_text(&icid, id), module->core->system);
}

int message_send(struct migration_module *module, const struct message *message,
		 uint32_t *tried, sip_answer_h *answered, handle_t handle)
{
	const struct procedure *procedure = message->procedure;
	const struct mc_service_info *service =
	    mc_service_info(message->service);
	char own_uri[SYSTEM_URI_SIZE], peer_uri[SYSTEM_URI_SIZE];
	char identity[IDENTITY_SIZE], charging[CHARGING_SIZE];
	struct sip_header headers[HEADERS_MAX] = {
		{ "P-Asserted-Identity", identity },
		{ "P-Asserted-Service", service->icsi },
		{ "Accept-Contact", service->accept_contact },
	};
	struct sip_outbound outbound = {
		.request_uri = peer_uri,
		.from = own_uri,
		.to = peer_uri,
		.headers = headers,
		.header_count = 3,
		.content_type = service->content_type,
		.deadline_ms = module->settings->attempt_deadline_ms,
	};
	const char *route = NULL;
	char *body;
	int err = find_next_hop(module, message, tried, &outbound, &route);

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
	if (route) {
		outbound.request_uri = outbound.to = procedure->client_identity;
		make_charging_vector(module, charging);
		headers[outbound.header_count++] =
		    (struct sip_header){ "Route", route };
		headers[outbound.header_count++] =
		    (struct sip_header){ "P-Charging-Vector", charging };
	}
	log_sent(message, outbound.next_hop);
	err = sip_send(module->core->sip, &outbound, answered, module, handle);
	free(body);
	return err;
}
