/* SPDX-License-Identifier: BSD-2-Clause */
/* A JWKS: which of its keys are for us, and looking one up. */
#include "token/keys.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "token/key.h"
#include "token/memory.h"

struct token_keys {
	struct token_key *list;
	size_t count;
	unsigned char fingerprint[SHA256_DIGEST_LENGTH];
};

static bool is_known(const struct token_keys *keys, const struct token_key *key)
{
	for (size_t i = 0; key->id && i < keys->count; i++) {
		const struct token_key *other = &keys->list[i];

		if (!other->reason && other->id && !strcmp(other->id, key->id))
			return true;
	}
	return false;
}

static int read_keys(struct token_keys *keys, const json_t *array)
{
	const json_t *each;
	size_t i;

	json_array_foreach(array, i, each)
	{
		struct token_key *key = &keys->list[i];
		int err = token_key_read(key, each);

		if (!err && !key->reason && is_known(keys, key))
			key->reason = "another key has the same kid";
		/* Counted in any case: what it has so far must be freed. */
		keys->count++;
		if (err)
			return err;
	}
	return 0;
}

static const char *shape_of(const json_t *document, const json_error_t *error)
{
	const json_t *array = json_object_get(document, "keys");

	if (!document && json_error_code(error) == json_error_duplicate_key)
		return "the JWKS has a name twice";
	if (!document)
		return "the JWKS is no JSON";
	if (!json_is_array(array))
		return "the JWKS has no array \"keys\"";
	if (json_array_size(array) > TOKEN_KEYS_MAX)
		return "the JWKS has too many keys";
	return NULL;
}

int token_keys_parse(const char *text, size_t bytes, struct token_keys **keysp,
		     const char **reasonp)
{
	struct token_keys *keys = NULL;
	json_error_t error;
	json_t *document, *array;
	int err = 0;

	if (bytes > TOKEN_JWKS_BYTES_MAX) {
		*reasonp = "the JWKS is too long";
		return EINVAL;
	}
	token_memory_begin();
	document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	if (token_memory_failed()) {
		json_decref(document);
		return ENOMEM;
	}
	*reasonp = shape_of(document, &error);
	if (*reasonp) {
		err = EINVAL;
		goto out;
	}
	array = json_object_get(document, "keys");
	keys = calloc(1, sizeof(*keys));
	if (keys)
		keys->list =
		    calloc(json_array_size(array) + 1, sizeof(*keys->list));
	if (!keys || !keys->list) {
		err = ENOMEM;
		goto out;
	}
	err = SHA256((const unsigned char *)text, bytes, keys->fingerprint)
		  ? read_keys(keys, array)
		  : ENOMEM;
	if (err)
		goto out;
	*keysp = keys;
	keys = NULL;
out:
	token_keys_destroy(keys);
	json_decref(document);
	return err;
}

void token_keys_destroy(struct token_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++)
		token_key_clear(&keys->list[i]);
	free(keys->list);
	free(keys);
}

size_t token_keys_count(const struct token_keys *keys)
{
	size_t count = 0;

	for (size_t i = 0; i < keys->count; i++)
		count += !keys->list[i].reason;
	return count;
}

bool token_keys_equal(const struct token_keys *a, const struct token_keys *b)
{
	return !memcmp(a->fingerprint, b->fingerprint, sizeof(a->fingerprint));
}

void token_keys_visit(const struct token_keys *keys, token_keys_h *visit,
		      void *arg)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct token_key *key = &keys->list[i];

		visit(arg, key->id, key->type, key->reason);
	}
}

static int find_by_id(const struct token_keys *keys, const char *id,
		      const struct token_key **keyp, const char **reasonp)
{
	const struct token_key *found = NULL;

	for (size_t i = 0; i < keys->count; i++) {
		const struct token_key *key = &keys->list[i];

		if (key->id && !strcmp(key->id, id) &&
		    (!found || found->reason))
			found = key;
	}
	if (!found)
		return ENOENT;
	if (found->reason) {
		*reasonp = "its key is not fit for use";
		return EINVAL;
	}
	*keyp = found;
	return 0;
}

static int find_only_one(const struct token_keys *keys,
			 enum token_algorithm algorithm,
			 const struct token_key **keyp, const char **reasonp)
{
	const struct token_key *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < keys->count; i++) {
		const struct token_key *key = &keys->list[i];

		if (!key->reason && key->algorithms & 1u << algorithm) {
			found = key;
			count++;
		}
	}
	if (count != 1) {
		*reasonp = count ? "it names no key and several would fit"
				 : "it names no key and none would fit";
		return EINVAL;
	}
	*keyp = found;
	return 0;
}

int token_keys_find(const struct token_keys *keys, const char *id,
		    enum token_algorithm algorithm,
		    const struct token_key **keyp, const char **reasonp)
{
	int err;

	if (!id)
		return find_only_one(keys, algorithm, keyp, reasonp);
	err = find_by_id(keys, id, keyp, reasonp);
	if (!err && !((*keyp)->algorithms & 1u << algorithm)) {
		*reasonp = "its key is not for its algorithm";
		err = EINVAL;
	}
	return err;
}
