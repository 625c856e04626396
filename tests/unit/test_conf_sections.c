/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/conf: titled sections inside a module's section. */
#include "conf_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAY                                                   \
	"system = a # the core's own\n"                           \
	"gateway {\n"                                             \
	"	identity = g1\n"                                        \
	"	system \"a.example\" { domains = { a, b } rate = 7 }\n" \
	"	server 'a.example'\n"                                   \
	"	{\n"                                                    \
	"	}\n"                                                    \
	"	system b { /* { */\n"                                   \
	"		domains = { }\n"                                       \
	"		identity = 'a } b'\n"                                  \
	"		domains += { c }\n"                                    \
	"		enabled = no\n"                                        \
	"	}\n"                                                    \
	"}\n"

static const struct gateway_settings *gateway_of(const struct conf *conf)
{
	return conf_values(conf, "gateway");
}

static const struct system_settings *system_of(const struct conf *conf,
					       size_t i)
{
	return gateway_of(conf)->systems.items[i].values;
}

static void test_titled_sections(void)
{
	struct conf *conf = NULL;
	const struct gateway_settings *gateway;
	const struct server_settings *server;

	CU_ASSERT_EQUAL_FATAL(parse_text(GATEWAY, &conf), 0);
	CU_ASSERT_STRING_EQUAL(logged, "");
	gateway = gateway_of(conf);
	CU_ASSERT_STRING_EQUAL(gateway->identity, "g1");
	CU_ASSERT_EQUAL(gateway->attempts, 3);
	CU_ASSERT_EQUAL_FATAL(gateway->systems.count, 2);
	CU_ASSERT_STRING_EQUAL(gateway->systems.items[0].title, "a.example");
	CU_ASSERT_EQUAL(gateway->systems.items[0].line, 4);
	CU_ASSERT_STRING_EQUAL(gateway->systems.items[1].title, "b");
	CU_ASSERT_EQUAL(gateway->systems.items[1].line, 8);

	CU_ASSERT_EQUAL_FATAL(system_of(conf, 0)->domains.count, 2);
	CU_ASSERT_STRING_EQUAL(system_of(conf, 0)->domains.values[1], "b");
	CU_ASSERT_EQUAL(system_of(conf, 0)->rate, 7);
	CU_ASSERT_STRING_EQUAL(system_of(conf, 0)->identity, "none");
	CU_ASSERT_TRUE(system_of(conf, 0)->enabled);

	CU_ASSERT_EQUAL_FATAL(system_of(conf, 1)->domains.count, 1);
	CU_ASSERT_STRING_EQUAL(system_of(conf, 1)->domains.values[0], "c");
	CU_ASSERT_EQUAL(system_of(conf, 1)->rate, 20);
	CU_ASSERT_STRING_EQUAL(system_of(conf, 1)->identity, "a } b");
	CU_ASSERT_FALSE(system_of(conf, 1)->enabled);

	CU_ASSERT_EQUAL_FATAL(gateway->servers.count, 1);
	CU_ASSERT_STRING_EQUAL(gateway->servers.items[0].title, "a.example");
	CU_ASSERT_EQUAL(gateway->servers.items[0].line, 5);
	server = gateway->servers.items[0].values;
	CU_ASSERT_EQUAL_FATAL(server->users.count, 2);
	CU_ASSERT_STRING_EQUAL(server->users.values[1], "u2");
	conf_free(conf);
}

static void test_titled_sections_empty_list_and_none(void)
{
	struct conf *conf = NULL;

	CU_ASSERT_EQUAL_FATAL(
	    parse_text("system = a\n"
		       "gateway { server one { users = {} } }\n"
		       "gateway { attempts = 4 server two { } }\n",
		       &conf),
	    0);
	CU_ASSERT_EQUAL_FATAL(gateway_of(conf)->servers.count, 2);
	CU_ASSERT_EQUAL(((const struct server_settings *)gateway_of(conf)
			     ->servers.items[0]
			     .values)
			    ->users.count,
			0);
	CU_ASSERT_EQUAL(gateway_of(conf)->servers.items[1].line, 3);
	CU_ASSERT_EQUAL(gateway_of(conf)->systems.count, 0);
	conf_free(conf);
}

/* Sections of one name in two sections, and one that must be there. */
static void test_titled_sections_of_two_modules(void)
{
	struct conf *conf = NULL;
	const struct demanding_settings *demanding;

	section_count = SECTIONS_ALL;
	CU_ASSERT_EQUAL(parse_text("system = a\n", &conf), EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(
	    logged, "'server' is missing in section 'demanding': name one"));
	CU_ASSERT_EQUAL_FATAL(
	    parse_text("system = a\n"
		       "demanding { server x { users = { dx } } }\n"
		       "gateway { server x { users = { gx } } }\n"
		       "demanding { server y { } }\n",
		       &conf),
	    0);
	section_count = SECTIONS;
	demanding = conf_values(conf, "demanding");
	CU_ASSERT_EQUAL_FATAL(demanding->servers.count, 2);
	CU_ASSERT_STRING_EQUAL(
	    ((const struct server_settings *)demanding->servers.items[0].values)
		->users.values[0],
	    "dx");
	CU_ASSERT_STRING_EQUAL(demanding->servers.items[1].title, "y");
	CU_ASSERT_EQUAL(gateway_of(conf)->servers.count, 1);
	conf_free(conf);
}

