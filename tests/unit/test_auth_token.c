/* SPDX-License-Identifier: BSD-2-Clause */
/* The auth_token module on a loop: keys from files and URLs, and its cache. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auth_token/auth_token.h"
#include "base/clock.h"
#include "base/log.h"
#include "http_server.h"
#include "module/module.h"
#include "token_maker.h"

#define PARTNER "sip:visitor17@b.example"
#define PRIMARY "sip:alice@a.example"
#define ISSUER "https://idms.b.example"
#define WAIT_MS 15000

extern const struct module mcmig_module;

static char folder[] = "/tmp/mcmig-test-auth-XXXXXX";
static char jwks_file[64], cache_file[64], conf_file[64];
static struct maker_key *one, *two;
static struct http_server *server;
static struct core core;
static struct conf *conf;
static struct auth_token *auth;

/* --- Surroundings ------------------------------------------------------- */

static int set_up(void)
{
	if (!mkdtemp(folder) || loop_create(&core.loop) ||
	    stats_create(&core.stats))
		return 1;
	core.timers = loop_timers(core.loop);
	snprintf(jwks_file, sizeof(jwks_file), "%s/jwks", folder);
	snprintf(cache_file, sizeof(cache_file), "%s/cache", folder);
	snprintf(conf_file, sizeof(conf_file), "%s/conf", folder);
	one = maker_key_create("EC", 256);
	two = maker_key_create("EC", 256);
	server = http_server_create();
	log_set_level(LOG_ERROR);
	return 0;
}

static int tear_down(void)
{
	http_server_destroy(server);
	maker_key_destroy(one);
	maker_key_destroy(two);
	stats_destroy(core.stats);
	loop_destroy(core.loop);
	unlink(jwks_file);
	unlink(cache_file);
	unlink(conf_file);
	return rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
	FILE *stream = fopen(name, "w");

	fputs(text, stream);
	fclose(stream);
}

/* Of keys "one" and "two", or NULL. */
static char *jwks_of(const struct maker_key *first,
		     const struct maker_key *second)
{
	char *jwk = second ? maker_jwk(second, "\"kid\":\"two\"") : NULL;

	if (!first)
		return maker_jwks(jwk, NULL);
	return maker_jwks(maker_jwk(first, "\"kid\":\"one\""), jwk, NULL);
}

static void publish(const struct maker_key *first,
		    const struct maker_key *second)
{
	char *jwks = jwks_of(first, second);

	write_file(jwks_file, jwks);
	http_server_answer(server, "200 OK", "", jwks);
	free(jwks);
}

static char *token_of(const struct maker_key *key, const char *id,
		      const char *claims)
{
	char *payload, *token;
	char header[64];

	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
		 id);
	if (asprintf(&payload,
		     "{\"iss\":\"" ISSUER "\",\"aud\":\"mcmig\",\"client_id\":"
		     "\"c\",\"scope\":\"3gpp:mc:ptt_service\",\"mcptt_id\":"
		     "\"" PARTNER "\",\"exp\":%llu%s}",
		     (unsigned long long)clock_utc_ms() / 1000 + 600,
		     claims) < 0)
		abort();
	token = maker_token(key, "ES256", header, payload);
	free(payload);
	return token;
}

/* --- The module --------------------------------------------------------- */

/* `top` and `identity`: lines of the section and of its identity_management. */
static const void *parse(const char *top, const char *identity)
{
	const struct conf_section section = { mcmig_module.name,
					      mcmig_module.settings,
					      mcmig_module.settings_bytes };
	FILE *stream = fopen(conf_file, "w");

	fprintf(stream,
		"auth_token {\n%s\nidentity_management \"" ISSUER
		"\" {\naudience = { \"mcmig\" }\n%s\n}\n}\n",
		top, identity);
	fclose(stream);
	conf = NULL;
	if (conf_parse(conf_file, &section, 1, &conf))
		return NULL;
	return conf_values(conf, mcmig_module.name);
}

static const char *file_setting(void)
{
	static char line[96];

	snprintf(line, sizeof(line), "jwks_file = \"%s\"", jwks_file);
	return line;
}

