/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sections of the settings become directories: of our own system, of its
 * servers (the inside) and of the other MC systems (the outside). Each fault is
 * told with its section, its line and the remedy.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/gateway.h"

/* -------------------------------------------------------------- our system */

static int add_own_domain(struct topology *topology, const char *own_system,
			  const char *domain)
{
	int err = directory_add_domain(topology->own, own_system, domain);

	if (err == EINVAL)
		return settings_fault(NULL, NULL,
				      "'%s' in domains is no domain", domain);
	/* Twice the same is the same. */
	return err == EEXIST ? 0 : err;
}

static int set_own_identity(struct topology *topology,
			    const struct gateway_settings *settings,
			    const char *own_system)
{
	char fallback[SYSTEM_NAME_SIZE + 32];
	const char *identity = settings->identity;

	snprintf(fallback, sizeof(fallback), "sip:mcgateway@%s", own_system);
	if (!identity || !*identity)
		identity = fallback;
	if (!is_sip_uri(identity))
		return settings_fault(NULL, NULL,
				      "identity '%s' is no SIP URI: write "
				      "'sip:mcgateway@%s'",
				      identity, own_system);
	/* Others hold our P-Asserted-Identity against our domains. */
	if (!directory_owner_of(topology->own, identity))
		return settings_fault(NULL, NULL,
				      "identity '%s' is in no domain of ours: "
				      "add its host to domains",
				      identity);
	topology->identity = strdup(identity);
	return topology->identity ? 0 : ENOMEM;
}

int directory_build_own(struct topology *topology,
			const struct gateway_settings *settings,
			const char *own_system)
{
	int err = directory_add_system(topology->own, own_system, true, false);

	if (err == EINVAL)
		return settings_fault(NULL, NULL,
				      "system '%s' is no name of an MC system",
				      own_system);
	if (!err && !settings->domains.count)
		err = add_own_domain(topology, own_system, own_system);
	for (size_t i = 0; i < settings->domains.count && !err; i++)
		err = add_own_domain(topology, own_system,
				     settings->domains.values[i]);
	return err ? err : set_own_identity(topology, settings, own_system);
}

/* -------------------------------------------------------------- the inside */

static int build_server(struct topology *topology,
			const struct setting_section *section,
			const char *own_system)
{
	const struct gateway_server_settings *values = section->values;
	struct party *party = &topology->servers[topology->server_count];
	int err = party_add(topology->inside, "server", section, true,
			    &values->next_hops, &values->sources);

	if (err)
		return err;
	party->entry = directory_find_system(topology->inside, section->title);
	topology->server_count++;
	return party_init(party, "server", section, values->identity,
			  own_system);
}

int directory_build_inside(struct topology *topology,
			   const struct gateway_settings *settings,
			   const char *own_system)
{
	const struct setting_sections *servers = &settings->servers;
	int err = 0;

	if (!servers->count)
		return settings_fault(NULL, NULL,
				      "no server: add server \\\"NAME\\\" { "
				      "next_hops = { ... } } for each MC "
				      "service server of ours");
	topology->servers = calloc(servers->count, sizeof(struct party));
	if (!topology->servers)
		return ENOMEM;
	for (size_t i = 0; i < servers->count && !err; i++)
		err = build_server(topology, &servers->items[i], own_system);
	return err;
}

/* ------------------------------------------------------------- the outside */

static int add_domain(struct topology *topology,
		      const struct setting_section *section, const char *domain)
{
	const struct directory_system *other;
	int err =
	    directory_add_domain(topology->outside, section->title, domain);

	if (err == EINVAL)
		return settings_fault("system", section,
				      "'%s' in domains is no domain", domain);
	if (!err && topology_is_ours(topology, domain))
		return settings_fault("system", section,
				      "domain '%s' is one of ours: take it "
				      "out of one of them",
				      domain);
	if (err != EEXIST)
		return err;
	other = directory_find_domain(topology->outside, domain);
	return settings_fault("system", section,
			      "domain '%s' is of system '%s' already: take it "
			      "out of one of them",
			      domain, other->name);
}

static int add_domains(struct topology *topology,
		       const struct setting_section *section,
		       const struct setting_list *domains)
{
	int err = 0;

	if (!domains->count)
		return add_domain(topology, section, section->title);
	for (size_t i = 0; i < domains->count && !err; i++)
		err = add_domain(topology, section, domains->values[i]);
	return err;
}

static int set_policy(const struct setting_section *section, const char *name,
		      const struct setting_list *list, policy_t *policy)
{
	const char *bad;

	if (!policy_parse(list, policy, &bad))
		return 0;
	return settings_fault("system", section,
			      "'%s' in %s names no procedure: write "
			      "'mcptt:authorization', 'mcptt:*' or '*'",
			      bad, name);
}

static int build_system(struct topology *topology,
			const struct setting_section *section)
{
	const struct gateway_system_settings *values = section->values;
	struct party *party = &topology->systems[topology->system_count];
	int err =
	    party_add(topology->outside, "system", section, values->enabled,
		      &values->next_hops, &values->sources);

	if (err)
		return err;
	party->entry = directory_find_system(topology->outside, section->title);
	topology->system_count++;
	err = add_domains(topology, section, &values->domains);
	if (!err)
		err = party_init(party, "system", section, values->identity,
				 section->title);
	if (!err)
		err = set_policy(section, "requests_to", &values->requests_to,
				 &party->requests_to);
	if (!err)
		err = set_policy(section, "requests_from",
				 &values->requests_from, &party->requests_from);
	return err;
}

int directory_build_outside(struct topology *topology,
			    const struct gateway_settings *settings)
{
	const struct setting_sections *systems = &settings->systems;
	int err = 0;

	if (!systems->count) {
		log_warning("gateway", "msg=\"no other MC system: add system "
				       "\\\"NAME\\\" { ... } for each\"");
		return 0;
	}
	topology->systems = calloc(systems->count, sizeof(struct party));
	if (!topology->systems)
		return ENOMEM;
	for (size_t i = 0; i < systems->count && !err; i++)
		err = build_system(topology, &systems->items[i]);
	return err;
}
