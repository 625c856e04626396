/* SPDX-License-Identifier: BSD-2-Clause */
/* What mcmigctl prints for people. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "table.h"

static void check(const char *json, size_t width, const char *expected)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	json_t *value = json_loads(json, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	table_print(value, width, out);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected))
		printf("\n%s", text);
	free(text);
	json_decref(value);
}

static void test_objects_are_lines(void)
{
	check("{\"system\":\"b.example\",\"uptime_s\":12,\"addresses\":"
	      "[\"udp:x\",\"tcp:y\"],\"store\":{\"up\":true,\"reason\":\"\"}}",
	      0,
	      "system        b.example\n"
	      "uptime_s      12\n"
	      "addresses     udp:x, tcp:y\n"
	      "store.up      yes\n"
	      "store.reason  -\n");
}

static void test_arrays_are_columns(void)
{
	static const char rows[] =
	    "[{\"name\":\"a\",\"count\":1,\"ended\":null},"
	    " {\"name\":\"b\xc3\xa4rlin\",\"count\":1000,"
	    "  \"ended\":\"2026-01-31T23:59:59.123456Z\"}]";

	check(rows, 0,
	      "name    count  ended\n"
	      "a           1  -\n"
	      "b\xc3\xa4rlin   1000  2026-01-31 23:59:59Z\n");
	check(rows, 35,
	      "name    count  ended\n"
	      "a           1  -\n"
	      "b\xc3\xa4rlin   1000  2026-01-31 23:59:59Z\n");
	check(rows, 34,
	      "name   a\n"
	      "count  1\n"
	      "ended  -\n"
	      "\n"
	      "name   b\xc3\xa4rlin\n"
	      "count  1000\n"
	      "ended  2026-01-31 23:59:59Z\n");
	check("[]", 0, "none\n");
	check("[\"a\",\"b\"]", 0, "a, b\n");
}

static void test_a_terminal_is_safe(void)
{
	check("{\"id\":\"sip:\\u001b[2Jx\\n\\u007f@a\"}", 0,
	      "id  sip:?[2Jx??@a\n");
	check("{\"id\":\"\\u009b2J\\u00e4\"}", 0, "id  ??2J\xc3\xa4\n");
}

static void check_columns(const char *command, const char *json,
			  const char *expected)
{
	json_t *result = json_loads(json, 0, NULL);
	json_t *chosen = columns_choose(command, result);
	char *text = json_dumps(chosen, JSON_COMPACT);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
	json_decref(chosen);
	json_decref(result);
}

static void test_people_need_few_columns(void)
{
	check_columns("procedures",
		      "[{\"procedure_id\":\"x\",\"sequence\":1,"
		      "\"created\":\"y\"},"
		      "{\"node\":\"n1\",\"outcome\":\"none\"}]",
		      "[{\"created\":\"y\",\"procedure_id\":\"x\"},"
		      "{\"outcome\":\"none\"}]");
	check_columns("migrations",
		      "[{\"service\":\"mcptt\",\"epoch\":1,\"ended\":null}]",
		      "[{\"service\":\"mcptt\",\"ended\":null}]");
	check_columns("migrations", "[]", "[]");
	check_columns("systems", "[{\"epoch\":1}]", "[{\"epoch\":1}]");
	check_columns("status", "{\"epoch\":1}", "{\"epoch\":1}");
}

static CU_TestInfo table_tests[] = {
	{ "objects are lines", test_objects_are_lines },
	{ "arrays are columns, or an object each", test_arrays_are_columns },
	{ "a terminal is safe from what is shown", test_a_terminal_is_safe },
	{ "people need few columns", test_people_need_few_columns },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "table", NULL, NULL, NULL, NULL, table_tests },
	CU_SUITE_INFO_NULL,
};
