/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/module: loading, ABI check, the order of life, unloading again. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "module/loader.h"

#include "modules/journal.h"

static struct journal journal;
static const struct core_program program = { .arg = &journal };
static struct core core = {
	.system = "a.example",
	.node = "a1",
	.program = &program,
};

static struct conf *conf_of(const struct loader *loader, const char *text)
{
	char file[] = "/tmp/mcmig-test-module-XXXXXX";
	FILE *stream = fdopen(mkstemp(file), "w");
	struct conf_section sections[4];
	size_t count = loader_count(loader);
	struct conf *conf = NULL;

	fputs(text, stream);
	fclose(stream);
	for (size_t i = 0; i < count; i++) {
		const struct module *module = loader_module(loader, i);

		sections[i] =
		    (struct conf_section){ module->name, module->settings,
					   module->settings_bytes };
	}
	CU_ASSERT_EQUAL_FATAL(conf_parse(file, sections, count, &conf), 0);
	unlink(file);
	return conf;
}

static struct loader *loader_of_both(void)
{
	struct loader *loader = NULL;

	journal.text[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(loader_create(&loader, TEST_MODULES), 0);
	CU_ASSERT_EQUAL_FATAL(loader_load(loader, "first"), 0);
	CU_ASSERT_EQUAL_FATAL(loader_load(loader, "second"), 0);
	return loader;
}

static void test_life_in_order(void)
{
	struct loader *loader = loader_of_both();
	struct conf *conf = conf_of(loader, "first { pending = 2 }\n"
					    "second { pending = 3 }\n");

	CU_ASSERT_EQUAL(loader_count(loader), 2);
	CU_ASSERT_STRING_EQUAL(loader_module(loader, 1)->name, "second");
	CU_ASSERT_PTR_NULL(loader_module(loader, 2));
	CU_ASSERT_EQUAL(loader_pending(loader), 0);
	CU_ASSERT_EQUAL(loader_init(loader, &core, conf), 0);
	CU_ASSERT_PTR_NOT_NULL(loader_context(loader, 0));
	CU_ASSERT_EQUAL(loader_start(loader), 0);
	CU_ASSERT_EQUAL(loader_pending(loader), 5);
	loader_drain(loader);
	loader_stop(loader);
	CU_ASSERT_EQUAL(loader_pending(loader), 0);
	loader_destroy(loader);
	CU_ASSERT_STRING_EQUAL(journal.text,
			       "first.init second.init first.start "
			       "second.start first.drain second.drain "
			       "second.stop first.stop ");
	conf_free(conf);
}

static void test_failed_init_stops_those_before(void)
{
	struct loader *loader = loader_of_both();
	struct conf *conf = conf_of(loader, "second { fail = init }\n");

	CU_ASSERT_EQUAL(loader_init(loader, &core, conf), EIO);
	loader_destroy(loader);
	CU_ASSERT_STRING_EQUAL(journal.text,
			       "first.init second.init first.stop ");
	conf_free(conf);
}

static void test_failed_start_stops_all(void)
{
	struct loader *loader = loader_of_both();
	struct conf *conf = conf_of(loader, "second { fail = start }\n");

	CU_ASSERT_EQUAL(loader_init(loader, &core, conf), 0);
	CU_ASSERT_EQUAL(loader_start(loader), EIO);
	journal.text[0] = '\0';
	loader_drain(loader);
	loader_stop(loader);
	CU_ASSERT_STRING_EQUAL(journal.text,
			       "first.drain second.stop first.stop ");
	loader_destroy(loader);
	conf_free(conf);
}

static void test_reload_is_for_all_or_none(void)
{
	struct loader *loader = loader_of_both();
	struct conf *old = conf_of(loader, "first { pending = 1 }\n");
	struct conf *good = conf_of(loader, "first { pending = 2 }\n");
	struct conf *bad = conf_of(loader, "first { pending = 4 }\n"
					   "second { fail = reload }\n");

	CU_ASSERT_EQUAL(loader_init(loader, &core, old), 0);
	CU_ASSERT_EQUAL(loader_start(loader), 0);
	CU_ASSERT_EQUAL(loader_reload(loader, good), 0);
	conf_free(old);
	CU_ASSERT_EQUAL(loader_pending(loader), 2);
	CU_ASSERT_EQUAL(loader_reload(loader, bad), EIO);
	conf_free(bad);
	CU_ASSERT_EQUAL(loader_pending(loader), 2);
	loader_destroy(loader);
	conf_free(good);
}

/* The settings that it does not go back to must outlive the fault. */
static void test_reload_that_cannot_be_undone(void)
{
	struct loader *loader = loader_of_both();
	struct conf *old = conf_of(loader, "first { pending = 1 fail = reload "
					   "}\n");
	struct conf *bad = conf_of(loader, "first { pending = 4 }\n"
					   "second { fail = reload }\n");
	struct conf *good = conf_of(loader, "first { pending = 2 }\n");

	CU_ASSERT_EQUAL(loader_init(loader, &core, old), 0);
	CU_ASSERT_EQUAL(loader_start(loader), 0);
	CU_ASSERT_FALSE(loader_uses(loader, bad));
	CU_ASSERT_EQUAL(loader_reload(loader, bad), EIO);
	CU_ASSERT_EQUAL(loader_pending(loader), 4);
	CU_ASSERT_TRUE(loader_uses(loader, bad));
	CU_ASSERT_TRUE(loader_uses(loader, old));
	conf_keep(old, bad);
	CU_ASSERT_EQUAL(loader_reload(loader, good), 0);
	CU_ASSERT_FALSE(loader_uses(loader, bad));
	CU_ASSERT_FALSE(loader_uses(loader, old));
	conf_free(old);
	CU_ASSERT_EQUAL(loader_pending(loader), 2);
	loader_destroy(loader);
	conf_free(good);
}

static void test_what_is_no_module_is_refused(void)
{
	struct loader *loader = loader_of_both();

	CU_ASSERT_EQUAL(loader_load(loader, "first"), EEXIST);
	CU_ASSERT_EQUAL(loader_load(loader, "missing"), ENOENT);
	CU_ASSERT_EQUAL(loader_load(loader, "old"), ENOEXEC);
	CU_ASSERT_EQUAL(loader_load(loader, "none"), ENOEXEC);
	CU_ASSERT_EQUAL(loader_load(loader, "../.libs/first"), EINVAL);
	CU_ASSERT_EQUAL(loader_load(loader, ""), EINVAL);
	CU_ASSERT_EQUAL(loader_count(loader), 2);
	loader_destroy(loader);
}

static void test_again_and_again(void)
{
	for (int i = 0; i < 20; i++)
		test_life_in_order();
}

static struct {
	struct command_call call;
	json_t *result;
	const char *failure;
} call_of_test;

static void call_done(struct command_call *call, json_t *result,
		      const char *failure)
{
	CU_ASSERT_PTR_EQUAL(call, &call_of_test.call);
	call_of_test.result = result;
	call_of_test.failure = failure;
}

static void test_a_command_ends_either_way(void)
{
	call_of_test.call.done = call_done;
	command_finish(&call_of_test.call, json_object());
	CU_ASSERT_TRUE(json_is_object(call_of_test.result));
	CU_ASSERT_PTR_NULL(call_of_test.failure);
	json_decref(call_of_test.result);
	command_fail(&call_of_test.call, "no such user");
	CU_ASSERT_PTR_NULL(call_of_test.result);
	CU_ASSERT_STRING_EQUAL(call_of_test.failure, "no such user");
}

static CU_TestInfo module_tests[] = {
	{ "a life in order", test_life_in_order },
	{ "a failed init stops those before it",
	  test_failed_init_stops_those_before },
	{ "a failed start stops all", test_failed_start_stops_all },
	{ "a reload is for all or none", test_reload_is_for_all_or_none },
	{ "a reload that cannot be undone", test_reload_that_cannot_be_undone },
	{ "what is no module is refused", test_what_is_no_module_is_refused },
	{ "loading and unloading again and again", test_again_and_again },
	{ "a command ends either way", test_a_command_ends_either_way },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "module", NULL, NULL, NULL, NULL, module_tests },
	CU_SUITE_INFO_NULL,
};
