/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Documents that are taken: those of doc/examples, and what the standard leaves
 * open around ours. And whatever is taken is valid by the schema: examples with
 * random damage (MCMIG_TEST_SEED chooses other damage).
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcinfo/mcinfo.h"
#include "mcinfo_documents.h"
#include "mcinfo_schema.h"

#define DAMAGED 20000
#define EXAMPLES_MAX 64

static struct example {
	char name[256];
	char text[4096];
	size_t bytes;
	const char *type;
} examples[EXAMPLES_MAX];
static unsigned example_count;
static struct mcinfo_parser *parser;

static const char *type_of(const char *text)
{
	for (int i = 1; i < MC_SERVICE_END; i++) {
		const struct mc_service_info *service =
		    mc_service_info((enum mc_service)i);

		if (strstr(text, service->xml_namespace))
			return service->content_type;
	}
	return NULL;
}

static int read_example(const char *name, struct example *example)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), DOC_DIR "/examples/%s", name);
	file = fopen(path, "r");
	if (!file)
		return errno;
	snprintf(example->name, sizeof(example->name), "%s", name);
	example->bytes =
	    fread(example->text, 1, sizeof(example->text) - 1, file);
	example->text[example->bytes] = '\0';
	example->type = type_of(example->text);
	fclose(file);
	return example->type ? 0 : EINVAL;
}

static bool is_document(const char *name)
{
	const char *suffix = strrchr(name, '.');

	return suffix && !strcmp(suffix, ".xml");
}

static int begin(void)
{
	DIR *folder = opendir(DOC_DIR "/examples");
	struct dirent *entry;
	int err = folder ? 0 : errno;

	while (!err && (entry = readdir(folder))) {
		if (is_document(entry->d_name) && example_count < EXAMPLES_MAX)
			err = read_example(entry->d_name,
					   &examples[example_count++]);
	}
	if (folder)
		closedir(folder);
	return err || schema_load() || mcinfo_parser_create(&parser);
}

static int end(void)
{
	mcinfo_parser_destroy(parser);
	return schema_free();
}

static void take(const char *type, const char *body, struct mcinfo *info)
{
	struct mcinfo_error error = { .status = 0 };
	int err = mcinfo_parse(parser, type, body, strlen(body), info, &error);

	if (err)
		printf("%s\n%d %s\n", body, error.status, error.text);
	CU_ASSERT_EQUAL_FATAL(err, 0);
}

static void test_examples(void)
{
	CU_ASSERT(example_count >= 15);
	for (unsigned i = 0; i < example_count; i++) {
		struct mcinfo info;

		if (!schema_takes(examples[i].text, examples[i].bytes))
			printf("%s is not valid\n", examples[i].name);
		CU_ASSERT_TRUE(
		    schema_takes(examples[i].text, examples[i].bytes));
		take(examples[i].type, examples[i].text, &info);
		CU_ASSERT_STRING_EQUAL(info.primary_id_canonical,
				       "sip:user00001@a.example");
		CU_ASSERT_STRING_EQUAL(info.partner_id_canonical,
				       "sip:visitor00001@b.example");
		mcinfo_clear(&info);
	}
}

/* Each body in doc/protocol.md has the length that its header field says. */
static void test_examples_of_the_protocol(void)
{
	static const char field[] = "Content-Length: ";
	static char text[131072];
	FILE *file = fopen(DOC_DIR "/protocol.md", "r");
	unsigned bodies = 0;
	char *at = text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	while ((at = strstr(at, field))) {
		size_t bytes = strtoul(at + strlen(field), &at, 10);
		struct mcinfo info;

		if (!bytes)
			continue;
		at += strlen("\n\n");
		CU_ASSERT_FATAL(!strncmp(at + bytes, "```", 3));
		at[bytes] = '\0';
		CU_ASSERT_TRUE(schema_takes(at, bytes));
		take(type_of(at), at, &info);
		mcinfo_clear(&info);
		at += bytes + 1;
		bodies++;
	}
	CU_ASSERT_EQUAL(bodies, 8);
}

