/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is built is valid by the schema and is parsed to what it was built from,
 * for random contents (MCMIG_TEST_SEED chooses others); and what happens when
 * memory is short.
 */
#include "unit.h"

#include <errno.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "mcinfo/mcinfo.h"
#include "mcinfo_schema.h"

#define ROUNDS 3000

static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static const char *pick(const char *const *from, unsigned count)
{
	return from[draw(count)];
}

static void draw_id(char id[MCID_SIZE], char first)
{
	static const char *const pieces[] = { "a",   "Z",   "9",   "-", "'",
					      "&",   "%20", "%3a", ";", "?",
					      "%41", "(",   ")",   "~", "%C3" };
	static const char *const hosts[] = { "a.example", "B.Example:5060",
					     "192.0.2.1", "[2001:db8::1]:1" };
	int pieces_left = (int)draw(60);

	/* Different first letters: the two IDs of a document must differ. */
	sprintf(id, "sip:%c", first);
	while (pieces_left--)
		strcat(id, pick(pieces, 15));
	strcat(id, "@");
	strcat(id, pick(hosts, 4));
}

static void draw_text(char text[MCINFO_TEXT_SIZE])
{
	static const char *const pieces[] = {
		"<",	">",   "&",	   "\"", "'",
		" ",	"]]>", "\xc3\xa9", "x",	 "\xf0\x9f\x9a\x92",
		"&amp;"
	};
	int pieces_left = (int)draw(50);

	text[0] = '\0';
	while (pieces_left--)
		strcat(text, pick(pieces, 11));
}

static char *draw_token(void)
{
	size_t length = 1 + draw(draw(10) ? 900 : MCINFO_TOKEN_MAX);
	char *token = malloc(length + 1);

	for (size_t i = 0; i < length; i++)
		token[i] = (char)('!' + draw('~' - '!' + 1));
	token[length] = '\0';
	return token;
}

static uint64_t draw_number(void)
{
	uint64_t number = (uint64_t)draw(1u << 31) << 32 | draw(1u << 31);

	return draw(3) ? number >> draw(62) : draw(2) ? INT64_MAX : 0;
}

static void draw_outcome(struct mcinfo *info)
{
	info->result = draw(2) ? MCINFO_SUCCESS : MCINFO_FAILURE;
	if (info->result == MCINFO_SUCCESS)
		return;
	info->cause = (enum mcinfo_cause)(1 + draw(CAUSE_END - 1));
	if (draw(2))
		draw_text(info->text);
}

static void draw_info(struct mcinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->service = (enum mc_service)(1 + draw(MC_SERVICE_END - 1));
	info->verb = draw(2) ? MCINFO_AUTHORIZATION : MCINFO_DEAUTHORIZATION;
	info->is_response = draw(2);
	info->has_procedure_id = draw(4);
	if (info->has_procedure_id) {
		for (int i = 0; i < 16; i++)
			info->procedure_id.bytes[i] = (uint8_t)draw(256);
	}
	info->sequence = draw_number();
	info->order = draw_number();
	draw_id(info->partner_id, 'v');
	draw_id(info->primary_id, 'u');
	mcid_canonical(info->partner_id, info->partner_id_canonical);
	mcid_canonical(info->primary_id, info->primary_id_canonical);
	if (info->is_response) {
		draw_outcome(info);
	} else if (info->verb == MCINFO_AUTHORIZATION) {
		info->has_profile_index = true;
		info->profile_index = draw(256);
	}
	if (draw(2))
		info->access_token = draw_token();
}

static bool same_token(const struct mcinfo *a, const struct mcinfo *b)
{
	if (!a->access_token || !b->access_token)
		return !a->access_token && !b->access_token;
	return !strcmp(a->access_token, b->access_token);
}

