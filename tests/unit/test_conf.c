/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/conf: values, defaults, faults with line and remedy, dump, reload. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

struct core_settings {
	char *system;
	char *level;
	struct setting_list listen;
	struct setting_list modules;
	uint32_t drain_ms;
	uint32_t queue_max;
	bool strict;
};
static const struct setting core_table[] = {
	{ .name = "system",
	  .type = SETTING_STRING,
	  .help = "name of our MC system",
	  .offset = offsetof(struct core_settings, system) },
	{ .name = "log_level",
	  .type = SETTING_STRING,
	  .default_value = "info",
	  .choices = "error|warning|info|debug",
	  .reloadable = true,
	  .help = "how much is logged",
	  .offset = offsetof(struct core_settings, level) },
	{ .name = "listen",
	  .type = SETTING_LIST,
	  .default_value = "udp:127.0.0.1:5060, tcp:127.0.0.1:5060",
	  .help = "addresses",
	  .offset = offsetof(struct core_settings, listen) },
	{ .name = "modules",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "modules",
	  .offset = offsetof(struct core_settings, modules) },
	{ .name = "drain_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "30s",
	  .max = 3600000,
	  .reloadable = true,
	  .help = "how long a drain may last",
	  .offset = offsetof(struct core_settings, drain_ms) },
	{ .name = "queue_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "100",
	  .min = 10,
	  .max = 1000,
	  .help = "bound",
	  .offset = offsetof(struct core_settings, queue_max) },
	{ .name = "strict",
	  .type = SETTING_BOOL,
	  .default_value = "true",
	  .help = "flag",
	  .offset = offsetof(struct core_settings, strict) },
	{ 0 },
};
struct store_settings {
	char *conninfo;
};
static const struct setting store_table[] = {
	{ .name = "conninfo",
	  .type = SETTING_STRING,
	  .default_value = "dbname=mcmig",
	  .secret = true,
	  .reloadable = true,
	  .help = "where",
	  .offset = offsetof(struct store_settings, conninfo) },
	{ 0 },
};
struct system_settings {
	struct setting_list domains;
	char *identity, *password;
	uint32_t rate;
	bool enabled;
};
static const struct setting system_table[] = {
	{ .name = "domains",
	  .type = SETTING_LIST,
	  .help = "its domains",
	  .offset = offsetof(struct system_settings, domains) },
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "none",
	  .help = "its identity",
	  .offset = offsetof(struct system_settings, identity) },
	{ .name = "password",
	  .type = SETTING_STRING,
	  .default_value = "hunter2",
	  .secret = true,
	  .help = "its secret",
	  .offset = offsetof(struct system_settings, password) },
	{ .name = "rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "20",
	  .max = 100,
	  .help = "its rate",
	  .offset = offsetof(struct system_settings, rate) },
	{ .name = "enabled",
	  .type = SETTING_BOOL,
	  .default_value = "yes",
	  .help = "whether it counts",
	  .offset = offsetof(struct system_settings, enabled) },
	{ 0 },
};
struct server_settings {
	struct setting_list users;
};
static const struct setting server_table[] = {
	{ .name = "users",
	  .type = SETTING_LIST,
	  .default_value = "u1, u2",
	  .help = "its users",
	  .offset = offsetof(struct server_settings, users) },
	{ 0 },
};
struct gateway_settings {
	char *identity;
	struct setting_sections systems, servers;
	uint32_t attempts;
};
static const struct setting gateway_table[] = {
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "sip:gateway",
	  .help = "our identity",
	  .offset = offsetof(struct gateway_settings, identity) },
	{ .name = "system",
	  .type = SETTING_SECTIONS,
	  .default_value = "",
	  .reloadable = true,
	  .help = "another system",
	  .offset = offsetof(struct gateway_settings, systems),
	  .sections = system_table,
	  .sections_bytes = sizeof(struct system_settings) },
	{ .name = "server",
	  .type = SETTING_SECTIONS,
	  .default_value = "",
	  .help = "a server of ours",
	  .offset = offsetof(struct gateway_settings, servers),
	  .sections = server_table,
	  .sections_bytes = sizeof(struct server_settings) },
	{ .name = "attempts",
	  .type = SETTING_UNSIGNED,
	  .default_value = "3",
	  .help = "how many",
	  .offset = offsetof(struct gateway_settings, attempts) },
	{ 0 },
};
/* Its one section must be there, and has the name of the gateway's. */
struct demanding_settings {
	struct setting_sections servers;
};
static const struct setting demanding_table[] = {
	{ .name = "server",
	  .type = SETTING_SECTIONS,
	  .help = "name one",
	  .offset = offsetof(struct demanding_settings, servers),
	  .sections = server_table,
	  .sections_bytes = sizeof(struct server_settings) },
	{ 0 },
};
static const struct conf_section sections[] = {
	{ "", core_table, sizeof(struct core_settings) },
	{ "store", store_table, sizeof(struct store_settings) },
	{ "gateway", gateway_table, sizeof(struct gateway_settings) },
	{ "demanding", demanding_table, sizeof(struct demanding_settings) },
};
#define SECTIONS 3     /* most tests */
#define SECTIONS_ALL 4 /* and what must have a section */

