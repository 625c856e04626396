/* SPDX-License-Identifier: BSD-2-Clause */
/* One public key: what it has to be before a signature is checked with it. */
#include "token/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base64url.h"
#include "token/jose.h"

/* NIST SP 800-131A asks for 2048; above 8192 a check takes too long. */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_BYTES_MAX 8

static const char *const algorithm_names[] = {
	[TOKEN_RS256] = "RS256", [TOKEN_RS384] = "RS384",
	[TOKEN_RS512] = "RS512", [TOKEN_PS256] = "PS256",
	[TOKEN_PS384] = "PS384", [TOKEN_PS512] = "PS512",
	[TOKEN_ES256] = "ES256", [TOKEN_ES384] = "ES384",
	[TOKEN_ES512] = "ES512",
};

#define RSA_ALGORITHMS                                               \
	(1u << TOKEN_RS256 | 1u << TOKEN_RS384 | 1u << TOKEN_RS512 | \
	 1u << TOKEN_PS256 | 1u << TOKEN_PS384 | 1u << TOKEN_PS512)

static const struct curve {
	const char *name;
	cjose_jwk_ec_curve curve;
	size_t coordinate_bytes;
	enum token_algorithm algorithm; /* RFC 7518 3.4: one for each curve */
} curves[] = {
	{ "P-256", CJOSE_JWK_EC_P_256, 32, TOKEN_ES256 },
	{ "P-384", CJOSE_JWK_EC_P_384, 48, TOKEN_ES384 },
	{ "P-521", CJOSE_JWK_EC_P_521, 66, TOKEN_ES512 },
};

const char *token_algorithm_name(enum token_algorithm algorithm)
{
	return algorithm_names[algorithm];
}

int token_algorithm_from_name(const char *name,
			      enum token_algorithm *algorithmp)
{
	for (unsigned i = 0; i < TOKEN_ALGORITHM_END; i++) {
		if (!strcmp(name, algorithm_names[i])) {
			*algorithmp = i;
			return 0;
		}
	}
	return ENOENT;
}

/* --- Members ------------------------------------------------------------ */

struct octets {
	unsigned char *bytes;
	size_t count;
};

/* 0 with no bytes if the member is missing or no base64url; ENOMEM. */
static int read_octets(const json_t *object, const char *name,
		       struct octets *octets)
{
	const json_t *member = json_object_get(object, name);
	int err;

	if (!json_is_string(member))
		return 0;
	err = base64url_decode(json_string_value(member),
			       json_string_length(member), &octets->bytes,
			       &octets->count);
	if (err)
		*octets = (struct octets){ 0 };
	return err == ENOMEM ? err : 0;
}

static int set_type(struct token_key *key, const char *type)
{
	key->type = strdup(type);
	return key->type ? 0 : ENOMEM;
}

/* What is no key has a reason; what could not be made for other reasons, too. */
static int set_jwk(struct token_key *key, int err)
{
	if (err == EINVAL)
		key->reason = "its numbers are no key";
	return err == EINVAL ? 0 : err;
}

/* --- RSA ---------------------------------------------------------------- */

static size_t count_bits(const struct octets *number)
{
	size_t bits = number->count * 8;

	for (unsigned char top = number->bytes[0]; !(top & 0x80); top <<= 1)
		bits--;
	return bits;
}

static const char *refuse_modulus(const struct octets *modulus)
{
	size_t bits;

	if (!modulus->count || !modulus->bytes[0])
		return "n is no number";
	bits = count_bits(modulus);
	if (bits < RSA_BITS_MIN)
		return "an RSA key of less than 2048 bits";
	if (!(modulus->bytes[modulus->count - 1] & 1))
		return "n is even";
	if (bits > RSA_BITS_MAX)
		return "an RSA key of more than 8192 bits";
	return NULL;
}

/* With 1 anything is a signature of itself; an even one has no inverse. */
static const char *refuse_exponent(const struct octets *exponent)
{
	if (!exponent->count || !exponent->bytes[0])
		return "e is no number";
	if (exponent->count > RSA_EXPONENT_BYTES_MAX)
		return "e is too big";
	if ((exponent->count == 1 && exponent->bytes[0] < 3) ||
	    !(exponent->bytes[exponent->count - 1] & 1))
		return "e is no RSA exponent";
	return NULL;
}

static int make_rsa(struct token_key *key, const struct octets *modulus,
		    const struct octets *exponent)
{
	const cjose_jwk_rsa_keyspec numbers = {
		.n = modulus->bytes,
		.nlen = modulus->count,
		.e = exponent->bytes,
		.elen = exponent->count,
	};
	char type[32];

	key->reason = refuse_modulus(modulus);
	if (!key->reason)
		key->reason = refuse_exponent(exponent);
	if (key->reason)
		return set_type(key, "RSA");
	snprintf(type, sizeof(type), "RSA %zu", count_bits(modulus));
	key->algorithms = RSA_ALGORITHMS;
	key->signature_bytes = modulus->count;
	if (set_type(key, type))
		return ENOMEM;
	return set_jwk(key, token_jose_rsa(&key->jwk, &numbers));
}

