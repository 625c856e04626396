/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients behind the IMS (TS 24.229 5.7): what its nodes say of their requests
 * is held against what we are, an application server of the originating user;
 * and how responses find the way back.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "migration/migration.h"
#include "module/ims.h"

#define WAYS_MAX 32 /* as many as `tried` has bits */

static const struct refusal taken = { 0, NULL };

bool network_is_ims(const struct migration_module *module,
		    const struct sip_source *source)
{
	struct ims *ims = module->core->ims;

	return ims && ims->trusts(ims, source);
}

/* ------------------------------------------------------------- its requests */

/* RFC 3325 9.1: one SIP URI, and a tel URI of the same user at most. */
static struct refusal take_identity(const struct sip_inbound *message,
				    struct event *event)
{
	static const struct refusal refused = {
		403, "P-Asserted-Identity has to be one public user identity"
	};
	const char *identity = NULL;

	for (size_t i = 0; i < message->asserted_identity_count; i++) {
		const char *uri = message->asserted_identities[i];

		if (!strncasecmp(uri, "tel:", 4))
			continue;
		if (identity)
			return refused;
		identity = uri;
	}
	if (!identity ||
	    public_identity_canonical(identity, event->client_identity)) {
		*event->client_identity = '\0';
		return refused;
	}
	return taken;
}

static void log_session_case(const struct sip_source *source)
{
	static struct log_rate rate;

	log_write_limited(&rate, LOG_WARNING, "migration",
			  "msg=\"the initial filter criteria trigger in the "
			  "terminating case: let them do so in the originating "
			  "case only (SessionCase 0)\" %s",
			  sip_source_text(source).text);
}

static struct refusal check_client(const struct sip_inbound *message,
				   const struct mcinfo *info,
				   struct event *event)
{
	const struct sip_network_headers *network = &message->network;
	const char *icsi = mc_service_info(info->service)->icsi;

	if (network->session_case && strcmp(network->session_case, "orig")) {
		log_session_case(&message->source);
		return (struct refusal){ 403, "not the originating case" };
	}
	if (network->asserted_service &&
	    strcasecmp(network->asserted_service, icsi))
		return (struct refusal){ 403, "P-Asserted-Service is not that "
					      "of the document" };
	return take_identity(message, event);
}

struct refusal network_check(const struct migration_module *module,
			     const struct mcinfo *info,
			     const struct sip_inbound *message,
			     struct event *event)
{
	struct ims *ims = module->core->ims;
	struct refusal refusal;
	char id[UUID_TEXT_SIZE];

	if (!ims->is_ours(ims, message->network.route))
		return (struct refusal){ 403, "no proxy: the topmost Route "
					      "leads elsewhere" };
	if (event->kind != EVENT_CLIENT_REQUEST)
		return taken;
	refusal = check_client(message, info, event);
	if (!refusal.status)
		log_debug("migration",
			  "msg=\"through the IMS\" procedure=%s identity=%s "
			  "charging_vector=%s",
			  uuid_to_text(&event->procedure_id, id),
			  event->client_identity,
			  message->network.charging_vector
			      ? message->network.charging_vector
			      : "-");
	return refusal;
}

bool network_is_claimed(const struct sip_inbound *message)
{
	const struct sip_network_headers *network = &message->network;

	return message->asserted_identity_count || network->asserted_service ||
	       network->served_user || network->charging_vector ||
	       network->access_network_info;
}

/* --------------------------------------------------------- the way back */

/* The first that is neither tried nor down, else the first not tried; -1. */
static int choose(struct migration_module *module,
		  const struct procedure *procedure, uint32_t tried,
		  unsigned *left)
{
	struct ims *ims = module->core->ims;
	int first = -1, up = -1;
	struct ims_hop hop;

	*left = 0;
	for (unsigned i = 0; i < WAYS_MAX; i++) {
		if (!ims->next_hop(ims, procedure->client_identity,
				   procedure->client_uri, i, &hop))
			break;
		if (tried >> i & 1)
			continue;
		++*left;
		if (first < 0)
			first = (int)i;
		if (up < 0 && !sip_is_down(module->core->sip, hop.uri))
			up = (int)i;
	}
	return up < 0 ? first : up;
}

bool network_next_hop(struct migration_module *module,
		      const struct procedure *procedure, uint32_t *tried,
		      struct ims_hop *hop, bool *is_last)
{
	struct ims *ims = module->core->ims;
	unsigned left;
	int i = choose(module, procedure, *tried, &left);

	if (i < 0) {
		*tried = 0;
		i = choose(module, procedure, 0, &left);
	}
	if (i < 0)
		return false;
	*tried |= UINT32_C(1) << i;
	*is_last = left == 1;
	return ims->next_hop(ims, procedure->client_identity,
			     procedure->client_uri, (unsigned)i, hop);
}