static char file[] = "/tmp/mcmig-test-conf-XXXXXX";
static char logged[8192];

static void write_file(const char *text)
{
	FILE *stream = fopen(file, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	fputs(text, stream);
	fclose(stream);
}

static size_t section_count = SECTIONS;

/* Parses while stderr goes to `logged`. */
static int parse_logged(const char *path, bool peek, struct conf **confp)
{
	FILE *capture = tmpfile();
	int saved = dup(STDERR_FILENO), err;
	size_t n;

	dup2(fileno(capture), STDERR_FILENO);
	err = peek ? conf_peek(path, &sections[0], confp)
		   : conf_parse(path, sections, section_count, confp);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(capture);
	n = fread(logged, 1, sizeof(logged) - 1, capture);
	logged[n] = '\0';
	fclose(capture);
	return err;
}

static int parse_text(const char *text, struct conf **confp)
{
	write_file(text);
	return parse_logged(file, false, confp);
}

static int start(void)
{
	int fd = mkstemp(file);

	return fd < 0 ? -1 : close(fd);
}

static int stop(void)
{
	return unlink(file);
}

static void test_values_and_defaults(void)
{
	struct conf *conf = NULL;
	const struct core_settings *core;
	const struct store_settings *store;

	CU_ASSERT_EQUAL_FATAL(
	    parse_text("# a comment\nsystem = a.example\n"
		       "listen = { \"udp:[::1]:0\" }\n"
		       "drain_timeout = 5min\nstrict = no\n"
		       "queue_max = 1000\n"
		       "store { conninfo = 'host=x password=${HOME}' }\n",
		       &conf),
	    0);
	core = conf_values(conf, "");
	store = conf_values(conf, "store");
	CU_ASSERT_STRING_EQUAL(core->system, "a.example");
	CU_ASSERT_STRING_EQUAL(core->level, "info");
	CU_ASSERT_EQUAL_FATAL(core->listen.count, 1);
	CU_ASSERT_STRING_EQUAL(core->listen.values[0], "udp:[::1]:0");
	CU_ASSERT_EQUAL(core->modules.count, 0);
	CU_ASSERT_EQUAL(core->drain_ms, 300000);
	CU_ASSERT_EQUAL(core->queue_max, 1000);
	CU_ASSERT_FALSE(core->strict);
	CU_ASSERT_STRING_EQUAL(store->conninfo, "host=x password=${HOME}");
	CU_ASSERT_PTR_NULL(conf_values(conf, "nothing"));
	conf_free(conf);

	CU_ASSERT_EQUAL_FATAL(parse_text("system = a\n", &conf), 0);
	core = conf_values(conf, "");
	CU_ASSERT_EQUAL_FATAL(core->listen.count, 2);
	CU_ASSERT_STRING_EQUAL(core->listen.values[1], "tcp:127.0.0.1:5060");
	CU_ASSERT_EQUAL(core->drain_ms, 30000);
	CU_ASSERT_TRUE(core->strict);
	conf_free(conf);

	CU_ASSERT_EQUAL_FATAL(parse_text("system = a\nlisten = {}\n", &conf),
			      0);
	core = conf_values(conf, "");
	CU_ASSERT_EQUAL(core->listen.count, 0);
	conf_free(conf);
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} good[] = {
		{ "0s", 0 },	      { "500ms", 500 },	 { "90s", 90000 },
		{ "30min", 1800000 }, { "1h", 3600000 },
	};
	static const char *const bad[] = { "30",  "s",	  "30 s",
					   "-1s", "1.5s", "2h",
					   "1m",  "",	  "99999999999ms",
					   "1d" };
	char text[128];
	struct conf *conf = NULL;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(text, sizeof(text),
			 "system = a\ndrain_timeout = \"%s\"\n", good[i].text);
		CU_ASSERT_EQUAL_FATAL(parse_text(text, &conf), 0);
		CU_ASSERT_EQUAL(
		    ((const struct core_settings *)conf_values(conf, ""))
			->drain_ms,
		    good[i].ms);
		conf_free(conf);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text),
			 "system = a\ndrain_timeout = \"%s\"\n", bad[i]);
		CU_ASSERT_EQUAL(parse_text(text, &conf), EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(logged, ":2: drain_timeout"));
	}
}