static int read_rsa(struct token_key *key, const json_t *object)
{
	struct octets modulus = { 0 }, exponent = { 0 };
	int err = read_octets(object, "n", &modulus);

	if (!err)
		err = read_octets(object, "e", &exponent);
	if (!err)
		err = make_rsa(key, &modulus, &exponent);
	free(modulus.bytes);
	free(exponent.bytes);
	return err;
}

/* --- Elliptic curves ---------------------------------------------------- */

static const struct curve *find_curve(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "crv"));

	for (size_t i = 0; name && i < sizeof(curves) / sizeof(*curves); i++) {
		if (!strcmp(name, curves[i].name))
			return &curves[i];
	}
	return NULL;
}

static int make_ec(struct token_key *key, const struct curve *curve,
		   const struct octets *x, const struct octets *y)
{
	const cjose_jwk_ec_keyspec numbers = {
		.crv = curve->curve,
		.x = x->bytes,
		.xlen = x->count,
		.y = y->bytes,
		.ylen = y->count,
	};
	char type[32];

	snprintf(type, sizeof(type), "EC %s", curve->name);
	if (set_type(key, type))
		return ENOMEM;
	if (x->count != curve->coordinate_bytes ||
	    y->count != curve->coordinate_bytes) {
		key->reason = "x or y is no coordinate of its curve";
		return 0;
	}
	key->algorithms = 1u << curve->algorithm;
	key->signature_bytes = 2 * curve->coordinate_bytes;
	return set_jwk(key, token_jose_ec(&key->jwk, &numbers));
}

static int read_ec(struct token_key *key, const json_t *object)
{
	const struct curve *curve = find_curve(object);
	struct octets x = { 0 }, y = { 0 };
	int err;

	if (!curve) {
		key->reason = "crv is not P-256, P-384 or P-521";
		return set_type(key, "EC");
	}
	err = read_octets(object, "x", &x);
	if (!err)
		err = read_octets(object, "y", &y);
	if (!err)
		err = make_ec(key, curve, &x, &y);
	free(x.bytes);
	free(y.bytes);
	return err;
}

/* --- What it is for ----------------------------------------------------- */

static bool is_text(const json_t *member, const char *text)
{
	return json_is_string(member) &&
	       !strcmp(json_string_value(member), text);
}

static bool has_text(const json_t *array, const char *text)
{
	const json_t *each;
	size_t i;

	json_array_foreach(array, i, each)
	{
		if (is_text(each, text))
			return true;
	}
	return false;
}

static const char *refuse_purpose(const json_t *object)
{
	const json_t *use = json_object_get(object, "use");
	const json_t *operations = json_object_get(object, "key_ops");
	const json_t *id = json_object_get(object, "kid");

	if (id && !json_is_string(id))
		return "kid is no text";
	if (use && !is_text(use, "sig"))
		return "use is not sig";
	if (operations && !has_text(operations, "verify"))
		return "key_ops has no verify";
	if (json_object_get(object, "d"))
		return "its private part is there: it is no secret any more";
	return NULL;
}

/* RFC 7517 4.4: an algorithm that the key names is its only one. */
static void narrow(struct token_key *key, const json_t *object)
{
	const json_t *member = json_object_get(object, "alg");
	enum token_algorithm algorithm;

	if (!member || key->reason)
		return;
	if (!json_is_string(member) ||
	    token_algorithm_from_name(json_string_value(member), &algorithm))
		key->reason = "alg is no signature that we know";
	else if (!(key->algorithms & 1u << algorithm))
		key->reason = "alg does not fit kty and crv";
	else
		key->algorithms = 1u << algorithm;
}

static int read_by_type(struct token_key *key, const json_t *object)
{
	const json_t *type = json_object_get(object, "kty");

	key->reason = refuse_purpose(object);
	if (key->reason)
		return 0;
	if (is_text(type, "RSA"))
		return read_rsa(key, object);
	if (is_text(type, "EC"))
		return read_ec(key, object);
	key->reason =
	    is_text(type, "oct") ? "a shared secret" : "kty is not RSA or EC";
	return 0;
}

int token_key_read(struct token_key *key, const json_t *object)
{
	const char *id = json_string_value(json_object_get(object, "kid"));
	int err;

	if (id) {
		key->id = strdup(id);
		if (!key->id)
			return ENOMEM;
	}
	err = read_by_type(key, object);
	if (!err)
		narrow(key, object);
	return err;
}

void token_key_clear(struct token_key *key)
{
	cjose_jwk_release(key->jwk);
	free(key->id);
	free(key->type);
}

/* --- Verification ------------------------------------------------------- */

int token_key_verify(const struct token_key *key,
		     enum token_algorithm algorithm, const char *token,
		     size_t token_bytes, size_t signature_bytes,
		     const char **reasonp)
{
	int err;

	if (!(key->algorithms & 1u << algorithm)) {
		*reasonp = "its key is not for its algorithm";
		return EINVAL;
	}
	if (signature_bytes != key->signature_bytes) {
		*reasonp = "its signature has the wrong length";
		return EINVAL;
	}
	err = token_jose_verify(key->jwk, token, token_bytes);
	if (err == EINVAL)
		*reasonp = "its signature is wrong";
	return err;
}