static const char *url_setting(void)
{
	static char line[160];

	snprintf(line, sizeof(line),
		 "jwks_url = \"http://127.0.0.1:%u/jwks\"\n"
		 "jwks_cache = \"%s\"",
		 http_server_port(server), cache_file);
	return line;
}

static int init(const char *top, const char *identity)
{
	const void *settings = parse(top, identity);
	void *context = NULL;
	int err =
	    settings ? mcmig_module.init(&core, settings, &context) : EINVAL;

	auth = context;
	if (err)
		conf_free(conf);
	return err;
}

static void stop(void)
{
	mcmig_module.stop(auth);
	auth = NULL;
	conf_free(conf);
	CU_ASSERT_PTR_NULL(core.authorizer);
}

static int start(const char *top, const char *identity)
{
	int err = init(top, identity);

	if (err)
		return err;
	err = mcmig_module.start(auth);
	if (err)
		stop();
	return err;
}

static enum authorizer_result check(const char *token)
{
	const struct authorizer_request request = {
		.service = MC_SERVICE_MCPTT,
		.token = token,
		.partner_id = PARTNER,
		.primary_id = PRIMARY,
	};
	const char *reason = NULL;
	enum authorizer_result result =
	    core.authorizer->check(core.authorizer, &request, &reason);

	CU_ASSERT_PTR_NOT_NULL(reason);
	return result;
}

static uint64_t stat_of(enum auth_token_stat stat)
{
	return auth->stats[stat].value;
}

/* --- The loop ----------------------------------------------------------- */

typedef bool condition_f(const void *arg);
static struct {
	struct timer timer;
	condition_f *condition;
	const void *arg;
	uint64_t until_ms;
	bool met;
} waiting;

static void look(void *arg)
{
	(void)arg;
	waiting.met = waiting.condition(waiting.arg);
	if (waiting.met || clock_monotonic_ms() > waiting.until_ms)
		loop_stop(core.loop);
	else
		timer_start(core.timers, &waiting.timer, 5, look, NULL);
}

static void wait_for(condition_f *condition, const void *arg)
{
	waiting.condition = condition;
	waiting.arg = arg;
	waiting.until_ms = clock_monotonic_ms() + WAIT_MS;
	timer_start(core.timers, &waiting.timer, 1, look, NULL);
	loop_run(core.loop);
	CU_ASSERT_TRUE(waiting.met);
}

static bool is_allowed(const void *token)
{
	return check(token) == AUTHORIZER_ALLOWED;
}
static bool is_refused(const void *token)
{
	return check(token) == AUTHORIZER_REFUSED;
}
static bool has_failed(const void *times)
{
	return stat_of(STAT_FETCH_FAILURES) >= *(const unsigned *)times;
}
static bool has_asked(const void *times)
{
	return http_server_requests(server) >= *(const unsigned *)times;
}

static void wait_for_failures(unsigned more)
{
	unsigned times = (unsigned)stat_of(STAT_FETCH_FAILURES) + more;

	wait_for(has_failed, &times);
}

/* --- Settings ----------------------------------------------------------- */

