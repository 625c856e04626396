/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/token when memory is short: nobody is let in or refused by that. */
#include "config.h"

#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/ecdsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/export.h"
#include "token/cache.h"
#include "token_maker.h"

#define ISSUER "https://idms.b.example"
#define PAYLOAD                                                            \
	"{\"iss\":\"" ISSUER                                               \
	"\",\"aud\":[\"mcmig\"],\"client_id\":\"c\",\"exp\":1795426723,"   \
	"\"scope\":\"openid 3gpp:mc:ptt_service\",\"mcptt_id\":\"sip:v@b." \
	"example\",\"home\":\"sip:a@a.example\"}"

static const char *const scopes[] = { "3gpp:mc:ptt_service" };
static struct token_issuer issuer = { .name = ISSUER };
static const struct token_policy policy = {
	.issuers = &issuer,
	.issuer_count = 1,
	.algorithms = (1u << TOKEN_ALGORITHM_END) - 1,
	.scopes = { [MC_SERVICE_MCPTT] = { scopes, 1 } },
	.primary_id_claim = "home",
};

static char *jwks, *rsa_token, *ec_token, *long_token;

/* As long as it may be. */
static char *make_long_token(const struct maker_key *key)
{
	static const char header[] = "{\"alg\":\"RS256\",\"kid\":\"rsa\"}";
	/* The dots, and 2048 bits. */
	const size_t chars =
	    TOKEN_BYTES_MAX - (sizeof(header) - 1 + 2) / 3 * 4 - 2 - 342;
	char *payload = malloc(chars / 4 * 3 + 1), *token;

	memset(payload, ' ', chars / 4 * 3);
	payload[chars / 4 * 3] = '\0';
	token = maker_token(key, "RS256", header, payload);
	free(payload);
	return token;
}

static int set_up(void)
{
	struct maker_key *rsa, *ec;

	alloc_fail_install();
	rsa = maker_key_create("RSA", 2048);
	ec = maker_key_create("EC", 256);
	jwks = maker_jwks(maker_jwk(rsa, "\"kid\":\"rsa\""),
			  maker_jwk(ec, "\"kid\":\"ec\""), NULL);
	rsa_token = maker_token(rsa, "RS256",
				"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", PAYLOAD);
	ec_token = maker_token(ec, "ES256",
			       "{\"alg\":\"ES256\",\"kid\":\"ec\"}", PAYLOAD);
	long_token = make_long_token(rsa);
	maker_key_destroy(rsa);
	maker_key_destroy(ec);
	return 0;
}

static int tear_down(void)
{
	free(jwks);
	free(rsa_token);
	free(ec_token);
	free(long_token);
	return 0;
}

/* --- What cjose does not bear ------------------------------------------- */

/*
 * cjose 0.6.2 uses what these three gave it without a look: where it checks
 * ECDSA a NULL is the end of the process, where it makes RSA keys the other
 * number is lost. It allocates them by OpenSSL, where we cannot help, so they
 * do not fail here when it is cjose that calls.
 */
static bool spare(const void *caller)
{
	Dl_info info;
	bool is_cjose =
	    dladdr(caller, &info) && strstr(info.dli_fname, "libcjose") != NULL;

	if (is_cjose)
		alloc_fail_spare(true);
	return is_cjose;
}

