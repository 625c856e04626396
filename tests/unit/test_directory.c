/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/directory: what it takes, what it finds, and in which order. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "directory/directory.h"
#include "directory/source.h"
#include "sip/sip.h"

static struct directory *directory;

static void begin(void)
{
	CU_ASSERT_EQUAL_FATAL(directory_create(&directory), 0);
	CU_ASSERT_EQUAL_FATAL(
	    directory_add_system(directory, "a.example", true, false), 0);
	CU_ASSERT_EQUAL_FATAL(
	    directory_add_system(directory, "b.example", false, false), 0);
}

static void end(void)
{
	directory_destroy(directory);
	directory = NULL;
}

static void test_systems(void)
{
	char name[SYSTEM_NAME_SIZE + 1];

	CU_ASSERT_EQUAL(directory_system_count(directory), 2);
	CU_ASSERT_STRING_EQUAL(directory_system_at(directory, 0)->name,
			       "a.example");
	CU_ASSERT_STRING_EQUAL(directory_system_at(directory, 1)->name,
			       "b.example");
	CU_ASSERT_PTR_NULL(directory_system_at(directory, 2));
	CU_ASSERT_TRUE(directory_find_system(directory, "a.example")->enabled);
	CU_ASSERT_FALSE(directory_find_system(directory, "b.example")->enabled);
	CU_ASSERT_PTR_NULL(directory_find_system(directory, "c.example"));
	CU_ASSERT_PTR_NULL(directory_find_system(directory, ""));

	CU_ASSERT_EQUAL(
	    directory_add_system(directory, "a.example", false, false), EEXIST);
	CU_ASSERT_TRUE(directory_find_system(directory, "a.example")->enabled);
	CU_ASSERT_EQUAL(directory_add_system(directory, "", true, false),
			EINVAL);
	CU_ASSERT_EQUAL(directory_add_system(directory, "a b", true, false),
			EINVAL);
	CU_ASSERT_EQUAL(directory_add_system(directory, "a\"b", true, false),
			EINVAL);
	CU_ASSERT_EQUAL(
	    directory_add_system(directory, "\xc3\xa9", true, false), EINVAL);
	memset(name, 'x', sizeof(name));
	name[SYSTEM_NAME_SIZE] = '\0';
	CU_ASSERT_EQUAL(directory_add_system(directory, name, true, false),
			EINVAL);
	name[SYSTEM_NAME_SIZE - 1] = '\0';
	CU_ASSERT_EQUAL(directory_add_system(directory, name, true, false), 0);
	CU_ASSERT_EQUAL(directory_system_count(directory), 3);
}

static void test_domains(void)
{
	char domain[300];

	CU_ASSERT_EQUAL(
	    directory_add_domain(directory, "a.example", "A.Example"), 0);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "a.example",
					     "rail.example:5070"),
			0);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "b.example", "[::1]"),
			0);
	CU_ASSERT_EQUAL(
	    directory_add_domain(directory, "b.example", "a.EXAMPLE"), EEXIST);
	CU_ASSERT_EQUAL(
	    directory_add_domain(directory, "a.example", "a.example"), EEXIST);
	CU_ASSERT_EQUAL(
	    directory_add_domain(directory, "c.example", "c.example"), ENOENT);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "a.example", ""),
			EINVAL);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "a.example", "a b"),
			EINVAL);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "a.example", "u@a"),
			EINVAL);
	memset(domain, 'd', sizeof(domain));
	domain[254] = '\0';
	CU_ASSERT_EQUAL(directory_add_domain(directory, "a.example", domain),
			EINVAL);
	CU_ASSERT_PTR_NULL(directory_find_domain(directory, domain));

	CU_ASSERT_PTR_EQUAL(directory_find_domain(directory, "a.example"),
			    directory_find_system(directory, "a.example"));
	CU_ASSERT_PTR_EQUAL(directory_find_domain(directory, "A.EXAMPLE"),
			    directory_find_system(directory, "a.example"));
	CU_ASSERT_PTR_EQUAL(directory_find_domain(directory,
						  "RAIL.example:5070"),
			    directory_find_system(directory, "a.example"));
	CU_ASSERT_PTR_EQUAL(directory_find_domain(directory, "[::1]"),
			    directory_find_system(directory, "b.example"));
	/* The name of a system is no domain; nor is a subdomain of one. */
	CU_ASSERT_PTR_NULL(directory_find_domain(directory, "b.example"));
	CU_ASSERT_PTR_NULL(directory_find_domain(directory, "x.a.example"));
	CU_ASSERT_PTR_NULL(directory_find_domain(directory, "example"));
	CU_ASSERT_PTR_NULL(directory_find_domain(directory, "rail.example"));
	CU_ASSERT_PTR_NULL(directory_find_domain(directory, ""));
}