static void test_bad_settings(void)
{
	static const struct {
		const char *top, *identity;
	} all[] = {
		{ "", "" },
		{ "", "jwks_file = \"a\"\njwks_url = \"https://b/\"" },
		{ "", "jwks_file = \"a\"\njwks_cache = \"b\"" },
		{ "", "jwks_url = \"http://idms.b.example/jwks\"" },
		{ "", "jwks_url = \"http://128.0.0.1/jwks\"" },
		{ "", "jwks_url = \"http://127.0.0.1.example/jwks\"" },
		{ "", "jwks_url = \"http://localhost.example/jwks\"" },
		{ "", "jwks_url = \"https://user:secret@idms/jwks\"" },
		{ "", "jwks_url = \"ftp://127.0.0.1/jwks\"" },
		{ "", "jwks_url = \"file:///etc/passwd\"" },
		{ "", "jwks_url = \"not a URL\"" },
		{ "algorithms = { \"HS256\" }", "jwks_file = \"a\"" },
		{ "algorithms = { \"none\" }", "jwks_file = \"a\"" },
		{ "algorithms = { }", "jwks_file = \"a\"" },
		{ "clock_skew = \"301s\"", "jwks_file = \"a\"" },
	};
	static const char *const good[] = {
		"jwks_file = \"a\"",
		"jwks_url = \"https://idms.b.example/jwks\"",
		"jwks_url = \"http://localhost:8080/jwks\"",
		"jwks_url = \"http://127.9.9.9/jwks\"",
		"jwks_url = \"http://[::1]/jwks\"",
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		CU_ASSERT_EQUAL(init(all[i].top, all[i].identity), EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		CU_ASSERT_EQUAL_FATAL(init("", good[i]), 0);
		/* Before it has started it cannot say yes. */
		CU_ASSERT_EQUAL(check("a.b.c"), AUTHORIZER_LATER);
		stop();
	}
}

/* --- Files -------------------------------------------------------------- */

static void test_file_at_start(void)
{
	char *token = token_of(one, "one", "");

	unlink(jwks_file);
	CU_ASSERT_NOT_EQUAL(start("", file_setting()), 0);
	write_file(jwks_file, "{}");
	CU_ASSERT_NOT_EQUAL(start("", file_setting()), 0);
	publish(one, NULL);
	chmod(jwks_file, 0666);
	CU_ASSERT_NOT_EQUAL(start("", file_setting()), 0);
	chmod(jwks_file, 0644);
	CU_ASSERT_EQUAL_FATAL(start("", file_setting()), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);
	CU_ASSERT_EQUAL(check(NULL), AUTHORIZER_REFUSED);
	CU_ASSERT_EQUAL(stat_of(STAT_KEYS), 1);
	CU_ASSERT_EQUAL(stat_of(STAT_ALLOWED), 1);
	CU_ASSERT_EQUAL(stat_of(STAT_REFUSED), 1);
	stop();
	free(token);
}

static void test_file_that_changes(void)
{
	char *old = token_of(one, "one", ""), *new = token_of(two, "two", "");

	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(start("", file_setting()), 0);
	CU_ASSERT_EQUAL(check(old), AUTHORIZER_ALLOWED);
	/* Looked for, and not there. */
	CU_ASSERT_EQUAL(check(new), AUTHORIZER_LATER);
	wait_for(is_refused, new);

	publish(one, two);
	wait_for(is_allowed, new);
	CU_ASSERT_EQUAL(check(old), AUTHORIZER_ALLOWED);

	write_file(jwks_file, "{\"keys\":[{\"kty\"");
	wait_for_failures(1);
	CU_ASSERT_EQUAL(check(new), AUTHORIZER_ALLOWED);
	unlink(jwks_file);
	wait_for_failures(1);
	CU_ASSERT_EQUAL(check(new), AUTHORIZER_ALLOWED);

	/* A key that is gone takes with it what is remembered. */
	publish(NULL, two);
	wait_for(is_refused, old);
	CU_ASSERT_EQUAL(check(new), AUTHORIZER_ALLOWED);
	CU_ASSERT_EQUAL(stat_of(STAT_KEYS), 1);
	stop();
	free(old);
	free(new);
}

/* --- URLs --------------------------------------------------------------- */

#define QUICK "refetch_interval = \"100ms\"\n"

static void test_url(void)
{
	char *old = token_of(one, "one", ""), *new = token_of(two, "two", "");
	unsigned requests;

	unlink(cache_file);
	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(start(QUICK, url_setting()), 0);
	wait_for(is_allowed, old);

	CU_ASSERT_EQUAL(check(new), AUTHORIZER_LATER);
	wait_for(is_refused, new);
	/* Asked once: it is known for a while not to be there. */
	requests = http_server_requests(server);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(check(new), AUTHORIZER_REFUSED);
	CU_ASSERT_EQUAL(http_server_requests(server), requests);
	stop();

	/* Over a restart with the server away; then nobody is refused. */
	http_server_answer(server, "503 Service Unavailable", "", "");
	CU_ASSERT_EQUAL_FATAL(start(QUICK, url_setting()), 0);
	CU_ASSERT_EQUAL(check(old), AUTHORIZER_ALLOWED);
	CU_ASSERT_EQUAL(check(new), AUTHORIZER_LATER);
	wait_for_failures(2);
	CU_ASSERT_EQUAL(check(new), AUTHORIZER_LATER);
	publish(NULL, two);
	wait_for(is_allowed, new);
	wait_for(is_refused, old);
	stop();
	free(old);
	free(new);
}

/* Floods of unknown keys do not become floods of requests. */
static void test_flood(void)
{
	char *known = token_of(one, "one", "");
	unsigned requests;

	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(
	    start("refetch_interval = \"60s\"", url_setting()), 0);
	wait_for(is_allowed, known);
	requests = http_server_requests(server);
	for (int i = 0; i < 200; i++) {
		char id[16];
		char *token;

		snprintf(id, sizeof(id), "x%d", i);
		token = token_of(two, id, "");
		CU_ASSERT_EQUAL(check(token), AUTHORIZER_LATER);
		free(token);
	}
	CU_ASSERT_EQUAL(check(known), AUTHORIZER_ALLOWED);
	CU_ASSERT_EQUAL(http_server_requests(server), requests);
	stop();
	free(known);
}

static void test_bad_answers(void)
{
	char *token = token_of(one, "one", "");
	char *long_body = malloc(TOKEN_JWKS_BYTES_MAX + 2);
	char *good = jwks_of(two, NULL);
	char redirect[64];
	const struct {
		const char *status, *headers, *body;
	} all[] = {
		{ "500 Internal Server Error", "", good },
		{ "204 No Content", "", "" },
		{ "302 Found", redirect, good },
		{ "200 OK", "", "" },
		{ "200 OK", "", "<html>" },
		{ "200 OK", "", "{\"keys\":{}}" },
		{ "200 OK", "", "{\"keys\":[],\"keys\":[]}" },
		{ "200 OK", "", long_body },
		{ NULL, "", "" },
	};

	memset(long_body, ' ', TOKEN_JWKS_BYTES_MAX + 1);
	long_body[TOKEN_JWKS_BYTES_MAX + 1] = '\0';
	snprintf(redirect, sizeof(redirect),
		 "Location: http://127.0.0.1:%u/other\r\n",
		 http_server_port(server));
	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(start("refresh_interval = \"100ms\"\n"
				    "fetch_timeout = \"100ms\"\n" QUICK,
				    url_setting()),
			      0);
	wait_for(is_allowed, token);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		http_server_answer(server, all[i].status, all[i].headers,
				   all[i].body);
		wait_for_failures(2); /* the first may be of the one before */
		CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);
		CU_ASSERT_EQUAL(stat_of(STAT_KEYS), 1);
	}
	stop();
	free(good);
	free(long_body);
	free(token);
}

