/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gateway's settings: which server serves whom, faults that are told, what
 * a reload does to relays under way, and what mcmigctl shows of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway_fixture.h"
#include "gateway_tests.h"

/* --------------------------------------------------------------- routing */

/* Which next hop a request for this user of ours takes; NULL: 404. */
static const char *hop_for(const char *user)
{
	const struct mcinfo info = gate_request(GUEST, user);
	const struct gate_reply *reply = gate_receive(A1_HOST, &info);

	if (reply) {
		CU_ASSERT_EQUAL(reply->status, 404);
		CU_ASSERT_STRING_EQUAL(reply->warning,
				       "no MC service server for this user");
		return NULL;
	}
	gate_answer(gate.sent_count - 1, 200);
	return gate_last()->next_hop;
}

static void check_route(const char *user, const char *hop, const char *why)
{
	json_t *row = gate_command("route", user);
	const char *found = hop_for(user);

	CU_ASSERT_PTR_NOT_NULL_FATAL(row);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "why")),
			       why);
	json_decref(row);
	if (!hop) {
		CU_ASSERT_PTR_NULL(found);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_STRING_EQUAL(found, hop);
	if (strcmp(found, hop))
		fprintf(stderr, "%s goes to %s\n", user, found);
}

static void test_most_specific_wins(void)
{
	gate_list(&gate.settings.domains, "b.example", "ops.b.example",
		  "x.b.example", NULL);
	gate_list(&gate.servers[0].domains, "b.example", NULL);
	gate_list(&gate.servers[0].prefixes, "visitor", "visitor12", NULL);
	gate_list(&gate.servers[0].users, "sip:visitor1999@b.example", NULL);
	gate_list(&gate.servers[1].domains, "OPS.b.example", NULL);
	gate_list(&gate.servers[1].prefixes, "visitor1", "visitor12@b.example",
		  "a%2fb", NULL);
	gate_list(&gate.servers[1].users, "sip:%62ob@B.example", NULL);
	gate_start();
	check_route("sip:carl@b.example", B1, "domain");
	check_route("sip:bob@b.example", B2, "user");
	check_route("sip:bob@ops.b.example", B2, "domain");
	check_route("sip:visitor2@b.example", B1, "prefix");
	check_route("sip:visitor1@b.example", B2, "prefix");
	check_route("sip:visitor12@b.example", B2, "prefix");
	check_route("sip:visitor12@ops.b.example", B1, "prefix");
	check_route("sip:visitor1999@b.example", B1, "user");
	check_route("sip:Visitor1@b.example", B1, "domain");
	check_route("sip:a%2Fbc@b.example", B2, "prefix");
	check_route("sip:carl@x.b.example", NULL,
		    "of ours, but no server serves this user");
}

static void test_rest(void)
{
	gate_start();
	check_route("sip:bob@b.example", B1, "rest");
	check_route("sip:second@b.example", B2, "prefix");
}

#define MANY 100000