static bool same(const struct mcinfo *a, const struct mcinfo *b)
{
	return a->service == b->service && a->verb == b->verb &&
	       a->is_response == b->is_response &&
	       a->has_procedure_id == b->has_procedure_id &&
	       uuid_equal(&a->procedure_id, &b->procedure_id) &&
	       a->has_profile_index == b->has_profile_index &&
	       a->profile_index == b->profile_index &&
	       a->sequence == b->sequence && a->order == b->order &&
	       !strcmp(a->partner_id, b->partner_id) &&
	       !strcmp(a->primary_id, b->primary_id) &&
	       !strcmp(a->partner_id_canonical, b->partner_id_canonical) &&
	       !strcmp(a->primary_id_canonical, b->primary_id_canonical) &&
	       a->result == b->result && a->cause == b->cause &&
	       !strcmp(a->text, b->text) && same_token(a, b);
}

static void test_random_documents(void)
{
	struct mcinfo_parser *parser;
	struct mcinfo info, again;
	struct mcinfo_error error;
	const char *chosen = getenv("MCMIG_TEST_SEED");

	seed = chosen ? strtoull(chosen, NULL, 10) : 20240607;
	CU_ASSERT_EQUAL_FATAL(mcinfo_parser_create(&parser), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before = seed;
		char *body = NULL;
		size_t bytes = 0;
		bool good;

		draw_info(&info);
		error.text[0] = '\0';
		good =
		    !mcinfo_build(&info, &body, &bytes) &&
		    strlen(body) == bytes && schema_takes(body, bytes) &&
		    !mcinfo_parse(parser,
				  mc_service_info(info.service)->content_type,
				  body, bytes, &again, &error) &&
		    same(&info, &again);
		if (!good)
			printf("seed %llu: %s\n%s\n",
			       (unsigned long long)before, error.text,
			       body ? body : "not built");
		CU_ASSERT_TRUE_FATAL(good);
		free(body);
		mcinfo_clear(&info);
		mcinfo_clear(&again);
	}
	mcinfo_parser_destroy(parser);
}

static void good_request(struct mcinfo *info)
{
	*info = (struct mcinfo){
		.service = MC_SERVICE_MCPTT,
		.verb = MCINFO_AUTHORIZATION,
		.has_procedure_id = true,
		.has_profile_index = true,
		.profile_index = 3,
		.sequence = 17,
		.partner_id = "sip:visitor@b.example",
		.primary_id = "sip:alice@a.example",
	};
}

static void good_response(struct mcinfo *info)
{
	good_request(info);
	info->is_response = true;
	info->has_profile_index = false;
	info->profile_index = 0;
	info->result = MCINFO_FAILURE;
	info->cause = CAUSE_ENDED;
	strcpy(info->text, "over");
}

static int build(const struct mcinfo *info)
{
	size_t bytes;
	char *body;
	int err = mcinfo_build(info, &body, &bytes);

	if (!err)
		free(body);
	return err;
}

#define REFUSED(make, ...)                             \
	do {                                           \
		struct mcinfo info;                    \
		make(&info);                           \
		CU_ASSERT_EQUAL(build(&info), 0);      \
		__VA_ARGS__;                           \
		CU_ASSERT_EQUAL(build(&info), EINVAL); \
	} while (0)

