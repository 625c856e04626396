/* SPDX-License-Identifier: BSD-2-Clause */
/* The ims module: whom it believes, what it remembers, which ways it gives. */
#include "ims_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

/* --- Requests --------------------------------------------------------------- */

static struct sip_registration usual(void)
{
	struct sip_registration request = {
		.transaction = 1,
		.source = { .host = PEER, .port = 33333, .transport = SIP_TCP },
		.sender_uri = HOP,
		.identity = ALICE,
		.registrar = SCSCF,
		.contact = SCSCF,
		.call_id = "call-1",
		.cseq = 1,
		.expires_s = 600,
	};

	return request;
}

static int tell(const struct sip_registration *request)
{
	unsigned before = wire.replies;

	wire.status = 0;
	wire.handler(wire.arg, request);
	CU_ASSERT(wire.replies == before || wire.replies == before + 1);
	return wire.status;
}

/* The nth way to alice; "" if there is none. */
static const char *way(const char *identity, const char *asked_by, unsigned n)
{
	struct ims_hop hop;

	return core.ims->next_hop(core.ims, identity, asked_by, n, &hop)
		   ? hop.uri
		   : "";
}

static bool is(const char *value, const char *expected)
{
	if (strcmp(value, expected))
		fprintf(stderr, "is %s\n not %s\n", value, expected);
	return !strcmp(value, expected);
}

/* --- Registrations ---------------------------------------------------------- */

static void test_a_registration(void)
{
	struct sip_registration request = usual();
	struct ims_hop hop;

	ims_start();
	CU_ASSERT(is(way(ALICE, "", 0), OTHER_HOP));
	CU_ASSERT(is(way(ALICE, "", 1), ""));
	request.identity = "SIP:%61lice@B.Example";
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_TRUE_FATAL(core.ims->next_hop(core.ims, ALICE, "", 0, &hop));
	CU_ASSERT(is(hop.uri, HOP));
	CU_ASSERT(is(hop.route, "<" HOP ";lr>"));
	CU_ASSERT_EQUAL(hop.certificate_name_count, 0);
	CU_ASSERT(is(way(ALICE, "", 1), OTHER_HOP));
	CU_ASSERT(is(way(ALICE, "", 2), ""));
	/* Of nobody else. */
	CU_ASSERT(is(way("sip:bob@b.example", "", 0), OTHER_HOP));
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
	CU_ASSERT_EQUAL(ims_statistic("ims.registers_taken"), 1);
}

static void test_it_expires(void)
{
	struct sip_registration request = usual();

	ims_start();
	CU_ASSERT_EQUAL(tell(&request), 200);
	ims_wait_s(599);
	CU_ASSERT(is(way(ALICE, "", 0), HOP));
	/* Refreshed. */
	request.cseq = 2;
	CU_ASSERT_EQUAL(tell(&request), 200);
	ims_wait_s(599);
	CU_ASSERT(is(way(ALICE, "", 0), HOP));
	ims_wait_s(1);
	CU_ASSERT(is(way(ALICE, "", 0), OTHER_HOP));
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 0);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations_expired"), 1);
}

static void test_it_ends(void)
{
	struct sip_registration request = usual();

	ims_start();
	CU_ASSERT_EQUAL(tell(&request), 200);
	/* Another S-CSCF, which had the user before. */
	request.expires_s = 0;
	request.registrar = "sip:former.b.example";
	request.call_id = "call-0";
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
	request.registrar = SCSCF;
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 0);
	/* Whoever was not here leaves once more. */
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations_expired"), 0);
}

/* RFC 3261 10.3 step 7. */
static void test_what_was_overtaken(void)
{
	struct sip_registration request = usual();

	ims_start();
	request.cseq = 7;
	CU_ASSERT_EQUAL(tell(&request), 200);
	request.cseq = 6;
	request.expires_s = 0;
	CU_ASSERT_EQUAL(tell(&request), 400);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
	CU_ASSERT_EQUAL(ims_statistic("ims.registers_old"), 1);
	/* Twice is once. */
	request.cseq = 7;
	request.expires_s = 600;
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
	/* A call of its own has its own numbers. */
	request.call_id = "call-2";
	request.cseq = 1;
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
}

