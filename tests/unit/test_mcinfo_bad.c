/* SPDX-License-Identifier: BSD-2-Clause */
/* Documents that are refused: each with its status and its Warning text. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcinfo/mcinfo.h"
#include "mcinfo_documents.h"

static struct mcinfo_parser *parser;

static int parse(const char *type, const char *body, size_t bytes,
		 struct mcinfo_error *error)
{
	struct mcinfo info;
	int err;

	memset(error, 0, sizeof(*error));
	err = mcinfo_parse(parser, type, body, bytes, &info, error);
	if (!err)
		mcinfo_clear(&info);
	return err;
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	}
	return true;
}

static void refused(const char *type, const char *body, size_t bytes,
		    int status, const char *text)
{
	struct mcinfo_error error;
	int err = parse(type, body, bytes, &error);

	if (err != EBADMSG || error.status != status ||
	    strcmp(error.text, text))
		printf("%.300s\nexpected %d %s\ngot %d %d %s\n", body, status,
		       text, err, error.status, error.text);
	CU_ASSERT_EQUAL(err, EBADMSG);
	CU_ASSERT_EQUAL(error.status, status);
	CU_ASSERT_EQUAL(error.warn_code, 399);
	CU_ASSERT_STRING_EQUAL(error.text, text);
	CU_ASSERT(is_printable(error.text));
	/* After each the same parser still takes a good one. */
	CU_ASSERT_EQUAL(parse(MCPTT, REQUEST, strlen(REQUEST), &error), 0);
}