static void test_incomplete_is_not_built(void)
{
	static char token[MCINFO_TOKEN_MAX + 2];

	memset(token, 'x', sizeof(token) - 1);
	REFUSED(good_request, info.service = (enum mc_service)0);
	REFUSED(good_request, info.service = (enum mc_service)9);
	REFUSED(good_request, info.verb = (enum mcinfo_verb)0);
	REFUSED(good_request, info.verb = (enum mcinfo_verb)3);
	REFUSED(good_request, info.partner_id[0] = '\0');
	REFUSED(good_request, info.primary_id[0] = '\0');
	REFUSED(good_request, strcpy(info.primary_id, "tel:+4912345"));
	REFUSED(good_request, strcpy(info.primary_id, info.partner_id));
	REFUSED(good_request,
		strcpy(info.primary_id, "SIP:%76isitor@B.example"));
	REFUSED(good_request, info.has_profile_index = false);
	REFUSED(good_request, info.profile_index = 256);
	REFUSED(good_request, info.sequence = 1ull << 63);
	REFUSED(good_request, info.order = 1ull << 63);
	REFUSED(good_request, info.access_token = (char[]){ "" });
	REFUSED(good_request, info.access_token = (char[]){ "a b" });
	REFUSED(good_request, info.access_token = (char[]){ "a\xc3\xa9" });
	REFUSED(good_request, info.access_token = token);
	REFUSED(good_response, info.result = (enum mcinfo_result)0);
	REFUSED(good_response, info.result = MCINFO_SUCCESS);
	REFUSED(good_response, info.cause = CAUSE_NONE);
	REFUSED(good_response, info.cause = (enum mcinfo_cause)CAUSE_END);
	REFUSED(good_response, strcpy(info.text, "a\nb"));
	REFUSED(good_response, strcpy(info.text, "\xff"));
	REFUSED(good_response, memset(info.text, 'x', sizeof(info.text)));
}

static void test_form(void)
{
	struct mcinfo info;
	size_t bytes;
	char *body;

	good_request(&info);
	info.order = 5;
	info.access_token = (char[]){ "a<b&c" };
	CU_ASSERT_EQUAL_FATAL(mcinfo_build(&info, &body, &bytes), 0);
	CU_ASSERT_STRING_EQUAL(
	    body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
		  "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\">"
		  "<mcptt-Params><mcptt-access-token type=\"Normal\">"
		  "<mcpttString>a&lt;b&amp;c</mcpttString></mcptt-access-token>"
		  "<anyExt><migration xmlns=\""
		  "urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b\">"
		  "<authorization-request "
		  "procedure=\"00000000-0000-0000-0000-000000000000\" "
		  "sequence=\"17\" order=\"5\">"
		  "<partner-mc-service-id>sip:visitor@b.example"
		  "</partner-mc-service-id>"
		  "<primary-mc-service-id>sip:alice@a.example"
		  "</primary-mc-service-id><profile-index>3</profile-index>"
		  "</authorization-request></migration></anyExt>"
		  "</mcptt-Params></mcpttinfo>\r\n");
	free(body);
}

static void longest(struct mcinfo *info)
{
	good_response(info);
	info->service = MC_SERVICE_MCVIDEO;
	info->verb = MCINFO_DEAUTHORIZATION;
	info->cause = CAUSE_PRIMARY_UNREACHABLE;
	info->sequence = info->order = INT64_MAX;
	sprintf(info->partner_id, "sip:%0245d@b.de", 0);
	sprintf(info->primary_id, "sip:%0245d@a.de", 0);
	memset(info->partner_id + 4, '\'', 240);
	memset(info->primary_id + 4, '&', 240);
	memset(info->text, '<', MCINFO_TEXT_SIZE - 1);
	info->access_token = malloc(MCINFO_TOKEN_MAX + 1);
	memset(info->access_token, '&', MCINFO_TOKEN_MAX);
	info->access_token[MCINFO_TOKEN_MAX] = '\0';
}

static void test_longest_document(void)
{
	struct mcinfo info, again;
	struct mcinfo_parser *parser;
	struct mcinfo_error error;
	size_t bytes;
	char *body;

	longest(&info);
	CU_ASSERT_EQUAL_FATAL(mcinfo_build(&info, &body, &bytes), 0);
	/* Escaped, it is more than a body may have. */
	CU_ASSERT(bytes > MCINFO_BODY_MAX);
	free(body);

	memset(info.access_token, 'x', MCINFO_TOKEN_MAX);
	CU_ASSERT_EQUAL_FATAL(mcinfo_build(&info, &body, &bytes), 0);
	CU_ASSERT_EQUAL_FATAL(mcinfo_parser_create(&parser), 0);
	CU_ASSERT_EQUAL_FATAL(
	    mcinfo_parse(parser, "application/vnd.3gpp.mcvideo-info+xml", body,
			 bytes, &again, &error),
	    0);
	strcpy(info.partner_id_canonical, again.partner_id_canonical);
	strcpy(info.primary_id_canonical, again.primary_id_canonical);
	CU_ASSERT_TRUE(same(&info, &again));
	mcinfo_parser_destroy(parser);
	mcinfo_clear(&info);
	mcinfo_clear(&again);
	free(body);
}