static void test_strangers(void)
{
	struct sip_registration request = usual();

	ims_start();
	strcpy(request.source.host, "203.0.113.9");
	CU_ASSERT_EQUAL(tell(&request), 403);
	/* An address that is trusted proves nothing on TLS. */
	strcpy(request.source.host, PEER);
	request.source.transport = SIP_TLS;
	CU_ASSERT_EQUAL(tell(&request), 403);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 0);
	CU_ASSERT_EQUAL(ims_statistic("ims.registers_untrusted"), 2);
	CU_ASSERT_FALSE(core.ims->trusts(core.ims, &request.source));
}

static const struct {
	const char *identity;
	int status;
} identities[] = {
	{ "sip:+493012345@b.example;user=phone", 200 },
	{ "sip:+493012345@b.example;USER=Phone", 200 },
	{ "sip:b.example", 400 },
	{ "tel:+493012345", 400 },
	{ "sip:a@b.example;transport=tcp", 400 },
	{ "sip:a@b.example?x=y", 400 },
	{ "nobody", 400 },
	{ "", 400 },
};

static void test_identities(void)
{
	struct sip_registration request = usual();

	ims_start();
	for (size_t i = 0; i < sizeof(identities) / sizeof(*identities); i++) {
		request.identity = identities[i].identity;
		if (tell(&request) != identities[i].status)
			fprintf(stderr, "%s: %d\n", request.identity,
				wire.status);
		CU_ASSERT_EQUAL(wire.status, identities[i].status);
	}
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
	CU_ASSERT_EQUAL(ims_statistic("ims.registers_refused"), 6);
	CU_ASSERT(is(way("sip:+493012345@b.example;user=phone", "", 0), HOP));
}

static void test_the_table_is_bounded(void)
{
	struct sip_registration request = usual();
	char identity[64];

	settings.registrations_max = 3;
	ims_start();
	request.identity = identity;
	for (unsigned i = 0; i < 5; i++) {
		snprintf(identity, sizeof(identity), "sip:u%u@b.example", i);
		CU_ASSERT_EQUAL(tell(&request), 200);
		/* The first one is refreshed again and again. */
		request.cseq++;
		snprintf(identity, sizeof(identity), "sip:u0@b.example");
		CU_ASSERT_EQUAL(tell(&request), 200);
	}
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 3);
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations_pushed_out"), 2);
	CU_ASSERT(is(way("sip:u0@b.example", "", 0), HOP));
	CU_ASSERT(is(way("sip:u1@b.example", "", 0), OTHER_HOP));
	CU_ASSERT(is(way("sip:u2@b.example", "", 0), OTHER_HOP));
	CU_ASSERT(is(way("sip:u4@b.example", "", 0), HOP));
}

/* --- What it carries --------------------------------------------------------- */

#define REGISTER "REGISTER sip:b.example SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n"
#define MIXED(part)                                                     \
	"--x\r\nContent-Type: application/3gpp-ims+xml\r\n\r\n<a/>\r\n" \
	"--x\r\nContent-Type: message/sip\r\n\r\n" part "\r\n--x--\r\n"
#define GOOD REGISTER "To: <" ALICE ">\r\nFrom: <" ALICE ">;tag=1\r\n\r\n"

