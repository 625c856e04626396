/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ctl module, loaded as mcmigd loads it: the daemon's side runs on the
 * loop, the client's in a thread of its own.
 */
#include "unit.h"
#include "alloc_fail.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/loop.h"
#include "module/loader.h"
#include "stats/stats.h"

#define LARGE_BYTES (4 * 1024 * 1024)

static char folder[] = "/tmp/mcmig-test-ctl-XXXXXX";
static char socket_path[64];

/* --- The program that ctl speaks for ------------------------------------ */

static struct {
	struct loop *loop;
	struct stats *stats;
	struct loader *loader;
	struct conf *conf;
	struct core core;
	struct timer later;
	struct command_call *waiting;
	int reloads;
} side;

static json_t *program_status(void *arg)
{
	(void)arg;
	return json_pack("{s:s}", "state", "serving");
}

static json_t *program_settings(void *arg)
{
	(void)arg;
	return json_array();
}

static json_t *program_tls(void *arg)
{
	(void)arg;
	return json_array();
}

static int program_reload(void *arg, char *why, size_t why_bytes)
{
	(void)arg;
	if (side.reloads++ == 0)
		return 0;
	snprintf(why, why_bytes, "line 3 is wrong");
	return EINVAL;
}

static void finish_later(void *arg)
{
	(void)arg;
	command_finish(side.waiting, json_pack("{s:b}", "late", 1));
	side.waiting = NULL;
}

/* later MS: ends after so long; "never": not by itself. */
static void run_later(void *context, const json_t *args,
		      struct command_call *call)
{
	const char *ms = json_string_value(json_array_get(args, 0));

	(void)context;
	side.waiting = call;
	if (strcmp(ms, "never"))
		timer_start(side.core.timers, &side.later, strtoul(ms, NULL, 0),
			    finish_later, NULL);
}

static void run_large(void *context, const json_t *args,
		      struct command_call *call)
{
	char *text = malloc(LARGE_BYTES);

	(void)context, (void)args;
	memset(text, 'x', LARGE_BYTES);
	command_finish(call, json_pack("{s:s#}", "text", text, LARGE_BYTES));
	free(text);
}

static const struct command test_commands[] = {
	{ "later", "MS [MORE]", "ends later", run_later },
	{ "large", NULL, "says much", run_large },
	{ 0 },
};

static void program_visit(void *arg,
			  void (*visit)(void *visit_arg,
					const struct command *command,
					void *context),
			  void *visit_arg)
{
	const struct command *command = loader_module(side.loader, 0)->commands;

	(void)arg;
	for (; command->name; command++)
		visit(visit_arg, command, loader_context(side.loader, 0));
	for (command = test_commands; command->name; command++)
		visit(visit_arg, command, NULL);
}

static const struct core_program program = {
	.status = program_status,
	.settings = program_settings,
	.tls = program_tls,
	.reload = program_reload,
	.visit_commands = program_visit,
};

/* --- Both sides --------------------------------------------------------- */

static struct conf *conf_with(const char *settings)
{
	const struct module *module = loader_module(side.loader, 0);
	const struct conf_section section = { "ctl", module->settings,
					      module->settings_bytes };
	char file[64];
	struct conf *conf = NULL;
	FILE *stream;

	snprintf(file, sizeof(file), "%s/ctl.conf", folder);
	stream = fopen(file, "w");
	fprintf(stream, "ctl { socket = \"%s\" %s }\n", socket_path, settings);
	fclose(stream);
	CU_ASSERT_EQUAL_FATAL(conf_parse(file, &section, 1, &conf), 0);
	unlink(file);
	return conf;
}

