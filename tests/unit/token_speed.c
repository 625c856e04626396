/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what checking an access token costs, verified and remembered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/cache.h"
#include "token_maker.h"

#define NOW 1795423123
#define ISSUER "https://idms.b.example"
#define PARTNER "sip:visitor00001@b.example"
#define PAYLOAD                                                        \
	"{\"iss\":\"" ISSUER                                           \
	"\",\"aud\":\"mcmig\",\"client_id\":\"mcptt_client\",\"iat\":" \
	"1795423123,\"nbf\":1795423123,\"exp\":1795426723,\"scope\":"  \
	"\"openid 3gpp:mc:ptt_service\",\"mcptt_id\":\"" PARTNER       \
	"\",\"mcdata_id\":\"" PARTNER "\",\"jti\":\"7f2d4a559c3b1d2e3f40\"}"

static const char *const scopes[] = { "3gpp:mc:ptt_service",
				      "3gpp:mcptt:ptt_server" };
static const char *const audiences[] = { "mcmig" };
static struct token_issuer issuer = {
	.name = ISSUER,
	.audiences = { audiences, 1 },
};
static const struct token_policy policy = {
	.issuers = &issuer,
	.issuer_count = 1,
	.algorithms = (1u << TOKEN_ALGORITHM_END) - 1,
	.clock_skew_s = 30,
	.scopes = { [MC_SERVICE_MCPTT] = { scopes, 2 } },
};
static const struct authorizer_request request = {
	.service = MC_SERVICE_MCPTT,
	.partner_id = PARTNER,
	.primary_id = "sip:user00001@a.example",
};

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct token_claims *read_once(const char *token)
{
	struct token_unknown_key unknown;
	struct token_claims *claims = NULL;
	const char *reason;

	if (token_read(&policy, token, &claims, &reason, &unknown)) {
		fprintf(stderr, "token_speed: %s\n", reason);
		exit(1);
	}
	return claims;
}

static void use_once(const struct token_claims *claims)
{
	const char *reason;

	if (token_use(&policy, claims, &request, NOW, &reason))
		exit(1);
}

static double verify(const char *token, int rounds)
{
	double begin = cpu_us();

	for (int i = 0; i < rounds; i++) {
		struct token_claims *claims = read_once(token);

		use_once(claims);
		token_claims_destroy(claims);
	}
	return (cpu_us() - begin) / rounds;
}

/* A digest, a look and what depends on the request. */
static double remember(const char *token, int rounds)
{
	unsigned char digest[TOKEN_DIGEST_BYTES];
	struct token_cache *cache;
	double begin, end;

	if (token_cache_create(&cache, 10000) ||
	    token_cache_digest(cache, token, digest))
		exit(1);
	token_cache_put(cache, digest, read_once(token));
	begin = cpu_us();
	for (int i = 0; i < rounds; i++) {
		token_cache_digest(cache, token, digest);
		use_once(token_cache_find(cache, digest));
	}
	end = cpu_us();
	token_cache_destroy(cache);
	return (end - begin) / rounds;
}

/* What a miss costs more: the digest, and taking the place of another. */
static double miss(const char *token, int rounds)
{
	unsigned char digest[TOKEN_DIGEST_BYTES];
	struct token_cache *cache;
	double begin, end;

	if (token_cache_create(&cache, 10000))
		exit(1);
	begin = cpu_us();
	for (int i = 0; i < rounds; i++) {
		token_cache_digest(cache, token, digest);
		memcpy(digest, &i, sizeof(i));
		if (token_cache_find(cache, digest))
			exit(1);
		token_cache_put(cache, digest,
				calloc(1, sizeof(struct token_claims)));
	}
	end = cpu_us();
	token_cache_destroy(cache);
	return (end - begin) / rounds;
}

static void measure(const char *type, unsigned bits, const char *algorithm)
{
	struct maker_key *key = maker_key_create(type, bits);
	char *jwks = maker_jwks(maker_jwk(key, "\"kid\":\"one\""), NULL);
	struct token_keys *keys;
	const char *reason;
	char header[64];
	char *token;

	if (token_keys_parse(jwks, strlen(jwks), &keys, &reason))
		exit(1);
	issuer.keys = keys;
	snprintf(header, sizeof(header),
		 "{\"alg\":\"%s\",\"kid\":\"one\",\"typ\":\"JWT\"}", algorithm);
	token = maker_token(key, algorithm, header, PAYLOAD);
	printf("%s, %zu bytes: verified %.1f us, remembered %.2f us, "
	       "a miss %.2f us more (CPU, means)\n",
	       algorithm, strlen(token), verify(token, 10000),
	       remember(token, 500000), miss(token, 200000));
	free(token);
	token_keys_destroy(keys);
	free(jwks);
	maker_key_destroy(key);
}

int main(void)
{
	measure("RSA", 2048, "RS256");
	measure("RSA", 2048, "PS256");
	measure("RSA", 4096, "RS256");
	measure("EC", 256, "ES256");
	measure("EC", 384, "ES384");
	measure("EC", 521, "ES512");
	return 0;
}