static const struct {
	const char *type, *body;
	int status;
} bodies[] = {
	{ "message/sip", GOOD, 200 },
	{ "message/sip",
	  REGISTER "t: \"<sip:mallory@b.example>\" <" ALICE ">\r\n"
		   "f:sip:Alice@b.example;tag=1\r\n\r\n",
	  400 },
	{ "message/sip",
	  REGISTER "t: \"\\\"<sip:mallory@b.example>\" <" ALICE ">\r\n"
		   "f : sip:alice@B.example;tag=1\r\n\r\n",
	  200 },
	{ "message/sip",
	  REGISTER "To:\r\n <" ALICE ">\r\nFrom: <" ALICE ">\r\n\r\nTo: x",
	  200 },
	{ "message/sip",
	  "SIP/2.0 200 OK\r\nTo: <" ALICE ">;tag=2\r\nFrom: <" ALICE
	  ">;tag=1\r\n\r\n",
	  200 },
	{ "message/sip",
	  REGISTER "To: <sip:mallory@b.example>\r\nFrom: <" ALICE ">\r\n\r\n",
	  400 },
	{ "message/sip",
	  REGISTER "To: <" ALICE ">\r\nFrom: <sip:mallory@b.example>\r\n\r\n",
	  400 },
	{ "message/sip",
	  REGISTER "X: y\nTo: <sip:mallory@b.example>\r\nTo: <" ALICE
		   ">\r\nFrom: <" ALICE ">\r\n\r\n",
	  400 },
	{ "message/sip",
	  REGISTER "To: <" ALICE ">\r\nTo: <" ALICE ">\r\nFrom: <" ALICE
		   ">\r\n\r\n",
	  400 },
	{ "message/sip", REGISTER "To: <" ALICE ">\r\n\r\n", 400 },
	{ "message/sip", REGISTER "To: <" ALICE "\r\nFrom: <" ALICE ">\r\n\r\n",
	  400 },
	{ "message/sip", "\r\n", 400 },
	{ "message/sip", "x", 400 },
	{ "message/sip;version=2.0", GOOD, 200 },
	{ "multipart/mixed;boundary=x", MIXED(GOOD), 200 },
	{ "multipart/mixed;boundary=x",
	  MIXED(REGISTER "To: <sip:m@b.example>\r\nFrom: <" ALICE ">\r\n\r\n"),
	  400 },
	{ "multipart/mixed;boundary=y", MIXED(GOOD), 400 },
	{ "multipart/mixed", MIXED(GOOD), 400 },
	{ "application/3gpp-ims+xml", "<anything/>", 200 },
	{ "nonsense", "x", 400 },
	{ NULL, "x", 400 },
};

static void test_bodies(void)
{
	struct sip_registration request = usual();
	unsigned lies = 0;

	ims_start();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		request.content_type = bodies[i].type;
		request.body = bodies[i].body;
		request.body_bytes = strlen(bodies[i].body);
		request.cseq++;
		if (tell(&request) != bodies[i].status)
			fprintf(stderr, "%s: %d %s\n", request.body,
				wire.status, wire.warning);
		CU_ASSERT_EQUAL(wire.status, bodies[i].status);
		CU_ASSERT_EQUAL(ims_statistic("ims.registrations"),
				bodies[i].status == 200);
		lies += bodies[i].status == 400;
		/* Nothing is left for the next one. */
		request.expires_s = 0;
		request.body_bytes = 0;
		request.cseq++;
		CU_ASSERT_EQUAL(tell(&request), 200);
		request.expires_s = 600;
	}
	CU_ASSERT_EQUAL(ims_statistic("ims.registers_lying"), lies);
}

/* Cut anywhere: taken or refused, never read past its end. */
static void test_bodies_cut_short(void)
{
	struct sip_registration request = usual();
	size_t whole = strlen(GOOD);

	ims_start();
	request.content_type = "message/sip";
	for (size_t bytes = 1; bytes < whole; bytes++) {
		char *body = malloc(bytes);

		CU_ASSERT_PTR_NOT_NULL_FATAL(body);
		memcpy(body, GOOD, bytes);
		request.body = body;
		request.body_bytes = bytes;
		request.cseq++;
		tell(&request);
		CU_ASSERT(wire.status == 200 || wire.status == 400);
		free(body);
	}
}

/* --- Ways -------------------------------------------------------------------- */

static const struct {
	const char *contact, *hop;
} contacts[] = {
	{ NULL, HOP },
	{ "sip:scscf.b.example:7070;transport=tcp", HOP },
	{ "sip:192.0.2.12:7070;transport=udp",
	  "sip:192.0.2.12:7070;transport=udp" },
	/* As it came, where it does not say. */
	{ "sip:s@192.0.2.12:7070;lr;x=y", "sip:192.0.2.12:7070;transport=tcp" },
	{ "sip:192.0.2.11", "sip:192.0.2.11:5060;transport=tcp" },
	/* No peer. */
	{ "sip:203.0.113.9:7070;transport=tcp", HOP },
	{ "sip:192.0.2.12:7070;transport=sctp", HOP },
	{ "sip:192.0.2.12:0", HOP },
	{ "sip:192.0.2.12:70700", HOP },
	{ "sip:[192.0.2.12]:7070", HOP },
	{ "tel:+1", HOP },
	{ "", HOP },
};

