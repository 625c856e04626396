/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/token: good tokens of each kind, and what is wrong with the others. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/token.h"
#include "token_maker.h"

#define NOW 1795423123
#define PARTNER "sip:visitor17@b.example"
#define PRIMARY "sip:alice@a.example"
#define ISSUER "https://idms.b.example"

static struct maker_key *rsa, *rsa_small, *p256, *p256_other, *p384, *p521;
static struct token_keys *keys;

static const char *const audiences[] = { "mcmig", "other" };
static const char *const clients[] = { "mcptt_client" };
static const char *const ptt[] = { "3gpp:mc:ptt_service",
				   "3gpp:mcptt:ptt_server" };
static const char *const video[] = { "3gpp:mc:video_service" };
static const char *const data[] = { "3gpp:mc:data_service" };
static struct token_issuer issuers[2];
static struct token_policy policy;

static void set_policy(void)
{
	issuers[0] = (struct token_issuer){ .name = ISSUER,
					    .audiences = { audiences, 2 },
					    .clients = { clients, 1 },
					    .keys = keys };
	issuers[1] = (struct token_issuer){ .name = "https://away.example" };
	policy = (struct token_policy){
		.issuers = issuers,
		.issuer_count = 2,
		.algorithms = (1u << TOKEN_ALGORITHM_END) - 1,
		.clock_skew_s = 30,
		.scopes = { [MC_SERVICE_MCPTT] = { ptt, 2 },
			    [MC_SERVICE_MCVIDEO] = { video, 1 },
			    [MC_SERVICE_MCDATA] = { data, 1 } },
	};
}

static int make_keys(void)
{
	const char *reason;
	char *jwks;

	rsa = maker_key_create("RSA", 2048);
	rsa_small = maker_key_create("RSA", 1024);
	p256 = maker_key_create("EC", 256);
	p256_other = maker_key_create("EC", 256);
	p384 = maker_key_create("EC", 384);
	p521 = maker_key_create("EC", 521);
	jwks = maker_jwks(
	    maker_jwk(rsa, "\"kid\":\"rsa\""),
	    maker_jwk(p256, "\"kid\":\"p256\",\"alg\":\"ES256\",\"use\":"
			    "\"sig\",\"key_ops\":[\"verify\"]"),
	    maker_jwk(p384, "\"kid\":\"p384\""),
	    maker_jwk(p521, "\"kid\":\"p521\""),
	    maker_jwk(rsa_small, "\"kid\":\"small\""),
	    maker_jwk(p256, "\"kid\":\"enc\",\"use\":\"enc\""),
	    maker_jwk(p256, "\"kid\":\"ops\",\"key_ops\":[\"encrypt\"]"),
	    maker_jwk(rsa, "\"kid\":\"rsa256\",\"alg\":\"RS256\""), NULL);
	if (token_keys_parse(jwks, strlen(jwks), &keys, &reason))
		return 1;
	free(jwks);
	set_policy();
	return 0;
}

static int drop_keys(void)
{
	token_keys_destroy(keys);
	maker_key_destroy(rsa);
	maker_key_destroy(rsa_small);
	maker_key_destroy(p256);
	maker_key_destroy(p256_other);
	maker_key_destroy(p384);
	maker_key_destroy(p521);
	return 0;
}

/* --- One token ---------------------------------------------------------- */

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"JWT\"}"
#define CLAIMS(iss, aud, client, times, scope, id) \
	"{" iss aud client times scope id "\"sub\":\"17\"}"
#define ISS "\"iss\":\"" ISSUER "\","
#define AUD "\"aud\":\"mcmig\","
#define CLIENT "\"client_id\":\"mcptt_client\","
#define TIMES "\"exp\":1795423723,\"nbf\":1795423123,\"iat\":1795423123,"
#define SCOPE "\"scope\":\"openid 3gpp:mc:ptt_service\","
#define ID "\"mcptt_id\":\"sip:visitor17@b.example\","
#define PAYLOAD CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE, ID)