static int add(const char *uri)
{
	return directory_add_server(directory, "a.example", uri, 1, 1);
}

static void test_server_uris(void)
{
	static const char *const good[] = {
		"sip:127.0.0.1:5060;transport=udp",
		"sip:127.0.0.1:5060;transport=tcp",
		"SIP:192.0.2.1:65535;Transport=TCP",
		"sip:[::1]:5060;transport=udp",
		"sip:[2001:db8:0:0:0:0:0:1]:1;transport=tcp",
	};
	static const char *const bad[] = {
		"",
		"sip:",
		"127.0.0.1:5060",
		"sips:127.0.0.1:5060;transport=tcp",
		"sip:a.example:5060;transport=udp",
		"sip:localhost:5060;transport=udp",
		"sip:127.0.0.1",
		"sip:127.0.0.1:5060",
		"sip:127.0.0.1;transport=udp",
		"sip:127.0.0.1:;transport=udp",
		"sip:127.0.0.1:0;transport=udp",
		"sip:127.0.0.1:05060;transport=udp",
		"sip:127.0.0.1:65536;transport=udp",
		"sip:127.0.0.1:506000;transport=udp",
		"sip:127.0.0.1:-1;transport=udp",
		"sip:127.0.0.1:5060;transport=ws",
		"sip:127.0.0.1:5060;transport=udp;lr",
		"sip:127.0.0.1:5060;lr;transport=udp",
		"sip:127.0.0.1:5060;transport=udp ",
		" sip:127.0.0.1:5060;transport=udp",
		"sip:127.1:5060;transport=udp",
		"sip:256.0.0.1:5060;transport=udp",
		"sip:[127.0.0.1]:5060;transport=udp",
		"sip:::1:5060;transport=udp",
		"sip:[::1:5060;transport=udp",
		"sip:[::1]5060;transport=udp",
		"sip:[]:5060;transport=udp",
		"sip:[fe80::1%lo]:5060;transport=udp",
		"sip:u@127.0.0.1:5060;transport=udp",
		"sip:127.0.0.1:5060;transport=udp?x=y",
	};
	char longer[DIRECTORY_URI_SIZE + 1];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (add(bad[i]) != EINVAL)
			printf("%s\n", bad[i]);
		CU_ASSERT_EQUAL(add(bad[i]), EINVAL);
	}
	memset(longer, '0', sizeof(longer));
	longer[DIRECTORY_URI_SIZE] = '\0';
	CU_ASSERT_EQUAL(add(longer), EINVAL);
	CU_ASSERT_EQUAL(directory_system_at(directory, 0)->hops.count, 0);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(add(good[i]), 0);
		CU_ASSERT_EQUAL(add(good[i]), EEXIST);
	}
	CU_ASSERT_EQUAL(add("sip:127.0.0.1:5060;Transport=UDP"), EEXIST);
	CU_ASSERT_EQUAL(directory_add_server(directory, "c.example", good[0], 1,
					     1),
			ENOENT);
	CU_ASSERT_EQUAL(
	    directory_add_server(directory, "b.example", good[0], 1, 1), 0);
}

