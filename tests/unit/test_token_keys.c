/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/token: which keys of a JWKS are for us, and what is none. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/keys.h"
#include "token_maker.h"

static struct maker_key *rsa, *rsa_small, *p256, *p256_other, *p384;

static int make_keys(void)
{
	rsa = maker_key_create("RSA", 2048);
	rsa_small = maker_key_create("RSA", 1024);
	p256 = maker_key_create("EC", 256);
	p256_other = maker_key_create("EC", 256);
	p384 = maker_key_create("EC", 384);
	return 0;
}

static int drop_keys(void)
{
	maker_key_destroy(rsa);
	maker_key_destroy(rsa_small);
	maker_key_destroy(p256);
	maker_key_destroy(p256_other);
	maker_key_destroy(p384);
	return 0;
}

struct seen {
	size_t count;
	const char *reason;
};

static void see(void *arg, const char *id, const char *type, const char *reason)
{
	struct seen *seen = arg;

	(void)id, (void)type;
	seen->count++;
	seen->reason = reason;
}

/* `jwk` is freed. */
static void expect_key(char *jwk, const char *reason)
{
	char *jwks = maker_jwks(jwk, NULL);
	struct seen seen = { 0 };
	struct token_keys *parsed;
	const char *fault;

	CU_ASSERT_EQUAL_FATAL(
	    token_keys_parse(jwks, strlen(jwks), &parsed, &fault), 0);
	token_keys_visit(parsed, see, &seen);
	CU_ASSERT_EQUAL(seen.count, 1);
	CU_ASSERT_EQUAL(token_keys_count(parsed), !reason);
	if (seen.reason && reason) {
		CU_ASSERT_STRING_EQUAL(seen.reason, reason);
	} else {
		CU_ASSERT_PTR_EQUAL(seen.reason, reason);
	}
	token_keys_destroy(parsed);
	free(jwks);
}

static char *without(char *jwk, const char *begin, char with)
{
	strstr(jwk, begin)[strlen(begin)] = with;
	return jwk;
}

static void test_keys(void)
{
	expect_key(maker_jwk(p256, ""), NULL);
	expect_key(maker_jwk(rsa, "\"key_ops\":[\"sign\",\"verify\"]"), NULL);
	expect_key(maker_jwk(p256, "\"x5c\":[],\"other\":1"), NULL);

	expect_key(strdup("7"), "kty is not RSA or EC");
	expect_key(strdup("{}"), "kty is not RSA or EC");
	expect_key(strdup("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}"),
		   "kty is not RSA or EC");
	expect_key(strdup("{\"kty\":\"oct\",\"k\":\"AAAA\"}"),
		   "a shared secret");
	expect_key(maker_jwk(p256, "\"kid\":1"), "kid is no text");
	expect_key(maker_jwk(p256, "\"use\":\"enc\""), "use is not sig");
	expect_key(maker_jwk(p256, "\"key_ops\":\"verify\""),
		   "key_ops has no verify");
	expect_key(maker_jwk(p256, "\"d\":\"AAAA\""),
		   "its private part is there: it is no secret any more");
	expect_key(maker_jwk(p256, "\"alg\":\"ES384\""),
		   "alg does not fit kty and crv");
	expect_key(maker_jwk(rsa, "\"alg\":\"RSA-OAEP\""),
		   "alg is no signature that we know");
	expect_key(maker_jwk(rsa_small, ""),
		   "an RSA key of less than 2048 bits");
	expect_key(strdup("{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}"),
		   "n is no number");
	expect_key(strdup("{\"kty\":\"EC\",\"crv\":\"secp256k1\"}"),
		   "crv is not P-256, P-384 or P-521");
	expect_key(without(maker_jwk(p256, ""), "\"x\":\"", '='),
		   "x or y is no coordinate of its curve");
}

static void expect_exponent(const char *exponent, const char *reason)
{
	char *jwk = maker_jwk(rsa, "");
	char *changed;

	jwk[strlen(jwk) - strlen("AQAB\"}")] = '\0';
	if (asprintf(&changed, "%s%s\"}", jwk, exponent) < 0)
		abort();
	free(jwk);
	expect_key(changed, reason);
}

static void test_numbers(void)
{
	char *jwk = maker_jwk(p256, ""), *other = maker_jwk(p256_other, "");
	char *y = strstr(other, "\"y\":"), *mixed;

	/* One key's x, another's y. */
	*strstr(jwk, "\"y\":") = '\0';
	if (asprintf(&mixed, "%s%s", jwk, y) < 0)
		abort();
	free(jwk);
	free(other);
	expect_key(mixed, "its numbers are no key");

	expect_exponent("Aw", NULL); /* 3 */
	expect_exponent("AQ", "e is no RSA exponent");
	expect_exponent("Ag", "e is no RSA exponent");
	expect_exponent("BA", "e is no RSA exponent");
	expect_exponent("", "e is no number");
	expect_exponent("AAEAAQ", "e is no number"); /* not the shortest */
	expect_exponent("AQAAAAAAAAAB", "e is too big");
}

static void test_bad_jwks(void)
{
	static const struct {
		const char *text, *reason;
	} all[] = {
		{ "", "the JWKS is no JSON" },
		{ "[]", "the JWKS has no array \"keys\"" },
		{ "{\"keys\":{}}", "the JWKS has no array \"keys\"" },
		{ "{\"keys\":[]}x", "the JWKS is no JSON" },
		{ "{\"keys\":[],\"keys\":[]}", "the JWKS has a name twice" },
		{ "{\"keys\":[{\"kid\":\"a\",\"kid\":\"b\"}]}",
		  "the JWKS has a name twice" },
	};
	struct token_keys *parsed;
	const char *reason;
	char *twice, many[200] = "{\"keys\":[";

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		CU_ASSERT_EQUAL(token_keys_parse(all[i].text,
						 strlen(all[i].text), &parsed,
						 &reason),
				EINVAL);
		CU_ASSERT_STRING_EQUAL(reason, all[i].reason);
	}
	for (int i = 0; i < TOKEN_KEYS_MAX; i++)
		strcat(many, "1,");
	strcat(many, "1]}");
	CU_ASSERT_EQUAL(token_keys_parse(many, strlen(many), &parsed, &reason),
			EINVAL);
	CU_ASSERT_STRING_EQUAL(reason, "the JWKS has too many keys");
	CU_ASSERT_EQUAL(token_keys_parse(many, TOKEN_JWKS_BYTES_MAX + 1,
					 &parsed, &reason),
			EINVAL);
	CU_ASSERT_STRING_EQUAL(reason, "the JWKS is too long");

	/* Of two with one name the first counts; no key at all is a JWKS. */
	twice = maker_jwks(maker_jwk(p256, "\"kid\":\"a\""),
			   maker_jwk(p384, "\"kid\":\"a\""), NULL);
	CU_ASSERT_EQUAL_FATAL(
	    token_keys_parse(twice, strlen(twice), &parsed, &reason), 0);
	CU_ASSERT_EQUAL(token_keys_count(parsed), 1);
	token_keys_destroy(parsed);
	free(twice);
	CU_ASSERT_EQUAL_FATAL(
	    token_keys_parse("{\"keys\":[]}", 11, &parsed, &reason), 0);
	CU_ASSERT_EQUAL(token_keys_count(parsed), 0);
	token_keys_destroy(parsed);
}

static CU_TestInfo tests[] = {
	{ "keys", test_keys },
	{ "numbers of keys", test_numbers },
	{ "what is no JWKS", test_bad_jwks },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "token_keys", make_keys, drop_keys, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