static void test_contacts(void)
{
	struct sip_registration request = usual();

	ims_start();
	for (size_t i = 0; i < sizeof(contacts) / sizeof(*contacts); i++) {
		request.contact = contacts[i].contact;
		request.cseq++;
		CU_ASSERT_EQUAL(tell(&request), 200);
		CU_ASSERT(is(way(ALICE, "", 0), contacts[i].hop));
	}
}

static void test_ways_in_order(void)
{
	struct sip_registration request = usual();
	const char *asked_by = "sip:192.0.2.12:7070;transport=udp";

	ims_put(&settings.next_hops, hops,
		"sip:192.0.2.13:6060;transport=tcp 2");
	ims_put(&settings.next_hops, hops, HOP " 3 1");
	ims_start();
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT(is(way(ALICE, asked_by, 0), HOP));
	CU_ASSERT(is(way(ALICE, asked_by, 1), asked_by));
	CU_ASSERT(is(way(ALICE, asked_by, 2), OTHER_HOP));
	CU_ASSERT(
	    is(way(ALICE, asked_by, 3), "sip:192.0.2.13:6060;transport=tcp"));
	/* Each once. */
	CU_ASSERT(is(way(ALICE, asked_by, 4), ""));
	CU_ASSERT(is(way(ALICE, OTHER_HOP, 1), OTHER_HOP));
	CU_ASSERT(is(way(ALICE, OTHER_HOP, 3), ""));
	/* Who asked is of the IMS no more, or never was. */
	CU_ASSERT(
	    is(way(ALICE, "sip:203.0.113.9:5060;transport=udp", 1), OTHER_HOP));
	CU_ASSERT(is(way(ALICE, "nonsense", 1), OTHER_HOP));
	CU_ASSERT(
	    is(way(ALICE, "sip:192.0.2.11:5061;transport=tls", 1), OTHER_HOP));
}

/* Users are spread over S-CSCFs of like priority; each keeps its own. */
static void test_ways_by_weight(void)
{
	unsigned to_first = 0;
	char identity[64], first[128];

	settings.next_hops.count = 0;
	ims_put(&settings.next_hops, hops, HOP " 1 3");
	ims_put(&settings.next_hops, hops, OTHER_HOP " 1 1");
	ims_start();
	for (unsigned i = 0; i < 400; i++) {
		snprintf(identity, sizeof(identity), "sip:u%u@b.example", i);
		snprintf(first, sizeof(first), "%s", way(identity, "", 0));
		to_first += !strcmp(first, HOP);
		CU_ASSERT(is(way(identity, "", 0), first));
		CU_ASSERT(strcmp(way(identity, "", 1), first) != 0);
	}
	CU_ASSERT(to_first > 240 && to_first < 360);
}

static void test_tls(void)
{
	static const char *const certified[] = { CERTIFIED };
	struct sip_registration request = usual();
	struct ims_hop hop;

	ims_put(&settings.peers, peers, CERTIFIED);
	ims_start();
	request.source.transport = SIP_TLS;
	request.source.certificate_names = certified;
	request.source.certificate_name_count = 1;
	request.sender_uri = "sip:203.0.113.7:5061;transport=tls";
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_TRUE_FATAL(core.ims->next_hop(core.ims, ALICE, "", 0, &hop));
	CU_ASSERT(is(hop.uri, request.sender_uri));
	CU_ASSERT_EQUAL_FATAL(hop.certificate_name_count, 1);
	CU_ASSERT(is(hop.certificate_names[0], CERTIFIED));
	/* What has no port is where TLS is. */
	request.contact = "sips:203.0.113.7";
	request.cseq++;
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT(is(way(ALICE, "", 0), "sip:203.0.113.7:5061;transport=tls"));
}

/* --- Routes ------------------------------------------------------------------ */