struct outcome {
	enum token_result read;
	enum authorizer_result use;
	const char *reason;
};

static struct outcome try(const char *token, enum mc_service service)
{
	const struct authorizer_request request = { .service = service,
						    .token = token,
						    .partner_id = PARTNER,
						    .primary_id = PRIMARY };
	struct token_claims *claims = NULL;
	struct token_unknown_key unknown;
	struct outcome outcome = { .use = AUTHORIZER_REFUSED };

	outcome.read =
	    token_read(&policy, token, &claims, &outcome.reason, &unknown);
	if (outcome.read == TOKEN_VERIFIED)
		outcome.use =
		    token_use(&policy, claims, &request, NOW, &outcome.reason);
	token_claims_destroy(claims);
	return outcome;
}

static void expect_reason(const char *token, enum token_result result,
			  const char *reason)
{
	struct outcome outcome = try(token, MC_SERVICE_MCPTT);

	if (outcome.read != result || !outcome.reason ||
	    strcmp(outcome.reason, reason) != 0)
		printf("\n  got %d '%s', expected %d '%s' ", outcome.read,
		       outcome.reason ? outcome.reason : "nothing", result,
		       reason);
	CU_ASSERT_EQUAL(outcome.read, result);
	CU_ASSERT_EQUAL(outcome.use, AUTHORIZER_REFUSED);
	CU_ASSERT_PTR_NOT_NULL_FATAL(outcome.reason);
	CU_ASSERT_STRING_EQUAL(outcome.reason, reason);
}

static void expect_allowed(char *token, enum mc_service service,
			   enum authorizer_result result)
{
	struct outcome outcome = try(token, service);

	if (outcome.use != result)
		printf("\n  '%s' ", outcome.reason ? outcome.reason : "");
	CU_ASSERT_EQUAL(outcome.read, TOKEN_VERIFIED);
	CU_ASSERT_EQUAL(outcome.use, result);
	CU_ASSERT_PTR_NULL(outcome.reason);
	free(token);
}

/* --- Good ones ---------------------------------------------------------- */

static void test_algorithms(void)
{
	const struct {
		const struct maker_key *key;
		const char *id, *algorithm;
	} all[] = {
		{ rsa, "rsa", "RS256" },   { rsa, "rsa", "RS384" },
		{ rsa, "rsa", "RS512" },   { rsa, "rsa", "PS256" },
		{ rsa, "rsa", "PS384" },   { rsa, "rsa", "PS512" },
		{ p256, "p256", "ES256" }, { p384, "p384", "ES384" },
		{ p521, "p521", "ES512" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char header[64];

		snprintf(header, sizeof(header),
			 "{\"alg\":\"%s\",\"kid\":\"%s\"}", all[i].algorithm,
			 all[i].id);
		expect_allowed(maker_token(all[i].key, all[i].algorithm, header,
					   PAYLOAD),
			       MC_SERVICE_MCPTT, AUTHORIZER_ALLOWED);
	}
}

static void expect_good(const char *payload, enum mc_service service)
{
	expect_allowed(maker_token(p256, "ES256", HEADER, payload), service,
		       AUTHORIZER_ALLOWED);
}

static void test_services(void)
{
	expect_good(CLAIMS(ISS, AUD, CLIENT, TIMES,
			   "\"scope\":\"3gpp:mc:video_service\",",
			   "\"mcvideo_id\":\"sip:visitor17@b.example\","),
		    MC_SERVICE_MCVIDEO);
	expect_good(CLAIMS(ISS, AUD, CLIENT, TIMES,
			   "\"scope\":\"3gpp:mc:data_service\",",
			   "\"mcdata_id\":\"sip:visitor17@b.example\","),
		    MC_SERVICE_MCDATA);
	/* Release 13's scope, and its example's list (TS 33.179 C). */
	expect_good(CLAIMS(ISS, AUD, CLIENT, TIMES,
			   "\"scope\":[\"openid\",\"3gpp:mcptt:ptt_server\"],",
			   ID),
		    MC_SERVICE_MCPTT);
}

static void test_forms(void)
{
	/* Each of several audiences; other spellings of the same ID. */
	expect_good(CLAIMS(ISS, "\"aud\":[\"x\",\"other\"],", CLIENT, TIMES,
			   SCOPE, ID),
		    MC_SERVICE_MCPTT);
	expect_good(CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
			   "\"mcptt_id\":\"SIP:%76isitor17@B.Example\","),
		    MC_SERVICE_MCPTT);
	/* What is bad in another service's ID is no matter of this one. */
	expect_good(CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
			   ID "\"mcdata_id\":7,"),
		    MC_SERVICE_MCPTT);
	expect_good(CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423123,", SCOPE, ID),
		    MC_SERVICE_MCPTT);
	expect_allowed(maker_token(p256, "ES256",
				   "{\"alg\":\"ES256\",\"kid\":\"p256\","
				   "\"typ\":\"at+JWT\",\"x5t\":\"AA\"}",
				   PAYLOAD),
		       MC_SERVICE_MCPTT, AUTHORIZER_ALLOWED);
	/* No kid: one key alone is for this algorithm. */
	expect_allowed(maker_token(p384, "ES384", "{\"alg\":\"ES384\"}",
				   PAYLOAD),
		       MC_SERVICE_MCPTT, AUTHORIZER_ALLOWED);
}