static void test_values(void)
{
	char text[UUID_TEXT_SIZE];
	struct mcinfo info;

	take(MCPTT, REQUEST, &info);
	CU_ASSERT_EQUAL(info.service, MC_SERVICE_MCPTT);
	CU_ASSERT_EQUAL(info.verb, MCINFO_AUTHORIZATION);
	CU_ASSERT_FALSE(info.is_response);
	CU_ASSERT_TRUE(info.has_procedure_id);
	CU_ASSERT_STRING_EQUAL(uuid_to_text(&info.procedure_id, text),
			       PROCEDURE);
	CU_ASSERT_EQUAL(info.sequence, 17);
	CU_ASSERT_EQUAL(info.order, 5);
	CU_ASSERT_TRUE(info.has_profile_index);
	CU_ASSERT_EQUAL(info.profile_index, 3);
	CU_ASSERT_STRING_EQUAL(info.partner_id, "sip:visitor@b.example");
	CU_ASSERT_STRING_EQUAL(info.primary_id, "sip:alice@a.example");
	CU_ASSERT_STRING_EQUAL(info.access_token, "eyJ.a.b");
	CU_ASSERT_EQUAL(info.cause, CAUSE_NONE);
	mcinfo_clear(&info);
	CU_ASSERT_PTR_NULL(info.access_token);

	take(MCPTT, FAILURE, &info);
	CU_ASSERT_EQUAL(info.verb, MCINFO_DEAUTHORIZATION);
	CU_ASSERT_TRUE(info.is_response);
	CU_ASSERT_FALSE(info.has_procedure_id);
	CU_ASSERT_FALSE(info.has_profile_index);
	CU_ASSERT_EQUAL(info.sequence, 0);
	CU_ASSERT_EQUAL(info.order, 0);
	CU_ASSERT_EQUAL(info.result, MCINFO_FAILURE);
	CU_ASSERT_EQUAL(info.cause, CAUSE_ENDED);
	CU_ASSERT_STRING_EQUAL(info.text, "over");
	mcinfo_clear(&info);

	take(MCPTT, SUCCESS, &info);
	CU_ASSERT_EQUAL(info.result, MCINFO_SUCCESS);
	CU_ASSERT_EQUAL(info.cause, CAUSE_NONE);
	mcinfo_clear(&info);
}