static const struct {
	const char *route;
	bool is_ours;
} routes[] = {
	{ NULL, true },
	{ "sip:198.51.100.1;lr", true },
	{ "sip:198.51.100.1:5060;transport=tcp;lr", true },
	{ "sip:anybody@198.51.100.1:5060;lr", true },
	{ "sip:198.51.100.1:5060;maddr=192.0.2.1;lr", false },
	{ "sip:[2001:db8::1]:5060;lr", true },
	{ "sip:198.51.100.1:5070;lr", false },
	{ "sip:198.51.100.2:5060;lr", false },
	{ "sip:B.example;lr", true },
	{ "sip:as@b.example:7070;lr", true },
	{ "sip:as.b.example;lr", true },
	{ "sip:as.b.example:7070;lr", true },
	{ "sip:other.b.example:7070;lr", true },
	{ "sip:other.b.example;lr", false },
	{ "sip:as.b.example.evil.example;lr", false },
	{ "sip:b.example@evil.example;lr", false },
	{ "sip:evil.example;x=@b.example;lr", true }, /* no URI has it */
	{ "tel:+1", false },
	{ "sip:", false },
	{ "", false },
};

static void test_routes(void)
{
	ims_put(&settings.names, names, "As.b.example");
	ims_put(&settings.names, names, "other.b.example:7070");
	ims_start();
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		bool ours = core.ims->is_ours(core.ims, routes[i].route);

		if (ours != routes[i].is_ours)
			fprintf(stderr, "%s\n", routes[i].route);
		CU_ASSERT_EQUAL(ours, routes[i].is_ours);
	}
}

/* --- Who listens to registrations ---------------------------------------------- */

static struct {
	unsigned count;
	char identity[64];
	handle_t transaction;
	bool answers;
} listener;

static bool on_registered(void *arg, const char *identity, handle_t transaction)
{
	CU_ASSERT_PTR_EQUAL(arg, &listener);
	listener.count++;
	listener.transaction = transaction;
	snprintf(listener.identity, sizeof(listener.identity), "%s", identity);
	return listener.answers;
}

static void test_a_listener(void)
{
	struct sip_registration request = usual();

	ims_start();
	memset(&listener, 0, sizeof(listener));
	core.ims->set_registered_handler(core.ims, on_registered, &listener);
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(listener.count, 1);
	CU_ASSERT(is(listener.identity, ALICE));
	CU_ASSERT_EQUAL(listener.transaction, 1);
	/* Who answers later answers alone. */
	listener.answers = true;
	request.cseq++;
	CU_ASSERT_EQUAL(tell(&request), 0);
	CU_ASSERT_EQUAL(listener.count, 2);
	/* Not of who leaves. */
	request.expires_s = 0;
	request.cseq++;
	CU_ASSERT_EQUAL(tell(&request), 200);
	strcpy(request.source.host, "203.0.113.9");
	request.expires_s = 600;
	CU_ASSERT_EQUAL(tell(&request), 403);
	CU_ASSERT_EQUAL(listener.count, 2);
	strcpy(request.source.host, PEER);
	core.ims->set_registered_handler(core.ims, NULL, NULL);
	CU_ASSERT_EQUAL(tell(&request), 200);
	CU_ASSERT_EQUAL(listener.count, 2);
}

/* --- Settings ------------------------------------------------------------------- */

static void check_bad(struct setting_list *list, char **values,
		      const char *value)
{
	void *unused = NULL;

	ims_put(list, values, value);
	CU_ASSERT_EQUAL(mcmig_module.init(&core, &settings, &unused), EINVAL);
	CU_ASSERT_PTR_NULL(core.ims);
	list->count--;
}

static void test_bad_settings(void)
{
	int saved_level = log_get_level();

	log_set_level(LOG_ERROR);
	check_bad(&settings.peers, peers, "scscf.b.example");
	check_bad(&settings.peers, peers, "192.0.2.0/33");
	check_bad(&settings.peers, peers, "dns:*.b.example");
	check_bad(&settings.next_hops, hops, "sip:scscf.b.example");
	check_bad(&settings.next_hops, hops, OTHER_HOP);
	check_bad(&settings.next_hops, hops, HOP " 1 2 3");
	check_bad(&settings.next_hops, hops,
		  "sip:192.0.2.11:5061;transport=tls"); /* who would it be? */
	check_bad(&settings.names, names, "sip:as.b.example");
	check_bad(&settings.names, names, "as.b.example:0");
	check_bad(&settings.names, names, "as@b.example");
	check_bad(&settings.names, names, "");
	log_set_level(saved_level);
}