static void test_servers_stand_in_order(void)
{
	static const struct {
		const char *uri;
		unsigned priority;
	} servers[] = {
		{ "sip:192.0.2.3:5060;transport=udp", 20 },
		{ "sip:192.0.2.2:5060;transport=udp", 10 },
		{ "sip:192.0.2.9:5060;transport=udp", 0 },
		{ "sip:192.0.2.1:5060;transport=udp", 10 },
		{ "sip:192.0.2.1:5060;transport=tcp", 10 },
	};
	static const unsigned order[] = { 2, 4, 3, 1, 0 };
	const struct directory_system *system;

	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(directory_add_server(directory, "a.example",
						     servers[i].uri,
						     servers[i].priority, i),
				0);
	system = directory_find_system(directory, "a.example");
	CU_ASSERT_EQUAL_FATAL(system->hops.count, 5);
	for (unsigned i = 0; i < 5; i++) {
		CU_ASSERT_STRING_EQUAL(system->hops.servers[i].uri,
				       servers[order[i]].uri);
		CU_ASSERT_EQUAL(system->hops.servers[i].priority,
				servers[order[i]].priority);
		CU_ASSERT_EQUAL(system->hops.servers[i].weight, order[i]);
	}
}

static bool speaks_for(const struct directory_system *system, const char *host)
{
	struct sip_source source = { .port = 5060 };

	snprintf(source.host, sizeof(source.host), "%s", host);
	return directory_speaks_for(directory, system, &source);
}

static void test_hosts(void)
{
	const struct directory_system *a, *b;

	CU_ASSERT_EQUAL(add("sip:192.0.2.1:5060;transport=udp"), 0);
	CU_ASSERT_EQUAL(add("sip:[2001:DB8:0::1]:5060;transport=tcp"), 0);
	CU_ASSERT_EQUAL(add("sip:[::ffff:192.0.2.7]:5060;transport=tcp"), 0);
	a = directory_find_system(directory, "a.example");
	b = directory_find_system(directory, "b.example");

	CU_ASSERT_TRUE(speaks_for(a, "192.0.2.1"));
	CU_ASSERT_TRUE(speaks_for(a, "::ffff:192.0.2.1"));
	CU_ASSERT_TRUE(speaks_for(a, "192.0.2.7"));
	CU_ASSERT_TRUE(speaks_for(a, "2001:db8::1"));
	CU_ASSERT_TRUE(speaks_for(a, "[2001:db8::1]"));
	CU_ASSERT_TRUE(speaks_for(a, "2001:0db8:0:0::0:1"));
	CU_ASSERT_FALSE(speaks_for(a, "2001:db8::2"));
	CU_ASSERT_FALSE(speaks_for(a, "192.0.2.2"));
	CU_ASSERT_FALSE(speaks_for(a, "192.0.2.1:5060"));
	CU_ASSERT_FALSE(speaks_for(a, "192.0.2"));
	CU_ASSERT_FALSE(speaks_for(a, "[192.0.2.1]"));
	CU_ASSERT_FALSE(speaks_for(a, "a.example"));
	CU_ASSERT_FALSE(speaks_for(a, ""));
	CU_ASSERT_FALSE(speaks_for(b, "192.0.2.1"));
}

static void test_owner_of_a_uri(void)
{
	static const struct {
		const char *uri, *owner;
	} uris[] = {
		{ "sip:u@a.example", "a.example" },
		{ "SIP:u@A.Example", "a.example" },
		{ "sips:u@a.example:5061", "a.example" },
		{ "sip:a.example", "a.example" },
		{ "sip:a.example:5060;transport=tcp", "a.example" },
		{ "sip:u;x=y@a.example?subject=@b.example", "a.example" },
		{ "sip:u@a.example;maddr=b.example", "a.example" },
		{ "sip:b.example@a.example", "a.example" },
		{ "sip:u@rail.example:5070", "b.example" },
		{ "sip:u@rail.example:5070;lr", "b.example" },
		{ "sip:u@[::1]", "b.example" },
		{ "sip:u@[::1]:5060", "b.example" },
		{ "sip:u@rail.example", NULL },
		{ "sip:u@rail.example:5071", NULL },
		{ "sip:u@x.a.example", NULL },
		{ "sip:u@a.example@b.example", NULL },
		{ "sip:u@[::1", NULL },
		{ "sip:", NULL },
		{ "sip:u@", NULL },
		{ "a.example", NULL },
		{ "tel:+4930", NULL },
		{ "", NULL },
	};

	CU_ASSERT_EQUAL(
	    directory_add_domain(directory, "a.example", "a.example"), 0);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "b.example",
					     "rail.example:5070"),
			0);
	CU_ASSERT_EQUAL(directory_add_domain(directory, "b.example", "[::1]"),
			0);
	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		const struct directory_system *owner =
		    directory_owner_of(directory, uris[i].uri);
		bool right = uris[i].owner
				 ? owner && !strcmp(owner->name, uris[i].owner)
				 : !owner;

		if (!right)
			printf("%s\n", uris[i].uri);
		CU_ASSERT_TRUE(right);
	}
}

