/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and tokens for tests, by OpenSSL alone. */
#include "config.h"

#include "token_maker.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct maker_key {
	EVP_PKEY *pair;
	unsigned bits;
	int is_rsa;
};

struct maker_key *maker_key_create(const char *type, unsigned bits)
{
	struct maker_key *key = calloc(1, sizeof(*key));
	char curve[16];

	CHECK(key);
	key->bits = bits;
	key->is_rsa = !strcmp(type, "RSA");
	snprintf(curve, sizeof(curve), "P-%u", bits);
	key->pair = key->is_rsa ? EVP_RSA_gen(bits) : EVP_EC_gen(curve);
	CHECK(key->pair);
	return key;
}

void maker_key_destroy(struct maker_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pair);
	free(key);
}

char *maker_base64url(const void *bytes, size_t count)
{
	char *text = malloc(count * 4 / 3 + 5);
	int length;

	CHECK(text);
	length = EVP_EncodeBlock((unsigned char *)text, bytes, (int)count);
	while (length && text[length - 1] == '=')
		text[--length] = '\0';
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return text;
}

static char *number(const struct maker_key *key, const char *name, int bytes)
{
	unsigned char octets[1024];
	BIGNUM *value = NULL;

	CHECK(EVP_PKEY_get_bn_param(key->pair, name, &value));
	if (!bytes)
		bytes = BN_num_bytes(value);
	CHECK(BN_bn2binpad(value, octets, bytes) == bytes);
	BN_free(value);
	return maker_base64url(octets, (size_t)bytes);
}

char *maker_jwk(const struct maker_key *key, const char *members)
{
	int coordinate = (int)(key->bits + 7) / 8;
	char *a, *b, *jwk;
	int length;

	if (key->is_rsa) {
		a = number(key, OSSL_PKEY_PARAM_RSA_N, 0);
		b = number(key, OSSL_PKEY_PARAM_RSA_E, 0);
		length = asprintf(&jwk,
				  "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\""
				  "%s%s}",
				  a, b, *members ? "," : "", members);
	} else {
		a = number(key, OSSL_PKEY_PARAM_EC_PUB_X, coordinate);
		b = number(key, OSSL_PKEY_PARAM_EC_PUB_Y, coordinate);
		length =
		    asprintf(&jwk,
			     "{\"kty\":\"EC\",\"crv\":\"P-%u\",\"x\":"
			     "\"%s\",\"y\":\"%s\"%s%s}",
			     key->bits, a, b, *members ? "," : "", members);
	}
	CHECK(length > 0);
	free(a);
	free(b);
	return jwk;
}

char *maker_jwks(char *jwk, ...)
{
	char *jwks = strdup("{\"keys\":[");
	const char *comma = "";
	va_list list;

	va_start(list, jwk);
	for (; jwk; jwk = va_arg(list, char *)) {
		char *longer;

		CHECK(asprintf(&longer, "%s%s%s", jwks, comma, jwk) > 0);
		free(jwks);
		free(jwk);
		jwks = longer;
		comma = ",";
	}
	va_end(list);
	jwks = realloc(jwks, strlen(jwks) + 3);
	CHECK(jwks);
	return strcat(jwks, "]}");
}

/* --- Signing ------------------------------------------------------------ */

/* RFC 7518 3.4: both numbers, each as long as the curve's field. */
static size_t flatten(const struct maker_key *key, unsigned char *signature,
		      size_t count)
{
	int coordinate = (int)(key->bits + 7) / 8;
	const unsigned char *from = signature;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &from, (long)count);

	CHECK(pair);
	BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, coordinate);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + coordinate,
		     coordinate);
	ECDSA_SIG_free(pair);
	return 2 * (size_t)coordinate;
}

static char *sign(const struct maker_key *key, const char *algorithm,
		  const char *text)
{
	unsigned char signature[1200];
	size_t count = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	char digest[16];

	snprintf(digest, sizeof(digest), "SHA%s", algorithm + 2);
	CHECK(EVP_DigestSignInit_ex(context, &padding, digest, NULL, NULL,
				    key->pair, NULL) == 1);
	if (algorithm[0] == 'P') {
		CHECK(EVP_PKEY_CTX_set_rsa_padding(padding,
						   RSA_PKCS1_PSS_PADDING) > 0);
		CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(
			  padding, RSA_PSS_SALTLEN_DIGEST) > 0);
	}
	CHECK(EVP_DigestSign(context, signature, &count,
			     (const unsigned char *)text, strlen(text)) == 1);
	EVP_MD_CTX_free(context);
	if (!key->is_rsa)
		count = flatten(key, signature, count);
	return maker_base64url(signature, count);
}

char *maker_unsigned(const char *header, const char *payload,
		     const char *signature)
{
	char *first = maker_base64url(header, strlen(header));
	char *second = maker_base64url(payload, strlen(payload));
	char *token;

	CHECK(asprintf(&token, "%s.%s.%s", first, second, signature) > 0);
	free(first);
	free(second);
	return token;
}

char *maker_token(const struct maker_key *key, const char *algorithm,
		  const char *header, const char *payload)
{
	char *text = maker_unsigned(header, payload, "");
	char *signature, *token;

	text[strlen(text) - 1] = '\0';
	signature = sign(key, algorithm, text);
	CHECK(asprintf(&token, "%s.%s", text, signature) > 0);
	free(text);
	free(signature);
	return token;
}
