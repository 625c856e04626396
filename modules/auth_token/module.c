/* SPDX-License-Identifier: BSD-2-Clause */
/* The auth_token module: its settings, statistics and life. */
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "auth_token/auth_token.h"
#include "base/clock.h"
#include "base/log.h"

#define AGE_INTERVAL_MS 1000

#define IDENTITY(member) .offset = offsetof(struct identity_settings, member)
static const struct setting identity_settings[] = {
	{ .name = "jwks_file",
	  .type = SETTING_STRING,
	  .default_value = "",
	  IDENTITY(jwks_file),
	  .help = "Its public keys as a JWKS (RFC 7517); read again when the "
		  "file changes." },
	{ .name = "jwks_url",
	  .type = SETTING_STRING,
	  .default_value = "",
	  IDENTITY(jwks_url),
	  .help = "Instead of jwks_file: where it publishes its JWKS; https, "
		  "or http on this host alone." },
	{ .name = "jwks_cache",
	  .type = SETTING_STRING,
	  .default_value = "",
	  IDENTITY(jwks_cache),
	  .help = "File that keeps the last JWKS of the URL, for a start while "
		  "it is away; empty: none." },
	{ .name = "ca_file",
	  .type = SETTING_STRING,
	  .default_value = "",
	  IDENTITY(ca_file),
	  .help = "Certificates (PEM) of who may vouch for the URL's server; "
		  "empty: the system's." },
	{ .name = "audience",
	  .type = SETTING_LIST,
	  .default_value = "",
	  IDENTITY(audience),
	  .help = "One of these has to be in a token's aud; empty: it is not "
		  "asked." },
	{ .name = "clients",
	  .type = SETTING_LIST,
	  .default_value = "",
	  IDENTITY(clients),
	  .help = "A token's client_id has to be one of these; empty: any." },
	{ 0 },
};

#define SETTING(member)     \
	.reloadable = true, \
	.offset = offsetof(struct auth_token_settings, member)
static const struct setting settings[] = {
	{ .name = "identity_management",
	  .type = SETTING_SECTIONS,
	  .sections = identity_settings,
	  .sections_bytes = sizeof(struct identity_settings),
	  SETTING(identity_managements),
	  .help = "An identity management whose tokens are taken; the title is "
		  "what their iss says." },
	{ .name = "algorithms",
	  .type = SETTING_LIST,
	  .default_value = "RS256, ES256",
	  SETTING(algorithms),
	  .help = "Signatures that are taken: RS256, RS384, RS512, PS256, "
		  "PS384, PS512, ES256, ES384, ES512." },
	{ .name = "clock_skew",
	  .type = SETTING_DURATION,
	  .default_value = "30s",
	  .min = 0,
	  .max = TOKEN_SKEW_MAX_S * 1000,
	  SETTING(clock_skew_ms),
	  .help = "How far the identity management's clock may be from ours; "
		  "whole seconds." },
	{ .name = "cache",
	  .type = SETTING_UNSIGNED,
	  .default_value = "10000",
	  .max = 1000000,
	  SETTING(cache),
	  .help = "Verified tokens that are remembered; 0: none." },
	{ .name = "primary_id_claim",
	  .type = SETTING_STRING,
	  .default_value = "",
	  SETTING(primary_id_claim),
	  .help = "Claim with the user's primary MC service ID: a token that "
		  "has it pins the pair; empty: none." },
	{ .name = "scopes_mcptt",
	  .type = SETTING_LIST,
	  /* TS 33.180 B.4.2.2; TS 33.179 B.3.1.1 before it. */
	  .default_value = "3gpp:mc:ptt_service, 3gpp:mcptt:ptt_server",
	  SETTING(scopes_mcptt),
	  .help = "One of these has to be in a token's scope for MCPTT." },
	{ .name = "scopes_mcvideo",
	  .type = SETTING_LIST,
	  .default_value = "3gpp:mc:video_service",
	  SETTING(scopes_mcvideo),
	  .help = "One of these has to be in a token's scope for MCVideo." },
	{ .name = "scopes_mcdata",
	  .type = SETTING_LIST,
	  .default_value = "3gpp:mc:data_service",
	  SETTING(scopes_mcdata),
	  .help = "One of these has to be in a token's scope for MCData." },
	{ .name = "refresh_interval",
	  .type = SETTING_DURATION,
	  .default_value = "5min",
	  .min = 100,
	  .max = 86400000,
	  SETTING(refresh_interval_ms),
	  .help = "How often keys are fetched from a URL." },
	{ .name = "refetch_interval",
	  .type = SETTING_DURATION,
	  .default_value = "10s",
	  .min = 100,
	  .max = 3600000,
	  SETTING(refetch_interval_ms),
	  .help = "At least so long between two fetches, also when tokens name "
		  "keys that are not known." },
	{ .name = "fetch_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "5s",
	  .min = 100,
	  .max = 60000,
	  SETTING(fetch_timeout_ms),
	  .help = "A fetch that has not ended by then has failed." },
	{ 0 },
};

/* --- Statistics --------------------------------------------------------- */

