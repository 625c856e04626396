/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The auth_token module: access tokens, checked with the keys of the identity
 * managements that the configuration names.
 */
#ifndef MCMIG_AUTH_TOKEN_AUTH_TOKEN_H
#define MCMIG_AUTH_TOKEN_AUTH_TOKEN_H

#include "auth_token/source.h"
#include "base/timer.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include "module/core.h"
#include "stats/stats.h"
#include "token/cache.h"

struct identity_settings { /* of one identity management */
	char *jwks_file, *jwks_url, *jwks_cache, *ca_file;
	struct setting_list audience, clients;
};

struct auth_token_settings {
	struct setting_sections identity_managements;
	struct setting_list algorithms;
	struct setting_list scopes_mcptt, scopes_mcvideo, scopes_mcdata;
	char *primary_id_claim;
	uint32_t clock_skew_ms, refresh_interval_ms, refetch_interval_ms,
	    fetch_timeout_ms;
	uint32_t cache;
};

/* A key that was asked for and not there. */
struct asked_key {
	uint64_t hash;
	uint64_t round; /* when this one is over, it is known what to say */
	uint64_t asked_ms;
};
#define ASKED_KEYS 16

struct identity {
	struct source *source;
	struct token_keys *keys; /* what the policy's issuer points to */
	uint64_t good_round, good_s;
	bool failing; /* said so in the log */
	struct asked_key asked[ASKED_KEYS];
	unsigned asked_next;
};

/* The settings, made ready; the issuers and the identities go in step. */
struct identities {
	struct token_policy policy;
	struct token_issuer *issuers;
	struct identity *list;
	size_t count;
};

enum auth_token_stat {
	STAT_ALLOWED,
	STAT_REFUSED,
	STAT_LATER,
	STAT_CACHE_HITS,
	STAT_KEYS,
	STAT_KEYS_AGE,
	STAT_FETCH_FAILURES,
	STAT_END,
};

struct auth_token {
	struct authorizer authorizer; /* first: check() comes from it */
	struct core *core;
	const struct auth_token_settings *settings;
	struct identities *identities; /* NULL before start() */
	struct token_cache *cache;     /* NULL: none wanted */
	int wake_fd;
	struct loop_watch *watch;
	struct timer age_timer;
	struct statistic stats[STAT_END];
};

/* check.c: the authorizer. */
enum authorizer_result
auth_token_check(struct authorizer *authorizer,
		 const struct authorizer_request *request,
		 const char **reasonp);

/*
 * identities.c: 0 or an errno, having logged why. Those of `old` whose source
 * stays are moved over from it, so it is good for identities_destroy() alone.
 */
int identities_check(const struct auth_token_settings *settings);
int identities_create(struct identities **identitiesp,
		      const struct auth_token_settings *settings, int wake_fd,
		      struct identities *old);
void identities_destroy(struct identities *identities); /* NULL is fine */
/* True: keys have changed. Counts failures. */
bool identities_take_news(struct identities *identities, uint64_t *failures);
/* Keys in all, and the age of the oldest; an issuer without any has none. */
size_t identities_key_count(const struct identities *identities);
uint64_t identities_age_s(const struct identities *identities, uint64_t now_s);

#endif