/* `base` with the first `from` replaced by `to`. */
static char *vary(const char *base, const char *from, const char *to)
{
	const char *at = strstr(base, from);
	char *out = malloc(strlen(base) + strlen(to) + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	sprintf(out, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	return out;
}

#define BOMB                                                 \
	"<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c " \
	"\"&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;\">]>"
#define ROOT "<mcpttinfo "
#define NOT_XML "body is not well-formed XML, line 1"
#define NO_URI(name) name " is not a SIP URI that names a user"
#define NO_NUMBER(name) name " is not a number from 1 to 2^63-1"
#define ENCRYPTED "encrypted content is not supported"
#define DEEP "<a><a><a><a><a><a><a><a><a><a><a><a><a><a>"
#define DEEP_END "</a></a></a></a></a></a></a></a></a></a></a></a></a></a>"

static const struct {
	const char *base, *from, *to;
	const char *text;
} bad[] = {
	/* Not XML, or more than XML should be. */
	{ REQUEST, REQUEST, "", "body is empty" },
	{ REQUEST, REQUEST, "v=0", NOT_XML },
	{ REQUEST, REQUEST, "{\"a\":1}", NOT_XML },
	{ REQUEST, "</mcpttinfo>", "", NOT_XML },
	{ REQUEST, "</mcptt-Params></mcpttinfo>", "", NOT_XML },
	{ REQUEST, "</mcpttinfo>", "</mcpttinf", NOT_XML },
	{ REQUEST, "</mcpttinfo>", "</mcpttinfo>x", NOT_XML },
	{ REQUEST, "</mcpttinfo>", "</mcpttinfo><a/>", NOT_XML },
	{ REQUEST, "</migration>", "</migratio>", NOT_XML },
	{ REQUEST, ROOT, "<a:mcpttinfo ", NOT_XML },
	{ REQUEST, "sequence=", "order=\"1\" sequence=", NOT_XML },
	{ REQUEST, "sequence=", "x:sequence=", NOT_XML },
	{ REQUEST, "alice", "&unknown;", NOT_XML },
	{ REQUEST, "alice", "&#0;", NOT_XML },
	{ REQUEST, "alice", "a\n\n<", "body is not well-formed XML, line 3" },
	{ REQUEST, "alice", "al\x01ice", "control character in the body" },
	{ REQUEST, "alice",
	  "al\xff"
	  "ice",
	  "body is not UTF-8" },
	{ REQUEST, "alice", "al\xc3(ice", "body is not UTF-8" },
	{ REQUEST, "alice", "al\xc0\xafice", "body is not UTF-8" },
	{ REQUEST, "alice", "al\xed\xa0\x80ice", "body is not UTF-8" },
	{ REQUEST, "alice", "al\xf5\x80\x80\x80ice", "body is not UTF-8" },
	{ REQUEST, ROOT, "<?xml version='1.0' encoding='UTF-16'?>" ROOT,
	  "XML declaration has an encoding other than UTF-8" },
	{ REQUEST, ROOT, "<?xml version='1.0' encoding = \"UTF-7\"?>" ROOT,
	  "XML declaration has an encoding other than UTF-8" },
	{ REQUEST, ROOT, "<?xml version='1.0' encoding='UTF-8859'?>" ROOT,
	  "XML declaration has an encoding other than UTF-8" },
	{ REQUEST, ROOT, " <?xml version='1.0'?>" ROOT, NOT_XML },
	{ REQUEST, ROOT, "<!DOCTYPE mcpttinfo>" ROOT, "DOCTYPE in the body" },
	{ REQUEST, ROOT, BOMB ROOT, "DOCTYPE in the body" },
	{ REQUEST, ROOT,
	  "<?xml version='1.0'?><!-- a --><!DOCTYPE a SYSTEM "
	  "'file:///etc/passwd'>" ROOT,
	  "DOCTYPE in the body" },
	{ REQUEST, ROOT,
	  "<!DOCTYPE a PUBLIC 'b' 'http://a.example/c.dtd' [<!ENTITY % d "
	  "SYSTEM 'http://a.example/e'>%d;]>" ROOT,
	  "DOCTYPE in the body" },
	/* UTF-7: "+ADw-!DOCTYPE a+AD4-" is text outside the root for us. */
	{ REQUEST, ROOT, "+ADw-!DOCTYPE a+AD4-" ROOT, NOT_XML },
	{ REQUEST, "<anyExt>", "<anyExt>" DEEP DEEP_END,
	  "elements nested deeper than 16" },
	{ REQUEST, "sip:alice", DEEP DEEP_END,
	  "primary-mc-service-id holds more than text" },

	/* The standard's part. */
	{ REQUEST, REQUEST, "<a/>", "root element is not mcpttinfo" },
	{ REQUEST, REQUEST, "<mcpttinfo/>",
	  "namespace of mcpttinfo is not urn:3gpp:ns:mcpttInfo:1.0" },
	{ REQUEST, "mcpttInfo:1.0", "mcpttInfo:2.0",
	  "namespace of mcpttinfo is not urn:3gpp:ns:mcpttInfo:1.0" },
	{ REQUEST, REQUEST,
	  "<mcvideoinfo xmlns=\"urn:3gpp:ns:mcvideoInfo:1.0\"/>",
	  "root element is not mcpttinfo" },
	{ REQUEST, REQUEST, "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\"/>",
	  "mcptt-Params missing" },
	{ REQUEST, REQUEST,
	  "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\"><mcptt-Params/>"
	  "</mcpttinfo>",
	  "anyExt missing in mcptt-Params" },
	{ REQUEST, REQUEST,
	  "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\"><mcptt-Params>"
	  "<anyExt/></mcptt-Params></mcpttinfo>",
	  "migration missing in anyExt" },
	{ REQUEST, "</mcpttinfo>", "<mcptt-Params/></mcpttinfo>",
	  "more than one mcptt-Params element" },
	{ REQUEST, "</mcpttinfo>", "<other/></mcpttinfo>",
	  "unknown element in mcpttinfo" },
	{ REQUEST, "</mcpttinfo>", "<other xmlns=\"\"/></mcpttinfo>",
	  "unknown element in mcpttinfo" },
	{ REQUEST, "</mcptt-Params>", "<anyExt/></mcptt-Params>",
	  "more than one anyExt element" },
	{ REQUEST, "<anyExt>", TOKEN "<anyExt>",
	  "more than one mcptt-access-token element" },
	{ REQUEST, "<anyExt>", "text<anyExt>", "text between elements" },
	{ REQUEST, "<anyExt>", "<![CDATA[text]]><anyExt>",
	  "text between elements" },
	{ REQUEST, "<anyExt>", "<a><mcptt-Params/></a><anyExt>",
	  "mcptt element out of place" },
	{ REQUEST, "<anyExt>",
	  "<a><mcptt-access-token><mcpttString>x</mcpttString>"
	  "</mcptt-access-token></a><anyExt>",
	  "mcptt element out of place" },
	{ REQUEST, "<anyExt>",
	  "<a><mcvideoinfo xmlns=\"urn:3gpp:ns:mcvideoInfo:1.0\"/></a>"
	  "<anyExt>",
	  "mcvideo element out of place" },
	{ REQUEST, "<anyExt>",
	  "<anyExt xmlns:x=\"http://www.w3.org/2001/"
	  "XMLSchema-instance\" x:type=\"x\">",
	  "xsi:type or xsi:nil in the body" },

	/* The access token. */
	{ REQUEST, "\"Normal\"", "\"Encrypted\"", ENCRYPTED },
	{ REQUEST, "\"Normal\"", "\"&#69;ncrypted\"", ENCRYPTED },
	{ REQUEST, "\"Normal\"", "\"Signed\"",
	  "type of mcptt-access-token is not Normal" },
	{ REQUEST, "<mcpttString>eyJ.a.b</mcpttString>",
	  "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\""
	  "/>",
	  ENCRYPTED },
	{ REQUEST, "<anyExt>",
	  "<mcptt-request-uri type=\"Encrypted\"/><anyExt>", ENCRYPTED },
	{ REQUEST, "<mcpttString>eyJ.a.b</mcpttString>", "",
	  "mcptt-access-token is empty" },
	{ REQUEST, "eyJ.a.b", "", "access token is empty" },
	{ REQUEST, "eyJ.a.b", "eyJ .a.b",
	  "character in the access token that is not printable ASCII" },
	{ REQUEST, "eyJ.a.b", "ey\xc3\xa9",
	  "character in the access token that is not printable ASCII" },
	{ REQUEST, "eyJ.a.b", "ey<!-- -->J",
	  "access token holds more than text" },
	{ REQUEST, "<mcpttString>", "<mcpttString type=\"x\">",
	  "unknown attribute of access token" },
	{ REQUEST, "<mcpttString>", "<mcpttURI>a</mcpttURI><mcpttString>",
	  "unknown element in mcptt-access-token" },
	{ REQUEST, "<mcpttString>", "<mcpttString>a</mcpttString><mcpttString>",
	  "more than one mcpttString element" },
	{ REQUEST, "<mcpttString>", "a<mcpttString>", "text between elements" },

	/* <migration>. */
	{ REQUEST, MIGRATION, MIGRATION "</migration>" MIGRATION,
	  "migration is empty" },
	{ REQUEST, CLOSE,
	  "</migration>" MIGRATION "</migration></anyExt></mcptt-Params>"
	  "</mcpttinfo>",
	  "more than one migration element" },
	{ REQUEST, "<anyExt>", MIGRATION "</migration><anyExt>",
	  "migration element out of place" },
	{ REQUEST, "<anyExt>", "<anyExt><a>" MIGRATION "</migration></a>",
	  "migration element out of place" },
	{ REQUEST, "<anyExt>", "<anyExt><result xmlns=\"" NAMESPACE "\"/>",
	  "migration element out of place" },
	{ REQUEST, NAMESPACE, "urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607c",
	  "migration missing in anyExt" },
	{ REQUEST, MIGRATION,
	  "<migration version=\"1\" xmlns=\"" NAMESPACE "\">",
	  "unknown attribute in migration" },
	{ REQUEST, MIGRATION, MIGRATION "text", "text between elements" },
	{ REQUEST, MIGRATION, MIGRATION "<cancel-request/>",
	  "unknown element in migration" },
	{ REQUEST, MIGRATION, MIGRATION "<authorization-request xmlns=\"\"/>",
	  "unknown element in migration" },
	{ REQUEST, "</authorization-request>",
	  "</authorization-request><deauthorization-request/>",
	  "more than one element in migration" },

	/* Attributes. */
	{ REQUEST, "order=", "version=",
	  "unknown attribute in "
	  "authorization-request" },
	{ REQUEST, "order=\"5\"", "xml:lang=\"en\"",
	  "unknown attribute in authorization-request" },
	{ REQUEST, "sequence=\"17\"", "Sequence=\"17\"",
	  "unknown attribute in authorization-request" },
	{ REQUEST, "\"17\"", "\"\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"0\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"-1\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"+1\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\" 1\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"017\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"1e3\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"0x11\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"9223372036854775808\"", NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"", "\"18446744073709551617\"",
	  NO_NUMBER("sequence") },
	{ REQUEST, "\"17\"",
	  "\"00000000000000000000000000000000000000000000000000000000000000"
	  "0000000000000000000000017\"",
	  NO_NUMBER("sequence") },
	{ REQUEST, "order=\"5\"", "order=\"five\"", NO_NUMBER("order") },
	{ REQUEST, PROCEDURE, "", "procedure is not a UUID" },
	{ REQUEST, PROCEDURE, "0b8a2f0e6c7f4b6f9b432b8a4f7d1c55",
	  "procedure is not a UUID" },
	{ REQUEST, PROCEDURE, "{0b8a2f0e-6c7f-4b6f-9b43-2b8a4f7d1c5}",
	  "procedure is not a UUID" },
	{ REQUEST, PROCEDURE, "0b8a2f0e-6c7f-4b6f-9b43-2b8a4f7d1c5g",
	  "procedure is not a UUID" },
	{ REQUEST, PROCEDURE, PROCEDURE " ", "procedure is not a UUID" },
	{ REQUEST, PROCEDURE, "0b8a2f0e-6c7f-4b6f-9b432-b8a4f7d1c55",
	  "procedure is not a UUID" },

	/* Leaves: missing, twice, elsewhere, unknown. */
	{ REQUEST, PARTNER, "",
	  "partner-mc-service-id missing in authorization-request" },
	{ REQUEST, PRIMARY, "",
	  "primary-mc-service-id missing in authorization-request" },
	{ REQUEST, PROFILE, "",
	  "profile-index missing in authorization-request" },
	{ REQUEST, PARTNER PRIMARY PROFILE, "",
	  "partner-mc-service-id missing in authorization-request" },
	{ DEREQUEST, PARTNER, "",
	  "partner-mc-service-id missing in deauthorization-request" },
	{ DEREQUEST, PRIMARY, "",
	  "primary-mc-service-id missing in deauthorization-request" },
	{ SUCCESS, PARTNER, "",
	  "partner-mc-service-id missing in authorization-response" },
	{ SUCCESS, "<result>success</result>", "",
	  "result missing in authorization-response" },
	{ FAILURE, "<result>failure</result>", "",
	  "result missing in deauthorization-response" },
	{ REQUEST, PARTNER, PARTNER PARTNER,
	  "partner-mc-service-id twice in authorization-request" },
	{ REQUEST, PRIMARY, PRIMARY PRIMARY,
	  "primary-mc-service-id twice in authorization-request" },
	{ REQUEST, PROFILE, PROFILE PROFILE,
	  "profile-index twice in authorization-request" },
	{ FAILURE, "<cause>", "<cause>other</cause><cause>",
	  "cause twice in deauthorization-response" },
	{ FAILURE, "<text>", "<text>a</text><text>",
	  "text twice in deauthorization-response" },
	{ SUCCESS, "<result>", "<result>failure</result><result>",
	  "result twice in authorization-response" },
	{ REQUEST, PARTNER PRIMARY, PRIMARY PARTNER,
	  "partner-mc-service-id in the wrong order in "
	  "authorization-request" },
	{ REQUEST, PRIMARY PROFILE, PROFILE PRIMARY,
	  "primary-mc-service-id in the wrong order in "
	  "authorization-request" },
	{ REQUEST, PROFILE, PROFILE "<result>success</result>",
	  "result not allowed in authorization-request" },
	{ DEREQUEST, PRIMARY, PRIMARY PROFILE,
	  "profile-index not allowed in deauthorization-request" },
	{ SUCCESS, PRIMARY, PRIMARY PROFILE,
	  "profile-index not allowed in authorization-response" },
	{ REQUEST, PROFILE, PROFILE "<colour>red</colour>",
	  "unknown element in authorization-request" },
	{ REQUEST, PROFILE, "<profile-index xmlns=\"\">3</profile-index>",
	  "unknown element in authorization-request" },
	{ REQUEST, PROFILE, PROFILE "text", "text between elements" },
	{ REQUEST, "<profile-index>", "<profile-index unit=\"x\">",
	  "unknown attribute of profile-index" },
	{ REQUEST, "<partner-mc-service-id>",
	  "<partner-mc-service-id type=\"Encrypted\">", ENCRYPTED },

	/* Identities: one run of text, a SIP URI, two different ones. */
	{ REQUEST, "alice", "<!-- -->alice",
	  "primary-mc-service-id holds more than text" },
	{ REQUEST, "alice", "al<!-- x -->ice",
	  "primary-mc-service-id holds more than text" },
	{ REQUEST, "alice", "al<?x y?>ice",
	  "primary-mc-service-id holds more than text" },
	{ REQUEST, "alice", "<![CDATA[alice]]>",
	  "primary-mc-service-id holds more than text" },
	{ REQUEST, "alice", "<b>alice</b>",
	  "primary-mc-service-id holds more than text" },
	{ REQUEST, "alice", "al<b xmlns=\"urn:example\"/>ice",
	  "primary-mc-service-id holds more than text" },
	{ REQUEST, "sip:alice@a.example", "", NO_URI("primary-mc-service-id") },
	{ REQUEST, "sip:alice@a.example", "tel:+4930123456",
	  NO_URI("primary-mc-service-id") },
	{ REQUEST, "sip:alice@a.example", "sips:alice@a.example",
	  NO_URI("primary-mc-service-id") },
	{ REQUEST, "sip:alice@a.example", " sip:alice@a.example ",
	  NO_URI("primary-mc-service-id") },
	{ REQUEST, "sip:alice@a.example", "sip:alice@a.example\n",
	  NO_URI("primary-mc-service-id") },
	{ REQUEST, "sip:visitor@b.example", "sip:visitor&#10;@b.example",
	  NO_URI("partner-mc-service-id") },
	{ REQUEST, "sip:visitor@b.example", "sip:b.example",
	  NO_URI("partner-mc-service-id") },
	{ REQUEST, "sip:visitor@b.example", "sip:visitor%00@b.example",
	  NO_URI("partner-mc-service-id") },
	{ REQUEST, "sip:visitor@b.example", "sip:alice@a.example",
	  "partner and primary MC service ID are equal" },
	{ REQUEST, "sip:visitor@b.example", "SIP:%61lice@A.EXAMPLE",
	  "partner and primary MC service ID are equal" },

	/* Numbers and words. */
	{ REQUEST, ">3<", "><", "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">256<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">-1<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">+3<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", "> 3<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">03<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">3.0<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">x<",
	  "profile-index is not a number from 0 to 255" },
	{ REQUEST, ">3<", ">0000<", "profile-index is longer than 3 bytes" },
	{ SUCCESS, ">success<", "><", "result is neither success nor failure" },
	{ SUCCESS, ">success<", ">Success<",
	  "result is neither success nor failure" },
	{ SUCCESS, ">success<", ">maybe<",
	  "result is neither success nor failure" },
	{ SUCCESS, ">success<", ">successes<",
	  "result is longer than 7 bytes" },
	{ SUCCESS, ">success<", ">failure<",
	  "cause missing with result failure" },
	{ FAILURE, "<cause>ended</cause>", "",
	  "cause missing with result failure" },
	{ FAILURE, ">failure<", ">success<",
	  "cause given with result success" },
	{ SUCCESS, "</result>", "</result><text>fine</text>",
	  "text given with result success" },
	{ FAILURE, ">ended<", "><", "cause is not the name of a cause" },
	{ FAILURE, ">ended<", ">Ended<", "cause is not the name of a cause" },
	{ FAILURE, ">ended<", ">en ded<", "cause is not the name of a cause" },
	{ FAILURE, ">ended<", ">-ended<", "cause is not the name of a cause" },
	{ FAILURE, ">over<", ">ov\ner<", "control character in text" },
	{ FAILURE, ">over<",
	  ">ov\xc2\x85"
	  "er<",
	  "control character in text" },
	{ FAILURE, ">over<", ">o<b/>ver<", "text holds more than text" },
};

static void test_bad_documents(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *body = vary(bad[i].base, bad[i].from, bad[i].to);

		refused(MCPTT, body, strlen(body), 400, bad[i].text);
		free(body);
	}
}

/* ----------------------------------------------- bytes, lengths, counts */

static void test_nul_bytes(void)
{
	char body[] = REQUEST;

	*strstr(body, "alice") = '\0';
	refused(MCPTT, body, sizeof(body) - 1, 400,
		"control character in the body");
	refused(MCPTT, REQUEST, sizeof(REQUEST), 400,
		"control character in the body");
	refused(MCPTT, "\0<a/>", 5, 400, "control character in the body");
}

static void test_other_encodings(void)
{
	static const char document[] = "<!DOCTYPE a><a/>";
	char wide[4 * sizeof(document)];
	size_t n = sizeof(document) - 1;

	for (size_t i = 0; i < n; i++) {
		wide[2 * i] = document[i];
		wide[2 * i + 1] = '\0';
	}
	refused(MCPTT, wide, 2 * n, 400, "control character in the body");
	memmove(wide + 2, wide, 2 * n);
	memcpy(wide, "\xff\xfe", 2);
	refused(MCPTT, wide, 2 * n + 2, 400, "body is not UTF-8");
	for (size_t i = 0; i < n; i++) {
		wide[2 + 2 * i] = '\0';
		wide[3 + 2 * i] = document[i];
	}
	memcpy(wide, "\xfe\xff", 2);
	refused(MCPTT, wide, 2 * n + 2, 400, "body is not UTF-8");
	refused(MCPTT, "\x4c\x6f\xa7\x94", 4, 400, "body is not UTF-8");
	refused(MCPTT, "\xef\xbb\xbf<!DOCTYPE a><a/>", 19, 400,
		"DOCTYPE in the body");
	refused(MCPTT, "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-7'?>", 41,
		400, "XML declaration has an encoding other than UTF-8");
}

static char *filled(const char *before, const char *filling, size_t count,
		    const char *after)
{
	size_t length = strlen(filling);
	char *body =
	    malloc(strlen(before) + count * length + strlen(after) + 1);
	char *at = stpcpy(body, before);

	while (count--)
		at = stpcpy(at, filling);
	strcpy(at, after);
	return body;
}

static void refuse_filled(const char *from, const char *filling, size_t count,
			  int status, const char *text)
{
	char *long_text = filled("", filling, count, "");
	char *body = vary(REQUEST, from, long_text);

	refused(MCPTT, body, strlen(body), status, text);
	free(body);
	free(long_text);
}

static void test_lengths(void)
{
	char *body;

	refuse_filled("alice", "a", 300, 400,
		      "primary-mc-service-id is longer than 255 bytes");
	refuse_filled("visitor", "&#97;", 244, 400,
		      "partner-mc-service-id is longer than 255 bytes");
	refuse_filled("eyJ.a.b", "x", MCINFO_TOKEN_MAX + 1, 400,
		      "access token is longer than 16384 bytes");
	refuse_filled("<anyExt>", " ", MCINFO_BODY_MAX, 413,
		      "body larger than 65536 bytes");
	body = filled("", "x", MCINFO_BODY_MAX + 1, "");
	refused("text/plain", body, strlen(body), 413,
		"body larger than 65536 bytes");
	free(body);

	body = filled(OPEN "<deauthorization-response>" PARTNER PRIMARY
			   "<result>failure</result><cause>ended</cause><text>",
		      "x", 256, "</text></deauthorization-response>" CLOSE);
	refused(MCPTT, body, strlen(body), 400,
		"text is longer than 255 bytes");
	free(body);
	body = filled(OPEN "<deauthorization-response>" PARTNER PRIMARY
			   "<result>failure</result><cause>",
		      "x", 65, "</cause></deauthorization-response>" CLOSE);
	refused(MCPTT, body, strlen(body), 400,
		"cause is longer than 64 bytes");
	free(body);
}

static void test_counts(void)
{
	char attributes[20 * 1100], *at = attributes;

	refuse_filled("</mcptt-Params>", "<a/>", 300, 400,
		      "more than 256 elements");
	for (int i = 0; i < 1100; i++)
		at += sprintf(at, " a%d=\"\"", i);
	refuse_filled(" xmlns", attributes, 1, 400,
		      "too many attributes in the body");
}

/* ------------------------------------------------- types and multipart */

#define NO_TYPE "Content-Type is not of an MC service"
#define MIXED "multipart/mixed;boundary=b"
#define PART(type, text) "--b\r\nContent-Type: " type "\r\n\r\n" text "\r\n"
#define OTHER PART("application/sdp", "v=0")
#define INFO PART(MCPTT, REQUEST)
#define END "--b--\r\n"

static const struct {
	const char *type, *body;
	int status;
	const char *text;
} bad_types[] = {
	{ NULL, REQUEST, 415, "Content-Type missing" },
	{ "", REQUEST, 415, "Content-Type missing" },
	{ "text/plain", REQUEST, 415, NO_TYPE },
	{ "application/xml", REQUEST, 415, NO_TYPE },
	{ "application/vnd.3gpp.mcptt-info", REQUEST, 415, NO_TYPE },
	{ "application/vnd.3gpp.mcfoo-info+xml", REQUEST, 415, NO_TYPE },
	{ "application/vnd.3gpp.mcptt-info+xml2", REQUEST, 415, NO_TYPE },
	{ "multipart/alternative;boundary=b", INFO END, 415, NO_TYPE },
	{ "application", REQUEST, 400, "Content-Type is malformed" },
	{ "application/", REQUEST, 400, "Content-Type is malformed" },
	{ MCPTT ";", REQUEST, 400, "Content-Type is malformed" },
	{ MCPTT "; charset", REQUEST, 400, "Content-Type is malformed" },
	{ MCPTT " charset=utf-8", REQUEST, 400, "Content-Type is malformed" },
	{ MCPTT "; charset=\"utf-8", REQUEST, 400,
	  "Content-Type is malformed" },
	{ MCPTT "; charset=utf-8;charset=utf-16", REQUEST, 400,
	  "Content-Type is malformed" },
	{ MCPTT "; charset=utf-16", REQUEST, 400,
	  "charset of Content-Type is not UTF-8" },
	{ MCPTT "; charset=iso-8859-1", REQUEST, 400,
	  "charset of Content-Type is not UTF-8" },
	{ "application/vnd.3gpp.mcvideo-info+xml", REQUEST, 400,
	  "root element is not mcvideoinfo" },
	{ "application/vnd.3gpp.mcdata-info+xml", REQUEST, 400,
	  "root element is not mcdatainfo" },

	{ "multipart/mixed", INFO END, 400,
	  "multipart/mixed without a boundary" },
	{ "multipart/mixed;boundary=\"b \"", INFO END, 400,
	  "boundary of multipart/mixed is malformed" },
	{ "multipart/mixed;boundary=\"b#\"", INFO END, 400,
	  "boundary of multipart/mixed is malformed" },
	{ "multipart/mixed;boundary="
	  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	  "bbb",
	  INFO END, 400, "Content-Type is malformed" },
	{ "multipart/mixed;boundary=c", INFO END, 400,
	  "multipart body without its boundary" },
	{ MIXED, "", 400, "multipart body without its boundary" },
	{ MIXED, INFO, 400, "multipart body is not closed" },
	{ MIXED, INFO "--b-", 400, "multipart body is not closed" },
	{ MIXED, INFO "--b", 400, "multipart body is not closed" },
	{ MIXED, INFO "--bb--\r\n", 400, "multipart body is not closed" },
	{ MIXED, END, 415, "multipart body without an MC info part" },
	{ MIXED, OTHER END, 415, "multipart body without an MC info part" },
	{ MIXED, OTHER END INFO END, 415,
	  "multipart body without an MC info part" },
	{ MIXED, INFO OTHER INFO END, 400, "more than one MC info body part" },
	{ MIXED, INFO PART("application/vnd.3gpp.mcdata-info+xml", "<a/>") END,
	  400, "more than one MC info body part" },
	{ MIXED, PART("multipart/mixed;boundary=c", "--c--") INFO END, 415,
	  "nested multipart body" },
	{ MIXED, PART("multipart/related", "") INFO END, 415,
	  "nested multipart body" },
	{ MIXED, PART(MCPTT, "") END, 400, "body is empty" },
	{ MIXED, PART(MCPTT, "<!DOCTYPE a><a/>") END, 400,
	  "DOCTYPE in the body" },
	{ MIXED, PART(MCPTT ";charset=utf-16", REQUEST) END, 400,
	  "charset of Content-Type is not UTF-8" },
	{ MIXED, PART(MCPTT "\r\nContent-Type: text/plain", REQUEST) END, 400,
	  "Content-Type of a body part given twice" },
	{ MIXED, PART(MCPTT ";", REQUEST) END, 400,
	  "Content-Type of a body part is malformed" },
	{ MIXED,
	  PART(MCPTT "\r\nContent-Transfer-Encoding: base64", REQUEST) END, 415,
	  "MC info body part is encoded" },
	{ MIXED,
	  PART(MCPTT "\r\ncontent-transfer-encoding: quoted-printable", REQUEST)
	      END,
	  415, "MC info body part is encoded" },
	{ MIXED, PART(MCPTT "\r\nContent-Encoding: gzip", REQUEST) END, 415,
	  "MC info body part is encoded" },
	{ MIXED, PART(MCPTT "\r\nno colon", REQUEST) END, 400,
	  "header fields of a body part are malformed" },
	{ MIXED, "--b\r\n" END, 400,
	  "header fields of a body part are malformed" },
	{ MIXED, "--b\nContent-Type: " MCPTT "\n\n" REQUEST "\n--b--\n", 400,
	  "multipart body without its boundary" },
	{ MIXED,
	  OTHER OTHER OTHER OTHER OTHER OTHER OTHER OTHER OTHER OTHER OTHER
	      OTHER OTHER OTHER OTHER OTHER INFO END,
	  400, "more than 16 body parts" },
};

static void test_bad_types(void)
{
	for (size_t i = 0; i < sizeof(bad_types) / sizeof(bad_types[0]); i++)
		refused(bad_types[i].type, bad_types[i].body,
			strlen(bad_types[i].body), bad_types[i].status,
			bad_types[i].text);
}

static void test_part_headers_are_bounded(void)
{
	char *body = filled("--b\r\nContent-Type: " MCPTT "\r\n", "X: y\r\n",
			    1000, "\r\n" REQUEST "\r\n--b--");

	refused(MIXED, body, strlen(body), 400,
		"header fields of a body part are malformed");
	free(body);
}

static int begin(void)
{
	return mcinfo_parser_create(&parser);
}

static int end(void)
{
	mcinfo_parser_destroy(parser);
	return 0;
}

static CU_TestInfo tests[] = {
	{ "bad documents", test_bad_documents },
	{ "NUL bytes", test_nul_bytes },
	{ "other encodings", test_other_encodings },
	{ "lengths", test_lengths },
	{ "counts", test_counts },
	{ "bad types and multipart bodies", test_bad_types },
	{ "headers of a part are bounded", test_part_headers_are_bounded },
	CU_TEST_INFO_NULL,
};
CU_SuiteInfo unit_suites[] = {
	{ "mcinfo refuses", begin, end, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