static void test_pinned(void)
{
	policy.primary_id_claim = "primary";
	expect_allowed(maker_token(p256, "ES256", HEADER,
				   CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
					  ID "\"primary\":\"sip:alice@A."
					     "example\",")),
		       MC_SERVICE_MCPTT, AUTHORIZER_PINNED);
	expect_good(PAYLOAD, MC_SERVICE_MCPTT);
	set_policy();
}

/* --- Broken claims, well signed ----------------------------------------- */

static const struct {
	const char *payload, *reason;
} bad_claims[] = {
	{ "[1]", "its payload is no JSON object" },
	{ "\"text\"", "its payload is no JSON object" },
	{ "", "its payload is no JSON" },
	{ "{\"iss\":", "its payload is no JSON" },
	{ PAYLOAD "x", "its payload is no JSON" },
	{ PAYLOAD PAYLOAD, "its payload is no JSON" },
	{ "{\"iss\":\"\xff\"}", "its payload is no JSON" },
	{ "{\"exp\":1,\"exp\":1795423723}", "its payload has a claim twice" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE, ID ID),
	  "its payload has a claim twice" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 "\"mcptt_id\":\"sip:visitor17@b.example\\u0000.evil\","),
	  "its payload has a NUL character" },
	{ CLAIMS("", AUD, CLIENT, TIMES, SCOPE, ID), "it has no iss" },
	{ CLAIMS("\"iss\":[\"" ISSUER "\"],", AUD, CLIENT, TIMES, SCOPE, ID),
	  "its iss is no text" },
	{ CLAIMS("\"iss\":\"" ISSUER "/\",", AUD, CLIENT, TIMES, SCOPE, ID),
	  "its issuer is not known" },
	{ CLAIMS(ISS, "", CLIENT, TIMES, SCOPE, ID), "it has no aud" },
	{ CLAIMS(ISS, "\"aud\":\"mcmig2\",", CLIENT, TIMES, SCOPE, ID),
	  "it is for another audience" },
	{ CLAIMS(ISS, "\"aud\":[\"a\",\"b\"],", CLIENT, TIMES, SCOPE, ID),
	  "it is for another audience" },
	{ CLAIMS(ISS, "\"aud\":[],", CLIENT, TIMES, SCOPE, ID),
	  "it is for another audience" },
	{ CLAIMS(ISS, "\"aud\":[\"mcmig\",7],", CLIENT, TIMES, SCOPE, ID),
	  "its aud is neither a text nor a list of texts" },
	{ CLAIMS(ISS, "\"aud\":{\"mcmig\":1},", CLIENT, TIMES, SCOPE, ID),
	  "its aud is neither a text nor a list of texts" },
	{ CLAIMS(ISS, AUD, "", TIMES, SCOPE, ID), "it has no client_id" },
	{ CLAIMS(ISS, AUD, "\"client_id\":1,", TIMES, SCOPE, ID),
	  "its client_id is no text" },
	{ CLAIMS(ISS, AUD, "\"client_id\":\"thief\",", TIMES, SCOPE, ID),
	  "its client is not allowed" },
	{ CLAIMS(ISS, AUD, CLIENT, "", SCOPE, ID), "it has no exp" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":\"1795423723\",", SCOPE, ID),
	  "its exp is no whole number" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723.0,", SCOPE, ID),
	  "its exp is no whole number" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1e300,", SCOPE, ID),
	  "its exp is no whole number" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":null,", SCOPE, ID),
	  "its exp is no whole number" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":9223372036854775807,", SCOPE, ID),
	  "its exp is out of range" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":-1,", SCOPE, ID),
	  "its exp is out of range" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":99999999999999999999,", SCOPE, ID),
	  "its payload is no JSON" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723,\"nbf\":\"1\",", SCOPE,
		 ID),
	  "its nbf is no whole number" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723,\"nbf\":-5,", SCOPE, ID),
	  "its nbf is out of range" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723,\"iat\":true,", SCOPE,
		 ID),
	  "its iat is no whole number" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723,\"iat\":300000000000,",
		 SCOPE, ID),
	  "its iat is out of range" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, "", ID), "it has no scope" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, "\"scope\":1,", ID),
	  "its scope is neither a text nor a list of texts" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES,
		 "\"scope\":[\"3gpp:mc:ptt_service\",{}],", ID),
	  "its scope is neither a text nor a list of texts" },
};