static void write_users(const char *name)
{
	FILE *file = fopen(name, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs("# of the second server\n\n  \t# none here\r\n", file);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(file, " sip:many%06u@b.example \t# %u\r\n", i, i);
	fputs("sip:last@b.example", file);
	fclose(file);
}

static void test_many_users(void)
{
	char name[] = "users-XXXXXX";
	int fd = mkstemp(name);
	clock_t begun;

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	write_users(name);
	gate.servers[1].users_file = name;
	begun = clock();
	gate_start();
	/* A second and more would hold up every relay at a reload. */
	CU_ASSERT_TRUE(clock() - begun < CLOCKS_PER_SEC);
	unlink(name);
	check_route("sip:many000000@b.example", B2, "user");
	check_route("sip:many099999@b.example", B2, "user");
	check_route("sip:last@b.example", B2, "user");
	check_route("sip:many100000@b.example", B1, "rest");
}

/* ----------------------------------------------------------------- faults */

static char *line_of_users;

static void write_file(char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static void no_server(void)
{
	gate.settings.servers.count = 0;
}
static void hop_is_name(void)
{
	gate_list(&gate.servers[0].next_hops,
		  "sip:b1.example:5060;transport=tcp", NULL);
}
static void hop_has_no_transport(void)
{
	gate_list(&gate.servers[0].next_hops, "sip:127.0.0.1:5060", NULL);
}
static void hop_has_bad_priority(void)
{
	gate_list(&gate.servers[0].next_hops, B1 " one", NULL);
}
static void hop_has_great_priority(void)
{
	gate_list(&gate.servers[0].next_hops, B1 " 65536", NULL);
}
static void hop_has_three_numbers(void)
{
	gate_list(&gate.servers[0].next_hops, B1 " 1 1 1", NULL);
}
static void hop_is_doubled(void)
{
	gate_list(&gate.systems[0].next_hops, A1, A1 " 2", NULL);
}
static void no_hop(void)
{
	gate_list(&gate.systems[1].next_hops, NULL);
}
static void bad_source(void)
{
	gate_list(&gate.systems[0].sources, "a.example", NULL);
}
static void bad_network(void)
{
	gate_list(&gate.systems[0].sources, "192.0.2.1/24", NULL);
}
static void identity_is_no_uri(void)
{
	gate.settings.identity = (char *)(uintptr_t) "mcgateway@b.example";
}
static void identity_breaks_out(void)
{
	gate.settings.identity =
	    (char *)(uintptr_t) "sip:x@b.example>\r\nX: <sip:b.example";
}
static void identity_of_another(void)
{
	gate.settings.identity = (char *)(uintptr_t) "sip:x@a.example";
}
static void server_identity(void)
{
	gate.servers[0].identity = (char *)(uintptr_t) "sip:b example";
}
static void system_identity(void)
{
	gate.systems[0].identity = (char *)(uintptr_t) "tel:+1";
}
static void bad_own_domain(void)
{
	gate_list(&gate.settings.domains, "b.example", "b@example", NULL);
}
static void bad_domain(void)
{
	gate_list(&gate.systems[0].domains, "a example", NULL);
}
static void domain_of_ours(void)
{
	gate_list(&gate.systems[0].domains, "a.example", "B.example", NULL);
}
static void domain_of_two(void)
{
	gate_list(&gate.systems[1].domains, "a.example", NULL);
}
static void bad_title(void)
{
	gate.settings.systems.items[0].title = "a example";
}
static void bad_policy(void)
{
	gate_list(&gate.systems[0].requests_to, "*", "mcptt:migrate", NULL);
}
static void policy_of_no_service(void)
{
	gate_list(&gate.systems[0].requests_from, "mcx:*", NULL);
}
static void policy_of_one_word(void)
{
	gate_list(&gate.systems[0].requests_from, "mcptt", NULL);
}
static void empty_policy(void)
{
	gate_list(&gate.systems[0].requests_from, "", NULL);
}
static void two_serve_the_rest(void)
{
	gate_list(&gate.servers[1].prefixes, NULL);
}
static void user_is_none(void)
{
	gate_list(&gate.servers[0].users, "bob", NULL);
}
static void user_is_anothers(void)
{
	gate_list(&gate.servers[0].users, ALICE, NULL);
}
static void user_of_two(void)
{
	gate_list(&gate.servers[0].users, BOB, NULL);
	gate_list(&gate.servers[1].users, "sip:b%6fb@B.EXAMPLE", NULL);
}
static void prefix_is_none(void)
{
	gate_list(&gate.servers[1].prefixes, "second%4", NULL);
}
static void prefix_of_two(void)
{
	gate_list(&gate.servers[0].prefixes, "second", NULL);
}
static void prefix_is_anothers(void)
{
	gate_list(&gate.servers[1].prefixes, "second@a.example", NULL);
}
static void served_domain_is_none(void)
{
	gate_list(&gate.servers[1].domains, "b.example;x", NULL);
}
static void served_domain_is_anothers(void)
{
	gate_list(&gate.servers[1].domains, "a.example", NULL);
}
static void served_domain_of_two(void)
{
	gate_list(&gate.servers[0].domains, "b.example", NULL);
	gate_list(&gate.servers[1].domains, "b.example", NULL);
}
static void no_users_file(void)
{
	gate.servers[1].users_file = (char *)(uintptr_t) "/nonexistent/users";
}
static void users_file_is_folder(void)
{
	gate.servers[1].users_file = (char *)(uintptr_t) "/";
}
static void bad_users_file(void)
{
	write_file(line_of_users, "sip:x@b.example\nsip:y\n");
	gate.servers[1].users_file = line_of_users;
}

/* With a word of what is told: the place, or the remedy. */
static const struct {
	void (*spoil)(void);
	const char *told;
} faults[] = {
	{ no_server, "add server" },
	{ hop_is_name, "server 'b1' of line 10" },
	{ hop_has_no_transport, "an address, not a name" },
	{ hop_has_bad_priority, "priority" },
	{ hop_has_great_priority, "priority" },
	{ hop_has_three_numbers, "weight" },
	{ hop_is_doubled, "given twice" },
	{ no_hop, "system 'c.example' of line 21: no next_hops" },
	{ bad_source, "'192.0.2.0/28'" },
	{ bad_network, "'192.0.2.1/24'" },
	{ identity_is_no_uri, "write 'sip:mcgateway@b.example'" },
	{ identity_breaks_out, "no SIP URI" },
	{ identity_of_another, "add its host to domains" },
	{ server_identity, "'sip:b example'" },
	{ system_identity, "'tel:+1'" },
	{ bad_own_domain, "'b@example'" },
	{ bad_domain, "'a example' in domains" },
	{ domain_of_ours, "'B.example' is one of ours" },
	{ domain_of_two, "of system 'a.example' already" },
	{ bad_title, "its title is no name" },
	{ bad_policy, "'mcptt:migrate' in requests_to" },
	{ policy_of_no_service, "'mcx:*' in requests_from" },
	{ policy_of_one_word, "'mcptt' in requests_from" },
	{ empty_policy, "'' in requests_from" },
	{ two_serve_the_rest, "server 'b1' both serve the rest" },
	{ user_is_none, "'sip:visitor1@b.example'" },
	{ user_is_anothers, "in no domain of ours" },
	{ user_of_two, "of server 'b1' already" },
	{ prefix_is_none, "'second%4'" },
	{ prefix_of_two, "prefix 'second' is of server" },
	{ prefix_is_anothers, "in no domain of ours" },
	{ served_domain_is_none, "no domain" },
	{ served_domain_is_anothers, "in no domain of ours" },
	{ served_domain_of_two, "domain 'b.example' is of server 'b1'" },
	{ no_users_file, "/nonexistent/users" },
	{ users_file_is_folder, "cannot read users_file" },
	{ bad_users_file, "line 2" },
};

/* What `act` writes to stderr; the last one counts. */
static char told[8192];

static int listen_to(int (*act)(void))
{
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	int result;
	size_t bytes;

	CU_ASSERT_FATAL(file && kept >= 0);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	result = act();
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(file);
	bytes = fread(told, 1, sizeof(told) - 1, file);
	told[bytes] = '\0';
	fclose(file);
	return result;
}

static void check_fault(size_t i)
{
	gate_prepare();
	faults[i].spoil();
	CU_ASSERT_EQUAL(listen_to(gate_init), EINVAL);
	gate_stop();
	CU_ASSERT_PTR_NOT_NULL(strstr(told, faults[i].told));
	if (!strstr(told, faults[i].told))
		fprintf(stderr, "not '%s' but %s\n", faults[i].told, told);
}

static void test_faults(void)
{
	char name[] = "users-XXXXXX";
	int fd = mkstemp(name);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	line_of_users = name;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		check_fault(i);
	unlink(name);
}

static void test_defaults(void)
{
	struct mcinfo info = gate_request(VISITOR, CAROL);

	gate.settings.identity = NULL;
	gate_list(&gate.settings.domains, NULL);
	gate_list(&gate.systems[1].domains, NULL);
	gate_start();
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(gate_last()->head, "From: sip:mcgateway@b.example\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(gate_last()->head, "MESSAGE sip:c.example\n"));
}

static int init_without_systems(void)
{
	gate.settings.systems.count = 0;
	log_set_level(LOG_INFO);
	return gate_init();
}

static void test_no_system(void)
{
	CU_ASSERT_EQUAL(listen_to(init_without_systems), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(told, "no other MC system"));
}

/* ------------------------------------------------------------------ reload */

static void test_reload(void)
{
	const struct mcinfo info = gate_request(VISITOR, ALICE);
	handle_t first;

	gate_start();
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	first = gate.sent[0].handle;
	gate_list(&gate.systems[0].next_hops, A3, NULL);
	gate.systems[0].identity = (char *)(uintptr_t) "sip:new@a.example";
	CU_ASSERT_EQUAL(gate_reload(), 0);

	/* One under way goes on with what it began with. */
	gate_answer(0, 500);
	CU_ASSERT_EQUAL_FATAL(gate.sent_count, 2);
	CU_ASSERT_NOT_EQUAL(gate.sent[1].handle, first);
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A2);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(gate_last()->head, "sip:mcgateway@a.example"));
	/* The next one sees the new. */
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A3);
	CU_ASSERT_PTR_NOT_NULL(strstr(gate_last()->head, "sip:new@a.example"));
	gate_answer(1, 200);
	CU_ASSERT_EQUAL(gate.replies[0].status, 200);
	gate_answer(2, 200);
	CU_ASSERT_EQUAL(gate_pending(), 0);
}

