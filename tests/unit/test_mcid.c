/* SPDX-License-Identifier: BSD-2-Clause */
/* Canonical MC service IDs (RFC 3261 19.1.4), services, causes, names. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "procedure/record.h"

static const struct {
	const char *text;
	const char *canonical;
} valid[] = {
	{ "sip:alice@a.example", "sip:alice@a.example" },
	{ "SIP:alice@A.Example", "sip:alice@a.example" },
	{ "sIp:Alice@a.example", "sip:Alice@a.example" },
	{ "sip:%61lice@a.example", "sip:alice@a.example" },
	{ "sip:%4Alice@a.example", "sip:Jlice@a.example" },
	{ "sip:a%2d%5f%2e%21%7e%2a%27%28%29@h", "sip:a-_.!~*'()@h" },
	{ "sip:a%20b@h", "sip:a%20b@h" },
	{ "sip:a%3ab@h", "sip:a%3Ab@h" },
	{ "sip:a%3Ab@h", "sip:a%3Ab@h" },
	{ "sip:a%40b@h", "sip:a%40b@h" },
	{ "sip:a%3bb@h", "sip:a%3Bb@h" },
	{ "sip:a;b@h", "sip:a;b@h" },
	{ "sip:&=+$,;?/@h", "sip:&=+$,;?/@h" },
	{ "sip:%c3%a9@h", "sip:%C3%A9@h" },
	{ "sip:+49301234567@a.example", "sip:+49301234567@a.example" },
	{ "sip:a@192.0.2.1", "sip:a@192.0.2.1" },
	{ "sip:a@192.0.2.1:5070", "sip:a@192.0.2.1:5070" },
	{ "sip:a@[2001:DB8::1]", "sip:a@[2001:db8::1]" },
	{ "sip:a@[2001:db8:0:0:0:0:0:1]:5060", "sip:a@[2001:db8::1]:5060" },
	{ "sip:a@[::FFFF:192.0.2.1]", "sip:a@[::ffff:192.0.2.1]" },
	{ "sip:a@h:5060", "sip:a@h:5060" },
	{ "sip:a@h:05060", "sip:a@h:5060" },
	{ "sip:a@h:65535", "sip:a@h:65535" },
	{ "sip:a@1a.b2-c.example", "sip:a@1a.b2-c.example" },
};

static const char *const invalid[] = {
	"",
	"sip:",
	"sip",
	"alice@a.example",
	"sips:alice@a.example",
	"tel:+49301234567",
	"urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b",
	"sip:a.example",
	"sip:@a.example",
	"sip:alice@",
	"sip:alice:secret@a.example",
	"sip:alice:@a.example",
	"sip:alice@a.example;user=phone",
	"sip:alice@a.example;transport=tcp",
	"sip:alice@a.example?subject=x",
	"sip:alice@b@a.example",
	"sip:al ice@a.example",
	" sip:alice@a.example",
	"sip:alice@a.example ",
	"sip:alice@a.example\n",
	"sip:al\tice@a.example",
	"sip:al\x7f@a.example",
	"sip:al\xc3\xa9@a.example",
	"sip:al%00@a.example",
	"sip:al%0aice@a.example",
	"sip:al%1fice@a.example",
	"sip:al%7Fice@a.example",
	"sip:al%@a.example",
	"sip:al%4@a.example",
	"sip:al%4g@a.example",
	"sip:al%g4@a.example",
	"sip:\"alice\"@a.example",
	"sip:al<ice>@a.example",
	"sip:al#ice@a.example",
	"sip:al[ice]@a.example",
	"sip:alice@a.example.",
	"sip:alice@.example",
	"sip:alice@a..example",
	"sip:alice@-a.example",
	"sip:alice@a-.example",
	"sip:alice@a_b.example",
	"sip:alice@a%2eexample",
	"sip:alice@1.2.3",
	"sip:alice@1.2.3.4.5",
	"sip:alice@256.0.0.1",
	"sip:alice@a.1",
	"sip:alice@2001:db8::1",
	"sip:alice@[2001:db8::1",
	"sip:alice@[2001:db8::1]x",
	"sip:alice@[]",
	"sip:alice@[::1%25lo]",
	"sip:alice@[192.0.2.1]",
	"sip:alice@h:",
	"sip:alice@h:0",
	"sip:alice@h:65536",
	"sip:alice@h:+5060",
	"sip:alice@h:50 60",
	"sip:alice@h:5060:1",
	"<sip:alice@a.example>",
	"Alice <sip:alice@a.example>",
};

static void test_canonical_form(void)
{
	char canonical[MCID_SIZE], again[MCID_SIZE];

	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
		int err = mcid_canonical(valid[i].text, canonical);

		if (err || strcmp(canonical, valid[i].canonical))
			printf("%s: %d %s\n", valid[i].text, err,
			       err ? "" : canonical);
		CU_ASSERT_EQUAL_FATAL(err, 0);
		CU_ASSERT_STRING_EQUAL(canonical, valid[i].canonical);
		CU_ASSERT_EQUAL(mcid_canonical(canonical, again), 0);
		CU_ASSERT_STRING_EQUAL(again, canonical);
	}
}

static void test_others_are_refused(void)
{
	char canonical[MCID_SIZE] = "untouched";

	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		int err = mcid_canonical(invalid[i], canonical);

		if (err != EINVAL)
			printf("%s: %d\n", invalid[i], err);
		CU_ASSERT_EQUAL(err, EINVAL);
	}
	CU_ASSERT_STRING_EQUAL(canonical, "untouched");
}

static void test_length_is_bounded(void)
{
	char text[2 * MCID_SIZE], canonical[MCID_SIZE];
	int user = MCID_SIZE - 1 - (int)strlen("sip:@h");

	sprintf(text, "sip:%0*d@h", user, 1);
	CU_ASSERT_EQUAL(strlen(text), MCID_SIZE - 1);
	CU_ASSERT_EQUAL(mcid_canonical(text, canonical), 0);
	CU_ASSERT_STRING_EQUAL(text, canonical);
	sprintf(text, "sip:%0*d@h", user + 1, 1);
	CU_ASSERT_EQUAL(mcid_canonical(text, canonical), EMSGSIZE);

	sprintf(text, "sip:a@%063d.example", 0);
	CU_ASSERT_EQUAL(mcid_canonical(text, canonical), 0);
	sprintf(text, "sip:a@%064d.example", 0);
	CU_ASSERT_EQUAL(mcid_canonical(text, canonical), EINVAL);
}

static void test_domain(void)
{
	CU_ASSERT_STRING_EQUAL(mcid_domain("sip:alice@a.example"), "a.example");
	CU_ASSERT_STRING_EQUAL(mcid_domain("sip:a%40b@[::1]:5060"),
			       "[::1]:5060");
	CU_ASSERT_STRING_EQUAL(mcid_domain("none"), "");
}

static void test_services(void)
{
	const struct mc_service_info *info =
	    mc_service_info(MC_SERVICE_MCVIDEO);
	enum mc_service service;

	CU_ASSERT_PTR_NULL(mc_service_info((enum mc_service)0));
	CU_ASSERT_PTR_NULL(mc_service_info((enum mc_service)MC_SERVICE_END));
	CU_ASSERT_PTR_NULL(mc_service_info((enum mc_service) - 1));
	CU_ASSERT_PTR_NOT_NULL_FATAL(info);
	CU_ASSERT_STRING_EQUAL(info->xml_namespace,
			       "urn:3gpp:ns:mcvideoInfo:1.0");
	CU_ASSERT_STRING_EQUAL(info->content_type,
			       "application/vnd.3gpp.mcvideo-info+xml");
	CU_ASSERT_STRING_EQUAL(info->icsi,
			       "urn:urn-7:3gpp-service.ims.icsi.mcvideo");
	CU_ASSERT_STRING_EQUAL(info->accept_contact,
			       "*;+g.3gpp.mcvideo;require;explicit");
	CU_ASSERT_EQUAL(mc_service_from_name("mcdata", &service), 0);
	CU_ASSERT_EQUAL(service, MC_SERVICE_MCDATA);
	CU_ASSERT_EQUAL(mc_service_from_name("MCPTT", &service), ENOENT);
	CU_ASSERT_EQUAL(mc_service_from_name("", &service), ENOENT);
}

static void test_causes(void)
{
	for (int i = CAUSE_NONE + 1; i < CAUSE_END; i++) {
		enum mcinfo_cause cause = (enum mcinfo_cause)i;

		CU_ASSERT_EQUAL(
		    mcinfo_cause_from_name(mcinfo_cause_name(cause)), cause);
		CU_ASSERT(strlen(mcinfo_cause_text(cause)) > 10);
	}
	CU_ASSERT_EQUAL(mcinfo_cause_from_name("none"), CAUSE_OTHER);
	CU_ASSERT_EQUAL(mcinfo_cause_from_name("solar-flare"), CAUSE_OTHER);
	CU_ASSERT_STRING_EQUAL(mcinfo_cause_name((enum mcinfo_cause)99),
			       "other");
}

/* Of a store whose schema is newer, or whose disk is bad. */
static void test_names_of_no_value(void)
{
	static const int none[] = { -1, 5, 99, INT_MAX, INT_MIN };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		int value = none[i];
		const char *const names[] = {
			procedure_role_name((enum procedure_role)value),
			procedure_state_name((enum procedure_state)value),
			procedure_outcome_name((enum procedure_outcome)value),
			mapping_status_name((enum mapping_status)value),
			mcinfo_verb_name((enum mcinfo_verb)value),
		};

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			CU_ASSERT_STRING_EQUAL(names[k], "?");
	}
	CU_ASSERT_STRING_EQUAL(procedure_state_name((enum procedure_state)0),
			       "?");
	CU_ASSERT_STRING_EQUAL(procedure_state_name(PROCEDURE_DONE), "done");
	CU_ASSERT_STRING_EQUAL(procedure_role_name((enum procedure_role)3),
			       "?");
	CU_ASSERT_STRING_EQUAL(procedure_role_name(ROLE_PRIMARY), "primary");
	CU_ASSERT_STRING_EQUAL(procedure_outcome_name(OUTCOME_NONE), "none");
	CU_ASSERT_STRING_EQUAL(mapping_status_name(MAPPING_ENDED), "ended");
	CU_ASSERT_STRING_EQUAL(mcinfo_verb_name(MCINFO_DEAUTHORIZATION),
			       "de-authorization");
}

static CU_TestInfo tests[] = {
	{ "canonical form", test_canonical_form },
	{ "all else is refused", test_others_are_refused },
	{ "length is bounded", test_length_is_bounded },
	{ "domain", test_domain },
	{ "services", test_services },
	{ "causes", test_causes },
	{ "names of no value", test_names_of_no_value },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "mcid", NULL, NULL, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