/* --------------------------------------------------------------- sources */

static bool from(const char *network, const char *host)
{
	struct sources sources = { 0 };
	struct sip_source source = { .port = 5060 };
	bool have;

	snprintf(source.host, sizeof(source.host), "%s", host);
	CU_ASSERT_EQUAL(sources_add(&sources, network), 0);
	have = sources_have(&sources, &source);
	sources_clear(&sources);
	return have;
}

static void test_networks(void)
{
	static const struct {
		const char *network, *host;
		bool within;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "192.0.2.1/32", "192.0.2.3", false },
		{ "192.0.2.16/28", "192.0.2.15", false },
		{ "192.0.2.16/28", "192.0.2.16", true },
		{ "192.0.2.16/28", "192.0.2.31", true },
		{ "192.0.2.16/28", "192.0.2.32", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "192.0.2.0/31", "192.0.2.2", false },
		{ "128.0.0.0/1", "255.255.255.255", true },
		{ "128.0.0.0/1", "127.255.255.255", false },
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "0.0.0.0/0", "192.0.2.1", true },
		{ "0.0.0.0/0", "::ffff:192.0.2.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "0.0.0.0/0", "::1", false },
		{ "0.0.0.0/0", "::192.0.2.1", false },

		{ "2001:db8::/32", "2001:db8::1", true },
		{ "2001:db8::/32", "2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff",
		  true },
		{ "2001:db8::/32", "2001:db9::", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "[2001:db8::]/32", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::2", false },
		{ "2001:db8::1/128", "2001:db8:0:0::1", true },
		{ "2001:db8::/127", "2001:db8::1", true },
		{ "2001:db8::/127", "2001:db8::2", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "::1", true },

		/* Mapped addresses are IPv4, in whichever form. */
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "192.0.2.0/24", "::ffff:c000:209", true },
		{ "192.0.2.0/24", "::ffff:192.0.3.9", false },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.3.9", false },
		{ "::ffff:0:0/96", "192.0.2.9", true },
		{ "::/0", "192.0.2.1", false },
		{ "::/0", "::ffff:192.0.2.1", false },
		{ "::/64", "192.0.2.1", false },

		/* What is no address is of nobody. */
		{ "0.0.0.0/0", "", false },
		{ "0.0.0.0/0", "a.example", false },
		{ "0.0.0.0/0", "192.0.2.1 ", false },
		{ "0.0.0.0/0", "192.0.2.01", false },
		{ "0.0.0.0/0", "192.0.2.1:5060", false },
		{ "::/0", "fe80::1%lo", false },
		{ "::/0", "dns:a.example", false },
		{ "dns:192.0.2.1", "192.0.2.1", false },
		{ "uri:192.0.2.1", "192.0.2.1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (from(cases[i].network, cases[i].host) != cases[i].within)
			printf("%s %s\n", cases[i].network, cases[i].host);
		CU_ASSERT_EQUAL(from(cases[i].network, cases[i].host),
				cases[i].within);
	}
}

