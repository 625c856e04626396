/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract: the directory of MC systems, and how it changes at run time. */
#include "store_contract_tests.h"

#include <stdio.h>
#include <string.h>

#include "directory/directory.h"
#include "sip/sip.h"

const char contract_systems_sql[] =
    "INSERT INTO mc_system (name, enabled) VALUES ('a.example', true), "
    "('b.example', true), ('off.example', false) "
    "ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled;"
    "INSERT INTO mc_system_domain (domain, system) VALUES "
    "('a.example', 'a.example'), ('mc.a.example', 'a.example'), "
    "('b.example', 'b.example'), ('off.example', 'off.example') "
    "ON CONFLICT (domain) DO NOTHING;"
    "INSERT INTO mc_server (system, uri, priority, weight) VALUES "
    "('a.example', 'sip:192.0.2.2:5060;transport=tcp', 2, 1), "
    "('a.example', 'sip:192.0.2.9:5060;transport=udp', 1, 3), "
    "('a.example', 'sip:192.0.2.1:5060;transport=udp', 1, 7) "
    "ON CONFLICT (system, uri) DO NOTHING;";

void test_directory(void)
{
	const struct directory_system *system;
	struct store *store;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	store = fixture_open("n1", true);
	CU_ASSERT_EQUAL_FATAL(fixture_load_directory(store), 0);
	CU_ASSERT_EQUAL(directory_system_count(store->directory), 3);
	system = directory_find_domain(store->directory, "MC.a.example");
	CU_ASSERT_PTR_NOT_NULL_FATAL(system);
	CU_ASSERT_STRING_EQUAL(system->name, "a.example");
	CU_ASSERT(system->enabled);
	CU_ASSERT_EQUAL_FATAL(system->hops.count, 3);
	CU_ASSERT_STRING_EQUAL(system->hops.servers[0].uri,
			       "sip:192.0.2.1:5060;transport=udp");
	CU_ASSERT_EQUAL(system->hops.servers[0].weight, 7);
	CU_ASSERT_EQUAL(system->hops.servers[1].weight, 3);
	CU_ASSERT_EQUAL(system->hops.servers[2].priority, 2);
	system = directory_find_system(store->directory, "off.example");
	CU_ASSERT_PTR_NOT_NULL_FATAL(system);
	CU_ASSERT(!system->enabled);
	CU_ASSERT_EQUAL(system->hops.count, 0);

	fixture_execute("DELETE FROM mc_server; DELETE FROM mc_system_domain; "
			"DELETE FROM mc_system");
	CU_ASSERT_EQUAL_FATAL(fixture_load_directory(store), 0);
	CU_ASSERT_EQUAL(directory_system_count(store->directory), 0);
	fixture_close(store);
}

#define GATEWAY_1 "sip:198.51.100.1:5060;transport=tcp"
#define GATEWAY_2 "sip:198.51.100.2:5060;transport=tcp"

/* Both kinds have a row that is no good. */
static const char gateways_sql[] =
    "INSERT INTO mc_gateway (uri, priority, weight) VALUES "
    "('" GATEWAY_2 "', 1, 5), ('" GATEWAY_1 "', 2, 1), "
    "('sip:gateway.example:5060;transport=tcp', 1, 1);"
    "INSERT INTO mc_peer (system, source) VALUES "
    "('a.example', 'dns:a.example'), ('a.example', '203.0.113.16/28'), "
    "('a.example', '203.0.113.17/28'), ('a.example', 'anybody'), "
    "('b.example', '198.51.100.9'), ('off.example', 'uri:sip:off.example');";

static bool speaks_for(const struct store *store, const char *system,
		       const char *host, const char *certificate_name)
{
	struct sip_source source = {
		.transport = certificate_name ? SIP_TLS : SIP_TCP,
		.certificate_names = &certificate_name,
		.certificate_name_count = certificate_name != NULL,
	};
	const struct directory_system *of =
	    directory_find_system(store->directory, system);

	CU_ASSERT_PTR_NOT_NULL_FATAL(of);
	strcpy(source.host, host);
	return directory_speaks_for(store->directory, of, &source);
}

/* The hop with this number on the way to a.example; "": there is none. */
static const char *next_hop(const struct store *store, size_t i)
{
	const struct directory_system *system =
	    directory_find_system(store->directory, SYSTEM_A);
	const struct directory_hops *hops;

	CU_ASSERT_PTR_NOT_NULL_FATAL(system);
	hops = directory_next_hops(store->directory, system);
	return i < hops->count ? hops->servers[i].uri : "";
}