static void test_faults_name_line_and_remedy(void)
{
	static const struct {
		const char *text, *says;
	} faults[] = {
		{ "log_level = info\n", "'system' is missing: name of our" },
		{ "system = a\nlisen = { x }\n",
		  ":2: unknown setting 'lisen'; did you mean 'listen'?" },
		{ "system = a\n\nfrobnicate = 1\n",
		  ":3: unknown setting 'frobnicate'; mcmigd --help-config" },
		{ "system = a\nlog_level = inf\n",
		  ":2: log_level = 'inf' is not one of "
		  "error|warning|info|debug; did you mean 'info'?" },
		{ "system = a\nstrict = maybe\n",
		  ":2: strict = 'maybe' is neither true nor false" },
		{ "system = a\nqueue_max = 5\n",
		  ":2: queue_max = '5' is out of range: it may be 10 to 1000" },
		{ "system = a\nqueue_max = 4294967306\n",
		  "is no whole number" },
		{ "system = a\nqueue_max = -10\n", "is no whole number" },
		{ "system = a\ndrain_timeout = 30\n",
		  "write a number and its unit" },
		{ "log_level = info\nsystem = \n\n",
		  "the file ends in the middle of 'system ='" },
		{ "system = a\nstore {\n\tconinfo = x\n}\n",
		  ":3: unknown setting 'coninfo' in section 'store'; did you "
		  "mean 'conninfo'?" },
		{ "system = a\nstor {\n}\n",
		  ":2: no module has a section 'stor'; did you mean 'store'?" },
		{ "system = a\nmigration\n{\n}\n",
		  ":2: section 'migration' is of no loaded module: add" },
		{ "system = a\nstore|conninfo = b\n",
		  "stands inside its braces" },
		{ "", "'system' is missing" },
		{ "system = a\nstore {\n", ":2: the '{' that opens here" },
		{ "system = \"a\nlog_level = info\n", ":1: the quote that" },
		{ "system = 'a\n", ":1: the quote that opens here is never" },
		{ "system = a\n/* b\n", ":2: the comment that opens here" },
		{ "system = a\n}\n", ":2: this '}' closes nothing" },
		{ "system = \"${HOME}\"\n", ":1: '${' would stand for an" },
		{ "/* one\ntwo */ # three\n// four\nsystem = a\nx = b\n",
		  ":5: unknown setting 'x'" },
		{ "system a\n", ":1: missing equal sign" },
		{ "system = { a }\n", ":1: unexpected token '{'" },
	};
	struct conf *conf = NULL;

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		CU_ASSERT_EQUAL(parse_text(faults[i].text, &conf), EINVAL);
		if (!strstr(logged, faults[i].says)) {
			printf("\n%sshould say: %s\n", logged, faults[i].says);
			CU_FAIL("a fault is told otherwise");
		}
		/* Nothing of it stays behind in the scanner. */
		CU_ASSERT_EQUAL_FATAL(parse_text("system = a\n", &conf), 0);
		conf_free(conf);
	}
}

static void test_a_later_value_counts(void)
{
	struct conf *conf = NULL;
	const struct core_settings *core;

	CU_ASSERT_EQUAL_FATAL(parse_text("system = a\nlisten = { x, y }\n"
					 "store { conninfo = one }\n"
					 "system = b\nlisten = { z }\n"
					 "store { conninfo = two }\n"
					 "listen += { w }\n",
					 &conf),
			      0);
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, ":4: 'system' is given again: "
					      "this counts, not line 1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, ":5: 'listen' is given again"));
	core = conf_values(conf, "");
	CU_ASSERT_STRING_EQUAL(core->system, "b");
	CU_ASSERT_EQUAL_FATAL(core->listen.count, 2);
	CU_ASSERT_STRING_EQUAL(core->listen.values[0], "z");
	CU_ASSERT_STRING_EQUAL(core->listen.values[1], "w");
	CU_ASSERT_STRING_EQUAL(
	    ((const struct store_settings *)conf_values(conf, "store"))
		->conninfo,
	    "two");
	conf_free(conf);
}

static void test_files_that_are_none(void)
{
	struct conf *conf = NULL;

	CU_ASSERT_EQUAL(parse_logged("/nowhere/mcmigd.conf", false, &conf),
			ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "/nowhere/mcmigd.conf"));
	CU_ASSERT_EQUAL(parse_logged("/tmp", false, &conf), EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no regular file"));
}

static void test_peek_passes_over_other_sections(void)
{
	struct conf *conf = NULL;
	const struct core_settings *core;

	write_file("modules = { \"one\", two } # three { }\n"
		   "one { file = \"x y\" list = { a, b } n = 5 }\n"
		   "two {\n\tsub 'x' { a = '}' }\n} three{} /* { */\n"
		   "system = b.example\n");
	CU_ASSERT_EQUAL_FATAL(parse_logged(file, true, &conf), 0);
	core = conf_values(conf, "");
	CU_ASSERT_EQUAL_FATAL(core->modules.count, 2);
	CU_ASSERT_STRING_EQUAL(core->modules.values[0], "one");
	CU_ASSERT_STRING_EQUAL(core->modules.values[1], "two");
	CU_ASSERT_STRING_EQUAL(core->system, "b.example");
	conf_free(conf);
}