static void test_wrong_sources(void)
{
	static const char *const wrong[] = {
		"",
		"/",
		"/24",
		"192.0.2.0/",
		"192.0.2.0/33",
		"192.0.2.0/-1",
		"192.0.2.0/24x",
		"192.0.2.0/24/24",
		"192.0.2.0/ 24",
		"192.0.2.0/0024",
		"192.0.2.0/4294967320",
		"192.0.2.1/24",
		"192.0.2.1/0",
		"192.0.2",
		"192.0.2.0.0",
		"192.0.2.256",
		"192.0.2.01",
		"192.0.2.0/255.255.255.0",
		"[192.0.2.1]",
		"2001:db8::/129",
		"2001:db8::1/32",
		"2001:db8::/",
		"::ffff:192.0.2.0/24",
		"[2001:db8::1",
		"2001:db8::1]",
		"[]",
		"fe80::1%lo",
		"2001:db8::1::2",
		"a.example",
		"*",
		" 192.0.2.1",
		"192.0.2.1 ",
		"192.0.2.1,192.0.2.2",
		"sip:192.0.2.1",
		"dns:",
		"uri:",
		"dns",
		"DNS:a.example",
		"dns: a.example",
		"dns:a.example ",
		"dns:a b",
		"dns:*.a.example",
		"dns:\xc3\xa9.example",
		"ip:192.0.2.1",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct sources sources = { 0 };

		if (sources_add(&sources, wrong[i]) != EINVAL)
			printf("'%s'\n", wrong[i]);
		CU_ASSERT_EQUAL(sources_add(&sources, wrong[i]), EINVAL);
		CU_ASSERT_EQUAL(sources.network_count + sources.name_count, 0);
		sources_clear(&sources);
		CU_ASSERT_EQUAL(directory_add_source(directory, "a.example",
						     wrong[i]),
				EINVAL);
	}
}

static bool certified(const struct directory_system *system, const char *one,
		      const char *other)
{
	const char *const names[] = { one, other };
	const struct sip_source source = {
		.host = "198.51.100.1",
		.transport = SIP_TLS,
		.certificate_names = names,
		.certificate_name_count = other ? 2 : 1,
	};

	return directory_speaks_for(directory, system, &source);
}

static void test_certificate_names(void)
{
	const struct directory_system *a =
	    directory_find_system(directory, "a.example");

	CU_ASSERT_EQUAL(directory_add_source(directory, "a.example",
					     "dns:sip.a.example"),
			0);
	CU_ASSERT_EQUAL(directory_add_source(directory, "a.example",
					     "uri:sip:a.example"),
			0);
	CU_ASSERT_TRUE(certified(a, "dns:sip.a.example", NULL));
	CU_ASSERT_TRUE(certified(a, "dns:SIP.A.example", NULL));
	CU_ASSERT_TRUE(certified(a, "uri:sip:a.example", NULL));
	CU_ASSERT_TRUE(certified(a, "dns:other", "dns:sip.a.example"));
	CU_ASSERT_FALSE(certified(a, "dns:other", "dns:another"));
	/* A name is of its kind, and whole. */
	CU_ASSERT_FALSE(certified(a, "uri:sip.a.example", NULL));
	CU_ASSERT_FALSE(certified(a, "dns:sip:a.example", NULL));
	CU_ASSERT_FALSE(certified(a, "dns:x.sip.a.example", NULL));
	CU_ASSERT_FALSE(certified(a, "dns:sip.a.example.net", NULL));
	CU_ASSERT_FALSE(certified(a, "dns:sip.a.exampl", NULL));
	CU_ASSERT_FALSE(certified(a, "sip.a.example", NULL));
	/* No rule has a wildcard, so a certificate's is only a character. */
	CU_ASSERT_FALSE(certified(a, "dns:*.a.example", NULL));
	CU_ASSERT_FALSE(certified(a, "dns:*", NULL));
	CU_ASSERT_FALSE(certified(a, "dns:198.51.100.1", NULL));
	CU_ASSERT_FALSE(certified(directory_find_system(directory, "b.example"),
				  "dns:sip.a.example", NULL));
}

/* Whose address counts without TLS counts for nothing on it. */
static void test_tls_hop(void)
{
	const struct directory_system *a =
	    directory_find_system(directory, "a.example");
	struct sip_source source = { .host = "192.0.2.77", .port = 5061 };
	size_t count;

	directory_add_server(directory, "a.example",
			     "sip:192.0.2.77:5061;transport=tls", 1, 1);
	CU_ASSERT_FALSE(directory_speaks_for(directory, a, &source));
	directory_add_source(directory, "a.example", "192.0.2.77");
	CU_ASSERT_TRUE(directory_speaks_for(directory, a, &source));
	source.transport = SIP_TLS;
	CU_ASSERT_FALSE(directory_speaks_for(directory, a, &source));
	directory_add_source(directory, "a.example", "dns:a.example");
	CU_ASSERT_STRING_EQUAL(directory_certificate_names(directory, a,
							   &count)[0],
			       "dns:a.example");
	CU_ASSERT_EQUAL(count, 1);
}

