/* SPDX-License-Identifier: BSD-2-Clause */
/* The identity managements of the configuration, with their keys. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth_token/auth_token.h"
#include "auth_token/fetch.h"
#include "base/log.h"

/* --- Settings ----------------------------------------------------------- */

static int complain(const char *issuer, const char *what, const char *why)
{
	log_error("auth_token", "msg=\"identity_management '%s': %s %s\"",
		  issuer, what, why);
	return EINVAL;
}

static int check_identity(const struct setting_section *section)
{
	const struct identity_settings *settings = section->values;
	const char *reason;

	if (!*settings->jwks_file == !*settings->jwks_url)
		return complain(section->title, "jwks_file or jwks_url",
				"must be given, and not both");
	if (*settings->jwks_file && *settings->jwks_cache)
		return complain(section->title, "jwks_cache",
				"is for jwks_url alone");
	if (*settings->jwks_url) {
		reason = fetch_refuse_url(settings->jwks_url);
		if (reason)
			return complain(section->title, "jwks_url", reason);
	}
	if (!settings->audience.count)
		log_warning("auth_token",
			    "msg=\"identity_management '%s' has no audience: "
			    "its tokens for any server are taken\"",
			    section->title);
	return 0;
}

/* 0 if one of the names is no algorithm for us, or there is none. */
static unsigned read_algorithms(const struct setting_list *names)
{
	unsigned algorithms = 0;

	for (size_t i = 0; i < names->count; i++) {
		enum token_algorithm algorithm;

		if (token_algorithm_from_name(names->values[i], &algorithm)) {
			log_error("auth_token",
				  "msg=\"algorithms: '%s' is no signature "
				  "with a public key; expected RS256, ES256 or "
				  "their like\"",
				  names->values[i]);
			return 0;
		}
		algorithms |= 1u << algorithm;
	}
	if (!algorithms)
		log_error("auth_token", "msg=\"algorithms: none is allowed, so "
					"no token could be taken\"");
	return algorithms;
}

int identities_check(const struct auth_token_settings *settings)
{
	const struct setting_sections *sections =
	    &settings->identity_managements;
	int err = read_algorithms(&settings->algorithms) ? 0 : EINVAL;

	for (size_t i = 0; !err && i < sections->count; i++)
		err = check_identity(&sections->items[i]);
	return err;
}

static struct token_names names_of(const struct setting_list *list)
{
	return (struct token_names){
		.values = (const char *const *)list->values,
		.count = list->count,
	};
}

static void make_policy(struct token_policy *policy,
			const struct auth_token_settings *settings)
{
	policy->algorithms = read_algorithms(&settings->algorithms);
	policy->clock_skew_s = settings->clock_skew_ms / 1000;
	policy->primary_id_claim = settings->primary_id_claim;
	policy->scopes[MC_SERVICE_MCPTT] = names_of(&settings->scopes_mcptt);
	policy->scopes[MC_SERVICE_MCVIDEO] =
	    names_of(&settings->scopes_mcvideo);
	policy->scopes[MC_SERVICE_MCDATA] = names_of(&settings->scopes_mcdata);
}

/* --- News --------------------------------------------------------------- */

static void say(struct identity *identity, const struct token_issuer *issuer,
		const struct source_news *news)
{
	if (news->keys)
		log_info("auth_token", "msg=\"keys of '%s' loaded\" keys=%zu",
			 issuer->name, token_keys_count(news->keys));
	if (news->failure && !identity->failing)
		log_warning("auth_token",
			    "msg=\"no keys from '%s': %s\" detail=%d "
			    "keys_kept=%zu",
			    issuer->name, news->failure, news->detail,
			    identity->keys ? token_keys_count(identity->keys)
					   : 0);
	if (!news->failure && identity->failing)
		log_info("auth_token", "msg=\"keys of '%s' are there again\"",
			 issuer->name);
	identity->failing = news->failure != NULL;
}

static bool take_news(struct identity *identity, struct token_issuer *issuer,
		      struct source_news *news)
{
	bool changed;

	identity->good_round = news->good_round;
	identity->good_s = news->good_s;
	changed = news->keys && (!identity->keys ||
				 !token_keys_equal(news->keys, identity->keys));
	if (!changed) {
		token_keys_destroy(news->keys);
		news->keys = NULL;
	}
	say(identity, issuer, news);
	if (!changed)
		return false;
	token_keys_destroy(identity->keys);
	identity->keys = news->keys;
	issuer->keys = news->keys;
	return true;
}

bool identities_take_news(struct identities *identities, uint64_t *failures)
{
	bool changed = false;

	for (size_t i = 0; i < identities->count; i++) {
		struct identity *identity = &identities->list[i];
		struct source_news news;

		source_take_news(identity->source, &news);
		*failures += news.failures;
		changed |= take_news(identity, &identities->issuers[i], &news);
	}
	return changed;
}

