/* SPDX-License-Identifier: BSD-2-Clause */
/* As much of SIP's text as mcmig-load needs (RFC 3261 7, 18.3, RFC 3428). */
#ifndef MCMIG_BENCH_SIP_TEXT_H
#define MCMIG_BENCH_SIP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define SIP_BRANCH_SIZE 64

struct sip_view {
	int status;		      /* of an answer; 0: a request */
	bool is_message;	      /* a MESSAGE request */
	char branch[SIP_BRANCH_SIZE]; /* of the top Via */
	const char *headers;	      /* the first header line */
	const char *body;
	size_t body_bytes;
};

/*
 * How long the first message in a stream's buffer (NUL-terminated behind
 * `available`) is; an empty line between messages counts as one.
 * 0, EAGAIN: not all there yet, EBADMSG: no Content-Length.
 */
int sip_message_bytes(const char *text, size_t available, size_t *bytesp);

/* 0 or EBADMSG. The view points into `text`. */
int sip_view(const char *text, size_t bytes, struct sip_view *view);

/*
 * Writes the answer without a body to a request: its Via, From, To (with `tag`
 * if it has none), Call-ID and CSeq. The bytes written, or 0: did not fit.
 */
size_t sip_answer(char *out, size_t size, const struct sip_view *request,
		  const char *status_line, const char *tag);

/* The value of an XML attribute or the text after a start tag such as
 * `result>`, up to `end`: "" if there is none. */
void body_value(const struct sip_view *view, const char *before, char end,
		char *value, size_t size);

#endif