void test_sources(void)
{
	const char *name = "dns:A.example", *uri = "uri:sip:off.example";
	struct store *store;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	fixture_execute(gateways_sql);
	store = fixture_open("n1", true);
	CU_ASSERT_EQUAL_FATAL(fixture_load_directory(store), 0);
	CU_ASSERT(speaks_for(store, SYSTEM_A, "192.0.2.9", NULL));
	CU_ASSERT(speaks_for(store, SYSTEM_A, "203.0.113.31", NULL));
	CU_ASSERT_FALSE(speaks_for(store, SYSTEM_A, "203.0.113.32", NULL));
	CU_ASSERT(speaks_for(store, SYSTEM_A, "203.0.113.32", name));
	CU_ASSERT_FALSE(speaks_for(store, SYSTEM_A, "192.0.2.77", uri));
	CU_ASSERT(speaks_for(store, "off.example", "192.0.2.77", uri));
	/* Our gateways do not speak for who is reached directly. */
	CU_ASSERT_FALSE(speaks_for(store, SYSTEM_A, "198.51.100.9", NULL));
	CU_ASSERT_FALSE(speaks_for(store, SYSTEM_B, "198.51.100.9", NULL));

	fixture_execute("UPDATE mc_system SET path = 'gateway' "
			"WHERE name = 'a.example'");
	CU_ASSERT_EQUAL_FATAL(fixture_load_directory(store), 0);
	CU_ASSERT(speaks_for(store, SYSTEM_A, "198.51.100.9", NULL));
	CU_ASSERT(speaks_for(store, SYSTEM_A, "198.51.100.1", NULL));
	CU_ASSERT_FALSE(speaks_for(store, SYSTEM_A, "203.0.113.31", name));
	CU_ASSERT_FALSE(speaks_for(store, SYSTEM_A, "192.0.2.9", NULL));
	fixture_close(store);
}

/* At run time: the one column is the switch. */
void test_path_is_switched(void)
{
	static const char *const paths[] = { "gateway", "direct", "gateway" };
	struct store *store;
	char sql[100];
	unsigned seen;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	fixture_execute(gateways_sql);
	store = fixture_open("n1", true);
	CU_ASSERT_EQUAL_FATAL(fixture_load_directory(store), 0);
	CU_ASSERT_STRING_EQUAL(next_hop(store, 0),
			       "sip:192.0.2.1:5060;transport=udp");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		bool by_gateway = *paths[i] == 'g';

		seen = store->provisioning_changes;
		snprintf(sql, sizeof(sql),
			 "UPDATE mc_system SET path = '%s' "
			 "WHERE name = 'a.example'",
			 paths[i]);
		fixture_execute(sql);
		CU_ASSERT(fixture_wait_count(
		    store, &store->provisioning_changes, seen));
		CU_ASSERT_EQUAL_FATAL(fixture_load_directory(store), 0);
		CU_ASSERT_EQUAL(directory_find_system(store->directory,
						      SYSTEM_A)
				    ->by_gateway,
				by_gateway);
		CU_ASSERT_STRING_EQUAL(
		    next_hop(store, 0),
		    by_gateway ? GATEWAY_2
			       : "sip:192.0.2.1:5060;transport=udp");
	}
	CU_ASSERT_STRING_EQUAL(next_hop(store, 1), GATEWAY_1);
	CU_ASSERT_STRING_EQUAL(next_hop(store, 2), "");
	fixture_close(store);
}

/* Each statement is one change that is told. */
void test_gateway_changes_are_noticed(void)
{
	static const char *const changes[] = {
		"INSERT INTO mc_gateway (uri) VALUES ('" GATEWAY_1 "')",
		"UPDATE mc_gateway SET priority = 7",
		"DELETE FROM mc_gateway",
		("INSERT INTO mc_peer (system, source) "
		 "VALUES ('a.example', '203.0.113.1')"),
		"UPDATE mc_peer SET source = '203.0.113.2'",
		"DELETE FROM mc_peer",
	};
	struct store *store;
	unsigned seen;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	store = fixture_open("n1", true);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		seen = store->provisioning_changes;
		fixture_execute(changes[i]);
		CU_ASSERT(fixture_wait_count(
		    store, &store->provisioning_changes, seen));
	}
	fixture_close(store);
}