static void load(const char *settings)
{
	memset(&side, 0, sizeof(side));
	CU_ASSERT_EQUAL_FATAL(loop_create(&side.loop), 0);
	CU_ASSERT_EQUAL_FATAL(stats_create(&side.stats), 0);
	side.core = (struct core){ .loop = side.loop,
				   .timers = loop_timers(side.loop),
				   .stats = side.stats,
				   .system = "a.example",
				   .node = "a1",
				   .program = &program };
	CU_ASSERT_EQUAL_FATAL(loader_create(&side.loader, TEST_LIBS), 0);
	CU_ASSERT_EQUAL_FATAL(loader_load(side.loader, "ctl"), 0);
	side.conf = conf_with(settings);
	CU_ASSERT_EQUAL_FATAL(loader_init(side.loader, &side.core, side.conf),
			      0);
}

static void unload(void)
{
	timer_stop(side.core.timers, &side.later);
	loader_destroy(side.loader);
	conf_free(side.conf);
	stats_destroy(side.stats);
	loop_destroy(side.loop);
}

struct client {
	void (*run)(void);
	int done[2];
};

static void *run_client(void *arg)
{
	struct client *client = arg;

	client->run();
	CU_ASSERT_EQUAL(write(client->done[1], "", 1), 1);
	return NULL;
}

static void client_done(void *arg, uint32_t events)
{
	(void)arg, (void)events;
	loop_stop(side.loop);
}

/* Not NULL: the node has a store, which is down here. */
static struct store_backend *backend;

