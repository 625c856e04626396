/* SPDX-License-Identifier: BSD-2-Clause */
/* GET of one URL, bounded in time and size, for a thread that may wait. */
#ifndef MCMIG_AUTH_TOKEN_FETCH_H
#define MCMIG_AUTH_TOKEN_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch;

/*
 * NULL, or a constant text: why keys must not be taken from this URL. It is
 * https, or http on this host alone, and has no password.
 */
const char *fetch_refuse_url(const char *url);

/* 0 or ENOMEM. `url` and `ca_file` are copied. */
int fetch_create(struct fetch **fetchp, const char *url, const char *ca_file,
		 uint32_t timeout_ms, size_t bytes_max);
void fetch_destroy(struct fetch *fetch); /* NULL is fine */

struct fetch_answer {
	char *text; /* the caller's; NULL unless 0 was returned */
	size_t bytes;
	const char *failure; /* constant text, borrowed */
	int status;	     /* HTTP's; 0: none */
};
/* 0, ECANCELED, or another errno with `failure`. */
int fetch_run(struct fetch *fetch, struct fetch_answer *answer);
/* From another thread: what runs ends now, and nothing runs again. */
void fetch_cancel(struct fetch *fetch);

#endif