/* Nobody waits for a server that says nothing. */
static void test_stop_while_fetching(void)
{
	unsigned requests = http_server_requests(server) + 1;
	uint64_t begin_ms;

	http_server_answer(server, NULL, "", "");
	CU_ASSERT_EQUAL_FATAL(start("fetch_timeout = \"60s\"", url_setting()),
			      0);
	wait_for(has_asked, &requests);
	begin_ms = clock_monotonic_ms();
	stop();
	CU_ASSERT_TRUE(clock_monotonic_ms() - begin_ms < 5000);
}

/* What a cache says of another URL is not believed. */
static void test_cache_of_another(void)
{
	char *token = token_of(one, "one", "");
	char *jwks = jwks_of(one, NULL), *cache;

	http_server_answer(server, "503 Service Unavailable", "", "");
	if (asprintf(&cache,
		     "{\"url\":\"https://other/\",\"fetched\":1,\"jwks\":%s}",
		     jwks) < 0)
		abort();
	write_file(cache_file, cache);
	CU_ASSERT_EQUAL_FATAL(start(QUICK, url_setting()), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_LATER);
	stop();
	write_file(cache_file, "[]");
	CU_ASSERT_EQUAL_FATAL(start(QUICK, url_setting()), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_LATER);
	stop();
	unlink(cache_file);
	free(cache);
	free(jwks);
	free(token);
}

