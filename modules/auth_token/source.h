/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the keys of one identity management come from: a file, read again when
 * it changes, or a URL, fetched again from time to time and when a key is
 * missing. A thread of its own does it, so that the loop never waits.
 */
#ifndef MCMIG_AUTH_TOKEN_SOURCE_H
#define MCMIG_AUTH_TOKEN_SOURCE_H

#include "token/keys.h"

struct source_options {
	const char *file, *url; /* one of them is empty */
	const char *ca_file;	/* certificates of authorities; "": system's */
	const char *cache_file; /* last good JWKS of a URL; "": none */
	uint32_t refresh_ms;	/* of a URL, when all is well */
	uint32_t refetch_ms;	/* at least between two rounds of a URL */
	uint32_t timeout_ms;	/* of one fetch */
};

/* What has happened since the last time it was asked. */
struct source_news {
	struct token_keys *keys; /* NULL: no others; the receiver's to free */
	unsigned failures;	 /* rounds that failed */
	const char *failure;	 /* the last one's constant text, or NULL */
	int detail;		 /* its errno or HTTP status; 0: none */
	uint64_t good_round; /* last round that has seen all keys; 0: none */
	uint64_t good_s; /* when keys were last seen, since 1970; 0: never */
};

struct source;

/*
 * Copies the options and reads the file, or the cache of the URL, at once. 0,
 * ENOMEM, or EINVAL when a file has no JWKS: `news` says why. `wake_fd` is an
 * eventfd that is written when there are news.
 */
int source_create(struct source **sourcep, const struct source_options *options,
		  int wake_fd, struct source_news *news);
/* 0, or an errno of pthread_create(3). */
int source_start(struct source *source);
/* Ends a fetch that is under way. NULL is fine. */
void source_destroy(struct source *source);

bool source_is_same(const struct source *source,
		    const struct source_options *options);
/*
 * A key is missing: looks again, as soon as that is allowed. Returns the number
 * of the first round that begins after now.
 */
uint64_t source_ask(struct source *source);
void source_take_news(struct source *source, struct source_news *news);

#endif