static const struct {
	const char *payload, *reason;
} bad_uses[] = {
	/* The clocks may be 30 s apart, no second more. */
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423093,", SCOPE, ID),
	  "it has expired" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":0,", SCOPE, ID), "it has expired" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723,\"nbf\":1795423154,",
		 SCOPE, ID),
	  "it is not valid yet" },
	{ CLAIMS(ISS, AUD, CLIENT, "\"exp\":1795423723,\"iat\":1795423154,",
		 SCOPE, ID),
	  "it is not valid yet" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, "\"scope\":\"openid\",", ID),
	  "its scope has not the service" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, "\"scope\":\"3gpp:mc:ptt_servicex\",",
		 ID),
	  "its scope has not the service" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES,
		 "\"scope\":\"3gpp:mc:video_service\",", ID),
	  "its scope has not the service" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, "\"scope\":\"\",", ID),
	  "its scope has not the service" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE, ""),
	  "it has no ID for the service" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 "\"mcvideo_id\":\"sip:visitor17@b.example\","),
	  "it has no ID for the service" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 "\"mcptt_id\":[\"sip:visitor17@b.example\"],"),
	  "its ID for the service is no MC service ID" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE, "\"mcptt_id\":\"visitor17\","),
	  "its ID for the service is no MC service ID" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE, "\"mcptt_id\":\"\","),
	  "its ID for the service is no MC service ID" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 "\"mcptt_id\":\"sip:visitor18@b.example\","),
	  "it names another user" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 "\"mcptt_id\":\"sip:visitor17@b.example.evil\","),
	  "it names another user" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 "\"mcptt_id\":\"sip:Visitor17@b.example\","),
	  "it names another user" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE,
		 ID "\"primary\":\"sip:mallory@a.example\","),
	  "it names another primary ID" },
	{ CLAIMS(ISS, AUD, CLIENT, TIMES, SCOPE, ID "\"primary\":5,"),
	  "its primary ID is no MC service ID" },
};