static void test_titled_sections_faults(void)
{
	static const struct {
		const char *text, *says;
	} faults[] = {
		{ "gateway {\n\n system x {\n}\n}\n",
		  ":4: 'domains' is missing in section 'gateway.system[x]': "
		  "its domains" },
		{ "gateway { system x { domains = { d }\n rate = 101 } }\n",
		  ":3: rate = '101' is out of range: it may be 0 to 100" },
		{ "gateway { system x {\n domain = { d } } }\n",
		  ":3: unknown setting 'domain' in section "
		  "'gateway.system[x]'; did you mean 'domains'?" },
		{ "gateway {\n sytem 'x' { } }\n",
		  ":3: unknown setting 'sytem' in section 'gateway'; did you "
		  "mean 'system'?" },
		{ "gateway {\n server x { }\n system x { domains = { d } }\n"
		  " server x {\n}\n}\n",
		  ":5: server \"x\" is there already, on line 3: give" },
		{ "gateway { server \"x y\" { } }\n"
		  "gateway { server 'x y' { } }\n",
		  ":3: server \"x y\" is there already, on line 2" },
		{ "gateway {\n server { }\n}\n",
		  ":3: 'server' is a section with a title: server \"TITLE\"" },
		{ "gateway {\n server = x\n}\n",
		  ":3: 'server' is a section with a title: server \"TITLE\"" },
		{ "gateway {\n server \"\" { }\n}\n", ":3: a title is empty" },
		{ "gateway {\n server x\n users = { a }\n}\n",
		  "'{' is missing after 'server' and its title" },
		{ "gateway {\n server x {\n", ":2: the '{' that opens here" },
		{ "gateway {\n server x { identity = x }\n}\n",
		  ":3: unknown setting 'identity' in section "
		  "'gateway.server[x]'" },
		{ "server x { }\n",
		  ":2: section 'server' stands inside another: gateway { "
		  "server \"TITLE\" { ... } }" },
		{ "gateway { server x { server y { } } }\n",
		  ":2: unknown setting 'server' in section 'gateway.server" },
		{ "gateway|server x { }\n", "stands inside its braces" },
		{ "gateway { server x {} server|users = { a } }\n",
		  "stands inside its braces" },
		{ "gateway { system x { domains = { d } } system|identity = a "
		  "}\n",
		  "stands inside its braces" },
	};
	struct conf *conf = NULL;
	char text[512];

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		snprintf(text, sizeof(text), "system = a\n%s", faults[i].text);
		CU_ASSERT_EQUAL(parse_text(text, &conf), EINVAL);
		if (!strstr(logged, faults[i].says)) {
			printf("\n%sshould say: %s\n", logged, faults[i].says);
			CU_FAIL("a fault is told otherwise");
		}
		CU_ASSERT_EQUAL_FATAL(parse_text("system = a\n", &conf), 0);
		conf_free(conf);
	}
}

static void test_titled_sections_given_again(void)
{
	struct conf *conf = NULL;

	CU_ASSERT_EQUAL_FATAL(
	    parse_text("system = a\n"
		       "gateway { system x { domains = { d } rate = 1\n"
		       "rate = 2 } system y { domains = { d } rate = 3 } }\n",
		       &conf),
	    0);
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, ":3: 'rate' is given again: "
					      "this counts, not line 2"));
	CU_ASSERT_EQUAL(system_of(conf, 0)->rate, 2);
	CU_ASSERT_EQUAL(system_of(conf, 1)->rate, 3);
	conf_free(conf);
}

static void test_titled_sections_dump(void)
{
	struct conf *conf = NULL, *again = NULL;
	char *first, *second;

	CU_ASSERT_EQUAL_FATAL(
	    parse_text(GATEWAY "gateway { server 'a \"b\" $x\n c' { } }\n",
		       &conf),
	    0);
	first = dump(conf);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(first, "\tsystem \"a.example\" {\n"
			  "\t\tdomains = { \"a\", \"b\" }\n"
			  "\t\tidentity = \"none\"\n"
			  "\t\tpassword = \"***\"\n"
			  "\t\trate = 7\n\t\tenabled = true\n\t}\n"));
	CU_ASSERT_PTR_NULL(strstr(first, "hunter2"));
	CU_ASSERT_EQUAL_FATAL(parse_text(first, &again), 0);
	second = dump(again);
	CU_ASSERT_STRING_EQUAL(first, second);
	CU_ASSERT_STRING_EQUAL(gateway_of(again)->servers.items[1].title,
			       "a \"b\" $x\n c");
	free(first);
	free(second);
	conf_free(conf);
	conf_free(again);
}

