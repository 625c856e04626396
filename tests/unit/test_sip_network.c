/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip: the header fields that an IMS adds, good, bad and garbage. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sip_fixture.h"

enum { ROUTE, SERVICE, SERVED, CASE, CHARGING, ACCESS, PRIVACY, FIELDS };

static struct {
	unsigned count;
	char fields[FIELDS][2048];
} heard;

static void on_message(void *arg, const struct sip_inbound *message)
{
	const struct sip_network_headers *network = &message->network;
	const char *const fields[FIELDS] = {
		network->route,		  network->asserted_service,
		network->served_user,	  network->session_case,
		network->charging_vector, network->access_network_info,
		network->privacy,
	};
	const struct sip_reply reply = { .status = 200 };

	(void)arg;
	heard.count++;
	for (int i = 0; i < FIELDS; i++)
		snprintf(heard.fields[i], sizeof(heard.fields[i]), "%s",
			 fields[i] ? fields[i] : "-");
	sip_reply(sip, message->transaction, &reply);
}

static int start(uint16_t *port)
{
	fixture_start(NULL);
	memset(&heard, 0, sizeof(heard));
	sip_set_message_handler(sip, on_message, NULL);
	return peer_connect(UDP4, port);
}

static const char *ask(int fd, uint16_t port, const char *lines)
{
	static unsigned number;
	struct request request = { .port = port, .lines = lines };
	char branch[16];

	snprintf(branch, sizeof(branch), "%u", ++number);
	request.branch = branch;
	peer_send(fd, request_text(&request));
	return peer_receive(fd);
}

static const struct {
	const char *lines;
	int field; /* FIELDS: 400 */
	const char *value;
} cases[] = {
	{ "Max-Forwards: 70\r\n", ROUTE, "-" },
	{ "Max-Forwards: 70\r\n", PRIVACY, "-" },
	/* TS 24.229: the application server, then the S-CSCF's mark. */
	{ "Route: <sip:127.0.0.1:5060;lr>, <sip:iscmark@s.example;lr>\r\n",
	  ROUTE, "sip:127.0.0.1:5060;lr" },
	{ "Route: <sip:as@b.example;transport=tcp;lr>\r\n"
	  "Route: <sip:other.example;lr>\r\n",
	  ROUTE, "sip:as@b.example;transport=tcp;lr" },
	{ "Route: nonsense;;\r\n", FIELDS, NULL },
	{ "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt\r\n",
	  SERVICE, "urn:urn-7:3gpp-service.ims.icsi.mcptt" },
	{ "p-asserted-service:urn:x \r\n", SERVICE, "urn:x" },
	{ "P-Asserted-Service: mcptt\r\n", FIELDS, NULL },
	{ "P-Asserted-Service: urn:\r\n", FIELDS, NULL },
	{ "P-Asserted-Service: urn:a, urn:b\r\n", FIELDS, NULL },
	{ "P-Asserted-Service: urn:a\r\nP-Asserted-Service: urn:a\r\n", FIELDS,
	  NULL },
	{ "P-Served-User: <sip:v@b.example>;sescase=orig;regstate=reg\r\n",
	  SERVED, "sip:v@b.example" },
	{ "P-Served-User: <sip:v@b.example>;sescase=orig;regstate=reg\r\n",
	  CASE, "orig" },
	{ "P-Served-User: \"V, <x>\" <sip:v@b.example;user=phone>\r\n", SERVED,
	  "sip:v@b.example;user=phone" },
	{ "P-Served-User: sip:v@b.example;sescase=TERM\r\n", SERVED,
	  "sip:v@b.example" },
	{ "P-Served-User: sip:v@b.example ; sescase = TERM\r\n", CASE, "term" },
	{ "P-Served-User: <sip:v@b.example>;sescase=orig;orig-cdiv\r\n", CASE,
	  "orig-cdiv" },
	{ "P-Served-User: <sip:v@b.example>;orig-cdiv;sescase=orig\r\n", CASE,
	  "orig-cdiv" },
	{ "P-Served-User: <sip:v@b.example>\r\n", CASE, "-" },
	{ "P-Served-User: <sip:v@b.example>;sescase=both\r\n", FIELDS, NULL },
	{ "P-Served-User: <sip:v@b.example>;sescase\r\n", FIELDS, NULL },
	{ "P-Served-User: <sip:v@b.example>;sescase=orig;sescase=term\r\n",
	  FIELDS, NULL },
	{ "P-Served-User: <sip:v@b.example\r\n", FIELDS, NULL },
	{ "P-Served-User: <sip:a@b.example>, <sip:c@b.example>\r\n", FIELDS,
	  NULL },
	{ "P-Served-User: nobody\r\n", FIELDS, NULL },
	{ "P-Served-User:\r\n", FIELDS, NULL },
	{ "P-Served-User: <sip:a@b.example>\r\n"
	  "P-SERVED-USER: <sip:a@b.example>\r\n",
	  FIELDS, NULL },
	{ "P-Charging-Vector: icid-value=\"1;2,3\";icid-generated-at=[::1];"
	  "orig-ioi=home1.net\r\n",
	  CHARGING,
	  "icid-value=\"1;2,3\";icid-generated-at=[::1];orig-ioi=home1.net" },
	{ "P-Charging-Vector: orig-ioi=x; icid-value=AyretyU0dm+6O2=\r\n",
	  CHARGING, "orig-ioi=x; icid-value=AyretyU0dm+6O2=" },
	{ "P-Charging-Vector: orig-ioi=x\r\n", FIELDS, NULL },
	{ "P-Charging-Vector: icid-value\r\n", FIELDS, NULL },
	{ "P-Charging-Vector: icid-value=\"1\r\n", FIELDS, NULL },
	{ "P-Charging-Vector: icid-value=1;icid-value=2\r\n", FIELDS, NULL },
	{ "P-Charging-Vector: icid-value=1, icid-value=2\r\n", FIELDS, NULL },
	{ "P-Charging-Vector: icid-value=1;;\r\n", FIELDS, NULL },
	/* The network adds its own to the client's (RFC 7315 4.4). */
	{ "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;"
	  "utran-cell-id-3gpp=234151D0FCE11\r\n"
	  "P-Access-Network-Info: IEEE-802.11;np\r\n",
	  ACCESS, "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=234151D0FCE11" },
	{ "P-Access-Network-Info: ADSL;dsl-location=\"a,b\" , GSTN\r\n", ACCESS,
	  "ADSL;dsl-location=\"a,b\" , GSTN" },
	{ "P-Access-Network-Info: ADSL,\r\n", FIELDS, NULL },
	{ "P-Access-Network-Info: a=b\r\n", FIELDS, NULL },
	{ "P-Access-Network-Info: ;x\r\n", FIELDS, NULL },
	{ "Privacy: id\r\n", PRIVACY, "id" },
	{ "Privacy: id;header;user\r\n", PRIVACY, "id;header;user" },
	{ "Privacy: <id>\r\n", FIELDS, NULL },
};