static void test_reload(void)
{
	struct sip_registration request = usual();
	static char *no_hops[1] = { (char *)OTHER_HOP };
	struct ims_settings new;

	ims_start();
	CU_ASSERT_EQUAL(tell(&request), 200);
	new = settings;
	new.peers.count = 1;
	new.next_hops = (struct setting_list){ no_hops, 1 };
	/* One that fails changes nothing. */
	new.registrations_max = 1;
	no_hops[0] = (char *)"nonsense";
	CU_ASSERT_EQUAL(mcmig_module.reload(module, &new), EINVAL);
	strcpy(request.source.host, "192.0.2.12");
	request.cseq++;
	CU_ASSERT_EQUAL(tell(&request), 200);
	no_hops[0] = (char *)OTHER_HOP;
	CU_ASSERT_EQUAL(mcmig_module.reload(module, &new), 0);
	request.cseq++;
	CU_ASSERT_EQUAL(tell(&request), 403);
	/* What is remembered stays. */
	CU_ASSERT_EQUAL(ims_statistic("ims.registrations"), 1);
	CU_ASSERT(is(way(ALICE, "", 0), HOP));
}

/* --- mcmigctl ims ---------------------------------------------------------------- */

static struct {
	struct command_call call; /* first */
	json_t *result;
	bool failed;
} asked;

static void on_done(struct command_call *call, json_t *result,
		    const char *failure)
{
	(void)call;
	asked.result = result;
	asked.failed = failure != NULL;
}

static void run(const char *what, const char *identity)
{
	json_t *args = json_array();

	json_decref(asked.result);
	asked.result = NULL;
	asked.call.done = on_done;
	json_array_append_new(args, json_string(what));
	if (identity)
		json_array_append_new(args, json_string(identity));
	mcmig_module.commands[0].run(module, args, &asked.call);
	json_decref(args);
}

static void test_command(void)
{
	struct sip_registration request = usual();
	const json_t *row;
	char identity[64];

	settings.registrations_max = 5000;
	ims_start();
	CU_ASSERT_EQUAL(tell(&request), 200);
	ims_wait_s(10);
	run("registrations", NULL);
	CU_ASSERT_EQUAL(json_array_size(asked.result), 1);
	row = json_array_get(asked.result, 0);
	CU_ASSERT(
	    is(json_string_value(json_object_get(row, "identity")), ALICE));
	CU_ASSERT(
	    is(json_string_value(json_object_get(row, "registrar")), SCSCF));
	CU_ASSERT(is(json_string_value(json_object_get(row, "next_hop")), HOP));
	CU_ASSERT_EQUAL(
	    json_integer_value(json_object_get(row, "expires_in_s")), 590);
	run("registrations", "sip:nobody@b.example");
	CU_ASSERT_EQUAL(json_array_size(asked.result), 0);
	CU_ASSERT_FALSE(asked.failed);
	run("registrations", "nobody");
	CU_ASSERT_TRUE(asked.failed);
	run("users", NULL);
	CU_ASSERT_TRUE(asked.failed);
	request.identity = identity;
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(identity, sizeof(identity), "sip:u%u@b.example", i);
		CU_ASSERT_EQUAL(tell(&request), 200);
	}
	run("registrations", NULL);
	CU_ASSERT_EQUAL(json_array_size(asked.result), 1000);
	run("registrations", "sip:u1499@b.example");
	CU_ASSERT_EQUAL(json_array_size(asked.result), 1);
	json_decref(asked.result);
	asked.result = NULL;
}

static CU_TestInfo ims_tests[] = {
	{ "a registration", test_a_registration },
	{ "it expires", test_it_expires },
	{ "it ends", test_it_ends },
	{ "what was overtaken", test_what_was_overtaken },
	{ "strangers", test_strangers },
	{ "identities", test_identities },
	{ "the table is bounded", test_the_table_is_bounded },
	{ "bodies", test_bodies },
	{ "bodies cut short", test_bodies_cut_short },
	{ "Contacts", test_contacts },
	{ "ways in order", test_ways_in_order },
	{ "ways by weight", test_ways_by_weight },
	{ "TLS", test_tls },
	{ "Routes", test_routes },
	{ "a listener", test_a_listener },
	{ "bad settings", test_bad_settings },
	{ "reload", test_reload },
	{ "mcmigctl ims", test_command },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "the IMS", NULL, NULL, ims_prepare, ims_end, ims_tests },
	CU_SUITE_INFO_NULL,
};
