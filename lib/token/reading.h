/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token while it is read: the checks are a table, run in order; a program
 * stops at the first that fails, a person is shown all that can be run.
 */
#ifndef MCMIG_TOKEN_READING_H
#define MCMIG_TOKEN_READING_H

#include "token/token.h"

/* What a check leaves for those after it. */
enum token_have {
	HAVE_PARTS = 1 << 0,
	HAVE_HEADER = 1 << 1,
	HAVE_PAYLOAD = 1 << 2,
	HAVE_ALGORITHM = 1 << 3,
	HAVE_ISSUER = 1 << 4,
	HAVE_KEY = 1 << 5,
	HAVE_TIMES = 1 << 6,
};

struct token_part {
	const char *text; /* in the token */
	size_t chars;
	unsigned char *bytes;
	size_t count;
};

struct token_reading {
	const struct token_policy *policy;
	const char *token;
	size_t bytes;
	unsigned have;
	struct token_part parts[3]; /* header, payload, signature */
	json_t *header, *payload;
	enum token_algorithm algorithm;
	const struct token_key *key;
	struct token_claims *claims;
	struct token_unknown_key unknown;
	/* TOKEN_REFUSED, unless a check that fails says otherwise. */
	enum token_result failure;
};

struct token_check {
	const char *name;   /* NULL closes a table */
	const char *passed; /* a sentence for people */
	unsigned needs, gives;
	/* NULL, or a constant text that says what is wrong. */
	const char *(*run)(struct token_reading *reading);
};

extern const struct token_check token_form_checks[];
extern const struct token_check token_key_checks[];
extern const struct token_check token_claim_checks[];

/* 0 or ENOMEM. */
int token_reading_open(struct token_reading *reading,
		       const struct token_policy *policy, const char *token);
void token_reading_close(struct token_reading *reading);

/* A check's end when there is no memory. */
const char *token_no_memory(struct token_reading *reading);
bool token_names_have(const struct token_names *names, const char *text);

/* The checks of token_use(), one by one, for token_inspect(). */
struct token_use_check {
	const char *name;
	const char *passed;
	bool needs_partner_id, needs_primary_id;
	const char *(*run)(const struct token_policy *policy,
			   const struct token_claims *claims,
			   const struct authorizer_request *request,
			   int64_t now_s);
};
extern const struct token_use_check token_use_checks[];

#endif
