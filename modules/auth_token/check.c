/* SPDX-License-Identifier: BSD-2-Clause */
/* Checking one request's token, on the loop thread. */
#include "auth_token/auth_token.h"
#include "base/clock.h"

/* Longer than a client waits after a 503, so that it hears a refusal. */
#define UNKNOWN_FOR_MS 60000

static struct asked_key *find_asked(struct identity *identity, uint64_t hash)
{
	for (unsigned i = 0; i < ASKED_KEYS; i++) {
		struct asked_key *asked = &identity->asked[i];

		if (asked->round && asked->hash == hash)
			return asked;
	}
	return &identity->asked[identity->asked_next++ % ASKED_KEYS];
}

/*
 * Its issuer may have made the key since the last round: only a round that
 * begins after the question can tell, and what it tells holds for a minute.
 * Unknown IDs that come in floods push each other out and are asked again: they
 * cost a table's place each, and no more rounds than the source allows.
 */
static bool is_settled(struct identity *identity, uint64_t hash)
{
	struct asked_key *asked = find_asked(identity, hash);
	uint64_t now_ms = clock_monotonic_ms();

	if (asked->hash == hash && asked->round) {
		if (identity->good_round < asked->round) {
			source_ask(identity->source);
			return false;
		}
		if (now_ms - asked->asked_ms < UNKNOWN_FOR_MS)
			return true;
	}
	*asked = (struct asked_key){
		.hash = hash,
		.round = source_ask(identity->source),
		.asked_ms = now_ms,
	};
	return false;
}

static enum authorizer_result
after_failure(struct auth_token *auth, enum token_result result,
	      const struct token_unknown_key *unknown)
{
	struct identities *identities = auth->identities;

	switch (result) {
	case TOKEN_NO_MEMORY:
		return AUTHORIZER_LATER;
	case TOKEN_KEY_UNKNOWN:
		return is_settled(&identities->list[unknown->issuer -
						    identities->issuers],
				  unknown->hash)
			   ? AUTHORIZER_REFUSED
			   : AUTHORIZER_LATER;
	default:
		return AUTHORIZER_REFUSED;
	}
}

static enum authorizer_result
check_anew(struct auth_token *auth, const struct authorizer_request *request,
	   int64_t now_s, const unsigned char *digest, const char **reasonp)
{
	const struct token_policy *policy = &auth->identities->policy;
	struct token_unknown_key unknown;
	struct token_claims *claims = NULL;
	enum authorizer_result authorized;
	enum token_result result =
	    token_read(policy, request->token, &claims, reasonp, &unknown);

	if (result != TOKEN_VERIFIED)
		return after_failure(auth, result, &unknown);
	authorized = token_use(policy, claims, request, now_s, reasonp);
	if (digest)
		token_cache_put(auth->cache, digest, claims);
	else
		token_claims_destroy(claims);
	return authorized;
}

static enum authorizer_result check(struct auth_token *auth,
				    const struct authorizer_request *request,
				    const char **reasonp)
{
	unsigned char digest[TOKEN_DIGEST_BYTES];
	const struct token_claims *claims;
	int64_t now_s = (int64_t)(clock_utc_ms() / 1000);

	if (!request->token) {
		*reasonp = "there is no token";
		return AUTHORIZER_REFUSED;
	}
	if (!auth->cache)
		return check_anew(auth, request, now_s, NULL, reasonp);
	if (token_cache_digest(auth->cache, request->token, digest)) {
		*reasonp = "there is no memory to check it";
		return AUTHORIZER_LATER;
	}
	claims = token_cache_find(auth->cache, digest);
	if (!claims)
		return check_anew(auth, request, now_s, digest, reasonp);
	stat_increment(&auth->stats[STAT_CACHE_HITS]);
	return token_use(&auth->identities->policy, claims, request, now_s,
			 reasonp);
}

enum authorizer_result
auth_token_check(struct authorizer *authorizer,
		 const struct authorizer_request *request, const char **reasonp)
{
	static const enum auth_token_stat counters[] = {
		[AUTHORIZER_ALLOWED] = STAT_ALLOWED,
		[AUTHORIZER_PINNED] = STAT_ALLOWED,
		[AUTHORIZER_REFUSED] = STAT_REFUSED,
		[AUTHORIZER_LATER] = STAT_LATER,
	};
	struct auth_token *auth = (struct auth_token *)authorizer;
	enum authorizer_result result;

	*reasonp = "";
	result =
	    auth->identities ? check(auth, request, reasonp) : AUTHORIZER_LATER;
	if (!*reasonp)
		*reasonp = "";
	stat_increment(&auth->stats[counters[result]]);
	return result;
}
