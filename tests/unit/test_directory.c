/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/directory: what it takes, what it finds, and in which order. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "directory/directory.h"
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
		"sip:127.0.0.1:5060;transport=tls",
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
	}
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
	{ "each allocation fails once", test_each_allocation_fails_once },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "directory", NULL, NULL, begin, end, tests },
	CU_SUITE_INFO_NULL,
};