static void expect_and_free(char *token, enum token_result result,
			    const char *reason)
{
	expect_reason(token, result, reason);
	free(token);
}

static void test_bad_claims(void)
{
	for (size_t i = 0; i < sizeof(bad_claims) / sizeof(*bad_claims); i++)
		expect_and_free(maker_token(p256, "ES256", HEADER,
					    bad_claims[i].payload),
				TOKEN_REFUSED, bad_claims[i].reason);
	policy.primary_id_claim = "primary";
	for (size_t i = 0; i < sizeof(bad_uses) / sizeof(*bad_uses); i++)
		expect_and_free(maker_token(p256, "ES256", HEADER,
					    bad_uses[i].payload),
				TOKEN_VERIFIED, bad_uses[i].reason);
	set_policy();
}

/* --- Broken headers ------------------------------------------------------ */

static const struct {
	const char *header, *reason;
} bad_headers[] = {
	{ "[]", "its header is no JSON object" },
	{ "", "its header is no JSON" },
	{ HEADER "{}", "its header is no JSON" },
	{ "{\"alg\":\"none\",\"alg\":\"ES256\"}",
	  "its header has a name twice" },
	{ "{\"alg\":\"ES256\\u0000\",\"kid\":\"p256\"}",
	  "its header has a NUL character" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"JOSE\"}",
	  "its typ is of no access token" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":1}",
	  "its typ is of no access token" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"crit\":[\"exp\"]}",
	  "its header has crit: an extension that we do not know" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"crit\":[]}",
	  "its header has crit: an extension that we do not know" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"jku\":\"https://x\"}",
	  "its header has jku: a place for keys" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"jwk\":{\"kty\":\"EC\"}}",
	  "its header has jwk: a key of its own" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"x5u\":\"https://x\"}",
	  "its header has x5u: a place for certificates" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"x5c\":[\"AA\"]}",
	  "its header has x5c: certificates of its own" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"b64\":false}",
	  "its header has b64: another form of the payload" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"zip\":\"DEF\"}",
	  "its header has zip: a compressed payload" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p256\",\"enc\":\"A128GCM\"}",
	  "its header has enc: it is encrypted" },
	{ "{\"kid\":\"p256\"}", "its header has no alg" },
	{ "{\"alg\":[\"ES256\"],\"kid\":\"p256\"}", "its alg is no text" },
	{ "{\"alg\":\"nOnE\",\"kid\":\"p256\"}",
	  "its alg is none: it is not signed" },
	{ "{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
	  "its alg is an HMAC: a shared secret" },
	{ "{\"alg\":\"es256\",\"kid\":\"p256\"}", "its alg is not known" },
	{ "{\"alg\":\"EdDSA\",\"kid\":\"p256\"}", "its alg is not known" },
	{ "{\"alg\":\"PS384\",\"kid\":\"rsa\"}", "its alg is not allowed" },
	{ "{\"alg\":\"ES256\",\"kid\":7}", "its kid is no text" },
	{ "{\"alg\":\"ES256\",\"kid\":\"small\"}",
	  "its key is not fit for use" },
	{ "{\"alg\":\"ES256\",\"kid\":\"enc\"}", "its key is not fit for use" },
	{ "{\"alg\":\"ES256\",\"kid\":\"ops\"}", "its key is not fit for use" },
	/* Type, curve, and what the key itself says. */
	{ "{\"alg\":\"ES256\",\"kid\":\"rsa\"}",
	  "its key is not for its algorithm" },
	{ "{\"alg\":\"RS256\",\"kid\":\"p256\"}",
	  "its key is not for its algorithm" },
	{ "{\"alg\":\"ES256\",\"kid\":\"p384\"}",
	  "its key is not for its algorithm" },
	{ "{\"alg\":\"RS512\",\"kid\":\"rsa256\"}",
	  "its key is not for its algorithm" },
	{ "{\"alg\":\"RS256\"}", "it names no key and several would fit" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
	  "its signature has the wrong length" },
};