static void serve(const char *settings, void (*run)(void))
{
	struct client client = { .run = run };
	struct loop_watch *watch;
	pthread_t thread;

	load(settings);
	side.core.backend = backend;
	CU_ASSERT_EQUAL_FATAL(loader_start(side.loader), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(client.done), 0);
	loop_watch(side.loop, client.done[0], EPOLLIN, client_done, NULL,
		   &watch);
	pthread_create(&thread, NULL, run_client, &client);
	loop_run(side.loop);
	pthread_join(thread, NULL);
	loop_unwatch(watch);
	close(client.done[0]);
	close(client.done[1]);
	unload();
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, socket_path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	CU_ASSERT_EQUAL(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t length = strlen(text);

	CU_ASSERT_EQUAL(send(fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* A line without its newline; "" at the end of the connection. */
static const char *hear(int fd)
{
	static char line[65536];
	size_t n = 0;

	while (n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1 &&
	       line[n] != '\n')
		n++;
	line[n] = '\0';
	return line;
}

/* True at the end of the connection, false when it stays silent. */
static bool ends(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) == 0;
}

static bool has(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	printf("\n%.300s\nshould have %s\n", text, part);
	return false;
}

/* --- Tests -------------------------------------------------------------- */

static void client_own_commands(void)
{
	int fd = dial();

	say(fd, "{\"command\":\"status\"}\n");
	CU_ASSERT_STRING_EQUAL(hear(fd),
			       "{\"result\":{\"state\":\"serving\"}}");
	say(fd, "{\"command\":\"settings\",\"args\":[]}\r\n");
	CU_ASSERT_STRING_EQUAL(hear(fd), "{\"result\":[]}");
	say(fd, "\n{\"command\":\"help\"}\n");
	CU_ASSERT(has(hear(fd), "{\"command\":\"procedures\",\"arguments\":"
				"\"[ID]\",\"help\":"));
	say(fd, "{\"command\":\"stats\"}\n");
	CU_ASSERT(has(hear(fd), "{\"name\":\"ctl.commands\",\"kind\":"
				"\"counter\",\"value\":4"));
	say(fd, "{\"command\":\"reload\"}\n");
	CU_ASSERT_STRING_EQUAL(hear(fd), "{\"result\":{\"reloaded\":true}}");
	say(fd, "{\"command\":\"reload\"}\n");
	CU_ASSERT_STRING_EQUAL(hear(fd), "{\"error\":\"line 3 is wrong\"}");
	say(fd, "{\"command\":\"systems\"}\n");
	CU_ASSERT(has(hear(fd), "\"error\":\"the store is down"));
	close(fd);
}

static void test_own_commands(void)
{
	backend = (struct store_backend *)&side;
	serve("", client_own_commands);
	backend = NULL;
}

static void client_without_store(void)
{
	int fd = dial();

	say(fd, "{\"command\":\"systems\"}\n");
	CU_ASSERT_STRING_EQUAL(hear(fd),
			       "{\"error\":\"this node has no store\"}");
	close(fd);
}

static void test_no_store(void)
{
	serve("", client_without_store);
}

static void client_bad_requests(void)
{
	static const struct {
		const char *request, *says;
	} bad[] = {
		{ "{\n", "not JSON" },
		{ "status\n", "not JSON" },
		{ "[\"status\"]\n", "no JSON object" },
		{ "{}\n", "no command" },
		{ "{\"command\":5}\n", "no command" },
		{ "{\"command\":\"status\",\"command\":\"help\"}\n",
		  "not JSON: duplicate" },
		{ "{\"command\":\"status\",\"arg\":[]}\n", "nothing else" },
		{ "{\"command\":\"statsu\"}\n",
		  "unknown command \\\"statsu\\\": help lists all" },
		{ "{\"command\":\"status\",\"args\":[\"x\"]}\n",
		  "too many arguments: usage: status\"" },
		{ "{\"command\":\"redirection\"}\n",
		  "too few arguments: usage: redirection ID" },
		{ "{\"command\":\"later\",\"args\":[\"1\",\"2\",\"3\"]}\n",
		  "too many arguments: usage: later MS [MORE]" },
		{ "{\"command\":\"later\",\"args\":\"1\"}\n",
		  "\\\"args\\\" is no array" },
		{ "{\"command\":\"later\",\"args\":[1]}\n",
		  "argument 1 is no string" },
		{ "{\"command\":\"\xff\"}\n", "not JSON" },
	};
	int fd = dial();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		say(fd, bad[i].request);
		CU_ASSERT(has(hear(fd), bad[i].says));
	}
	say(fd, "{\"command\":\"status\"}\n");
	CU_ASSERT(has(hear(fd), "serving"));
	close(fd);
}

static void test_bad_requests(void)
{
	serve("", client_bad_requests);
}

static void client_odd_framing(void)
{
	static char longest[70000];
	int fd = dial();

	say(fd, "{\"command\":\"later\",\"args\":[\"20\"]}\n"
		"{\"command\":\"status\"}\n{\"comm");
	CU_ASSERT_STRING_EQUAL(hear(fd), "{\"result\":{\"late\":true}}");
	CU_ASSERT(has(hear(fd), "serving"));
	say(fd, "and\":\"help\"}");
	shutdown(fd, SHUT_WR);
	CU_ASSERT(has(hear(fd), "\"result\":[{\"command\":\"status\""));
	CU_ASSERT_TRUE(ends(fd));
	close(fd);

	fd = dial();
	memset(longest, ' ', sizeof(longest) - 1);
	send(fd, longest, sizeof(longest) - 1, MSG_NOSIGNAL);
	CU_ASSERT(has(hear(fd), "longer than 64 kB"));
	close(fd);
}

static void test_odd_framing(void)
{
	serve("", client_odd_framing);
}

static void client_late_answers(void)
{
	int fd = dial();

	say(fd, "{\"command\":\"later\",\"args\":[\"never\"]}\n");
	CU_ASSERT(has(hear(fd), "no answer in time"));
	CU_ASSERT_TRUE(ends(fd));
	close(fd);

	/* Gone before its command ends: that ends without harm. */
	fd = dial();
	say(fd, "{\"command\":\"later\",\"args\":[\"50\"]}\n");
	close(fd);
	fd = dial();
	say(fd, "{\"command\":\"later\",\"args\":[\"60\"]}\n");
	CU_ASSERT_STRING_EQUAL(hear(fd), "{\"result\":{\"late\":true}}");
	/* Left under way when the daemon stops. */
	say(fd, "{\"command\":\"later\",\"args\":[\"never\"]}\n"
		"{\"command\":\"status\"}\n");
	close(fd);
}

static void test_late_answers(void)
{
	serve("command_timeout = 300ms", client_late_answers);
}

static void client_too_many(void)
{
	int first = dial(), second = dial(), third = dial();

	CU_ASSERT(has(hear(third), "too many clients"));
	CU_ASSERT_TRUE(ends(third));
	close(first);
	say(second, "{\"command\":\"status\"}\n");
	CU_ASSERT(has(hear(second), "serving"));
	close(third);
	third = dial();
	say(third, "{\"command\":\"stats\"}\n");
	CU_ASSERT(has(hear(third), "\"ctl.clients_refused\",\"kind\":"
				   "\"counter\",\"value\":1"));
	close(second);
	close(third);
}

static void test_too_many(void)
{
	serve("clients_max = 2", client_too_many);
}

static size_t read_until_end(int fd, bool of_line)
{
	static char buffer[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		all += (size_t)n;
		if (of_line && buffer[n - 1] == '\n')
			break;
	}
	return all;
}

static void client_large(void)
{
	int fd = dial();

	say(fd, "{\"command\":\"large\"}\n");
	CU_ASSERT(read_until_end(fd, true) > LARGE_BYTES);
	say(fd, "{\"command\":\"status\"}\n");
	CU_ASSERT(has(hear(fd), "serving"));
	close(fd);
}

static void test_a_large_answer(void)
{
	serve("", client_large);
}

static void client_slow(void)
{
	int slow = dial(), idle = dial(), fd;
	size_t got;

	say(slow, "{\"command\":\"large\"}\n");
	CU_ASSERT_TRUE(ends(idle));
	close(idle);
	got = read_until_end(slow, false);
	CU_ASSERT(got > 0 && got < LARGE_BYTES);
	close(slow);
	fd = dial();
	say(fd, "{\"command\":\"stats\"}\n");
	CU_ASSERT(has(hear(fd), "\"ctl.clients_dropped\",\"kind\":"
				"\"counter\",\"value\":1"));
	close(fd);
}

/* The idle one is dropped last: then the slow one is read. */
static void test_slow_and_idle_are_dropped(void)
{
	serve("idle_timeout = 900ms answer_timeout = 300ms", client_slow);
}

/* Each request is answered, or its connection ends; the next is served. */
static void client_without_memory(void)
{
	for (int n = 1; n <= 100; n++) {
		int fd;
		const char *answer;

		alloc_fail_at(n);
		fd = dial();
		send(fd, "{\"command\":\"status\"}\n", 21, MSG_NOSIGNAL);
		answer = hear(fd);
		alloc_fail_at(0);
		CU_ASSERT(!*answer || strstr(answer, "serving") ||
			  strstr(answer, "\"error\""));
		close(fd);
	}
}

static void test_without_memory(void)
{
	serve("", client_without_memory);
}

static int start(void)
{
	alloc_fail_install();
	if (!mkdtemp(folder))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/ctl", folder);
	return 0;
}

static int stop(void)
{
	char lock[80];

	snprintf(lock, sizeof(lock), "%s.lock", socket_path);
	unlink(lock);
	return rmdir(folder);
}

static CU_TestInfo ctl_tests[] = {
	{ "its own commands", test_own_commands },
	{ "a node without a store", test_no_store },
	{ "bad requests get clear errors", test_bad_requests },
	{ "lines in pieces, together, unfinished, too long", test_odd_framing },
	{ "answers that come late or never", test_late_answers },
	{ "too many clients", test_too_many },
	{ "a large answer", test_a_large_answer },
	{ "slow and idle clients are dropped", test_slow_and_idle_are_dropped },
	{ "any allocation may fail", test_without_memory },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "ctl", start, stop, NULL, NULL, ctl_tests },
	CU_SUITE_INFO_NULL,
};