static char *vary(const char *base, const char *from, const char *to)
{
	const char *at = strstr(base, from);
	char *out = malloc(strlen(base) + strlen(to) + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	sprintf(out, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	return out;
}

static const struct {
	const char *base, *from, *to;
} good[] = {
	{ REQUEST, OPEN, "\xef\xbb\xbf" OPEN },
	{ REQUEST, OPEN, "<?xml version='1.0'?>" OPEN },
	{ REQUEST, OPEN,
	  "<?xml version='1.0' encoding='utf-8' "
	  "standalone='yes'?><!-- a -->\n" OPEN },
	{ REQUEST, CLOSE, CLOSE "\r\n<!-- b --><?c d?>\r\n" },
	{ REQUEST, TOKEN, "" },
	{ REQUEST, " type=\"Normal\"", "" },
	{ REQUEST, " type=\"Normal\"", " type=\"Nor&#109;al\" a=\"b\"" },
	{ REQUEST, "<anyExt>", "<session-type>chat</session-type><anyExt>" },
	{ REQUEST, "<anyExt>", "<a><anyExt>text</anyExt></a><anyExt>" },
	{ REQUEST, "<anyExt>", "<anyExt><a>x<![CDATA[<]]></a>" },
	{ REQUEST, "</mcpttinfo>",
	  "<a xmlns=\"urn:example\"/><b xmlns=\"urn:c\">d</b></mcpttinfo>" },
	{ REQUEST, MIGRATION, MIGRATION "\n<!-- a --><?b c?>\n" },
	{ REQUEST, "alice", "&#97;l&#x69;ce" },
	{ REQUEST, "alice", "a&amp;b" },
	{ REQUEST, "alice", "a&apos;b'c" },
	{ REQUEST, "\"17\"", "\"9223372036854775807\"" },
	{ REQUEST, PROCEDURE, "0B8A2F0E-6C7F-4B6F-9B43-2B8A4F7D1C55" },
	{ REQUEST, ">3<", ">0<" },
	{ REQUEST, ">3<", ">255<" },
	{ FAILURE, ">ended<", ">solar-flare2<" },
	{ FAILURE, "<text>over</text>", "" },
	{ FAILURE, ">over<", "><" },
	{ FAILURE, ">over<", ">&lt;b&gt; \xf0\x9f\x9a\x92<" },
};

static void test_what_the_standard_leaves_open(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *body = vary(good[i].base, good[i].from, good[i].to);
		struct mcinfo info;

		take(MCPTT, body, &info);
		CU_ASSERT_TRUE(schema_takes(body, strlen(body)));
		mcinfo_clear(&info);
		free(body);
	}
}

static void test_an_unknown_cause_is_other(void)
{
	char *body = vary(FAILURE, ">ended<", ">solar-flare<");
	struct mcinfo info;

	take(MCPTT, body, &info);
	CU_ASSERT_EQUAL(info.cause, CAUSE_OTHER);
	mcinfo_clear(&info);
	free(body);
}

#define PART(type, text) "--b\r\nContent-Type: " type "\r\n\r\n" text "\r\n"

static const struct {
	const char *type, *body;
} types[] = {
	{ MCPTT, REQUEST },
	{ "Application/VND.3gpp.MCPTT-Info+XML", REQUEST },
	{ " application / vnd.3gpp.mcptt-info+xml ; charset=\"UTF-8\"",
	  REQUEST },
	{ MCPTT ";version=1;charset=utf-8", REQUEST },
	{ "multipart/mixed;boundary=b", PART(MCPTT, REQUEST) "--b--" },
	{ "Multipart/Mixed; Boundary=\"b\"", PART(MCPTT, REQUEST) "--b--\r\n" },
	{ "multipart/mixed;boundary=\"b\\b\"",
	  "--bb\r\ncontent-type:" MCPTT "\r\n\r\n" REQUEST "\r\n--bb--" },
	{ "multipart/mixed;boundary=\"'()+_,-./:=? b\"",
	  "--'()+_,-./:=? b\r\nContent-Type: " MCPTT "\r\n\r\n" REQUEST
	  "\r\n--'()+_,-./:=? b--" },
	{ "multipart/mixed;boundary=b",
	  "preamble\r\n--bb\r\n" PART("application/sdp", "v=0\r\n--bx\r\n")
	      PART(MCPTT, REQUEST)
		  PART("text/plain", "") "--b--  \r\n--b\r\n" },
	{ "multipart/mixed;boundary=b",
	  "--b \t\r\nContent-Disposition: render\r\nContent-Type:\r\n  " MCPTT
	  ";\r\n\tcharset=utf-8\r\nContent-Transfer-Encoding: 8BIT\r\n"
	  "Content-Encoding: identity\r\n\r\n" REQUEST "\r\n--b--" },
	{ "multipart/mixed;boundary=b",
	  "--b\r\n\r\nno headers\r\n" PART(MCPTT, REQUEST) "--b--" },
	{ "multipart/mixed;boundary=b",
	  PART("text/plain\r\nContent-Transfer-Encoding: base64", "eA==")
	      PART(MCPTT, REQUEST) "--b--" },
};

static void test_types(void)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct mcinfo info;

		take(types[i].type, types[i].body, &info);
		CU_ASSERT_STRING_EQUAL(info.primary_id, "sip:alice@a.example");
		mcinfo_clear(&info);
	}
}

/* --------------------------------------------------------- never looser */

static uint64_t seed;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

/* What may be put anywhere: pieces that matter to a parser. */
static const char *const pieces[] = {
	"<",
	">",
	"/",
	"\"",
	"&amp;",
	"<a/>",
	"<!-- -->",
	"<![CDATA[x]]>",
	"&#32;",
	"&#x31;",
	" ",
	"0",
	"-",
	"x",
	"<result>",
	"\n",
	"<a>",
	"</a>",
	"xmlns=\"\"",
	" type=\"Encrypted\"",
	"<?a b?>",
	"success",
	"failure",
	"</result>",
	"<cause>other</cause>",
};

