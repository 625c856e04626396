/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who sends, on which side, and whether it may say this. A peer is what the
 * transport says it is; what the message claims is held against that.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "gateway/gateway.h"

#define RETRY_AFTER_S 1

static const struct refusal passed = { 0 };

/* Our server that this source is; NULL: none, or it came by the other side. */
static const char *inside_name(const struct gateway_module *module,
			       const struct sip_source *source)
{
	return source->side == SIP_INSIDE
		   ? directory_peer_name(module->topology->inside, source)
		   : NULL;
}

static const char *outside_name(const struct gateway_module *module,
				const struct sip_source *source)
{
	return source->side == SIP_OUTSIDE || !module->core->has_outside
		   ? directory_peer_name(module->topology->outside, source)
		   : NULL;
}

/* ---------------------------------------------------------- the source */

static const char *side_name(const struct sip_source *source)
{
	return source->side == SIP_OUTSIDE ? "outside" : "inside";
}

static bool refuse_unknown(struct gateway_module *module,
			   const struct sip_source *source,
			   struct sip_reply *refusal)
{
	static struct log_rate rate;

	stat_increment(&module->stats[UNKNOWN_PEERS]);
	log_write_limited(
	    &rate, LOG_INFO, "gateway",
	    "msg=\"unknown peer refused: if it is one of ours or "
	    "of another MC system, add it to the next_hops or "
	    "sources of its section (over TLS a name to sources)\" %s side=%s",
	    sip_source_text(source).text, side_name(source));
	*refusal = (struct sip_reply){ .status = 403,
				       .warn_code = 399,
				       .warn_text = "unknown peer" };
	return false;
}

static bool refuse_rate(struct gateway_module *module, const char *peer,
			struct sip_reply *refusal)
{
	static struct log_rate rate;

	stat_increment(&module->stats[OVER_PEER_RATE]);
	log_write_limited(&rate, LOG_INFO, "gateway",
			  "msg=\"more than gateway.peer_rate\" peer=%s", peer);
	*refusal = (struct sip_reply){ .status = 503,
				       .warn_code = 399,
				       .warn_text = "quota of this peer "
						    "exhausted",
				       .retry_after_s = RETRY_AFTER_S };
	return false;
}

bool peer_may_send(void *arg, const struct sip_source *source,
		   struct sip_reply *refusal)
{
	struct gateway_module *module = arg;
	const char *name = inside_name(module, source);
	char key[SYSTEM_NAME_SIZE + 16];

	/* A server of ours and another system may have the same name. */
	snprintf(key, sizeof(key), "server:%s", name ? name : "");
	if (!name) {
		name = outside_name(module, source);
		snprintf(key, sizeof(key), "system:%s", name ? name : "");
	}
	if (!name)
		return refuse_unknown(module, source, refusal);
	return quota_take(module->peer_quota, key) ||
	       refuse_rate(module, key, refusal);
}

/* --------------------------------------------------------- the message */

static struct refusal refuse(int status, const char *warning,
			     enum gateway_counter counter)
{
	return (struct refusal){ status, warning, counter };
}

/* A request is the partner's to send, a response the primary's. */
static const char *speaker_id(const struct mcinfo *info)
{
	return info->is_response ? info->primary_id_canonical
				 : info->partner_id_canonical;
}

static const char *target_id(const struct mcinfo *info)
{
	return info->is_response ? info->partner_id_canonical
				 : info->primary_id_canonical;
}

static struct refusal unknown_system(bool is_primary)
{
	return refuse(404,
		      is_primary ? "primary MC system unknown"
				 : "partner MC system unknown",
		      REFUSED_UNKNOWN);
}

static struct refusal not_his(void)
{
	return refuse(403, "peer may not speak for this MC system",
		      REFUSED_PEER);
}

/* Out: from one of ours, for a user of ours, to another system (step 4, 9). */
static struct refusal check_exit(const struct topology *topology,
				 struct passage *passage)
{
	const struct mcinfo *info = passage->info;
	const char *speaker = mcid_domain(speaker_id(info));
	const char *target = mcid_domain(target_id(info));

