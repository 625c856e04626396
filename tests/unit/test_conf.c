/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/conf: values, defaults, faults with line and remedy, dump, reload. */
#include "conf_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void test_what_was_not_read_is_not_missing(void)
{
	struct conf *conf = NULL;

	CU_ASSERT_EQUAL(parse_text("queue_max = 5\nsystem = a\n", &conf),
			EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "is out of range"));
	CU_ASSERT_PTR_NULL(strstr(logged, "is missing"));
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

static CU_TestInfo conf_tests[] = {
	{ "values and defaults", test_values_and_defaults },
	{ "durations have a unit and a range", test_durations },
	{ "a fault names file, line and remedy",
	  test_faults_name_line_and_remedy },
	{ "what was not read is not missing",
	  test_what_was_not_read_is_not_missing },
	{ "a later value counts", test_a_later_value_counts },
	{ "a missing file and a folder", test_files_that_are_none },
	{ "peeking passes over other sections",
	  test_peek_passes_over_other_sections },
	{ "a dump parses to the same", test_dump_parses_to_the_same },
	{ "a reload keeps what needs a restart",
	  test_reload_keeps_what_needs_a_restart },
	{ "visit and help show every setting",
	  test_visit_and_help_show_every_setting },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "conf", conf_suite_init, conf_suite_cleanup, NULL, NULL, conf_tests },
	{ "titled sections", conf_suite_init, conf_suite_cleanup, NULL, NULL,
	  conf_section_tests },
	CU_SUITE_INFO_NULL,
};