/* `system` is reloadable as a whole, `server` is not. */
static void test_titled_sections_reload(void)
{
	struct conf *old = NULL, *new = NULL, *same = NULL;
	const struct gateway_settings *gateway;

	parse_text(GATEWAY, &old);
	parse_text(GATEWAY, &same);
	parse_text("system = a\n"
		   "gateway { identity = g1\n"
		   "server other { } system b { domains = { z } } }\n",
		   &new);
	CU_ASSERT_FATAL(old && new &&same);
	CU_ASSERT_EQUAL(conf_keep_fixed(old, same), 0);
	CU_ASSERT_EQUAL(conf_keep_fixed(old, new), 1);
	conf_free(old);
	conf_free(same);
	gateway = gateway_of(new);
	CU_ASSERT_EQUAL_FATAL(gateway->servers.count, 1);
	CU_ASSERT_STRING_EQUAL(gateway->servers.items[0].title, "a.example");
	CU_ASSERT_EQUAL(gateway->servers.items[0].line, 5);
	CU_ASSERT_STRING_EQUAL(
	    ((const struct server_settings *)gateway->servers.items[0].values)
		->users.values[0],
	    "u1");
	CU_ASSERT_EQUAL_FATAL(gateway->systems.count, 1);
	CU_ASSERT_STRING_EQUAL(system_of(new, 0)->domains.values[0], "z");
	conf_free(new);
}

static void test_titled_sections_differ_in_one_value(void)
{
	struct conf *old = NULL, *new = NULL;

	parse_text("system = a\ngateway { server x { } }\n", &old);
	parse_text("system = a\ngateway { server x { users = { u3 } } }\n",
		   &new);
	CU_ASSERT_FATAL(old && new);
	CU_ASSERT_EQUAL(conf_keep_fixed(old, new), 1);
	conf_free(old);
	CU_ASSERT_EQUAL(((const struct server_settings *)gateway_of(new)
			     ->servers.items[0]
			     .values)
			    ->users.count,
			2);
	conf_free(new);
}

static void note_setting(void *arg, const char *section,
			 const struct setting *setting, const char *value)
{
	fprintf(arg, "%s.%s=%s;%s\n", section, setting->name, value,
		setting->reloadable ? "reload" : "restart");
}

static void test_titled_sections_visit_and_help(void)
{
	struct conf *conf = NULL;
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	CU_ASSERT_EQUAL_FATAL(parse_text(GATEWAY, &conf), 0);
	conf_visit(conf, note_setting, stream);
	conf_free(conf);
	conf_help(sections, SECTIONS_ALL, stream);
	fclose(stream);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "gateway.system=a.example, b;reload\n"
			 "gateway.system[a.example].domains=a, b;reload\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "gateway.system[b].password=***;reload\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "gateway.server[a.example].users=u1, u2;restart\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "=hunter2"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "gateway.system\n\tsections; default: empty; taken "
			 "by a reload\n\tanother system\n"
			 "gateway.system[TITLE].domains\n\tlist; required; "
			 "taken by a reload\n\tits domains\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "demanding.server\n\tsections; required; needs"));
	free(text);
}

#define MANY 3000

/* What grows does not grow with the square of its length. */
static void test_many_items_and_titled_sections(void)
{
	struct conf *conf = NULL;
	FILE *stream = fopen(file, "w");

	fputs("system = a\ngateway {\nserver all { users = { u", stream);
	for (int i = 1; i < 10 * MANY; i++)
		fputs(",u", stream);
	fputs(" } }\n", stream);
	for (int i = 0; i < MANY; i++)
		fprintf(stream, "server s%d {}\n", i);
	fputs("}\n", stream);
	fclose(stream);
	CU_ASSERT_EQUAL_FATAL(parse_logged(file, false, &conf), 0);
	CU_ASSERT_EQUAL_FATAL(gateway_of(conf)->servers.count, MANY + 1);
	CU_ASSERT_EQUAL(gateway_of(conf)->servers.items[MANY].line, MANY + 3);
	CU_ASSERT_EQUAL(((const struct server_settings *)gateway_of(conf)
			     ->servers.items[0]
			     .values)
			    ->users.count,
			10 * MANY);
	conf_free(conf);
}

CU_TestInfo conf_section_tests[] = {
	{ "titled sections", test_titled_sections },
	{ "titled sections: empty lists, and none",
	  test_titled_sections_empty_list_and_none },
	{ "titled sections of two modules",
	  test_titled_sections_of_two_modules },
	{ "titled sections: faults", test_titled_sections_faults },
	{ "titled sections: a value given again",
	  test_titled_sections_given_again },
	{ "titled sections: a dump parses to the same",
	  test_titled_sections_dump },
	{ "titled sections: a reload", test_titled_sections_reload },
	{ "titled sections: one value differs",
	  test_titled_sections_differ_in_one_value },
	{ "titled sections: visit and help",
	  test_titled_sections_visit_and_help },
	{ "many items, many titled sections",
	  test_many_items_and_titled_sections },
	CU_TEST_INFO_NULL,
};