	passage->crossing = CROSSING_EXIT;
	if (!topology_is_ours(topology, speaker))
		return topology_system_of(topology, speaker)
			   ? not_his()
			   : unknown_system(info->is_response);
	if (topology_is_ours(topology, target))
		return refuse(400,
			      "both MC service IDs are of the same MC system",
			      REFUSED_UNKNOWN);
	passage->to = topology_system_of(topology, target);
	return passage->to ? passed : unknown_system(!info->is_response);
}

/* In: from the system of the user, to the server of ours (steps 5, 10). */
static struct refusal check_entry(const struct topology *topology,
				  struct passage *passage)
{
	const struct mcinfo *info = passage->info;
	const char *speaker = mcid_domain(speaker_id(info));
	const char *target = mcid_domain(target_id(info));
	const struct party *system = topology_system_of(topology, speaker);
	struct route route;

	passage->crossing = CROSSING_ENTRY;
	if (!system)
		return topology_is_ours(topology, speaker)
			   ? not_his()
			   : unknown_system(info->is_response);
	if (!directory_speaks_for(topology->outside, system->entry,
				  &passage->message->source))
		return not_his();
	passage->from_system = system;
	passage->from = system->entry->name;
	if (!topology_is_ours(topology, target))
		return topology_system_of(topology, target)
			   ? not_his()
			   : unknown_system(!info->is_response);
	passage->to = topology_server_of(topology, target_id(info), &route);
	return passage->to ? passed
			   : refuse(404, "no MC service server for this user",
				    REFUSED_UNKNOWN);
}

static struct refusal check_identities(const struct topology *topology,
				       const struct passage *passage)
{
	const struct sip_inbound *message = passage->message;
	const struct party *system = passage->from_system;
	bool allowed =
	    system ? directory_may_assert(topology->outside, system->entry,
					  message->asserted_identities,
					  message->asserted_identity_count)
		   : directory_may_assert(topology->own,
					  directory_system_at(topology->own, 0),
					  message->asserted_identities,
					  message->asserted_identity_count);

	return allowed ? passed
		       : refuse(403, "P-Asserted-Identity is not of this peer",
				REFUSED_IDENTITY);
}

/*
 * Off means off. Lists of procedures are about requests: the response of one
 * that was let through passes (TS 24.379 6.8.2, 4.4.2).
 */
static struct refusal check_policy(const struct passage *passage)
{
	bool is_exit = passage->crossing == CROSSING_EXIT;
	const struct party *system =
	    is_exit ? passage->to : passage->from_system;
	policy_t policy = is_exit ? system->requests_to : system->requests_from;
	const struct mcinfo *info = passage->info;

	if (system->entry->enabled &&
	    (info->is_response ||
	     policy_allows(policy, info->service, info->verb)))
		return passed;
	return refuse(403,
		      "179 service not authorized with the interconnected "
		      "system",
		      REFUSED_POLICY);
}

/* The speaker's own user: nobody uses up another's quota. */
static struct refusal check_user_rate(struct gateway_module *module,
				      const struct passage *passage)
{
	if (quota_take(module->user_quota, speaker_id(passage->info)))
		return passed;
	return refuse(503, "quota of this user exhausted", OVER_USER_RATE);
}

struct refusal peer_check(struct gateway_module *module,
			  struct passage *passage)
{
	const struct topology *topology = module->topology;
	const struct sip_source *source = &passage->message->source;
	const char *inside = inside_name(module, source);
	const char *outside = outside_name(module, source);
	const char *speaker = mcid_domain(speaker_id(passage->info));
	struct refusal refusal;

	passage->from = inside ? inside : outside;
	/* One host may be both, where all share an address: its words say. */
	if (inside && (!outside || topology_is_ours(topology, speaker)))
		refusal = check_exit(topology, passage);
	else if (outside)
		refusal = check_entry(topology, passage);
	else
		refusal = not_his();
	if (!refusal.status)
		refusal = check_identities(topology, passage);
	if (!refusal.status)
		refusal = check_policy(passage);
	return refusal.status ? refusal : check_user_rate(module, passage);
}