static const char *peer_name(const char *host)
{
	struct sip_source source = { .port = 5060 };
	const char *name;

	snprintf(source.host, sizeof(source.host), "%s", host);
	name = directory_peer_name(directory, &source);
	return name ? name : "nobody";
}

static void test_systems_behind_gateways(void)
{
	static const char gateway[] = "sip:192.0.2.50:5060;transport=tcp";
	static const char second[] = "sip:192.0.2.40:5060;transport=tcp";
	const struct directory_system *a, *c;

	CU_ASSERT_EQUAL(
	    directory_add_system(directory, "c.example", true, true), 0);
	CU_ASSERT_EQUAL(directory_add_server(directory, "c.example",
					     "sip:192.0.2.3:5060;transport=udp",
					     1, 1),
			0);
	CU_ASSERT_EQUAL(add("sip:192.0.2.1:5060;transport=udp"), 0);
	c = directory_find_system(directory, "c.example");
	a = directory_find_system(directory, "a.example");

	/* No gateway: nobody speaks for them, and nothing leads there. */
	CU_ASSERT_EQUAL(directory_next_hops(directory, c)->count, 0);
	CU_ASSERT_FALSE(speaks_for(c, "192.0.2.3"));

	CU_ASSERT_EQUAL(directory_add_gateway(directory, gateway, 2, 1), 0);
	CU_ASSERT_EQUAL(directory_add_gateway(directory, gateway, 1, 1),
			EEXIST);
	CU_ASSERT_EQUAL(directory_add_gateway(directory, "sip:gateway", 1, 1),
			EINVAL);
	CU_ASSERT_EQUAL(directory_add_gateway(directory, second, 1, 1), 0);
	CU_ASSERT_EQUAL(
	    directory_add_source(directory, NULL, "198.51.100.0/24"), 0);
	CU_ASSERT_EQUAL(directory_add_source(directory, "d.example", "::1"),
			ENOENT);
	CU_ASSERT_EQUAL_FATAL(directory_next_hops(directory, c)->count, 2);
	CU_ASSERT_STRING_EQUAL(
	    directory_next_hops(directory, c)->servers[0].uri, second);
	CU_ASSERT_PTR_EQUAL(directory_next_hops(directory, a), &a->hops);

	CU_ASSERT_TRUE(speaks_for(c, "192.0.2.50"));
	CU_ASSERT_TRUE(speaks_for(c, "198.51.100.77"));
	/* Its own servers do not reach us past our gateways. */
	CU_ASSERT_FALSE(speaks_for(c, "192.0.2.3"));
	CU_ASSERT_FALSE(speaks_for(c, "192.0.2.1"));
	/* Nor does a gateway speak for whom we reach without. */
	CU_ASSERT_FALSE(speaks_for(a, "192.0.2.50"));
	CU_ASSERT_FALSE(speaks_for(a, "198.51.100.77"));
	CU_ASSERT_TRUE(speaks_for(a, "192.0.2.1"));
}

static void test_names_of_peers(void)
{
	CU_ASSERT_STRING_EQUAL(peer_name("192.0.2.1"), "nobody");
	CU_ASSERT_EQUAL(
	    directory_add_system(directory, "c.example", true, true), 0);
	CU_ASSERT_EQUAL(add("sip:192.0.2.1:5060;transport=udp"), 0);
	CU_ASSERT_EQUAL(
	    directory_add_source(directory, "b.example", "192.0.2.0/28"), 0);
	CU_ASSERT_EQUAL(
	    directory_add_source(directory, "c.example", "203.0.113.1"), 0);
	CU_ASSERT_EQUAL(
	    directory_add_gateway(directory,
				  "sip:[2001:db8::9]:1;transport=tcp", 1, 1),
	    0);
	/* Both are; the first that was added. */
	CU_ASSERT_STRING_EQUAL(peer_name("192.0.2.1"), "a.example");
	CU_ASSERT_STRING_EQUAL(peer_name("192.0.2.2"), "b.example");
	CU_ASSERT_STRING_EQUAL(peer_name("2001:db8::9"), "gateway");
	CU_ASSERT_STRING_EQUAL(peer_name("203.0.113.1"), "nobody");
	CU_ASSERT_STRING_EQUAL(peer_name("192.0.2.16"), "nobody");
	CU_ASSERT_STRING_EQUAL(peer_name(""), "nobody");
}

