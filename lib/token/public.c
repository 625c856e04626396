/* SPDX-License-Identifier: BSD-2-Clause */
/* Public keys: made of their numbers, and checking signatures. */
#include "token/public.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecerr.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#define COORDINATE_BYTES_MAX 66 /* P-521 */

/* --- Errors ------------------------------------------------------------- */

/* OpenSSL leaves its reasons in a queue of the thread; this empties it. */
struct reasons {
	bool no_memory, beside_curve;
};

static struct reasons take_reasons(void)
{
	struct reasons reasons = { 0 };
	unsigned long code;

	while ((code = ERR_get_error())) {
		int reason = ERR_GET_REASON(code);

		reasons.no_memory |= reason == ERR_R_MALLOC_FAILURE;
		reasons.beside_curve |= ERR_GET_LIB(code) == ERR_LIB_EC &&
					reason == EC_R_POINT_IS_NOT_ON_CURVE;
	}
	return reasons;
}

/* --- Keys --------------------------------------------------------------- */

/*
 * Numbers of the right size that are no key are points beside their curve;
 * whatever else fails here is no fault of theirs.
 */
static int make(EVP_PKEY **keyp, const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	struct reasons reasons;
	int err = 0;

	if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, keyp, EVP_PKEY_PUBLIC_KEY, params) != 1)
		err = ENOMEM;
	reasons = take_reasons();
	if (err && reasons.beside_curve && !reasons.no_memory)
		err = EINVAL;
	EVP_PKEY_CTX_free(context);
	return err;
}

int token_public_rsa(EVP_PKEY **keyp, const unsigned char *modulus,
		     size_t modulus_bytes, const unsigned char *exponent,
		     size_t exponent_bytes)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(modulus, (int)modulus_bytes, NULL);
	BIGNUM *e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
	OSSL_PARAM *params = NULL;
	int err = ENOMEM;

	if (builder && n && e &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params)
		err = make(keyp, "RSA", params);
	else
		ERR_clear_error();
	OSSL_PARAM_free(params);
	BN_free(e);
	BN_free(n);
	OSSL_PARAM_BLD_free(builder);
	return err;
}

int token_public_ec(EVP_PKEY **keyp, const char *curve, const unsigned char *x,
		    const unsigned char *y, size_t coordinate_bytes)
{
	/* SEC 1 2.3.3: uncompressed. */
	unsigned char point[1 + 2 * COORDINATE_BYTES_MAX] = { 4 };
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
						 (char *)curve, 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * coordinate_bytes),
		OSSL_PARAM_construct_end(),
	};

	memcpy(point + 1, x, coordinate_bytes);
	memcpy(point + 1 + coordinate_bytes, y, coordinate_bytes);
	return make(keyp, "EC", params);
}

/* --- Signatures --------------------------------------------------------- */

static const struct scheme {
	const char *digest;
	bool is_pss, is_ec;
} schemes[] = {
	[TOKEN_RS256] = { .digest = "SHA256" },
	[TOKEN_RS384] = { .digest = "SHA384" },
	[TOKEN_RS512] = { .digest = "SHA512" },
	[TOKEN_PS256] = { .digest = "SHA256", .is_pss = true },
	[TOKEN_PS384] = { .digest = "SHA384", .is_pss = true },
	[TOKEN_PS512] = { .digest = "SHA512", .is_pss = true },
	[TOKEN_ES256] = { .digest = "SHA256", .is_ec = true },
	[TOKEN_ES384] = { .digest = "SHA384", .is_ec = true },
	[TOKEN_ES512] = { .digest = "SHA512", .is_ec = true },
};

/* Two numbers as a DER sequence: what OpenSSL wants to see. */
struct der {
	unsigned char bytes[3 + 2 * (3 + COORDINATE_BYTES_MAX)];
	size_t count;
};

static size_t put_integer(unsigned char *to, const unsigned char *number,
			  size_t bytes)
{
	size_t sign;

	while (bytes > 1 && !*number) {
		number++;
		bytes--;
	}
	sign = *number >> 7; /* or it would be negative */
	to[0] = 2;
	to[1] = (unsigned char)(bytes + sign);
	to[2] = 0;
	memcpy(to + 2 + sign, number, bytes);
	return 2 + sign + bytes;
}

static void make_der(struct der *der, const unsigned char *numbers,
		     size_t bytes)
{
	unsigned char content[2 * (3 + COORDINATE_BYTES_MAX)];
	size_t count = put_integer(content, numbers, bytes / 2);

	count += put_integer(content + count, numbers + bytes / 2, bytes / 2);
	der->count = 0;
	der->bytes[der->count++] = 0x30;
	if (count > 127)
		der->bytes[der->count++] = 0x81;
	der->bytes[der->count++] = (unsigned char)count;
	memcpy(der->bytes + der->count, content, count);
	der->count += count;
}

static int begin(EVP_MD_CTX *context, const struct scheme *scheme,
		 EVP_PKEY *key)
{
	EVP_PKEY_CTX *padding;

	if (EVP_DigestVerifyInit_ex(context, &padding, scheme->digest, NULL,
				    NULL, key, NULL) != 1)
		return ENOMEM;
	if (!scheme->is_pss)
		return 0;
	/* RFC 7518 3.5 */
	if (EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) <=
		0)
		return ENOMEM;
	return 0;
}

int token_public_verify(EVP_PKEY *key, enum token_algorithm algorithm,
			const char *text, size_t text_bytes,
			const unsigned char *signature, size_t signature_bytes)
{
	const struct scheme *scheme = &schemes[algorithm];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int err = context ? begin(context, scheme, key) : ENOMEM;
	struct der der;

	if (!err && scheme->is_ec) {
		make_der(&der, signature, signature_bytes);
		signature = der.bytes;
		signature_bytes = der.count;
	}
	if (!err) {
		int result =
		    EVP_DigestVerify(context, signature, signature_bytes,
				     (const unsigned char *)text, text_bytes);

		if (result != 1)
			err = take_reasons().no_memory ? ENOMEM : EINVAL;
	}
	ERR_clear_error();
	EVP_MD_CTX_free(context);
	return err;
}