/* --- Reload and cache --------------------------------------------------- */

static int reload(const char *top, const char *identity)
{
	struct conf *old = conf;
	const void *settings = parse(top, identity);
	int err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
	err = mcmig_module.reload(auth, settings);
	if (err) {
		conf_free(conf);
		conf = old;
	} else {
		conf_free(old);
	}
	return err;
}

static void test_reload(void)
{
	char *token = token_of(one, "one", "");
	char identity[300];
	unsigned requests;

	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(start("", url_setting()), 0);
	wait_for(is_allowed, token);
	requests = http_server_requests(server);

	/* The same source goes on; what it is asked for counts at once. */
	snprintf(identity, sizeof(identity), "%s\nclients = { \"other\" }",
		 url_setting());
	CU_ASSERT_EQUAL(reload("", identity), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_REFUSED);
	CU_ASSERT_EQUAL(http_server_requests(server), requests);
	CU_ASSERT_EQUAL(reload("cache = 0", url_setting()), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);

	/* What cannot be taken changes nothing. */
	CU_ASSERT_EQUAL(reload("", "jwks_url = \"http://b/\""), EINVAL);
	CU_ASSERT_NOT_EQUAL(reload("", "jwks_file = \"/does/not/exist\""), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);

	CU_ASSERT_EQUAL(reload("", file_setting()), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);
	stop();
	free(token);
}

static void test_remembered(void)
{
	char *token = token_of(one, "one", ""), *tokens[64];

	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(start("cache = 8", file_setting()), 0);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);
	CU_ASSERT_EQUAL(stat_of(STAT_CACHE_HITS), 2);
	/* More than it holds: every one is right all the same. */
	for (int i = 0; i < 64; i++) {
		char claims[32];

		snprintf(claims, sizeof(claims), ",\"jti\":\"%d\"", i);
		tokens[i] = token_of(one, "one", claims);
		CU_ASSERT_EQUAL(check(tokens[i]), AUTHORIZER_ALLOWED);
	}
	for (int i = 0; i < 64; i++) {
		CU_ASSERT_EQUAL(check(tokens[i]), AUTHORIZER_ALLOWED);
		free(tokens[i]);
	}
	stop();
	free(token);
}

/* --- Time --------------------------------------------------------------- */

static uint64_t shift_us;
static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
static uint64_t shifted_utc_us(void)
{
	return (uint64_t)time(NULL) * 1000000 + shift_us;
}

static void test_remembered_until_it_expires(void)
{
	static const struct clock_source shifted = { monotonic_ms,
						     shifted_utc_us };
	char *token = token_of(one, "one", "");

	publish(one, NULL);
	CU_ASSERT_EQUAL_FATAL(start("clock_skew = \"30s\"", file_setting()), 0);
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);
	clock_override(&shifted);
	shift_us = UINT64_C(620) * 1000000;
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_ALLOWED);
	shift_us = UINT64_C(640) * 1000000;
	CU_ASSERT_EQUAL(check(token), AUTHORIZER_REFUSED);
	CU_ASSERT_EQUAL(stat_of(STAT_CACHE_HITS), 2);
	clock_override(NULL);
	stop();
	free(token);
}

static CU_TestInfo tests[] = {
	{ "settings that are refused", test_bad_settings },
	{ "a file at the start", test_file_at_start },
	{ "a file that changes", test_file_that_changes },
	{ "a URL", test_url },
	{ "a flood of unknown keys", test_flood },
	{ "answers that are no JWKS", test_bad_answers },
	{ "stop while fetching", test_stop_while_fetching },
	{ "the cache of another URL", test_cache_of_another },
	{ "reload", test_reload },
	{ "tokens that are remembered", test_remembered },
	{ "remembered until it expires", test_remembered_until_it_expires },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "auth_token", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