/* Its system is gone, and it still ends. */
static void test_reload_without_the_system(void)
{
	const struct mcinfo info = gate_request(VISITOR, CAROL);

	gate_start();
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	gate.settings.systems.count = 1;
	CU_ASSERT_EQUAL(gate_reload(), 0);
	CU_ASSERT_EQUAL(gate_ask_source(C1_HOST, SIP_OUTSIDE), 403);
	gate_answer(0, 200);
	CU_ASSERT_EQUAL(gate.replies[0].status, 200);
	CU_ASSERT_EQUAL(gate_receive(B1_HOST, &info)->status, 404);
}

static void test_reload_that_fails(void)
{
	const struct mcinfo info = gate_request(VISITOR, ALICE);

	gate_start();
	gate_list(&gate.systems[0].next_hops, "nowhere", NULL);
	CU_ASSERT_EQUAL(listen_to(gate_reload), EINVAL);
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	CU_ASSERT_STRING_EQUAL(gate_last()->next_hop, A1);
}

/* ---------------------------------------------------------------- commands */

static const char *word(const json_t *rows, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static void test_systems_command(void)
{
	const struct mcinfo info = gate_request(VISITOR, ALICE);
	json_t *rows;

	gate.systems[1].enabled = false;
	gate_start();
	gate.down[0] = A2;
	CU_ASSERT_PTR_NULL(gate_receive(B1_HOST, &info));
	rows = gate_command("systems", NULL);
	CU_ASSERT_EQUAL_FATAL(json_array_size(rows), 6);
	CU_ASSERT_STRING_EQUAL(word(rows, 0, "name"), "b1");
	CU_ASSERT_STRING_EQUAL(word(rows, 0, "kind"), "server");
	CU_ASSERT_STRING_EQUAL(word(rows, 2, "next_hop"), A1);
	CU_ASSERT_STRING_EQUAL(word(rows, 2, "state"), "up");
	CU_ASSERT_STRING_EQUAL(word(rows, 3, "state"), "down");
	CU_ASSERT_STRING_EQUAL(word(rows, 5, "state"), "disabled");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(
			    json_array_get(rows, 2), "under_way")),
			1);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(
			    json_array_get(rows, 0), "under_way")),
			0);
	json_decref(rows);
}