/* ------------------------------------------------------- choosing next hops */

#define HOPS 40

static struct directory_server servers[HOPS];
static uint64_t down_hops; /* bits */

static bool is_down(void *arg, const char *uri)
{
	(void)arg;
	return down_hops >> atoi(uri) & 1;
}

static int choose(size_t count, uint32_t key, uint32_t tried)
{
	const struct directory_hops hops = { servers, count };

	return directory_choose(&hops, key, tried, is_down, NULL);
}

static void hop(int i, unsigned priority, unsigned weight)
{
	snprintf(servers[i].uri, sizeof(servers[i].uri), "%d", i);
	servers[i].priority = priority;
	servers[i].weight = weight;
	down_hops &= ~(UINT64_C(1) << i);
}

static void test_choose_by_priority(void)
{
	hop(0, 1, 1);
	hop(1, 1, 1);
	hop(2, 5, 100);
	hop(3, 9, 1);
	for (uint32_t key = 0; key < 100; key++) {
		int first = choose(4, key, 0);

		CU_ASSERT(first == 0 || first == 1);
		CU_ASSERT_EQUAL(choose(4, key, 1u << first), 1 - first);
		CU_ASSERT_EQUAL(choose(4, key, 0x3), 2);
		CU_ASSERT_EQUAL(choose(4, key, 0x7), 3);
		CU_ASSERT_EQUAL(choose(4, key, 0xb), 2);
		CU_ASSERT_EQUAL(choose(4, key, 0xf), -1);
		/* Each draws the same again. */
		CU_ASSERT_EQUAL(choose(4, key, 0), first);
	}
	CU_ASSERT_EQUAL(choose(0, 7, 0), -1);
	CU_ASSERT_EQUAL(choose(1, 7, 0), 0);
	CU_ASSERT_EQUAL(choose(1, 7, 1), -1);
}

static void test_choose_by_weight(void)
{
	unsigned taken[4] = { 0 };

	hop(0, 1, 1);
	hop(1, 1, 0);
	hop(2, 1, 3);
	hop(3, 1, 6);
	for (uint32_t key = 0; key < 1000; key++)
		taken[choose(4, key, 0)]++;
	CU_ASSERT_EQUAL(taken[0], 100);
	CU_ASSERT_EQUAL(taken[1], 0);
	CU_ASSERT_EQUAL(taken[2], 300);
	CU_ASSERT_EQUAL(taken[3], 600);

	memset(taken, 0, sizeof(taken));
	for (uint32_t key = 0; key < 1000; key++)
		taken[choose(4, key, 1 << 3)]++;
	CU_ASSERT_EQUAL(taken[0], 250);
	CU_ASSERT_EQUAL(taken[2], 750);
	/* Without weight: when nothing with weight is left. */
	CU_ASSERT_EQUAL(choose(4, 12345, 0xd), 1);

	/* Weights as large as they may be. */
	hop(0, 1, UINT32_MAX);
	hop(1, 1, UINT32_MAX);
	CU_ASSERT_EQUAL(choose(2, 0, 0), 0);
	CU_ASSERT_EQUAL(choose(2, UINT32_MAX, 0), 1);
	hop(0, 1, 0);
	hop(1, 1, 0);
	CU_ASSERT_EQUAL(choose(2, 1, 0), 0);
	CU_ASSERT_EQUAL(choose(2, 1, 1), 1);
}

