/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may speak, and how often. A source is what the transport says it is; what
 * a message claims is held against that (default deny).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/quota.h"
#include "directory/source.h"
#include "migration/migration.h"
#include "module/authorizer.h"

#define PEERS_MAX 1024
#define USERS_MAX 65536
#define RETRY_AFTER_S 1

enum {
	UNKNOWN_SOURCE,
	FALSE_IDENTITY,
	BAD_TOKEN,
	BY_IMS,
	UNTRUSTED_HEADERS,
	PEER_QUOTA,
	USER_QUOTA,
	STATS_END
};

struct access {
	struct sources clients;
	struct quota *peers, *users;
	struct statistic stats[STATS_END];
};

static const struct refusal taken = { 0, NULL };

/* --------------------------------------------------------------- sources */

static void log_unknown(const struct sip_source *source)
{
	static struct log_rate rate;
	bool is_tls = source->transport == SIP_TLS;

	log_write_limited(
	    &rate, LOG_WARNING, "migration",
	    "msg=\"unknown peer refused: if it is one of ours, add %s "
	    "to mc_peer%s, migration.clients or ims.peers\" %s",
	    is_tls ? "one of its names" : "its address",
	    is_tls ? "" : ", mc_server", sip_source_text(source).text);
}

/* Over TLS a response leaves only to names that we know: who has none of them
 * would never hear how the request that was taken has ended. */
static bool may_be_client(const struct migration_module *module,
			  const struct sip_source *source)
{
	return (!module->settings->clients.count &&
		source->transport != SIP_TLS) ||
	       sources_have(&module->access->clients, source) ||
	       network_is_ims(module, source);
}

const char *const *access_client_names(const struct migration_module *module,
				       size_t *count)
{
	const struct sources *clients = &module->access->clients;

	*count = clients->name_count;
	return (const char *const *)clients->names;
}

bool access_source(void *arg, const struct sip_source *source,
		   struct sip_reply *refusal)
{
	struct migration_module *module = arg;
	struct access *access = module->access;
	const struct directory *directory =
	    store_directory(module->core->store);
	const char *peer;

	/* Before the store is up nobody is known: answered 503 later. */
	if (!directory)
		return true;
	peer = directory_peer_name(directory, source);
	if (!peer) {
		if (may_be_client(module, source))
			return true;
		stat_increment(&access->stats[UNKNOWN_SOURCE]);
		log_unknown(source);
		*refusal = (struct sip_reply){ .status = 403,
					       .warn_code = 399,
					       .warn_text = "unknown peer" };
		return false;
	}
	if (quota_take(access->peers, peer))
		return true;
	stat_increment(&access->stats[PEER_QUOTA]);
	*refusal = (struct sip_reply){ .status = 503,
				       .warn_code = 399,
				       .warn_text = "quota of this peer "
						    "exhausted",
				       .retry_after_s = RETRY_AFTER_S };
	return false;
}

/* ---------------------------------------------------------------- peers */

static struct refusal check_peer(const struct migration_module *module,
				 const struct sip_inbound *message,
				 const struct event *event)
{
	const struct directory *directory =
	    store_directory(module->core->store);
	const struct directory_system *peer =
	    directory_find_system(directory, event->peer_system);
	/* Behind our own gateway it is the gateway that speaks. */
	const struct directory_system *speaker =
	    peer->by_gateway
		? directory_find_system(directory, module->core->system)
		: peer;

	if (!directory_speaks_for(directory, peer, &message->source)) {
		stat_increment(&module->access->stats[UNKNOWN_SOURCE]);
		log_unknown(&message->source);
		return (struct refusal){ 403, "peer may not speak for this MC "
					      "system" };
	}
	if (!directory_may_assert(directory, speaker,
				  message->asserted_identities,
				  message->asserted_identity_count)) {
		stat_increment(&module->access->stats[FALSE_IDENTITY]);
		return (struct refusal){ 403, "P-Asserted-Identity is not of "
					      "this peer" };
	}
	return taken;
}

/* -------------------------------------------------------------- clients */

static void audit(const struct event *event, const char *reason)
{
	static struct log_rate rate;
	char id[UUID_TEXT_SIZE];

	log_write_limited(&rate, LOG_INFO, "audit",
			  "msg=\"client refused\" reason=\"%s\" procedure=%s "
			  "service=%s partner_id=%s primary_id=%s client=%s",
			  reason, uuid_to_text(&event->procedure_id, id),
			  mc_service_info(event->service)->name,
			  event->partner_id, event->primary_id,
			  event->client_uri);
}

/* TS 23.280 10.6.3.3.1 step 2. */
static struct refusal check_token(struct migration_module *module,
				  const struct mcinfo *info,
				  struct event *event)
{
	const struct authorizer_request request = {
		.service = info->service,
		.token = info->access_token,
		.partner_id = info->partner_id_canonical,
		.primary_id = info->primary_id_canonical,
	};
	struct authorizer *authorizer = module->core->authorizer;
	const char *reason = "";

	if (!strcmp(module->settings->tokens, "lab") &&
	    (!info->access_token || !authorizer))
		return taken;
	switch (authorizer->check(authorizer, &request, &reason)) {
	case AUTHORIZER_PINNED:
		event->pair_pinned = true;
		return taken;
	case AUTHORIZER_ALLOWED:
		return taken;
	case AUTHORIZER_LATER:
		return (struct refusal){ 503, "credentials cannot be checked "
					      "now" };
	case AUTHORIZER_REFUSED:
		break;
	}
	stat_increment(&module->access->stats[BAD_TOKEN]);
	audit(event, reason);
	return (struct refusal){ 403, "101 service authorisation failed" };
}