static void test_bad_headers(void)
{
	policy.algorithms &= ~(1u << TOKEN_PS384);
	for (size_t i = 0; i < sizeof(bad_headers) / sizeof(*bad_headers); i++)
		expect_and_free(maker_token(p256, "ES256",
					    bad_headers[i].header, PAYLOAD),
				TOKEN_REFUSED, bad_headers[i].reason);
	set_policy();
}

static void test_unknown_keys(void)
{
	expect_and_free(maker_token(p256, "ES256",
				    "{\"alg\":\"ES256\",\"kid\":\"new\"}",
				    PAYLOAD),
			TOKEN_KEY_UNKNOWN, "its issuer has no such key");
	expect_and_free(maker_token(p256, "ES256", HEADER,
				    "{\"iss\":\"https://away.example\"}"),
			TOKEN_KEY_UNKNOWN,
			"the keys of its issuer are not here");
}

/* --- Broken form and signature ------------------------------------------ */

static char *edited(void (*edit)(char *token, char *payload, char *signature))
{
	char *token = maker_token(p256, "ES256", HEADER, PAYLOAD);
	char *payload = strchr(token, '.') + 1;

	token = realloc(token, TOKEN_BYTES_MAX + 100);
	payload = strchr(token, '.') + 1;
	edit(token, payload, strchr(payload, '.') + 1);
	return token;
}

static void flip_signature(char *token, char *payload, char *signature)
{
	(void)token, (void)payload;
	signature[10] = signature[10] == 'A' ? 'B' : 'A';
}
static void flip_payload(char *token, char *payload, char *signature)
{
	char *other = maker_base64url("{\"iss\":\"" ISSUER "\"}",
				      strlen("{\"iss\":\"" ISSUER "\"}"));
	char *rest = strdup(signature);

	(void)token;
	sprintf(payload, "%s.%s", other, rest);
	free(other);
	free(rest);
}
static void cut_signature(char *token, char *payload, char *signature)
{
	(void)token, (void)payload;
	signature[strlen(signature) - 2] = '\0';
}
static void drop_signature(char *token, char *payload, char *signature)
{
	(void)token, (void)payload;
	*signature = '\0';
}
static void drop_dot(char *token, char *payload, char *signature)
{
	(void)token, (void)payload;
	signature[-1] = '\0';
}
static void zero_signature(char *token, char *payload, char *signature)
{
	(void)token, (void)payload;
	memset(signature, 'A', strlen(signature));
}
static void add_part(char *token, char *payload, char *signature)
{
	(void)payload, (void)signature;
	strcat(token, ".");
}
static void add_padding(char *token, char *payload, char *signature)
{
	(void)payload, (void)signature;
	strcat(token, "==");
}
static void add_blank(char *token, char *payload, char *signature)
{
	(void)payload, (void)signature;
	strcat(token, "\n");
}
/* 86 characters for 64 bytes: four bits of the last one carry nothing. */
static void set_idle_bit(char *token, char *payload, char *signature)
{
	(void)token, (void)payload;
	signature[strlen(signature) - 1]++;
}
static void standard_alphabet(char *token, char *payload, char *signature)
{
	(void)payload, (void)signature;
	token[3] = '/';
}
static void blank_in_payload(char *token, char *payload, char *signature)
{
	(void)token, (void)signature;
	payload[3] = ' ';
}
static void lengthen(char *token, char *payload, char *signature)
{
	(void)payload, (void)signature;
	memset(token + strlen(token), 'A', TOKEN_BYTES_MAX - strlen(token) + 1);
	token[TOKEN_BYTES_MAX + 1] = '\0';
}
static void empty(char *token, char *payload, char *signature)
{
	(void)payload, (void)signature;
	*token = '\0';
}