static char *dump(const struct conf *conf)
{
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	conf_dump(conf, stream);
	fclose(stream);
	return text;
}

static void test_dump_parses_to_the_same(void)
{
	struct conf *conf = NULL, *again = NULL;
	char *first, *second;

	CU_ASSERT_EQUAL_FATAL(
	    parse_text("system = 'quo\"te \\\\ ${HOME} $x\nline # no'\n"
		       "listen = { 'a \"b', c }\nmodules = { }\n"
		       "drain_timeout = 1500ms\nstrict = off\n",
		       &conf),
	    0);
	first = dump(conf);
	CU_ASSERT_EQUAL_FATAL(parse_text(first, &again), 0);
	second = dump(again);
	CU_ASSERT_STRING_EQUAL(first, second);
	CU_ASSERT_STRING_EQUAL(
	    ((const struct core_settings *)conf_values(conf, ""))->system,
	    ((const struct core_settings *)conf_values(again, ""))->system);
	CU_ASSERT_PTR_NOT_NULL(strstr(first, "conninfo = \"***\""));
	CU_ASSERT_PTR_NULL(strstr(first, "dbname"));
	free(first);
	free(second);
	conf_free(conf);
	conf_free(again);
}

static void test_reload_keeps_what_needs_a_restart(void)
{
	struct conf *old = NULL, *new = NULL;
	const struct core_settings *core;

	parse_text("system = a\nlisten = { x, y }\n", &old);
	parse_text("system = b\nlisten = { x }\nqueue_max = 50\n"
		   "log_level = debug\nstore { conninfo = 'other' }\n",
		   &new);
	CU_ASSERT_FATAL(old && new);
	CU_ASSERT_EQUAL(conf_keep_fixed(old, new), 3);
	conf_free(old);
	core = conf_values(new, "");
	CU_ASSERT_STRING_EQUAL(core->system, "a");
	CU_ASSERT_EQUAL(core->listen.count, 2);
	CU_ASSERT_EQUAL(core->queue_max, 100);
	CU_ASSERT_STRING_EQUAL(core->level, "debug");
	CU_ASSERT_STRING_EQUAL(
	    ((const struct store_settings *)conf_values(new, "store"))
		->conninfo,
	    "other");
	conf_free(new);
}

static void count_setting(void *arg, const char *section,
			  const struct setting *setting, const char *value)
{
	CU_ASSERT(!setting->secret || !strcmp(value, "***"));
	if (!strcmp(setting->name, "drain_timeout"))
		CU_ASSERT_STRING_EQUAL(value, "1min");
	CU_ASSERT(!strcmp(section, "") || !strcmp(section, "store") ||
		  !strcmp(section, "gateway"));
	(*(int *)arg)++;
}

static void test_visit_and_help_show_every_setting(void)
{
	struct conf *conf = NULL;
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);
	int count = 0;

	parse_text("system = a\ndrain_timeout = 60s\n", &conf);
	conf_visit(conf, count_setting, &count);
	CU_ASSERT_EQUAL(count, 12);
	conf_free(conf);
	conf_help(sections, SECTIONS, stream);
	fclose(stream);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "system\n\tstring; required"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "duration; 0s to 1h; default: 30s; taken by a "
			 "reload\n\thow long a drain may last\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "store.conninfo\n"));
	free(text);
}

/* --- Titled sections ---------------------------------------------------- */

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
	for (int i = 1; i < 100 * MANY; i++)
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
			100 * MANY);
	conf_free(conf);
}

static CU_TestInfo conf_tests[] = {
	{ "values and defaults", test_values_and_defaults },
	{ "durations have a unit and a range", test_durations },
	{ "a fault names file, line and remedy",
	  test_faults_name_line_and_remedy },
	{ "a later value counts", test_a_later_value_counts },
	{ "a missing file and a folder", test_files_that_are_none },
	{ "peeking passes over other sections",
	  test_peek_passes_over_other_sections },
	{ "a dump parses to the same", test_dump_parses_to_the_same },
	{ "a reload keeps what needs a restart",
	  test_reload_keeps_what_needs_a_restart },
	{ "visit and help show every setting",
	  test_visit_and_help_show_every_setting },
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

CU_SuiteInfo unit_suites[] = {
	{ "conf", start, stop, NULL, NULL, conf_tests },
	CU_SUITE_INFO_NULL,
};