static void test_choose_the_down_ones_last(void)
{
	hop(0, 1, 1);
	hop(1, 1, 1);
	hop(2, 2, 1);
	hop(3, 3, 1);
	down_hops = 0x1;
	for (uint32_t key = 0; key < 10; key++) {
		CU_ASSERT_EQUAL(choose(4, key, 0), 1);
		CU_ASSERT_EQUAL(choose(4, key, 0x2), 2);
		CU_ASSERT_EQUAL(choose(4, key, 0x6), 3);
		CU_ASSERT_EQUAL(choose(4, key, 0xe), 0);
	}
	down_hops = 0x7;
	CU_ASSERT_EQUAL(choose(4, 0, 0), 3);
	CU_ASSERT_EQUAL(choose(4, 0, 0x8), 0);
	CU_ASSERT_EQUAL(choose(4, 1, 0x8), 1);
	CU_ASSERT_EQUAL(choose(4, 1, 0xb), 2);
	down_hops = 0xf;
	CU_ASSERT_EQUAL(choose(4, 0, 0), 0);
	CU_ASSERT_EQUAL(choose(4, 0, 0x7), 3);
	CU_ASSERT_EQUAL(choose(4, 0, 0xf), -1);
	/* One that was tried does not come again, up though it is. */
	down_hops = 0xe;
	CU_ASSERT_EQUAL(choose(4, 0, 0x1), 1);
	down_hops = 0;
}

static void test_choose_among_many(void)
{
	uint64_t taken = 0;

	for (int i = 0; i < HOPS; i++)
		hop(i, 1, 1);
	for (uint32_t key = 0; key < 1000; key++) {
		int i = choose(HOPS, key, 0);

		CU_ASSERT_FATAL(i >= 0 && i < 32);
		taken |= UINT64_C(1) << i;
	}
	CU_ASSERT_EQUAL(taken, UINT32_MAX);
	CU_ASSERT_EQUAL(choose(HOPS, 5, UINT32_MAX), -1);
	CU_ASSERT_EQUAL(choose(HOPS, 5, UINT32_MAX >> 1), 31);
	CU_ASSERT_EQUAL(choose(32, 5, UINT32_MAX), -1);
	down_hops = UINT32_MAX;
	CU_ASSERT_EQUAL(choose(HOPS, 31, 0), 31);
	down_hops = 0;
}

static int fill(void)
{
	char name[32];
	int err = directory_create(&directory);

	for (int i = 0; i < 40 && !err; i++) {
		sprintf(name, "s%d.example", i);
		err = directory_add_system(directory, name, true, false);
		if (!err)
			err = directory_add_domain(directory, name, name);
		if (!err)
			err = directory_add_server(
			    directory, name, "sip:192.0.2.1:5060;transport=udp",
			    1, 1);
		if (!err)
			err = directory_add_source(directory, name, "::1");
		if (!err)
			err = directory_add_source(directory, name, "dns:x");
		if (!err)
			err = directory_add_source(directory, NULL, "dns:y");
	}
	if (!err)
		err = directory_add_gateway(
		    directory, "sip:192.0.2.1:5060;transport=udp", 1, 1);
	return err;
}

static void test_each_allocation_fails_once(void)
{
	long before, n = 0;
	bool failed;

	end();
	before = alloc_fail_live();
	do {
		int err;

		alloc_fail_at(++n);
		err = fill();
		failed = alloc_fail_happened();
		alloc_fail_at(0);
		end();
		CU_ASSERT_EQUAL(err, failed ? ENOMEM : 0);
		CU_ASSERT_EQUAL(alloc_fail_live(), before);
	} while (failed);
	begin();
}

static CU_TestInfo tests[] = {
	{ "systems", test_systems },
	{ "domains", test_domains },
	{ "URIs of servers", test_server_uris },
	{ "servers stand in order", test_servers_stand_in_order },
	{ "hosts", test_hosts },
	{ "whose a URI is", test_owner_of_a_uri },
	{ "networks", test_networks },
	{ "wrong sources", test_wrong_sources },
	{ "names of certificates", test_certificate_names },
	{ "next hop on TLS", test_tls_hop },
	{ "systems behind gateways", test_systems_behind_gateways },
	{ "names of peers", test_names_of_peers },
	{ "choose by priority", test_choose_by_priority },
	{ "choose by weight", test_choose_by_weight },
	{ "choose the down ones last", test_choose_the_down_ones_last },
	{ "choose among more than 32", test_choose_among_many },
	{ "each allocation fails once", test_each_allocation_fails_once },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "directory", NULL, NULL, begin, end, tests },
	CU_SUITE_INFO_NULL,
};
