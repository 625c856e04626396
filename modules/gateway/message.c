/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outgoing MESSAGE, built from the parsed document and the settings alone:
 * what is not named here does not cross (design, section 5, point 7).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"

int message_build(const struct mcinfo *info, unsigned max_forwards_received,
		  struct outgoing *outgoing)
{
	struct mcinfo built = {
		.service = info->service,
		.verb = info->verb,
		.is_response = info->is_response,
		.has_procedure_id = true,
		.procedure_id = info->procedure_id,
		.sequence = info->sequence,
		.order = info->order,
		.has_profile_index = info->has_profile_index,
		.profile_index = info->profile_index,
		.result = info->result,
		.cause = info->cause,
	};
	unsigned left = max_forwards_received - 1;

	memcpy(built.partner_id, info->partner_id, MCID_SIZE);
	memcpy(built.primary_id, info->primary_id, MCID_SIZE);
	/* A text is free: ours says the same as the cause. */
	snprintf(built.text, sizeof(built.text), "%s",
		 mcinfo_cause_text(info->cause));
	outgoing->service = info->service;
	outgoing->max_forwards =
	    left < SIP_MAX_FORWARDS ? left : SIP_MAX_FORWARDS;
	return mcinfo_build(&built, &outgoing->body, &outgoing->body_bytes);
}

void message_clear(struct outgoing *outgoing)
{
	free(outgoing->body);
	outgoing->body = NULL;
}

int message_send(struct gateway_module *module, const struct topology *topology,
		 const struct party *to, enum crossing crossing,
		 const struct outgoing *outgoing, const char *next_hop,
		 uint32_t deadline_ms, sip_answer_h *answered, handle_t handle)
{
	const struct mc_service_info *service =
	    mc_service_info(outgoing->service);
	char asserted[DIRECTORY_URI_SIZE + 2];
	const struct sip_header headers[] = {
		{ "P-Asserted-Identity", asserted },
		{ "P-Asserted-Service", service->icsi },
		{ "Accept-Contact", service->accept_contact },
	};
	size_t name_count;
	const char *const *names = directory_certificate_names(
	    crossing == CROSSING_EXIT ? topology->outside : topology->inside,
	    to->entry, &name_count);
	const struct sip_outbound outbound = {
		.next_hop = next_hop,
		.side = crossing == CROSSING_EXIT && module->core->has_outside
			    ? SIP_OUTSIDE
			    : SIP_INSIDE,
		.certificate_names = names,
		.certificate_name_count = name_count,
		.max_forwards = outgoing->max_forwards,
		.request_uri = to->identity,
		.from = topology->identity,
		.to = to->identity,
		.headers = headers,
		.header_count = sizeof(headers) / sizeof(*headers),
		.content_type = service->content_type,
		.body = outgoing->body,
		.body_bytes = outgoing->body_bytes,
		.deadline_ms = deadline_ms,
	};

	snprintf(asserted, sizeof(asserted), "<%s>", topology->identity);
	return sip_send(module->core->sip, &outbound, answered, module, handle);
}