/* What anybody else says in the IMS's header fields is not looked at. */
static struct refusal check_network(struct migration_module *module,
				    const struct mcinfo *info,
				    const struct sip_inbound *message,
				    struct event *event)
{
	struct access *access = module->access;
	struct refusal refusal = taken;

	if (network_is_ims(module, &message->source)) {
		refusal = network_check(module, info, message, event);
		if (refusal.status)
			stat_increment(&access->stats[BY_IMS]);
	} else if (module->core->ims && event->kind == EVENT_CLIENT_REQUEST &&
		   network_is_claimed(message)) {
		stat_increment(&access->stats[UNTRUSTED_HEADERS]);
	}
	return refusal;
}

struct refusal access_check(struct migration_module *module,
			    const struct mcinfo *info,
			    const struct sip_inbound *message,
			    struct event *event)
{
	struct refusal refusal = check_network(module, info, message, event);

	if (refusal.status)
		return refusal;
	if (event->kind != EVENT_CLIENT_REQUEST)
		return check_peer(module, message, event);
	refusal = check_token(module, info, event);
	/* Nobody uses up another's quota: whose it is has been checked. */
	if (refusal.status ||
	    quota_take(module->access->users, info->partner_id_canonical))
		return refusal;
	stat_increment(&module->access->stats[USER_QUOTA]);
	audit(event, "quota of this user exhausted");
	return (struct refusal){ 503, "quota of this user exhausted" };
}

/* ----------------------------------------------------------------- life */

static int check_tokens(const struct migration_module *module,
			const struct migration_settings *settings)
{
	if (!strcmp(settings->tokens, "lab")) {
		log_warning("migration",
			    "msg=\"tokens are off: whoever reaches "
			    "us may speak for any client\"");
		return 0;
	}
	if (module->core->authorizer)
		return 0;
	log_error("migration",
		  "msg=\"migration.tokens is 'required', but no module checks "
		  "tokens: name 'auth_token' before 'migration' in modules, or "
		  "set tokens = 'lab' for a closed lab\"");
	return EINVAL;
}

static int parse_clients(const struct setting_list *clients,
			 struct sources *sources)
{
	*sources = (struct sources){ 0 };
	for (size_t i = 0; i < clients->count; i++) {
		int err = sources_add(sources, clients->values[i]);

		if (!err)
			continue;
		if (err == EINVAL)
			log_error(
			    "migration",
			    "msg=\"migration.clients: '%s' is no address, "
			    "network (192.0.2.0/28) or name of a "
			    "certificate (dns:NAME)\"",
			    clients->values[i]);
		sources_clear(sources);
		return err;
	}
	return 0;
}

/* A user may do at once what takes two messages: there and back. */
static uint32_t user_burst(const struct migration_settings *settings)
{
	return 2 * settings->user_rate;
}

int access_reload(struct migration_module *module,
		  const struct migration_settings *settings)
{
	struct access *access = module->access;
	struct sources clients;
	int err = check_tokens(module, settings);

	if (!err)
		err = parse_clients(&settings->clients, &clients);
	if (err)
		return err;
	sources_clear(&access->clients);
	access->clients = clients;
	quota_set(access->peers, settings->peer_rate, settings->peer_rate);
	quota_set(access->users, settings->user_rate, user_burst(settings));
	return 0;
}

static void add_stats(struct migration_module *module)
{
	static const struct statistic stats[STATS_END] = {
		[UNKNOWN_SOURCE] = { .name = "migration.refused_source",
				     .help =
					 "403: unknown peer, or one that may "
					 "not speak for that MC system" },
		[FALSE_IDENTITY] = { .name = "migration.refused_identity",
				     .help = "403: P-Asserted-Identity of "
					     "another MC system" },
		[BAD_TOKEN] = { .name = "migration.refused_token",
				.help = "403: access token missing or wrong" },
		[BY_IMS] = { .name = "migration.refused_ims",
			     .help = "403: requests through the IMS with "
				     "another Route, identity, service or "
				     "session case than a client's own has" },
		[UNTRUSTED_HEADERS] = { .name = "migration.untrusted_headers",
					.help = "Clients' requests from "
						"elsewhere with header fields "
						"of an IMS, which count for "
						"nothing" },
		[PEER_QUOTA] = { .name = "migration.over_peer_rate",
				 .help = "503: more than migration.peer_rate" },
		[USER_QUOTA] = { .name = "migration.over_user_rate",
				 .help = "503: more than migration.user_rate" },
	};

	for (unsigned i = 0; i < STATS_END; i++) {
		module->access->stats[i] = stats[i];
		module->access->stats[i].kind = STATS_COUNTER;
		stats_add(module->core->stats, &module->access->stats[i]);
	}
}

int access_create(struct migration_module *module)
{
	const struct migration_settings *settings = module->settings;
	struct access *access = calloc(1, sizeof(*access));
	int err;

	if (!access)
		return ENOMEM;
	module->access = access;
	add_stats(module);
	err = quota_create(&access->peers, settings->peer_rate,
			   settings->peer_rate, PEERS_MAX);
	if (!err)
		err = quota_create(&access->users, settings->user_rate,
				   user_burst(settings), USERS_MAX);
	return err ? err : access_reload(module, settings);
}

void access_destroy(struct migration_module *module)
{
	struct access *access = module->access;

	if (!access)
		return;
	for (unsigned i = 0; i < STATS_END; i++)
		stats_remove(module->core->stats, &access->stats[i]);
	quota_destroy(access->peers);
	quota_destroy(access->users);
	sources_clear(&access->clients);
	free(access);
	module->access = NULL;
}
