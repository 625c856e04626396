/* SPDX-License-Identifier: BSD-2-Clause */
/* Interned answers: a hash over the text of all that makes an answer. */
#include "sip/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define KEY_BYTES_MAX 768

struct interned {
	struct answer answer; /* first: what the outside holds */
	uint64_t references;
	UT_hash_handle hh;
	size_t key_bytes;
	char key[]; /* status, Retry-After, then warning and accept as text */
};

struct answers {
	struct interned *by_key;
};

int answers_create(struct answers **answersp)
{
	*answersp = calloc(1, sizeof(**answersp));
	return *answersp ? 0 : ENOMEM;
}

void answers_destroy(struct answers *answers)
{
	struct interned *each, *next;

	if (!answers)
		return;
	HASH_ITER(hh, answers->by_key, each, next)
	{
		HASH_DEL(answers->by_key, each);
		free(each);
	}
	free(answers);
}

size_t answers_count(const struct answers *answers)
{
	return HASH_COUNT(answers->by_key);
}

/* A quoted-string (RFC 3261 25.1) without anything that needs an escape. */
static void quote(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			*text = '\'';
	}
}

struct key {
	char text[KEY_BYTES_MAX];
	size_t bytes;
	size_t warning_at, accept_at; /* 0: none */
};

static size_t append(struct key *key, const char *text)
{
	size_t at = key->bytes, space = sizeof(key->text) - at;
	size_t bytes = strlen(text) + 1;

	if (bytes > space)
		return 0;
	memcpy(key->text + at, text, bytes);
	key->bytes += bytes;
	return at;
}

static void make_key(struct key *key, const char *domain,
		     const struct sip_reply *reply)
{
	char text[512], warning[600];

	key->bytes = (size_t)snprintf(key->text, sizeof(key->text), "%d %u",
				      reply->status, reply->retry_after_s) +
		     1;
	key->warning_at = key->accept_at = 0;
	if (reply->warn_code) {
		snprintf(text, sizeof(text), "%s",
			 reply->warn_text ? reply->warn_text : "");
		quote(text);
		snprintf(warning, sizeof(warning), "%03d %s \"%s\"",
			 reply->warn_code, domain, text);
		key->warning_at = append(key, warning);
	}
	if (reply->accept)
		key->accept_at = append(key, reply->accept);
}

static struct interned *intern(struct answers *answers, const struct key *key,
			       const struct sip_reply *reply)
{
	struct interned *new = calloc(1, sizeof(*new) + key->bytes);

	if (!new)
		return NULL;
	memcpy(new->key, key->text, key->bytes);
	new->key_bytes = key->bytes;
	new->answer = (struct answer){
		.status = reply->status,
		.retry_after_s = reply->retry_after_s,
		.warning = key->warning_at ? new->key + key->warning_at : NULL,
		.accept = key->accept_at ? new->key + key->accept_at : NULL,
	};
	HASH_ADD_KEYPTR(hh, answers->by_key, new->key, new->key_bytes, new);
	if (!new->hh.tbl) { /* out of memory */
		free(new);
		return NULL;
	}
	return new;
}

const struct answer *answer_get(struct answers *answers, const char *domain,
				const struct sip_reply *reply)
{
	struct interned *found;
	struct key key;

	make_key(&key, domain, reply);
	HASH_FIND(hh, answers->by_key, key.text, key.bytes, found);
	if (!found)
		found = intern(answers, &key, reply);
	if (!found)
		return NULL;
	found->references++;
	return &found->answer;
}

void answer_put(struct answers *answers, const struct answer *answer)
{
	struct interned *each = (struct interned *)answer;

	if (--each->references)
		return;
	HASH_DEL(answers->by_key, each);
	free(each);
}