static const struct statistic statistics[STAT_END] = {
	[STAT_ALLOWED] = { .name = "auth_token.allowed",
			   .help = "Requests with a good token" },
	[STAT_REFUSED] = { .name = "auth_token.refused",
			   .help = "Requests with a wrong token or none" },
	[STAT_LATER] = { .name = "auth_token.later",
			 .help = "Requests put off: the key was not here" },
	[STAT_CACHE_HITS] = { .name = "auth_token.cache_hits",
			      .help = "Tokens that were remembered" },
	[STAT_KEYS] = { .name = "auth_token.keys",
			.help = "Keys of all identity managements",
			.kind = STATS_GAUGE },
	[STAT_KEYS_AGE] = { .name = "auth_token.keys_age_seconds",
			    .help = "Since the keys that were seen longest ago "
				    "were seen",
			    .kind = STATS_GAUGE },
	[STAT_FETCH_FAILURES] = { .name = "auth_token.fetch_failures",
				  .help = "Keys that could not be read or "
					  "fetched" },
};

static void add_statistics(struct auth_token *auth)
{
	memcpy(auth->stats, statistics, sizeof(statistics));
	for (int i = 0; i < STAT_END; i++)
		stats_add(auth->core->stats, &auth->stats[i]);
}

static void set_gauges(struct auth_token *auth)
{
	uint64_t now_s = clock_utc_ms() / 1000;

	stat_set(&auth->stats[STAT_KEYS],
		 identities_key_count(auth->identities));
	stat_set(&auth->stats[STAT_KEYS_AGE],
		 identities_age_s(auth->identities, now_s));
}

static void watch_age(void *arg)
{
	struct auth_token *auth = arg;

	set_gauges(auth);
	if (timer_start(auth->core->timers, &auth->age_timer, AGE_INTERVAL_MS,
			watch_age, auth))
		log_warning("auth_token", "msg=\"no memory: the age of keys is "
					  "not shown any more\"");
}

/* --- Life --------------------------------------------------------------- */

/* A removed key's tokens are remembered no longer. */
static void take_news(void *arg, uint32_t events)
{
	struct auth_token *auth = arg;
	eventfd_t count;

	(void)events;
	if (eventfd_read(auth->wake_fd, &count))
		return;
	if (identities_take_news(auth->identities,
				 &auth->stats[STAT_FETCH_FAILURES].value) &&
	    auth->cache)
		token_cache_flush(auth->cache);
	set_gauges(auth);
}

static int create_cache(struct token_cache **cachep, uint32_t entries)
{
	*cachep = NULL;
	return entries ? token_cache_create(cachep, entries) : 0;
}

static int init(struct core *core, const void *values, void **contextp)
{
	struct auth_token *auth;
	int err = identities_check(values);

	if (err)
		return err;
	auth = calloc(1, sizeof(*auth));
	if (!auth)
		return ENOMEM;
	auth->authorizer.check = auth_token_check;
	auth->core = core;
	auth->settings = values;
	auth->wake_fd = -1;
	err = create_cache(&auth->cache, auth->settings->cache);
	if (err) {
		free(auth);
		return err;
	}
	add_statistics(auth);
	core->authorizer = &auth->authorizer;
	*contextp = auth;
	return 0;
}

static int start(void *context)
{
	struct auth_token *auth = context;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return ENOMEM;
	auth->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (auth->wake_fd < 0)
		return errno;
	err = identities_create(&auth->identities, auth->settings,
				auth->wake_fd, NULL);
	if (!err)
		err = loop_watch(auth->core->loop, auth->wake_fd, EPOLLIN,
				 take_news, auth, &auth->watch);
	if (!err)
		watch_age(auth);
	return err;
}

static int reload(void *context, const void *values)
{
	const struct auth_token_settings *new = values;
	struct auth_token *auth = context;
	struct identities *identities;
	struct token_cache *cache;
	int err = identities_check(new);

	if (!err)
		err = create_cache(&cache, new->cache);
	if (err)
		return err;
	err = identities_create(&identities, new, auth->wake_fd,
				auth->identities);
	if (err) {
		token_cache_destroy(cache);
		return err;
	}
	identities_destroy(auth->identities);
	token_cache_destroy(auth->cache);
	auth->identities = identities;
	auth->cache = cache;
	auth->settings = new;
	set_gauges(auth);
	return 0;
}

static void stop(void *context)
{
	struct auth_token *auth = context;

	auth->core->authorizer = NULL;
	timer_stop(auth->core->timers, &auth->age_timer);
	identities_destroy(auth->identities);
	loop_unwatch(auth->watch);
	if (auth->wake_fd >= 0)
		close(auth->wake_fd);
	token_cache_destroy(auth->cache);
	for (int i = 0; i < STAT_END; i++)
		stats_remove(auth->core->stats, &auth->stats[i]);
	free(auth);
}

MODULE_EXPORT const struct module mcmig_module = {
	.abi = MODULE_ABI,
	.name = "auth_token",
	.description = "Checks access tokens with the keys of identity "
		       "managements",
	.settings = settings,
	.settings_bytes = sizeof(struct auth_token_settings),
	.init = init,
	.start = start,
	.reload = reload,
	.stop = stop,
};