size_t identities_key_count(const struct identities *identities)
{
	size_t count = 0;

	for (size_t i = 0; i < identities->count; i++) {
		if (identities->list[i].keys)
			count += token_keys_count(identities->list[i].keys);
	}
	return count;
}

uint64_t identities_age_s(const struct identities *identities, uint64_t now_s)
{
	uint64_t oldest = 0;

	for (size_t i = 0; i < identities->count; i++) {
		uint64_t good_s = identities->list[i].good_s;

		if (good_s && good_s < now_s && now_s - good_s > oldest)
			oldest = now_s - good_s;
	}
	return oldest;
}

/* --- Life --------------------------------------------------------------- */

static int allocate(struct identities **identitiesp, size_t count)
{
	struct identities *identities = calloc(1, sizeof(*identities));

	if (!identities)
		return ENOMEM;
	identities->list = calloc(count + 1, sizeof(*identities->list));
	identities->issuers = calloc(count + 1, sizeof(*identities->issuers));
	if (!identities->list || !identities->issuers) {
		identities_destroy(identities);
		return ENOMEM;
	}
	identities->count = count;
	identities->policy.issuers = identities->issuers;
	identities->policy.issuer_count = count;
	*identitiesp = identities;
	return 0;
}

static struct source_options
options_of(const struct auth_token_settings *settings,
	   const struct identity_settings *identity)
{
	return (struct source_options){
		.file = identity->jwks_file,
		.url = identity->jwks_url,
		.ca_file = identity->ca_file,
		.cache_file = identity->jwks_cache,
		.refresh_ms = settings->refresh_interval_ms,
		.refetch_ms = settings->refetch_interval_ms,
		.timeout_ms = settings->fetch_timeout_ms,
	};
}

static struct identity *find(struct identities *old, const char *title,
			     const struct source_options *options)
{
	for (size_t i = 0; old && i < old->count; i++) {
		if (!strcmp(old->issuers[i].name, title) &&
		    source_is_same(old->list[i].source, options))
			return &old->list[i];
	}
	return NULL;
}

static int create_source(struct identity *identity, struct token_issuer *issuer,
			 const struct source_options *options, int wake_fd)
{
	struct source_news news;
	int err = source_create(&identity->source, options, wake_fd, &news);

	if (!err)
		err = source_start(identity->source);
	if (!err) {
		take_news(identity, issuer, &news);
		return 0;
	}
	token_keys_destroy(news.keys);
	log_error("auth_token",
		  "msg=\"no keys from '%s': %s %s: %s\" detail=%d",
		  issuer->name, *options->file ? "file" : "URL",
		  *options->file ? options->file : options->url,
		  news.failure ? news.failure : strerror(err), news.detail);
	return err;
}

/* Whoever stays is moved when nothing can fail any more. */
static void move(struct identities *to, struct identities *old,
		 const struct auth_token_settings *settings)
{
	for (size_t i = 0; i < to->count; i++) {
		const struct setting_section *section =
		    &settings->identity_managements.items[i];
		const struct source_options options =
		    options_of(settings, section->values);
		struct identity *same;

		if (to->list[i].source)
			continue;
		same = find(old, section->title, &options);
		to->list[i] = *same;
		to->issuers[i].keys = same->keys;
		*same = (struct identity){ 0 };
	}
}

int identities_create(struct identities **identitiesp,
		      const struct auth_token_settings *settings, int wake_fd,
		      struct identities *old)
{
	const struct setting_sections *sections =
	    &settings->identity_managements;
	struct identities *identities;
	int err = allocate(&identities, sections->count);

	if (err)
		return err;
	make_policy(&identities->policy, settings);
	for (size_t i = 0; !err && i < sections->count; i++) {
		const struct identity_settings *values =
		    sections->items[i].values;
		const struct source_options options =
		    options_of(settings, values);

		identities->issuers[i] = (struct token_issuer){
			.name = sections->items[i].title,
			.audiences = names_of(&values->audience),
			.clients = names_of(&values->clients),
		};
		if (!find(old, sections->items[i].title, &options))
			err = create_source(&identities->list[i],
					    &identities->issuers[i], &options,
					    wake_fd);
	}
	if (err) {
		identities_destroy(identities);
		return err;
	}
	move(identities, old, settings);
	*identitiesp = identities;
	return 0;
}

void identities_destroy(struct identities *identities)
{
	if (!identities)
		return;
	for (size_t i = 0; identities->list && i < identities->count; i++) {
		source_destroy(identities->list[i].source);
		token_keys_destroy(identities->list[i].keys);
	}
	free(identities->list);
	free(identities->issuers);
	free(identities);
}