/* The `n`-th markup or text between markup: what a mutation moves about. */
static const char *token_at(const char *text, unsigned n, size_t *length)
{
	for (;;) {
		*length =
		    *text == '<' ? strcspn(text, ">") + 1 : strcspn(text, "<");
		if (!n-- || !text[*length])
			return text;
		text += *length;
	}
}

static void damage(const char *from, char *to)
{
	size_t length, other_length;
	const char *token = token_at(from, draw(40), &length);
	const char *other = token_at(from, draw(40), &other_length);
	size_t at = (size_t)(token - from);

	switch (draw(5)) {
	case 0: /* a token is left out */
		sprintf(to, "%.*s%s", (int)at, from, token + length);
		break;
	case 1: /* another before it */
		sprintf(to, "%.*s%.*s%s", (int)at, from, (int)other_length,
			other, token);
		break;
	case 2: /* another in its place */
		sprintf(to, "%.*s%.*s%s", (int)at, from, (int)other_length,
			other, token + length);
		break;
	case 3: /* a piece somewhere in it */
		at += draw((unsigned)length + 1);
		sprintf(to, "%.*s%s%s", (int)at, from,
			pieces[draw(sizeof(pieces) / sizeof(pieces[0]))],
			from + at);
		break;
	default: /* a byte of it is another */
		strcpy(to, from);
		to[at + draw((unsigned)length)] = (char)(1 + draw(255));
	}
}

static void test_never_looser_than_the_schema(void)
{
	const char *chosen = getenv("MCMIG_TEST_SEED");
	static char damaged[2][16384];
	unsigned taken = 0, looser = 0;

	seed = chosen ? strtoull(chosen, NULL, 10) : 20240607;
	for (int i = 0; i < DAMAGED; i++) {
		const struct example *example = &examples[draw(example_count)];
		struct mcinfo_error error;
		struct mcinfo info;
		const char *body = damaged[0];

		damage(example->text, damaged[0]);
		if (draw(2)) {
			damage(damaged[0], damaged[1]);
			body = damaged[1];
		}
		if (mcinfo_parse(parser, example->type, body, strlen(body),
				 &info, &error))
			continue;
		mcinfo_clear(&info);
		taken++;
		if (!schema_takes(body, strlen(body))) {
			looser++;
			printf("taken, but not valid:\n%s\n", body);
		}
	}
	CU_ASSERT_EQUAL(looser, 0);
	/* Enough of both, or the damage is of the wrong kind. */
	CU_ASSERT(taken > DAMAGED / 20 && taken < DAMAGED * 9 / 10);
}

/* libxml2 keeps every name that it has met: here 12 MB of them. */
static void test_names_do_not_pile_up(void)
{
	char *body = malloc(MCINFO_BODY_MAX);
	size_t before = mallinfo2().uordblks;

	for (int i = 0; i < 600; i++) {
		struct mcinfo info;
		char *at =
		    stpcpy(body, "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0"
				 "\"><mcptt-Params>");
		for (int j = 0; j < 200; j++)
			at += sprintf(at, "<a%0100d/>", i * 200 + j);
		sprintf(at, "%s", strstr(REQUEST, "<anyExt>"));
		take(MCPTT, body, &info);
		mcinfo_clear(&info);
	}
	CU_ASSERT(mallinfo2().uordblks < before + (2 << 20));
	free(body);
}

static CU_TestInfo tests[] = {
	{ "examples", test_examples },
	{ "examples of the protocol", test_examples_of_the_protocol },
	{ "values", test_values },
	{ "what the standard leaves open", test_what_the_standard_leaves_open },
	{ "an unknown cause is other", test_an_unknown_cause_is_other },
	{ "types", test_types },
	{ "names do not pile up", test_names_do_not_pile_up },
	{ "never looser than the schema", test_never_looser_than_the_schema },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "mcinfo", begin, end, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