static void *openssl(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

MCMIG_API ECDSA_SIG *ECDSA_SIG_new(void)
{
	ECDSA_SIG *(*create)(void) = openssl("ECDSA_SIG_new");
	bool spared = spare(__builtin_return_address(0));
	ECDSA_SIG *signature = create();

	if (spared)
		alloc_fail_spare(false);
	return signature;
}

MCMIG_API BIGNUM *BN_new(void)
{
	BIGNUM *(*create)(void) = openssl("BN_new");
	bool spared = spare(__builtin_return_address(0));
	BIGNUM *number = create();

	if (spared)
		alloc_fail_spare(false);
	return number;
}

MCMIG_API BIGNUM *BN_bin2bn(const unsigned char *bytes, int count, BIGNUM *to)
{
	BIGNUM *(*convert)(const unsigned char *bytes, int count, BIGNUM *to) =
	    openssl("BN_bin2bn");
	bool spared = spare(__builtin_return_address(0));
	BIGNUM *number = convert(bytes, count, to);

	if (spared)
		alloc_fail_spare(false);
	return number;
}

/* --- Every allocation --------------------------------------------------- */

/*
 * Calls `attempt` with each of its allocations failing in turn, three times
 * over: what libraries keep is the same after the second and the third, and
 * what they or we lose is not.
 */
static void fail_each(void (*set)(long n), void (*attempt)(const char *arg),
		      const char *arg)
{
	long live[4];

	for (int pass = 0; pass < 4; pass++) {
		bool failed = true;

		for (long n = 1; failed; n++) {
			set(n);
			attempt(arg);
			failed = alloc_fail_happened();
			alloc_fail_at(0);
		}
		live[pass] = alloc_fail_live();
	}
	CU_ASSERT_EQUAL(live[3], live[2]);
}

/* --- Keys --------------------------------------------------------------- */

static int parse_keys(struct token_keys **keysp)
{
	const char *reason;

	*keysp = NULL;
	return token_keys_parse(jwks, strlen(jwks), keysp, &reason);
}

/* All of them or none: one that is lost would be missed. */
static void try_keys(const char *arg)
{
	struct token_keys *keys;
	int err = parse_keys(&keys);

	(void)arg;
	if (err)
		CU_ASSERT_EQUAL(err, ENOMEM);
	CU_ASSERT_TRUE(err || token_keys_count(keys) == 2);
	token_keys_destroy(keys);
}

static void test_keys(void)
{
	fail_each(alloc_fail_at, try_keys, NULL);
}

/* --- Tokens ------------------------------------------------------------- */

static void try_token(const char *token)
{
	struct token_unknown_key unknown;
	struct token_claims *claims = NULL;
	const char *reason = NULL;
	enum token_result result =
	    token_read(&policy, token, &claims, &reason, &unknown);

	if (result == TOKEN_VERIFIED) {
		CU_ASSERT_STRING_EQUAL(claims->primary_id, "sip:a@a.example");
		CU_ASSERT_STRING_EQUAL(claims->ids[MC_SERVICE_MCPTT],
				       "sip:v@b.example");
	} else {
		CU_ASSERT_PTR_NULL(claims);
	}
	/* OpenSSL does not tell each time why it could not compute. */
	if (result == TOKEN_REFUSED)
		CU_ASSERT_STRING_EQUAL(reason, "its signature is wrong");
	token_claims_destroy(claims);
}

static void test_tokens(void)
{
	struct token_keys *keys;

	CU_ASSERT_EQUAL_FATAL(parse_keys(&keys), 0);
	issuer.keys = keys;
	fail_each(alloc_fail_at, try_token, rsa_token);
	fail_each(alloc_fail_at, try_token, ec_token);
	fail_each(alloc_fail_from, try_token, rsa_token);
	fail_each(alloc_fail_from, try_token, ec_token);
	token_keys_destroy(keys);
	issuer.keys = NULL;
}

/* --- The reserve of cjose ------------------------------------------------ */

static const struct token_key *find_rsa(const struct token_keys *keys)
{
	const struct token_key *key = NULL;
	const char *reason;

	CU_ASSERT_EQUAL_FATAL(
	    token_keys_find(keys, "rsa", TOKEN_RS256, &key, &reason), 0);
	return key;
}

/* Good tokens: the reserve serves, and yet no more is said than that. */
static void expect_no_memory(const struct token_key *key, const char *token)
{
	const char *reason;
	int err = token_key_verify(key, TOKEN_RS256, token, strlen(token),
				   2048 / 8, &reason);

	CU_ASSERT_EQUAL(err, alloc_fail_happened() ? ENOMEM : 0);
	alloc_fail_at(0);
}

static void test_reserve(void)
{
	struct token_keys *keys;
	const struct token_key *key;

	CU_ASSERT_EQUAL_FATAL(parse_keys(&keys), 0);
	key = find_rsa(keys);
	for (long n = 1; n < 5; n++) {
		alloc_fail_at(n);
		expect_no_memory(key, rsa_token);
	}
	/* The longest one takes nearly all of it, so it has to be given back. */
	CU_ASSERT_TRUE(strlen(long_token) <= TOKEN_BYTES_MAX);
	CU_ASSERT_TRUE(strlen(long_token) > TOKEN_BYTES_MAX - 10);
	for (int i = 0; i < 10; i++) {
		alloc_fail_above(200); /* jansson has smaller ones */
		expect_no_memory(key, long_token);
	}
	expect_no_memory(key, long_token);
	token_keys_destroy(keys);
}

/* --- Cache -------------------------------------------------------------- */

static void try_cache(const char *arg)
{
	struct token_cache *cache = NULL;
	int err = token_cache_create(&cache, 10);

	(void)arg;
	if (err)
		CU_ASSERT_EQUAL(err, ENOMEM);
	token_cache_destroy(cache);
}

static void test_cache(void)
{
	fail_each(alloc_fail_at, try_cache, NULL);
}

static CU_TestInfo tests[] = {
	{ "keys", test_keys },	     { "tokens", test_tokens },
	{ "reserve", test_reserve }, { "cache", test_cache },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "token_alloc", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