static int parse_once(const char *body, size_t bytes)
{
	struct mcinfo_parser *parser = NULL;
	struct mcinfo_error error;
	struct mcinfo info;
	int err = mcinfo_parser_create(&parser);

	if (!err)
		err =
		    mcinfo_parse(parser, "application/vnd.3gpp.mcptt-info+xml",
				 body, bytes, &info, &error);
	if (!err)
		mcinfo_clear(&info);
	mcinfo_parser_destroy(parser);
	xmlResetLastError();
	return err;
}

static void test_each_allocation_fails_once(void)
{
	struct mcinfo info;
	size_t bytes;
	char *body;
	long before, live, n = 1;

	good_request(&info);
	info.access_token = (char[]){ "token" };
	CU_ASSERT_EQUAL_FATAL(mcinfo_build(&info, &body, &bytes), 0);
	CU_ASSERT_EQUAL_FATAL(parse_once(body, bytes), 0);
	before = alloc_fail_live();
	for (;; n++) {
		int err;

		alloc_fail_at(n);
		err = parse_once(body, bytes);
		if (!alloc_fail_happened()) {
			CU_ASSERT_EQUAL(err, 0);
			break;
		}
		live = alloc_fail_live();
		if (err && err != ENOMEM)
			printf("allocation %ld: %d\n", n, err);
		CU_ASSERT(!err || err == ENOMEM);
		CU_ASSERT_EQUAL(live, before);
	}
	alloc_fail_at(0);
	CU_ASSERT(n > 5);
	free(body);
}

static void test_parser_survives_a_failed_allocation(void)
{
	static const char type[] = "application/vnd.3gpp.mcptt-info+xml";
	struct mcinfo_parser *parser;
	struct mcinfo_error error;
	struct mcinfo info, again;
	size_t bytes;
	char *body;

	good_request(&info);
	CU_ASSERT_EQUAL_FATAL(mcinfo_build(&info, &body, &bytes), 0);
	CU_ASSERT_EQUAL_FATAL(mcinfo_parser_create(&parser), 0);
	for (long n = 1; n < 30; n++) {
		alloc_fail_at(n);
		if (!mcinfo_parse(parser, type, body, bytes, &again, &error))
			mcinfo_clear(&again);
		alloc_fail_at(0);
		CU_ASSERT_EQUAL(
		    mcinfo_parse(parser, type, body, bytes, &again, &error), 0);
		mcinfo_clear(&again);
	}
	mcinfo_parser_destroy(parser);
	free(body);
}

static void test_build_without_memory(void)
{
	struct mcinfo info;
	long before = alloc_fail_live();
	size_t bytes;
	char *body = NULL;
	int err;

	good_request(&info);
	alloc_fail_at(1);
	err = mcinfo_build(&info, &body, &bytes);
	if (alloc_fail_happened()) {
		CU_ASSERT_EQUAL(err, ENOMEM);
		CU_ASSERT_PTR_NULL(body);
	}
	alloc_fail_at(0);
	free(body);
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

static int begin(void)
{
	alloc_fail_install();
	return schema_load();
}

static CU_TestInfo tests[] = {
	{ "random documents come back the same", test_random_documents },
	{ "incomplete documents are not built", test_incomplete_is_not_built },
	{ "form", test_form },
	{ "longest document", test_longest_document },
	{ "each allocation fails once", test_each_allocation_fails_once },
	{ "a parser survives a failed allocation",
	  test_parser_survives_a_failed_allocation },
	{ "no memory to build", test_build_without_memory },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "mcinfo build", begin, schema_free, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