static void test_cases(void)
{
	uint16_t port;
	int fd = start(&port);
	uint64_t refused = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned before = heard.count;
		int status = status_of(ask(fd, port, cases[i].lines));
		bool good = cases[i].field != FIELDS;

		if (status != (good ? 200 : 400))
			fprintf(stderr, "%s: %d\n", cases[i].lines, status);
		CU_ASSERT_EQUAL(status, good ? 200 : 400);
		CU_ASSERT_EQUAL(heard.count, before + good);
		if (good) {
			CU_ASSERT(
			    is(heard.fields[cases[i].field], cases[i].value));
		} else {
			refused++;
		}
	}
	/* Routes and Privacy are Sofia's to refuse. */
	CU_ASSERT_EQUAL(counter("sip.refused_network"), refused - 2);
	close(fd);
	fixture_stop();
}

static void test_the_warning_names_it(void)
{
	uint16_t port;
	int fd = start(&port);

	CU_ASSERT(
	    is(header_of(ask(fd, port, "P-Charging-Vector: x\r\n"), "Warning"),
	       "399 b.example \"header P-Charging-Vector is malformed "
	       "or given twice\""));
	close(fd);
	fixture_stop();
}

/* A kilobyte is more than any of them has. */
static void test_their_length(void)
{
	static char lines[4096];
	uint16_t port;
	int fd = start(&port);

	snprintf(lines, sizeof(lines),
		 "P-Charging-Vector: icid-value=%0999d\r\n", 0);
	CU_ASSERT_EQUAL(status_of(ask(fd, port, lines)), 200);
	CU_ASSERT_EQUAL(strlen(heard.fields[CHARGING]), 999 + 11);
	snprintf(lines, sizeof(lines),
		 "P-Charging-Vector: icid-value=%01999d\r\n", 0);
	CU_ASSERT_EQUAL(status_of(ask(fd, port, lines)), 400);
	snprintf(lines, sizeof(lines), "P-Served-User: <sip:%0400d@x>\r\n", 0);
	CU_ASSERT_EQUAL(status_of(ask(fd, port, lines)), 400);
	close(fd);
	fixture_stop();
}

/* --- Garbage -------------------------------------------------------------- */

static uint32_t state = 4711;

static uint32_t draw(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

/* What the grammars are made of, and what they are not. */
static void make_garbage(char *value, size_t size)
{
	static const char *const pieces[] = {
		"sip:",	      "a@b.example", "<",	">",	    "\"",
		"\\",	      ";",	     "=",	",",	    " ",
		"\t",	      "urn:",	     "sescase", "orig",	    "term",
		"icid-value", "x",	     "[::1]",	"%00",	    "\xc3\xa4",
		"\x01",	      "\x7f",	     "\r\n ",	"*",	    "id",
		"lr",	      "tel:+1",	     "@",	"regstate", "orig-cdiv",
	};
	size_t used = 0;

	value[0] = '\0';
	for (uint32_t left = draw(24); left; left--) {
		const char *piece =
		    pieces[draw(sizeof(pieces) / sizeof(*pieces))];

		used +=
		    (size_t)snprintf(value + used, size - used, "%s", piece);
	}
}

/* It is taken or refused, and nothing else happens. */
static void test_garbage(void)
{
	static const char *const names[] = {
		"Route",
		"P-Asserted-Service",
		"P-Served-User",
		"P-Charging-Vector",
		"P-Access-Network-Info",
		"Privacy",
		"P-Asserted-Identity",
	};
	uint16_t port;
	int fd = start(&port);
	char lines[1024], value[512];

	for (unsigned i = 0; i < 3000; i++) {
		int status;

		make_garbage(value, sizeof(value));
		snprintf(lines, sizeof(lines), "%s: %s\r\n",
			 names[draw(sizeof(names) / sizeof(*names))], value);
		status = status_of(ask(fd, port, lines));
		if (status != 200 && status != 400)
			fprintf(stderr, "%s: %d\n", lines, status);
		CU_ASSERT(status == 200 || status == 400);
	}
	CU_ASSERT(heard.count > 0);
	close(fd);
	fixture_stop();
}

static CU_TestInfo network_tests[] = {
	{ "what is read of them", test_cases },
	{ "the Warning names it", test_the_warning_names_it },
	{ "their length", test_their_length },
	{ "garbage", test_garbage },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "header fields of the network", NULL, NULL, NULL, NULL,
	  network_tests },
	CU_SUITE_INFO_NULL,
};