static void test_bad_forms(void)
{
	const struct {
		void (*edit)(char *token, char *payload, char *signature);
		const char *reason;
	} all[] = {
		{ flip_signature, "its signature is wrong" },
		{ flip_payload, "its signature is wrong" },
		{ zero_signature, "its signature is wrong" },
		{ cut_signature, "its signature has the wrong length" },
		{ drop_signature, "it is not signed" },
		{ drop_dot, "it has not the three parts of a signed token" },
		{ add_part, "it has not the three parts of a signed token" },
		{ add_padding, "its signature is no base64url" },
		{ add_blank, "its signature is no base64url" },
		{ set_idle_bit, "its signature is no base64url" },
		{ standard_alphabet, "its header is no base64url" },
		{ blank_in_payload, "its payload is no base64url" },
		{ lengthen, "it is too long" },
		{ empty, "it is empty" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		expect_and_free(edited(all[i].edit), TOKEN_REFUSED,
				all[i].reason);
	expect_and_free(maker_token(p256_other, "ES256", HEADER, PAYLOAD),
			TOKEN_REFUSED, "its signature is wrong");
	/* The right key, another digest than the header says. */
	expect_and_free(maker_token(p256, "ES384", HEADER, PAYLOAD),
			TOKEN_REFUSED, "its signature is wrong");
	expect_and_free(maker_token(rsa, "PS256",
				    "{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
				    PAYLOAD),
			TOKEN_REFUSED, "its signature is wrong");
	/* Signed by nobody, and by the public key taken as a secret. */
	expect_and_free(maker_unsigned("{\"alg\":\"none\"}", PAYLOAD, ""),
			TOKEN_REFUSED, "it is not signed");
	expect_and_free(maker_unsigned("{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
				       PAYLOAD, "AAAA"),
			TOKEN_REFUSED, "its alg is an HMAC: a shared secret");
	expect_and_free(strdup("a.b.c.d.e"), TOKEN_REFUSED,
			"it has not the three parts of a signed token");
}

/* Nothing in it may be changed, left out or put in. */
static void test_any_change(void)
{
	static const char others[] = "A_.=\n\x80";
	char *token = maker_token(p256, "ES256", HEADER, PAYLOAD);
	size_t bytes = strlen(token);
	char *changed = malloc(bytes + 2);

	CU_ASSERT_EQUAL(try(token, MC_SERVICE_MCPTT).read, TOKEN_VERIFIED);
	for (size_t i = 0; i < bytes; i++) {
		for (const char *other = others; *other; other++) {
			strcpy(changed, token);
			changed[i] = *other;
			if (token[i] != *other)
				CU_ASSERT_NOT_EQUAL(
				    try(changed, MC_SERVICE_MCPTT).read,
				    TOKEN_VERIFIED);
		}
		sprintf(changed, "%.*s%s", (int)i, token, token + i + 1);
		CU_ASSERT_NOT_EQUAL(try(changed, MC_SERVICE_MCPTT).read,
				    TOKEN_VERIFIED);
		sprintf(changed, "%.*sA%s", (int)i, token, token + i);
		CU_ASSERT_NOT_EQUAL(try(changed, MC_SERVICE_MCPTT).read,
				    TOKEN_VERIFIED);
	}
	free(changed);
	free(token);
}

static CU_TestInfo tests[] = {
	{ "each algorithm", test_algorithms },
	{ "each service", test_services },
	{ "other forms of the same", test_forms },
	{ "a primary ID that is pinned", test_pinned },
	{ "broken claims", test_bad_claims },
	{ "broken headers", test_bad_headers },
	{ "keys that are not there", test_unknown_keys },
	{ "broken forms and signatures", test_bad_forms },
	{ "any change", test_any_change },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "token", make_keys, drop_keys, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};