static void check_command(const char *id, const char *kind, const char *name,
			  const char *why)
{
	json_t *row = gate_command("route", id);

	CU_ASSERT_PTR_NOT_NULL_FATAL(row);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "kind")),
			       kind);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "name")),
			       name);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "why")),
			       why);
	json_decref(row);
}

static void test_route_command(void)
{
	gate_start();
	check_command(ALICE, "system", "a.example", "domain");
	check_command("sip:x@nobody.example", "nobody", "", "domain unknown");
	check_command(BOB, "server", "b1", "rest");
	CU_ASSERT_PTR_NULL(gate_command("route", "bob"));
	CU_ASSERT_PTR_NULL(gate_command("route", NULL));
	CU_ASSERT_PTR_NULL(gate_command("systems", "x"));
	CU_ASSERT_PTR_NULL(gate_command("peers", NULL));
}

CU_TestInfo gateway_setting_tests[] = {
	{ "the most specific server wins", test_most_specific_wins },
	{ "the rest", test_rest },
	{ "a hundred thousand users of a file", test_many_users },
	{ "faults are told with place and remedy", test_faults },
	{ "defaults", test_defaults },
	{ "no other system yet", test_no_system },
	{ "a reload, with relays under way", test_reload },
	{ "a reload that takes a system away", test_reload_without_the_system },
	{ "a reload that fails", test_reload_that_fails },
	{ "mcmigctl gateway systems", test_systems_command },
	{ "mcmigctl gateway route", test_route_command },
	CU_TEST_INFO_NULL,
};
